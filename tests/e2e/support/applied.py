"""What an approval must have made true for a host of the lab's network, by its tables of truth."""

import ipaddress

from . import truth
from .configuration import ZONE
from .netbox import choice, custom, slugs

MASKS = {"192.0.2.0/24": 24, "198.51.100.0/24": 24, "2001:db8:10::/64": 64}


def rows(name):
    """The host's MAC addresses as the tables have them."""
    found = [host for host in truth.candidates() if host["name"] == name]
    assert found, f"the lab has no host {name}"
    return found


def state(scene, name):
    """What Surveyor thinks of an object."""
    return custom(scene.admin.ours(name)[1], "state")


def is_applied(scene, name):
    """Whether Surveyor says that it is done."""
    return has_state(scene, name, "applied")


def has_state(scene, name, wanted):
    """Whether an object that is there has come to this state; for asking again and again."""
    path, _ = scene.admin.ours(name)
    return lambda: custom(scene.admin.expect("GET", path, fields="custom_fields"), "state") == wanted


def masked(address):
    """The address with the mask of its prefix."""
    for prefix, mask in MASKS.items():
        if ipaddress.ip_address(address) in ipaddress.ip_network(prefix):
            return f"{address}/{mask}"
    return address


def check(scene, name, cable=True, dns=True):
    """Everything: the object, its addresses, its cable, its records, its journal."""
    path, machine = scene.admin.ours(name)
    assert choice(machine["status"]) == "active"
    assert custom(machine, "state") == "applied", machine["custom_fields"]
    left = [custom(machine, field) for field in ("switch", "port", "addresses", "decision")]
    assert left == [None] * 4 or left == [None, "", "", None], left
    kind = "device" if path.startswith("dcim") else "virtual_machine"
    interfaces = f"{'dcim' if kind == 'device' else 'virtualization'}/interfaces/"
    addresses = scene.admin.all("ipam/ip-addresses/", **{f"{kind}_id": machine["id"]})
    wanted = sorted(masked(address) for host in rows(name) for address in host["addresses"])
    assert sorted(row["address"].lower() for row in addresses) == wanted
    assert all(slugs(row) == ["surveyor"] for row in addresses)
    for host in rows(name):
        port = scene.admin.one(interfaces, **{f"{kind}_id": machine["id"], "mac_address": host["mac"]})
        own = [row["address"].split("/")[0] for row in addresses if row["assigned_object_id"] == port["id"]]
        assert sorted(own) == sorted(host["addresses"])
        if kind == "device" and cable and host["plug"] == "cable":
            check_cable(port, *host["place"])
        elif kind == "device" and not cable:
            assert port["cable"] is None
    check_primary(machine, wanted)
    if dns:
        check_dns(scene, name)
    entries = scene.admin.all("extras/journal-entries/", assigned_object_id=machine["id"])
    assert len(entries) >= 2, "the proposal, and what was done"


def check_cable(port, switch, far):
    """A connected cable of ours from this interface to that switch port."""
    assert port["cable"], f"no cable on {port['display']}"
    peers = [(peer["device"]["name"], peer["name"]) for peer in port["link_peers"]]
    assert peers == [(switch, far)]


def check_primary(machine, wanted):
    """A primary address for each family it has addresses of."""
    for family, field in ((4, "primary_ip4"), (6, "primary_ip6")):
        has = any(ipaddress.ip_interface(address).version == family for address in wanted)
        assert bool(machine[field]) == has, field


def published(name):
    """Addresses that get records: the primary ones, the first of each family; a made-up name gets none."""
    if name.startswith("host-"):
        return []
    addresses = [text for host in rows(name) for text in host["addresses"]]
    return [
        text
        for version in (4, 6)
        for text in [known for known in addresses if ipaddress.ip_address(known).version == version][:1]
    ]


def check_dns(scene, name):
    """Forward and reverse records."""
    full = f"{name}.{ZONE}"
    wanted = published(name)
    assert scene.resolver.ask(full, "A") == sorted(text for text in wanted if ":" not in text)
    assert scene.resolver.ask(full, "AAAA") == sorted(text for text in wanted if ":" in text)
    for address in wanted:
        assert scene.resolver.reverse(address) == [full]


def check_absent(scene, name):
    """Nothing of an approval is there: no address, no cable, no record."""
    _, machine = scene.admin.ours(name)
    for host in rows(name):
        for address in host["addresses"]:
            found = scene.admin.all("ipam/ip-addresses/", address=masked(address))
            assert found == [], found
        for port in scene.admin.all("dcim/interfaces/", mac_address=host["mac"]):
            assert port["cable"] is None
    assert machine["primary_ip4"] is None
    assert scene.resolver.ask(f"{name}.{ZONE}") == []
