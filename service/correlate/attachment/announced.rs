//! What announcements say of a port beside its forwarding rows: who else is there, and where a device without a table hangs.

use std::collections::BTreeSet;

use super::edge::{Adjacent, Edge, Place, Placement, Shared};
use super::rows::MacIndex;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::neighbors::Heard;
use crate::correlate::ports::PortId;
use crate::model::MacAddr;
use crate::model::observation::PortKind;

/// A machine that announced itself on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::correlate) struct Voice {
    name: String,
    macs: BTreeSet<MacAddr>,
    /// Over the cable, not through other switches.
    is_adjacent: bool,
}

impl Voice {
    /// Adds what was heard: two announcements under one name, or of one address, are of one machine.
    pub(super) fn note(voices: &mut Vec<Self>, heard: &Heard<'_>, macs: &BTreeSet<MacAddr>) {
        if macs.is_empty() {
            return;
        }
        let name = heard.called();
        match voices.iter_mut().find(|voice| voice.name == name || !voice.macs.is_disjoint(macs)) {
            Some(voice) => {
                voice.macs.extend(macs.iter().copied());
                voice.is_adjacent |= heard.is_adjacent();
            }
            None => voices.push(Self { name, macs: macs.clone(), is_adjacent: heard.is_adjacent() }),
        }
    }
}

impl Edge<'_, '_> {
    /// Why an address is not alone on a port, by the announcements of others there: behind the one that is next on the cable, or
    /// beside several.
    pub(super) fn others_heard(&self, mac: MacAddr, port: PortId) -> Option<Shared> {
        let voices = self.behind(port).map(|behind| behind.voices.as_slice()).unwrap_or_default();
        let is_it = |own: &MacAddr| self.machines.together(*own, mac) || self.machines.together(mac, *own);
        let others: Vec<&Voice> = voices.iter().filter(|voice| !voice.macs.iter().any(is_it)).collect();
        match others.as_slice() {
            [] => None,
            [other] if other.is_adjacent && voices.len() == 1 => Some(Shared::Behind(other.name.clone())),
            _ => Some(Shared::Addresses(self.rows.behind(port).len().max(others.len() + 1))),
        }
    }

    /// Whether a learned address is of this one's machine, of a guest on it, or of something behind its bridge.
    pub(super) fn is_with(&self, mac: MacAddr, other: MacIndex) -> bool {
        let device = || self.machines.of(mac).and_then(|id| self.machines.get(id)?.device);
        let inside = |port: &PortId| self.is_inside(*port) && Some(self.ports.device(*port)) == device();
        self.machines.together(mac, self.rows.mac(other)) || self.rows.ports_of(other).iter().any(inside)
    }

    /// Whether the port leads to what is inside of a machine that forwards for nobody else.
    pub(in crate::correlate) fn is_inside(&self, port: PortId) -> bool {
        self.ports.get(port).is_some_and(|found| {
            found.kind == PortKind::Virtual && self.topology.switches().binary_search(&found.device).is_err()
        })
    }

    /// Whether the port is an edge port with a link that learned nothing: who announces itself there may have left another port
    /// where it is still in the tables, or is still heard where it is no more.
    pub(super) fn is_empty_edge(&self, port: PortId) -> bool {
        !self.topology.is_inter_switch(port)
            && !self.is_down(port)
            && self.rows.behind(port).is_empty()
            && self.topology.switches().binary_search(&self.ports.device(port)).is_ok()
    }

    /// The place of a device without a table on a port that heard it; none if that port leads to a switch.
    pub(in crate::correlate) fn place_announced(&self, device: DeviceId, port: PortId) -> Option<Place> {
        if self.topology.is_inter_switch(port) {
            return None;
        }
        let is_adjacent = self.heard_on(device).any(|heard| heard == port);
        let kind = self.ports.get(port)?.kind;
        let shared = if kind != PortKind::Physical {
            Some(Shared::Kind(kind))
        } else if !is_adjacent || self.has_others(device, port) {
            Some(Shared::Addresses(self.rows.behind(port).len()))
        } else {
            None
        };
        let competing = Vec::new();
        Some(Place { port, vlan: None, shared, competing, announced: true, agreeing: 0, is_telephone: false })
    }

    /// The edge port where tables have an address of a device, if it is none of those that heard the device. Switches whose tables
    /// were not read hide behind the port of another, so what only they heard is no contradiction.
    pub(in crate::correlate) fn learned_elsewhere(
        &self,
        inventory: &Inventory<'_>,
        mac: MacAddr,
        heard: &BTreeSet<PortId>,
    ) -> Option<Place> {
        let has_table =
            |port: &PortId| inventory.get(self.ports.device(*port)).is_some_and(|device| device.has_table);
        match self.place(mac) {
            Placement::At(place)
                if place.shared != Some(Shared::Down)
                    && !heard.contains(&place.port)
                    && heard.iter().any(has_table) =>
            {
                Some(place)
            }
            _ => None,
        }
    }

    /// Whether others than a device are on a port that heard it: several announce themselves, or the port learned addresses that are
    /// not the device's, which does not say that it forwards frames for others.
    pub(in crate::correlate) fn has_others(&self, device: DeviceId, port: PortId) -> bool {
        let macs = match self.behind(port).map(|behind| &behind.adjacent) {
            Some(Adjacent::Several) => return true,
            Some(Adjacent::One(macs, false)) => macs,
            _ => return false,
        };
        let is_own = |other: &MacIndex| {
            let mac = self.rows.mac(*other);
            self.machines.is_on_node(mac, device) || macs.iter().any(|own| self.is_with(*own, *other))
        };
        let strangers = self.rows.behind(port).iter().filter(|other| !is_own(other)).count();
        // A device that tells no address is the one that is there.
        strangers > usize::from(macs.is_empty())
    }
}
