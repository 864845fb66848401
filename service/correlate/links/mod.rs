//! Links: cables between the network's own devices, from what they announce to each other and from forwarding tables.

mod checked;
mod heard;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use super::attachment::edge::Edge;
use super::confidence::{self, Weight};
use super::inventory::{DeviceId, Inventory};
use super::neighbors::Heard;
use super::ports::{PortId, PortName};
use super::text;
use crate::model::observation::{NeighborProtocol, PortKind};
use crate::model::{Conflict, Link, LinkEnd};

/// Evidence word of links that are no single cable.
pub(super) const SHARED_SEGMENT: &str = crate::model::candidate::SHARED_SEGMENT;

/// Evidence word: the device, which has no table of its own, is alone on an edge port, as a host would be.
const EDGE_PORT: &str = "edge-port";

/// One end while links are worked out.
pub(super) type End = (DeviceId, String);

/// A cable, its ends in order, with the words that show it.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Evidence words of the model's `Link`.
    pub evidence: BTreeSet<&'static str>,
    /// Sources contradict it: it is not to be believed much.
    pub disputed: bool,
}

/// Works out all links, and where sources contradict each other.
pub(super) fn links(
    inventory: &Inventory<'_>,
    edge: &Edge<'_, '_>,
    heard: &[Heard<'_>],
) -> (Vec<Link>, Vec<Conflict>) {
    let (mut found, mut conflicts) = heard::cables(inventory, edge, heard);
    let (refuted, objections) = checked::check(inventory, edge, &mut found);
    conflicts.extend(objections);
    for ((a, b), link) in &mut found {
        let sighted = |from: &End, to: &End| {
            let port = edge.ports.find(inventory, from.0, &from.1);
            port.is_some_and(|port| edge.topology.is_sighted(to.0, port, edge.ports))
        };
        if sighted(a, b) || sighted(b, a) {
            link.evidence.insert("fdb");
        }
    }
    tables::cables(inventory, edge, &mut found);
    for (cable, link) in refuted {
        found.entry(cable).or_insert(link);
    }
    betrayed(inventory, heard, &mut found);
    (emit(inventory, found), conflicts)
}

/// Adds what spanning tree and LACP know of cables that are found already: alone they do not name a far port.
fn betrayed(inventory: &Inventory<'_>, heard: &[Heard<'_>], found: &mut BTreeMap<(End, End), Found>) {
    let mut signs: BTreeMap<End, BTreeSet<(DeviceId, &'static str)>> = BTreeMap::new();
    for heard in heard {
        let word = match heard.fact.protocol {
            NeighborProtocol::Stp => "stp",
            NeighborProtocol::Lacp => "lacp",
            _ => continue,
        };
        if let (Some(interface), Some(speaker)) = (heard.interface, heard.speaker) {
            signs.entry((heard.device, interface.to_owned())).or_default().insert((speaker, word));
        }
    }
    if signs.is_empty() {
        return;
    }
    // Spanning tree knows an aggregate as one port.
    let aggregate = |end: &End| {
        let interface = inventory.get(end.0)?.interfaces.get(end.1.as_str())?;
        Some((end.0, interface.lag.clone()?))
    };
    for ((a, b), link) in found {
        for (near, far) in [(a, b), (b, a)] {
            for end in std::iter::once(near.clone()).chain(aggregate(near)) {
                let words = signs.get(&end).into_iter().flatten();
                link.evidence.extend(words.filter(|(to, _)| *to == far.0).map(|(_, word)| *word));
            }
        }
    }
}

/// The socket that a port is, if it is one: an aggregate of one member is that member.
pub(super) fn socket(inventory: &Inventory<'_>, edge: &Edge<'_, '_>, port: PortId) -> Option<End> {
    let port = edge.ports.get(port)?;
    let PortName::Named(name) = &port.name else { return None };
    match port.kind {
        PortKind::Physical => Some((port.device, name.clone())),
        PortKind::Lag => {
            let interfaces = inventory.get(port.device)?.interfaces.values();
            let member = text::only(interfaces.filter(|fact| fact.lag.as_deref() == Some(name)))?;
            Some((port.device, member.name.clone()))
        }
        _ => None,
    }
}

fn emit(inventory: &Inventory<'_>, found: BTreeMap<(End, End), Found>) -> Vec<Link> {
    let end = |end: End| LinkEnd { switch: inventory.name(end.0).to_owned(), port: end.1 };
    let mut links: Vec<Link> = found
        .into_iter()
        .map(|((a, b), link)| Link {
            a: end(a),
            b: end(b),
            confidence: confidence_of(&link),
            evidence: link.evidence.into_iter().map(str::to_owned).collect(),
        })
        .collect();
    links.sort();
    links
}

/// More evidence never lowers it; a dispute or a shared segment caps it.
fn confidence_of(link: &Found) -> u8 {
    let weights = link.evidence.iter().map(|word| match *word {
        "lldp" | "lldp-reverse" => Weight(90),
        "cdp" | "cdp-reverse" => Weight(80),
        // Tables alone cannot tell that nothing silent lies in between: below the threshold of a planned cable.
        "fdb" => Weight(45),
        "edge-port" => Weight(60),
        "stp" | "lacp" | "mndp" => Weight(40),
        _ => Weight(0),
    });
    let sure = confidence::together(weights);
    let sure = if link.evidence.contains(SHARED_SEGMENT) { sure.min(40) } else { sure };
    if link.disputed { sure.min(30) } else { sure }
}

/// The key of a cable: its ends in the order of device and port.
pub(super) fn key(one: End, other: End) -> (End, End) {
    if one <= other { (one, other) } else { (other, one) }
}

/// A cable and its evidence.
pub(super) fn in_words(inventory: &Inventory<'_>, cable: &(End, End), link: &Found) -> String {
    let end = |end: &End| format!("{} {}", inventory.name(end.0), end.1);
    let words: Vec<&str> = link.evidence.iter().copied().collect();
    format!("{} - {} ({})", end(&cable.0), end(&cable.1), words.join(", "))
}
