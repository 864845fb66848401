"""The networks agree with their own tables of truth, and the peers' files with each other."""

import ipaddress
import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import overlay
import snmp_data
import truth

HQ = Path(__file__).parent.parent / "networks" / "hq"


def with_hostile(folder):
    """hq with the hostile overlay, twice merged: the second time must change nothing."""
    network = folder / "hq"
    shutil.copytree(HQ, network)
    overlay.apply(network, network / "hostile")
    before = {path: path.read_bytes() for path in network.rglob("*.json")}
    overlay.apply(network, network / "hostile")
    assert before == {path: path.read_bytes() for path in network.rglob("*.json")}
    return network


NETWORKS = {"hq": lambda _folder: HQ, "hostile": with_hostile}


@pytest.fixture(params=sorted(NETWORKS))
def network(request, tmp_path):
    """A network's folder."""
    return NETWORKS[request.param](tmp_path)


def load(path):
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def switches(network):
    """The switch descriptions by name."""
    found = [load(path) for path in sorted(network.glob("switches/*.json"))]
    return {switch["name"]: switch for switch in found}


def hosts(network):
    """Truth by MAC: the network's table, and those of overlays merged into it."""
    rows = truth.hosts(network / "README.md")
    for path in sorted(network.glob("README.*.md")):
        rows += truth.hosts(path)
    assert len({row["mac"] for row in rows}) == len(rows)
    return {row["mac"]: row for row in rows}


def menu(network, name):
    """A RouterOS menu."""
    return load(network / "routeros" / (name + ".json"))


def test_every_mac_is_in_the_truth(network):
    known = set(hosts(network))
    seen = {row["mac"] for switch in switches(network).values() for row in switch["fdb"] + switch["arp"]}
    for name in ("ip_dhcp-server_lease", "ip_arp", "ipv6_neighbor", "ip_neighbor"):
        seen |= {row["mac-address"] for row in menu(network, name) if "mac-address" in row}
    seen |= {row["mac-address"] for row in menu(network, "interface_bridge_host") if row["local"] == "false"}
    for path in network.glob("proxmox/*.json"):
        text = path.read_text(encoding="utf-8").upper()
        seen |= {mac for mac in known if mac in text}
        assert "BC:24:11" not in text or any(mac in text for mac in known), path
    assert seen <= known, sorted(seen - known)
    assert known - seen == {"D4:01:C3:5A:10:00"}, sorted(known - seen)


def test_a_switch_sees_each_host_at_its_place_or_towards_it(network):
    table = hosts(network)
    towards = {}
    for (left, left_port), (right, right_port) in truth.links(network / "README.md"):
        towards[left, right], towards[right, left] = left_port, right_port
    towards["sw2", "router1"] = towards["sw2", "sw1"]
    for name, switch in switches(network).items():
        names = {port["name"] for port in switch["ports"]}
        for row in switch["fdb"]:
            host = table[row["mac"]]
            if row.get("status") == "self":
                assert (row["mac"], row["port"]) == (switch["base_mac"], None)
                continue
            assert row["port"] in names
            place, port = host["place"]
            if host["name"] in ("sw1", "sw2", "router1"):
                place, port = host["name"], None
            assert row["port"] == (port if place == name else towards[name, place]), row


def test_every_placed_host_is_on_its_port(network):
    rows = {
        (row["mac"], name, row["port"]) for name, switch in switches(network).items() for row in switch["fdb"]
    }
    for row in menu(network, "interface_bridge_host"):
        rows.add((row["mac-address"], "router1", row["interface"]))
    for mac, host in hosts(network).items():
        if host["place"] and host["kind"] != "none":
            assert (mac, *host["place"]) in rows, mac


def test_a_cable_port_has_one_host(network):
    behind = {}
    for host in hosts(network).values():
        if host["plug"] != "-":
            behind.setdefault(host["place"], []).append(host["plug"])
    for place, plugs in behind.items():
        assert plugs.count("cable") <= 1, place
        assert plugs == ["cable"] or len(plugs) > 1, place


def test_links_are_seen_from_both_ends(network):
    pairs = truth.links(network / "README.md")
    seen = set()
    for name, switch in switches(network).items():
        for row in switch["lldp"]:
            if row["sys_name"] in ("router1", "sw1", "sw2"):
                seen.add(((name, row["port"]), (row["sys_name"], row["port_id"].rpartition("bridge/")[2])))
    for row in menu(network, "ip_neighbor"):
        if row["identity"] in ("sw1", "sw2"):
            seen.add((("router1", row["interface"].split(",")[0]), (row["identity"], row["interface-name"])))
    assert seen == set(pairs) | {(right, left) for left, right in pairs}
    base = {switch["base_mac"]: name for name, switch in switches(network).items()}
    for switch in switches(network).values():
        for row in switch["lldp"]:
            assert base.get(row["chassis_id"], row["sys_name"]) == row["sys_name"]


def test_addresses_agree(network):
    table = hosts(network)
    rows = menu(network, "ip_arp") + menu(network, "ipv6_neighbor")
    rows += [
        {"address": row.get("active-address", row["address"]), "mac-address": row["mac-address"]}
        for row in menu(network, "ip_dhcp-server_lease")
    ]
    for row in rows:
        if "mac-address" in row and not ipaddress.ip_address(row["address"]).is_link_local:
            assert row["address"] in table[row["mac-address"]]["addresses"], row
    used = [text for host in table.values() for text in host["addresses"]]
    assert len(used) == len(set(used))


def test_routeros_values_are_strings(network):
    for path in (network / "routeros").glob("*.json"):
        content = load(path)
        for row in content if isinstance(content, list) else [content]:
            for value in row.values():
                assert isinstance(value, str) or set(value) == {"bytes"}, path


def test_rows_have_their_own_id(network):
    for path in (network / "routeros").glob("*.json"):
        content = load(path)
        if isinstance(content, list):
            assert len({row[".id"] for row in content}) == len(content), path


def test_netbox_has_the_ports_that_are_named(network):
    wanted = {host["place"] for host in hosts(network).values() if host["place"]}
    ports = {(name, port["name"]) for name, switch in switches(network).items() for port in switch["ports"]}
    ports |= {("router1", row["name"]) for row in menu(network, "interface")}
    assert wanted <= ports
    for device in load(network / "netbox.json")["devices"]:
        for row in device["addresses"] + [device["mac"]]:
            assert (device["name"], row["interface"]) in ports


def test_recordings_are_in_oid_order(network):
    for switch in switches(network).values():
        lines = snmp_data.recording(switch).splitlines()
        order = [tuple(int(part) for part in line.split("|")[0].split(".")) for line in lines]
        assert order == sorted(set(order))
        assert all(line.count("|") == 2 for line in lines)
    fdb_id = "1.3.6.1.2.1.17.7.1.4.2.1.3."
    assert fdb_id not in snmp_data.recording(switches(network)["sw1"])
    assert fdb_id in snmp_data.recording(switches(network)["sw2"])
