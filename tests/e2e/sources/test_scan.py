"""Scans of networks that are really there, in network namespaces of this machine."""

import functools
import ipaddress
import json

import pytest

from ..support.namespaces import Network, Responder, reason_to_skip
from ..support.scanning import doctor, scan
from ..support.surveyor import DONE, INCOMPLETE

WITHOUT_RAW = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")

SUBNET = "10.93.0.0/20"
LIVE = 767
# Of 10.94.0.0/20, none of which other tests use at the same time.
LOSSY = range(1031, 1031 + 3 * LIVE, 3)


@pytest.fixture(scope="module")
def network():
    """A switch with nobody on it."""
    why = reason_to_skip()
    if why:
        print(f"skipped: {why}")
        pytest.skip(why)
    network = Network()
    yield network
    network.close()


@pytest.fixture(scope="module")
def scanner(network):
    """The machine that scans."""
    host = network.host("scanner")
    host.addresses("10.93.0.1/20", "10.94.0.1/24", "10.95.0.1/24")
    return host


@pytest.fixture(scope="module")
def large(network, scanner):
    """A machine with very many addresses."""
    host = network.host("large")
    addresses = [str(ipaddress.ip_address("10.93.0.0") + 5 * index + 7) for index in range(LIVE)]
    host.addresses(*(f"{address}/20" for address in addresses))
    return host, addresses


@pytest.fixture(scope="module")
def twin(network, scanner):
    """A machine with an address of another, and one of its own behind it."""
    host = network.host("twin")
    host.addresses("10.93.0.7/20", "10.93.0.6/20", "10.96.0.5/32")
    scanner.ip("route", "add", "10.96.0.0/29", "via", "10.93.0.6")
    return host


@pytest.fixture
def discover(scanner, tmp_path):
    """Scans: `discover(subnets=[..], rounds=2)`."""
    return functools.partial(scan, scanner, tmp_path)


def test_every_address_of_a_large_subnet_is_found(discover, scanner, large):
    host, addresses = large
    found = discover(subnets=[SUBNET])
    print(f"{SUBNET} with {LIVE} addresses: {found.seconds:.1f} s")
    assert found.gaps == [] and found.code == DONE
    assert found.addresses == {*addresses, "10.93.0.1"}
    assert found.macs(addresses[0]) == {host.mac}
    assert found.macs("10.93.0.1") == {scanner.mac}
    assert (SUBNET, "eth0") in found.networks


def test_two_machines_with_one_address_are_a_conflict(discover, large, twin):
    found = discover(subnets=["10.93.0.0/24"], packets_per_second=500)
    assert found.macs("10.93.0.7") == {large[0].mac, twin.mac}
    assert "10.93.0.7" in json.dumps(found.conflicts)


def test_behind_a_router_pings_are_answered(discover, twin):
    found = discover(subnets=["10.96.0.0/29"], rounds=2)
    assert {(row["address"], row["mac"]) for row in found.replies} == {("10.96.0.5", None)}
    assert found.gaps == []


def test_a_network_without_a_route_is_a_gap(discover):
    found = discover(subnets=["10.97.0.0/29"], rounds=1)
    assert found.code == INCOMPLETE
    assert [gap["facts"] for gap in found.gaps] == ["scan"]
    assert "10.97.0.1 and 5 others could not be asked" in found.gaps[0]["reason"]


def test_lost_frames_are_made_up_for(discover, network, scanner):
    """Five in a hundred requests are lost, and five in a hundred answers: at the usual pace all are found."""
    live = {
        f"10.94.{index >> 8}.{index & 255}": f"02:00:00:00:{index >> 8:02x}:{index & 255:02x}"
        for index in LOSSY
    }
    scanner.addresses("10.94.12.1/20")
    seconds = {}
    for loss in (0.0, 0.05):
        with Responder(network.host(f"lossy{loss}"), live.get, loss=loss):
            found = discover(subnets=["10.94.0.0/20"])
        assert found.gaps == []
        assert found.addresses == {*live, "10.94.0.1", "10.94.12.1"}
        seconds[loss] = found.seconds
    print(
        f"10.94.0.0/20 with {len(live)} addresses at 1000/s, 6 rounds for the silent: all found without loss in "
        f"{seconds[0.0]:.1f} s, with 5 % lost each way in {seconds[0.05]:.1f} s"
    )
    scanner.ip("address", "del", "10.94.12.1/20", "dev", "eth0")


def test_a_router_that_answers_for_others_is_not_believed(discover, network):
    """Two hosts answer for themselves; one machine answers for everything that is free or not."""
    hosts = {f"10.95.0.{last}": f"02:00:00:00:01:{last:02x}" for last in (20, 30)}
    proxy = "02:00:00:00:02:01"
    with (
        Responder(network.host("proxied"), hosts.get),
        Responder(network.host("proxy"), lambda address: proxy if address.startswith("10.95.0.") else None),
    ):
        found = discover(subnets=["10.95.0.0/24"], rounds=3)
    assert found.addresses == {*hosts, "10.95.0.1"}
    assert found.conflicts == []
    (gap,) = found.gaps
    assert proxy in gap["reason"] and "proxy ARP" in gap["reason"]


def test_a_machine_with_most_addresses_of_a_subnet_is_believed(discover, network):
    host = network.host("host")
    own = {f"10.94.0.{last}" for last in range(20, 220)}
    host.addresses(*(f"{address}/24" for address in own))
    found = discover(subnets=["10.94.0.0/24"], rounds=3)
    assert found.gaps == []
    assert found.addresses == {*own, "10.94.0.1"}


def test_without_the_capability_there_is_a_gap_and_what_the_kernel_knows(discover, scanner):
    scanner.ip("neigh", "add", "10.93.8.8", "lladdr", "52:54:00:00:08:08", "dev", "eth0")
    found = discover(*WITHOUT_RAW, subnets=[SUBNET])
    assert found.code == INCOMPLETE
    (gap,) = found.gaps
    assert "CAP_NET_RAW is missing" in gap["reason"] and "setcap" in gap["reason"]
    assert found.neighbors["10.93.8.8"] == "52:54:00:00:08:08"


def test_the_doctor_says_what_is_scanned_and_what_is_missing(scanner, tmp_path):
    subnets = [SUBNET, "10.96.0.0/29"]
    said = doctor(scanner, tmp_path, subnets=subnets)
    assert "lan: subnets: 4093 addresses by ARP on eth0" in said, said
    assert "lan: CAP_NET_RAW: present" in said
    said = doctor(scanner, tmp_path, *WITHOUT_RAW, subnets=subnets)
    assert "FAIL lan: CAP_NET_RAW: missing" in said
