//! Device or virtual machine, and who must not be staged yet: while a hypervisor cannot list its guests, what may be one of them.

use std::collections::BTreeSet;

use super::attachment::edge::{Edge, Placement};
use super::inventory::Inventory;
use super::ports::PortId;
use crate::model::observation::DeviceRole;
use crate::model::{Collection, Fact, FactKind, MacAddr};

/// The vendor part that Proxmox VE gives its guests' cards since 8.0.
pub(crate) const PROXMOX_OUI: [u8; 3] = [0xbc, 0x24, 0x11];

/// What may be a guest that its hypervisor could not list this time.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// The sources that could not say, sorted.
    silent: BTreeSet<String>,
    /// Ports behind which their nodes are.
    ports: BTreeSet<PortId>,
}

impl Doubt {
    /// Finds hypervisor sources with a gap, and where their nodes hang.
    pub(super) fn new(collections: &[&Collection], inventory: &Inventory<'_>, edge: &Edge<'_, '_>) -> Self {
        let mut doubt = Self::default();
        for collection in collections {
            let guests_missing = collection.gaps.iter().any(|gap| gap.facts == FactKind::Guests);
            // A source that could not be reached at all may be a hypervisor unless it is known as something else.
            let all_missing = collection.gaps.iter().any(|gap| gap.facts == FactKind::All)
                && !collection
                    .facts
                    .iter()
                    .any(|fact| matches!(fact, Fact::Device(fact) if fact.role != DeviceRole::Hypervisor));
            if guests_missing || all_missing {
                doubt.silent.insert(collection.source.to_string());
            }
        }
        if doubt.silent.is_empty() {
            return doubt;
        }
        for (id, device) in inventory.iter().filter(|(_, device)| device.role == Some(DeviceRole::Hypervisor))
        {
            if !device.sources.iter().any(|source| doubt.silent.contains(*source)) {
                continue;
            }
            for mac in device.macs.iter().filter(|mac| inventory.owner(**mac) == Some(id)) {
                if let Placement::At(place) = edge.place(*mac) {
                    doubt.ports.insert(place.port);
                    doubt.ports.extend(place.competing);
                }
            }
            doubt.ports.extend(edge.heard_on(id));
            for mac in edge.machines.guests_on(id).flat_map(|guest| &guest.macs) {
                if let Placement::At(place) = edge.place(*mac) {
                    doubt.ports.insert(place.port);
                }
            }
        }
        doubt
    }

    /// Why this address must not be staged now, if it must not.
    pub(super) fn over(&self, mac: MacAddr, placement: &Placement) -> Option<String> {
        let silent = || self.silent.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        if self.silent.is_empty() {
            return None;
        }
        if mac.oui() == PROXMOX_OUI {
            return Some(format!(
                "it has a Proxmox guest's address, and {} could not list its guests",
                silent()
            ));
        }
        match placement {
            Placement::At(place)
                if self.ports.contains(&place.port)
                    || place.competing.iter().any(|port| self.ports.contains(port)) =>
            {
                Some(format!("it is behind a hypervisor's port, and {} could not list its guests", silent()))
            }
            _ => None,
        }
    }
}
