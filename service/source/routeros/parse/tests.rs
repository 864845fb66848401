//! Rows to facts: recordings of real devices, and what is odd about them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::model::observation::{
    Capability, DeviceRole, InterfaceFact, LeaseFact, LeaseState, NeighborFact, NeighborProtocol, PortKind,
};
use crate::model::{Fact, Timestamp};
use crate::source::peer::recorded_bytes;

/// `address=192.0.2.1 mac-address=..`, one row a line.
fn rows_of(text: &str) -> Rows {
    let mut rows = Rows::default();
    for line in text.lines() {
        let cells = line.split_whitespace().filter_map(|part| part.split_once('='));
        rows.push(cells.map(|(name, value)| (name, value.replace('+', " "))));
    }
    rows
}

fn recorded(name: &str) -> Option<Rows> {
    Some(rest_rows(recorded_bytes(&format!("routeros-rest/{name}.json"))?).unwrap())
}

fn lease(row: &str) -> LeaseFact {
    leases(&rows_of(row), Timestamp(1000)).next().unwrap()
}

fn kinds() -> BTreeMap<String, PortKind> {
    [
        ("ether3", PortKind::Physical),
        ("bridge", PortKind::Bridge),
        ("vlan10", PortKind::Vlan),
        ("wifi1", PortKind::Wireless),
        ("bond1", PortKind::Lag),
    ]
    .map(|(name, kind)| (name.to_owned(), kind))
    .into()
}

fn heard(row: &str) -> Vec<NeighborFact> {
    lldp_neighbors("r", &rows_of(row), &kinds()).collect()
}

#[test]
fn recorded_leases() {
    let Some(rows) = recorded("ip_dhcp-server_lease") else { return };
    let found: Vec<LeaseFact> = leases(&rows, Timestamp(0)).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].mac.to_string(), "54:48:E6:8C:F1:E1");
    assert_eq!(found[0].host_name.as_deref(), Some("mijia-vacuum-v2_mibtF1E1"), "as it is: judged elsewhere");
    assert_eq!(found[0].comment.as_deref(), Some("Bobik"));
    assert_eq!((found[0].state, found[0].dynamic), (LeaseState::Bound, false));
    assert_eq!(found[0].expires_at, Some(Timestamp(158_000)));
    assert_eq!(found[1].client_id.as_deref(), Some("1:f0:2f:74:db:39:94"));
}

#[test]
fn a_recorded_bridge_with_multi_line_columns() {
    let (Some(hosts), Some(ports)) = (recorded("interface_bridge_host"), recorded("interface_bridge_port"))
    else {
        return;
    };
    let table = bridge_hosts(&hosts);
    assert_eq!(table.rows.len(), 1);
    assert_eq!((table.ports[table.rows[0].1].as_str(), table.rows[0].2), ("wifi1", None));
    assert_eq!(table.own.iter().map(ToString::to_string).collect::<Vec<_>>(), ["48:A9:8A:DF:E5:B3"]);
    let interfaces = rows_of("name=wifi1 type=wifi\nname=wifi2 type=wifi\nname=bridge1 type=bridge");
    let found =
        interface_facts("r", &interfaces, &Rows::default(), &ports, &Rows::default(), &Rows::default());
    assert_eq!(found[0].bridge.as_deref(), Some("bridge1"));
    assert_eq!(found[0].pvid, None, "without VLAN filtering the default means nothing");
}

#[test]
fn a_recorded_neighbour_is_one_fact_a_protocol() {
    let Some(rows) = recorded("ip_neighbor") else { return };
    let found: Vec<NeighborFact> = lldp_neighbors("r", &rows, &kinds()).collect();
    let protocols: Vec<NeighborProtocol> = found.iter().map(|fact| fact.protocol).collect();
    assert_eq!(protocols, [NeighborProtocol::Lldp, NeighborProtocol::Cdp, NeighborProtocol::Mndp]);
    let lldp = &found[0];
    assert_eq!(lldp.port.as_deref(), Some("ether1"));
    assert_eq!(lldp.port_id.as_deref(), Some("ether2"));
    assert_eq!(lldp.port_description.as_deref(), Some("bridge_lan/ether2"));
    assert_eq!(lldp.system_name.as_deref(), Some("dot-home"));
    assert_eq!(lldp.chassis_mac.map(|mac| mac.to_string()).as_deref(), Some("2C:C8:1B:F0:A8:BA"));
    assert_eq!(lldp.capabilities, [Capability::Bridge, Capability::Router]);
    assert_eq!(lldp.addresses, ["192.168.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!((lldp.chassis_id.as_deref(), found[1].chassis_id.as_deref()), (None, Some("dot-home")));
}

#[test]
fn a_recorded_device() {
    let Some(resource) = recorded("system_resource") else { return };
    let found = device_fact("ap", None, &resource, &rows_of("name=MikroTik"), &Rows::default());
    assert_eq!(found.model.as_deref(), Some("hAP ax^2"));
    assert_eq!(found.manufacturer.as_deref(), Some("MikroTik"));
    assert_eq!(found.description.as_deref(), Some("RouterOS 7.20.5 (stable)"));
    assert_eq!((found.role, found.serial), (DeviceRole::Router, None));
}

#[test]
fn product_lines_tell_the_role() {
    let role = |board: &str| {
        device_fact("d", None, &rows_of(&format!("board-name={board}")), &Rows::default(), &Rows::default())
            .role
    };
    assert_eq!(role("CRS326-24G-2S+"), DeviceRole::Switch);
    assert_eq!(role("cAP+ax"), DeviceRole::AccessPoint);
    assert_eq!(role("CCR2004-16G-2S+"), DeviceRole::Router);
    assert_eq!(role("CHR"), DeviceRole::Router);
}

#[test]
fn answers_are_read_leniently() {
    let one = rest_rows(br#"{"name":"r1"}"#.to_vec()).unwrap();
    assert_eq!(one, rows_of("name=r1"), "a menu with one row is an object");
    let answer = |text: &[u8]| rest_rows(text.to_vec());
    let bytes = b"[{\"comment\":\"B\xfcro\n\x01\",\"vid\":10,\"dynamic\":true,\"unset\":null}]";
    let rows = answer(bytes).unwrap();
    let row = rows.first().unwrap();
    assert_eq!(row.get("comment"), Some("B\u{fffd}ro  "));
    assert_eq!((row.get("vid"), row.get("dynamic")), (Some("10"), Some("true")));
    assert_eq!(row.get("unset"), None);
    assert_eq!(answer(b"[]"), Ok(Rows::default()));
    assert!(answer(b"<html>").is_err());
    assert!(answer(b"[1]").is_err());
    assert!(answer(b"").is_err());
}

#[test]
fn the_state_of_a_lease() {
    const MAC: &str = "mac-address=00:11:22:33:44:55";
    let state = |row: &str| lease(&format!("{MAC} {row}")).state;
    assert_eq!(state("status=bound last-seen=2m"), LeaseState::Bound);
    assert_eq!(state("status=waiting last-seen=never"), LeaseState::NeverSeen);
    assert_eq!(state("status=waiting last-seen=3w2d"), LeaseState::Waiting);
    assert_eq!(state("status=waiting"), LeaseState::Waiting, "version 6 without the column");
    assert_eq!(state("status=offered last-seen=1s"), LeaseState::Waiting);
    assert_eq!(state("status=bound disabled=true"), LeaseState::Disabled);
    assert_eq!(state("status=waiting blocked=yes"), LeaseState::Disabled);
}

#[test]
fn the_client_that_holds_a_lease_counts() {
    let pool = lease("address=Pool-1000-Guest mac-address=00:11:22:33:44:55 status=waiting");
    assert_eq!(pool.address, None);
    let active = lease(
        "address=192.0.2.9 active-address=192.0.2.8 mac-address=00:11:22:33:44:55 \
         active-mac-address=00:11:22:33:44:66 status=bound server=all active-server=lan class-id=MSFT+5.0",
    );
    assert_eq!(active.address, Some("192.0.2.8".parse().unwrap()));
    assert_eq!(active.mac.to_string(), "00:11:22:33:44:66");
    assert_eq!((active.server.as_deref(), active.vendor_class.as_deref()), (Some("lan"), Some("MSFT 5.0")));
    let by_id = lease("address=192.0.2.9 client-id=1:0:11:22:33:44:55 status=waiting");
    assert_eq!(by_id.mac.to_string(), "00:11:22:33:44:55");
    assert_eq!(leases(&rows_of("address=192.0.2.9 client-id=ff:1:2"), Timestamp(0)).count(), 0);
}

#[test]
fn only_answered_addresses_are_neighbours() {
    let rows = rows_of(
        "address=192.0.2.1 mac-address=00:11:22:33:44:01 interface=vlan10 complete=true status=reachable\n\
         address=192.0.2.2 interface=vlan10 complete=false\n\
         address=192.0.2.3 mac-address=00:11:22:33:44:03 status=failed\n\
         address=192.0.2.4 mac-address=00:11:22:33:44:04 disabled=yes\n\
         address=192.0.2.5 mac-address=00:00:00:00:00:00\n\
         address=192.0.2.6 mac-address=00:11:22:33:44:06 complete=yes\n\
         address=fe80::1%ether1 mac-address=00:11:22:33:44:07\n\
         address=ff02::1 mac-address=33:33:00:00:00:01\n\
         address=2001:db8::8 mac-address=00:11:22:33:44:08 status=stale",
    );
    let found: Vec<String> = neighbors(&rows)
        .filter_map(
            |fact| if let Fact::Neighbor { address, .. } = fact { Some(address.to_string()) } else { None },
        )
        .collect();
    assert_eq!(found, ["192.0.2.1", "192.0.2.6", "2001:db8::8"]);
}

fn prefixes(addresses: &str, members: &str, routes: &str) -> Vec<String> {
    networks(&rows_of(addresses), &upstream(&rows_of(members), &rows_of(routes)))
        .into_iter()
        .filter_map(|fact| match fact {
            Fact::Network { prefix, interface } => {
                Some(format!("{prefix} {}", interface.unwrap_or_default()))
            }
            _ => None,
        })
        .collect()
}

const ADDRESSES: &str = "address=192.0.2.1/24 interface=bridge actual-interface=bridge\n\
                         address=203.0.113.2/24 interface=ether1 actual-interface=ether1";
const DEFAULT_ROUTE: &str = "dst-address=0.0.0.0/0 gateway=203.0.113.1 active=true";

#[test]
fn networks_are_ours_unless_they_are_the_providers() {
    let both = ["192.0.2.0/24 bridge", "203.0.113.0/24 ether1"];
    assert_eq!(prefixes(ADDRESSES, "", ""), both);
    assert_eq!(prefixes(ADDRESSES, "list=WAN interface=ether1", ""), both[..1]);
    assert_eq!(prefixes(ADDRESSES, "list=WAN interface=ether1 disabled=true", ""), both);
    assert_eq!(prefixes(ADDRESSES, "list=LAN interface=bridge", DEFAULT_ROUTE), both[..1]);
    assert_eq!(
        prefixes(ADDRESSES, "list=WAN interface=ether2", DEFAULT_ROUTE),
        both,
        "the list has the word"
    );

    // A switch with one address has its gateway in the very network it is for.
    let switch = "address=198.51.100.7/24 interface=bridge";
    assert_eq!(
        prefixes(switch, "", "dst-address=0.0.0.0/0 gateway=198.51.100.1"),
        ["198.51.100.0/24 bridge"]
    );
    // A private network is never a provider's by its gateway alone.
    let inner = "address=10.0.0.2/24 interface=ether1\naddress=10.1.0.1/24 interface=bridge";
    assert_eq!(prefixes(inner, "", "dst-address=0.0.0.0/0 gateway=10.0.0.1").len(), 2);
}

#[test]
fn some_addresses_name_no_network() {
    let rows = "address=10.255.0.1/32 interface=lo\naddress=fe80::1/64 interface=bridge\n\
                address=169.254.1.1/16 interface=ether2\naddress=10.0.0.1/24 disabled=true\n\
                address=10.0.1.1/24 invalid=true\naddress=10.0.2.1/31 interface=ether3\naddress=nonsense";
    assert_eq!(prefixes(rows, "", ""), ["10.0.2.0/31 ether3"]);
}

#[test]
fn spanning_tree_tells_where_another_bridge_is() {
    let own = ["48:A9:8A:DF:E5:B3".parse().unwrap()].into();
    let found = designated_bridges(
        "r",
        &rows_of(
            "interface=ether1 role=root-port designated-bridge-id=0x8000.00:11:22:33:44:01\n\
             interface=ether2 role=designated-port designated-bridge-id=0x8000.48:A9:8A:DF:E5:B3\n\
             interface=ether3 role=alternate-port designated-bridge-id=0x6000.00:11:22:33:44:02\n\
             interface=ether4 role=backup-port designated-bridge-id=0x8000.48:A9:8A:DF:E5:B3\n\
             interface=ether5 role=root-port designated-bridge-id=0x8000.00:11:22:33:44:01 inactive=true\n\
             interface=ether6 role=root-port designated-bridge-id=garbage\n\
             interface=ether7 role=disabled-port",
        ),
        &own,
    );
    let shown: Vec<String> =
        found.iter().map(|fact| format!("{:?} {:?}", fact.port, fact.chassis_mac)).collect();
    assert_eq!(
        shown,
        ["Some(\"ether1\") Some(00:11:22:33:44:01)", "Some(\"ether3\") Some(00:11:22:33:44:02)"]
    );
    let Some(ports) = recorded("interface_bridge_port") else { return };
    assert!(designated_bridges("r", &ports, &std::collections::BTreeSet::new()).is_empty());
}

#[test]
fn a_forwarding_table_without_the_device_itself() {
    let bridge = bridge_hosts(&rows_of(
        "mac-address=00:11:22:33:44:01 on-interface=ether3 interface=ether3 vid=10 external=true age=1m5s\n\
         mac-address=00:11:22:33:44:02 interface=ether4 dynamic=false\n\
         mac-address=00:11:22:33:44:03 on-interface=bond1 vid=0\n\
         mac-address=00:11:22:33:44:04 on-interface=ether3 local=yes\n\
         mac-address=00:11:22:33:44:05 on-interface=ether3 invalid=true\n\
         mac-address=01:00:5E:00:00:01 on-interface=ether3\n\
         mac-address=00:11:22:33:44:06",
    ));
    let shown = |table: &HostTable| -> Vec<String> {
        let rows = table.rows.iter();
        rows.map(|(mac, port, vlan, _)| format!("{mac} {} {vlan:?}", table.ports[*port])).collect()
    };
    assert_eq!(
        shown(&bridge),
        [
            "00:11:22:33:44:01 ether3 Some(10)",
            "00:11:22:33:44:02 ether4 None",
            "00:11:22:33:44:03 bond1 None"
        ]
    );
    assert_eq!(bridge.own.len(), 1);
    assert_eq!(bridge.rows[0].3, Some(65), "an age");
    let switch = switch_hosts(
        &rows_of(
            "mac-address=00:11:22:33:44:01 ports=ether3 vlan-id=10\n\
             mac-address=00:11:22:33:44:04 ports=ether3\n\
             mac-address=00:11:22:33:44:07 ports=ether5 vlan-id=20\n\
             mac-address=00:11:22:33:44:08 ports=switch1-cpu\n\
             mac-address=00:11:22:33:44:09 ports=ether2,ether3",
        ),
        &bridge,
    );
    assert_eq!(shown(&switch), ["00:11:22:33:44:07 ether5 Some(20)"]);
}

#[test]
fn the_port_of_a_neighbour_is_the_physical_one() {
    let port = |interface: &str| {
        heard(&format!("discovered-by=lldp interface={interface}"))[0].port.clone().unwrap_or_default()
    };
    assert_eq!(port("ether3,bridge"), "ether3");
    assert_eq!(port("bridge,ether3"), "ether3");
    assert_eq!(port("vlan10,bond1,bridge"), "bond1");
    assert_eq!(port("bridge,wifi1"), "wifi1");
    assert_eq!(port("bridge"), "bridge");
    assert_eq!(port("ether77"), "ether77", "its interfaces could not be read");
    assert_eq!(heard("discovered-by=lldp")[0].port, None);
}

#[test]
fn the_port_of_the_other_side_keeps_its_slashes_unless_it_is_mikrotik() {
    let remote = |row: &str| heard(row)[0].port_id.clone().unwrap();
    assert_eq!(remote("discovered-by=lldp interface-name=GigabitEthernet1/0/24"), "GigabitEthernet1/0/24");
    assert_eq!(remote("discovered-by=lldp platform=MikroTik interface-name=bridge/ether2"), "ether2");
    assert_eq!(remote("discovered-by=mndp interface-name=bridge/vlan10/ether2"), "ether2");
    assert_eq!(remote("platform=MikroTik interface-name=sfp-sfpplus1"), "sfp-sfpplus1");
    let by_mac = &heard("discovered-by=lldp interface-name=64:D1:54:F2:A4:16")[0];
    assert_eq!(by_mac.port_mac.map(|mac| mac.to_string()).as_deref(), Some("64:D1:54:F2:A4:16"));
}

#[test]
fn version_6_does_not_say_how_a_neighbour_was_heard() {
    let protocol = |row: &str| heard(row)[0].protocol;
    assert_eq!(protocol("platform=MikroTik identity=x"), NeighborProtocol::Mndp);
    assert_eq!(protocol("identity=x system-caps=bridge"), NeighborProtocol::Lldp);
    assert_eq!(protocol("identity=x platform=cisco"), NeighborProtocol::Cdp);
    let old =
        &heard("platform=MikroTik board=RB750 version=6.49 address=192.0.2.1 address6=fe80::1%ether1")[0];
    assert_eq!(old.system_description.as_deref(), Some("MikroTik RB750 6.49"));
    assert_eq!(old.addresses.len(), 2);
}

#[test]
fn interfaces_know_their_bridge_and_bond() {
    use PortKind::{Bridge, Lag, Physical, Tunnel, Virtual, Wireless};
    let found = interface_facts(
        "r",
        &rows_of(
            "name=ether1 type=ether mac-address=00:11:22:33:44:01 running=true comment=to+core\n\
             name=ether2 type=ether disabled=true running=false\n\
             name=bond1 type=bond\nname=bridge type=bridge\nname=wg0 type=wg\nname=pppoe-out1 type=pppoe-out\n\
             name=vrrp1 type=vrrp\nname=new type=quantum\nname=cap1 type=cap",
        ),
        &rows_of("name=bridge vlan-filtering=true"),
        &rows_of(
            "interface=bond1 bridge=bridge pvid=20\ninterface=ether2 bridge=bridge pvid=1 disabled=true\n\
             interface=cap1 bridge=bridge\ninterface=new bridge=bridge",
        ),
        &rows_of(
            "bridge=bridge vlan-ids=30 current-untagged=cap1,bond1 untagged=cap1\n\
             bridge=bridge vlan-ids=40 untagged=new\nbridge=bridge vlan-ids=50 untagged=new\n\
             bridge=other vlan-ids=60 untagged=cap1\nbridge=bridge vlan-ids=70 untagged=cap1 disabled=true",
        ),
        &rows_of("name=bond1 slaves=ether1,ether2\nname=bond2 slaves=ether9 disabled=true"),
    );
    let kinds: Vec<PortKind> = found.iter().map(|fact| fact.kind).collect();
    assert_eq!(kinds, [Physical, Physical, Lag, Bridge, Tunnel, Tunnel, Virtual, Virtual, Wireless]);
    let [ether1, ether2, bond1, ..] = found.as_slice() else { panic!("nine") };
    let of = |fact: &InterfaceFact| (fact.enabled, fact.up, fact.lag.clone(), fact.bridge.clone(), fact.pvid);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(of(ether1), (Some(true), Some(true), text("bond1"), None, None));
    assert_eq!(of(ether2), (Some(false), Some(false), text("bond1"), None, None));
    assert_eq!(of(bond1), (Some(true), None, None, text("bridge"), Some(20)));
    assert_eq!(ether1.alias.as_deref(), Some("to core"));
    let pvid = |name: &str| found.iter().find(|fact| fact.name == name).and_then(|fact| fact.pvid);
    assert_eq!((pvid("cap1"), pvid("new")), (Some(30), None), "untagged in one VLAN, and in two");
}

prop_compose! {
    /// Rows with the right columns and anything in them.
    fn any_row()(cells in prop::collection::btree_map(
        prop::sample::select(vec![
            "address", "mac-address", "active-address", "interface", "interface-name", "on-interface", "vid", "local",
            "status", "last-seen", "vlan-ids", "untagged", "current-untagged", "expires-after", "client-id", "name", "type", "slaves", "ports", "pvid", "bridge",
            "discovered-by", "platform", "system-caps", "list", "gateway", "dst-address", "board-name",
        ]),
        prop_oneof!["\\PC{0,20}", Just("00:11:22:33:44:55".to_owned()), "[a-z]{1,6}(,[a-z/]{1,6}){0,3}",
                    "[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,2})?"],
        0..12,
    )) -> BTreeMap<&'static str, String> {
        cells
    }
}

proptest! {
    #[test]
    fn any_rows_are_read(cells in prop::collection::vec(any_row(), 0..6), now: i64) {
        let mut rows = Rows::default();
        for row in cells {
            rows.push(row);
        }
        let upstream = upstream(&rows, &rows);
        let bridge = bridge_hosts(&rows);
        let _facts = (
            leases(&rows, Timestamp(now)).count(),
            neighbors(&rows).count(),
            networks(&rows, &upstream),
            switch_hosts(&rows, &bridge),
            lldp_neighbors("r", &rows, &kinds()).count(),
            interface_facts("r", &rows, &rows, &rows, &rows, &rows),
            device_fact("r", None, &rows, &rows, &rows),
            own_macs(&rows).count(),
        );
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _rows: Result<Rows, String> = rest_rows(bytes);
    }
}
