//! Hosts: machines that no source reads and no hypervisor runs, from leases, ARP, scans, announcements and forwarding tables.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use super::attachment::edge::Placement;
use super::draft::Draft;
use super::machines::Machine;
use super::naming;
use super::world::World;
use crate::model::{Candidate, CandidateKind, HostName, Identity, MacAddr, NameOrigin};

/// The addresses of everything that may be a host, each group once, sorted by the lowest address.
pub(super) struct Groups<'w> {
    machines: Vec<&'w BTreeSet<MacAddr>>,
    lone: Vec<MacAddr>,
}

impl<'w> Groups<'w> {
    /// Machines of several addresses that are no devices and no guests, and all other addresses.
    pub(super) fn new(world: &World<'w, '_>) -> Self {
        let is_host = |machine: &&'w Machine| machine.device.is_none() && machine.guest.is_none();
        let machines = world.machines.all.iter().filter(is_host).map(|machine| &machine.macs);
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
        lone.retain(|mac| world.machines.of(*mac).is_none() && !world.inventory.is_own(*mac));
        let mut machines: Vec<&BTreeSet<MacAddr>> = machines.filter(|macs| !macs.is_empty()).collect();
        machines.sort();
        Self { machines, lone }
    }
}

/// All host candidates, sorted by identity. Each is worded when it is asked for.
pub(super) fn hosts<'c>(
    world: &'c World<'_, '_>,
    groups: &'c Groups<'_>,
) -> impl Iterator<Item = Candidate> + use<'c> {
    let mut machines = groups.machines.iter().copied().peekable();
    let mut lone = groups.lone.iter().copied().peekable();
    let next = move || match (machines.peek().and_then(|macs| macs.first()), lone.peek()) {
        (Some(machine), Some(mac)) if machine > mac => lone.next().map(lone_host),
        (Some(_), _) => machines.next().map(Cow::Borrowed),
        (None, _) => lone.next().map(lone_host),
    };
    std::iter::from_fn(next).filter_map(|macs| host(world, &macs))
}

fn lone_host<'c>(mac: MacAddr) -> Cow<'c, BTreeSet<MacAddr>> {
    Cow::Owned(BTreeSet::from([mac]))
}

/// The names of all hosts, without those that nothing contests: where nobody speaks of an address, the host has its name by that
/// address, which only one that calls itself so can want too, a host or one of `others`.
pub(super) fn names(
    world: &World<'_, '_>,
    groups: &Groups<'_>,
    others: &[Candidate],
) -> Vec<(HostName, Identity)> {
    let named = |host: Candidate| (host.name, host.identity);
    let (spoken, silent): (Vec<MacAddr>, Vec<MacAddr>) =
        groups.lone.iter().partition(|mac| world.speaks_of(**mac));
    let spoken = Groups { machines: groups.machines.clone(), lone: spoken };
    let mut names: Vec<(HostName, Identity)> = hosts(world, &spoken).map(named).collect();
    let of_others = others.iter().map(|other| &other.name);
    let wanted: HashSet<&HostName> = names.iter().map(|(name, _)| name).chain(of_others).collect();
    let contested = silent.into_iter().filter(|mac| wanted.contains(&naming::fallback(*mac)));
    let contested: Vec<MacAddr> = contested.collect();
    names.extend(contested.into_iter().filter_map(|mac| host(world, &BTreeSet::from([mac]))).map(named));
    names
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
