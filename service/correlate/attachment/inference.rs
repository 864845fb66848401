//! Directions between switches that neither announce themselves nor have their own addresses in tables, from the hosts that both
//! have. Frames follow a tree, so of two ports that face each other no host lies beyond both: each host that both switches have is
//! behind the one port, or behind the other.

use std::collections::BTreeMap;

use super::rows::{MacIndex, Rows};
use super::topology::{Facing, Topology};
use crate::correlate::inventory::DeviceId;
use crate::correlate::ports::{PortId, Ports};

/// Hosts looked at per port and per switch: enough to outvote a stale row, and bounds the work at a thousand switches that never
/// see each other's addresses.
const HOSTS_PER_PORT: usize = 8;
const HOSTS_PER_SWITCH: usize = 256;

/// A direction makes others known; in practice two or three rounds find all of them.
const ROUNDS: usize = 8;

/// The tables, as inference looks at them.
pub(super) struct Sight<'r> {
    /// The ports.
    pub(super) ports: &'r Ports,
    /// The rows.
    pub(super) rows: &'r Rows,
}

/// Hosts that two switches have, by the port of each.
type Common = BTreeMap<(PortId, PortId), usize>;

/// Where the hosts that two switches have in common are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// Not looked at yet.
    New,
    /// Nowhere: the direction is known.
    Known,
    /// At this index.
    At(usize),
}

impl Topology {
    /// Infers until nothing more is found.
    pub(super) fn infer(&mut self, sight: &Sight<'_>, devices: usize) {
        let mut slots = vec![Slot::New; devices];
        for _ in 0..ROUNDS {
            let mut found = Vec::new();
            for &b in self.switches() {
                for (a, common) in self.common(sight, b, &mut slots) {
                    found.extend(self.towards(a, b, &common).map(|port| (a, b, port)));
                }
            }
            if found.is_empty() {
                break;
            }
            self.learn(found, devices);
        }
    }

    /// For each switch whose direction to `b` is not known: hosts that both have. `slots` has one entry for each device.
    fn common(&self, sight: &Sight<'_>, b: DeviceId, slots: &mut [Slot]) -> Vec<(DeviceId, Common)> {
        let mut all: Vec<(DeviceId, Common)> = Vec::new();
        let mut touched: Vec<usize> = Vec::new();
        for (port_of_b, mac) in sight.sample(b) {
            let mut rest = sight.rows.ports_of(mac);
            while let [port, others @ ..] = rest {
                let a = sight.ports.device(*port);
                let more = others.iter().take_while(|other| sight.ports.device(**other) == a).count();
                rest = others.get(more..).unwrap_or_default();
                // Learned on two ports of one switch: no direction.
                let (Some(slot), 0) = (slots.get_mut(a.0 as usize), more) else { continue };
                if *slot == Slot::New {
                    touched.push(a.0 as usize);
                    *slot = if a == b || self.facing(a, b) != Facing::Unknown {
                        Slot::Known
                    } else {
                        all.push((a, Common::new()));
                        Slot::At(all.len() - 1)
                    };
                }
                if let Slot::At(index) = *slot
                    && let Some((_, common)) = all.get_mut(index)
                {
                    *common.entry((*port, port_of_b)).or_default() += 1;
                }
            }
        }
        for index in touched {
            slots[index] = Slot::New;
        }
        all
    }

    /// The port of `a` that leads to `b`, if the hosts that both have leave no other.
    fn towards(&self, a: DeviceId, b: DeviceId, common: &Common) -> Option<PortId> {
        match self.facing(b, a) {
            Facing::Unknown => facing_each_other(common),
            Facing::One(back) => self.beyond(common, back),
            Facing::Several => None,
        }
    }

    /// Where B sees A behind its port `back`, everything A has behind other ports than the one to B is behind `back` too. So a
    /// host that B has elsewhere lies on A's port to B.
    fn beyond(&self, common: &Common, back: PortId) -> Option<PortId> {
        let mut votes: BTreeMap<PortId, usize> = BTreeMap::new();
        for ((port, _), count) in common.iter().filter(|((_, port_of_b), _)| *port_of_b != back) {
            *votes.entry(*port).or_default() += count;
        }
        let total: usize = votes.values().sum();
        let (port, most) = votes.into_iter().max_by_key(|(port, votes)| (*votes, *port))?;
        // One host may have moved; on a port that leads to another switch anyway it does no harm.
        let enough =
            most == total && (most >= 2 || self.is_inter_switch(port)) || most >= 3 && most * 3 >= total * 2;
        enough.then_some(port)
    }
}

/// The first port of the pairs of ports that may face each other, if all of them have the same one: even if one host more than
/// need be is where it is not (a stale row).
fn facing_each_other(common: &Common) -> Option<PortId> {
    let mut of_a: BTreeMap<PortId, BTreeMap<PortId, usize>> = BTreeMap::new();
    let mut of_b: BTreeMap<PortId, usize> = BTreeMap::new();
    for ((port_of_a, port_of_b), count) in common {
        of_a.entry(*port_of_a).or_default().insert(*port_of_b, *count);
        *of_b.entry(*port_of_b).or_default() += count;
    }
    let total: usize = of_b.values().sum();
    let mut most_of_b: Vec<(usize, PortId)> = of_b.iter().map(|(port, count)| (*count, *port)).collect();
    most_of_b.sort_unstable_by_key(|(count, port)| (std::cmp::Reverse(*count), *port));
    // Hosts that neither this port of A explains nor the best port of B beside it.
    let unexplained = |here: &BTreeMap<PortId, usize>| {
        let apart =
            most_of_b.iter().find(|(_, port)| !here.contains_key(port)).map_or(0, |(count, _)| *count);
        let beside = here.iter().map(|(port, both)| of_b.get(port).map_or(0, |count| count - both));
        total - here.values().sum::<usize>() - beside.max().unwrap_or(0).max(apart)
    };
    // The port may be one where the two have no host in common.
    let mut left = vec![(unexplained(&BTreeMap::new()), None)];
    left.extend(of_a.iter().map(|(port, here)| (unexplained(here), Some(*port))));
    left.sort_unstable();
    let [(best, port), (runner_up, _), ..] = left.as_slice() else { return None };
    // One stale row is one too many; more of them only among many hosts.
    port.filter(|_| *runner_up >= best + 2 && best * 8 <= total)
}

impl Sight<'_> {
    /// Some hosts of a switch, from every port, with the port: always the same for the same tables.
    fn sample(&self, switch: DeviceId) -> impl Iterator<Item = (PortId, MacIndex)> + '_ {
        let of_port =
            |port: PortId| self.rows.behind(port).iter().take(HOSTS_PER_PORT).map(move |mac| (port, *mac));
        let once = move |(_, mac): &(PortId, MacIndex)| self.learned(switch, *mac).is_some();
        self.ports.of(switch).map(PortId).flat_map(of_port).take(HOSTS_PER_SWITCH).filter(once)
    }

    /// The only port on which a switch learned this address.
    pub(super) fn learned(&self, switch: DeviceId, mac: MacIndex) -> Option<PortId> {
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
