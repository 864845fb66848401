//! What sources say of single addresses: leases, ARP and neighbour entries, answers to scans. Sorted by address, borrowed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::observation::{LeaseFact, LeaseState};
use crate::model::{Collection, Fact, MacAddr};

/// What one source says of one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting<'a> {
    /// The source.
    pub source: &'a str,
    /// What it says.
    pub saying: Saying<'a>,
}

impl Sighting<'_> {
    /// Whether the machine has that address now, as far as this says.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self.saying, Saying::Lease(lease) if lease.state != LeaseState::Bound)
    }

    /// The network address it speaks of.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.saying {
            Saying::Lease(lease) => lease.address,
            Saying::Neighbor { address, .. } | Saying::Scan { address, .. } => Some(address),
        }
    }
}

/// The kinds of sightings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Saying<'a> {
    /// A lease: bound, or waiting for a client that was seen before.
    Lease(&'a LeaseFact),
    /// An ARP or neighbour discovery entry.
    Neighbor {
        /// The network address.
        address: IpAddr,
        /// Where it was seen.
        interface: Option<&'a str>,
    },
    /// An answer to a scan.
    Scan {
        /// The address that answered.
        address: IpAddr,
        /// Its name by reverse DNS.
        name: Option<&'a str>,
    },
}

/// All sightings, sorted by address.
#[derive(Debug, Default)]
pub(super) struct Sightings<'a> {
    all: Vec<(MacAddr, Sighting<'a>)>,
}

impl<'a> Sightings<'a> {
    /// Gathers them. Reservations that no client ever used and blocked leases say nothing about a host.
    pub(super) fn new(collections: &[&'a Collection]) -> Self {
        let mut all = Vec::new();
        let mut nameless: Vec<(&'a str, IpAddr, &'a str)> = Vec::new();
        for &collection in collections {
            let source = collection.source.as_str();
            for fact in &collection.facts {
                let (mac, saying) = match fact {
                    Fact::DhcpLease(lease)
                        if matches!(lease.state, LeaseState::Bound | LeaseState::Waiting) =>
                    {
                        (lease.mac, Saying::Lease(lease))
                    }
                    Fact::Neighbor { mac, address, interface } => {
                        (*mac, Saying::Neighbor { address: *address, interface: interface.as_deref() })
                    }
                    Fact::ScanReply { address, mac: Some(mac), name } => {
                        (*mac, Saying::Scan { address: *address, name: name.as_deref() })
                    }
                    Fact::ScanReply { address, mac: None, name: Some(name) } => {
                        nameless.push((source, *address, name));
                        continue;
                    }
                    _ => continue,
                };
                if mac.is_host() {
                    all.push((mac, Sighting { source, saying }));
                }
            }
        }
        resolve(&mut all, &nameless);
        all.sort_by(|a, b| order(a).cmp(&order(b)));
        all.dedup_by(|a, b| order(a) == order(b));
        Self { all }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MacAddr, Sighting<'a>)> + '_ {
        self.all.iter().copied()
    }

    /// Those of one address.
    pub(super) fn of(&self, mac: MacAddr) -> &[(MacAddr, Sighting<'a>)] {
        let start = self.all.partition_point(|(known, _)| *known < mac);
        let len = self.all[start..].iter().take_while(|(known, _)| *known == mac).count();
        self.all.get(start..start + len).unwrap_or_default()
    }
}

/// A host behind a router answers without its link address: the one that ARP or a lease has for that network address is meant,
/// if there is only one.
fn resolve<'a>(all: &mut Vec<(MacAddr, Sighting<'a>)>, nameless: &[(&'a str, IpAddr, &'a str)]) {
    if nameless.is_empty() {
        return;
    }
    let mut macs: BTreeMap<IpAddr, Option<MacAddr>> = BTreeMap::new();
    for (mac, sighting) in all.iter() {
        let address = match sighting.saying {
            Saying::Lease(lease) => lease.address.filter(|_| lease.state == LeaseState::Bound),
            Saying::Neighbor { address, .. } | Saying::Scan { address, .. } => Some(address),
        };
        if let Some(address) = address {
            let known = macs.entry(address).or_insert(Some(*mac));
            if *known != Some(*mac) {
                *known = None;
            }
        }
    }
    for (source, address, name) in nameless {
        if let Some(mac) = macs.get(address).copied().flatten() {
            all.push((
                mac,
                Sighting { source, saying: Saying::Scan { address: *address, name: Some(name) } },
            ));
        }
    }
}

/// Everything of a sighting that is told apart, in a stable order; times are not.
fn order<'a>(entry: &(MacAddr, Sighting<'a>)) -> (MacAddr, u8, Option<IpAddr>, [&'a str; 5], &'a str) {
    let (mac, sighting) = entry;
    let (rank, address, texts) = match sighting.saying {
        Saying::Lease(lease) => {
            let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
            let rank = u8::from(lease.state != LeaseState::Bound) * 2 + u8::from(lease.dynamic);
            let texts =
                [&lease.host_name, &lease.server, &lease.comment, &lease.client_id, &lease.vendor_class]
                    .map(text);
            (rank, lease.address, texts)
        }
        Saying::Neighbor { address, interface } => {
            (4, Some(address), [interface.unwrap_or_default(), "", "", "", ""])
        }
        Saying::Scan { address, name } => (5, Some(address), [name.unwrap_or_default(), "", "", "", ""]),
    };
    (*mac, rank, address, texts, sighting.source)
}
