//! The network's own devices as candidates: an empty NetBox must be able to reach its first cable.

use std::collections::{BTreeMap, BTreeSet};

use super::attachment::edge::{Place, Placement, Shared};
use super::confidence;
use super::draft::Draft;
use super::inventory::{Device, DeviceId};
use super::naming;
use super::ports::PortId;
use super::world::World;
use super::{class, text, words};
use crate::model::observation::{DeviceFact, DeviceRole, PortKind};
use crate::model::{
    Candidate, CandidateInterface, CandidateKind, Conflict, Fact, HostName, Identity, MacAddr, NameOrigin,
};

/// All candidates for own devices; those that are guests are told by [`super::guests`].
pub(super) fn devices(world: &World<'_, '_>) -> Vec<Candidate> {
    let is_guest: BTreeSet<DeviceId> = world
        .machines
        .all
        .iter()
        .filter(|machine| machine.guest.is_some())
        .filter_map(|m| m.device)
        .collect();
    world
        .inventory
        .iter()
        .filter(|(id, device)| !device.facts.is_empty() && !is_guest.contains(id))
        .map(|(id, device)| candidate(world, id, device))
        .collect()
}

/// The names that devices are read under.
pub(super) fn names(world: &World<'_, '_>) -> Vec<(Identity, HostName)> {
    let devices = world.inventory.iter().filter(|(_, device)| !device.facts.is_empty());
    devices.filter_map(|(_, device)| Some((identity(device), naming::usable(device.name)?))).collect()
}

/// `lldp:<chassis>`, else its lowest own address, else its serial number, else its name.
pub(super) fn identity(device: &Device<'_>) -> Identity {
    let chassis = device.facts.iter().filter_map(|(_, fact)| fact.chassis_id.as_deref()).map(str::trim);
    if let Some(chassis) = chassis.filter(|chassis| !chassis.is_empty()).min() {
        return Identity(format!("lldp:{}", chassis.to_ascii_lowercase()));
    }
    // Addresses that software made up (bridges, tunnels) may change with a reboot.
    let lowest = device.macs.iter().min_by_key(|mac| (mac.is_locally_administered(), **mac));
    if let Some(mac) = lowest {
        return Identity::of_mac(*mac);
    }
    let serial = device.facts.iter().filter_map(|(_, fact)| text::serial(fact.serial.as_deref())).min();
    serial.map_or_else(
        || Identity(format!("device:{}", device.name)),
        |serial| Identity(format!("serial:{serial}")),
    )
}

fn candidate(world: &World<'_, '_>, id: DeviceId, device: &Device<'_>) -> Candidate {
    let lowest = device.macs.first().copied();
    let mut candidate = draft(world, id, device).finish(identity(device), CandidateKind::Device, || {
        lowest.map_or_else(|| naming::spelled(device.name), naming::fallback)
    });
    describe(world, id, &mut candidate);
    candidate
}

/// The device that this candidate is.
pub(super) fn of(world: &World<'_, '_>, candidate: &Candidate, name: &str) -> Option<DeviceId> {
    let called = || world.inventory.iter().filter(|(_, device)| device.name == name);
    let same = called().find(|(_, device)| identity(device) == candidate.identity);
    same.or_else(|| called().next()).map(|(id, _)| id)
}

/// What is said of a device.
pub(super) fn draft(world: &World<'_, '_>, id: DeviceId, device: &Device<'_>) -> Draft {
    let mut draft = Draft::default();
    let role = device.role.unwrap_or_default();
    for (source, fact) in &device.facts {
        draft.witness(source, read_as(fact));
        if let Some(own) = &fact.own_name {
            draft.wish(NameOrigin::Lldp, own, source);
        }
    }
    let sources: Vec<&str> =
        device.facts.iter().map(|(source, _)| *source).collect::<BTreeSet<_>>().into_iter().collect();
    draft.reasons.push(format!("{} reads it", sources.join(", ")));
    draft.weigh("read", confidence::READ);
    for source in &sources {
        draft.wish(NameOrigin::Device, device.name, source);
    }
    match class::of_role(role, in_words(role)) {
        Some(sign) => {
            draft.classes.insert(sign);
        }
        None => draft.reasons.push(format!("it is {}", in_words(role))),
    }
    draft.aliases.extend(
        device
            .macs
            .iter()
            .filter(|mac| world.inventory.owner(**mac) == Some(id))
            .map(|mac| Identity::of_mac(*mac)),
    );
    draft.interfaces = interfaces(world, id, device, &mut draft.conflicts);
    draft
}

/// What a source reads it as, in words.
pub(super) fn read_as(fact: &DeviceFact) -> String {
    let what: Vec<&str> = [&fact.description, &fact.manufacturer, &fact.model]
        .into_iter()
        .filter_map(|text| text.as_deref())
        .collect();
    let what = if what.is_empty() { String::new() } else { format!(": {}", what.join(", ")) };
    format!("reads {} as {}{what}", fact.device, in_words(fact.role))
}

/// Adds what only sources that read a device can know.
pub(super) fn describe(world: &World<'_, '_>, id: DeviceId, candidate: &mut Candidate) {
    let Some(device) = world.inventory.get(id) else { return };
    let facts = || device.facts.iter().map(|(_, fact)| *fact);
    candidate.device = Some(device.name.to_owned());
    candidate.serial =
        facts().filter_map(|fact| text::serial(fact.serial.as_deref())).min().map(str::to_owned);
    candidate.manufacturer = facts().filter_map(|fact| fact.manufacturer.clone()).min();
    candidate.model = facts().filter_map(|fact| fact.model.clone()).min();
    candidate.cluster = candidate.cluster.take().or_else(|| device.cluster.map(str::to_owned));
    candidate.sources.extend(device.sources.iter().map(|source| (*source).to_owned()));
    candidate.sources.sort();
    candidate.sources.dedup();
    let chassis = facts().filter_map(|fact| fact.chassis_id.as_deref());
    candidate
        .aliases
        .extend(chassis.map(|chassis| Identity(format!("lldp:{}", chassis.to_ascii_lowercase()))));
    candidate.aliases.remove(&candidate.identity);
}

/// Its sockets, aggregates and radios, and the interface it is managed on.
fn interfaces(
    world: &World<'_, '_>,
    id: DeviceId,
    device: &Device<'_>,
    conflicts: &mut BTreeSet<Conflict>,
) -> Vec<CandidateInterface> {
    let managed = management(world, device);
    let mut announced = if device.has_table { BTreeMap::new() } else { announced(world, id, device) };
    if device.role == Some(DeviceRole::Hypervisor)
        && announced.is_empty()
        && !device.interfaces.values().any(|fact| fact.mac.is_some())
        && let Some(socket) = socket_of_guests(device)
    {
        let place = text::only(places(world, id).into_iter());
        announced.extend(place.map(|place| (socket.to_owned(), place)));
    }
    let mut cards = Vec::new();
    for (name, fact) in &device.interfaces {
        let is_port = matches!(fact.kind, PortKind::Physical | PortKind::Lag | PortKind::Wireless);
        let address =
            managed.as_ref().filter(|(interface, _)| interface == name).map(|(_, address)| *address);
        if !is_port && address.is_none() {
            continue;
        }
        let mut card = CandidateInterface {
            mac: fact.mac.filter(|mac| mac.is_host()),
            name: Some((*name).to_owned()),
            addresses: address.into_iter().collect(),
            attachment: None,
            masks: BTreeMap::new(),
            dhcp: BTreeSet::new(),
            kind: Some(fact.kind),
            unattached_reason: None,
        };
        card.masks = card.addresses.iter().filter_map(|a| Some((*a, world.networks.mask(*a)?))).collect();
        // A switch's cables are links; what has no table of its own hangs on a port like a host.
        if !device.has_table && fact.kind == PortKind::Physical {
            let place = announced.get(*name).cloned().or_else(|| {
                let mac = card.mac.filter(|mac| text::sending_socket(device, *mac) == Some(name))?;
                match world.place(mac) {
                    Placement::At(place) => Some(place),
                    other => {
                        card.unattached_reason = words::unplaced(world, mac, &other);
                        None
                    }
                }
            });
            if let Some(place) = &place
                && let Some(mac) = card.mac.or_else(|| device.macs.first().copied())
            {
                conflicts.extend(words::several_ports(world, mac, place));
            }
            card.attachment = place.map(|place| words::attachment(world, &place));
        }
        cards.push(card);
    }
    cards
}

/// The ports that heard a device over a cable, each with the interface that it says it speaks from, where that resolves.
pub(super) fn heard_ports(world: &World<'_, '_>, id: DeviceId) -> BTreeSet<(Option<String>, PortId)> {
    let Some(device) = world.inventory.get(id) else { return BTreeSet::new() };
    let heard = world.heard.iter().filter(|heard| heard.speaker == Some(id) && heard.is_adjacent());
    let ports = heard.filter_map(|heard| {
        let interface = text::resolve_port(device, text::PortSigns::of(heard.fact));
        Some((interface.map(str::to_owned), heard.port?))
    });
    ports.collect()
}

/// Where its interfaces are by its own announcements, as others heard them.
fn announced(world: &World<'_, '_>, id: DeviceId, device: &Device<'_>) -> BTreeMap<String, Place> {
    let mut ports: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for (interface, port) in heard_ports(world, id) {
        if let (Some(interface), Some(place)) = (interface, world.edge.place_announced(id, port)) {
            ports.entry(interface).or_default().push(place);
        }
    }
    let settled = ports.into_iter().filter_map(|(interface, places)| {
        let place = settle(world, device, &interface, places)?;
        Some((interface, place))
    });
    settled.collect()
}

/// The one place of an interface that was heard, if tables do not have its address elsewhere; all of them as rivals otherwise.
fn settle(world: &World<'_, '_>, device: &Device<'_>, interface: &str, places: Vec<Place>) -> Option<Place> {
    let ports: BTreeSet<PortId> = places.iter().map(|place| place.port).collect();
    let mac = device.interfaces.get(interface).and_then(|fact| fact.mac).filter(|mac| mac.is_host());
    let mac = mac.filter(|mac| text::sending_socket(device, *mac) == Some(interface));
    let learned = mac.and_then(|mac| world.edge.learned_elsewhere(world.inventory, mac, &ports));
    if let (None, 1) = (&learned, ports.len()) {
        return places.into_iter().next();
    }
    let mut place = learned.or_else(|| places.into_iter().next())?;
    let rivals: BTreeSet<PortId> = place.competing.iter().copied().chain(ports.iter().copied()).collect();
    place.announced = ports.contains(&place.port);
    place.competing = rivals.into_iter().filter(|port| *port != place.port).collect();
    place.shared = Some(Shared::SeveralPorts);
    Some(place)
}

/// The ports a device without a table is on: by its addresses and by what was heard, without doubles.
pub(super) fn places(world: &World<'_, '_>, id: DeviceId) -> Vec<Place> {
    let Some(device) = world.inventory.get(id) else { return Vec::new() };
    let mut places: Vec<Place> = Vec::new();
    let heard = world.edge.heard_on(id).filter_map(|port| world.edge.place_announced(id, port));
    let own: Vec<MacAddr> =
        device.macs.iter().copied().filter(|mac| world.inventory.owner(*mac) == Some(id)).collect();
    let learned = own.into_iter().filter_map(|mac| match world.place(mac) {
        Placement::At(place) if place.competing.is_empty() => Some(place),
        _ => None,
    });
    for place in heard.chain(learned) {
        if !places.iter().any(|known| known.port == place.port) {
            places.push(place);
        }
    }
    if places.is_empty() {
        places.extend(place_of_guests(world, id));
    }
    places
}

/// The port behind which all guests of a node are, where tables agree on one: the node must be there too.
fn place_of_guests(world: &World<'_, '_>, id: DeviceId) -> Option<Place> {
    let macs = world.machines.guests_on(id).flat_map(|guest| guest.macs.iter().copied());
    let mut places = macs.filter_map(|mac| match world.place(mac) {
        Placement::At(place) if place.competing.is_empty() => Some(place),
        _ => None,
    });
    let mut place = places.next()?;
    if places.any(|other| other.port != place.port) {
        return None;
    }
    let behind = world.edge.rows.behind(place.port);
    let alone = behind.iter().all(|mac| world.machines.is_on_node(world.edge.rows.mac(*mac), id));
    if matches!(place.shared, None | Some(Shared::Addresses(_))) {
        place.shared = (!alone).then_some(Shared::Addresses(behind.len()));
    }
    place.vlan = None;
    Some(place)
}

/// The one socket that a node's guests can be behind: the only one, or the only one in a bridge.
fn socket_of_guests<'d>(device: &'d Device<'_>) -> Option<&'d str> {
    let sockets = || device.interfaces.values().filter(|fact| fact.kind == PortKind::Physical);
    let bridged = || sockets().filter(|fact| fact.bridge.is_some() && fact.lag.is_none());
    let is_bonded =
        device.interfaces.values().any(|fact| fact.kind == PortKind::Lag && fact.bridge.is_some());
    if is_bonded {
        return None;
    }
    text::only(bridged()).or_else(|| text::only(sockets())).map(|fact| fact.name.as_str())
}

/// The interface that has the address a device is read at: by its address in ARP, or by the network it is in.
fn management(world: &World<'_, '_>, device: &Device<'_>) -> Option<(String, std::net::IpAddr)> {
    let addresses: BTreeSet<_> = device.facts.iter().filter_map(|(_, fact)| fact.address).collect();
    for address in addresses {
        let networks = world
            .collections
            .iter()
            .filter(|c| device.sources.contains(c.source.as_str()))
            .flat_map(|c| &c.facts);
        let by_network: BTreeSet<&str> = networks
            .filter_map(|fact| match fact {
                Fact::Network { prefix, interface: Some(interface) } if prefix.contains(&address) => {
                    Some(interface.as_str())
                }
                _ => None,
            })
            .filter(|interface| device.interfaces.contains_key(interface))
            .collect();
        if let Some(interface) = text::only(by_network.into_iter()) {
            return Some((interface.to_owned(), address));
        }
        if let Some(super::addresses::Holder::One(mac)) = world.holders.get(&address)
            && device.macs.contains(mac)
            && let Some(interface) = text::interface_of(device, *mac)
        {
            return Some((interface.to_owned(), address));
        }
    }
    None
}

const fn in_words(role: DeviceRole) -> &'static str {
    match role {
        DeviceRole::Switch => "a switch",
        DeviceRole::Router => "a router",
        DeviceRole::AccessPoint => "an access point",
        DeviceRole::Hypervisor => "a hypervisor node",
        DeviceRole::Other => "a host",
    }
}
