"""A Linux box read over SSH: a real sshd, a real bridge, hosts that really talk, in network namespaces of this machine."""

import json
import re
import struct
import subprocess
import time

import pytest

from ..support import box as boxes
from ..support import toml
from ..support.namespaces import Network, reason_to_skip
from ..support.surveyor import DONE, INCOMPLETE, binary
from ..support.waiting import eventually

# Universal addresses, as cards have; `dumb` has another machine behind it that only frames tell of.
HOSTS = {"alone": "52:54:00:00:00:11", "dumb": "00:16:3e:00:00:22"}
HIDDEN = "00:16:3e:00:00:23"
BRIDGE = "00:16:3e:00:00:01"
BROADCAST, EXPERIMENTAL = b"\xff" * 6, b"\x88\xb5"

# Programs that run on a host: one datagram to an address; frames, as hexadecimal lines.
SEND = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 9))
"""
SEND_FRAMES = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for line in sys.stdin:
    wire.send(bytes.fromhex(line))
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A box with a bridge, an address in two networks, hosts on its ports, and the machine that reads it."""
    why = reason_to_skip() or ", ".join(f"{need} is not installed" for need in boxes.missing())
    if why:
        print(f"skipped: {why}")
        pytest.skip(why)
    network = Network()
    try:
        yield build(network)
    finally:
        network.close()


def build(network):
    """The hosts."""

    def switch(*words):
        return subprocess.run(["ip", "-n", network.switch, *words], check=True)

    switch("link", "set", "br0", "address", BRIDGE)
    switch("link", "set", "lo", "up")
    switch("address", "add", "192.0.2.1/24", "dev", "br0")
    switch("address", "add", "2001:db8:5::1/64", "dev", "br0", "nodad")
    for number, name in enumerate(("alone", "dumb", "reader"), start=11):
        host = network.host(name)
        if name in HOSTS:
            host.ip("link", "set", "eth0", "address", HOSTS[name])
        host.addresses(f"192.0.2.{number}/24")
        host.ip("address", "add", f"2001:db8:5::{number}/64", "dev", "eth0", "nodad")
    return network


@pytest.fixture(scope="module")
def box(network, tmp_path_factory):
    """sshd on the box; its hosts have talked."""
    box = boxes.Box(network, tmp_path_factory.mktemp("box"), "192.0.2.1", name="gw-cellar")
    talk(network, box)
    yield box
    box.stop()


def talk(network, box):
    """Everybody is heard: the box asks for the hosts, and a frame comes from behind one of them."""
    for address in ("192.0.2.11", "192.0.2.12", "2001:db8:5::11", "2001:db8:5::12", "192.0.2.99"):
        subprocess.run(box.inside("python3", "-c", SEND, address), check=False)
    dumb = next(host for host in network.hosts if host.name == "dumb")
    frame = BROADCAST + bytes.fromhex(HIDDEN.replace(":", "")) + EXPERIMENTAL + bytes(46)
    subprocess.run(dumb.inside("python3", "-c", SEND_FRAMES), input=f"{frame.hex()}\n", text=True, check=True)

    def known():
        """The box knows its hosts."""
        shown = subprocess.run(box.inside("ip", "neigh", "show"), capture_output=True, text=True, check=True)
        return shown.stdout.count("lladdr") >= 4

    eventually(known, 10)


class Found:
    """What one `discover` printed and recorded."""

    def __init__(self, done, recording):
        self.code, self.said = done.returncode, done.stderr
        printed = json.loads(done.stdout)
        self.candidates, self.gaps = printed["candidates"], printed["gaps"]
        rows = []
        for recorded in recording.glob("*.jsonl"):
            rows += [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
        self.facts = [row for row in rows if "fact" in row]

    def of(self, fact):
        """The facts of one kind."""
        return [row for row in self.facts if row["fact"] == fact]

    @property
    def substance(self):
        """All facts without what differs from run to run."""
        plain = [{**row, "observed_at": 0, "source": ""} for row in self.facts]
        return sorted(json.dumps(row, sort_keys=True) for row in plain)

    def candidate(self, mac):
        """The candidate with this address."""
        fits = [
            one
            for one in self.candidates
            if any((card["mac"] or "").lower() == mac for card in one["interfaces"])
        ]
        assert len(fits) == 1, [one["identity"] for one in self.candidates]
        return fits[0]


@pytest.fixture
def discover(network, tmp_path):
    """Reads the box from the machine called `reader`: `discover(source, ...)`."""
    reader = next(host for host in network.hosts if host.name == "reader")

    def begin(source, command="discover"):
        file, recording = tmp_path / "surveyor.toml", tmp_path / f"recording-{time.monotonic_ns()}"
        file.write_text(toml.dumps({"source": [source]}), encoding="utf-8")
        words = [str(binary()), "--config", str(file)]
        if command == "doctor":
            argv = reader.inside(*words, "doctor")
            return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        argv = reader.inside(*words, "--json", "discover", "--record", str(recording))
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in (DONE, INCOMPLETE), done.stderr
        return Found(done, recording)

    return begin


def test_hosts_hang_on_the_ports_of_the_bridge(discover, box):
    found = discover(box.source())
    assert found.gaps == [] and found.code == DONE
    alone, dumb = (found.candidate(HOSTS[name]) for name in ("alone", "dumb"))
    card = alone["interfaces"][0]
    assert card["addresses"] == ["192.0.2.11", "2001:db8:5::11"]
    assert (card["attachment"]["switch"], card["attachment"]["port"]) == ("gw", "p1")
    assert card["attachment"]["competing"] == []
    # The ports are virtual cables: whoever is behind one has no socket.
    assert card["attachment"]["exclusive"] is False
    assert card["masks"] == {"192.0.2.11": 24, "2001:db8:5::11": 64}
    assert dumb["interfaces"][0]["attachment"]["port"] == "p2"
    hidden = found.candidate(HIDDEN)
    assert hidden["interfaces"][0]["attachment"]["port"] == "p2"
    assert hidden["interfaces"][0]["addresses"] == []


def test_the_box_is_a_network_device(discover, box):
    found = discover(box.source())
    (device,) = [one for one in found.candidates if one.get("device") == "gw"]
    assert (device["name"], device["name_origin"], device["class"]) == ("gw", "device", "network")
    assert "gw-cellar" in device["other_names"]
    (fact,) = found.of("device")
    assert (fact["own_name"], fact["address"], fact["role"]) == ("gw-cellar", "192.0.2.1", "switch")
    assert BRIDGE.upper() in fact["macs"]
    assert re.search("Linux", fact["description"])
    ports = {row["name"]: row for row in found.of("interface")}
    assert ports["br0"]["kind"] == "bridge" and ports["p1"]["bridge"] == "br0"
    assert ports["p1"]["up"] is True and "lo" not in ports
    networks = {(row["prefix"], row["interface"]) for row in found.of("network")}
    assert networks == {("192.0.2.0/24", "br0"), ("2001:db8:5::/64", "br0")}


def test_questions_nobody_answered_are_no_hosts(discover, box):
    found = discover(box.source())
    seen = {row["address"] for row in found.of("neighbor")}
    assert {"192.0.2.11", "192.0.2.12", "2001:db8:5::11"} <= seen
    assert "192.0.2.99" not in seen
    assert not any(address.startswith("fe80") for address in seen)


def test_its_own_addresses_are_no_hosts_behind_it(discover, box):
    found = discover(box.source())
    (device,) = found.of("device")
    own = set(device["macs"])
    assert not own & {row["mac"] for row in found.of("fdb_entry")}
    assert not any(row["mac"].startswith(("33:33", "01:00")) for row in found.of("fdb_entry"))


def test_the_forced_command_reads_the_same(discover, box):
    free = discover(box.source())
    try:
        box.allow(f"exec /bin/sh {boxes.READ_ONLY}")
        bound = discover(box.source())
        refused = subprocess.run(
            box.sshd.beside(
                "ssh", "-i", str(box.folder / "user_key"), "-o", f"UserKnownHostsFile={box.folder}/known_hosts",
                "-o", "BatchMode=yes", box.source()["ssh"].rpartition(":")[0], "cat /etc/passwd; ip -j neigh show",
            ),
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    finally:
        box.allow()
    assert bound.gaps == []
    assert bound.substance == free.substance
    assert "root:" not in refused.stdout, "only the command that is allowed ran"
    assert json.loads(refused.stdout) is not None


def test_anybody_may_read_it_but_for_lldp(discover, box):
    """As nobody, with no rights at all; lldpctl is not for everybody on Debian."""
    try:
        box.allow(
            'exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all sh -c "$SSH_ORIGINAL_COMMAND"'
        )
        found = discover(box.source())
    finally:
        box.allow()
    (gap,) = found.gaps
    assert gap["facts"] == "lldp" and "ermission denied" in gap["reason"] and "adm" in gap["reason"]
    assert found.candidate(HOSTS["alone"])["interfaces"][0]["attachment"]["port"] == "p1"


def test_busybox_says_what_to_install(discover, box):
    """OpenWrt's own tools, for real: no JSON, and no `bridge`."""
    try:
        box.allow('set -- ${SSH_ORIGINAL_COMMAND#*/bin }; exec busybox "$@"')
        found = discover(box.source())
        doctor = discover(box.source(), "doctor")
    finally:
        box.allow()
    assert found.code == INCOMPLETE
    reasons = {gap["facts"]: gap["reason"] for gap in found.gaps}
    assert set(reasons) == {"interfaces", "networks", "neighbors", "fdb"}
    assert all("ip-full" in reason for reason in reasons.values()), reasons
    (device,) = found.of("device")
    assert device["own_name"] == "gw-cellar", "what can be read is read"
    assert "FAIL gw: ip -j -d link show" in doctor.stdout and "ip-full" in doctor.stdout


def test_one_command_that_fails_is_one_gap(discover, box):
    try:
        box.allow(
            'case "$SSH_ORIGINAL_COMMAND" in *" bridge "*) echo Oops >&2; exit 2;; esac; exec sh -c "$SSH_ORIGINAL_COMMAND"'
        )
        found = discover(box.source())
    finally:
        box.allow()
    (gap,) = found.gaps
    assert gap["facts"] == "fdb" and "`bridge -j fdb show`: exit status 2: Oops" in gap["reason"]
    assert found.of("neighbor") and found.of("interface")


def test_a_box_that_hangs_keeps_what_was_read(discover, box):
    try:
        box.allow(
            'case "$SSH_ORIGINAL_COMMAND" in *" neigh "*) exec sleep 60;; esac; exec sh -c "$SSH_ORIGINAL_COMMAND"'
        )
        found = discover(box.source(timeout_seconds=2))
    finally:
        box.allow()
    assert {gap["facts"] for gap in found.gaps} == {"neighbors", "fdb", "lldp"}
    assert all("timed out while running the command" in gap["reason"] for gap in found.gaps)
    assert found.of("interface") and found.of("network")


def test_texts_that_are_no_text_do_no_harm(discover, box):
    odd = b'Bob\'s caf\xe9 "x" \\ \x1b[31m'
    subprocess.run(["ip", "-n", box.network.switch, "link", "set", "p1", "alias", odd], check=True)
    try:
        found = discover(box.source())
    finally:
        box.ip("link", "set", "p1", "alias", "")
    assert found.gaps == []
    (port,) = [row for row in found.of("interface") if row["name"] == "p1"]
    assert port["alias"].startswith('Bob\'s caf\ufffd "x" \\')
    assert "\x1b" not in port["alias"]


def test_a_vxlan_and_a_tap_place_nobody_wrongly(discover, box):
    box.ip("link", "add", "vx5", "type", "vxlan", "id", "5", "dstport", "4789", "local", "192.0.2.1")
    box.ip("tuntap", "add", "tap5", "mode", "tap")
    try:
        box.ip("link", "set", "vx5", "master", "br0", "up")
        box.ip("link", "set", "tap5", "master", "br0", "up")
        far = "00:16:3e:00:00:55"
        subprocess.run(
            box.inside("bridge", "fdb", "add", far, "dev", "vx5", "dst", "198.51.100.2", "self"), check=True
        )
        found = discover(box.source())
    finally:
        box.ip("link", "del", "vx5")
        box.ip("link", "del", "tap5")
    assert far.upper() not in {row["mac"] for row in found.of("fdb_entry")}
    kinds = {row["name"]: row["kind"] for row in found.of("interface")}
    assert (kinds["vx5"], kinds["tap5"]) == ("tunnel", "virtual")
    (device,) = found.of("device")
    assert device["role"] == "hypervisor", "guests hang on taps"


def test_another_host_key_and_a_key_it_does_not_know_are_gaps(discover, box):
    found = discover(box.source(known_hosts_file=str(box.folder / "wrong_known_hosts")))
    (gap,) = found.gaps
    assert gap["facts"] == "all" and "the host key of" in gap["reason"] and found.facts == []
    found = discover(box.source(identity_file=str(box.folder / "stranger_key")))
    (gap,) = found.gaps
    assert gap["facts"] == "all" and "refused the key" in gap["reason"]
    user = box.source()["ssh"].partition("@")[0]
    found = discover(box.source(ssh=f"{user}@{box.address}:9"))
    (gap,) = found.gaps
    assert gap["facts"] == "all" and "cannot reach" in gap["reason"]


def test_the_host_key_can_be_pinned_and_the_doctor_looks(discover, box):
    key = str(box.folder / "host_key.pub")
    listed = subprocess.run(["ssh-keygen", "-lf", key], capture_output=True, text=True, check=True)
    source = box.source(host_key=listed.stdout.split()[1])
    del source["known_hosts_file"]
    assert discover(source).gaps == []
    doctor = discover(source, "doctor")
    assert "ok   gw: log in: gw-cellar" in doctor.stdout, doctor.stdout
    assert re.search(r"ok   gw: ip -j neigh show: \d+ rows", doctor.stdout)


def test_neighbours_that_lldpd_hears_are_told(discover, box, network, tmp_path):
    """lldpd on the box and on a host: the box says on which port it hears the host."""
    alone = next(host for host in network.hosts if host.name == "alone")
    ours = subprocess.Popen(
        box.sshd.beside("lldpd", "-d", "-I", "p*"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    theirs = boxes.Daemon(alone.namespace, "announcer", "lldpd -d -I eth0", tmp_path / "lldpd.log")
    try:

        def heard():
            """The box hears it."""
            argv = box.sshd.beside("lldpctl", "-f", "json")
            return "announcer" in subprocess.run(argv, capture_output=True, text=True, check=False).stdout

        eventually(heard, 45)
        found = discover(box.source())
    finally:
        for process in (ours, theirs.process):
            process.terminate()
            process.wait()
    (fact,) = [row for row in found.of("lldp_neighbor") if row["system_name"] == "announcer"]
    assert (fact["device"], fact["port"], fact["protocol"]) == ("gw", "p1", "lldp")
    assert fact["chassis_mac"] == HOSTS["alone"].upper()
    assert found.candidate(HOSTS["alone"])["name"] == "announcer"


def test_a_table_of_hundreds_is_read_whole(discover, box, network):
    """Frames of eight hundred machines behind one port."""
    dumb = next(host for host in network.hosts if host.name == "dumb")
    macs = [bytes.fromhex("00163e01") + struct.pack("!H", number) for number in range(800)]
    frames = "".join(f"{(BROADCAST + mac + EXPERIMENTAL + bytes(46)).hex()}\n" for mac in macs)
    subprocess.run(dumb.inside("python3", "-c", SEND_FRAMES), input=frames, text=True, check=True)
    found = discover(box.source())
    assert found.gaps == []
    rows = [row for row in found.of("fdb_entry") if row["mac"].startswith("00:16:3E:01:")]
    assert {row["port"] for row in rows} == {"p2"}
    assert len(rows) == len(macs)
