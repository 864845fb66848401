//! Which addresses make hosts, which masks go with them, and who holds them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::machines::{MachineId, Machines};
use crate::model::candidate::Known;
use crate::model::{Collection, Fact, MacAddr};

/// A set of prefixes that answers "which one contains this" in as many steps as there are lengths.
#[derive(Debug, Default)]
struct Prefixes {
    lengths: BTreeSet<u8>,
    set: HashSet<IpNet>,
}

impl Prefixes {
    fn insert(&mut self, prefix: IpNet) {
        self.lengths.insert(prefix.prefix_len());
        self.set.insert(prefix.trunc());
    }

    /// The longest prefix around an address.
    fn around(&self, address: IpAddr) -> Option<IpNet> {
        self.lengths.iter().rev().find_map(|length| {
            let prefix = IpNet::new(address, *length).ok()?.trunc();
            self.set.contains(&prefix).then_some(prefix)
        })
    }
}

/// The networks whose addresses make hosts.
#[derive(Debug, Default)]
pub(super) struct Networks<'a> {
    /// NetBox's prefixes; where there are any, only they count.
    known: Prefixes,
    /// The connected networks of each source.
    connected: HashMap<&'a str, Prefixes>,
    /// Those of all sources, also for masks.
    all: Prefixes,
    masks: Prefixes,
}

impl<'a> Networks<'a> {
    /// Collects NetBox's prefixes and the sources' own networks.
    pub(super) fn new(collections: &[&'a Collection], known: &Known) -> Self {
        let mut networks = Self::default();
        for prefix in &known.prefixes {
            networks.known.insert(*prefix);
        }
        for &collection in collections {
            for fact in &collection.facts {
                let Fact::Network { prefix, .. } = fact else { continue };
                if prefix.prefix_len() < prefix.max_prefix_len() {
                    networks.masks.insert(*prefix);
                }
                if is_local(*prefix) {
                    networks.connected.entry(collection.source.as_str()).or_default().insert(*prefix);
                    networks.all.insert(*prefix);
                }
            }
        }
        networks
    }

    /// Whether an address that `source` merely saw (ARP, neighbour discovery) is of a known network. A source that reports no
    /// networks is measured by those of the others.
    pub(super) fn has_seen(&self, source: &str, address: IpAddr) -> bool {
        if !is_host_address(address) {
            return false;
        }
        if !self.known.set.is_empty() {
            return self.known.around(address).is_some();
        }
        self.connected.get(source).unwrap_or(&self.all).around(address).is_some()
    }

    /// Whether an address that `source` vouches for (it leases it, scans for it, runs the guest) is of a known network.
    pub(super) fn has_served(&self, address: IpAddr) -> bool {
        is_host_address(address) && (self.known.set.is_empty() || self.known.around(address).is_some())
    }

    /// The mask length that a source has on the network around an address.
    pub(super) fn mask(&self, address: IpAddr) -> Option<u8> {
        self.masks.around(address).map(|prefix| prefix.prefix_len())
    }
}

/// Whether a connected network has hosts of ours, where NetBox does not say. Public IPv4 space on an interface is the provider's
/// side far more often than a LAN, and so is the space shared with customers (RFC 6598); whoever numbers hosts publicly has
/// prefixes in NetBox. Documentation space (RFC 5737) counts as local. Point-to-point networks have no hosts.
fn is_local(prefix: IpNet) -> bool {
    match prefix {
        IpNet::V4(prefix) => {
            let network = prefix.network();
            prefix.prefix_len() < 31
                && (network.is_private() || network.is_documentation())
                && !network.is_link_local()
        }
        IpNet::V6(prefix) => prefix.prefix_len() < 127 && !prefix.network().is_unicast_link_local(),
    }
}

/// Whether an address can be one host's: not unspecified, loopback, link-local, multicast or broadcast.
pub(super) fn is_host_address(address: IpAddr) -> bool {
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return false;
    }
    match address {
        IpAddr::V4(address) => {
            !address.is_link_local() && !address.is_broadcast() && address.octets()[0] != 0
        }
        IpAddr::V6(address) => !address.is_unicast_link_local() && address.to_ipv4_mapped().is_none(),
    }
}

/// Who holds an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// This card.
    One(MacAddr),
    /// Several machines claim it.
    Disputed(Vec<MacAddr>),
}

/// One claim to an address; a lease counts more than an ARP entry between cards of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    /// The address.
    pub address: IpAddr,
    /// False for a bound lease, so that it sorts first.
    pub without_lease: bool,
    /// The card.
    pub mac: MacAddr,
}

/// Settles who holds each address: one machine, or nobody.
pub(super) fn holders(mut claims: Vec<Claim>, machines: &Machines<'_>) -> BTreeMap<IpAddr, Holder> {
    claims.sort_unstable();
    claims.dedup();
    let mut holders = BTreeMap::new();
    for claims in claims.chunk_by(|a, b| a.address == b.address) {
        let Some(first) = claims.first() else { continue };
        let key = |mac: MacAddr| -> (Option<MachineId>, Option<MacAddr>) {
            machines.of(mac).map_or((None, Some(mac)), |machine| (Some(machine), None))
        };
        let disputed = claims.iter().any(|claim| key(claim.mac) != key(first.mac));
        let holder = if disputed {
            let macs: BTreeSet<MacAddr> = claims.iter().map(|claim| claim.mac).collect();
            Holder::Disputed(macs.into_iter().collect())
        } else {
            Holder::One(first.mac)
        };
        holders.insert(first.address, holder);
    }
    holders
}
