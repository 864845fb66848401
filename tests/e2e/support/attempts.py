"""What Surveyor's two tokens must never be able to do: (name, method, path, body) for each of them.

`things` knows the ids: `staged` and `active` are Surveyor's devices, `vm` a staged guest, `managed` a person's
device with the tag for drift, and everything on the switches `sw1` and `sw2` belongs to somebody else.
"""

TAG = [{"slug": "surveyor"}]
MANAGED = [{"slug": "surveyor-managed"}]
IGNORED = [{"slug": "surveyor-ignored"}]
INTERFACE = "dcim.interface"


def end(number):
    """One end of a cable."""
    return [{"object_type": INTERFACE, "object_id": number}]


def cable(a, b, status="connected", tags=TAG):
    """A cable between two interfaces."""
    return {"a_terminations": end(a), "b_terminations": end(b), "status": status, "tags": tags}


def on(number):
    """An assignment to an interface."""
    return {"assigned_object_type": INTERFACE, "assigned_object_id": number}


def both(things):
    """For either token."""
    device = {key: things[key] for key in ("site", "role", "device_type")}
    new = {**device, "name": "smuggled"}
    staged, active, vm, sw1 = (things[name] for name in ("staged", "active", "vm", "sw1"))
    guest = {"name": "smuggled", "cluster": things["cluster"]}
    devices, guests = "dcim/devices/", "virtualization/virtual-machines/"
    return [
        ("create active", "POST", devices, {**new, "status": "active", "tags": TAG}),
        ("create active, managed", "POST", devices, {**new, "status": "active", "tags": MANAGED}),
        ("create untagged", "POST", devices, {**new, "status": "staged"}),
        ("create active untagged", "POST", devices, {**new, "status": "active"}),
        ("create planned", "POST", devices, {**new, "status": "planned", "tags": TAG}),
        ("create active in bulk", "POST", devices, [{**new, "status": "active", "tags": TAG}]),
        ("create active guest", "POST", guests, {**guest, "status": "active", "tags": TAG}),
        ("create untagged guest", "POST", guests, {**guest, "status": "staged"}),
        ("activate", "PATCH", f"{devices}{staged}/", {"status": "active"}),
        ("activate in bulk", "PATCH", devices, [{"id": staged, "status": "active"}]),
        ("activate by the way", "PATCH", f"{devices}{staged}/", {"status": "active", "comments": "x"}),
        ("activate with PUT", "PUT", f"{devices}{staged}/", {**new, "status": "active", "tags": TAG}),
        ("activate a guest", "PATCH", f"{guests}{vm}/", {"status": "active"}),
        ("activate a guest in bulk", "PATCH", guests, [{"id": vm, "status": "active"}]),
        ("to another status", "PATCH", f"{devices}{staged}/", {"status": "planned"}),
        ("strip the tag", "PATCH", f"{devices}{staged}/", {"tags": []}),
        ("back to staged", "PATCH", f"{devices}{active}/", {"status": "staged"}),
        ("strip the tag when active", "PATCH", f"{devices}{active}/", {"tags": []}),
        ("delete what was approved", "DELETE", f"{devices}{active}/", None),
        ("edit a foreign device", "PATCH", f"{devices}{sw1}/", {"comments": "x"}),
        ("edit it in bulk", "PATCH", devices, [{"id": sw1, "comments": "x"}]),
        ("tag a foreign device", "PATCH", f"{devices}{sw1}/", {"tags": TAG}),
        ("stage a foreign device", "PATCH", f"{devices}{sw1}/", {"status": "staged", "tags": TAG}),
        ("delete a foreign device", "DELETE", f"{devices}{sw1}/", None),
        *ports(things),
        *rights(things),
    ]


def ports(things):
    """Interfaces, MAC addresses, IP addresses and cables of others."""
    port, other, ip = things["sw1 port"], things["sw2 port"], things["sw1 ip"]
    own = things["active port"]
    return [
        ("interface", "POST", "dcim/interfaces/", {"device": things["sw1"], "name": "x1", "type": "virtual"}),
        ("edit a port", "PATCH", f"dcim/interfaces/{port}/", {"description": "x"}),
        ("take a port", "PATCH", f"dcim/interfaces/{port}/", {"device": things["staged"]}),
        ("delete a port", "DELETE", f"dcim/interfaces/{port}/", None),
        ("give a port away", "PATCH", f"dcim/interfaces/{things['staged port']}/", {"device": things["sw1"]}),
        ("give a port away 2", "PATCH", f"dcim/interfaces/{own}/", {"device": things["sw1"]}),
        ("MAC on a port", "POST", "dcim/mac-addresses/", {"mac_address": "02:00:00:00:00:01", **on(port)}),
        ("inline MAC on a port", "PATCH", f"dcim/interfaces/{port}/", {"mac_address": "02:00:00:00:00:02"}),
        ("loose MAC", "POST", "dcim/mac-addresses/", {"mac_address": "02:00:00:00:00:03", "tags": TAG}),
        ("take a MAC", "PATCH", f"dcim/mac-addresses/{things['sw1 mac']}/", on(own)),
        ("tombstone of a MAC", "PATCH", f"dcim/mac-addresses/{things['sw1 mac']}/", {"tags": IGNORED}),
        ("delete a MAC", "DELETE", f"dcim/mac-addresses/{things['sw1 mac']}/", None),
        ("take an address", "PATCH", f"ipam/ip-addresses/{ip}/", on(own)),
        ("take an address with tag", "PATCH", f"ipam/ip-addresses/{ip}/", {**on(own), "tags": TAG}),
        ("name an address", "PATCH", f"ipam/ip-addresses/{ip}/", {"dns_name": "evil.hq.example"}),
        ("tag an address", "PATCH", f"ipam/ip-addresses/{ip}/", {"tags": TAG}),
        ("delete an address", "DELETE", f"ipam/ip-addresses/{ip}/", None),
        (
            "address on a port",
            "POST",
            "ipam/ip-addresses/",
            {"address": "192.0.2.200/24", **on(port), "tags": TAG},
        ),
        ("loose address", "POST", "ipam/ip-addresses/", {"address": "192.0.2.201/24", "tags": TAG}),
        ("untagged address", "POST", "ipam/ip-addresses/", {"address": "192.0.2.202/24", **on(own)}),
        ("cable foreign ports", "POST", "dcim/cables/", cable(port, other)),
        ("cable them in bulk", "POST", "dcim/cables/", [cable(port, other)]),
        ("cable them untagged", "POST", "dcim/cables/", cable(port, other, tags=[])),
        ("plan it untagged", "POST", "dcim/cables/", cable(port, other, "planned", [])),
        ("own cable untagged", "POST", "dcim/cables/", cable(own, port, tags=[])),
        ("move a cable", "PATCH", f"dcim/cables/{things['own cable']}/", cable(port, other)),
        ("move one end", "PATCH", f"dcim/cables/{things['own cable']}/", {"a_terminations": end(other)}),
        ("edit a foreign cable", "PATCH", f"dcim/cables/{things['cable']}/", {"label": "x"}),
        ("tag a foreign cable", "PATCH", f"dcim/cables/{things['cable']}/", {"tags": TAG}),
        ("delete a foreign cable", "DELETE", f"dcim/cables/{things['cable']}/", None),
    ]


def rights(things):
    """More rights than it was given."""
    permission = {
        "name": "all of it",
        "actions": ["add", "change", "delete"],
        "object_types": ["dcim.device"],
        "users": [things["stager"], things["materializer"]],
    }
    script = {"data": {"everything": True}, "commit": True}
    tags = f"extras/tags/{things['tag']}/"
    return [
        ("a permission", "POST", "users/permissions/", permission),
        ("no constraint", "PATCH", f"users/permissions/{things['permission']}/", {"constraints": None}),
        ("a user", "POST", "users/users/", {"username": "x", "password": "x-Long-enough-1"}),
        ("superuser", "PATCH", f"users/users/{things['stager']}/", {"is_superuser": True}),
        (
            "join the reviewers",
            "PATCH",
            f"users/users/{things['stager']}/",
            {"groups": [things["reviewers"]]},
        ),
        ("a token", "POST", "users/tokens/", {"user": things["admin"]}),
        ("move the tag", "PATCH", tags, {"slug": "other"}),
        ("delete the tag", "DELETE", tags, None),
        ("a new tag", "POST", "extras/tags/", {"name": "x", "slug": "x"}),
        ("run a script", "POST", "extras/scripts/surveyor_scripts.ApproveMany/", script),
        ("silence the webhook", "DELETE", f"extras/event-rules/{things['rule']}/", None),
        ("read the secret", "GET", f"extras/webhooks/{things['webhook']}/", None),
        ("edit a site", "PATCH", f"dcim/sites/{things['site']}/", {"name": "x"}),
        ("edit a prefix", "PATCH", f"ipam/prefixes/{things['prefix']}/", {"description": "x"}),
        ("edit the journal", "PATCH", f"extras/journal-entries/{things['entry']}/", {"comments": "x"}),
        ("delete the journal", "DELETE", f"extras/journal-entries/{things['entry']}/", None),
    ]


def stager(things):
    """What only the other token may do."""
    active, own = things["active"], things["active port"]
    return [
        ("edit what was approved", "PATCH", f"dcim/devices/{active}/", {"comments": "x"}),
        ("port on it", "POST", "dcim/interfaces/", {"device": active, "name": "x2", "type": "virtual"}),
        ("edit its port", "PATCH", f"dcim/interfaces/{own}/", {"description": "x"}),
        (
            "address on it",
            "POST",
            "ipam/ip-addresses/",
            {"address": "192.0.2.203/24", **on(own), "tags": TAG},
        ),
        ("cable it", "POST", "dcim/cables/", cable(own, things["sw1 port"])),
        ("edit a managed device", "PATCH", f"dcim/devices/{things['managed']}/", {"comments": "x"}),
        ("connect a planned cable", "PATCH", f"dcim/cables/{things['planned']}/", {"status": "connected"}),
        ("address on a candidate", "POST", "ipam/ip-addresses/", {"address": "192.0.2.204/24", "tags": TAG}),
        ("delete the approved cable", "DELETE", f"dcim/cables/{things['own cable']}/", None),
    ]


def materializer(things):
    """What only the other token may do."""
    staged, port = things["staged"], things["staged port"]
    device = {key: things[key] for key in ("site", "role", "device_type")}
    return [
        ("create staged", "POST", "dcim/devices/", {**device, "name": "y", "status": "staged", "tags": TAG}),
        ("edit a candidate", "PATCH", f"dcim/devices/{staged}/", {"comments": "x"}),
        ("delete a candidate", "DELETE", f"dcim/devices/{staged}/", None),
        (
            "port on a candidate",
            "POST",
            "dcim/interfaces/",
            {"device": staged, "name": "x3", "type": "virtual"},
        ),
        ("edit its port", "PATCH", f"dcim/interfaces/{port}/", {"description": "x"}),
        (
            "address on it",
            "POST",
            "ipam/ip-addresses/",
            {"address": "192.0.2.205/24", **on(port), "tags": TAG},
        ),
        ("cable it", "POST", "dcim/cables/", cable(port, things["sw1 port"])),
        ("connect a planned cable", "PATCH", f"dcim/cables/{things['planned']}/", {"status": "connected"}),
        ("a port of a person", "DELETE", f"dcim/interfaces/{things['managed port']}/", None),
        ("an address of a person", "DELETE", f"ipam/ip-addresses/{things['managed ip']}/", None),
    ]
