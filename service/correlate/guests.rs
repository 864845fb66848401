//! Guests of hypervisors: always virtual machines, whatever a lease says, and behind their node's port.

use std::collections::BTreeMap;

use super::attachment::edge::{Placement, Shared};
use super::class;
use super::confidence;
use super::devices;
use super::draft::Draft;
use super::machines::Guest;
use super::naming;
use super::words;
use super::world::World;
use crate::model::observation::GuestKind;
use crate::model::{
    Candidate, CandidateInterface, CandidateKind, HostName, Identity, MacAddr, NameOrigin, Resources,
};

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

fn candidate(
    world: &World<'_, '_>,
    guest: &Guest<'_>,
    device: Option<super::inventory::DeviceId>,
) -> Candidate {
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
    let node = guest.node.map(|node| devices::places(world, node)).unwrap_or_default();
    for nic in &fact.nics {
        match nic.mac.filter(|mac| mac.is_host()) {
            Some(mac) => card(world, &mut draft, guest, nic, mac, &node),
            None => draft.interfaces.push(CandidateInterface {
                mac: None,
                name: Some(nic.name.clone()),
                addresses: Vec::new(),
                attachment: None,
                masks: BTreeMap::new(),
                dhcp: std::collections::BTreeSet::new(),
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

/// One card: on the port where it was learned, else behind the node's. Never a cable end.
fn card(
    world: &World<'_, '_>,
    draft: &mut Draft,
    guest: &Guest<'_>,
    nic: &crate::model::observation::GuestNic,
    mac: MacAddr,
    node: &[super::attachment::edge::Place],
) {
    let placement = draft.card(world, mac, Some(nic.name.clone()));
    let Some(card) = draft.interfaces.last_mut() else { return };
    for network in &nic.addresses {
        if card.addresses.contains(&network.addr()) && network.prefix_len() < network.max_prefix_len() {
            card.masks.insert(network.addr(), network.prefix_len());
        }
    }
    match placement {
        Placement::At(_) => {}
        Placement::Unseen | Placement::BetweenSwitches(_) => {
            if let Some(place) = node.first() {
                let mut place = place.clone();
                place.vlan = nic.vlan.filter(|vlan| (1..=4094).contains(vlan));
                place.shared = Some(Shared::Behind(guest.fact.node.clone()));
                let mut attachment = words::attachment(world, &place);
                attachment
                    .competing
                    .extend(node.iter().skip(1).map(|other| words::competing(world, other.port)));
                card.attachment = Some(attachment);
                card.unattached_reason = None;
                draft.reasons.push(format!(
                    "its node {} is on {}",
                    guest.fact.node,
                    words::port(world, place.port)
                ));
                draft.weigh("port", confidence::SHARED_PORT);
            }
        }
    }
    if let Some(attachment) = draft.interfaces.last_mut().and_then(|card| card.attachment.as_mut()) {
        attachment.exclusive = false;
    }
}
