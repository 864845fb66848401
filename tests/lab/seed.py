"""Fills a NetBox with what it knows before Surveyor comes: site, prefixes, VLANs, the network's devices.

Idempotent: what is there (by its natural key) is left alone. Reads `NETDIR/netbox.json`, and takes the
interfaces from the network's own files, so their names are those the devices report. There is no cable
between the switches: Surveyor proposes it. `--extra safety` adds the traps of `NETDIR/safety.json`:
objects a person made which Surveyor must not touch.
"""

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
IF_TYPE = {"ether": "1000base-t", "bridge": "bridge", "vlan": "virtual", "bond": "lag", "loopback": "virtual"}
SNMP_TYPE = {161: "lag", 136: "virtual", 53: "virtual", 24: "virtual"}
FAST = "10gbase-x-sfpp"
BATCH = 100


class Refused(Exception):
    """NetBox did not accept a request."""


class NetBox:
    """The REST API, with one token."""

    def __init__(self, url, token):
        self.root = url.rstrip("/") + "/api/"
        kind = "Bearer" if token.startswith("nbt_") else "Token"
        self.headers = {"Authorization": f"{kind} {token}", "Content-Type": "application/json"}
        self.headers["Accept"] = "application/json"
        self.created = 0

    def call(self, method, path, body=None, query=None):
        """One request; the parsed answer."""
        url = self.root + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        payload = None if body is None else json.dumps(body).encode("utf-8")
        request = urllib.request.Request(url, payload, self.headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                text = answer.read()
        except urllib.error.HTTPError as problem:
            detail = problem.read().decode("utf-8", "replace")
            raise Refused(f"{method} {path}: {problem.code}: {detail[:1000]}") from None
        return json.loads(text) if text else None

    def find(self, path, **query):
        """All objects that match."""
        return self.call("GET", path, query=dict(query, limit=1000))["results"]

    def ensure(self, path, key, **more):
        """The object with this key (filters that are also fields), made if there is none."""
        found = self.find(path, **key)
        if found:
            return found[0]
        self.created += 1
        return self.call("POST", path, dict(key, **more))

    def ensure_many(self, path, rows, existing):
        """Makes the rows whose name is not among the existing ones, in bulk."""
        have = {row["name"] for row in existing}
        wanted = [row for row in rows if row["name"] not in have]
        made = []
        for start in range(0, len(wanted), BATCH):
            made += self.call("POST", path, wanted[start : start + BATCH])
        self.created += len(made)
        return existing + made


def load(path):
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def port_rows(network, source):
    """Name and type of each interface a device reports."""
    if source == "routeros":
        for row in load(network / "routeros" / "interface.json"):
            fast = row["name"].startswith("sfp-sfpplus")
            yield {"name": row["name"], "type": FAST if fast else IF_TYPE[row["type"]]}
        return
    switch = load(network / source)
    for port in switch["ports"]:
        kind = SNMP_TYPE.get(port["type"]) or (FAST if port["speed"] >= 10000 else "1000base-t")
        yield {"name": port["name"], "type": kind, "description": port.get("alias", "")}


class Seed:
    """What is being made, and the ids others refer to."""

    def __init__(self, netbox, network):
        self.netbox = netbox
        self.network = network
        self.site = None
        self.ids = {}

    def remember(self, kind, key, row):
        """Keeps an id for later reference."""
        self.ids[kind, key] = row["id"]

    def foundations(self, wanted):
        """Site, manufacturers, types, roles, VLANs, prefixes, clusters."""
        netbox = self.netbox
        site = wanted["site"]
        made = netbox.ensure("dcim/sites/", {"slug": site["slug"]}, name=site["name"], status="active")
        self.site = made["id"]
        scope = {"scope_type": "dcim.site", "scope_id": self.site}
        for row in wanted.get("manufacturers", []):
            made = netbox.ensure("dcim/manufacturers/", {"slug": row["slug"]}, name=row["name"])
            self.remember("maker", row["slug"], made)
        for row in wanted.get("device_types", []):
            fields = dict(row, manufacturer=self.ids["maker", row["manufacturer"]])
            made = netbox.ensure("dcim/device-types/", {"slug": fields.pop("slug")}, **fields)
            self.remember("type", row["slug"], made)
        for row in wanted.get("roles", []):
            fields = {key: value for key, value in row.items() if key != "slug"}
            made = netbox.ensure("dcim/device-roles/", {"slug": row["slug"]}, **fields)
            self.remember("role", row["slug"], made)
        for row in wanted.get("vlans", []):
            found = netbox.find("ipam/vlans/", vid=row["vid"], site_id=self.site)
            fields = dict(row, site=self.site, status="active")
            self.remember("vlan", row["vid"], found[0] if found else self.create("ipam/vlans/", fields))
        for row in wanted.get("prefixes", []):
            fields = dict(scope, status="active", vlan=self.ids["vlan", row["vlan"]])
            netbox.ensure("ipam/prefixes/", {"prefix": row["prefix"]}, **fields)
        for row in wanted.get("cluster_types", []):
            made = netbox.ensure("virtualization/cluster-types/", {"slug": row["slug"]}, name=row["name"])
            self.remember("cluster type", row["slug"], made)
        for row in wanted.get("clusters", []):
            fields = dict(scope, type=self.ids["cluster type", row["type"]], status="active")
            netbox.ensure("virtualization/clusters/", {"name": row["name"]}, **fields)

    def create(self, path, fields):
        """Makes one object."""
        self.netbox.created += 1
        return self.netbox.call("POST", path, fields)

    def device(self, wanted):
        """A device with its interfaces, MAC, addresses and primary addresses."""
        netbox = self.netbox
        found = netbox.find("dcim/devices/", name=wanted["name"], site_id=self.site)
        fields = {"name": wanted["name"], "site": self.site, "status": "active"}
        fields["device_type"] = self.ids["type", wanted["type"]]
        fields["role"] = self.ids["role", wanted["role"]]
        fields["serial"] = wanted.get("serial", "")
        device = found[0] if found else self.create("dcim/devices/", fields)
        self.remember("device", wanted["name"], device)
        source = wanted["interfaces"]
        rows = port_rows(self.network, source) if isinstance(source, str) else source
        rows = [dict(row, device=device["id"]) for row in rows]
        existing = netbox.find("dcim/interfaces/", device_id=device["id"])
        for row in netbox.ensure_many("dcim/interfaces/", rows, existing):
            self.remember("interface", (wanted["name"], row["name"]), row)
        if "mac" in wanted:
            self.mac(wanted["name"], wanted["mac"])
        self.addresses(wanted, device)

    def mac(self, device, wanted):
        """A MAC address as the primary one of an interface."""
        interface = self.ids["interface", (device, wanted["interface"])]
        if self.netbox.find("dcim/mac-addresses/", mac_address=wanted["mac"], interface_id=interface):
            return
        assigned = {"assigned_object_type": "dcim.interface", "assigned_object_id": interface}
        made = self.create("dcim/mac-addresses/", dict(assigned, mac_address=wanted["mac"]))
        self.netbox.call("PATCH", f"dcim/interfaces/{interface}/", {"primary_mac_address": made["id"]})

    def addresses(self, wanted, device):
        """IP addresses on interfaces; those marked primary become the device's."""
        primary = {}
        for row in wanted.get("addresses", []):
            interface = self.ids["interface", (wanted["name"], row["interface"])]
            fields = {"assigned_object_type": "dcim.interface", "assigned_object_id": interface}
            fields["status"] = "active"
            made = self.netbox.ensure("ipam/ip-addresses/", {"address": row["address"]}, **fields)
            field = "primary_ip6" if ":" in row["address"] else "primary_ip4"
            if row.get("primary") and not device.get(field):
                primary[field] = made["id"]
        if primary:
            self.netbox.call("PATCH", f"dcim/devices/{device['id']}/", primary)

    def cable(self, wanted):
        """A connected cable between two ports."""
        ends = []
        for side in ("a", "b"):
            device, port = wanted[side]
            ends.append(self.ids["interface", (device, port)])
        if self.netbox.call("GET", f"dcim/interfaces/{ends[0]}/").get("cable"):
            return
        a, b = ([{"object_type": "dcim.interface", "object_id": end}] for end in ends)
        self.create("dcim/cables/", {"a_terminations": a, "b_terminations": b, "status": "connected"})

    def run(self, wanted):
        """Everything of one description."""
        self.foundations(wanted)
        for device in wanted.get("devices", []):
            self.device(device)
        for cable in wanted.get("cables", []):
            self.cable(cable)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="Fills a NetBox with a network's documented part.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True, type=Path, help="nbt_.. goes as Bearer, else Token")
    parser.add_argument("--network", type=Path, default=HERE / "networks" / "hq")
    parser.add_argument("--extra", choices=["safety"], action="append", default=[])
    options = parser.parse_args()
    netbox = NetBox(options.url, options.token_file.read_text(encoding="utf-8").strip())
    seed = Seed(netbox, options.network)
    try:
        seed.run(load(options.network / "netbox.json"))
        for name in options.extra:
            seed.run(load(options.network / (name + ".json")))
    except (Refused, OSError) as problem:
        sys.exit(f"seed: {problem}")
    print(json.dumps({"created": netbox.created}))


if __name__ == "__main__":
    main()
