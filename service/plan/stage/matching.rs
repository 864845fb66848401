//! Whether NetBox knows a candidate already. Strong evidence first; two hits are a question, never a guess.

use std::collections::BTreeSet;

use crate::model::{Candidate, CandidateKind, MacAddr, NameOrigin, ObjectKind, ObjectRef};
use crate::plan::view::{Machine, TAG};
use crate::plan::{Target, View};

/// What NetBox has for a candidate.
#[derive(Debug, Clone)]
pub enum Found<'a> {
    /// Nothing.
    Nothing,
    /// An object that Surveyor proposed and nobody has decided on yet.
    Proposed(&'a Machine),
    /// An object that a person documented or approved, and how it was recognised.
    Documented(&'a Machine, How),
    /// Several objects.
    Ambiguous(Vec<ObjectRef>),
    /// Only a weak hit (address or name) on an object that has other MAC addresses: another machine.
    Contradicted(&'a Machine, How),
}

/// How an object was recognised, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Surveyor's identity.
    Identity,
    /// A MAC address on one of its interfaces.
    Mac,
    /// Its serial number.
    Serial,
    /// Its primary IP address.
    PrimaryAddress,
    /// Its name, in the same site or cluster.
    Name,
}

impl Found<'_> {
    /// The object, where there is exactly one.
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Proposed(machine) | Self::Documented(machine, _) => Some(Target::Id(machine.object.id)),
            Self::Nothing | Self::Ambiguous(_) | Self::Contradicted(..) => None,
        }
    }
}

/// The NetBox model a candidate becomes.
pub(crate) const fn kind_of(candidate: &Candidate) -> ObjectKind {
    match candidate.kind {
        CandidateKind::Device => ObjectKind::Device,
        CandidateKind::VirtualMachine => ObjectKind::VirtualMachine,
    }
}

/// Looks a candidate up: our identity, MAC, serial number, primary IP, name.
pub fn find<'a>(candidate: &Candidate, view: &'a View) -> Found<'a> {
    let macs: BTreeSet<MacAddr> = candidate.interfaces.iter().filter_map(|interface| interface.mac).collect();
    let identities = std::iter::once(&candidate.identity).chain(&candidate.aliases);
    let by_identity: BTreeSet<ObjectRef> = identities
        .flat_map(|identity| view.by_identity(identity.as_str()))
        .map(|machine| machine.object)
        .collect();
    let by_mac: BTreeSet<ObjectRef> = macs.iter().flat_map(|mac| view.by_mac(*mac)).collect();
    let by_serial: BTreeSet<ObjectRef> = candidate
        .serial
        .iter()
        .flat_map(|serial| view.by_serial(serial))
        .map(|machine| machine.object)
        .collect();
    for (how, hits) in [(How::Identity, by_identity), (How::Mac, by_mac), (How::Serial, by_serial)] {
        match hits.len() {
            0 => {}
            1 => {
                if let Some(machine) = hits.first().and_then(|object| view.machine(*object)) {
                    return settled(machine, how, view);
                }
            }
            _ => return Found::Ambiguous(hits.into_iter().collect()),
        }
    }
    let weak = [(How::PrimaryAddress, by_primary(candidate, view)), (How::Name, by_name(candidate, view))];
    let mut contradicted = None;
    for (how, hits) in weak {
        match hits.len() {
            0 => {}
            1 => {
                let Some(machine) = hits.first().and_then(|object| view.machine(*object)) else { continue };
                if view.macs_of(machine.object).is_empty() || macs.is_empty() {
                    return settled(machine, how, view);
                }
                contradicted.get_or_insert((machine, how));
            }
            _ => return Found::Ambiguous(hits.into_iter().collect()),
        }
    }
    contradicted.map_or(Found::Nothing, |(machine, how)| Found::Contradicted(machine, how))
}

fn settled<'a>(machine: &'a Machine, how: How, view: &View) -> Found<'a> {
    let is_proposal = machine.status == view.defaults.staged
        && machine.has_tag(TAG)
        && machine.ours.as_ref().is_some_and(|ours| ours.id.is_some());
    if is_proposal { Found::Proposed(machine) } else { Found::Documented(machine, how) }
}

fn by_primary(candidate: &Candidate, view: &View) -> BTreeSet<ObjectRef> {
    candidate
        .interfaces
        .iter()
        .flat_map(|interface| &interface.addresses)
        .flat_map(|address| view.addresses_at(*address))
        .filter(|address| address.vrf.is_none())
        .filter_map(|address| {
            let machine = view.machine(address.machine?)?;
            let is_primary = [machine.primary_ip4, machine.primary_ip6].contains(&Some(address.id));
            is_primary.then_some(machine.object)
        })
        .collect()
}

fn by_name(candidate: &Candidate, view: &View) -> BTreeSet<ObjectRef> {
    if candidate.name_origin == NameOrigin::Fallback {
        return BTreeSet::new();
    }
    let kind = kind_of(candidate);
    view.by_name(kind, candidate.name.as_str())
        .into_iter()
        .filter(|machine| match candidate.kind {
            CandidateKind::Device => machine.site == Some(view.defaults.site),
            CandidateKind::VirtualMachine => {
                let cluster = candidate.cluster.as_ref().and_then(|name| view.defaults.clusters.get(name));
                cluster.is_some_and(|cluster| machine.cluster == Some(cluster.id))
            }
        })
        .map(|machine| machine.object)
        .collect()
}

/// How a documented object differs from what is observed, in words. Reported, not written.
pub(crate) fn differences(candidate: &Candidate, machine: &Machine, view: &View) -> Vec<String> {
    let mut differences = Vec::new();
    if candidate.name_origin != NameOrigin::Fallback
        && machine.name.as_deref().is_some_and(|name| !name.eq_ignore_ascii_case(candidate.name.as_str()))
    {
        differences.push(format!("is named `{}`, seen as `{}`", machine.title(), candidate.name));
    }
    for interface in &candidate.interfaces {
        for address in &interface.addresses {
            let here = view.addresses_at(*address).any(|known| known.machine == Some(machine.object));
            if !here {
                differences.push(format!("{address} is seen on it and not documented there"));
            }
        }
    }
    differences
}
