//! Small random networks and NetBoxes, for properties: few names, addresses and ports, so that they collide.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::json;
use surveyor::model::observation::{
    DeviceFact, DeviceRole, GuestFact, GuestKind, GuestNic, InterfaceFact, LeaseFact, LeaseState,
    NeighborFact,
};
use surveyor::model::{Collection, Fact, FactKind, MacAddr, ObjectKind, SourceName, Timestamp};

use super::world::World;

/// Ports of a switch that hosts hang on; the next one goes to the other switch.
const PORTS: u8 = 4;

/// What sources say.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    hosts: Vec<Host>,
    guests: Vec<Vec<u8>>,
    is_linked: bool,
    gap: bool,
}

#[derive(Debug, Clone)]
struct Host {
    mac: u8,
    switch: u8,
    port: u8,
    address: Option<u8>,
    name: Option<u8>,
    leased: bool,
}

/// What people documented.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    prefix: bool,
    switches: bool,
    inline_mac: bool,
    foreign: Vec<(u8, u8, Option<u8>, Option<u8>, Option<u8>)>,
    free: Option<u8>,
}

const NAMES: [&str; 5] = ["printer", "camera", "desk", "not a name", "printer.lan.example.org"];

pub(crate) fn network() -> impl Strategy<Value = Network> {
    let host =
        (0..8_u8, 0..2_u8, 0..PORTS, prop::option::of(0..6_u8), prop::option::of(0..5_u8), any::<bool>())
            .prop_map(|(mac, switch, port, address, name, leased)| Host {
                mac,
                switch,
                port,
                address,
                name,
                leased,
            });
    (
        prop::collection::vec(host, 0..5),
        prop::collection::vec(prop::collection::vec(0..6_u8, 1..4), 0..3),
        any::<bool>(),
        prop::bool::weighted(0.15),
    )
        .prop_map(|(mut hosts, guests, is_linked, gap)| {
            hosts.sort_by_key(|host| host.mac);
            hosts.dedup_by_key(|host| host.mac);
            Network { hosts, guests, is_linked, gap }
        })
}

pub(crate) fn documents() -> impl Strategy<Value = Documents> {
    let foreign =
        (0..5_u8, 0..8_u8, prop::option::of(0..8_u8), prop::option::of(0..6_u8), prop::option::of(0..PORTS));
    (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(foreign, 0..3),
        prop::option::of(0..6_u8),
    )
        .prop_map(|(prefix, switches, inline_mac, foreign, free)| Documents {
            prefix,
            switches,
            inline_mac,
            foreign,
            free,
        })
}

pub(crate) fn mac(kind: u8, number: u8) -> MacAddr {
    MacAddr::new([0, 0x1b, 0x21, 0, kind, number])
}

fn address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10 + number))
}

impl Network {
    /// The recordings, in an order of their own.
    pub(crate) fn collections(&self) -> Vec<Collection> {
        let mut all = Vec::new();
        for switch in 0..2_u8 {
            let name = format!("sw{switch}");
            let mut said = Collection::new(SourceName::new(&name), Timestamp(0));
            said.facts.push(Fact::Device(DeviceFact {
                device: name.clone(),
                role: DeviceRole::Switch,
                macs: vec![mac(9, switch)],
                ..DeviceFact::default()
            }));
            for port in 0..=PORTS {
                let port = InterfaceFact {
                    device: name.clone(),
                    name: format!("ether{port}"),
                    ..InterfaceFact::default()
                };
                said.facts.push(Fact::Interface(port));
            }
            let uplink = format!("ether{PORTS}");
            if self.is_linked {
                said.facts.push(Fact::LldpNeighbor(NeighborFact {
                    device: name.clone(),
                    port: Some(uplink.clone()),
                    chassis_mac: Some(mac(9, 1 - switch)),
                    port_id: Some(uplink.clone()),
                    system_name: Some(format!("sw{}", 1 - switch)),
                    ..NeighborFact::default()
                }));
            }
            for host in &self.hosts {
                let port = if host.switch == switch {
                    format!("ether{}", host.port)
                } else if self.is_linked {
                    uplink.clone()
                } else {
                    continue;
                };
                said.push_fdb(&name, Ok(&port), mac(1, host.mac), Some(10));
            }
            if self.gap && switch == 1 {
                said.gap(FactKind::Fdb, "timed out after 10 s");
            }
            all.push(said);
        }
        all.push(self.router());
        all.push(self.hypervisor());
        all
    }

    fn router(&self) -> Collection {
        let mut said = Collection::new(SourceName::new("router1"), Timestamp(0));
        said.facts.push(Fact::Network { prefix: "192.0.2.0/24".parse().unwrap(), interface: None });
        for host in &self.hosts {
            let Some(number) = host.address else { continue };
            let (mac, address) = (mac(1, host.mac), address(number));
            said.facts.push(if host.leased {
                Fact::DhcpLease(LeaseFact {
                    mac,
                    address: Some(address),
                    host_name: host.name.map(|name| NAMES[usize::from(name)].to_owned()),
                    state: LeaseState::Bound,
                    dynamic: true,
                    server: None,
                    comment: None,
                    client_id: None,
                    vendor_class: None,
                    expires_at: None,
                })
            } else {
                Fact::Neighbor { mac, address, interface: None }
            });
        }
        said
    }

    fn hypervisor(&self) -> Collection {
        let mut said = Collection::new(SourceName::new("pve"), Timestamp(0));
        for (number, cards) in self.guests.iter().enumerate() {
            let number = u8::try_from(number).unwrap();
            let mut cards = cards.clone();
            cards.sort_unstable();
            cards.dedup();
            let nics = cards.iter().enumerate().map(|(position, card)| GuestNic {
                name: format!("net{position}"),
                mac: Some(mac(2 + number, *card)),
                addresses: vec![IpNet::new(address(10 + 6 * number + card), 24).unwrap()],
                ..GuestNic::default()
            });
            said.facts.push(Fact::Guest(GuestFact {
                cluster: "lab".to_owned(),
                id: 100 + u32::from(number),
                uuid: Some(format!("uuid-{number}")),
                kind: GuestKind::Qemu,
                name: Some(NAMES[usize::from(number)].to_owned()),
                node: "pve1".to_owned(),
                running: Some(true),
                vcpus: Some(2),
                memory_mib: Some(2048),
                disk_mib: None,
                tags: Vec::new(),
                nics: nics.collect(),
            }));
        }
        said
    }
}

impl Documents {
    /// A NetBox with these documents.
    pub(crate) fn world(&self) -> World {
        let mut world = World::new();
        world.view.features.inline_mac = self.inline_mac;
        if self.prefix {
            world.document(ObjectKind::Prefix, json!({ "prefix": "192.0.2.0/25" }));
        }
        let mut switches = Vec::new();
        for switch in 0..2_u8 {
            if !self.switches {
                break;
            }
            let device =
                world.document(ObjectKind::Device, json!({ "name": format!("sw{switch}"), "site": 1 }));
            switches.push(device);
            for port in 0..=PORTS {
                let fields =
                    json!({ "device": device, "name": format!("ether{port}"), "type": "1000base-t" });
                world.document(ObjectKind::Interface, fields);
            }
        }
        for (number, (name, _, card, number_of_address, port)) in self.foreign.iter().enumerate() {
            let name = format!("{}{}", NAMES[usize::from(*name)], if number == 0 { "" } else { "-b" });
            let device = world.document(ObjectKind::Device, json!({ "name": name, "site": 1 }));
            let mut fields = json!({ "device": device, "name": "eth0", "type": "other" });
            if let Some(card) = card {
                fields["mac_address"] = json!(mac(1, *card));
            }
            let interface = world.document(ObjectKind::Interface, fields);
            let is_used = |address: &IpAddr, world: &World| {
                world.view.addresses.iter().any(|known| known.address.addr() == *address)
            };
            if let Some(address) = number_of_address.map(address).filter(|address| !is_used(address, &world))
            {
                let fields = json!({ "address": format!("{address}/24"), "assigned_object_type": "dcim.interface",
                    "assigned_object_id": interface });
                let id = world.document(ObjectKind::IpAddress, fields);
                world.view.machines.last_mut().unwrap().primary_ip4 = Some(id);
            }
            let port = port.and_then(|port| {
                let wanted = format!("ether{port}");
                let device = *switches.first()?;
                let view = world.view();
                let found = view
                    .interfaces
                    .iter()
                    .find(|known| known.machine.id == device && known.name == wanted)?;
                found.cable.is_none().then_some(found.object.id)
            });
            if let Some(port) = port {
                let end = |id: i64| json!([{ "object_type": "dcim.interface", "object_id": id }]);
                let cable = json!({ "a_terminations": end(interface), "b_terminations": end(port) });
                world.document(ObjectKind::Cable, cable);
            }
        }
        if let Some(address) = self.free.map(address)
            && !world.view.addresses.iter().any(|known| known.address.addr() == address)
        {
            world.document(ObjectKind::IpAddress, json!({ "address": format!("{address}/24") }));
        }
        world
    }
}
