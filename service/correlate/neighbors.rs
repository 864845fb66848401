//! Neighbours that announced themselves (LLDP, CDP, MNDP): which port heard them, and which known device they are, if any.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::attachment::rows::Rows;
use super::inventory::{Device, DeviceId, Inventory};
use super::ports::{PortId, PortName, Ports};
use super::sightings::Sightings;
use super::{text, vendor};
use crate::model::observation::{Capability, NeighborFact, NeighborProtocol};
use crate::model::{Collection, Fact, MacAddr};

/// One announcement, with both sides resolved as far as they are known.
#[derive(Debug, Clone)]
pub(super) struct Heard<'a> {
    /// The source that reports it.
    pub source: &'a str,
    /// The device that heard it.
    pub device: DeviceId,
    /// The interface that heard it, by its name where it resolves to one.
    pub interface: Option<&'a str>,
    /// The port in forwarding tables: the aggregate of that interface.
    pub port: Option<PortId>,
    /// What was heard.
    pub fact: &'a NeighborFact,
    /// The known device that spoke; absent for strangers.
    pub speaker: Option<DeviceId>,
    /// The address of a stranger that announces none, by its management address.
    pub adopted: Option<MacAddr>,
}

impl Heard<'_> {
    /// Addresses of the machine that spoke: chassis and port, the one in a CDP device id, the one that has its management address.
    pub(super) fn macs(&self) -> impl Iterator<Item = MacAddr> + '_ {
        let text = self.fact.chassis_id.as_deref().and_then(text::mac_in_device_id);
        let macs = [self.fact.chassis_mac, self.fact.port_mac, text, self.adopted].into_iter().flatten();
        macs.filter(|mac| mac.is_host())
    }

    /// What to call it in words.
    pub(super) fn called(&self) -> String {
        let fact = self.fact;
        let name = fact.system_name.clone().filter(|name| !name.trim().is_empty());
        name.or_else(|| fact.chassis_id.clone().filter(|id| !id.trim().is_empty()))
            .or_else(|| fact.chassis_mac.map(|mac| mac.to_string()))
            .or_else(|| fact.addresses.first().map(ToString::to_string))
            .unwrap_or_else(|| "an unnamed neighbour".to_owned())
    }

    /// Whether it says that it can do this.
    pub(super) fn can(&self, capability: Capability) -> bool {
        self.fact.capabilities.contains(&capability)
    }

    /// Whether it says who is at the other end of the cable: LLDP frames are not forwarded (IEEE 802.1AB 7.1), CDP ones only by
    /// switches that do not know CDP; MNDP is a broadcast that crosses every switch. Spanning tree and LACP know an address
    /// that need be nobody's card.
    pub(super) fn is_adjacent(&self) -> bool {
        matches!(self.fact.protocol, NeighborProtocol::Lldp | NeighborProtocol::Cdp)
    }

    /// Whether the machine says who it is.
    pub(super) fn is_introduction(&self) -> bool {
        self.fact.protocol.is_introduction()
    }

    /// Whether it forwards frames for others, as a switch does: telephones and access points do too, but are leaves.
    pub(super) fn is_switch(&self) -> bool {
        self.fact.protocol == NeighborProtocol::Stp
            || self.can(Capability::Bridge)
                && !self.can(Capability::Telephone)
                && !self.can(Capability::WlanAccessPoint)
    }
}

/// Everything heard, in a stable order, without ports (they are numbered afterwards).
pub(super) fn listen<'a>(inventory: &Inventory<'a>, collections: &[&'a Collection]) -> Vec<Heard<'a>> {
    let mut heard = Vec::new();
    for &collection in collections {
        let source = collection.source.as_str();
        for fact in &collection.facts {
            let Fact::LldpNeighbor(fact) = fact else { continue };
            let Some(device) = inventory.referred(source, &fact.device) else { continue };
            let speaker = speaker(inventory, fact);
            if speaker == Some(device) {
                continue; // Its own announcement came back: a loop or two ports of one segment.
            }
            let interface = fact.port.as_deref().map(|port| own_interface(inventory, device, port));
            heard.push(Heard { source, device, interface, port: None, fact, speaker, adopted: None });
        }
    }
    heard.sort_by_cached_key(|heard| {
        (heard.device, heard.interface, heard.fact.protocol as u8, heard.source, format!("{:?}", heard.fact))
    });
    heard.dedup_by(|a, b| a.device == b.device && a.source == b.source && a.fact == b.fact);
    recognise(inventory, &mut heard);
    heard
}

/// A stranger that says "I am port 24" to X is the device that hears X on its port 24, if there is only one: so a device whose
/// own addresses and name could not be read is still known by its neighbours.
fn recognise(inventory: &Inventory<'_>, heard: &mut [Heard<'_>]) {
    let mut hearers: BTreeMap<DeviceId, BTreeSet<(DeviceId, &str)>> = BTreeMap::new();
    for heard in heard.iter() {
        if let (Some(speaker), Some(interface)) = (heard.speaker, heard.interface) {
            hearers.entry(speaker).or_default().insert((heard.device, interface));
        }
    }
    let known: BTreeSet<(DeviceId, DeviceId)> =
        heard.iter().filter_map(|heard| Some((heard.device, heard.speaker?))).collect();
    for heard in heard.iter_mut().filter(|heard| heard.speaker.is_none() && heard.is_adjacent()) {
        let Some(port) = heard.fact.port_id.as_deref() else { continue };
        let fits = hearers.get(&heard.device).into_iter().flatten().filter(|(device, interface)| {
            *device != heard.device
                && (interface.eq_ignore_ascii_case(port) || text::abbreviates(interface, port))
                && !known.contains(&(heard.device, *device))
                && inventory.get(*device).is_some_and(|device| may_have(device, heard.fact.chassis_mac))
        });
        heard.speaker = text::only(fits).map(|(device, _)| *device);
    }
}

/// Ports that forwarding tables need not know.
pub(super) fn heard_ports<'h>(heard: &'h [Heard<'_>]) -> impl Iterator<Item = (DeviceId, PortName)> + 'h {
    heard.iter().filter_map(|heard| Some((heard.device, PortName::Named(heard.interface?.to_owned()))))
}

/// Fills in the numbers of the ports.
pub(super) fn number(heard: &mut [Heard<'_>], inventory: &Inventory<'_>, ports: &Ports) {
    for heard in heard {
        heard.port = heard.interface.and_then(|name| ports.find(inventory, heard.device, name));
    }
}

/// A stranger that announces a management address and no other has the one that ARP, a lease or a scan shows there, provided that the
/// port which heard it learned that: CDP gives no chassis address, and some telephones announce only the network address.
pub(super) fn adopt(
    heard: &mut [Heard<'_>],
    inventory: &Inventory<'_>,
    rows: &Rows,
    sightings: &Sightings<'_>,
) {
    let is_mute = |heard: &Heard<'_>| {
        heard.speaker.is_none() && heard.is_introduction() && heard.macs().next().is_none()
    };
    let wanted: BTreeSet<IpAddr> =
        heard.iter().filter(|heard| is_mute(heard)).flat_map(|heard| management(heard.fact)).collect();
    if wanted.is_empty() {
        return;
    }
    let mut holders: BTreeMap<IpAddr, BTreeSet<MacAddr>> = BTreeMap::new();
    for (mac, sighting) in sightings.iter().filter(|(_, sighting)| sighting.is_present()) {
        if let Some(address) = sighting.address().filter(|address| wanted.contains(address)) {
            holders.entry(address).or_default().insert(mac);
        }
    }
    for heard in heard.iter_mut().filter(|heard| is_mute(heard)) {
        let Some(port) = heard.port else { continue };
        let is_there = |mac: &MacAddr| {
            !inventory.is_own(*mac)
                && rows.find(*mac).is_some_and(|mac| rows.ports_of(mac).binary_search(&port).is_ok())
        };
        let macs: BTreeSet<MacAddr> = management(heard.fact)
            .filter_map(|address| text::only(holders.get(&address)?.iter().copied()))
            .filter(is_there)
            .collect();
        heard.adopted = text::only(macs.into_iter());
    }
}

/// The network addresses that a machine announces: for managing it, or as its chassis id.
fn management(fact: &NeighborFact) -> impl Iterator<Item = IpAddr> + '_ {
    let chassis = fact.chassis_id.as_deref().and_then(|id| id.trim().parse().ok());
    fact.addresses.iter().copied().chain(chassis)
}

fn own_interface<'a>(inventory: &Inventory<'a>, device: DeviceId, port: &'a str) -> &'a str {
    let Some(device) = inventory.get(device) else { return port };
    match text::resolve_port(device, text::PortSigns::called(port)) {
        Some(name) => device.interfaces.get_key_value(name).map_or(port, |(name, _)| *name),
        None => port,
    }
}

/// The known device that spoke, by the strongest sign: chassis or port address, chassis id, name, management address.
fn speaker(inventory: &Inventory<'_>, fact: &NeighborFact) -> Option<DeviceId> {
    let text = fact.chassis_id.as_deref();
    let macs = [fact.chassis_mac, fact.port_mac, text.and_then(text::mac_in_device_id)];
    if let Some(device) = macs.into_iter().flatten().find_map(|mac| inventory.owner(mac)) {
        return Some(device);
    }
    if !fact.protocol.is_introduction() {
        return None;
    }
    let chassis = fact.chassis_mac.map(MacAddr::lower);
    if let Some(device) = text.into_iter().chain(chassis.as_deref()).find_map(|id| inventory.chassis(id)) {
        return Some(device);
    }
    if let Some(device) = text.and_then(|id| inventory.with_serial(id)) {
        return Some(device);
    }
    let is_at = |id: DeviceId| fact.addresses.iter().any(|address| inventory.at(*address) == Some(id));
    let fits = |id: &DeviceId| {
        inventory.get(*id).is_some_and(|device| may_have(device, fact.chassis_mac) || is_at(*id))
    };
    let by_name = fact.system_name.as_deref().and_then(|name| inventory.named(name)).filter(fits);
    let by_id = || text.and_then(|id| inventory.named(id)).filter(fits);
    let may_be = |id: &DeviceId| inventory.get(*id).is_some_and(|device| may_have(device, fact.chassis_mac));
    let by_address = || fact.addresses.iter().find_map(|address| inventory.at(*address)).filter(may_be);
    by_name.or_else(by_id).or_else(by_address)
}

/// Whether a device may announce this chassis address although it is not among those known: names and factory addresses repeat, so
/// at least the vendor must be one of the device's own.
fn may_have(device: &Device<'_>, chassis: Option<MacAddr>) -> bool {
    let Some(chassis) = chassis else { return true };
    device.macs.is_empty() || device.macs.iter().any(|mac| vendor::is_same(*mac, chassis))
}
