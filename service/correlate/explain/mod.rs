//! The whole reasoning for one candidate, worked out on demand: what is kept for every candidate of a large network is the answer,
//! not how it was reached.

mod find;
mod observations;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::inventory::DeviceId;
use super::ports::PortId;
use super::world::World;
use super::{conclude, devices, guests, hosts, with_world};
use crate::model::candidate::Known;
use crate::model::explanation::{ExplainedCard, Near};
use crate::model::{Attachment, Candidate, Collection, Discovery, Explanation, Identity, Link, MacAddr};
use observations::About;

/// Explains what is called so: a MAC address, a network address, a name, an identity. Everything that answers to it, if it is not
/// unique; what is called almost so, if there is nothing.
pub fn explain(
    collections: &[Collection],
    known: &Known,
    asked: &str,
) -> Result<Vec<Explanation>, Vec<Near>> {
    with_world(collections, known, |world| {
        let discovery = conclude(world);
        let found = find::find(world, &discovery, asked)?;
        let subjects: Vec<Subject<'_, '_>> = found
            .into_iter()
            .map(|found| match found {
                find::Found::Candidate(candidate) => Subject::of(world, candidate),
                find::Found::Address(mac) => Subject::nothing(world, mac),
            })
            .collect();
        Ok(tell(world, &discovery, &subjects))
    })
}

/// Explains the candidates with these identities: for the journal entries of one run.
pub fn explain_each(
    collections: &[Collection],
    known: &Known,
    identities: &BTreeSet<Identity>,
) -> BTreeMap<Identity, Explanation> {
    if identities.is_empty() {
        return BTreeMap::new();
    }
    with_world(collections, known, |world| {
        let discovery = conclude(world);
        let wanted = discovery.candidates.iter().filter(|candidate| identities.contains(&candidate.identity));
        let subjects: Vec<Subject<'_, '_>> = wanted.map(|candidate| Subject::of(world, candidate)).collect();
        let told = tell(world, &discovery, &subjects);
        told.into_iter().filter_map(|told| Some((told.candidate.as_ref()?.identity.clone(), told))).collect()
    })
}

/// What is explained: a candidate, or addresses that make none.
struct Subject<'s, 'a> {
    candidate: Option<&'s Candidate>,
    /// The known device it is.
    device: Option<DeviceId>,
    /// The guest it is, by its position.
    guest: Option<usize>,
    macs: BTreeSet<MacAddr>,
    draft: Draft,
    about: About<'a>,
}

impl<'s, 'a> Subject<'s, 'a> {
    fn of(world: &World<'_, 'a>, candidate: &'s Candidate) -> Self {
        let device = candidate.device.as_deref().and_then(|name| devices::of(world, candidate, name));
        let guest =
            world.machines.guests.iter().position(|guest| guests::identity(guest) == candidate.identity);
        let mut macs: BTreeSet<MacAddr> = candidate.interfaces.iter().filter_map(|card| card.mac).collect();
        let identities = std::iter::once(&candidate.identity).chain(&candidate.aliases);
        macs.extend(
            identities.filter_map(|identity| identity.as_str().strip_prefix("mac:")?.parse::<MacAddr>().ok()),
        );
        let draft = match (guest, device) {
            (Some(guest), _) => world.machines.guests.get(guest).map(|guest| guests::draft(world, guest)),
            (None, Some(id)) => world.inventory.get(id).map(|device| devices::draft(world, id, device)),
            (None, None) => Some(hosts::draft(world, &macs).0),
        };
        Self::new(world, Some(candidate), device, guest, macs, draft.unwrap_or_default())
    }

    fn nothing(world: &World<'_, 'a>, mac: MacAddr) -> Self {
        let macs = BTreeSet::from([mac]);
        let draft = if mac.is_host() { hosts::draft(world, &macs).0 } else { Draft::default() };
        Self::new(world, None, None, None, macs, draft)
    }

    fn new(
        world: &World<'_, 'a>,
        candidate: Option<&'s Candidate>,
        device: Option<DeviceId>,
        guest: Option<usize>,
        macs: BTreeSet<MacAddr>,
        draft: Draft,
    ) -> Self {
        let cards = candidate.iter().flat_map(|candidate| &candidate.interfaces);
        let about = About {
            macs: macs.clone(),
            addresses: cards.flat_map(|card| card.addresses.iter().copied()).collect(),
            device,
            guest: guest.and_then(|guest| world.machines.guests.get(guest)).map(|guest| guest.fact),
        };
        Self { candidate, device, guest, macs, draft, about }
    }
}

fn tell(world: &World<'_, '_>, discovery: &Discovery, subjects: &[Subject<'_, '_>]) -> Vec<Explanation> {
    let abouts: Vec<&About<'_>> = subjects.iter().map(|subject| &subject.about).collect();
    let observations = observations::observations(world, &abouts);
    subjects
        .iter()
        .zip(observations)
        .map(|(subject, observations)| {
            let device = subject.device.map(|id| world.inventory.name(id));
            let is_end = |link: &&Link| {
                device.is_some_and(|name| [&link.a.switch, &link.b.switch].iter().any(|end| *end == name))
            };
            Explanation {
                conclusion: conclusion(subject, observations.is_empty()),
                candidate: subject.candidate.cloned(),
                observations,
                cards: cards(world, subject),
                names: verdicts::names(subject.candidate, &subject.draft.wishes),
                classes: verdicts::classes(subject.candidate, &subject.draft.classes),
                weights: verdicts::weights(&subject.draft.weights),
                links: discovery.links.iter().filter(is_end).cloned().collect(),
                gaps: discovery.gaps.clone(),
                netbox: None,
            }
        })
        .collect()
}

/// Its network cards with an address: of a network device only those that others saw, for the rest are its ports.
fn cards(world: &World<'_, '_>, subject: &Subject<'_, '_>) -> Vec<ExplainedCard> {
    let interface = |mac: MacAddr| {
        let cards = subject.candidate.map_or(&subject.draft.interfaces, |candidate| &candidate.interfaces);
        cards.iter().find(|card| card.mac == Some(mac))
    };
    let heard = heard(world, subject);
    subject
        .macs
        .iter()
        .map(|mac| {
            let interface = interface(*mac);
            let mut ports = verdicts::ports(world, *mac);
            let name = interface.and_then(|card| card.name.as_ref());
            if let Some(heard) = name.and_then(|name| heard.get(name)) {
                verdicts::add_heard(world, &mut ports, heard);
            }
            if let Some(attachment) = interface.and_then(|card| card.attachment.as_ref()) {
                verdicts::follow(&mut ports, attachment, subject.guest.is_some());
            }
            ExplainedCard {
                mac: *mac,
                name: interface.and_then(|card| card.name.clone()),
                addresses: verdicts::addresses(world, *mac),
                ports,
                unattached: interface.and_then(|card| card.unattached_reason.clone()),
            }
        })
        .filter(|card| subject.device.is_none() || !card.addresses.is_empty() || !card.ports.is_empty())
        .collect()
}

/// The ports that heard a device which hangs on a port itself, by interface.
fn heard(world: &World<'_, '_>, subject: &Subject<'_, '_>) -> BTreeMap<String, BTreeSet<PortId>> {
    let device = subject.device.filter(|id| world.inventory.get(*id).is_some_and(|device| !device.has_table));
    let mut heard: BTreeMap<String, BTreeSet<PortId>> = BTreeMap::new();
    for (interface, port) in device.map(|id| devices::heard_ports(world, id)).unwrap_or_default() {
        if let Some(interface) = interface {
            heard.entry(interface).or_default().insert(port);
        }
    }
    heard
}

/// What it comes to, in one sentence.
fn conclusion(subject: &Subject<'_, '_>, is_silent: bool) -> String {
    let Some(candidate) = subject.candidate else {
        let macs: Vec<String> = subject.macs.iter().map(ToString::to_string).collect();
        let macs = macs.join(", ");
        return if subject.macs.iter().any(|mac| !mac.is_host()) {
            format!("{macs} is a group address or that of a virtual router: it is never one host's")
        } else if is_silent {
            format!("nothing was seen of {macs}")
        } else {
            format!("{macs} is no candidate: nothing that counts was seen of it")
        };
    };
    let what = match (subject.guest.is_some(), subject.device.is_some()) {
        (true, _) => "a guest",
        (false, true) => "one of the network's own devices",
        (false, false) => "a host",
    };
    let places: BTreeSet<String> =
        candidate.interfaces.iter().filter_map(|card| card.attachment.as_ref()).map(hangs).collect();
    let unattached = candidate.interfaces.iter().find_map(|card| card.unattached_reason.clone());
    let place = match (places.is_empty(), unattached) {
        (false, _) => format!(", {}", places.into_iter().collect::<Vec<_>>().join("; ")),
        (true, Some(reason)) => format!("; where it hangs is unknown: {reason}"),
        (true, None) => String::new(),
    };
    let only = candidate.evidence_only.as_ref();
    let only = only.map(|reason| format!("; reported and not proposed: {reason}")).unwrap_or_default();
    format!("{} is {what}{place}{only}", candidate.name)
}

fn hangs(attachment: &Attachment) -> String {
    let port = format!("{} {}", attachment.switch, attachment.port);
    let others: Vec<String> =
        attachment.competing.iter().map(|other| format!("{} {}", other.switch, other.port)).collect();
    if !others.is_empty() {
        format!("on {port} or {}", others.join(" or "))
    } else if attachment.exclusive {
        format!("alone on {port}")
    } else {
        format!("behind {port}")
    }
}
