//! A candidate in the making: evidence is added card by card, then names, class and confidence are settled.

use std::collections::{BTreeMap, BTreeSet};

use super::attachment::edge::{Placement, Shared};
use super::confidence::{self, Weight};
use super::naming::{self, Wish};
use super::sightings::Saying;
use super::world::World;
use super::{class, vendor, words};
use crate::model::candidate::EvidenceLine;
use crate::model::observation::LeaseState;
use crate::model::{
    Candidate, CandidateInterface, CandidateKind, Class, Conflict, HostName, Identity, MacAddr, NameOrigin,
};

/// The pieces of a candidate.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Cards, in any order.
    pub interfaces: Vec<CandidateInterface>,
    /// Names wanted for it, and who says so.
    pub wishes: BTreeMap<Wish, BTreeSet<String>>,
    /// Suggested classes; the first in their order is taken.
    pub classes: BTreeSet<class::Sign>,
    /// What speaks for it, one weight per kind of evidence.
    pub weights: BTreeMap<&'static str, u32>,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// Who says so.
    pub sources: BTreeSet<String>,
    /// Evidence lines.
    pub evidence: Vec<EvidenceLine>,
    /// Contradictions.
    pub conflicts: BTreeSet<Conflict>,
    /// Addresses it is known by.
    pub aliases: BTreeSet<Identity>,
    /// Why it must not be staged.
    pub evidence_only: Option<String>,
    /// Whether a source vouches for it as a host: by lease, ARP in a known network, scan or announcement.
    pub is_vouched: bool,
    /// Addresses that were dropped because no known network has them.
    pub foreign: BTreeSet<std::net::IpAddr>,
}

impl Draft {
    /// Counts a kind of evidence.
    pub(super) fn weigh(&mut self, kind: &'static str, Weight(weight): Weight) {
        let known = self.weights.entry(kind).or_default();
        *known = (*known).max(weight);
    }

    /// Notes a name that something wants for it.
    pub(super) fn wish(&mut self, origin: NameOrigin, text: &str, source: &str) {
        self.wishes.entry((origin, text.to_owned())).or_default().insert(source.to_owned());
    }

    /// Adds one line of evidence.
    pub(super) fn witness(&mut self, source: &str, says: String) {
        if !self.sources.contains(source) {
            self.sources.insert(source.to_owned());
        }
        self.evidence.push(EvidenceLine { source: source.to_owned(), says });
    }

    /// Adds what is said of one card: addresses, names, where it hangs.
    pub(super) fn card(&mut self, world: &World<'_, '_>, mac: MacAddr, name: Option<String>) -> Placement {
        self.aliases.insert(Identity::of_mac(mac));
        let (addresses, conflicts) = world.addresses(mac);
        self.conflicts.extend(conflicts);
        let mut card = CandidateInterface {
            mac: Some(mac),
            name,
            masks: addresses.iter().filter_map(|a| Some((*a, world.networks.mask(*a)?))).collect(),
            addresses,
            attachment: None,
            dhcp: BTreeSet::new(),
            kind: None,
            unattached_reason: None,
        };
        let vendor = vendor::of(mac);
        self.classes.extend(class::of_address(mac, vendor));
        if let Some(vendor) = vendor {
            let says = format!("{mac} is of a block of {vendor}");
            self.evidence.push(EvidenceLine { source: vendor::REGISTRY.to_owned(), says });
        }
        self.sightings(world, mac, &mut card);
        self.announcements(world, mac);
        let placement = world.place(mac);
        self.placement(world, mac, &placement, &mut card);
        self.interfaces.push(card);
        placement
    }

    fn sightings(&mut self, world: &World<'_, '_>, mac: MacAddr, card: &mut CandidateInterface) {
        for (_, sighting) in world.sightings.of(mac) {
            self.witness(sighting.source, words::says(&sighting.saying));
            match sighting.saying {
                Saying::Lease(lease) => {
                    if let Some(name) = &lease.host_name {
                        self.wish(NameOrigin::Dhcp, name, sighting.source);
                    }
                    self.classes.extend(lease.vendor_class.as_deref().and_then(class::of_vendor_class));
                    if lease.state != LeaseState::Bound {
                        continue;
                    }
                    let served = lease.address.is_none_or(|address| world.networks.has_served(address));
                    if let Some(address) = lease.address {
                        if served {
                            card.dhcp.extend(card.addresses.contains(&address).then_some(address));
                            self.reasons.push(format!("{} leases {address} to {mac}", sighting.source));
                        } else {
                            self.foreign.insert(address);
                        }
                    }
                    self.is_vouched = true;
                    self.weigh("lease", confidence::LEASE);
                }
                Saying::Neighbor { address, .. } => {
                    if world.networks.has_seen(sighting.source, address) {
                        self.is_vouched = true;
                        self.weigh("neighbor", confidence::SEEN);
                        self.reasons.push(format!("{} sees {mac} at {address}", sighting.source));
                    } else if super::addresses::is_host_address(address) {
                        self.foreign.insert(address);
                    }
                }
                Saying::Scan { address, name } => {
                    if let Some(name) = name {
                        self.wish(NameOrigin::Scan, name, sighting.source);
                    }
                    if world.networks.has_served(address) {
                        self.is_vouched = true;
                        self.weigh("scan", confidence::SEEN);
                        self.reasons.push(format!("{mac} answers at {address}"));
                    } else if super::addresses::is_host_address(address) {
                        self.foreign.insert(address);
                    }
                }
            }
        }
    }

    fn announcements(&mut self, world: &World<'_, '_>, mac: MacAddr) {
        for heard in world.heard_from(mac) {
            self.witness(heard.source, words::announced(heard));
            if let Some(name) = &heard.fact.system_name {
                self.wish(NameOrigin::Lldp, name, heard.source);
            }
            self.classes.extend(class::of_announcement(heard));
            self.is_vouched = true;
            self.weigh("announcement", confidence::ANNOUNCED);
        }
    }

    fn placement(
        &mut self,
        world: &World<'_, '_>,
        mac: MacAddr,
        placement: &Placement,
        card: &mut CandidateInterface,
    ) {
        match placement {
            Placement::Unseen => {}
            Placement::BetweenSwitches(ports) => {
                self.weigh("learned", confidence::LEARNED);
                for port in ports.iter().take(1) {
                    for source in world.tables_of(*port) {
                        self.witness(source, format!("learned {mac} on {}", words::port(world, *port)));
                    }
                }
            }
            Placement::At(place) => {
                card.attachment = Some(words::attachment(world, place));
                self.reasons.push(words::placed(world, mac, place));
                self.weigh("learned", confidence::LEARNED);
                if place.shared != Some(Shared::SeveralPorts) {
                    let alone = place.shared.is_none();
                    self.weigh("port", if alone { confidence::OWN_PORT } else { confidence::SHARED_PORT });
                }
                self.conflicts.extend(words::several_ports(world, mac, place));
                for port in std::iter::once(&place.port).chain(&place.competing) {
                    let vlan = world.edge.rows.find(mac).and_then(|index| world.edge.rows.vlan(index, *port));
                    let vlan = vlan.map(|vlan| format!(" in VLAN {vlan}")).unwrap_or_default();
                    for source in world.tables_of(*port) {
                        self.witness(source, format!("learned {mac} on {}{vlan}", words::port(world, *port)));
                    }
                }
                if place.agreeing > 0 {
                    self.reasons.push("the tables of other switches agree on the direction".to_owned());
                }
            }
        }
        card.unattached_reason = words::unplaced(world, mac, placement);
    }

    /// The candidate, complete.
    pub(super) fn finish(
        mut self,
        identity: Identity,
        kind: CandidateKind,
        fallback: impl FnOnce() -> HostName,
    ) -> Candidate {
        let named = naming::choose(std::mem::take(&mut self.wishes).into_keys(), fallback);
        let mut class = Class::Unknown;
        if let Some(sign) = self.classes.pop_first() {
            class = sign.class;
            self.reasons.push(sign.why);
        }
        let mut reasons = Vec::new();
        for reason in self.reasons {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        let sure = confidence::together(self.weights.values().map(|weight| Weight(*weight)));
        let contradicted = !self.conflicts.is_empty();
        self.aliases.remove(&identity);
        self.interfaces.sort_by(|a, b| (a.mac, &a.name).cmp(&(b.mac, &b.name)));
        Candidate {
            identity,
            kind,
            name: named.name,
            name_origin: named.origin,
            class,
            interfaces: self.interfaces,
            confidence: if contradicted { sure.min(confidence::CONTRADICTED) } else { sure },
            reasons,
            sources: self.sources.into_iter().collect(),
            conflicts: self.conflicts.into_iter().collect(),
            aliases: self.aliases,
            evidence_only: self.evidence_only,
            other_names: named.others,
            serial: None,
            manufacturer: None,
            model: None,
            device: None,
            cluster: None,
            node: None,
            resources: None,
            evidence: words::capped(self.evidence),
        }
    }
}
