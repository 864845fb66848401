//! Links from announcements: both ends' claims merged into one cable, contradictions found.

use std::collections::{BTreeMap, BTreeSet};

use super::{End, Found, SHARED_SEGMENT, in_words, key};
use crate::correlate::attachment::edge::Edge;
use crate::correlate::attachment::topology::Facing;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::neighbors::Heard;
use crate::correlate::text;
use crate::model::Conflict;
use crate::model::observation::{NeighborProtocol, PortKind};

/// One end says what it hears.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    from: End,
    to: DeviceId,
    /// The far port: an interface known by that name, or the text that was announced.
    port: Far,
    protocol: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Far {
    Interface(String),
    Text(String),
    Unknown,
}

/// The cables that announcements show.
pub(super) fn cables(
    inventory: &Inventory<'_>,
    edge: &Edge<'_, '_>,
    heard: &[Heard<'_>],
) -> (BTreeMap<(End, End), Found>, Vec<Conflict>) {
    let claims = claims(inventory, heard);
    let mut pairs: BTreeMap<(DeviceId, DeviceId), Vec<Claim>> = BTreeMap::new();
    for claim in claims {
        let pair = (claim.from.0.min(claim.to), claim.from.0.max(claim.to));
        pairs.entry(pair).or_default().push(claim);
    }
    let mut found = BTreeMap::new();
    for claims in pairs.into_values() {
        pair_up(&claims, inventory, edge, &mut found);
    }
    let conflicts = disputes(inventory, &mut found);
    (found, conflicts)
}

fn claims(inventory: &Inventory<'_>, heard: &[Heard<'_>]) -> BTreeSet<Claim> {
    let mut by_port: BTreeMap<End, Vec<&Heard<'_>>> = BTreeMap::new();
    for heard in heard.iter().filter(|heard| heard.is_introduction()) {
        if let Some(interface) = heard.interface {
            let interface = only_member(inventory, heard.device, interface);
            by_port.entry((heard.device, interface.to_owned())).or_default().push(heard);
        }
    }
    let mut claims = BTreeSet::new();
    for (from, heard) in by_port {
        let takes_a_cable = inventory
            .get(from.0)
            .and_then(|device| device.interfaces.get(from.1.as_str()))
            .is_none_or(|interface| matches!(interface.kind, PortKind::Physical | PortKind::Wireless));
        if !takes_a_cable {
            continue;
        }
        // The protocol that crosses the fewest boxes says who is next; the others may have come from further away.
        let lldp = heard.iter().any(|heard| heard.fact.protocol == NeighborProtocol::Lldp);
        let adjacent = heard.iter().any(|heard| heard.is_adjacent());
        let nearest: BTreeSet<Option<DeviceId>> = heard
            .iter()
            .filter(|heard| heard.fact.protocol == NeighborProtocol::Lldp)
            .map(|heard| heard.speaker)
            .collect();
        let speakers: BTreeSet<(Option<DeviceId>, String)> = heard
            .iter()
            .map(|heard| (heard.speaker, heard.speaker.map_or_else(|| heard.called(), |_| String::new())))
            .collect();
        for heard in heard {
            let Some(to) = heard.speaker else { continue };
            let counts = match heard.fact.protocol {
                NeighborProtocol::Lldp => true,
                NeighborProtocol::Cdp => !lldp || nearest.contains(&Some(to)),
                NeighborProtocol::Mndp => nearest.contains(&Some(to)) || !adjacent && speakers.len() == 1,
                NeighborProtocol::Stp | NeighborProtocol::Lacp => false,
            };
            if counts {
                let protocol = heard.fact.protocol as u8;
                claims.insert(Claim {
                    from: from.clone(),
                    to,
                    port: far_port(inventory, to, heard),
                    protocol,
                });
            }
        }
    }
    claims
}

fn far_port(inventory: &Inventory<'_>, to: DeviceId, heard: &Heard<'_>) -> Far {
    let fact = heard.fact;
    let resolved = inventory.get(to).and_then(|device| text::resolve_port(device, text::PortSigns::of(fact)));
    match (resolved, fact.port_id.as_deref().map(str::trim)) {
        (Some(name), _) => Far::Interface(only_member(inventory, to, name).to_owned()),
        (None, Some(id))
            if !id.is_empty()
                && !id.chars().any(char::is_control)
                && id.parse::<crate::model::MacAddr>().is_err() =>
        {
            Far::Text(id.to_owned())
        }
        _ => Far::Unknown,
    }
}

/// The cable of an aggregate of one member is in that member, whichever of the two an agent names.
fn only_member<'n>(inventory: &'n Inventory<'_>, device: DeviceId, name: &'n str) -> &'n str {
    let interfaces = inventory.get(device).map(|device| &device.interfaces);
    let members = interfaces.into_iter().flat_map(std::collections::BTreeMap::values);
    let members = members.filter(|fact| fact.lag.as_deref() == Some(name) && fact.name != name);
    text::only(members).map_or(name, |member| member.name.as_str())
}

/// Merges the claims of two devices about each other into cables.
fn pair_up(
    claims: &[Claim],
    inventory: &Inventory<'_>,
    edge: &Edge<'_, '_>,
    found: &mut BTreeMap<(End, End), Found>,
) {
    let mut open = Vec::new();
    let mut sure: BTreeMap<(End, End), Found> = BTreeMap::new();
    for claim in claims {
        match far_end(claim, claims) {
            Some(far) => note(&mut sure, claim, far),
            None => open.push(claim),
        }
    }
    // A claim that cannot name the far port belongs to the cable whose far end names this one.
    open.retain(|claim| {
        let ends: Vec<End> = sure
            .keys()
            .filter_map(|(a, b)| {
                if *a == claim.from {
                    Some(b)
                } else if *b == claim.from {
                    Some(a)
                } else {
                    None
                }
            })
            .filter(|far| far.0 == claim.to)
            .cloned()
            .collect();
        match ends.as_slice() {
            [far] => {
                note(&mut sure, claim, far.clone());
                false
            }
            _ => true,
        }
    });
    // Frames for the one go out of one port of the other: that is the far end, if no cable is known to be there.
    open.retain(|claim| {
        let far = facing_socket(claim, inventory, edge);
        let is_free = |far: &End| !sure.keys().any(|(a, b)| a == far || b == far);
        match far.filter(is_free) {
            Some(far) => {
                note(&mut sure, claim, far);
                false
            }
            None => true,
        }
    });
    // One port left on either side: it is the same cable.
    let sides: BTreeSet<&End> = open.iter().map(|claim| &claim.from).collect();
    if let [one, other] = sides.iter().collect::<Vec<_>>().as_slice()
        && one.0 != other.0
    {
        for claim in &open {
            let far = if claim.from == ***one { (**other).clone() } else { (**one).clone() };
            note(&mut sure, claim, far);
        }
        open.clear();
    }
    for claim in open {
        if let Far::Text(text) = &claim.port {
            note(&mut sure, claim, (claim.to, text.clone()));
        }
    }
    found.extend(sure);
}

/// The socket of the far device that leads to the near one, by its forwarding table.
fn facing_socket(claim: &Claim, inventory: &Inventory<'_>, edge: &Edge<'_, '_>) -> Option<End> {
    let is_unnamed = claim.port == Far::Unknown && claim.protocol != NeighborProtocol::Mndp as u8;
    let port = match edge.topology.facing(claim.to, claim.from.0) {
        Facing::One(port) => Some(port),
        Facing::Unknown => edge.topology.sighted_on(claim.to, claim.from.0),
        Facing::Several => None,
    };
    port.filter(|_| is_unnamed).and_then(|port| super::socket(inventory, edge, port))
}

/// The far end, where the far port is known: by its interfaces, or because the far device hears something on a port of that name.
fn far_end(claim: &Claim, claims: &[Claim]) -> Option<End> {
    match &claim.port {
        Far::Interface(name) => Some((claim.to, name.clone())),
        Far::Text(text) => {
            let names: BTreeSet<&str> = claims
                .iter()
                .filter(|other| other.from.0 == claim.to)
                .map(|other| other.from.1.as_str())
                .filter(|name| name.eq_ignore_ascii_case(text) || text::abbreviates(name, text))
                .collect();
            text::only(names.into_iter()).map(|name| (claim.to, name.to_owned()))
        }
        Far::Unknown => None,
    }
}

fn note(found: &mut BTreeMap<(End, End), Found>, claim: &Claim, far: End) {
    let forward = claim.from <= far;
    let word = match (claim.protocol, forward) {
        (protocol, true) if protocol == NeighborProtocol::Lldp as u8 => "lldp",
        (protocol, false) if protocol == NeighborProtocol::Lldp as u8 => "lldp-reverse",
        (protocol, true) if protocol == NeighborProtocol::Cdp as u8 => "cdp",
        (protocol, false) if protocol == NeighborProtocol::Cdp as u8 => "cdp-reverse",
        _ => "mndp",
    };
    found.entry(key(claim.from.clone(), far)).or_default().evidence.insert(word);
}

/// A port takes one cable. Where several are claimed: all confirmed from both ends is a shared segment, else the confirmed one
/// stands, and the rest is reported.
fn disputes(inventory: &Inventory<'_>, found: &mut BTreeMap<(End, End), Found>) -> Vec<Conflict> {
    let mut cables: BTreeMap<&End, Vec<&(End, End)>> = BTreeMap::new();
    for cable in found.keys() {
        cables.entry(&cable.0).or_default().push(cable);
        cables.entry(&cable.1).or_default().push(cable);
    }
    let mut conflicts = BTreeSet::new();
    let (mut segment, mut drop, mut disputed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (end, several) in cables.into_iter().filter(|(_, cables)| cables.len() > 1) {
        let confirmed: Vec<_> = several.iter().filter(|cable| both_ways(&found[**cable])).collect();
        if confirmed.len() == several.len() {
            segment.extend(several.into_iter().cloned());
            continue;
        }
        // One port that hears several at once: something in between hands announcements on.
        let others: BTreeSet<DeviceId> =
            several.iter().map(|(a, b)| if a == end { b.0 } else { a.0 }).collect();
        let is_heard = |cable: &&&(End, End)| is_heard_at(end, cable, &found[**cable]);
        if confirmed.is_empty()
            && others.len() == several.len()
            && several.iter().all(|cable| is_heard(&cable))
        {
            segment.extend(several.into_iter().cloned());
            continue;
        }
        let claims: BTreeSet<String> =
            several.iter().map(|cable| in_words(inventory, cable, &found[*cable])).collect();
        conflicts.insert(Conflict::LinkDisagrees { claims: claims.into_iter().collect() });
        let keep = confirmed.len() == 1;
        for cable in &several {
            if keep && !both_ways(&found[*cable]) {
                drop.insert((*cable).clone());
            } else if !keep {
                disputed.insert((*cable).clone());
            }
        }
    }
    for cable in segment {
        if let Some(link) = found.get_mut(&cable) {
            link.evidence.insert(SHARED_SEGMENT);
        }
    }
    for cable in disputed {
        if let Some(link) = found.get_mut(&cable) {
            link.disputed = true;
        }
    }
    for cable in drop {
        found.remove(&cable);
    }
    conflicts.into_iter().collect()
}

/// Whether this end of a cable hears the other.
fn is_heard_at(end: &End, (a, _): &(End, End), link: &Found) -> bool {
    let words = if end == a { ["lldp", "cdp"] } else { ["lldp-reverse", "cdp-reverse"] };
    words.iter().any(|word| link.evidence.contains(word))
}

fn both_ways(link: &Found) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| link.evidence.contains(word));
    has(&["lldp", "cdp"]) && has(&["lldp-reverse", "cdp-reverse"])
}
