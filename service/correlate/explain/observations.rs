//! Every observation of a candidate, straight from what sources returned: also those that do not count, with the reason. All
//! forwarding rows are looked at once, for however many candidates are asked about.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::correlate::inventory::{Device, DeviceId};
use crate::correlate::ports::PortId;
use crate::correlate::sightings::Saying;
use crate::correlate::world::World;
use crate::correlate::{addresses, devices, vendor, words};
use crate::model::explanation::ExplainedObservation;
use crate::model::observation::{GuestFact, GuestKind, LeaseState, PortKind};
use crate::model::{Collection, Fact, MacAddr};

/// Whose observations are wanted.
pub(super) struct About<'a> {
    /// Its MAC addresses.
    pub macs: BTreeSet<MacAddr>,
    /// Its network addresses: answers to scans from behind a router have no other sign.
    pub addresses: BTreeSet<IpAddr>,
    /// The known device it is.
    pub device: Option<DeviceId>,
    /// The guest it is.
    pub guest: Option<&'a GuestFact>,
}

/// Where to find whom.
struct Subjects<'x, 'a> {
    all: &'x [&'x About<'a>],
    by_mac: HashMap<MacAddr, Vec<usize>>,
    by_address: HashMap<IpAddr, Vec<usize>>,
    by_device: HashMap<DeviceId, Vec<usize>>,
    /// By the edge ports that learned one of its addresses: what others announce there decides too.
    by_port: HashMap<PortId, Vec<usize>>,
}

/// The observations of each, sorted, without doubles.
pub(super) fn observations(world: &World<'_, '_>, abouts: &[&About<'_>]) -> Vec<Vec<ExplainedObservation>> {
    let mut subjects = Subjects {
        all: abouts,
        by_mac: HashMap::new(),
        by_address: HashMap::new(),
        by_device: HashMap::new(),
        by_port: HashMap::new(),
    };
    for (index, about) in abouts.iter().enumerate() {
        for mac in &about.macs {
            subjects.by_mac.entry(*mac).or_default().push(index);
        }
        for address in &about.addresses {
            subjects.by_address.entry(*address).or_default().push(index);
        }
        for port in edge_ports(world, &about.macs) {
            subjects.by_port.entry(port).or_default().push(index);
        }
        if let Some(device) = about.device {
            subjects.by_device.entry(device).or_default().push(index);
        }
    }
    let mut told: Vec<BTreeSet<ExplainedObservation>> = vec![BTreeSet::new(); abouts.len()];
    let mut tell = |index: usize, source: &str, says: String, ignored: Option<String>| {
        if let Some(told) = told.get_mut(index) {
            told.insert(ExplainedObservation { source: source.to_owned(), says, ignored });
        }
    };
    for collection in world.collections {
        let source = collection.source.as_str();
        for fact in &collection.facts {
            for index in subjects.of(world, source, fact) {
                if let Some((says, ignored)) = said(world, source, fact) {
                    tell(index, source, says, ignored);
                }
            }
        }
        for (index, says, ignored) in learned(world, collection, &subjects) {
            tell(index, source, says, ignored);
        }
        for (device, indexes) in &subjects.by_device {
            for says in world.inventory.get(*device).into_iter().flat_map(|device| read(device, source)) {
                for index in indexes {
                    tell(*index, source, says.clone(), None);
                }
            }
        }
    }
    for heard in world.heard {
        let mut indexes: BTreeSet<usize> = subjects.with_macs(heard.macs());
        indexes.extend(heard.speaker.iter().filter_map(|speaker| subjects.by_device.get(speaker)).flatten());
        let there = heard.port.and_then(|port| subjects.by_port.get(&port)).into_iter().flatten();
        for index in there.filter(|index| !indexes.contains(index)) {
            let device = world.inventory.name(heard.device);
            let says = format!("{}, the port of {device} that learned it", words::announced(heard));
            tell(*index, heard.source, says, None);
        }
        for index in indexes {
            tell(index, heard.source, words::announced(heard), None);
        }
    }
    for (index, about) in abouts.iter().enumerate() {
        let Some(told) = told.get_mut(index).filter(|told| !told.is_empty()) else { continue };
        for mac in &about.macs {
            if let Some(vendor) = vendor::of(*mac) {
                let says = format!("{mac} is of a block of {vendor}");
                let source = vendor::REGISTRY.to_owned();
                told.insert(ExplainedObservation { source, says, ignored: None });
            }
        }
    }
    told.into_iter().map(|told| told.into_iter().collect()).collect()
}

/// The ports that learned one of these addresses and lead to no other switch.
fn edge_ports(world: &World<'_, '_>, macs: &BTreeSet<MacAddr>) -> BTreeSet<PortId> {
    let rows = world.edge.rows;
    let ports = macs.iter().filter_map(|mac| rows.find(*mac)).flat_map(|mac| rows.ports_of(mac));
    ports.copied().filter(|port| !world.edge.topology.is_inter_switch(*port)).collect()
}

impl Subjects<'_, '_> {
    fn with_macs(&self, macs: impl Iterator<Item = MacAddr>) -> BTreeSet<usize> {
        macs.filter_map(|mac| self.by_mac.get(&mac)).flatten().copied().collect()
    }

    /// Whom a fact is about. Announcements are looked up by who spoke, interfaces are counted.
    fn of(&self, world: &World<'_, '_>, source: &str, fact: &Fact) -> BTreeSet<usize> {
        match fact {
            Fact::DhcpLease(lease) => self.with_macs(std::iter::once(lease.mac)),
            Fact::Neighbor { mac, .. } | Fact::ScanReply { mac: Some(mac), .. } => {
                self.with_macs(std::iter::once(*mac))
            }
            Fact::ScanReply { mac: None, address, .. } => {
                self.by_address.get(address).into_iter().flatten().copied().collect()
            }
            Fact::Guest(fact) => {
                let is_it = |about: &&About<'_>| {
                    about.guest.is_some_and(|guest| (&guest.cluster, guest.id) == (&fact.cluster, fact.id))
                };
                let mut found = self.with_macs(fact.nics.iter().filter_map(|nic| nic.mac));
                found.extend(self.all.iter().enumerate().filter(|(_, about)| is_it(about)).map(|(i, _)| i));
                found
            }
            Fact::Device(fact) => {
                let device = world.inventory.referred(source, &fact.device);
                let found = device.and_then(|device| self.by_device.get(&device));
                found.into_iter().flatten().copied().collect()
            }
            Fact::Interface(_) | Fact::Network { .. } | Fact::FdbEntry { .. } | Fact::LldpNeighbor(_) => {
                BTreeSet::new()
            }
        }
    }
}

/// What a fact says in words, and why it does not count.
fn said(world: &World<'_, '_>, source: &str, fact: &Fact) -> Option<(String, Option<String>)> {
    let outside = |address: IpAddr, is_known: bool| {
        if is_known {
            None
        } else if addresses::is_host_address(address) {
            Some(format!("{address} is in no known network"))
        } else {
            Some(format!("{address} is link-local, or no host's"))
        }
    };
    match fact {
        Fact::DhcpLease(lease) => {
            let ignored = match lease.state {
                LeaseState::Bound => {
                    lease.address.and_then(|address| outside(address, world.networks.has_served(address)))
                }
                LeaseState::Waiting => Some("it names the host, and gives it no address now".to_owned()),
                LeaseState::NeverSeen => Some("a reservation does not show that there is a host".to_owned()),
                LeaseState::Disabled => Some("the administrator disabled it".to_owned()),
            };
            Some((words::says(&Saying::Lease(lease)), ignored))
        }
        Fact::Neighbor { address, interface, .. } => {
            let says = words::says(&Saying::Neighbor { address: *address, interface: interface.as_deref() });
            Some((says, outside(*address, world.networks.has_seen(source, *address))))
        }
        Fact::ScanReply { address, name, .. } => {
            let says = words::says(&Saying::Scan { address: *address, name: name.as_deref() });
            Some((says, outside(*address, world.networks.has_served(*address))))
        }
        Fact::Guest(fact) => {
            let what = match fact.kind {
                GuestKind::Qemu => "virtual machine",
                GuestKind::Lxc => "container",
            };
            let name = fact.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
            let cards: Vec<String> = fact
                .nics
                .iter()
                .map(|nic| match nic.mac {
                    Some(mac) => format!("{} {mac}", nic.name),
                    None => nic.name.clone(),
                })
                .collect();
            let cards = if cards.is_empty() { String::new() } else { format!(": {}", cards.join(", ")) };
            Some((format!("{what} {}{name} on node {} of {}{cards}", fact.id, fact.node, fact.cluster), None))
        }
        Fact::Device(fact) => Some((devices::read_as(fact), None)),
        _ => None,
    }
}

/// Forwarding rows of the wanted addresses.
fn learned(
    world: &World<'_, '_>,
    collection: &Collection,
    subjects: &Subjects<'_, '_>,
) -> Vec<(usize, String, Option<String>)> {
    let source = collection.source.as_str();
    let mut found = Vec::new();
    for (row, (mac, port, vlan)) in collection.fdb.rows().enumerate() {
        let Some(indexes) = subjects.by_mac.get(&mac) else { continue };
        let Some(port) = collection.fdb.port(port) else { continue };
        let name = match &port.port {
            Ok(name) => name.clone(),
            Err(number) => format!("unresolved port {number}"),
        };
        let device = world.inventory.referred(source, &port.device);
        let vlan = vlan.map(|vlan| format!(" in VLAN {vlan}")).unwrap_or_default();
        let ignored = if !mac.is_host() {
            Some("never the address of one host".to_owned())
        } else if device.is_some() && world.inventory.owner(mac) == device {
            Some("its own address in its own table".to_owned())
        } else if device.is_some_and(|device| is_outside(world, device, &name)) {
            Some(format!("{} forwards for nobody but what runs on it", port.device))
        } else {
            None
        };
        let age = collection.fdb.age(row).map(words::ago).unwrap_or_default();
        for index in indexes {
            let says = format!("learned {mac} on {} {name}{vlan}{age}", port.device);
            found.push((*index, says, ignored.clone()));
        }
    }
    found
}

/// Whether a port is a socket of a machine that hangs on a switch itself: what it learned there is out in the network.
fn is_outside(world: &World<'_, '_>, device: DeviceId, port: &str) -> bool {
    world.inventory.get(device).is_some_and(|known| {
        let is_virtual = known.interfaces.get(port).is_some_and(|fact| fact.kind == PortKind::Virtual);
        !known.has_table && !is_virtual
    })
}

/// What a source read of a device besides what it is, counted.
fn read(device: &Device<'_>, source: &str) -> Vec<String> {
    if !device.sources.contains(source) {
        return Vec::new();
    }
    let sockets = device.interfaces.values().filter(|fact| fact.kind == PortKind::Physical).count();
    let mut read = Vec::new();
    if !device.interfaces.is_empty() {
        read.push(format!("{} interfaces, {sockets} of them sockets", device.interfaces.len()));
    }
    if device.table_sources.contains(source) {
        read.push("its forwarding table".to_owned());
    }
    read
}
