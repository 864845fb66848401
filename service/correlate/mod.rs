//! Observations to candidates, links and conflicts. Pure: the same facts give the same result in whatever order they come.
//!
//! Phases: own devices ([`inventory`]) and what they hear ([`neighbors`]), [`ports`], forwarding rows and the directions between
//! switches ([`attachment`]), addresses of one machine ([`machines`]); then devices, [`guests`], [`hosts`] and [`links`] are worded.
//! [`explain()`] tells how one of them was reached.

mod addresses;
mod attachment;
mod class;
mod confidence;
mod devices;
mod draft;
mod explain;
mod guests;
mod hosts;
mod inventory;
mod links;
mod machines;
mod naming;
mod neighbors;
mod ownership;
mod ports;
mod sightings;
mod text;
mod vendor;
mod words;
mod world;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use class::vendor_class_start;
pub(crate) use naming::{RESERVED as RESERVED_NAMES, is_usable as is_usable_name};
#[cfg(test)]
pub(crate) use ownership::PROXMOX_OUI;
pub(crate) use text::{FACTORY_NAMES, serial as telling_serial};
pub(crate) use vendor::is_divided;

use crate::model::candidate::Known;
use crate::model::{Candidate, Class, Collection, Conflict, Discovery, Gap, HostName, Identity};
pub use explain::{explain, explain_each};

use attachment::{edge::Edge, rows::Rows, topology::Topology};
use hosts::Groups;
use world::World;

/// Works out which hosts there are and where they hang, how the network's own devices are linked, and what contradicts what.
///
/// The order of collections, facts and rows does not matter, and times are not looked at.
pub fn correlate(collections: &[Collection], known: &Known) -> Discovery {
    with_world(collections, known, conclude)
}

/// Like [`correlate`], for more candidates than should be in memory at once: each is handed on as soon as it is worded, in the
/// same order, and the result has none. An error ends it.
pub fn correlate_each<E>(
    collections: &[Collection],
    known: &Known,
    mut take: impl FnMut(Candidate) -> Result<(), E>,
) -> Result<Discovery, E> {
    with_world(collections, known, |world| {
        let (devices, groups) = (devices_and_guests(world), Groups::new(world));
        // A name is wanted by two or not, which must be known before the first is handed on.
        let names = hosts::names(world, &groups, &devices);
        let of_devices = devices.iter().map(|candidate| (&candidate.name, &candidate.identity));
        let all = of_devices.chain(names.iter().map(|(name, identity)| (name, identity)));
        let contests = naming::contests(all, &administered(world));
        drop(names);
        let mut conflicts = BTreeSet::new();
        for mut candidate in in_order(devices, hosts::hosts(world, &groups)) {
            settle(&mut candidate, &contests);
            conflicts.extend(candidate.conflicts.iter().cloned());
            take(candidate)?;
        }
        Ok(besides(world, conflicts))
    })
}

/// Works out everything that candidates are worded from, and hands it on.
fn with_world<T>(collections: &[Collection], known: &Known, then: impl FnOnce(&World<'_, '_>) -> T) -> T {
    let mut sorted: Vec<&Collection> = collections.iter().collect();
    sorted.sort_by(|a, b| a.source.cmp(&b.source));
    let collections = sorted.as_slice();

    let inventory = inventory::Inventory::new(collections);
    let mut heard = neighbors::listen(&inventory, collections);
    let ports = ports::Ports::new(&inventory, collections, neighbors::heard_ports(&heard));
    neighbors::number(&mut heard, &inventory, &ports);
    let rows = Rows::new(&inventory, &ports, collections);
    let sightings = sightings::Sightings::new(collections);
    neighbors::adopt(&mut heard, &inventory, &rows, &sightings);
    let topology = Topology::new(&inventory, &ports, &rows, &heard);
    let machines = machines::Machines::new(&inventory, collections, &heard);
    let documented = known
        .uplinks
        .iter()
        .filter_map(|(device, port)| ports.find(&inventory, inventory.called(device)?, port))
        .collect();
    let edge = Edge::new(&inventory, &ports, &rows, &topology, &machines, &heard, &documented);
    let networks = addresses::Networks::new(collections, known);
    then(&World::new(collections, known, &inventory, &edge, &heard, &sightings, &networks))
}

/// Words the result.
fn conclude(world: &World<'_, '_>) -> Discovery {
    let (devices, groups) = (devices_and_guests(world), Groups::new(world));
    let mut candidates: Vec<Candidate> =
        in_order(devices, hosts::hosts(world, &groups)).map(without_spare_room).collect();
    let names = candidates.iter().map(|candidate| (&candidate.name, &candidate.identity));
    let contests = naming::contests(names, &administered(world));
    for candidate in &mut candidates {
        settle(candidate, &contests);
    }
    let conflicts = candidates.iter().flat_map(|candidate| candidate.conflicts.iter().cloned()).collect();
    Discovery { candidates, ..besides(world, conflicts) }
}

/// Devices and guests, sorted by identity.
fn devices_and_guests(world: &World<'_, '_>) -> Vec<Candidate> {
    let mut candidates = devices::devices(world);
    // A switch's own address is on no card.
    candidates.iter_mut().filter(|device| device.class != Class::Network).for_each(place_own_mac);
    candidates.extend(guests::guests(world));
    candidates.sort_by(|a, b| a.identity.cmp(&b.identity));
    candidates
}

/// Both, which are sorted by identity, in one order.
fn in_order(
    devices: Vec<Candidate>,
    hosts: impl Iterator<Item = Candidate>,
) -> impl Iterator<Item = Candidate> {
    let (mut devices, mut hosts) = (devices.into_iter().peekable(), hosts.peekable());
    std::iter::from_fn(move || match (devices.peek(), hosts.peek()) {
        (Some(device), Some(host)) if device.identity > host.identity => hosts.next(),
        (Some(_), _) => devices.next(),
        (None, _) => hosts.next(),
    })
}

/// Decides about its name, and what contradictions mean for its confidence.
fn settle(candidate: &mut Candidate, contests: &naming::Contests) {
    naming::settle(candidate, contests);
    candidate.conflicts.sort();
    if !candidate.conflicts.is_empty() {
        candidate.confidence = candidate.confidence.min(confidence::CONTRADICTED);
    }
}

/// A candidate that is kept beside many others. Lists have room for four when they have one, which is much for a card.
fn without_spare_room(mut candidate: Candidate) -> Candidate {
    candidate.interfaces.shrink_to_fit();
    candidate.reasons.shrink_to_fit();
    candidate.sources.shrink_to_fit();
    candidate.evidence.shrink_to_fit();
    if candidate.aliases.is_empty() {
        // An emptied set keeps its first node.
        candidate.aliases = BTreeSet::new();
    }
    candidate
}

/// What is found beside candidates.
fn besides(world: &World<'_, '_>, mut conflicts: BTreeSet<Conflict>) -> Discovery {
    let (links, disagreements) = links::links(world.inventory, world.edge, world.heard);
    conflicts.extend(disagreements);
    Discovery {
        candidates: Vec::new(),
        links,
        conflicts: conflicts.into_iter().collect(),
        gaps: gaps(world.collections),
    }
}

/// A node that does not tell its cards' MAC addresses is known by the one that others see: that of the card on the switch.
fn place_own_mac(candidate: &mut Candidate) {
    let Some(mac) = candidate.identity.as_str().strip_prefix("mac:").and_then(|mac| mac.parse().ok()) else {
        return;
    };
    if candidate.interfaces.iter().any(|interface| interface.mac.is_some()) {
        return;
    }
    let card = candidate.interfaces.iter_mut().find(|interface| interface.attachment.is_some());
    if let Some(card) = card {
        card.mac = Some(mac);
    }
}

/// The names that an administrator gave: of guests by the hypervisor, of devices by the configuration.
fn administered(world: &World<'_, '_>) -> BTreeMap<Identity, BTreeSet<HostName>> {
    let mut names: BTreeMap<Identity, BTreeSet<HostName>> = BTreeMap::new();
    for guest in &world.machines.guests {
        names.entry(guests::identity(guest)).or_default().extend(guests::configured_name(guest));
    }
    for (identity, name) in devices::names(world) {
        names.entry(identity).or_default().insert(name);
    }
    names
}

fn gaps(collections: &[&Collection]) -> Vec<Gap> {
    let gaps = collections.iter().flat_map(|collection| collection.gaps.iter().cloned());
    gaps.collect::<BTreeSet<_>>().into_iter().collect()
}
