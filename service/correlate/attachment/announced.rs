//! What announcements say of a port beside its forwarding rows: who is with whom there, and where a device without a table hangs.

use std::collections::BTreeSet;

use super::edge::{Adjacent, Edge, Place, Placement, Shared};
use super::rows::MacIndex;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::ports::PortId;
use crate::model::MacAddr;
use crate::model::observation::PortKind;

impl Edge<'_, '_> {
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
