"""Turns the readable switch descriptions of a network into `.snmprec` files for snmpsim.

`NETDIR/switches/*.json` holds one object a switch; `DIR/<name>.snmprec` is written for each, so the
file name is the SNMP community (or v3 context). Fields, those in [] optional:

    name, sysName, sysDescr, sysObjectID, base_mac, serial, model, [sysLocation], [publish_fdb_id]
    ports   [{ifindex, name, type, speed (Mbit/s), [base_port], [descr], [alias], [mac], [oper], [pvid],
              [lldp_subtype], [lldp_id]}]: a port without base_port is no bridge port (VLAN interface, LAG)
    vlans   [{vid, name, [fdb_id], tagged [port names], untagged [port names]}]
    fdb     [{mac, port (name or null), vlan, [status: learned|self|mgmt]}]
    lldp    [{port, chassis_id, [chassis_subtype], port_id, port_subtype, [port_desc], [sys_name],
              [sys_desc], [capabilities], [enabled], [management [addresses]], [time_mark], [index]}]
    lags    [{name, members [port names]}]      arp [{port, mac, address}]
    addresses [{port, address, mask}]           capabilities [words], as lldp

`publish_fdb_id: false` leaves dot1qVlanFdbId out; the forwarding index is then the VLAN itself.
"""

import argparse
import ipaddress
import json
from pathlib import Path

MIB2 = "1.3.6.1.2.1"
IF = MIB2 + ".2.2.1"
IFX = MIB2 + ".31.1.1.1"
BRIDGE = MIB2 + ".17"
QBRIDGE = BRIDGE + ".7.1"
LLDP = "1.0.8802.1.1.2.1"
ENTITY = MIB2 + ".47.1.1.1.1"
LAG_AGGREGATE = "1.2.840.10006.300.43.1.2.1.1.13"
UPTIME_TICKS = 43_120_055

INTEGER, STRING, OID, IP, GAUGE, TICKS = "2", "4", "6", "64", "66", "67"
STATUS = {"other": 1, "invalid": 2, "learned": 3, "self": 4, "mgmt": 5}
CAPABILITIES = (
    "other",
    "repeater",
    "bridge",
    "wlanAccessPoint",
    "router",
    "telephone",
    "docsis",
    "stationOnly",
)
MAC_SUBTYPE = {"chassis": 4, "port": 3}


def octets(mac):
    """The six numbers of a MAC."""
    return [int(part, 16) for part in mac.split(":")]


def dotted(numbers):
    """Numbers as an OID piece."""
    return ".".join(str(number) for number in numbers)


class Recording:
    """Rows of one agent, written in numeric OID order."""

    def __init__(self):
        self.rows = {}

    def add(self, oid, tag, value):
        """One row; a second value for the same OID is a mistake in the description."""
        key = tuple(int(part) for part in oid.split("."))
        if key in self.rows:
            raise ValueError("two values for " + oid)
        if tag == STRING:
            value = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
            if all(32 <= byte < 127 for byte in value) and b"|" not in value:
                value = value.decode("ascii")
            else:
                tag, value = "4x", value.hex().upper()
        self.rows[key] = f"{oid}|{tag}|{value}"

    def mac(self, oid, mac):
        """One row holding a MAC."""
        key = tuple(int(part) for part in oid.split("."))
        self.rows[key] = f"{oid}|4x|{bytes(octets(mac)).hex().upper()}"

    def text(self):
        """The file content."""
        return "".join(self.rows[key] + "\n" for key in sorted(self.rows))


def capability_bits(words):
    """An LldpSystemCapabilitiesMap of two octets."""
    value = sum(0x8000 >> CAPABILITIES.index(word) for word in words)
    return value.to_bytes(2, "big")


def typed(text, subtype, kind):
    """A chassis or port id as the agent encodes it: six octets if it is a MAC."""
    if subtype == MAC_SUBTYPE[kind]:
        return bytes(octets(text))
    return text


def text_of(value):
    """A string, or {"bytes": "latin1 text"}, as what `Recording.add` takes."""
    return value["bytes"].encode("latin-1") if isinstance(value, dict) else value


def system(out, switch):
    """The system group and one chassis in ENTITY-MIB."""
    root = MIB2 + ".1."
    out.add(root + "1.0", STRING, switch["sysDescr"])
    out.add(root + "2.0", OID, switch["sysObjectID"])
    out.add(root + "3.0", TICKS, UPTIME_TICKS)
    out.add(root + "4.0", STRING, "")
    out.add(root + "5.0", STRING, switch["sysName"])
    out.add(root + "6.0", STRING, switch.get("sysLocation", ""))
    out.add(root + "7.0", INTEGER, 2)
    out.add(ENTITY + ".2.1", STRING, switch["sysDescr"])
    out.add(ENTITY + ".5.1", INTEGER, 3)
    out.add(ENTITY + ".7.1", STRING, "Chassis")
    out.add(ENTITY + ".11.1", STRING, switch["serial"])
    out.add(ENTITY + ".13.1", STRING, switch["model"])


def interfaces(out, switch):
    """IF-MIB, ifXTable, LAG membership."""
    out.add(MIB2 + ".2.1.0", INTEGER, len(switch["ports"]))
    index_of = {port["name"]: port["ifindex"] for port in switch["ports"]}
    for port in switch["ports"]:
        index = port["ifindex"]
        mac = port.get("mac", switch["base_mac"])
        oper = 1 if port.get("oper", "up") == "up" else 2
        out.add(f"{IF}.1.{index}", INTEGER, index)
        out.add(f"{IF}.2.{index}", STRING, port.get("descr", port["name"]))
        out.add(f"{IF}.3.{index}", INTEGER, port["type"])
        out.add(f"{IF}.4.{index}", INTEGER, 1500)
        out.add(f"{IF}.5.{index}", GAUGE, min(port["speed"] * 1_000_000, 4294967295))
        out.mac(f"{IF}.6.{index}", mac)
        out.add(f"{IF}.7.{index}", INTEGER, 1)
        out.add(f"{IF}.8.{index}", INTEGER, oper)
        out.add(f"{IFX}.1.{index}", STRING, port["name"])
        out.add(f"{IFX}.15.{index}", GAUGE, port["speed"])
        out.add(f"{IFX}.18.{index}", STRING, port.get("alias", ""))
    for lag in switch.get("lags", []):
        master = index_of[lag["name"]]
        for member in lag["members"]:
            out.add(f"{LAG_AGGREGATE}.{index_of[member]}", INTEGER, master)
            out.add(f"{MIB2}.31.1.2.1.3.{master}.{index_of[member]}", INTEGER, 1)


def port_list(names, base_of, size):
    """A PortList: one bit a base port, the first port the highest bit."""
    bits = bytearray(size)
    for name in names:
        number = base_of[name] - 1
        bits[number // 8] |= 0x80 >> number % 8
    return bytes(bits)


def bridge(out, switch):
    """BRIDGE-MIB and Q-BRIDGE-MIB."""
    ports = [port for port in switch["ports"] if "base_port" in port]
    base_of = {port["name"]: port["base_port"] for port in ports}
    size = -(-max(base_of.values()) // 8)
    fdb_ids = {vlan["vid"]: vlan.get("fdb_id", vlan["vid"]) for vlan in switch["vlans"]}
    out.mac(BRIDGE + ".1.1.0", switch["base_mac"])
    out.add(BRIDGE + ".1.2.0", INTEGER, len(ports))
    for port in ports:
        out.add(f"{BRIDGE}.1.4.1.2.{port['base_port']}", INTEGER, port["ifindex"])
        out.add(f"{QBRIDGE}.4.5.1.1.{port['base_port']}", GAUGE, port.get("pvid", 1))
    plain = {}
    for row in switch["fdb"]:
        number = base_of[row["port"]] if row["port"] else 0
        status = STATUS[row.get("status", "learned")]
        mac = dotted(octets(row["mac"]))
        index = f"{fdb_ids.get(row['vlan'], row['vlan'])}.{mac}"
        out.add(f"{QBRIDGE}.2.2.1.2.{index}", INTEGER, number)
        out.add(f"{QBRIDGE}.2.2.1.3.{index}", INTEGER, status)
        plain[mac] = (row["mac"], number, status)
    for index, (mac, number, status) in plain.items():
        out.mac(f"{BRIDGE}.4.3.1.1.{index}", mac)
        out.add(f"{BRIDGE}.4.3.1.2.{index}", INTEGER, number)
        out.add(f"{BRIDGE}.4.3.1.3.{index}", INTEGER, status)
    for vlan in switch["vlans"]:
        current, vid = f"{QBRIDGE}.4.2.1", vlan["vid"]
        if switch.get("publish_fdb_id", True):
            out.add(f"{current}.3.0.{vid}", GAUGE, fdb_ids[vid])
        egress = port_list(vlan["tagged"] + vlan["untagged"], base_of, size)
        out.add(f"{current}.4.0.{vid}", STRING, egress)
        out.add(f"{current}.5.0.{vid}", STRING, port_list(vlan["untagged"], base_of, size))
        out.add(f"{QBRIDGE}.4.3.1.1.{vlan['vid']}", STRING, vlan["name"])


def lldp(out, switch):
    """LLDP-MIB: the switch itself, its ports, its neighbours and their management addresses."""
    own = capability_bits(switch.get("capabilities", ["bridge"]))
    out.add(LLDP + ".3.1.0", INTEGER, 4)
    out.mac(LLDP + ".3.2.0", switch["base_mac"])
    out.add(LLDP + ".3.3.0", STRING, switch["sysName"])
    out.add(LLDP + ".3.4.0", STRING, switch["sysDescr"])
    out.add(LLDP + ".3.5.0", STRING, own)
    out.add(LLDP + ".3.6.0", STRING, own)
    number_of = {}
    for port in switch["ports"]:
        if "base_port" not in port:
            continue
        number_of[port["name"]] = number = port["base_port"]
        subtype = port.get("lldp_subtype", 5)
        out.add(f"{LLDP}.3.7.1.2.{number}", INTEGER, subtype)
        out.add(f"{LLDP}.3.7.1.3.{number}", STRING, typed(port.get("lldp_id", port["name"]), subtype, "port"))
        out.add(f"{LLDP}.3.7.1.4.{number}", STRING, port.get("descr", port["name"]))
    for row, seen in enumerate(switch.get("lldp", []), start=1):
        index = f"{seen.get('time_mark', 0)}.{number_of[seen['port']]}.{seen.get('index', row)}"
        column = f"{LLDP}.4.1.1"
        subtype = seen.get("chassis_subtype", 4)
        able = seen.get("capabilities", [])
        out.add(f"{column}.4.{index}", INTEGER, subtype)
        out.add(f"{column}.5.{index}", STRING, typed(seen["chassis_id"], subtype, "chassis"))
        out.add(f"{column}.6.{index}", INTEGER, seen["port_subtype"])
        out.add(f"{column}.7.{index}", STRING, typed(seen["port_id"], seen["port_subtype"], "port"))
        out.add(f"{column}.8.{index}", STRING, text_of(seen.get("port_desc", "")))
        out.add(f"{column}.9.{index}", STRING, text_of(seen.get("sys_name", "")))
        out.add(f"{column}.10.{index}", STRING, text_of(seen.get("sys_desc", "")))
        out.add(f"{column}.11.{index}", STRING, capability_bits(able))
        out.add(f"{column}.12.{index}", STRING, capability_bits(seen.get("enabled", able)))
        for text in seen.get("management", []):
            packed = ipaddress.ip_address(text).packed
            family = 1 if len(packed) == 4 else 2
            tail = f"{index}.{family}.{len(packed)}.{dotted(packed)}"
            out.add(f"{LLDP}.4.2.1.3.{tail}", INTEGER, 2)
            out.add(f"{LLDP}.4.2.1.4.{tail}", INTEGER, 1)


def addresses(out, switch):
    """The switch's own addresses and its ARP table."""
    index_of = {port["name"]: port["ifindex"] for port in switch["ports"]}
    for own in switch.get("addresses", []):
        root = MIB2 + ".4.20.1."
        out.add("{}1.{}".format(root, own["address"]), IP, own["address"])
        out.add("{}2.{}".format(root, own["address"]), INTEGER, index_of[own["port"]])
        out.add("{}3.{}".format(root, own["address"]), IP, own["mask"])
    for row in switch.get("arp", []):
        index = f"{index_of[row['port']]}.{row['address']}"
        root = MIB2 + ".4.22.1."
        out.add(f"{root}1.{index}", INTEGER, index_of[row["port"]])
        out.mac(f"{root}2.{index}", row["mac"])
        out.add(f"{root}3.{index}", IP, row["address"])
        out.add(f"{root}4.{index}", INTEGER, 3)


def recording(switch):
    """The `.snmprec` text of one switch."""
    out = Recording()
    for part in (system, interfaces, addresses, bridge, lldp):
        part(out, switch)
    return out.text()


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="Writes .snmprec files from a network's switches.")
    parser.add_argument("--network", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.network.glob("switches/*.json")):
        switch = json.loads(path.read_text(encoding="utf-8"))
        target = options.out / (switch["name"] + ".snmprec")
        target.write_text(recording(switch), encoding="utf-8")
        print(target)


if __name__ == "__main__":
    main()
