//! Which address is asked on which wire.

use super::*;
use crate::model::MacAddr;

fn interface(name: &str, addresses: &[&str]) -> Interface {
    Interface {
        name: name.to_owned(),
        index: 2,
        mac: Some(MacAddr::new([0x52, 0x54, 0, 0, 0, 1])),
        addresses: addresses
            .iter()
            .map(|text| {
                let network: Ipv4Net = text.parse().unwrap();
                (network.addr(), network.trunc())
            })
            .collect(),
        addresses6: Vec::new(),
        is_up: true,
        has_arp: true,
    }
}

fn divided(subnets: &[&str], only: Option<&str>, interfaces: &[Interface]) -> Targets {
    let subnets: Vec<IpNet> = subnets.iter().map(|text| text.parse().unwrap()).collect();
    divide(Wanted { subnets: &subnets, interface: only, max_addresses: 65536 }, interfaces)
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

#[test]
fn an_attached_subnet_is_asked_by_arp_without_our_own_address() {
    let targets = divided(&["192.0.2.0/24"], None, &[interface("eth0", &["192.0.2.1/24"])]);
    let asked = &targets.attached["eth0"];
    assert_eq!(asked.len(), 253);
    assert_eq!(asked[&ip("192.0.2.254")], ip("192.0.2.1"));
    assert!(targets.routed.is_empty() && targets.refused.is_empty());
    assert_eq!(targets.own, BTreeMap::from([(ip("192.0.2.1"), "eth0".to_owned())]));
    assert_eq!(targets.networks, BTreeSet::from([("192.0.2.0/24".parse().unwrap(), "eth0".to_owned())]));
}

#[test]
fn half_a_network_has_no_broadcast_address_in_its_middle() {
    let targets = divided(&["192.0.2.0/25"], None, &[interface("eth0", &["192.0.2.200/24"])]);
    let asked = &targets.attached["eth0"];
    assert!(asked.contains_key(&ip("192.0.2.127")) && !asked.contains_key(&ip("192.0.2.0")));
    assert!(targets.own.is_empty());
}

#[test]
fn what_is_not_attached_is_routed() {
    let interfaces = [interface("eth0", &["192.0.2.1/26"]), interface("eth1", &["192.0.2.65/26"])];
    let targets = divided(&["192.0.2.0/24", "198.51.100.0/30", "192.0.2.0/25"], None, &interfaces);
    assert_eq!(targets.attached["eth0"].len(), 61);
    assert_eq!(targets.attached["eth1"].len(), 61);
    assert_eq!(targets.routed.len(), 127 + 2);
    assert!(!targets.routed.contains(&ip("192.0.2.255")), "the broadcast address");
}

#[test]
fn small_networks_are_asked_whole() {
    let eth0 = [interface("eth0", &["192.0.2.0/31"])];
    assert_eq!(divided(&["192.0.2.0/31"], None, &eth0).attached["eth0"].len(), 1);
    assert_eq!(divided(&["203.0.113.9/32"], None, &eth0).routed.len(), 1);
}

#[test]
fn an_interface_without_an_address_asks_with_a_probe() {
    let interfaces = [interface("eth0", &["10.0.0.1/24"]), interface("eth9", &[])];
    let targets = divided(&["192.0.2.0/29"], Some("eth9"), &interfaces);
    assert_eq!(targets.attached["eth9"].len(), 6);
    assert!(targets.attached["eth9"].values().all(Ipv4Addr::is_unspecified));
    assert!(targets.own.is_empty());
    let missing = divided(&["192.0.2.0/29"], Some("eth5"), &interfaces);
    assert_eq!(missing.refused, ["there is no interface `eth5` (hint: there are eth0, eth9)"]);
}

#[test]
fn interfaces_without_arp_are_routed_and_those_that_are_named_are_refused() {
    let tunnel = Interface { has_arp: false, ..interface("wg0", &["10.9.0.1/24"]) };
    assert_eq!(divided(&["10.9.0.0/24"], None, std::slice::from_ref(&tunnel)).routed.len(), 254);
    let refused = divided(&["10.9.0.0/24"], Some("wg0"), &[tunnel]).refused;
    assert!(refused[0].contains("`wg0` does not speak ARP"), "{refused:?}");
    let down = Interface { is_up: false, ..interface("eth0", &["10.9.0.1/24"]) };
    let refused = divided(&["10.9.0.0/24"], Some("eth0"), &[down]).refused;
    assert!(refused[0].contains("`eth0` is down"), "{refused:?}");
}

#[test]
fn too_large_subnets_are_refused_and_the_rest_is_scanned() {
    let targets = divided(&["10.0.0.0/8", "2001:db8::/64", "0.0.0.0/0", "192.0.2.0/30"], None, &[]);
    assert_eq!(targets.routed.len(), 2);
    assert_eq!(targets.refused.len(), 2);
    assert!(targets.refused[0].contains("16777216 addresses, and `max_addresses` is 65536"), "{targets:?}");
    assert_eq!(divided(&["10.0.0.0/16"], None, &[]).routed.len(), 65534);
}
