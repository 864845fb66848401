"""Leases of the DHCP servers that Debian ships, given to clients that asked for them, in network namespaces of this machine."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..support import dhcp, toml
from ..support.configuration import secret
from ..support.namespaces import Network, reason_to_skip
from ..support.surveyor import DONE, FIXABLE, INCOMPLETE, binary
from ..support.waiting import eventually

NAS, PRINTER, RESERVED = "00:11:32:C4:5D:80", "52:54:00:12:34:56", "BC:24:11:00:00:07"
NEVER_CAME = "00:11:22:33:44:55"
PORT = 8000

KEA4 = {
    "subnet4": [
        {
            "id": 7,
            "subnet": "10.77.0.0/24",
            "pools": [{"pool": "10.77.0.100-10.77.0.199"}],
            "reservations": [
                {"hw-address": RESERVED, "ip-address": "10.77.0.9", "hostname": "camera"},
                {"hw-address": NEVER_CAME, "ip-address": "10.77.0.10", "hostname": "never-came"},
            ],
        }
    ]
}
KEA6 = {
    "subnet6": [
        {
            "id": 8,
            "subnet": "fd00:77::/64",
            "interface": "eth0",
            "pools": [{"pool": "fd00:77::100-fd00:77::199"}],
            "pd-pools": [{"prefix": "fd00:78::", "prefix-len": 48, "delegated-len": 64}],
        }
    ]
}
DHCPD4 = """
ping-check false;
default-lease-time 600;
authoritative;
subnet 10.77.0.0 netmask 255.255.255.0 {
  range 10.77.0.100 10.77.0.150;
  set vendor-class-identifier = option vendor-class-identifier;
}
"""
DHCPD6 = """
default-lease-time 600;
subnet6 fd00:77::/64 {
  range6 fd00:77::200 fd00:77::250;
  prefix6 fd00:79:: fd00:79:0:ff:: /64;
}
"""


@pytest.fixture(scope="module")
def network():
    """A switch with nobody on it."""
    why = reason_to_skip() or dhcp.reason_to_skip()
    if why:
        print(f"skipped: {why}")
        pytest.skip(why)
    network = Network()
    yield network
    network.close()


def host(network, name, mac=None):
    """A machine whose addresses can be used at once."""
    made = network.host(name)
    made.ip("link", "set", "eth0", "down")
    dhcp.without_address_checks(made)
    if mac:
        made.ip("link", "set", "eth0", "address", mac)
    made.ip("link", "set", "eth0", "up")
    dhcp.wait_for_link_local(made)
    return made


@pytest.fixture(scope="module")
def server(network):
    """The machine that the servers run on."""
    made = host(network, "server")
    made.addresses("10.77.0.1/24")
    made.ip("-6", "address", "add", "fd00:77::1/64", "dev", "eth0", "nodad")
    return made


@pytest.fixture(scope="module")
def hosts(network, server):
    """The machines that ask."""
    macs = {"nas": NAS, "printer": PRINTER, "camera": RESERVED}
    return {name: host(network, name, mac) for name, mac in macs.items()}


@pytest.fixture
def ask(hosts, tmp_path):
    """Lets machines ask for leases, all at the same time: `ask(nas=("-4",), printer=("-6", "-N"))`. Gives the clients."""

    def begin(**wishes):
        clients = {
            name: dhcp.Client(hosts[name], tmp_path / f"client-{name}", NAMES[name]) for name in wishes
        }
        with ThreadPoolExecutor() as pool:
            # Families have files of their own, so that one client can ask for both at once.
            asked = [
                pool.submit(clients[name].lease, *options)
                for name, several in wishes.items()
                for options in several
            ]
            for one in asked:
                one.result()
        return clients

    return begin


NAMES = {"nas": "nas", "printer": "printer", "camera": None}


class Found:
    """What one `discover` printed and recorded."""

    def __init__(self, done, recording):
        self.code, self.said = done.returncode, done.stderr
        printed = json.loads(done.stdout)
        self.gaps = [gap["reason"] for gap in printed["gaps"]]
        self.gap_kinds = [gap["facts"] for gap in printed["gaps"]]
        self.candidates = {one["name"]: one for one in printed["candidates"]}
        rows = []
        for recorded in sorted(recording.rglob("*.jsonl")):
            rows += [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
        self.leases = [row for row in rows if row.get("fact") == "dhcp_lease"]
        self.networks = {(row["prefix"], row["interface"]) for row in rows if row.get("fact") == "network"}

    @property
    def held(self):
        """Who holds what, with the name it gave."""
        return {
            (row["mac"], row["address"], row["host_name"]) for row in self.leases if row["state"] == "bound"
        }

    def of(self, address):
        """The lease of an address."""
        (lease,) = [row for row in self.leases if row["address"] == address]
        return lease


@pytest.fixture
def surveyor(server, tmp_path):
    """Runs a command with one source: `surveyor("discover", type="kea", url=..)`."""

    def run(command, *more, **keys):
        file, recording = tmp_path / "surveyor.toml", tmp_path / "recording"
        file.write_text(toml.dumps({"source": [{"name": "dhcp1", **keys}]}), encoding="utf-8")
        words = [str(binary()), "--config", str(file), "--json", command, *more]
        if command == "discover" and not more:
            words += ["--record", str(recording)]
        done = subprocess.run(server.inside(*words), capture_output=True, text=True, timeout=120, check=False)
        if command != "discover":
            return done
        assert done.returncode in (DONE, INCOMPLETE), done.stderr
        return Found(done, recording)

    return run


@pytest.fixture
def running():
    """Ends the daemons that a test began."""
    begun = []

    def begin(daemon):
        begun.append(daemon)
        return daemon.begin()

    yield begin
    for daemon in reversed(begun):
        daemon.stop()


def addresses(found, mac):
    """The addresses that a machine holds."""
    return {address for held, address, _ in found.held if held == mac}


def test_kea_says_the_same_by_its_agent_its_sockets_and_its_files(server, running, ask, surveyor, tmp_path):
    four = running(dhcp.Kea(server, tmp_path / "kea4", 4, KEA4))
    six = running(dhcp.Kea(server, tmp_path / "kea6", 6, KEA6))
    running(dhcp.Agent(server, tmp_path / "agent", PORT, [four, six]))
    ask(nas=[("-4",), ("-6", "-N", "-P")], printer=[("-4",)], camera=[("-4",)])
    four.add(
        **{
            "ip-address": "10.77.0.50",
            "hw-address": "02:00:00:00:00:50",
            "hostname": "a,b",
            "valid-lft": 0xFFFFFFFF,
        }
    )
    four.add(**{"ip-address": "10.77.0.51", "hw-address": "02:00:00:00:00:51", "state": 1})
    four.add(**{"ip-address": "10.77.0.52", "hw-address": "02:00:00:00:00:52", "state": 2})
    four.add(**{"ip-address": "10.77.0.53", "hw-address": "02:00:00:00:00:53", "expire": dhcp.now() - 5})
    six.add(
        **{"ip-address": "fd00:77::50", "subnet-id": 8, "iaid": 7, "duid": "00:03:00:01:02:00:00:00:00:60"}
    )

    user, password = dhcp.KEA_USER
    login = {"username": user, "password_file": secret(tmp_path, "password", password)}
    files = {"lease_file4": str(four.leases), "lease_file6": str(six.leases)}
    ways = {
        "agent": {"url": f"http://127.0.0.1:{PORT}", **login},
        "agent, a lease a page": {"url": f"http://127.0.0.1:{PORT}", "page_size": 1, **login},
        "sockets": {"socket4": str(four.socket), "socket6": str(six.socket)},
        "files": files,
    }
    found = {way: surveyor("discover", type="kea", **keys) for way, keys in ways.items()}
    for way, one in found.items():
        assert (one.gaps, one.code) == ([], DONE), way
        assert one.held == found["agent"].held, way
        assert one.networks == (
            set() if way == "files" else {("10.77.0.0/24", None), ("fd00:77::/64", "eth0")}
        )
    found = found["agent"]
    assert {name for _, _, name in found.held} == {"nas", "printer", "camera", "a,b", None}
    assert addresses(found, NAS) == {found.candidates["nas"]["interfaces"][0]["addresses"][0], "fd00:77::100"}
    assert addresses(found, RESERVED) == {"10.77.0.9"}
    assert len(found.held) == 5, "no declared, expired or delegated one, and none of a card that nobody names"
    assert found.of("10.77.0.9")["dynamic"] is False and found.of("10.77.0.50")["expires_at"] is None
    assert found.of("10.77.0.10")["state"] == "never_seen"
    assert {"nas", "printer", "camera"} <= set(found.candidates)
    assert NEVER_CAME not in json.dumps(found.candidates), "a reservation is no host"
    lease = found.of("fd00:77::100")
    assert lease["server"] == "fd00:77::/64" and 0 < lease["expires_at"] / 1000 - dhcp.now() <= 600

    again = surveyor("discover", "--replay", str(tmp_path / "recording"), type="kea", **files)
    assert again.candidates.keys() == found.candidates.keys()


def test_kea_without_its_hook_library_and_while_it_tidies_up(server, running, ask, surveyor, tmp_path):
    four = running(dhcp.Kea(server, tmp_path / "kea4", 4, KEA4, hook=False))
    ask(printer=[("-4",)])
    socket = {"type": "kea", "socket4": str(four.socket)}
    bare = surveyor("discover", **socket)
    assert bare.gap_kinds == ["leases"] and bare.code == INCOMPLETE
    (why,) = bare.gaps
    assert "lease_cmds is not loaded" in why and "hooks-libraries" in why and "lease_file4" in why
    assert bare.networks == {("10.77.0.0/24", None)}
    with_file = {**socket, "lease_file4": str(four.leases)}
    before = surveyor("discover", **with_file)
    assert before.gaps == [] and addresses(before, PRINTER)

    # Kea starts its clean-up when it starts; then the lease is in another file.
    four.stop()
    four.settings["lease-database"]["lfc-interval"] = 1
    four.begin()
    merged = four.leases.with_name(four.leases.name + ".2")
    eventually(
        lambda: merged.exists() and PRINTER.lower() in merged.read_text(encoding="utf-8"), interval=0.05
    )
    assert PRINTER.lower() not in four.leases.read_text(encoding="utf-8")
    assert surveyor("discover", **with_file).held == before.held


def test_the_doctor_says_what_is_wrong_with_kea(server, running, surveyor, tmp_path):
    four = running(dhcp.Kea(server, tmp_path / "kea4", 4, KEA4))
    certificate, key = tmp_path / "agent.pem", tmp_path / "agent.key"
    made = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=kea",
    ]
    subprocess.run(["openssl", *made, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    trust = {"trust-anchor": str(certificate), "cert-file": str(certificate), "key-file": str(key)}
    running(dhcp.Agent(server, tmp_path / "agent", PORT, [four], **trust, **{"cert-required": False}))
    shown = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    user, password = dhcp.KEA_USER
    entry = {
        "type": "kea",
        "url": f"https://127.0.0.1:{PORT}",
        "username": user,
        "password_file": secret(tmp_path, "password", password),
        "tls": "sha256:" + shown.split("=")[1].strip(),
    }
    done = surveyor("doctor", **entry)
    assert "Kea 2" in done.stdout or "Kea 3" in done.stdout, done.stdout
    assert "lease_cmds is loaded" in done.stdout and "1 subnets, 2 reservations" in done.stdout
    wrong = {
        "the user name or password is refused": {"password_file": secret(tmp_path, "wrong", "let me in")},
        "the TLS certificate is not trusted": {"tls": "sha256:" + "ab" * 32},
        "connection refused": {"url": f"https://127.0.0.1:{PORT + 1}"},
    }
    for expected, change in wrong.items():
        done = surveyor("doctor", **{**entry, **change})
        assert done.returncode == FIXABLE and expected in done.stdout, done.stdout
        found = surveyor("discover", **{**entry, **change})
        assert found.gap_kinds == ["networks", "leases"] and expected in found.gaps[0]
        for said in (done.stdout, done.stderr, found.said, *found.gaps):
            assert password not in said and "let me in" not in said


def test_dnsmasq(server, running, ask, surveyor, tmp_path):
    ranges = "10.77.0.100,10.77.0.150,10m", "fd00:77::100,fd00:77::150,64,10m"
    dnsmasq = running(dhcp.Dnsmasq(server, tmp_path / "dnsmasq", *ranges))
    ask(nas=[("-4",), ("-6",)], printer=[("-4",)], camera=[("-4",)])
    entry = {"type": "dnsmasq", "file": str(dnsmasq.leases)}
    found = surveyor("discover", **entry)
    assert (found.gaps, found.code) == ([], DONE)
    assert len(addresses(found, NAS)) == 2, "IPv4 and IPv6"
    assert {name for _, _, name in found.held} == {"nas", "printer", None}
    assert {"nas", "printer"} <= set(found.candidates)
    assert 0 < found.leases[0]["expires_at"] / 1000 - dhcp.now() <= 600
    done = surveyor("doctor", **entry)
    assert "4 leases" in done.stdout, done.stdout
    missing = surveyor("discover", **{**entry, "file": str(tmp_path / "elsewhere")})
    assert missing.gap_kinds == ["leases"] and "does not exist" in missing.gaps[0]


def test_dhcpd(server, hosts, running, ask, surveyor, tmp_path):
    four = running(dhcp.Dhcpd(server, tmp_path / "dhcpd4", 4, DHCPD4))
    six = running(dhcp.Dhcpd(server, tmp_path / "dhcpd6", 6, DHCPD6))
    clients = ask(nas=[("-4",), ("-6", "-N", "-P")], printer=[("-4",)], camera=[("-4",)])
    entry = {"type": "dhcpd", "file": str(four.leases), "file6": str(six.leases)}
    found = surveyor("discover", **entry)
    assert (found.gaps, found.code) == ([], DONE)
    assert len(addresses(found, NAS)) == 2, "IPv4 and IPv6, and no prefix"
    assert {name for _, _, name in found.held} == {"nas", "printer", None}
    (leased,) = addresses(found, PRINTER)
    assert found.of(leased)["vendor_class"] == "surveyor-test"

    # A lease that is given back is no lease, and dhcpd says so at the end of its file.
    hosts["printer"].addresses(f"{leased}/24")
    clients["printer"].release("-4")
    eventually(lambda: "binding state free" in four.leases.read_text(encoding="utf-8"), interval=0.05)
    after = surveyor("discover", **entry)
    assert after.held == {held for held in found.held if held[0] != PRINTER}
    assert "printer" not in after.candidates
    hosts["printer"].ip("address", "flush", "dev", "eth0", "scope", "global")
