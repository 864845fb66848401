//! Random facts about few names, addresses and ports, so that they collide; hostile ones among them.

use std::net::IpAddr;

use proptest::prelude::*;

use crate::model::observation::{
    Capability, DeviceFact, DeviceRole, GuestFact, GuestKind, GuestNic, InterfaceFact, LeaseFact, LeaseState,
    NeighborFact, NeighborProtocol, PortKind,
};
use crate::model::{Collection, Fact, MacAddr, SourceName, Timestamp};

const NAMES: [&str; 22] = [
    "printer",
    "Printer",
    "nas1",
    "NAS1.lan.example.org",
    "core",
    "core-2",
    "core.example.org",
    "sw1",
    "sw1.example.org",
    "MikroTik",
    "localhost",
    "not a name",
    "<script>alert(1)</script>",
    "host-001b21000001",
    "192.0.2.7",
    "12345",
    "h\u{e4}n",
    "a;rm -rf",
    "",
    "SEP001B21AA0002",
    "x\n",
    "wpad",
];
/// Where reports of one guest contradict each other, their text decides, in which an address is in another place afterwards.
const GUESTS: [&str; 4] = ["printer", "NAS1.lan.example.org", "a;rm -rf", "localhost"];
const PORTS: [&str; 8] = [
    "ether1",
    "ether2",
    "Gi1/0/1",
    "GigabitEthernet1/0/1",
    "vlan10-guests",
    "uplink-core",
    "enx001b21000001",
    "7",
];
const TEXTS: [&str; 6] = [
    "RouterOS 7.20.5",
    "for printer at 192.0.2.7",
    "",
    "MSFT 5.0",
    "udhcp 1.30",
    "001b.2100.0001 in rack B12",
];
const SERIALS: [&str; 5] = ["FOX1234567", "FOX7654321", "To be filled by O.E.M.", "11111", "HE908XYZ"];

fn any_mac() -> impl Strategy<Value = MacAddr> {
    let first = prop_oneof![4 => Just([0, 0x1b, 0x21]), 1 => Just([0x02, 0x1b, 0x21]), 1 => Just([0xbc, 0x24, 0x11]),
        1 => Just([0, 0, 0x5e]), 1 => Just([0x3c, 0x01, 0x02])];
    (first, 0..3_u8, 0..6_u8).prop_map(|([a, b, c], kind, last)| MacAddr::new([a, b, c, 0, kind, last]))
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        6 => (0..12_u8).prop_map(|last| IpAddr::from([192, 0, 2, last + 1])),
        2 => (0..4_u8, 0..4_u8).prop_map(|(third, last)| IpAddr::from([10, 0, third, last + 1])),
        1 => (0..4_u8).prop_map(|last| IpAddr::from([203, 0, 114, last + 1])),
        2 => (0..6_u16).prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last + 1])),
        1 => any_mac().prop_map(|mac| IpAddr::from(((0x2001_0db8_u128) << 96 | u128::from(mac.interface_identifier())).to_be_bytes())),
        1 => Just("fe80::1".parse().unwrap()),
    ]
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn option_of(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(one_of(texts))
}

const DEVICES: [&str; 5] = ["sw1", "sw2", "gw", "pve", "core"];

fn any_fact() -> impl Strategy<Value = Fact> {
    let role = prop::sample::select(
        &[DeviceRole::Switch, DeviceRole::Router, DeviceRole::AccessPoint, DeviceRole::Hypervisor][..],
    );
    let macs = || prop::collection::vec(any_mac(), 0..3);
    let device = (
        one_of(&DEVICES),
        role,
        option_of(&NAMES),
        prop::option::of(any_address()),
        option_of(&TEXTS),
        option_of(&SERIALS),
        option_of(&NAMES),
        macs(),
    )
        .prop_map(|(device, role, own_name, address, description, serial, chassis_id, macs)| {
            Fact::Device(DeviceFact {
                device,
                role,
                own_name,
                address,
                description,
                serial,
                chassis_id,
                macs,
                ..DeviceFact::default()
            })
        });
    let kind = prop::sample::select(&[PortKind::Physical, PortKind::Lag, PortKind::Bridge][..]);
    let interface = (
        one_of(&DEVICES),
        one_of(&PORTS),
        kind,
        prop::option::of(any_mac()),
        option_of(&PORTS),
        option_of(&PORTS),
        prop::option::of(1..9_u32),
    )
        .prop_map(|(device, name, kind, mac, alias, lag, if_index)| {
            Fact::Interface(InterfaceFact {
                device,
                name,
                if_index,
                kind,
                mac,
                alias,
                lag,
                ..InterfaceFact::default()
            })
        });
    let network = prop::sample::select(
        &["192.0.2.0/24", "10.0.0.0/8", "10.0.1.0/24", "2001:db8::/64", "192.0.2.0/29", "0.0.0.0/0"][..],
    )
    .prop_map(|prefix| Fact::Network { prefix: prefix.parse().unwrap(), interface: None });
    let state = prop::sample::select(&[LeaseState::Bound, LeaseState::Waiting][..]);
    let lease = (
        any_mac(),
        prop::option::of(any_address()),
        option_of(&NAMES),
        state,
        option_of(&TEXTS),
        option_of(&TEXTS),
    )
        .prop_map(|(mac, address, host_name, state, comment, vendor_class)| {
            Fact::DhcpLease(LeaseFact {
                mac,
                address,
                host_name,
                state,
                dynamic: true,
                server: None,
                comment,
                client_id: Some(format!("1:{}", mac.lower())),
                vendor_class,
                expires_at: None,
            })
        });
    let neighbor = (any_mac(), any_address()).prop_map(|(mac, address)| Fact::Neighbor {
        mac,
        address,
        interface: None,
    });
    let scan = (any_address(), prop::option::of(any_mac()), option_of(&NAMES))
        .prop_map(|(address, mac, name)| Fact::ScanReply { address, mac, name });
    let row = (one_of(&DEVICES), one_of(&PORTS), any_mac(), prop::option::of(1..4_u16)).prop_map(
        |(device, port, mac, vlan)| Fact::FdbEntry {
            device,
            port: Some(port),
            unresolved_port: None,
            mac,
            vlan,
            age: None,
        },
    );
    let protocol =
        prop::sample::select(&[NeighborProtocol::Lldp, NeighborProtocol::Cdp, NeighborProtocol::Mndp][..]);
    let capabilities =
        prop::sample::subsequence(vec![Capability::Bridge, Capability::Telephone, Capability::Router], 0..3);
    let heard = (
        one_of(&DEVICES),
        option_of(&PORTS),
        protocol,
        prop::option::of(any_mac()),
        option_of(&NAMES),
        option_of(&PORTS),
        option_of(&NAMES),
        capabilities,
    )
        .prop_map(
            |(device, port, protocol, chassis_mac, chassis_id, port_id, system_name, capabilities)| {
                Fact::LldpNeighbor(NeighborFact {
                    device,
                    port,
                    protocol,
                    chassis_mac,
                    chassis_id,
                    port_id,
                    system_name,
                    capabilities,
                    ..NeighborFact::default()
                })
            },
        );
    let guest =
        (100..103_u32, option_of(&GUESTS), one_of(&DEVICES), any_mac(), prop::option::of(any_address()))
            .prop_map(|(id, name, node, mac, address)| {
                let addresses = address.into_iter().map(|one| ipnet::IpNet::new(one, 24).unwrap()).collect();
                Fact::Guest(GuestFact {
                    cluster: "lab".to_owned(),
                    id,
                    uuid: None,
                    kind: GuestKind::Lxc,
                    name,
                    node,
                    running: Some(true),
                    vcpus: None,
                    memory_mib: None,
                    disk_mib: None,
                    tags: Vec::new(),
                    nics: vec![GuestNic {
                        name: "net0".to_owned(),
                        mac: Some(mac),
                        addresses,
                        ..GuestNic::default()
                    }],
                })
            });
    prop_oneof![2 => device, 2 => interface, 1 => network, 4 => lease, 3 => neighbor, 2 => scan, 6 => row, 3 => heard, 1 => guest]
}

/// Anything that sources may say.
pub(super) fn any_collections() -> impl Strategy<Value = Vec<Collection>> {
    prop::collection::vec(prop::collection::vec(any_fact(), 0..18), 1..4).prop_map(|all| {
        let named = all.into_iter().zip(["sw1", "gw", "router.example.org"]);
        named
            .map(|(facts, name)| {
                let mut collection = Collection::new(SourceName::new(name), Timestamp(0));
                for fact in facts {
                    collection.absorb(fact);
                }
                collection
            })
            .collect()
    })
}
