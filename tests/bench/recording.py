"""A recorded folder of hosts that NetBox does not know, for `surveyor stage --replay`.

Two sources of the lab's network: `router1` has a lease and an ARP entry for each host, `sw1` a forwarding row for
those that get a port of their own; the others are on no port. The same number gives the same folder.
"""

import json

PREFIX = "192.0.2.0/24"
FIRST_HOST = 100
# Ports of sw1 that nothing of the lab hangs on.
PORTS = [f"GigabitEthernet1/0/{number}" for number in range(7, 24)]
VLAN = 10
OBSERVED_AT = 1_767_225_600_000


def mac(number):
    """An address of a manufacturer, not a random one."""
    return f"3C:EC:EF:00:{number >> 8:02X}:{number & 255:02X}"


def router(count):
    """What router1 says."""
    yield {"fact": "device", "device": "router1", "role": "router", "own_name": "router1"} | NOTHING
    yield {"fact": "network", "prefix": PREFIX, "interface": "vlan10"}
    for number in range(count):
        address = f"192.0.2.{FIRST_HOST + number}"
        yield {"fact": "neighbor", "mac": mac(number), "address": address, "interface": "vlan10"}
        yield {
            "fact": "dhcp_lease",
            "mac": mac(number),
            "address": address,
            "host_name": f"bench-{number:03d}",
            "state": "bound",
            "dynamic": True,
            "server": "lan",
            "comment": None,
            "client_id": None,
            "vendor_class": None,
            "expires_at": None,
        }


def switch(count):
    """What sw1 says."""
    yield {"fact": "device", "device": "sw1", "role": "switch", "own_name": "sw1"} | NOTHING
    for name in PORTS:
        yield {"fact": "interface", "device": "sw1", "name": name, "kind": "physical"} | NO_DETAILS
    for number, port in zip(range(count), PORTS):
        yield {
            "fact": "fdb_entry",
            "device": "sw1",
            "port": port,
            "unresolved_port": None,
            "mac": mac(number),
            "vlan": VLAN,
        }


NOTHING = dict.fromkeys(
    ("address", "description", "manufacturer", "model", "serial", "chassis_id", "cluster")
) | {"macs": []}
NO_DETAILS = dict.fromkeys(
    ("if_index", "mac", "alias", "speed_mbps", "enabled", "up", "lag", "bridge", "pvid")
)


def write(folder, count):
    """The folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, facts in (("router1", router(count)), ("sw1", switch(count))):
        rows = [{"source": source, "observed_at": OBSERVED_AT} | fact for fact in facts]
        header = {"source": source, "observed_at": OBSERVED_AT, "version": 1, "lines": len(rows)}
        text = "".join(json.dumps(row) + "\n" for row in [header, *rows])
        (folder / f"{source}.jsonl").write_text(text, encoding="utf-8")
