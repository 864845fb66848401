//! Everything worked out before candidates are worded: what each of them needs at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses::{self, Holder, Networks};
use super::attachment::edge::{Edge, Placement};
use super::guests::Nodes;
use super::inventory::Inventory;
use super::machines::Machines;
use super::neighbors::Heard;
use super::ownership::Doubt;
use super::ports::PortId;
use super::sightings::{Saying, Sightings};
use crate::model::candidate::Known;
use crate::model::{Collection, Conflict, FactKind, MacAddr};

/// The state of correlation between the phases.
pub(super) struct World<'w, 'a> {
    /// Own devices.
    pub inventory: &'w Inventory<'a>,
    /// Edge ports.
    pub edge: &'w Edge<'w, 'a>,
    /// Machines of several addresses.
    pub machines: &'w Machines<'a>,
    /// Announcements.
    pub heard: &'w [Heard<'a>],
    /// What is said of single addresses.
    pub sightings: &'w Sightings<'a>,
    /// Networks whose addresses make hosts.
    pub networks: &'w Networks<'a>,
    /// Who holds which address.
    pub holders: BTreeMap<IpAddr, Holder>,
    /// What each card claims.
    pub claimed: BTreeMap<MacAddr, BTreeSet<IpAddr>>,
    /// What cannot be told from a guest while a hypervisor is silent.
    pub doubt: Doubt,
    /// From NetBox and the configuration.
    pub known: &'w Known,
    /// Sources whose forwarding tables may be incomplete, sorted.
    pub blind: Vec<String>,
    /// What was collected, by source.
    pub collections: &'w [&'a Collection],
    /// Where the nodes of guests are.
    pub nodes: Nodes,
    /// Announcements of strangers, by address.
    strangers: BTreeMap<MacAddr, Vec<usize>>,
}

impl<'w, 'a> World<'w, 'a> {
    /// Settles who holds which address.
    pub(super) fn new(
        collections: &'w [&'a Collection],
        known: &'w Known,
        inventory: &'w Inventory<'a>,
        edge: &'w Edge<'w, 'a>,
        heard: &'w [Heard<'a>],
        sightings: &'w Sightings<'a>,
        networks: &'w Networks<'a>,
    ) -> Self {
        let machines = edge.machines;
        let mut claims = Vec::new();
        for (mac, sighting) in sightings.iter() {
            let (address, without_lease) = match sighting.saying {
                Saying::Lease(lease) if lease.state == crate::model::observation::LeaseState::Bound => {
                    (lease.address.filter(|address| networks.has_served(*address)), false)
                }
                Saying::Lease(_) => (None, true),
                Saying::Neighbor { address, .. } => {
                    (Some(address).filter(|address| networks.has_seen(sighting.source, *address)), true)
                }
                Saying::Scan { address, .. } => {
                    (Some(address).filter(|address| networks.has_served(*address)), true)
                }
            };
            claims.extend(address.map(|address| addresses::Claim { address, without_lease, mac }));
        }
        for guest in &machines.guests {
            for nic in &guest.fact.nics {
                for address in nic.addresses.iter().map(ipnet::IpNet::addr) {
                    if let Some(mac) = nic.mac.filter(|mac| mac.is_host() && networks.has_served(address)) {
                        claims.push(addresses::Claim { address, without_lease: true, mac });
                    }
                }
            }
        }
        let mut claimed: BTreeMap<MacAddr, BTreeSet<IpAddr>> = BTreeMap::new();
        for claim in &claims {
            claimed.entry(claim.mac).or_default().insert(claim.address);
        }
        let holders = addresses::holders(claims, machines);
        let blind: BTreeSet<&str> = collections
            .iter()
            .filter(|collection| collection.has_gap(FactKind::Fdb))
            .map(|collection| collection.source.as_str())
            .collect();
        let mut strangers: BTreeMap<MacAddr, Vec<usize>> = BTreeMap::new();
        for (index, heard) in heard.iter().enumerate().filter(|(_, heard)| heard.is_introduction()) {
            for mac in heard.macs().collect::<BTreeSet<_>>() {
                strangers.entry(mac).or_default().push(index);
            }
        }
        let doubt = Doubt::new(collections, inventory, edge);
        let blind = blind.into_iter().map(str::to_owned).collect();
        let mut world = Self {
            inventory,
            edge,
            machines,
            heard,
            sightings,
            networks,
            holders,
            claimed,
            doubt,
            known,
            blind,
            collections,
            nodes: Nodes::default(),
            strangers,
        };
        world.nodes = Nodes::new(&world);
        world
    }

    /// The addresses that a card holds, and the conflicts over those that it does not.
    pub(super) fn addresses(&self, mac: MacAddr) -> (Vec<IpAddr>, Vec<Conflict>) {
        let (mut held, mut conflicts) = (Vec::new(), Vec::new());
        for address in self.claimed.get(&mac).into_iter().flatten() {
            match self.holders.get(address) {
                Some(Holder::One(holder)) if *holder == mac => held.push(*address),
                Some(Holder::Disputed(macs)) => {
                    conflicts.push(Conflict::DuplicateAddress { address: *address, macs: macs.clone() });
                }
                _ => {}
            }
        }
        (held, conflicts)
    }

    /// What a card's machine announced.
    pub(super) fn heard_from(&self, mac: MacAddr) -> impl Iterator<Item = &Heard<'a>> {
        self.strangers.get(&mac).into_iter().flatten().filter_map(|index| self.heard.get(*index))
    }

    /// Whether anything but a forwarding table knows this address.
    pub(super) fn speaks_of(&self, mac: MacAddr) -> bool {
        !self.sightings.of(mac).is_empty() || self.strangers.contains_key(&mac)
    }

    /// The sources that read the table of this port's device.
    pub(super) fn tables_of(&self, port: PortId) -> impl Iterator<Item = &'a str> + use<'a> {
        let device = self.inventory.get(self.edge.ports.device(port));
        device.map(|device| device.table_sources.clone()).unwrap_or_default().into_iter()
    }

    /// Where a card hangs.
    pub(super) fn place(&self, mac: MacAddr) -> Placement {
        self.edge.place(mac)
    }
}
