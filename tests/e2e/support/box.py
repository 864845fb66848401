"""A Linux box in a network namespace: the switch of a `Network`, with a real sshd on it, and lldpd if wanted."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .namespaces import run
from .waiting import eventually

PORT = 22
SSHD = "/usr/sbin/sshd"
REPOSITORY = Path(__file__).resolve().parents[3]
READ_ONLY = REPOSITORY / "service" / "source" / "linux" / "surveyor-linux-read"

CONFIGURATION = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM {pam}
StrictModes no
LogLevel VERBOSE
SetEnv SHLVL=1
"""

# /run is the box's own, so that its daemons meet no others; so is the name of the machine.
START = "mount -t tmpfs tmpfs /run && mkdir -p /run/sshd /run/lldpd && hostname {name} && exec {daemon}"


def missing():
    """What is not installed."""
    needs = (SSHD, "ssh-keygen", "lldpd", "lldpctl", "busybox", "setpriv", "unshare", "nsenter")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [need for need in needs if not shutil.which(need, path=path)]


def pam():
    """Without PAM, sshd refuses accounts whose password is locked (`!`)."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    lines = Path("/etc/shadow").read_text(encoding="utf-8").splitlines()
    return "yes" if any(line.startswith(f"{user}:!") for line in lines) else "no"


class Daemon:
    """A process in a namespace, with a /run and a name of its own."""

    def __init__(self, namespace, name, daemon, log):
        command = START.format(name=name, daemon=daemon)
        argv = ["ip", "netns", "exec", namespace, "unshare", "-mu", "sh", "-c", command]
        with open(log, "w", encoding="utf-8") as stream:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)

    def beside(self, *words):
        """A command that runs where it runs."""
        return ["nsenter", "-t", str(self.process.pid), "-m", "-n", "-u", *words]

    def stop(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait()


class Box:
    """The switch of a network, read over SSH at `address`."""

    def __init__(self, network, folder, address, name="box"):
        self.network, self.folder, self.address = network, folder, address
        for key in ("host_key", "other_host_key", "user_key", "stranger_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / key))
        for name_of, key in (("known_hosts", "host_key"), ("wrong_known_hosts", "other_host_key")):
            (folder / name_of).write_text(f"{address} {self.public(key)}\n", encoding="utf-8")
        self.allow()
        configuration = CONFIGURATION.format(port=PORT, address=address, folder=folder, pam=pam())
        (folder / "sshd_config").write_text(configuration, encoding="utf-8")
        self.log = folder / "sshd.log"
        daemon = f"{SSHD} -D -e -f {folder}/sshd_config"
        self.sshd = Daemon(network.switch, name, daemon, self.log)
        eventually(self.listens, 15)

    def listens(self):
        """Whether sshd is up."""
        return "Server listening" in self.log.read_text(encoding="utf-8")

    def public(self, key):
        """`TYPE BASE64` of a key."""
        return (self.folder / f"{key}.pub").read_text(encoding="utf-8").strip()

    def allow(self, forced=None):
        """Lets the key in: with a shell, or with what this shell text does with `$SSH_ORIGINAL_COMMAND`."""
        options = ""
        if forced:
            script = self.folder / "forced"
            script.write_text(f"#!/bin/sh\n{forced}\n", encoding="utf-8")
            script.chmod(0o755)
            options = f'restrict,command="{script}" '
        line = f"{options}{self.public('user_key')}\n"
        (self.folder / "authorized_keys").write_text(line, encoding="utf-8")

    def ip(self, *words):
        """Runs `ip` there."""
        return run("ip", "-n", self.network.switch, *words)

    def inside(self, *words):
        """A command line that runs there."""
        return ["ip", "netns", "exec", self.network.switch, *words]

    def source(self, **keys):
        """The `[[source]]` that reads it."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        return {
            "name": "gw",
            "type": "linux",
            "ssh": f"{user}@{self.address}:{PORT}",
            "identity_file": str(self.folder / "user_key"),
            "known_hosts_file": str(self.folder / "known_hosts"),
            **keys,
        }

    def stop(self):
        """Ends sshd; what it started ends with its connections."""
        self.sshd.stop()
