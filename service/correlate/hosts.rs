//! Hosts: machines that no source reads and no hypervisor runs, from leases, ARP, scans, announcements and forwarding tables.

use std::collections::BTreeSet;

use super::attachment::edge::Placement;
use super::draft::Draft;
use super::naming;
use super::world::World;
use crate::model::{Candidate, CandidateKind, Identity, MacAddr, NameOrigin};

/// All host candidates.
pub(super) fn hosts(world: &World<'_, '_>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for machine in &world.machines.all {
        if machine.device.is_none() && machine.guest.is_none() {
            candidates.extend(host(world, &machine.macs));
        }
    }
    let mut lone: Vec<MacAddr> = world.sightings.iter().map(|(mac, _)| mac).collect();
    lone.extend(
        world
            .heard
            .iter()
            .filter(|heard| heard.speaker.is_none() && heard.is_introduction())
            .flat_map(|heard| heard.macs().collect::<Vec<_>>()),
    );
    lone.extend(world.edge.rows.macs());
    lone.sort_unstable();
    lone.dedup();
    for mac in lone {
        if world.machines.of(mac).is_none() && !world.inventory.is_own(mac) {
            candidates.extend(host(world, &BTreeSet::from([mac])));
        }
    }
    candidates
}

/// The host with these addresses, if what is said of them makes one.
fn host(world: &World<'_, '_>, macs: &BTreeSet<MacAddr>) -> Option<Candidate> {
    let lowest = *macs.first()?;
    let (draft, is_host) = draft(world, macs);
    is_host
        .then(|| draft.finish(Identity::of_mac(lowest), CandidateKind::Device, || naming::fallback(lowest)))
}

/// What is said of these addresses, and whether it makes a host.
pub(super) fn draft(world: &World<'_, '_>, macs: &BTreeSet<MacAddr>) -> (Draft, bool) {
    let mut draft = Draft::default();
    let (mut learned, mut own_port, mut doubt) = (false, false, None);
    for mac in macs {
        let placement = draft.card(world, *mac, None);
        learned |= placement != Placement::Unseen;
        own_port |= matches!(&placement, Placement::At(place) if place.shared.is_none());
        doubt = doubt.or_else(|| world.doubt.over(*mac, &placement));
    }
    if macs.len() > 1 {
        draft.reasons.push("one LLDP chassis announces these addresses".to_owned());
    }
    // An old lease or foreign ARP entry alone is no host.
    let is_host = draft.is_vouched || learned;
    (judge(world, draft, doubt, macs, own_port), is_host)
}

/// Decides whether it may be staged.
fn judge(
    world: &World<'_, '_>,
    mut draft: Draft,
    doubt: Option<String>,
    macs: &BTreeSet<MacAddr>,
    own_port: bool,
) -> Draft {
    let is_random = macs.iter().all(|mac| mac.is_locally_administered());
    let is_documented = macs.iter().any(|mac| world.known.documented_macs.contains(mac));
    let is_named = draft
        .wishes
        .iter()
        .any(|((origin, name), _)| *origin == NameOrigin::Dhcp && naming::usable(name).is_some());
    let has_address = draft.interfaces.iter().any(|card| !card.addresses.is_empty());
    if is_random {
        draft
            .reasons
            .push("its address is locally administered: made up by software, and may change".to_owned());
    }
    draft.evidence_only = if doubt.is_some() {
        doubt
    } else if is_random && !is_documented && !is_named && !world.known.stage_random_macs {
        Some("its address is locally administered (randomised) and nothing else names it".to_owned())
    } else if let Some(foreign) = draft.foreign.first().filter(|_| !has_address && draft.conflicts.is_empty())
    {
        Some(format!("its address {foreign} is in no known network"))
    } else if !draft.is_vouched && !own_port && !is_documented {
        Some("only forwarding tables have seen it, and it is alone on no port".to_owned())
    } else {
        None
    };
    draft
}
