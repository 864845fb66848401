//! Which port of a switch leads to which other switch: from neighbours, from switches' own addresses in forwarding tables, and
//! where those are silent from the hosts behind the ports. Frames follow a tree (IEEE 802.1D), so a switch lies behind
//! exactly one port of another.

use std::collections::HashMap;

use super::rows::Rows;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::neighbors::Heard;
use crate::correlate::ports::{PortId, Ports};
use crate::correlate::text;

/// Hosts looked at per port and per pair of switches when a direction is inferred: enough to outvote a stale row, and bounds the
/// work at a thousand switches that never see each other's addresses.
const HOSTS_PER_PORT: usize = 8;
const HOSTS_PER_PAIR: usize = 64;

/// Where other switches lie, as seen from each switch.
#[derive(Debug, Default)]
pub(in crate::correlate) struct Topology {
    /// Sorted (from, to, port).
    facing: Vec<(DeviceId, DeviceId, PortId)>,
    first: Vec<u32>,
    /// Those of them that forwarding tables show by the other device's own address, devices without a table included.
    sighted: Vec<(DeviceId, DeviceId, PortId)>,
    /// Those that announcements show.
    heard: Vec<(DeviceId, DeviceId, PortId)>,
    inter_switch: Vec<bool>,
    switches: Vec<DeviceId>,
}

/// The port that leads from one switch to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::correlate) enum Facing {
    /// Nothing says.
    Unknown,
    /// This one.
    One(PortId),
    /// Several signs disagree, or there are parallel paths.
    Several,
}

impl Topology {
    /// Infers the directions between all switches whose tables were read.
    pub(in crate::correlate) fn new(
        inventory: &Inventory<'_>,
        ports: &Ports,
        rows: &Rows,
        heard: &[Heard<'_>],
    ) -> Self {
        let switches: Vec<DeviceId> =
            inventory.iter().filter(|(_, device)| device.has_table).map(|(id, _)| id).collect();
        let mut sighted = Vec::new();
        for (id, device) in inventory.iter() {
            for mac in device.macs.iter().filter(|mac| inventory.owner(**mac) == Some(id)) {
                let Some(mac) = rows.find(*mac) else { continue };
                sighted.extend(rows.ports_of(mac).iter().map(|port| (ports.device(*port), id, *port)));
            }
        }
        sighted.sort_unstable();
        sighted.dedup();
        let with_table = |id: DeviceId| inventory.get(id).is_some_and(|device| device.has_table);
        let mut facing: Vec<_> = sighted.iter().copied().filter(|(_, to, _)| with_table(*to)).collect();
        let mut heard: Vec<_> = heard
            .iter()
            .filter_map(|heard| Some((heard.device, heard.speaker?, heard.port?)))
            .filter(|(_, speaker, _)| with_table(*speaker))
            .collect();
        heard.sort_unstable();
        heard.dedup();
        // A port that spanning tree blocks hears its neighbour and forwards nothing: frames go the way that tables show.
        let is_blocked = |(from, to, port): &(DeviceId, DeviceId, PortId)| {
            let start = sighted.partition_point(|known| *known < (*from, *to, PortId(0)));
            rows.behind(*port).is_empty() && sighted.get(start).is_some_and(|(a, b, _)| (a, b) == (from, to))
        };
        facing.extend(heard.iter().copied().filter(|heard| !is_blocked(heard)));
        let inter_switch = vec![false; ports.len()];
        let mut topology = Self { facing, first: Vec::new(), sighted, heard, inter_switch, switches };
        topology.settle(inventory.len());
        for index in 0..topology.facing.len() {
            topology.mark(topology.facing[index].2);
        }
        for index in 0..topology.heard.len() {
            topology.mark(topology.heard[index].2);
        }
        let sight = Sight { ports, rows };
        topology.infer_from_far_side(&sight, inventory.len());
        topology.infer_from_splits(&sight, inventory.len());
        topology.infer_from_far_side(&sight, inventory.len());
        topology
    }

    /// Switches whose tables were read.
    pub(in crate::correlate) fn switches(&self) -> &[DeviceId] {
        &self.switches
    }

    /// Whether a switch whose table was read lies behind this port: then its hosts are that switch's to place.
    pub(in crate::correlate) fn is_inter_switch(&self, port: PortId) -> bool {
        self.inter_switch.get(port.0 as usize).copied().unwrap_or(false)
    }

    /// The port of `from` that leads to `to`.
    pub(in crate::correlate) fn facing(&self, from: DeviceId, to: DeviceId) -> Facing {
        let slice = self.seen_from(from);
        let start = slice.partition_point(|(_, known, _)| *known < to);
        match slice.get(start) {
            Some((_, known, port)) if *known == to => match slice.get(start + 1) {
                Some((_, next, _)) if *next == to => Facing::Several,
                _ => Facing::One(*port),
            },
            _ => Facing::Unknown,
        }
    }

    /// Whether a forwarding table shows an own address of `to` on this port.
    pub(in crate::correlate) fn is_sighted(&self, to: DeviceId, port: PortId, ports: &Ports) -> bool {
        self.sighted.binary_search(&(ports.device(port), to, port)).is_ok()
    }

    /// The only port of `from` where an own address of `to` was learned.
    pub(in crate::correlate) fn sighted_on(&self, from: DeviceId, to: DeviceId) -> Option<PortId> {
        let start = self.sighted.partition_point(|known| *known < (from, to, PortId(0)));
        let found = self.sighted.get(start..)?.iter().take_while(|(a, b, _)| (*a, *b) == (from, to));
        text::only(found.map(|(_, _, port)| *port))
    }

    /// Whether this port heard `to` announce itself.
    pub(in crate::correlate) fn is_heard(&self, to: DeviceId, port: PortId, ports: &Ports) -> bool {
        self.heard.binary_search(&(ports.device(port), to, port)).is_ok()
    }

    /// Every (from, to, port) of one switch, sorted by `to`.
    pub(in crate::correlate) fn seen_from(&self, from: DeviceId) -> &[(DeviceId, DeviceId, PortId)] {
        match (self.first.get(from.0 as usize), self.first.get(from.0 as usize + 1)) {
            (Some(first), Some(end)) => &self.facing[*first as usize..*end as usize],
            _ => &[],
        }
    }

    fn mark(&mut self, port: PortId) {
        if let Some(mark) = self.inter_switch.get_mut(port.0 as usize) {
            *mark = true;
        }
    }

    fn settle(&mut self, devices: usize) {
        self.facing.sort_unstable();
        self.facing.dedup();
        self.facing.retain(|(from, to, _)| from != to);
        let mut first = vec![0_u32; devices + 1];
        for (from, _, _) in &self.facing {
            first[from.0 as usize + 1] += 1;
        }
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        self.first = first;
    }

    /// Where B sees A behind its port b, everything A has behind other ports than the one to B is behind b too. So a host
    /// that B has elsewhere lies on A's port to B.
    fn infer_from_far_side(&mut self, sight: &Sight<'_>, devices: usize) {
        let mut found = Vec::new();
        for &b in &self.switches {
            let seen = self.seen_from(b);
            for (index, &(_, a, towards_a)) in seen.iter().enumerate() {
                let several = seen.get(index + 1).is_some_and(|next| next.1 == a)
                    || index
                        .checked_sub(1)
                        .and_then(|before| seen.get(before))
                        .is_some_and(|before| before.1 == a);
                if several || self.facing(a, b) != Facing::Unknown {
                    continue;
                }
                let mut votes: HashMap<PortId, usize> = HashMap::new();
                for port in
                    sight.sample(b, Some(towards_a)).into_iter().filter_map(|mac| sight.learned(a, mac))
                {
                    *votes.entry(port).or_default() += 1;
                }
                let total: usize = votes.values().sum();
                let Some((port, most)) = votes.into_iter().max_by_key(|(port, votes)| (*votes, *port)) else {
                    continue;
                };
                // One host may have moved; on a port that leads to another switch anyway it does no harm.
                let enough = most == total && (most >= 2 || self.is_inter_switch(port))
                    || most >= 3 && most * 3 >= total * 2;
                if enough {
                    found.push((a, b, port));
                }
            }
        }
        self.learn(found, devices);
    }

    /// Hosts behind one port of A that B has on several ports: B lies behind that port. Were it elsewhere, it would see all of
    /// them in one direction. Two hosts on each of two ports, or three ports, cannot be one stale row.
    fn infer_from_splits(&mut self, sight: &Sight<'_>, devices: usize) {
        let mut found = Vec::new();
        for &a in &self.switches {
            for port in sight.ports.of(a).map(PortId) {
                let behind = sight.rows.behind(port);
                if self.is_inter_switch(port) || behind.len() < 3 {
                    continue;
                }
                // None for a switch whose direction is known: it is not behind this port.
                let mut seen: HashMap<DeviceId, Option<Vec<(PortId, usize)>>> = HashMap::new();
                'port: for mac in behind {
                    for &other in sight.rows.ports_of(*mac) {
                        let b = sight.ports.device(other);
                        if b == a {
                            continue;
                        }
                        let unknown = || (self.facing(a, b) == Facing::Unknown).then(Vec::new);
                        let Some(counts) = seen.entry(b).or_insert_with(unknown) else { continue };
                        match counts.iter_mut().find(|(known, _)| *known == other) {
                            Some((_, count)) => *count += 1,
                            None => counts.push((other, 1)),
                        }
                        let twice = counts.iter().filter(|(_, count)| *count >= 2).count();
                        if twice >= 2 || counts.len() >= 3 {
                            found.push((a, b, port));
                            break 'port;
                        }
                    }
                }
            }
        }
        self.learn(found, devices);
    }

    fn learn(&mut self, found: Vec<(DeviceId, DeviceId, PortId)>, devices: usize) {
        for (_, _, port) in &found {
            self.mark(*port);
        }
        self.facing.extend(found);
        self.settle(devices);
    }
}

/// The tables, as inference looks at them.
struct Sight<'r> {
    ports: &'r Ports,
    rows: &'r Rows,
}

impl Sight<'_> {
    /// Some hosts of a switch, from every port but one: always the same for the same tables.
    fn sample(&self, switch: DeviceId, except: Option<PortId>) -> Vec<u32> {
        let ports = self.ports.of(switch).map(PortId).filter(|port| Some(*port) != except);
        ports
            .flat_map(|port| self.rows.behind(port).iter().take(HOSTS_PER_PORT))
            .take(HOSTS_PER_PAIR)
            .copied()
            .collect()
    }

    /// The only port on which a switch learned this address.
    fn learned(&self, switch: DeviceId, mac: u32) -> Option<PortId> {
        let range = self.ports.of(switch);
        let all = self.rows.ports_of(mac);
        let start = all.partition_point(|port| port.0 < range.start);
        match all.get(start..) {
            Some([port, rest @ ..]) if range.contains(&port.0) => {
                (!rest.first().is_some_and(|next| range.contains(&next.0))).then_some(*port)
            }
            _ => None,
        }
    }
}
