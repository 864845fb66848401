"""A real Unbound with remote control, and the records of another administrator that must never be touched.

Names nobody documented are NXDOMAIN: an empty root zone stands for the rest of the DNS, so that no test
waits for servers it cannot reach.
"""

import os

from . import packages, probe
from .daemon import Service
from .layout import HOST

MAIN = """\
server:
    interface: {host}
    port: {port}
    access-control: 127.0.0.0/8 allow
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: "{folder}/unbound.pid"
    use-syslog: no
    logfile: ""
    verbosity: 1
    log-local-actions: no
    do-ip6: no
    num-threads: 1
    module-config: "iterator"

remote-control:
    control-enable: yes
    control-interface: {host}
    control-port: {control_port}
    control-use-cert: no

auth-zone:
    name: "."
    zonefile: "{folder}/root.zone"
    for-downstream: no
    for-upstream: yes

include: "{folder}/conf.d/*.conf"
"""

ROOT_ZONE = """\
. 60 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60
. 60 IN NS ns.invalid.
"""

# Another administrator's records: what Surveyor finds and leaves alone.
ADMIN = """\
server:
    local-zone: "hq.example." typetransparent
    local-data: "gw.hq.example. 3600 IN A 192.0.2.1"
    local-data-ptr: "192.0.2.1 3600 gw.hq.example."
"""

VERSION_QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"


class Unbound:
    """The lab's resolver."""

    def __init__(self, lab):
        self.lab = lab
        self.folder = lab.run / "unbound"
        self.conf = self.folder / "unbound.conf"
        self.include_dir = self.folder / "conf.d"
        self.include_file = self.include_dir / "surveyor.conf"
        self.port = lab.port("unbound")

    def service(self):
        """The daemon; as you, without chroot."""
        main = MAIN.format(
            host=HOST, port=self.port, folder=self.folder, control_port=self.lab.port("unbound-control")
        )
        files = {
            self.conf: main,
            self.folder / "root.zone": ROOT_ZONE,
            self.include_dir / "00-admin.conf": ADMIN,
        }
        ports = (("udp", self.port), ("tcp", self.port), ("tcp", self.lab.port("unbound-control")))
        argv = (packages.command("unbound") or "unbound", "-d", "-p", "-c", self.conf)
        return Service("unbound", argv, self.answers, ports, self.drop_stale_pid, files, ready_timeout=15)

    def drop_stale_pid(self):
        """A pid file of a killed daemon would only confuse."""
        (self.folder / "unbound.pid").unlink(missing_ok=True)
        os.makedirs(self.include_dir, exist_ok=True)

    def answers(self):
        """Whether a query gets an answer."""
        return probe.udp_answers(self.port, VERSION_QUERY)
