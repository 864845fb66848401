//! One address on several ports: a contradiction, unless all of them lead to the same place.

use std::collections::BTreeSet;

use super::edge::{Edge, Shared};
use super::inference::Sight;
use super::rows::MacIndex;
use super::topology::Facing;
use crate::correlate::inventory::DeviceId;
use crate::correlate::ports::PortId;
use crate::model::observation::PortKind;

impl Edge<'_, '_> {
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
                        && !learned.contains(&right)
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
