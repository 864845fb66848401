//! One address on several ports: a contradiction, unless all of them lead to the same place.

use std::collections::BTreeSet;

use super::edge::{Edge, Shared};
use super::inference::Sight;
use super::rows::MacIndex;
use super::topology::Facing;
use crate::correlate::inventory::DeviceId;
use crate::correlate::ports::PortId;
use crate::model::observation::PortKind;

/// So many ports that lead to unread switches are compared with each other: a host behind more of them is seen from all sides.
const COMPARED: usize = 16;

impl Edge<'_, '_> {
    /// Drops the ports that lead to a switch which is not read and over it, as far as anything shows, to another port: that one is
    /// nearer to the address.
    pub(super) fn retain_inner(&self, claims: &mut Vec<PortId>) {
        let (outer, edge): (Vec<PortId>, Vec<PortId>) =
            claims.iter().partition(|port| self.is_uplink(**port));
        if claims.len() < 2 || outer.is_empty() {
            return;
        }
        if !edge.is_empty() {
            claims.retain(|port| {
                !self.is_uplink(*port) || !edge.iter().all(|inner| self.leads_to(*port, *inner))
            });
        } else if outer.len() <= COMPARED {
            let is_outer =
                |port: PortId, inner: PortId| self.leads_to(port, inner) && !self.leads_to(inner, port);
            claims.retain(|port| !outer.iter().any(|inner| is_outer(*port, *inner)));
        }
    }

    /// Whether a port that leads to an unread switch, or by NetBox to some switch, leads to the switch of another port from the side.
    fn leads_to(&self, port: PortId, inner: PortId) -> bool {
        let (from, to) = (self.ports.device(port), self.ports.device(inner));
        if from == to || self.topology.facing(from, to) != Facing::Unknown {
            return false;
        }
        let Some(behind) = self.behind(port) else { return false };
        let is_other_side = |side: &PortId| *side != inner && self.ports.device(*side) == to;
        let sides =
            |name: &String| self.sides(name).into_iter().flat_map(|sides| sides.range(self.range(to)));
        let same_side = behind.unread.iter().flat_map(sides).any(|side| *side == inner);
        behind.documented
            || behind.unread.iter().flat_map(sides).any(is_other_side)
            || matches!(self.topology.facing(to, from), Facing::One(back) if back != inner)
            || !same_side && self.topology.trees.reaches(from, port, to)
    }

    fn range(&self, device: DeviceId) -> std::ops::Range<PortId> {
        let ports = self.ports.of(device);
        PortId(ports.start)..PortId(ports.end)
    }

    /// Why one address is on all these ports, which lead to no switch that was read, without a contradiction: they all lead to the
    /// same unread switch, or they are one aggregate on a pair of switches (MLAG, vPC, VSX).
    pub(super) fn lawful(&self, claims: &[PortId]) -> Option<Shared> {
        let [first, others @ ..] = claims else { return None };
        if others.is_empty() {
            return None;
        }
        let unread = |port: PortId| {
            let behind = self.behind(port);
            behind.into_iter().flat_map(|behind| behind.unread.iter().chain(&behind.perhaps))
        };
        let common =
            unread(*first).find(|name| others.iter().all(|port| unread(*port).any(|other| other == *name)));
        if let Some(name) = common {
            return Some(Shared::BehindUnread(name.clone()));
        }
        let is_aggregate =
            |port: &PortId| self.ports.get(*port).is_some_and(|port| port.kind == PortKind::Lag);
        let devices: BTreeSet<DeviceId> = claims.iter().map(|port| self.ports.device(*port)).collect();
        let pair: Vec<DeviceId> = devices.into_iter().collect();
        match (claims, pair.as_slice()) {
            ([_, _], [a, b]) if claims.iter().all(is_aggregate) && self.topology.are_linked(*a, *b) => {
                Some(Shared::Kind(PortKind::Lag))
            }
            _ => None,
        }
    }

    /// Tables of other switches that have the address in the direction of this port's switch.
    pub(super) fn agreeing(&self, learned: &[PortId], port: PortId) -> usize {
        let to = self.ports.device(port);
        learned
            .iter()
            .filter(|seen| {
                let from = self.ports.device(**seen);
                from != to && self.topology.facing(from, to) == Facing::One(**seen)
            })
            .count()
    }

    /// Ports between switches that have the address in another direction than the switches of all these ports: the host has moved,
    /// or something unread is in between.
    pub(super) fn disagreeing(
        &self,
        mac: Option<MacIndex>,
        learned: &[PortId],
        right: &[PortId],
    ) -> Vec<PortId> {
        let sight = Sight { ports: self.ports, rows: self.rows };
        let leads_away = |seen: PortId, to: DeviceId| {
            let from = self.ports.device(seen);
            match self.topology.facing(from, to) {
                Facing::One(right) => {
                    from != to
                        && right != seen
                        && learned.binary_search(&right).is_err()
                        && self.topology.contradicts(&sight, mac, from, seen, to)
                }
                _ => false,
            }
        };
        let away = learned.iter().copied().filter(|seen| {
            self.topology.is_inter_switch(*seen)
                && right.iter().all(|port| leads_away(*seen, self.ports.device(*port)))
        });
        away.collect()
    }
}
