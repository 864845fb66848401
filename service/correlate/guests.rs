//! Guests of hypervisors: always virtual machines, whatever a lease says, and behind their node's port.

use std::collections::{BTreeMap, BTreeSet};

use super::attachment::edge::{Place, Placement, Shared};
use super::class;
use super::confidence;
use super::devices;
use super::draft::Draft;
use super::inventory::DeviceId;
use super::machines::Guest;
use super::naming;
use super::ports::PortId;
use super::words;
use super::world::World;
use crate::model::observation::{DeviceRole, GuestKind};
use crate::model::{
    Candidate, CandidateInterface, CandidateKind, Conflict, HostName, Identity, MacAddr, NameOrigin,
    Resources,
};

/// Where the nodes of hypervisors are.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    places: BTreeMap<DeviceId, Vec<Place>>,
    /// The nodes on each port.
    on: BTreeMap<PortId, BTreeSet<DeviceId>>,
}

impl Nodes {
    /// Looks for all of them.
    pub(super) fn new(world: &World<'_, '_>) -> Self {
        let mut nodes = Self::default();
        let is_node = |id: &DeviceId| {
            let role = world.inventory.get(*id).and_then(|device| device.role);
            role == Some(DeviceRole::Hypervisor) || world.machines.guests_on(*id).next().is_some()
        };
        for node in world.inventory.iter().map(|(id, _)| id).filter(is_node) {
            let places = devices::places(world, node);
            for place in &places {
                nodes.on.entry(place.port).or_default().insert(node);
            }
            nodes.places.insert(node, places);
        }
        nodes
    }

    fn places(&self, node: DeviceId) -> &[Place] {
        self.places.get(&node).map(Vec::as_slice).unwrap_or_default()
    }

    /// Another node that is on this port, if this node is known to be elsewhere.
    fn other_on(&self, port: PortId, node: DeviceId) -> Option<DeviceId> {
        let there = self.on.get(&port).filter(|nodes| !nodes.contains(&node))?;
        there.first().copied().filter(|_| !self.places(node).is_empty())
    }
}

/// All guest candidates.
pub(super) fn guests(world: &World<'_, '_>) -> Vec<Candidate> {
    let mut device_of = BTreeMap::new();
    for machine in &world.machines.all {
        if let (Some(guest), Some(device)) = (machine.guest, machine.device) {
            device_of.insert(guest, device);
        }
    }
    let guests = world.machines.guests.iter().enumerate();
    guests.map(|(index, guest)| candidate(world, guest, device_of.get(&index).copied())).collect()
}

/// `pve:<cluster>/<number>/<SMBIOS UUID, else its addresses>`: a number alone is used again after a guest is deleted.
pub(super) fn identity(guest: &Guest<'_>) -> Identity {
    let proof = guest
        .fact
        .uuid
        .as_deref()
        .map(|uuid| uuid.trim().to_ascii_lowercase())
        .filter(|uuid| !uuid.is_empty());
    let proof =
        proof.unwrap_or_else(|| guest.macs.iter().map(|mac| mac.lower()).collect::<Vec<_>>().join("+"));
    Identity(format!("pve:{}/{}/{proof}", guest.fact.cluster, guest.fact.id))
}

/// The name an administrator gave it.
pub(super) fn configured_name(guest: &Guest<'_>) -> Option<HostName> {
    guest.fact.name.as_deref().and_then(naming::usable)
}

fn candidate(world: &World<'_, '_>, guest: &Guest<'_>, device: Option<DeviceId>) -> Candidate {
    let fact = guest.fact;
    let lowest = guest.macs.first().copied();
    let spelled =
        || lowest.map_or_else(|| naming::spelled(&format!("{}-{}", fact.cluster, fact.id)), naming::fallback);
    let mut candidate = draft(world, guest).finish(identity(guest), CandidateKind::VirtualMachine, spelled);
    candidate.cluster = Some(fact.cluster.clone());
    candidate.node = Some(fact.node.clone());
    candidate.resources =
        Some(Resources { vcpus: fact.vcpus, memory_mib: fact.memory_mib, disk_mib: fact.disk_mib });
    if let Some(device) = device {
        devices::describe(world, device, &mut candidate);
    }
    candidate
}

/// What is said of a guest.
pub(super) fn draft(world: &World<'_, '_>, guest: &Guest<'_>) -> Draft {
    let fact = guest.fact;
    let mut draft = Draft::default();
    let what = match fact.kind {
        GuestKind::Qemu => "virtual machine",
        GuestKind::Lxc => "container",
    };
    for source in &guest.sources {
        let name = fact.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        draft.witness(source, format!("{what} {}{name} on node {} of {}", fact.id, fact.node, fact.cluster));
    }
    draft.reasons.push(format!("{} runs it as {what} {} on {}", fact.cluster, fact.id, fact.node));
    draft.weigh("guest", confidence::GUEST);
    draft.classes.insert(class::of_guest());
    for source in &guest.sources {
        if let Some(name) = &fact.name {
            draft.wish(NameOrigin::Proxmox, name, source);
        }
    }
    for nic in &fact.nics {
        match nic.mac.filter(|mac| mac.is_host()) {
            Some(mac) => card(world, &mut draft, guest, nic, mac),
            None => draft.interfaces.push(CandidateInterface {
                mac: None,
                name: Some(nic.name.clone()),
                addresses: Vec::new(),
                attachment: None,
                masks: BTreeMap::new(),
                dhcp: BTreeSet::new(),
                kind: None,
                unattached_reason: Some("the card has no address of its own".to_owned()),
            }),
        }
    }
    if fact.running.is_none() {
        draft.evidence_only = Some(format!("its node {} could not be asked", fact.node));
    }
    draft
}

/// One card: on the port where it was learned, else behind the node's; also if it was learned inside of the node, or behind another
/// one, from which it has moved. Never a cable end.
fn card(
    world: &World<'_, '_>,
    draft: &mut Draft,
    guest: &Guest<'_>,
    nic: &crate::model::observation::GuestNic,
    mac: MacAddr,
) {
    let placement = draft.card(world, mac, Some(nic.name.clone()));
    let Some(card) = draft.interfaces.last_mut() else { return };
    for network in &nic.addresses {
        if card.addresses.contains(&network.addr()) && network.prefix_len() < network.max_prefix_len() {
            card.masks.insert(network.addr(), network.prefix_len());
        }
    }
    let node = guest.node.map(|node| world.nodes.places(node)).unwrap_or_default();
    let learned: Vec<PortId> = match &placement {
        Placement::At(place) => std::iter::once(place.port).chain(place.competing.iter().copied()).collect(),
        Placement::Unseen | Placement::BetweenSwitches(_) => Vec::new(),
    };
    let is_node = |port: &PortId| node.iter().any(|place| place.port == *port);
    let left: Vec<(PortId, DeviceId)> =
        learned.iter().filter_map(|port| Some((*port, world.nodes.other_on(*port, guest.node?)?))).collect();
    let is_elsewhere = |port: &PortId| {
        is_node(port) || world.edge.is_inside(*port) || left.iter().any(|(left, _)| left == port)
    };
    let has_moved = !left.is_empty() && learned.iter().all(is_elsewhere);
    let is_behind_node = has_moved || learned.iter().all(|port| world.edge.is_inside(*port));
    if let Some(place) = node.first().filter(|_| is_behind_node) {
        let mut place = place.clone();
        place.vlan = nic.vlan.filter(|vlan| (1..=4094).contains(vlan));
        place.shared = Some(Shared::Behind(guest.fact.node.clone()));
        let mut attachment = words::attachment(world, &place);
        attachment.competing.extend(node.iter().skip(1).map(|other| words::competing(world, other.port)));
        for (port, other) in left {
            attachment.competing.push(words::competing(world, port));
            draft.reasons.push(format!(
                "a forwarding table still has it on {}, where node {} is: it has moved",
                words::port(world, port),
                world.inventory.name(other)
            ));
        }
        if has_moved {
            draft.conflicts.retain(
                |conflict| !matches!(conflict, Conflict::SeveralPorts { mac: known, .. } if *known == mac),
            );
        }
        card.attachment = Some(attachment);
        card.unattached_reason = None;
        draft.reasons.push(format!("its node {} is on {}", guest.fact.node, words::port(world, place.port)));
        draft.weigh("port", confidence::SHARED_PORT);
    }
    if let Some(attachment) = draft.interfaces.last_mut().and_then(|card| card.attachment.as_mut()) {
        attachment.exclusive = false;
    }
}
