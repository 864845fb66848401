"""What is true in the lab's network, from the tables in its README; no second copy."""

import truth as tables

from .lab import LAB

README = LAB / "networks" / "hq" / "README.md"
HOSTILE = LAB / "networks" / "hq" / "hostile"


def lower(rows):
    """Host names in lower case: in DNS case means nothing, and Surveyor writes them so."""
    return [{**host, "name": host["name"].lower()} for host in rows]


def hosts():
    """One dict a MAC address."""
    return lower(tables.hosts(README))


def candidates():
    """Hosts that should be proposed: identity by MAC address to row. Guests by name, as one of several MACs."""
    return [host for host in hosts() if host["kind"] in ("device", "vm")]


def names():
    """All names that may be proposed."""
    return {host["name"] for host in candidates()}


def links():
    """Pairs of (device, port)."""
    return tables.links(README)


def hostile():
    """The hosts of the overlay."""
    return lower(tables.hosts(HOSTILE / "README.md"))
