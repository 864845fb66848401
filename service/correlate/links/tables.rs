//! Links from forwarding tables alone: ports of two switches that face each other with no third switch in between, and sockets
//! of devices without a table that are alone on a port.

use std::collections::{BTreeMap, BTreeSet};

use super::{EDGE_PORT, End, Found, SHARED_SEGMENT, key, socket};
use crate::correlate::attachment::edge::{Edge, Placement};
use crate::correlate::attachment::topology::Facing;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::ports::PortId;
use crate::correlate::text;

/// Addresses looked at to tell whether something lies between two ports.
const SAMPLE: usize = 256;

/// Adds the links that only tables show, on ports that no announcement speaks of.
pub(super) fn cables(
    inventory: &Inventory<'_>,
    edge: &Edge<'_, '_>,
    found: &mut BTreeMap<(End, End), Found>,
) {
    let taken: BTreeSet<PortId> = found
        .keys()
        .flat_map(|(a, b)| [a, b])
        .filter_map(|end| edge.ports.find(inventory, end.0, &end.1))
        .collect();
    let mut new = Vec::new();
    for segment in segments(edge) {
        if segment.iter().any(|port| taken.contains(port)) {
            continue;
        }
        let hub =
            segment.iter().copied().max_by_key(|port| (elsewhere(edge, *port), std::cmp::Reverse(*port)));
        let Some(hub) = hub else { continue };
        for port in segment.iter().copied().filter(|port| *port != hub) {
            let shared = segment.len() > 2 || between(edge, hub, port);
            let sign = if shared { Some(SHARED_SEGMENT) } else { None };
            new.push((socket(inventory, edge, hub), socket(inventory, edge, port), sign));
        }
    }
    for (id, device) in inventory.iter().filter(|(_, device)| !device.has_table && !device.facts.is_empty()) {
        for mac in device.macs.iter().filter(|mac| inventory.owner(**mac) == Some(id)) {
            let Some(interface) = text::sending_socket(device, *mac) else { continue };
            if let Placement::At(place) = edge.place(*mac)
                && place.shared.is_none()
                && !taken.contains(&place.port)
                && !found.keys().any(|(a, b)| [a, b].contains(&&(id, interface.to_owned())))
            {
                let far = Some((id, interface.to_owned()));
                new.push((socket(inventory, edge, place.port), far, Some(EDGE_PORT)));
            }
        }
    }
    for (one, other, sign) in new {
        let (Some(one), Some(other)) = (one, other) else { continue };
        let link = found.entry(key(one, other)).or_default();
        link.evidence.insert("fdb");
        link.evidence.extend(sign);
    }
}

/// Sets of ports that face each other directly, each sorted.
fn segments(edge: &Edge<'_, '_>) -> Vec<Vec<PortId>> {
    let mut joined: BTreeMap<PortId, PortId> = BTreeMap::new();
    for &a in edge.topology.switches() {
        let mut behind: BTreeMap<PortId, Vec<(DeviceId, PortId)>> = BTreeMap::new();
        for (_, b, _) in edge.topology.seen_from(a) {
            if let (Facing::One(port), Facing::One(back)) =
                (edge.topology.facing(a, *b), edge.topology.facing(*b, a))
            {
                behind.entry(port).or_default().push((*b, back));
            }
        }
        for (port, mut switches) in behind {
            // Those with the most switches on their far side are nearest, so each is checked only against the nearest.
            switches.sort_by_cached_key(|(b, back)| (std::cmp::Reverse(beyond(edge, *b, *back)), *b));
            switches.dedup();
            let mut nearest: Vec<(DeviceId, PortId)> = Vec::new();
            for (b, back) in switches {
                if !nearest.iter().any(|(c, _)| lies_between(edge, *c, a, b)) {
                    nearest.push((b, back));
                }
            }
            for (_, back) in nearest {
                join(&mut joined, port, back);
            }
        }
    }
    let mut sets: BTreeMap<PortId, Vec<PortId>> = BTreeMap::new();
    for port in joined.keys() {
        sets.entry(find(&joined, *port)).or_default().push(*port);
    }
    // Two ports of one switch on one segment: the tables contradict each other, so nothing is claimed.
    sets.into_values()
        .filter(|ports| {
            let devices: BTreeSet<DeviceId> = ports.iter().map(|port| edge.ports.device(*port)).collect();
            devices.len() == ports.len()
        })
        .collect()
}

fn beyond(edge: &Edge<'_, '_>, switch: DeviceId, back: PortId) -> usize {
    edge.topology.seen_from(switch).iter().filter(|(_, _, port)| *port != back).count()
}

/// Whether frames from `a` to `b` cross `c`: it has them in different directions.
fn lies_between(edge: &Edge<'_, '_>, c: DeviceId, a: DeviceId, b: DeviceId) -> bool {
    match (edge.topology.facing(c, a), edge.topology.facing(c, b)) {
        (Facing::One(to_a), Facing::One(to_b)) => to_a != to_b,
        _ => false,
    }
}

/// How many addresses a switch has on its other ports: the one with most is nearest to the middle of the network.
fn elsewhere(edge: &Edge<'_, '_>, port: PortId) -> usize {
    let others = edge.ports.of(edge.ports.device(port)).map(PortId).filter(|other| *other != port);
    others.map(|other| edge.rows.behind(other).len()).sum()
}

/// Whether both ports learned the same address: then it lies in between, on something that no source reads.
fn between(edge: &Edge<'_, '_>, one: PortId, other: PortId) -> bool {
    let behind = edge.rows.behind(one).iter().take(SAMPLE);
    behind.into_iter().any(|mac| edge.rows.ports_of(*mac).binary_search(&other).is_ok())
}

fn find(joined: &BTreeMap<PortId, PortId>, mut port: PortId) -> PortId {
    while let Some(next) = joined.get(&port).filter(|next| **next != port) {
        port = *next;
    }
    port
}

fn join(joined: &mut BTreeMap<PortId, PortId>, one: PortId, other: PortId) {
    joined.entry(one).or_insert(one);
    joined.entry(other).or_insert(other);
    let (one, other) = (find(joined, one), find(joined, other));
    joined.insert(one.max(other), one.min(other));
}
