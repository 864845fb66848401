//! Rows as iproute2 and lldpd print them, old and new, and what is made of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::Fact;
use crate::model::observation::{Capability, DeviceRole, InterfaceFact, NeighborProtocol, PortKind};

/// A router with a bridge of three sockets, one of them over a VLAN of a bond, as iproute2 6.1 prints it (shortened).
const LINKS: &str = r#"[
{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"operstate":"UNKNOWN","link_type":"loopback","address":"00:00:00:00:00:00"},
{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"master":"br0","operstate":"UP","link_type":"ether","address":"00:16:3e:00:00:02","parentbus":"pci","parentdev":"0000:01:00.0","linkinfo":{"info_slave_kind":"bridge","info_slave_data":{"state":"forwarding"}},"ifalias":"Bob\'s caf� desk","altnames":["enp1s0"]},
{"ifindex":3,"ifname":"eth1","flags":["NO-CARRIER","BROADCAST","MULTICAST","UP"],"master":"bond0","operstate":"DOWN","link_type":"ether","address":"00:16:3e:00:00:03","permaddr":"00:16:3e:00:00:04","linkinfo":{"info_slave_kind":"bond"},"altnames":["enp2s0"]},
{"ifindex":4,"ifname":"bond0","flags":["BROADCAST","MULTICAST","MASTER","UP","LOWER_UP"],"operstate":"UP","link_type":"ether","address":"00:16:3e:00:00:03","linkinfo":{"info_kind":"bond","info_data":{"mode":"802.3ad"}}},
{"ifindex":5,"link":"bond0","ifname":"bond0.20","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"master":"br0","operstate":"UP","link_type":"ether","address":"00:16:3e:00:00:03","linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":20},"info_slave_kind":"bridge"}},
{"ifindex":6,"ifname":"br0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"operstate":"UP","link_type":"ether","address":"00:16:3e:00:00:02","linkinfo":{"info_kind":"bridge","info_data":{"stp_state":0,"vlan_filtering":1}}},
{"ifindex":7,"link_index":2,"ifname":"veth7","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"master":"br0","operstate":"UP","link_type":"ether","address":"0e:00:00:00:00:07","link_netnsid":0,"linkinfo":{"info_kind":"veth","info_slave_kind":"bridge"}},
{"ifindex":8,"link":"eth0","ifname":"macvtap0","flags":["UP"],"operstate":"UP","link_type":"ether","address":"52:54:00:99:99:99","linkinfo":{"info_kind":"macvtap"}},
{"ifindex":9,"ifname":"wlan0","flags":["BROADCAST","MULTICAST"],"operstate":"DOWN","link_type":"ether","address":"00:16:3e:00:00:09"},
{"ifindex":10,"ifname":"tun0","flags":["POINTOPOINT","NOARP","UP","LOWER_UP"],"operstate":"UNKNOWN","link_type":"none","linkinfo":{"info_kind":"tun","info_data":{"type":"tun"}}},
{"ifindex":11,"ifname":"ppp0","flags":["POINTOPOINT","UP","LOWER_UP"],"operstate":"UNKNOWN","link_type":"ppp"},
{}
]"#;

fn links() -> Links {
    let radios = radios(b"/sys/class/net/wlan0/phy80211\n");
    Links::new(&whole(LINKS), &radios)
}

/// The rows, nothing wrong with them.
fn whole(printed: &str) -> Vec<Row> {
    let (rows, fault) = rows(printed.as_bytes());
    assert_eq!(fault, None, "{printed}");
    rows
}

fn facts(links: &Links) -> Vec<InterfaceFact> {
    links.facts("gw", &Pvids::from([("eth0".to_owned(), 1), ("eth1".to_owned(), 7)]))
}

fn fact(links: &Links, name: &str) -> InterfaceFact {
    facts(links).into_iter().find(|fact| fact.name == name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn lists_are_read_however_they_are_printed() {
    for (printed, count) in [
        ("", 0),
        (" \n", 0),
        ("[]", 0),
        ("[ ]\n[ ]", 0),
        (r#"[{"a":1}][{"b":2},{}]"#, 2),
        (r#"[{},{"a":1}]]"#, 1),
        ("[{\"a\":1}]\nDump was interrupted and may be inconsistent.\n", 1),
        (r#"[[{"a":1}],[{"b":1}]]"#, 2),
        (r#"{"a":1}{"b":2}"#, 2),
        ("[{\"a\":\"tab\there\"}]", 1),
    ] {
        assert_eq!(whole(printed).len(), count, "{printed:?}");
    }
}

#[test]
fn what_is_cut_short_keeps_what_is_whole() {
    let (found, fault) = rows(br#"[{"a":1},{"b":{"c":[2]}},{"d":"#);
    assert_eq!(found.len(), 2);
    assert!(fault.unwrap().starts_with("its answer is cut short: "));
    let (found, fault) = rows(br#"[{"a":1}][{"b":2},"#);
    assert_eq!(found.len(), 2);
    assert!(fault.is_some());
    let (found, fault) = rows(b"8: eth0: <BROADCAST> mtu 1500");
    assert_eq!((found.len(), fault.unwrap().contains("eth0: <BROADCAST>")), (0, true));
}

#[test]
fn bytes_that_are_no_text_and_escapes_that_are_no_json_are_read() {
    let (found, fault) = rows(b"[{\"ifalias\":\"Bob\\'s caf\xe9 \\\\ \\\"x\\\"\"}]");
    assert_eq!(fault, None);
    assert_eq!(text(&found[0], "ifalias"), Some("Bob's caf\u{fffd} \\ \"x\""));
}

#[test]
fn interfaces_are_what_they_are() {
    let links = links();
    let kinds: Vec<(String, PortKind)> =
        facts(&links).into_iter().map(|fact| (fact.name, fact.kind)).collect();
    let expected = [
        ("bond0", PortKind::Lag),
        ("bond0.20", PortKind::Vlan),
        ("br0", PortKind::Bridge),
        ("eth0", PortKind::Physical),
        ("eth1", PortKind::Physical),
        ("macvtap0", PortKind::Virtual),
        ("ppp0", PortKind::Tunnel),
        ("tun0", PortKind::Tunnel),
        ("veth7", PortKind::Virtual),
        ("wlan0", PortKind::Wireless),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));

    let eth0 = fact(&links, "eth0");
    assert_eq!(eth0.bridge.as_deref(), Some("br0"));
    assert_eq!((eth0.pvid, eth0.up, eth0.enabled, eth0.if_index), (Some(1), Some(true), Some(true), Some(2)));
    assert_eq!(eth0.alias.as_deref(), Some("Bob's caf\u{fffd} desk"));
    let eth1 = fact(&links, "eth1");
    assert_eq!((eth1.lag.as_deref(), eth1.bridge.as_deref(), eth1.pvid), (Some("bond0"), None, None));
    assert_eq!((eth1.up, eth1.alias.as_deref()), (Some(false), Some("enp2s0")));
    assert_eq!(fact(&links, "wlan0").enabled, Some(false));
    assert_eq!(fact(&links, "tun0").up, Some(true));
    assert_eq!(fact(&links, "macvtap0").mac, None, "a guest uses that address");
}

#[test]
fn own_addresses_include_those_below_a_bond_and_not_a_guests() {
    let own: Vec<String> = links().own_macs().iter().map(ToString::to_string).collect();
    let expected = [
        "00:16:3E:00:00:02",
        "00:16:3E:00:00:03",
        "00:16:3E:00:00:04",
        "00:16:3E:00:00:09",
        "0E:00:00:00:00:07",
    ];
    assert_eq!(own, expected);
}

#[test]
fn untagged_vlans_are_read_in_both_forms() {
    let new = r#"[{"ifname":"eth0","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":20,"vlanEnd":29}]},
        {"ifname":"eth1","vlans":[{"vlan":7,"flags":["Egress Untagged"]}]}]"#;
    assert_eq!(pvids(&whole(new)), Pvids::from([("eth0".to_owned(), 1)]));
    let old =
        r#"{"eth0":[{"vlan":5,"flags":["PVID","Egress Untagged"]}],"br0":[{"vlan":1,"flags":["PVID"]}]}"#;
    assert_eq!(pvids(&whole(old)), Pvids::from([("eth0".to_owned(), 5), ("br0".to_owned(), 1)]));
}

#[test]
fn learned_rows_are_on_the_socket_behind_a_vlan_interface() {
    let printed = r#"[
        {"mac":"33:33:00:00:00:01","ifname":"eth0","flags":["self"],"state":"permanent"},
        {"mac":"00:16:3e:00:00:02","ifname":"eth0","vlan":1,"flags":[],"master":"br0","state":"permanent"},
        {"mac":"52:54:00:00:00:01","ifname":"eth0","vlan":10,"flags":[],"master":"br0","state":""},
        {"mac":"52:54:00:00:00:02","ifname":"bond0.20","flags":["extern_learn","offload"],"master":"br0","state":""},
        {"mac":"52:54:00:00:00:03","ifname":"veth7","flags":[],"master":"br0","state":"stale"},
        {"mac":"52:54:00:00:00:04","ifname":"vx0","dst":"198.51.100.2","flags":["self"],"state":""},
        {"mac":"52:54:00:00:00:05","ifname":"vx0","vlan":1,"flags":["extern_learn"],"master":"br0","dst":"198.51.100.2","state":""},
        {"mac":"01:00:5e:00:00:01","ifname":"eth0","flags":[],"master":"br0","state":"static"},
        {"mac":"52:54:00:00:00:06","ifname":"eth0","flags":["self"],"state":""},
        {"mac":"52:54:00:00:00:07","ifname":"eth0","flags":[],"master":"br0","state":"static"},
        {"mac":"garbage","ifname":"eth0","flags":[],"master":"br0","state":""},
        {"mac":"52:54:00:00:00:01","ifname":"eth0","vlan":10,"flags":[],"master":"br0","state":""}
    ]"#;
    let found: Vec<String> = forwarding(&whole(printed), &links())
        .iter()
        .map(|row| format!("{} {} {:?}", row.mac.compact(), row.port, row.vlan))
        .collect();
    assert_eq!(
        found,
        [
            "525400000001 eth0 Some(10)",
            "525400000002 bond0 Some(20)",
            "525400000003 veth7 None",
            "525400000007 eth0 None",
        ]
    );
}

#[test]
fn a_cable_between_two_bridges_of_the_box_places_nobody() {
    let printed = json!([
        {"ifname": "br0", "link_type": "ether", "linkinfo": {"info_kind": "bridge"}},
        {"ifname": "br1", "link_type": "ether", "linkinfo": {"info_kind": "bridge"}},
        {"ifname": "p0", "link": "p1", "master": "br0", "link_type": "ether", "linkinfo": {"info_kind": "veth"}},
        {"ifname": "p1", "link": "p0", "master": "br1", "link_type": "ether", "linkinfo": {"info_kind": "veth"}},
        {"ifname": "br0.5", "link": "br0", "master": "br1", "link_type": "ether",
         "linkinfo": {"info_kind": "vlan", "info_data": {"id": 5}}},
        {"ifname": "q", "link": "r", "master": "br1", "link_type": "ether", "linkinfo": {"info_kind": "veth"}},
        {"ifname": "r", "link": "q", "link_type": "ether", "linkinfo": {"info_kind": "veth"}},
        {"ifname": "a", "link": "b", "link_type": "ether", "linkinfo": {"info_kind": "vlan", "info_data": {"id": 5}}},
        {"ifname": "b", "link": "a", "link_type": "ether", "linkinfo": {"info_kind": "vlan", "info_data": {"id": 6}}},
    ]);
    let links = Links::new(&whole(&printed.to_string()), &BTreeSet::new());
    assert_eq!(links.port("p0"), None);
    assert_eq!(links.port("br0.5"), None, "the table of br0 has it on a port");
    assert_eq!(links.port("q"), Some(("q", None)));
    assert_eq!(links.port("unknown"), Some(("unknown", None)));
    assert_eq!(links.port("a"), None, "a circle ends");
}

#[test]
fn a_switch_chip_shows_what_it_learned_as_its_ports_own() {
    let printed = json!([
        {"ifname": "eth0", "link_type": "ether", "address": "00:16:3e:00:00:01"},
        {"ifname": "lan1", "link": "eth0", "link_type": "ether", "address": "00:16:3e:00:00:01", "master": "br-lan",
         "linkinfo": {"info_kind": "dsa", "info_slave_kind": "bridge"}},
        {"ifname": "br-lan", "link_type": "ether", "linkinfo": {"info_kind": "bridge"}},
    ]);
    let links = Links::new(&whole(&printed.to_string()), &BTreeSet::new());
    assert_eq!(fact(&links, "lan1").kind, PortKind::Physical);
    assert_eq!(fact(&links, "eth0").kind, PortKind::Virtual, "no socket: it leads to the chip");
    let table = r#"[{"mac":"52:54:00:00:00:01","ifname":"lan1","flags":["self"],"state":""},
        {"mac":"52:54:00:00:00:02","ifname":"lan1","flags":["self"],"state":"permanent"}]"#;
    let found = forwarding(&whole(table), &links);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].port, "lan1");
}

#[test]
fn neighbours_are_those_that_answered() {
    let printed = r#"[
        {"dst":"192.0.2.1","dev":"br0","lladdr":"52:54:00:00:00:01","state":["REACHABLE"]},
        {"dst":"192.0.2.2","dev":"br0","lladdr":"52:54:00:00:00:02","state":["STALE"]},
        {"dst":"2001:db8::3","dev":"br0","lladdr":"52:54:00:00:00:03","router":null,"state":["DELAY"]},
        {"dst":"192.0.2.4","dev":"br0","lladdr":"52:54:00:00:00:04","state":["PERMANENT"]},
        {"dst":"192.0.2.5","dev":"br0","lladdr":"52:54:00:00:00:05","extern_learn":null,"state":["PROBE"]},
        {"dst":"192.0.2.6","dev":"br0","state":["INCOMPLETE"]},
        {"dst":"192.0.2.7","dev":"br0","lladdr":"52:54:00:00:00:07","state":["FAILED"]},
        {"dst":"224.0.0.22","dev":"br0","lladdr":"01:00:5e:00:00:16","state":["NOARP"]},
        {"dst":"192.0.2.255","dev":"br0","lladdr":"ff:ff:ff:ff:ff:ff","state":["NOARP"]},
        {"dst":"10.0.0.9","dev":"tun0","lladdr":"52:54:00:00:00:09","state":["NOARP"]},
        {"dst":"fe80::1","dev":"br0","lladdr":"52:54:00:00:00:0a","state":["REACHABLE"]},
        {"dst":"192.0.2.11","dev":"br0","proxy":null,"state":[]},
        {"dst":"192.0.2.12","dev":"br0","lladdr":"00:00:00:00:00:00","state":["PERMANENT"]},
        {"dst":"x","dev":"br0","lladdr":"52:54:00:00:00:0d","state":["REACHABLE"]}
    ]"#;
    let found: Vec<String> = neighbors(&whole(printed))
        .into_iter()
        .map(|fact| match fact {
            Fact::Neighbor { mac, address, interface } => {
                format!("{address} {} {interface:?}", mac.compact())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            "192.0.2.1 525400000001 Some(\"br0\")",
            "192.0.2.2 525400000002 Some(\"br0\")",
            "2001:db8::3 525400000003 Some(\"br0\")",
            "192.0.2.4 525400000004 Some(\"br0\")",
            "192.0.2.5 525400000005 Some(\"br0\")",
        ]
    );
}

fn address(interface: &str, network: &str) -> serde_json::Value {
    let (local, length) = network.split_once('/').unwrap();
    let family = if local.contains(':') { "inet6" } else { "inet" };
    json!({"ifname": interface, "addr_info": [
        {"family": family, "local": local, "prefixlen": length.parse::<u8>().unwrap(), "scope": "global"}]})
}

#[test]
fn networks_are_those_with_hosts_of_ours() {
    let printed = json!([
        {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        address("br0", "192.0.2.1/24"),
        address("br0", "2001:db8::1/64"),
        address("eth9", "10.9.0.1/32"),
        address("wlan0", "10.8.0.1/24"),
        address("eth8", "9.9.9.9/24"),
        {"ifname": "br0", "addr_info": [
            {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
            {"family": "inet6", "local": "2001:db8:1::1", "prefixlen": 64, "scope": "global", "tentative": true},
            {"family": "inet6", "local": "2001:db8:2::1", "prefixlen": 64, "scope": "global", "dadfailed": true},
            {"family": "inet6", "local": "2001:db8::2", "prefixlen": 64, "scope": "global", "temporary": true}]},
        {"ifname": "ppp0", "addr_info": [
            {"family": "inet", "local": "10.1.1.1", "address": "10.1.1.2", "prefixlen": 32, "scope": "global"}]},
    ]);
    let own = addresses(&whole(&printed.to_string()));
    let gateways = gateways(&whole(
        r#"[{"dst":"default","gateway":"9.9.9.1","dev":"eth8","flags":[]},
            {"dst":"default","nexthops":[{"gateway":"192.0.2.254","dev":"br0"},{"via":{"family":"inet6","host":"fe80::9"}}]}]"#,
    ));
    let expected: Vec<IpAddr> =
        ["9.9.9.1", "192.0.2.254", "fe80::9"].iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(gateways, expected);
    let found = |gateways: &[IpAddr]| -> Vec<String> {
        networks(&own, gateways, &links())
            .into_iter()
            .map(|fact| match fact {
                Fact::Network { prefix, interface } => format!("{prefix} {}", interface.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    // 9.9.9.0/24 has the gateway in it, and so is the provider's; 10.8.0.0/24 is on a radio that is switched off.
    assert_eq!(found(&gateways[..1]), ["192.0.2.0/24 br0", "2001:db8::/64 br0"]);
    assert_eq!(found(&[]), ["192.0.2.0/24 br0", "2001:db8::/64 br0", "9.9.9.0/24 eth8"]);
    let only = addresses(&whole(&json!([address("eth8", "9.9.9.9/24")]).to_string()));
    assert_eq!(networks(&only, &gateways, &links()).len(), 1, "the only network is ours");
}

#[test]
fn a_box_is_what_it_does() {
    let role = |rows: serde_json::Value, forwards: bool, networked: &[&str]| {
        let links = Links::new(&whole(&rows.to_string()), &BTreeSet::from(["wlan0".to_owned()]));
        links.role(forwards, &networked.iter().copied().collect())
    };
    let port = |name: &str, kind: &str, bridge: &str| {
        json!({"ifname": name, "link_type": "ether", "master": bridge,
               "linkinfo": {"info_kind": kind, "info_data": {"type": "tap"}}})
    };
    let card = |name: &str| json!({"ifname": name, "link_type": "ether"});
    let in_bridge = |name: &str| json!({"ifname": name, "link_type": "ether", "master": "br0"});
    let bridge = || json!({"ifname": "br0", "link_type": "ether", "linkinfo": {"info_kind": "bridge"}});
    let two = json!([card("eth0"), card("eth1")]);
    assert_eq!(role(two.clone(), true, &["eth0", "eth1"]), DeviceRole::Router);
    assert_eq!(role(two.clone(), false, &["eth0", "eth1"]), DeviceRole::Other);
    assert_eq!(role(two, true, &["eth0"]), DeviceRole::Other);
    // Forwarding is on for its containers.
    let containers =
        json!([card("eth0"), bridge(), port("veth1", "veth", "br0"), port("veth2", "veth", "br0")]);
    assert_eq!(role(containers, true, &["eth0", "br0"]), DeviceRole::Other);
    let guests = json!([in_bridge("eth0"), bridge(), port("tap1", "tun", "br0")]);
    assert_eq!(role(guests, true, &["br0"]), DeviceRole::Hypervisor);
    assert_eq!(
        role(json!([in_bridge("eth0"), in_bridge("eth1"), bridge()]), false, &["br0"]),
        DeviceRole::Switch
    );
    assert_eq!(
        role(json!([in_bridge("eth0"), in_bridge("wlan0"), bridge()]), false, &["br0"]),
        DeviceRole::AccessPoint
    );
    let routing = json!([in_bridge("eth0"), bridge(), {"ifname": "ppp0", "link_type": "ppp"}]);
    assert_eq!(role(routing, true, &["br0", "ppp0"]), DeviceRole::Router);
    // A container that switches has no sockets: its virtual cables are its wires.
    let only_virtual = json!([bridge(), port("veth1", "veth", "br0"), port("veth2", "veth", "br0")]);
    assert_eq!(role(only_virtual, false, &["br0"]), DeviceRole::Switch);
}

#[test]
fn what_the_box_says_of_itself_is_read() {
    let listed = b"/etc/os-release:ID=debian\n/etc/os-release:PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n\
        /sys/class/dmi/id/sys_vendor:Supermicro\n/sys/class/dmi/id/product_name:To be filled by O.E.M.\n\
        /sys/class/dmi/id/product_serial:S12345X\n/proc/sys/net/ipv4/ip_forward:0\n/proc/sys/net/ipv6/conf/all/forwarding:1\n";
    let found = about(listed, b"Raspberry Pi 4 Model B Rev 1.4\0");
    assert_eq!(found.system.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    assert_eq!(found.manufacturer.as_deref(), Some("Supermicro"));
    assert_eq!(found.model.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
    assert_eq!((found.serial.as_deref(), found.forwards), (Some("S12345X"), true));
    assert_eq!(about(b"", b""), About::default());
    assert_eq!(first_line(b"\n  gw\x1b[31m \n"), Some("gw[31m".to_owned()));
}

/// As lldpd 1.0.16 prints it; with several neighbours `interface` is a list.
const NEIGHBOUR: &str = r#"{"eth0": {"via": "LLDP", "rid": "1", "age": "0 day, 00:00:06",
    "chassis": {"sw1.example.org": {"id": {"type": "mac", "value": "00:1b:21:00:00:01"}, "descr": "a switch",
        "mgmt-ip": ["192.0.2.2", "fe80::1"],
        "capability": [{"type": "Bridge", "enabled": true}, {"type": "Router", "enabled": false}]}},
    "port": {"id": {"type": "ifname", "value": "ge-0/0/1"}, "descr": "uplink", "ttl": "120"}}}"#;

#[test]
fn announcements_are_read_in_every_form() {
    let nameless = r#"{"eth1": {"via": "CDPv2", "chassis": {"id": {"type": "local", "value": "SEP001122334455"},
        "mgmt-ip": "192.0.2.9", "capability": {"type": "Tel", "enabled": true}},
        "port": {"id": {"type": "mac", "value": "00:11:22:33:44:55"}}}}"#;
    let one = value(format!(r#"{{"lldp": {{"interface": {NEIGHBOUR}}}}}"#).as_bytes()).unwrap();
    let two = value(format!(r#"{{"lldp": {{"interface": [{NEIGHBOUR}, {nameless}]}}}}"#).as_bytes()).unwrap();
    assert_eq!(lldp_neighbors("gw", &one).len(), 1);
    let found = lldp_neighbors("gw", &two);
    assert_eq!(found.len(), 2);
    let first = &found[0];
    assert_eq!(
        (first.port.as_deref(), first.system_name.as_deref()),
        (Some("eth0"), Some("sw1.example.org"))
    );
    assert_eq!(first.chassis_mac, "00:1b:21:00:00:01".parse().ok());
    assert_eq!(
        (first.port_id.as_deref(), first.port_description.as_deref()),
        (Some("ge-0/0/1"), Some("uplink"))
    );
    assert_eq!((first.protocol, first.addresses.len()), (NeighborProtocol::Lldp, 2));
    assert_eq!(first.capabilities, [Capability::Bridge]);
    let phone = &found[1];
    assert_eq!(
        (phone.protocol, phone.chassis_id.as_deref()),
        (NeighborProtocol::Cdp, Some("SEP001122334455"))
    );
    assert_eq!(
        (phone.system_name.as_deref(), phone.capabilities.as_slice()),
        (None, &[Capability::Telephone][..])
    );
    assert_eq!(phone.port_mac, "00:11:22:33:44:55".parse().ok());
    assert_eq!(lldp_neighbors("gw", &value(b"").unwrap()), []);
    assert_eq!(lldp_neighbors("gw", &value(br#"{"lldp": {}}"#).unwrap()), []);
    assert!(value(b"Usage: lldpctl").is_err());
}

#[test]
fn a_system_called_id_is_no_id() {
    let odd = NEIGHBOUR.replace("sw1.example.org", "id");
    let found =
        lldp_neighbors("gw", &value(format!(r#"{{"lldp": {{"interface": {odd}}}}}"#).as_bytes()).unwrap());
    assert_eq!(found[0].system_name.as_deref(), Some("id"));
    assert!(found[0].chassis_mac.is_some());
}

/// Values as another version, or somebody hostile, might print them.
fn anything() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        ".{0,12}".prop_map(serde_json::Value::from),
        "(permanent|self|br0|veth|vlan|192\\.0\\.2\\.1|52:54:00:00:00:01|REACHABLE|default)"
            .prop_map(serde_json::Value::from),
    ];
    let keys = "(ifname|mac|master|link|linkinfo|info_kind|info_data|id|flags|state|dst|lladdr|dev|vlan|vlans|addr_info|local|prefixlen|gateway|lldp|interface|chassis|port|eth0)";
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            proptest::collection::btree_map(keys, inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn read_everything(printed: &[u8]) {
    let (rows, _) = rows(printed);
    let links = Links::new(&rows, &radios(printed));
    _ = (links.facts("gw", &pvids(&rows)), links.own_macs(), forwarding(&rows, &links), neighbors(&rows));
    let own = addresses(&rows);
    _ = networks(&own, &gateways(&rows), &links);
    _ = links.role(true, &own.iter().map(|one| one.interface.as_str()).collect());
    _ = value(printed).map(|value| lldp_neighbors("gw", &value));
    _ = about(printed, printed);
}

proptest! {
    #[test]
    fn parsing_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200), found in anything()) {
        read_everything(&bytes);
        read_everything(found.to_string().as_bytes());
    }

    #[test]
    fn whatever_is_cut_off_is_noticed(count in 1..6_usize, cut in 1..40_usize) {
        let list: Vec<_> = (0..count).map(|n| json!({"dst": format!("192.0.2.{n}"), "state": ["STALE"]})).collect();
        let printed = json!(list).to_string();
        let kept = printed.len().saturating_sub(cut);
        let (found, fault) = rows(&printed.as_bytes()[..kept]);
        prop_assert!(found.len() <= count);
        prop_assert_eq!(fault.is_some(), kept > 0, "{}", &printed[..kept]);
        prop_assert!(found.len() + 1 + cut / 34 >= count.min(found.len() + 2), "whole rows are kept");
    }

    #[test]
    fn every_learned_row_comes_back(macs in proptest::collection::btree_set(any::<[u8; 6]>(), 0..30), vlan in 1..4094_u16) {
        let macs: BTreeSet<MacAddr> = macs
            .into_iter()
            .map(|octets| MacAddr::new([octets[0] & 0xfe, octets[1], octets[2], octets[3], octets[4], 1]))
            .collect();
        let list: Vec<_> = macs
            .iter()
            .map(|mac| json!({"mac": mac.lower(), "ifname": "eth0", "vlan": vlan, "flags": [], "master": "br0", "state": ""}))
            .collect();
        let found = forwarding(&whole(&json!(list).to_string()), &links());
        prop_assert_eq!(found.len(), macs.len());
        prop_assert!(found.iter().all(|row| macs.contains(&row.mac) && row.vlan == Some(vlan)));
    }
}
