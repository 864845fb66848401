//! Links from forwarding tables alone: ports of two switches that face each other with no third switch in between, and sockets
//! of devices without a table that are alone on a port.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    let known: BTreeSet<(DeviceId, &str)> =
        found.keys().flat_map(|(a, b)| [a, b]).map(|end| (end.0, end.1.as_str())).collect();
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
                && !known.contains(&(id, interface))
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
    let mut segments = Segments::new(edge);
    for &a in edge.topology.switches() {
        let mut behind: BTreeMap<PortId, Vec<(DeviceId, PortId)>> = BTreeMap::new();
        for (_, b, port) in edge.topology.seen_from(a) {
            if let (Facing::One(_), Facing::One(back)) =
                (edge.topology.facing(a, *b), edge.topology.facing(*b, a))
            {
                behind.entry(*port).or_default().push((*b, back));
            }
        }
        for (port, mut switches) in behind {
            // Those with the most switches on their far side are nearest; what they have on their far side is farther.
            switches.sort_by_cached_key(|(b, back)| (std::cmp::Reverse(segments.beyond(*b, *back)), *b));
            for (b, back) in switches {
                segments.join(port, b, back);
            }
        }
    }
    segments.into_sets()
}

/// Ports joined to segments, each with the switches that lie beyond it: those that a switch on the segment has on another port.
struct Segments<'s, 'r, 'a> {
    edge: &'s Edge<'r, 'a>,
    joined: BTreeMap<PortId, PortId>,
    /// By the port that stands for the segment, one bit for each device.
    farther: HashMap<PortId, Vec<u64>>,
    /// How many switches each port leads to.
    leads_to: HashMap<PortId, usize>,
}

impl<'s, 'r, 'a> Segments<'s, 'r, 'a> {
    fn new(edge: &'s Edge<'r, 'a>) -> Self {
        let mut leads_to: HashMap<PortId, usize> = HashMap::new();
        let all = edge.topology.switches().iter().flat_map(|switch| edge.topology.seen_from(*switch));
        for (_, _, port) in all {
            *leads_to.entry(*port).or_default() += 1;
        }
        Self { edge, joined: BTreeMap::new(), farther: HashMap::new(), leads_to }
    }

    /// How many switches a switch has on its other ports.
    fn beyond(&self, switch: DeviceId, port: PortId) -> usize {
        let behind = self.leads_to.get(&port).copied().unwrap_or(0);
        self.edge.topology.seen_from(switch).len().saturating_sub(behind)
    }

    /// Joins a port and the one by which a switch behind it faces back, unless frames to that switch cross another one, which
    /// has the two in different directions.
    fn join(&mut self, port: PortId, switch: DeviceId, back: PortId) {
        let (one, other) = (self.segment(port), self.segment(back));
        let bit = switch.0 as usize;
        let is_farther =
            |bits: &Vec<u64>| bits.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0);
        if one == other || self.farther.get(&one).is_some_and(is_farther) {
            return;
        }
        self.joined.insert(one.max(other), one.min(other));
        let more = self.farther.remove(&one.max(other)).unwrap_or_default();
        let bits = self.farther.entry(one.min(other)).or_default();
        bits.resize(bits.len().max(more.len()), 0);
        for (word, more) in bits.iter_mut().zip(more) {
            *word |= more;
        }
    }

    /// The port that stands for the segment of a port.
    fn segment(&mut self, port: PortId) -> PortId {
        let Some(mut found) = self.joined.get(&port).copied() else {
            self.joined.insert(port, port);
            self.farther.insert(port, self.farther_than(port));
            return port;
        };
        while let Some(next) = self.joined.get(&found).filter(|next| **next != found) {
            found = *next;
        }
        self.joined.insert(port, found);
        found
    }

    /// The switches that a port's switch has on other ports alone.
    fn farther_than(&self, port: PortId) -> Vec<u64> {
        let mut bits = Vec::new();
        let seen = self.edge.topology.seen_from(self.edge.ports.device(port));
        for of_one in seen.chunk_by(|(_, a, _), (_, b, _)| a == b) {
            let [(_, device, towards)] = of_one else { continue };
            if *towards != port {
                let bit = device.0 as usize;
                bits.resize(bits.len().max(bit / 64 + 1), 0);
                bits[bit / 64] |= 1 << (bit % 64);
            }
        }
        bits
    }

    fn into_sets(mut self) -> Vec<Vec<PortId>> {
        let ports: Vec<PortId> = self.joined.keys().copied().collect();
        let mut sets: BTreeMap<PortId, Vec<PortId>> = BTreeMap::new();
        for port in ports {
            sets.entry(self.segment(port)).or_default().push(port);
        }
        // Two ports of one switch on one segment: the tables contradict each other, so nothing is claimed. One port alone faces
        // nobody directly.
        let sets = sets.into_values().filter(|ports| {
            let devices: BTreeSet<DeviceId> =
                ports.iter().map(|port| self.edge.ports.device(*port)).collect();
            ports.len() > 1 && devices.len() == ports.len()
        });
        sets.collect()
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
