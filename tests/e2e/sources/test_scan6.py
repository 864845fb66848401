"""Scans of IPv6 networks that are really there, in network namespaces of this machine."""

import functools
import ipaddress
import subprocess

import pytest

from ..support.namespaces import Network, reason_to_skip
from ..support.neighbors import Forger, Listener, made_from
from ..support.scanning import doctor, scan
from ..support.surveyor import DONE, INCOMPLETE

PREFIX = "2001:db8:93:1::/64"
FEW = 300
HOSTS = {"one": "00:16:3e:00:06:01", "two": "00:16:3e:00:06:02", "shy": "00:16:3e:00:06:03"}


def address(number):
    """An address of the network."""
    return str(ipaddress.ip_network(PREFIX)[number])


def link_local(mac):
    """The address that a machine makes for its link."""
    return made_from("fe80::", mac)


@pytest.fixture(scope="module")
def network():
    """A scanner, two hosts that answer everybody, one that only answers who asks for it by name, one with many addresses."""
    why = reason_to_skip()
    if why:
        print(f"skipped: {why}")
        pytest.skip(why)
    network = Network()
    try:
        scanner = network.host("scanner")
        scanner.ip("address", "add", f"{address(1)}/64", "dev", "eth0", "nodad")
        for name, mac in HOSTS.items():
            host = network.host(name)
            host.ip("link", "set", "eth0", "down")
            host.ip("link", "set", "eth0", "address", mac)
            host.ip("link", "set", "eth0", "up")
        network.hosts[1].ip("address", "add", f"{address(0x11)}/64", "dev", "eth0", "nodad")
        # This one made its address from its card, as autoconfiguration does.
        network.hosts[2].ip("address", "add", f"{made_from(PREFIX, HOSTS['two'])}/64", "dev", "eth0", "nodad")
        shy = network.hosts[3]
        shy.ip("address", "add", f"{address(0x5457)}/64", "dev", "eth0", "nodad")
        for setting in ("icmp/echo_ignore_all", "icmp/echo_ignore_multicast"):
            write = f"echo 1 > /proc/sys/net/ipv6/{setting}"
            subprocess.run(shy.inside("sh", "-c", write), check=True)
        wait_for_link_local(network)
        yield network
    finally:
        network.close()


def wait_for_link_local(network):
    """Until all addresses of the links are in use."""
    from ..support.waiting import eventually

    def settled():
        """No address is tentative."""
        return not any("tentative" in host.ip("-6", "address", "show").stdout for host in network.hosts)

    eventually(settled, 15)


@pytest.fixture(scope="module")
def scanner(network):
    """The machine that scans."""
    return network.hosts[0]


@pytest.fixture
def discover(scanner, tmp_path):
    """Scans: `discover(subnets=[..], rounds=2)`. The kernel knows nobody beforehand."""
    subprocess.run(scanner.inside("ip", "-6", "neigh", "flush", "all"), capture_output=True, check=False)
    return functools.partial(scan, scanner, tmp_path)


def test_who_answers_everybody_is_found_with_its_addresses(discover, scanner):
    found = discover(subnets=[PREFIX])
    print(f"{PREFIX}: {found.seconds:.1f} s")
    assert found.gaps == [] and found.code == DONE
    for name, own in (("one", address(0x11)), ("two", made_from(PREFIX, HOSTS["two"]))):
        mac = HOSTS[name].upper()
        assert found.macs(own) == {mac}, name
        assert found.macs(link_local(HOSTS[name])) == {mac}, name
        (candidate,) = [one for one in found.candidates if one["identity"] == f"mac:{HOSTS[name]}"]
        assert candidate["interfaces"][0]["addresses"] == [own]
        assert candidate["interfaces"][0]["masks"] == {own: 64}
    assert found.macs(address(1)) == {scanner.mac}
    assert (PREFIX, "eth0") in found.networks
    assert address(0x5457) not in found.addresses, "nobody asked for it by name"


def test_no_large_network_is_swept(discover, network, scanner):
    """What goes over the wire: a few calls to everybody, and questions about those that answered."""
    with Listener(network.hosts[2]) as listener:
        found = discover(subnets=[PREFIX])
    assert found.gaps == []
    ours = {address(1), link_local(scanner.mac)}
    assert 2 <= len([source for source in listener.calls if source in ours]) <= 12
    assert set(listener.calls) <= ours, "everybody is called from addresses in use"
    # Whoever answered is asked for by name, and for the address it would have in this network.
    network_of = ipaddress.ip_network(PREFIX)
    halves = {int(ipaddress.ip_address(one)) & (2**64 - 1) for one in found.addresses}
    cards = {row["mac"] for row in found.replies if row["mac"]}
    halves |= {int(ipaddress.ip_address(link_local(mac))) & (2**64 - 1) for mac in cards}
    allowed = {network_of[half] for half in halves} | {ipaddress.ip_address(one) for one in found.addresses}
    asked = {ipaddress.ip_address(target) for source, target in listener.asked if source in ours}
    assert asked and asked <= allowed, asked - allowed
    assert "::" not in {source for source, _ in listener.asked}, "from nowhere it would claim the address"
    assert not ours & set(listener.joined), "no multicast group is joined"


def test_listed_addresses_are_asked_for_by_name(discover):
    found = discover(subnets=[f"{address(0x5457)}/128"])
    assert found.gaps == []
    assert found.macs(address(0x5457)) == {HOSTS["shy"].upper()}
    assert found.addresses == {address(0x5457)}, "nobody else was asked"


def test_addresses_that_the_kernel_knows_are_asked_for(discover, scanner):
    scanner.ip("neigh", "add", address(0x5457), "lladdr", "00:16:3e:00:66:66", "nud", "stale", "dev", "eth0")
    scanner.ip("neigh", "add", address(0x5458), "lladdr", "00:16:3e:00:66:67", "nud", "stale", "dev", "eth0")
    try:
        found = discover(subnets=[PREFIX], rounds=2)
    finally:
        for number in (0x5457, 0x5458):
            subprocess.run(scanner.inside("ip", "neigh", "del", address(number), "dev", "eth0"), check=False)
    # discover() forgets the table first; what is added afterwards is there.
    assert found.macs(address(0x5457)) == {HOSTS["shy"].upper()}
    assert found.neighbors[address(0x5458)] == "00:16:3E:00:66:67"
    assert address(0x5458) not in found.addresses, "the kernel's memory is no answer"


def test_hundreds_of_listed_addresses_are_all_found(discover, network):
    host = network.host("large")
    own = [address(0x10000 + 3 * index) for index in range(FEW)]
    host.batch([f"address add {one}/64 dev eth0 nodad" for one in own])
    found = discover(subnets=["2001:db8:93:1::1:0/116"])
    print(f"/116 with {FEW} addresses: {found.seconds:.1f} s")
    assert found.gaps == []
    assert found.addresses == set(own)
    assert {mac for one in own for mac in found.macs(one)} == {host.mac}


def test_lost_packets_are_made_up_for(discover, network):
    live = {
        address(0x20000 + 2 * index): f"00:16:3e:02:{index >> 8:02x}:{index & 255:02x}"
        for index in range(FEW)
    }
    seconds = {}
    for loss in (0.0, 0.05):
        with Forger(network.host(f"lossy{loss}"), live.get, loss=loss):
            found = discover(subnets=["2001:db8:93:1::2:0/118"])
        assert found.gaps == []
        assert found.addresses == set(live)
        assert {one: found.macs(one) for one in live} == {one: {mac.upper()} for one, mac in live.items()}
        seconds[loss] = found.seconds
    print(
        f"/118 with {FEW} addresses: all found without loss in {seconds[0.0]:.1f} s, with 5 % lost each way in "
        f"{seconds[0.05]:.1f} s"
    )


def test_forged_advertisements_are_not_believed(discover, network):
    """They came through a router (hop limit below 255), are broken, or name a group's address."""
    believed = {address(0x3000F): "00:16:3e:03:00:0f"}
    for forgery in ("hops", "checksum", "group"):
        live = {address(0x30000 + number): f"00:16:3e:03:00:{number:02x}" for number in range(1, 15)}
        with (
            Forger(network.host(f"forger-{forgery}"), live.get, forgery=forgery),
            Forger(network.host(f"honest-{forgery}"), believed.get),
        ):
            found = discover(subnets=["2001:db8:93:1::3:0/124"], rounds=2)
        assert found.addresses == set(believed), forgery


def test_a_router_that_answers_for_others_is_not_believed(discover, network):
    proxy, real = "00:16:3e:04:00:01", {address(0x40010): "00:16:3e:04:00:10"}

    def everything(target):
        """One machine says that it has every address there is."""
        return proxy if int(ipaddress.ip_address(target)) & 0xFF000 == 0x40000 else None

    with Forger(network.host("proxied"), real.get), Forger(network.host("proxy"), everything):
        found = discover(subnets=["2001:db8:93:1::4:0/120"], rounds=3)
    assert found.addresses == set(real)
    (gap,) = found.gaps
    assert proxy.upper() in gap["reason"] and "neighbour solicitations" in gap["reason"]


def test_a_network_this_machine_is_not_in_is_a_gap_and_its_listed_addresses_are_pinged(discover, network):
    one = network.hosts[1]
    one.ip("address", "add", "2001:db8:93:9::5/128", "dev", "lo")
    scanner = network.hosts[0]
    scanner.ip("route", "add", "2001:db8:93:9::/64", "via", address(0x11))
    try:
        found = discover(subnets=["2001:db8:93:9::/64", "2001:db8:93:9::/125"], rounds=2)
    finally:
        scanner.ip("route", "del", "2001:db8:93:9::/64")
    assert found.code == INCOMPLETE
    (gap,) = found.gaps
    assert "2001:db8:93:9::/64 is not scanned" in gap["reason"] and "router" in gap["reason"]
    assert found.macs("2001:db8:93:9::5") == {None}


def test_ipv6_goes_with_an_ipv4_scan_if_wanted(discover, scanner):
    scanner.addresses("10.98.0.1/29")
    try:
        without = discover(subnets=["10.98.0.0/29"], rounds=1)
        found = discover(subnets=["10.98.0.0/29"], rounds=1, ipv6=True)
    finally:
        scanner.ip("address", "del", "10.98.0.1/29", "dev", "eth0")
    assert not any(":" in address for address in without.addresses)
    assert found.macs(address(0x11)) == {HOSTS["one"].upper()}
    assert {"10.98.0.0/29", PREFIX} == {prefix for prefix, _ in found.networks}


def test_without_the_capability_there_is_one_gap_and_what_the_kernel_knows(discover, scanner, tmp_path):
    scanner.ip(
        "neigh", "add", address(0x77), "lladdr", "00:16:3e:00:66:77", "nud", "reachable", "dev", "eth0"
    )
    without = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    found = discover(*without, subnets=[PREFIX, "10.98.0.0/29"], interface="eth0")
    assert found.code == INCOMPLETE
    (gap,) = found.gaps
    assert "CAP_NET_RAW is missing" in gap["reason"] and "setcap" in gap["reason"]
    assert found.neighbors[address(0x77)] == "00:16:3E:00:66:77"
    said = doctor(scanner, tmp_path, *without, subnets=[PREFIX])
    assert "FAIL lan: CAP_NET_RAW: missing" in said
    assert "everybody on the link, and 0 listed addresses by IPv6 on eth0" in said
