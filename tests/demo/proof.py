"""What became true, read back from NetBox and from Unbound, against the tables of truth of the lab's network."""

import functools
import ipaddress

import installation  # noqa: F401 - finds the packages
from e2e.support import truth
from e2e.support.configuration import ZONE
from e2e.support.netbox import choice, custom, slugs

MACHINES = {
    "dcim/devices/": ("device", "dcim/interfaces/"),
    "virtualization/virtual-machines/": ("virtual_machine", "virtualization/interfaces/"),
}
FAMILIES = ((4, "primary_ip4", "A"), (6, "primary_ip6", "AAAA"))


def plain(address):
    """An address without its mask, as DNS has it."""
    return str(ipaddress.ip_interface(address).ip)


def expected(name):
    """The host's rows in the tables of truth."""
    return [row for row in truth.hosts() if row["name"] == name]


class Machine:
    """One device or virtual machine, and all that hangs on it."""

    def __init__(self, admin, resolver, name):
        self.admin, self.resolver, self.name = admin, resolver, name
        self.full = f"{name}.{ZONE}"
        path, self.row = admin.ours(name)
        self.parent, self.list = next(kinds for start, kinds in MACHINES.items() if path.startswith(start))
        self.url = self.row["display_url"]

    @functools.cached_property
    def interfaces(self):
        """Its interfaces."""
        return self.admin.all(self.list, **{f"{self.parent}_id": self.row["id"]})

    @functools.cached_property
    def addresses(self):
        """Its addresses."""
        return self.admin.all("ipam/ip-addresses/", **{f"{self.parent}_id": self.row["id"]})

    @functools.cached_property
    def journal(self):
        """Its journal entries, oldest first."""
        kind = "dcim.device" if self.parent == "device" else "virtualization.virtualmachine"
        mine = {"assigned_object_type": kind, "assigned_object_id": self.row["id"]}
        return sorted(self.admin.all("extras/journal-entries/", **mine), key=lambda entry: entry["id"])

    @property
    def state(self):
        """What Surveyor says of it."""
        return custom(self.row, "state")

    def on(self, interface):
        """The addresses of an interface."""
        rows = [row for row in self.addresses if row["assigned_object_id"] == interface["id"]]
        return sorted((row["address"] for row in rows), key=lambda text: (":" in text, text))

    def masked(self, address):
        """The address with the mask of the longest prefix that NetBox documents for it."""
        found = [
            ipaddress.ip_network(row["prefix"]) for row in self.admin.all("ipam/prefixes/", contains=address)
        ]
        longest = max((network.prefixlen for network in found), default=None)
        return f"{address}/{longest}"

    def problems(self):
        """What is not as it should be, in words."""
        status = choice(self.row["status"])
        if (status, self.state) != ("active", "applied"):
            reason = custom(self.row, "reason")
            return [f"it is {status} and {self.state}" + (f": {reason}" if reason else "")]
        found = []
        for host in expected(self.name):
            found += self.interface_problems(host)
        for _, field, kind in FAMILIES:
            if (
                any((":" in row["address"]) == (kind == "AAAA") for row in self.addresses)
                and not self.row[field]
            ):
                found.append(f"it has no {field}")
        for row in self.addresses:
            if slugs(row) != ["surveyor"]:
                found.append(f"{row['address']} has the tags {slugs(row)}")
        found += self.dns_problems()
        if len(self.journal) < 2:
            found.append(
                f"{len(self.journal)} journal entries; two are wanted: the proposal, and what was done"
            )
        return found

    def dns_problems(self):
        """What is wrong with the records: the primary addresses have some, and each name in NetBox is served."""
        named = {plain(row["address"]) for row in self.addresses if row["dns_name"] == self.full}
        primary = {plain(self.row[field]["address"]) for _, field, _ in FAMILIES if self.row[field]}
        found = [f"{address} has no DNS name in NetBox" for address in sorted(primary - named)]
        for _, _, kind in FAMILIES:
            wanted = sorted(text for text in named if (":" in text) == (kind == "AAAA"))
            served = self.resolver.ask(self.full, kind)
            if served != wanted:
                found.append(f"Unbound has {self.full} {kind} {served}, not {wanted}")
        for address in sorted(named):
            if self.resolver.reverse(address) != [self.full]:
                found.append(f"Unbound has no PTR record for {address}")
        return found

    def interface_problems(self, host):
        """What is wrong with one interface."""
        ports = [row for row in self.interfaces if (row["mac_address"] or "").upper() == host["mac"]]
        if len(ports) != 1:
            return [f"{len(ports)} interfaces have the MAC address {host['mac']}"]
        found = []
        wanted = sorted(self.masked(address) for address in host["addresses"])
        if sorted(self.on(ports[0])) != wanted:
            found.append(f"{ports[0]['name']} has {self.on(ports[0])}, not {wanted}")
        if self.parent == "device":
            ends = far_ends(ports[0])
            should = [" ".join(host["place"])] if host["plug"] == "cable" else []
            if ends != should:
                found.append(f"the cable of {ports[0]['name']} ends at {ends}, not {should}")
        return found

    def facts(self):
        """Everything, as pairs for printing."""
        primary = {(self.row[field] or {}).get("address") for _, field, _ in FAMILIES}
        for port in self.interfaces:
            own = [f"{text} (primary)" if text in primary else text for text in self.on(port)]
            yield "interface", ", ".join([port["name"], f"MAC {port['mac_address']}", *own])
            for end in far_ends(port) if self.parent == "device" else []:
                cable = self.admin.expect("GET", f"dcim/cables/{port['cable']['id']}/")
                yield "cable", f"{self.name} {port['name']} -- {end}, {choice(cable['status'])}"
        for kind in ("A", "AAAA"):
            for answer in self.resolver.ask(self.full, kind):
                back = ", ".join(self.resolver.reverse(answer))
                yield "Unbound", f"{self.full} {kind} {answer} (its PTR: {back})"


def far_ends(port):
    """Where the cable of an interface leads to."""
    return [f"{peer['device']['name']} {peer['name']}" for peer in port["link_peers"] or []]


class Link:
    """The cable between two switches."""

    def __init__(self, admin, number):
        self.row = admin.expect("GET", f"dcim/cables/{number}/")
        self.url = self.row["display_url"]

    def problems(self):
        """What is not as it should be, in words."""
        status, state = choice(self.row["status"]), custom(self.row, "state")
        found = [] if (status, state) == ("connected", "applied") else [f"it is {status} and {state}"]
        wanted = {frozenset(" ".join(end) for end in pair) for pair in truth.links()}
        if frozenset(self.ends()) not in wanted:
            found.append(f"it connects {' with '.join(self.ends())}")
        return found

    def ends(self):
        """Device and port of both ends."""
        sides = [end["object"] for side in "ab" for end in self.row[f"{side}_terminations"]]
        return [f"{end['device']['name']} {end['name']}" for end in sides]

    def facts(self):
        """Everything, as pairs for printing."""
        yield "cable", f"{' -- '.join(self.ends())}, {choice(self.row['status'])}"


class Rejected:
    """A candidate that somebody rejected."""

    def __init__(self, admin, resolver, name):
        self.admin, self.resolver, self.name = admin, resolver, name
        self.mac = expected(name)[0]["mac"]
        self.stones = admin.all("dcim/mac-addresses/", mac_address=self.mac, tag="surveyor-ignored")
        self.url = self.stones[0]["display_url"] if self.stones else None

    def problems(self):
        """What is not as it should be, in words."""
        found = []
        if self.admin.all("dcim/devices/", name=self.name):
            found.append("the device is still there")
        if len(self.stones) != 1 or self.stones[0]["assigned_object_id"]:
            found.append(f"{len(self.stones)} unassigned MAC addresses remember {self.mac}")
        if self.resolver.ask(f"{self.name}.{ZONE}"):
            found.append("Unbound knows it")
        return found

    def facts(self):
        """Everything, as pairs for printing."""
        yield "device", "removed"
        yield "memory", f"MAC address {self.mac}, tagged surveyor-ignored: it is not proposed again"
