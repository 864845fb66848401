//! Forwarding tables in the shapes that real agents send.

use super::*;
use crate::model::{SourceName, Timestamp};
use crate::source::snmp::walk::Value;
use proptest::prelude::*;

const MAC: [u32; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

type Found = (String, Result<String, u32>, Option<u16>);

fn push_all(walk: &Walk, vendor: Vendor) -> (Vec<Found>, BTreeSet<MacAddr>) {
    let interfaces = Interfaces::read(walk, vendor);
    let mut sink = Collection::new(SourceName::new("sw1"), Timestamp(0));
    let own = push(walk, "sw1", vendor, &interfaces, &mut sink);
    let rows = sink
        .fdb
        .rows()
        .map(|(mac, port, vlan)| (mac.to_string(), sink.fdb.port(port).unwrap().port.clone(), vlan))
        .collect();
    (rows, own)
}

/// Two ports: base port 1 is ifIndex 101 `ether1`, base port 2 is ifIndex 102 `ether2`.
fn bridge() -> Walk {
    let mut walk = Walk::default();
    for port in [1_u32, 2] {
        walk.push(Column::BasePortIfIndex, vec![port], Value::Number(i64::from(port) + 100));
        walk.push(Column::IfName, vec![port + 100], Value::Bytes(format!("ether{port}").into_bytes()));
    }
    walk
}

fn index(prefix: &[u32]) -> Vec<u32> {
    prefix.iter().chain(&MAC).copied().collect()
}

fn row(port: Result<&str, u32>, vlan: Option<u16>) -> Found {
    ("52:54:00:12:34:56".into(), port.map(str::to_owned), vlan)
}

#[test]
fn an_address_may_follow_its_length() {
    for (column, prefix, vlan) in [
        (Column::FdbPort, &[][..], None),
        (Column::FdbPort, &[6], None),
        (Column::VlanFdbPort, &[10], Some(10)),
        (Column::VlanFdbPort, &[10, 6], Some(10)),
        (Column::VlanFdbPort, &[6], Some(6)),
        (Column::VlanFdbPort, &[], None),
    ] {
        let mut walk = bridge();
        walk.push(column, index(prefix), Value::Number(2));
        assert_eq!(push_all(&walk, Vendor::default()).0, [row(Ok("ether2"), vlan)], "{column:?} {prefix:?}");
    }
}

#[test]
fn a_row_number_takes_the_address_from_its_column() {
    let mut walk = bridge();
    walk.push(Column::FdbPort, vec![7], Value::Number(1));
    assert!(needs_addresses(walk.rows(Column::FdbPort)));
    assert!(push_all(&walk, Vendor::default()).0.is_empty(), "a port without an address is no row");
    walk.push(Column::FdbAddress, vec![7], Value::Bytes(vec![0x52, 0x54, 0, 0x12, 0x34, 0x56]));
    assert_eq!(push_all(&walk, Vendor::default()).0, [row(Ok("ether1"), None)]);
}

#[test]
fn the_status_tells_learned_from_own() {
    for (status, kept, own) in
        [(1, true, false), (2, false, false), (3, true, false), (4, false, true), (5, true, false)]
    {
        let mut walk = bridge();
        walk.push(Column::FdbPort, index(&[]), Value::Number(1));
        walk.push(Column::FdbStatus, index(&[]), Value::Number(status));
        let (rows, macs) = push_all(&walk, Vendor::default());
        assert_eq!((!rows.is_empty(), !macs.is_empty()), (kept, own), "status {status}");
    }
}

#[test]
fn no_port_is_no_row() {
    for port in [0, -1] {
        let mut walk = bridge();
        walk.push(Column::VlanFdbPort, index(&[1]), Value::Number(port));
        assert!(push_all(&walk, Vendor::default()).0.is_empty());
    }
}

#[test]
fn a_number_that_is_no_port_is_kept_as_such() {
    let mut walk = bridge();
    walk.push(Column::VlanFdbPort, index(&[1]), Value::Number(976));
    walk.push(Column::VlanFdbPort, vec![1, 2, 0, 0, 0, 0, 9], Value::Number(1));
    let (rows, _) = push_all(&walk, Vendor::default());
    assert_eq!(rows[0], row(Err(976), Some(1)));
    assert_eq!(rows[1].1, Ok("ether1".to_owned()));
}

#[test]
fn the_table_with_vlans_replaces_the_plain_one_and_borrows_its_port() {
    let mut walk = bridge();
    walk.push(Column::FdbPort, index(&[]), Value::Number(2));
    walk.push(Column::FdbPort, vec![2, 0, 0, 0, 0, 9], Value::Number(1));
    walk.push(Column::VlanFdbPort, index(&[20]), Value::Number(4711));
    let (rows, _) = push_all(&walk, Vendor::default());
    assert_eq!(rows[0], row(Ok("ether2"), Some(20)));
    assert_eq!(rows[1], ("02:00:00:00:00:09".into(), Ok("ether1".into()), None));
    assert_eq!(rows.len(), 2);
}

#[test]
fn every_vlan_context_has_its_own_base_ports() {
    let mut walk = bridge();
    walk.push(Column::FdbPort, vec![2, 0, 0, 0, 0, 9], Value::Number(1));
    let mut context = Walk::default();
    context.push(Column::BasePortIfIndex, vec![5], Value::Number(102));
    context.push(Column::FdbPort, index(&[]), Value::Number(5));
    walk.vlans.insert(950, context);
    let (rows, _) = push_all(&walk, Vendor::default());
    assert_eq!(rows[0], row(Ok("ether2"), Some(950)));
    assert_eq!(rows[1], ("02:00:00:00:00:09".into(), Ok("ether1".into()), Some(1)));
}

#[test]
fn the_default_context_of_ios_is_vlan_1() {
    let ios = Vendor::of(&[1, 3, 6, 1, 4, 1, 9, 1, 516], Some("Cisco IOS Software"));
    let mut walk = bridge();
    walk.push(Column::FdbPort, index(&[]), Value::Number(1));
    assert_eq!(push_all(&walk, ios).0, [row(Ok("ether1"), None)], "a router has no VLANs");
    walk.push(Column::VtpVlanState, vec![1, 1], Value::Number(1));
    assert_eq!(push_all(&walk, ios).0, [row(Ok("ether1"), Some(1))]);
    let nx_os = Vendor::of(&[1, 3, 6, 1, 4, 1, 9, 12, 3], Some("Cisco NX-OS(tm)"));
    assert_eq!(push_all(&walk, nx_os).0, [row(Ok("ether1"), None)]);
}

#[test]
fn the_vendors_own_table_comes_before_the_others() {
    let own = |last: u32, vlan: u32| vec![2, 0, 0, 0, 0, last, vlan, 1, 48];
    let huawei = Vendor::of(&[1, 3, 6, 1, 4, 1, 2011, 2], None);
    let mut walk = bridge();
    for (last, vlan, if_index) in [(1, 10, 101), (2, 10, 4711), (3, 10, 101), (3, 20, 102)] {
        walk.push(Column::HuaweiFdbPort, own(last, vlan), Value::Number(if_index));
    }
    // The plain table knows some of them, the number of one, and one more.
    for (last, port) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
        walk.push(Column::FdbPort, vec![2, 0, 0, 0, 0, last], Value::Number(port));
    }
    // The table with VLANs knows one of them in another VLAN.
    walk.push(Column::VlanFdbPort, vec![10, 2, 0, 0, 0, 0, 1], Value::Number(2));
    walk.push(Column::VlanFdbPort, vec![30, 2, 0, 0, 0, 0, 1], Value::Number(2));
    let at = |last: u32, port: &str, vlan| (format!("02:00:00:00:00:0{last}"), Ok(port.to_owned()), vlan);
    assert_eq!(
        push_all(&walk, huawei).0,
        [
            at(1, "ether1", Some(10)),
            at(2, "ether2", Some(10)),
            at(3, "ether1", Some(10)),
            at(3, "ether2", Some(20)),
            at(1, "ether2", Some(30)),
            at(4, "ether1", None),
        ]
    );
}

#[test]
fn the_address_of_nobody_is_no_row() {
    let mut walk = bridge();
    walk.push(Column::FdbPort, vec![0, 0, 0, 0, 0, 0], Value::Number(1));
    assert!(push_all(&walk, Vendor::default()).0.is_empty());
}

#[test]
fn pvids_are_by_interface() {
    let mut walk = bridge();
    walk.push(Column::Pvid, vec![2], Value::Number(30));
    walk.push(Column::Pvid, vec![9], Value::Number(30));
    walk.push(Column::AccessVlan, vec![101], Value::Number(7));
    walk.push(Column::AccessVlan, vec![102], Value::Number(7));
    walk.push(Column::AccessVlan, vec![103], Value::Number(0));
    assert_eq!(pvids(&walk, &base_ports(&walk)), BTreeMap::from([(101, 7), (102, 30)]));
}

fn arbitrary_rows() -> impl Strategy<Value = Vec<(usize, Vec<u32>, i64)>> {
    let index = prop::collection::vec(prop_oneof![0_u32..8, 0_u32..300, any::<u32>()], 0..12);
    prop::collection::vec((0..Column::ALL.len(), index, prop_oneof![-2_i64..8, any::<i64>()]), 0..60)
}

proptest! {
    #[test]
    fn random_shapes_never_panic_and_never_invent_a_port(rows in arbitrary_rows()) {
        let mut walk = bridge();
        for (column, index, value) in rows {
            walk.push(Column::ALL[column], index, Value::Number(value));
        }
        let (found, _) = push_all(&walk, Vendor::default());
        for (_, port, vlan) in found {
            prop_assert!(port.map_or_else(|number| number > 0, |name| !name.is_empty()));
            prop_assert!(vlan.is_none_or(|vlan| (1..=4094).contains(&vlan)));
        }
    }
}
