"""Names by reverse DNS during a scan: a real Unbound in a network namespace, and one that is not there."""

import functools
import shutil
import subprocess

import pytest

from ..support.namespaces import Network, reason_to_skip
from ..support.scanning import scan
from ..support.surveyor import DONE, INCOMPLETE
from ..support.waiting import eventually

UNBOUND = "/usr/sbin/unbound"
CONFIGURATION = """\
server:
  interface: 10.99.0.53
  interface: 2001:db8:99::53
  access-control: 10.99.0.0/24 allow
  access-control: 2001:db8:99::/64 allow
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "10.in-addr.arpa." static
  local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." static
  local-data-ptr: "10.99.0.10 Printer.example.org"
  local-data-ptr: "10.99.0.11 nas.example.org"
  local-data-ptr: "10.99.0.11 archive.example.org"
  local-data: '12.0.99.10.in-addr.arpa. PTR <script>.example.org.'
  local-data-ptr: "2001:db8:99::10 printer6.example.org"
"""


@pytest.fixture(scope="module")
def network():
    """A scanner, a host with some addresses, and a name server."""
    why = reason_to_skip() or (not shutil.which(UNBOUND) and f"{UNBOUND} is not installed")
    if why:
        print(f"skipped: {why}")
        pytest.skip(why)
    network = Network()
    try:
        network.host("scanner").addresses("10.99.0.1/24")
        network.host("host").addresses(*(f"10.99.0.{last}/24" for last in (10, 11, 12, 13)))
        network.host("resolver").addresses("10.99.0.53/24")
        for host, last in zip(network.hosts, (1, 10, 53)):
            host.ip("address", "add", f"2001:db8:99::{last}/64", "dev", "eth0", "nodad")
        yield network
    finally:
        network.close()


@pytest.fixture(scope="module")
def resolver(network, tmp_path_factory):
    """Unbound, answering."""
    folder = tmp_path_factory.mktemp("unbound")
    (folder / "unbound.conf").write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    host = network.hosts[2]
    with open(folder / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            host.inside(UNBOUND, "-d", "-c", str(folder / "unbound.conf")), stdout=log, stderr=log
        )

    def listens():
        """Its socket is open."""
        shown = subprocess.run(host.inside("ss", "-Hlun"), capture_output=True, text=True, check=True)
        return "10.99.0.53:53" in shown.stdout

    eventually(listens, 15)
    yield host
    process.terminate()
    process.wait()


@pytest.fixture
def discover(network, tmp_path):
    """Scans with these name servers: `discover("10.99.0.53", subnets=[..])`."""

    def begin(*servers, **keys):
        file = tmp_path / "resolv.conf"
        file.write_text("".join(f"nameserver {server}\n" for server in servers), encoding="utf-8")
        bind = f'mount --bind {file} /etc/resolv.conf && exec "$@"'
        prefix = ("unshare", "-m", "sh", "-c", bind, "sh")
        return functools.partial(scan, network.hosts[0], tmp_path, *prefix)(rounds=2, **keys)

    return begin


def test_addresses_that_answer_have_their_names(discover, resolver):
    found = discover("10.99.0.53", subnets=["10.99.0.0/24"], reverse_dns=True)
    assert found.gaps == [] and found.code == DONE
    assert found.names == {
        "10.99.0.10": "printer.example.org",
        "10.99.0.11": "archive.example.org",
        "10.99.0.12": "\\<script\\>.example.org",
    }, "the first of several; what is no host name is kept as DNS writes it"
    assert {"10.99.0.13", "10.99.0.53"} <= found.addresses
    assert not any("script" in candidate["name"] for candidate in found.candidates)


def test_ipv6_addresses_have_names_too(discover, resolver):
    found = discover("2001:db8:99::53", subnets=["2001:db8:99::/64"], reverse_dns=True)
    assert found.gaps == []
    assert found.names == {"2001:db8:99::10": "printer6.example.org"}


def test_nobody_is_asked_unless_wanted(discover, resolver):
    assert discover("10.99.0.53", subnets=["10.99.0.0/24"]).names == {}


def test_a_second_server_is_asked_where_the_first_is_silent(discover, resolver):
    found = discover("10.99.0.99", "10.99.0.53", subnets=["10.99.0.10/31"], reverse_dns=True)
    assert found.names["10.99.0.10"] == "printer.example.org"


def test_without_a_name_server_there_is_a_gap_and_the_addresses(discover):
    found = discover("10.99.0.99", subnets=["10.99.0.10/31"], reverse_dns=True)
    assert found.code == INCOMPLETE
    (gap,) = found.gaps
    assert "reverse DNS: no answer" in gap["reason"] and "10.99.0.99:53" in gap["reason"]
    assert {"10.99.0.10", "10.99.0.11"} <= found.addresses
