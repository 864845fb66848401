//! What became of every port that learned or heard one address: [`Edge::place`] spelt out, for whoever asks why.

use std::collections::BTreeSet;

use super::edge::{Edge, Place, Placement, Shared};
use crate::correlate::inventory::DeviceId;
use crate::correlate::ports::PortId;
use crate::model::MacAddr;
use crate::model::observation::PortKind;

/// One port, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::correlate) struct Considered {
    /// The port.
    pub port: PortId,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::correlate) enum Fate {
    /// It is where the address hangs.
    Chosen,
    /// It is an edge port too, and nothing rules it out.
    Competes,
    /// It leads to this unread switch, and nothing rules it out.
    CompetesBehind(String),
    /// It leads to this unread switch as well, from another side.
    OtherSide(String),
    /// It is an aggregate of the other switch of a pair.
    Pair,
    /// It leads to another switch than the one the address would be on.
    Disagrees,
    /// It leads to these switches, whose tables say more.
    Leads(Vec<Lead>),
    /// Another port learned the address more recently.
    Older,
    /// It has no link.
    Down,
    /// It leads to this bridge, which no table was read of.
    Outer(String),
    /// NetBox documents a cable to another network device there.
    Documented,
    /// Nobody learned the address there, and others did elsewhere.
    OnlyHeard,
}

/// A switch behind a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::correlate) struct Lead {
    /// The switch.
    pub device: DeviceId,
    /// How that is known.
    pub by: Sign,
}

/// How it is known that a switch is behind a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::correlate) enum Sign {
    /// The port heard it announce itself.
    Heard,
    /// An address of its own was learned there.
    OwnAddress,
    /// Hosts that it has on other ports were learned there.
    Hosts,
}

impl Edge<'_, '_> {
    /// Every port that learned or heard the address: the answer first, then in the order of devices and ports.
    pub(in crate::correlate) fn considered(&self, mac: MacAddr) -> Vec<Considered> {
        let learned = self.rows.find(mac).map_or(&[][..], |index| self.rows.ports_of(index));
        let ports: BTreeSet<PortId> =
            learned.iter().chain(self.announced_on(mac).into_iter().flatten()).copied().collect();
        let placement = self.place(mac);
        let place = if let Placement::At(place) = &placement { Some(place) } else { None };
        let mut considered: Vec<Considered> = ports
            .into_iter()
            .map(|port| Considered { port, fate: self.fate(mac, port, place, learned.contains(&port)) })
            .collect();
        considered.sort_by_key(|considered| considered.fate != Fate::Chosen);
        considered
    }

    fn fate(&self, mac: MacAddr, port: PortId, place: Option<&Place>, is_learned: bool) -> Fate {
        let is_inter_switch = self.topology.is_inter_switch(port);
        if let Some(place) = place {
            if port == place.port {
                return Fate::Chosen;
            }
            if place.competing.contains(&port) {
                return match &place.shared {
                    Some(Shared::BehindUnread(name)) => Fate::OtherSide(name.clone()),
                    Some(Shared::Kind(PortKind::Lag)) => Fate::Pair,
                    _ if is_inter_switch => Fate::Disagrees,
                    _ => match self.behind(port).and_then(|behind| behind.unread.first()) {
                        Some(name) => Fate::CompetesBehind(name.clone()),
                        None => Fate::Competes,
                    },
                };
            }
        }
        if is_inter_switch {
            return Fate::Leads(self.leads(port));
        }
        if self.is_down(port) {
            return Fate::Down;
        }
        let behind = self.behind(port);
        match behind.and_then(|behind| behind.unread.first()) {
            Some(name) => Fate::Outer(name.clone()),
            None if behind.is_some_and(|behind| behind.documented) => Fate::Documented,
            None if !is_learned => Fate::OnlyHeard,
            None if self.rows.find(mac).is_some_and(|mac| self.rows.age(mac, port).is_some()) => Fate::Older,
            None => Fate::Competes,
        }
    }

    /// The switches behind a port, those that say so themselves first.
    fn leads(&self, port: PortId) -> Vec<Lead> {
        let from = self.ports.device(port);
        let mut leads: Vec<Lead> = self
            .topology
            .seen_from(from)
            .iter()
            .filter(|(_, _, towards)| *towards == port)
            .map(|(_, device, _)| Lead { device: *device, by: self.sign(*device, port) })
            .collect();
        leads.sort_by_key(|lead| (lead.by as u8, lead.device));
        leads
    }

    fn sign(&self, device: DeviceId, port: PortId) -> Sign {
        if self.topology.is_heard(device, port, self.ports) {
            Sign::Heard
        } else if self.topology.is_sighted(device, port, self.ports) {
            Sign::OwnAddress
        } else {
            Sign::Hosts
        }
    }
}
