//! LLDP rows as real agents send them.

use super::*;
use crate::source::snmp::parse::vendor::Vendor;
use proptest::prelude::*;

fn bytes(walk: &mut Walk, column: Column, index: &[u32], value: &[u8]) {
    walk.push(column, index.to_vec(), Value::Bytes(value.to_vec()));
}

fn read(walk: &Walk) -> Vec<NeighborFact> {
    let interfaces = Interfaces::read(walk, Vendor::default());
    let local = LocalPorts::read(walk, &interfaces, &BTreeMap::new(), Vendor::default());
    neighbors(walk, "sw1", &interfaces, &local)
}

fn one_row(index: &[u32], chassis: (i64, &[u8]), port: (i64, &[u8])) -> Walk {
    let mut walk = Walk::default();
    bytes(&mut walk, Column::IfName, &[8], b"ether8");
    walk.push(Column::LldpChassisSubtype, index.to_vec(), Value::Number(chassis.0));
    bytes(&mut walk, Column::LldpChassisId, index, chassis.1);
    walk.push(Column::LldpPortSubtype, index.to_vec(), Value::Number(port.0));
    bytes(&mut walk, Column::LldpPortId, index, port.1);
    walk
}

const MAC: [u8; 6] = [0, 0x1d, 0xb3, 0xc5, 9, 0x60];

#[test]
fn ids_are_what_they_are_declared_or_look_like() {
    for (chassis, port, expected) in [
        ((4, &MAC[..]), (5, &b"Gi0/1"[..]), (true, None, Some("Gi0/1"), false)),
        ((4, b"00:1D:B3:C5:09:60"), (3, b"00:1D:B3:C5:09:60"), (true, None, Some("00:1D:B3:C5:09:60"), true)),
        ((7, b"XXX-LT-24392"), (3, &MAC), (false, Some("XXX-LT-24392"), Some("00:1D:B3:C5:09:60"), true)),
        ((5, &[1, 192, 0, 2, 7]), (7, b"24"), (false, Some("192.0.2.7"), Some("24"), false)),
        ((6, b"ge0"), (3, b"1/25\0"), (false, Some("ge0"), Some("1/25"), false)),
        ((4, &[1, 2, 3, 0xff]), (1, b"\x01\x02"), (false, Some("010203ff"), Some("0102"), false)),
    ] {
        let fact = read(&one_row(&[0, 8, 1], chassis, port)).remove(0);
        let (is_mac, chassis_id, port_id, port_is_mac) = expected;
        assert_eq!(fact.chassis_mac.is_some(), is_mac, "{chassis:?}");
        assert_eq!(fact.chassis_id.as_deref(), chassis_id);
        assert_eq!(fact.port_id.as_deref(), port_id);
        assert_eq!(fact.port_mac.is_some(), port_is_mac, "{port:?}");
        assert_eq!(fact.port.as_deref(), Some("ether8"));
    }
}

#[test]
fn an_index_without_a_local_port_names_none() {
    for index in [&[77][..], &[8, 1], &[0, 0, 1], &[0, 9, 1]] {
        let facts = read(&one_row(index, (4, &MAC), (5, b"x")));
        assert_eq!(facts[0].port, None, "{index:?}");
    }
}

#[test]
fn a_network_address_as_chassis_is_also_an_address() {
    let fact = read(&one_row(&[0, 8, 1], (5, &[1, 192, 0, 2, 7]), (7, b"24"))).remove(0);
    assert_eq!(fact.addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
}

#[test]
fn management_addresses_come_with_and_without_length() {
    for tail in [&[1, 4, 192, 0, 2, 9][..], &[1, 192, 0, 2, 9], &[1, 5, 192, 0, 2, 9, 0]] {
        let mut walk = one_row(&[0, 8, 1], (4, &MAC), (5, b"x"));
        let index: Vec<u32> = [0, 8, 1].iter().chain(tail).copied().collect();
        walk.push(Column::LldpManAddr, index, Value::Number(2));
        walk.push(Column::LldpManAddr, vec![0, 8, 1, 6, 6, 1, 2, 3, 4, 5, 6], Value::Number(2));
        assert_eq!(read(&walk)[0].addresses, ["192.0.2.9".parse::<IpAddr>().unwrap()], "{tail:?}");
    }
}

#[test]
fn enabled_capabilities_win_over_supported_ones() {
    let mut walk = one_row(&[0, 8, 1], (4, &MAC), (5, b"x"));
    bytes(&mut walk, Column::LldpCapSupported, &[0, 8, 1], &[0x28, 0]);
    assert_eq!(read(&walk)[0].capabilities, [Capability::Bridge, Capability::Router]);
    bytes(&mut walk, Column::LldpCapEnabled, &[0, 8, 1], &[0x20, 0]);
    assert_eq!(read(&walk)[0].capabilities, [Capability::Bridge]);
}

#[test]
fn the_2009_edition_is_by_if_index() {
    let mut walk = Walk::default();
    bytes(&mut walk, Column::IfName, &[8], b"ether8");
    bytes(&mut walk, Column::Lldp2ChassisId, &[0, 8, 1, 3], &MAC);
    walk.push(Column::Lldp2ManAddr, vec![0, 8, 1, 3, 1, 4, 192, 0, 2, 9], Value::Number(2));
    let facts = read(&walk);
    assert_eq!(facts[0].port.as_deref(), Some("ether8"));
    assert_eq!(facts[0].addresses.len(), 1);
}

#[test]
fn tp_link_has_its_own_table() {
    let mut walk = Walk::default();
    bytes(&mut walk, Column::IfName, &[49170], b"gigabitEthernet 1/0/18");
    bytes(&mut walk, Column::TpLinkChassisId, &[49170, 1], b"E8:28:C1:26:B9:C0");
    bytes(&mut walk, Column::TpLinkPortId, &[49170, 1], b"gi1/0/6");
    bytes(&mut walk, Column::TpLinkCapEnabled, &[49170, 1], b"Bridge Router ");
    bytes(&mut walk, Column::TpLinkManAddr, &[49170, 1], b"::192.0.2.3");
    let fact = read(&walk).remove(0);
    assert_eq!(fact.port.as_deref(), Some("gigabitEthernet 1/0/18"));
    assert!(fact.chassis_mac.is_some());
    assert_eq!(fact.capabilities, [Capability::Bridge, Capability::Router]);
    assert_eq!(fact.addresses, ["192.0.2.3".parse::<IpAddr>().unwrap()]);
}

proptest! {
    #[test]
    fn random_rows_never_panic(rows in prop::collection::vec((0..Column::ALL.len(), prop::collection::vec(0_u32..400, 0..14), prop::collection::vec(any::<u8>(), 0..20)), 0..40)) {
        let mut walk = Walk::default();
        for (column, index, value) in rows {
            walk.push(Column::ALL[column], index, Value::Bytes(value));
        }
        let _facts = read(&walk);
    }
}

/// SR OS: nothing in lldpRemTable, its own table by ifIndex and destination address.
#[test]
fn sr_os_keeps_its_neighbours_elsewhere() {
    let mut walk = Walk::default();
    bytes(&mut walk, Column::IfName, &[105_037_825], b"3/2/c5/1");
    let index = [0, 105_037_825, 1, 2];
    bytes(&mut walk, Column::TimetraChassisId, &index, &[0x24, 0x21, 0x24, 0xda, 0xf6, 0x3f]);
    walk.push(Column::TimetraChassisSubtype, index.to_vec(), Value::Number(4));
    bytes(&mut walk, Column::TimetraPortId, &index, b"3/2/c5/1");
    walk.push(Column::TimetraPortSubtype, index.to_vec(), Value::Number(5));
    bytes(&mut walk, Column::TimetraSysName, &index, b"sr2");
    bytes(&mut walk, Column::TimetraCapEnabled, &index, &[0x28, 0]);
    let found = read(&walk);
    let [fact] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((fact.port.as_deref(), fact.port_id.as_deref()), (Some("3/2/c5/1"), Some("3/2/c5/1")));
    assert_eq!(fact.chassis_mac.map(MacAddr::lower).as_deref(), Some("24:21:24:da:f6:3f"));
    assert_eq!(fact.capabilities, [Capability::Bridge, Capability::Router]);
}

#[test]
fn lldp_med_names_telephones() {
    let mut walk = Walk::default();
    bytes(&mut walk, Column::IfName, &[1], b"e1");
    bytes(&mut walk, Column::LldpChassisId, &[0, 1, 1], &[0, 0x1b, 0x21, 0, 0, 1]);
    walk.push(Column::MedDeviceClass, vec![0, 1, 1], Value::Number(3));
    assert_eq!(read(&walk)[0].capabilities, [Capability::Telephone]);
}

#[test]
fn a_network_address_may_come_without_its_family_or_as_text() {
    let read = |bytes: &[u8]| id(bytes, Some(CHASSIS_NETWORK), CHASSIS_MAC, CHASSIS_NETWORK);
    let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    for (bytes, expected) in [
        (&[1, 192, 0, 2, 9][..], "192.0.2.9"),
        (&[192, 0, 2, 9], "192.0.2.9"),
        (&[10, 0, 0, 65], "10.0.0.65"),
        (b"192.0.2.9", "192.0.2.9"),
        (b"192.0.2.9\0", "192.0.2.9"),
        (&[[2].as_slice(), &v6].concat(), "2001:db8::9"),
        (&v6, "2001:db8::9"),
        (b"2001:db8::9", "2001:db8::9"),
    ] {
        let found = read(bytes);
        assert_eq!(found.address, expected.parse().ok(), "{bytes:?}");
        assert_eq!((found.text.as_deref(), found.mac), (Some(expected), None), "{bytes:?}");
    }
    // Four letters are a name, and what names nobody is nobody's address.
    for (bytes, text) in
        [(&b"sw01"[..], "sw01"), (b"switch-floor-001", "switch-floor-001"), (b"127.0.0.1", "127.0.0.1")]
    {
        let found = read(bytes);
        assert_eq!((found.address, found.text.as_deref()), (None, Some(text)));
    }
    assert_eq!(
        id(b"192.0.2.9", Some(7), CHASSIS_MAC, CHASSIS_NETWORK).address,
        None,
        "not declared to be one"
    );
}
