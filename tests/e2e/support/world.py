"""All that matters in a NetBox, without ids and times, for comparing before and after."""

from concurrent.futures import ThreadPoolExecutor

from .netbox import choice, slugs

# Ids, times and what follows from them.
UNSTABLE = {"surveyor_ledger", "surveyor_first_seen", "surveyor_last_seen"}


MACHINE = "id,name,status,role,site,serial,primary_ip4,primary_ip6,tags,custom_fields"
PORT = "id,name,mac_address,enabled,tags,custom_fields"
ASSIGNED = "assigned_object_type,assigned_object_id,tags,custom_fields"
# Kind -> where it is listed, and the fields that count.
LISTS = {
    "devices": ("dcim/devices/", f"{MACHINE},device_type"),
    "guests": ("virtualization/virtual-machines/", f"{MACHINE},cluster"),
    "dcim interfaces": ("dcim/interfaces/", f"{PORT},device,type"),
    "virtualization interfaces": ("virtualization/interfaces/", f"{PORT},virtual_machine"),
    "macs": ("dcim/mac-addresses/", f"mac_address,{ASSIGNED}"),
    "addresses": ("ipam/ip-addresses/", f"address,status,dns_name,{ASSIGNED}"),
    "cables": ("dcim/cables/", "status,label,a_terminations,b_terminations,tags,custom_fields"),
    "journal": ("extras/journal-entries/", f"kind,{ASSIGNED}"),
}
MODELS = {
    "devices": "dcim.device",
    "guests": "virtualization.virtualmachine",
    "dcim interfaces": "dcim.interface",
    "virtualization interfaces": "virtualization.vminterface",
}


def world(netbox):
    """Everything, by kind; each kind is a sorted list of texts, so that a difference reads well."""
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(LISTS, pool.map(lambda row: netbox.all(row[0], fields=row[1]), LISTS.values())))
    machines = {
        (MODELS[kind], row["id"]): row["name"] for kind in ("devices", "guests") for row in found[kind]
    }
    ends = {}
    for kind, owner in (("dcim interfaces", "device"), ("virtualization interfaces", "virtual_machine")):
        for row in found[kind]:
            ends[MODELS[kind], row["id"]] = f"{row[owner]['name']} {row['name']}"
    seen = {kind: [machine(row, machines) for row in found[kind]] for kind in ("devices", "guests")}
    for kind in ("dcim interfaces", "virtualization interfaces"):
        seen[kind] = [interface(row, ends[MODELS[kind], row["id"]]) for row in found[kind]]
    seen["macs"] = [
        line(row["mac_address"], on=place(row, ends), tags=slugs(row), **customs(row, machines))
        for row in found["macs"]
    ]
    seen["addresses"] = [address(row, ends) for row in found["addresses"]]
    seen["cables"] = [cable(row, ends, machines) for row in found["cables"]]
    seen["journal"] = [entry(row, machines) for row in found["journal"]]
    return {kind: sorted(lines) for kind, lines in seen.items()}


def place(row, ends):
    """What a MAC or IP address is assigned to."""
    return ends.get((row["assigned_object_type"], row["assigned_object_id"]))


def address(row, ends):
    """An IP address."""
    status = choice(row["status"])
    return line(row["address"], on=place(row, ends), status=status, dns_name=row["dns_name"], tags=slugs(row))


def entry(row, machines):
    """A journal entry: what it is about, and its key."""
    about = machines.get(
        (row["assigned_object_type"], row["assigned_object_id"]), row["assigned_object_type"]
    )
    return line(about, kind=choice(row["kind"]), key=row["custom_fields"].get("surveyor_key"))


def line(title, **values):
    """One object as text; empty values say nothing."""
    said = [f"{name}={value}" for name, value in values.items() if value not in (None, "", [], {})]
    return " ".join([str(title), *said])


def customs(row, machines):
    """Surveyor's custom fields that have a value and mean the same in every run."""
    found = {}
    for name, value in (row.get("custom_fields") or {}).items():
        if not name.startswith("surveyor_") or name in UNSTABLE or value in (None, ""):
            continue
        if isinstance(value, dict) and "id" in value:
            value = machines.get(("dcim.device", value["id"]), value.get("display"))
        found[name] = choice(value)
    return found


def machine(row, machines):
    """A device or guest."""
    return line(
        row["name"],
        status=choice(row["status"]),
        role=(row["role"] or {}).get("slug"),
        type=(row.get("device_type") or {}).get("slug"),
        site=(row["site"] or {}).get("slug"),
        cluster=(row.get("cluster") or {}).get("name"),
        serial=row.get("serial"),
        primary4=(row["primary_ip4"] or {}).get("address"),
        primary6=(row["primary_ip6"] or {}).get("address"),
        tags=slugs(row),
        **customs(row, machines),
    )


def interface(row, title):
    """An interface; its cable is in the list of cables."""
    return line(
        title,
        type=choice(row.get("type")),
        mac=row["mac_address"],
        enabled=row["enabled"],
        tags=slugs(row),
        **{name: value for name, value in customs(row, {}).items() if name != "surveyor_switch"},
    )


def cable(row, ends, machines):
    """A cable with both ends, in alphabetical order."""
    sides = []
    for side in ("a_terminations", "b_terminations"):
        names = [ends.get((end["object_type"], end["object_id"]), "?") for end in row[side]]
        sides.append(" and ".join(names) or "nothing")
    return line(
        " -- ".join(sorted(sides)),
        status=choice(row["status"]),
        label=row["label"],
        tags=slugs(row),
        **customs(row, machines),
    )


def difference(before, after):
    """What was added and removed, by kind; empty if nothing changed."""
    changed = {}
    for kind in before.keys() | after.keys():
        old, new = list(before.get(kind, [])), list(after.get(kind, []))
        for row in list(new):
            if row in old:
                old.remove(row)
                new.remove(row)
        if old or new:
            changed[kind] = {"gone": old, "new": new}
    return changed


def duplicates(seen):
    """Objects that are there twice: names, addresses, MAC addresses of ours, keys of journal entries."""
    found = []
    for kind, lines in seen.items():
        titles = [text if kind == "journal" else text.split(" ", 1)[0] for text in lines]
        if kind in ("cables", "macs") or kind.endswith("interfaces"):
            titles = lines
        found += [f"{kind}: {title}" for title in sorted(set(titles)) if titles.count(title) > 1]
    return found
