//! From collections to candidates, with what NetBox knows: prefixes, documented MAC addresses, cables between switches.

use std::collections::BTreeSet;

use crate::correlate;
use crate::model::{Candidate, Collection, Discovery, Known, ObjectRef};
use crate::plan::stage::{Found, find};
use crate::plan::{Target, View};

/// What correlation should know of NetBox.
pub fn known(view: &View, stage_random_macs: bool) -> Known {
    Known {
        prefixes: view
            .prefixes
            .iter()
            .filter(|prefix| prefix.status != "container" && prefix.vrf.is_none())
            .map(|prefix| prefix.prefix)
            .collect(),
        uplinks: BTreeSet::new(),
        documented_macs: view.macs.iter().map(|mac| mac.mac).collect(),
        stage_random_macs,
    }
}

/// Candidates of these collections without a NetBox.
pub fn correlate(collections: &[Collection], known: &Known) -> Discovery {
    correlate::correlate(collections, known)
}

/// The same, each candidate handed on as soon as it is worded: the result has none.
pub fn correlate_each<E>(
    collections: &[Collection],
    known: &Known,
    take: impl FnMut(Candidate) -> Result<(), E>,
) -> Result<Discovery, E> {
    correlate::correlate_each(collections, known, take)
}

/// The NetBox objects that the network's own devices are, by the name sources give them.
pub fn devices(discovery: &Discovery, view: &View) -> Vec<(String, ObjectRef)> {
    discovery
        .candidates
        .iter()
        .filter_map(|candidate| {
            let name = candidate.device.clone()?;
            match find(candidate, view) {
                Found::Proposed(machine) | Found::Documented(machine, _) => Some((name, machine.object)),
                Found::Nothing | Found::Ambiguous(_) | Found::Contradicted(..) => None,
            }
        })
        .collect()
}

/// Ports of known devices with a connected cable to another known device: uplinks that a person documented.
pub fn uplinks(devices: &[(String, ObjectRef)], view: &View) -> BTreeSet<(String, String)> {
    let known: BTreeSet<ObjectRef> = devices.iter().map(|(_, object)| *object).collect();
    devices
        .iter()
        .flat_map(|(name, object)| {
            view.interfaces_of(*object)
                .filter(|interface| {
                    interface.peers.iter().any(|peer| known.contains(peer) && *peer != interface.machine)
                })
                .map(|interface| (name.clone(), interface.name.clone()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Objects whose interfaces the planner needs: the network's own devices, and everything proposed.
pub(super) fn of_interest(discovery: &Discovery, view: &View) -> BTreeSet<ObjectRef> {
    discovery
        .candidates
        .iter()
        .filter_map(|candidate| {
            let found = find(candidate, view);
            let is_ours = matches!(found, Found::Proposed(_));
            match found.target()? {
                Target::Id(_) if candidate.device.is_some() || is_ours => match found {
                    Found::Proposed(machine) | Found::Documented(machine, _) => Some(machine.object),
                    _ => None,
                },
                _ => None,
            }
        })
        .collect()
}
