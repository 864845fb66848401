//! What forwarding tables say against announced cables: announcements, CDP's above all, cross switches that do not know them, and
//! are heard for a while after a cable was moved.

use std::collections::{BTreeMap, BTreeSet};

use super::{End, Found, SHARED_SEGMENT, in_words};
use crate::correlate::attachment::edge::Edge;
use crate::correlate::attachment::topology::Facing;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::ports::PortId;
use crate::correlate::text;
use crate::model::Conflict;
use crate::model::observation::DeviceRole;

/// Addresses of one VLAN that both ends learned, and that no edge port has: one may have moved while tables were read.
const BETWEEN: usize = 2;

/// What tables say of a cable.
enum Objection {
    /// Nothing.
    None,
    /// Something else is on the segment.
    Shared,
    /// This switch has the ends on different ports of its own.
    Through(DeviceId),
    /// Tables have the end without a table on this port.
    Elsewhere(End, PortId),
}

/// Takes out the cables that lead through a switch whose table was read, marks those that something else is on, and disputes those
/// whose end is elsewhere. What LLDP shows of the first is returned, to be reported without taking the ports.
pub(super) fn check(
    inventory: &Inventory<'_>,
    edge: &Edge<'_, '_>,
    found: &mut BTreeMap<(End, End), Found>,
) -> (BTreeMap<(End, End), Found>, Vec<Conflict>) {
    let mut refuted = BTreeMap::new();
    let mut conflicts = Vec::new();
    let silent: Vec<DeviceId> = inventory
        .iter()
        .filter(|(_, device)| {
            let forwards = matches!(
                device.role,
                Some(DeviceRole::Switch | DeviceRole::AccessPoint | DeviceRole::Router)
            );
            !device.has_table && forwards
        })
        .map(|(id, _)| id)
        .collect();
    let cables: Vec<(End, End)> = found.keys().cloned().collect();
    for cable in cables {
        let Some(link) = found.get_mut(&cable) else { continue };
        match objection(inventory, edge, &silent, &cable, has_lldp(link)) {
            Objection::None => {}
            Objection::Shared => {
                link.evidence.insert(SHARED_SEGMENT);
            }
            Objection::Through(between) => {
                link.disputed = true;
                if has_lldp(link) {
                    let name = inventory.name(between);
                    let claims =
                        vec![in_words(inventory, &cable, link), format!("{name} is in between (fdb)")];
                    conflicts.push(Conflict::LinkDisagrees { claims });
                    refuted.extend(found.remove_entry(&cable));
                } else {
                    found.remove(&cable);
                }
            }
            Objection::Elsewhere(end, port) => {
                link.disputed = true;
                let there = (edge.ports.device(port), edge.ports.name(port));
                let tables = Found { evidence: BTreeSet::from(["fdb"]), disputed: true };
                let mut claims = vec![
                    in_words(inventory, &cable, link),
                    in_words(inventory, &super::key(end, there), &tables),
                ];
                claims.sort();
                conflicts.push(Conflict::LinkDisagrees { claims });
            }
        }
    }
    (refuted, conflicts)
}

fn has_lldp(link: &Found) -> bool {
    ["lldp", "lldp-reverse"].iter().any(|word| link.evidence.contains(word))
}

fn objection(
    inventory: &Inventory<'_>,
    edge: &Edge<'_, '_>,
    silent: &[DeviceId],
    (a, b): &(End, End),
    has_lldp: bool,
) -> Objection {
    let port = |end: &End| edge.ports.find(inventory, end.0, &end.1);
    let is_switch = |end: &End| inventory.get(end.0).is_some_and(|device| device.has_table);
    match (is_switch(a), port(a), is_switch(b), port(b)) {
        (true, Some(one), true, Some(other)) => between(inventory, edge, silent, one, other, has_lldp),
        (true, Some(near), false, _) => at_the_edge(inventory, edge, near, b),
        (false, _, true, Some(near)) => at_the_edge(inventory, edge, near, a),
        _ => Objection::None,
    }
}

/// What is between two ports of switches whose tables were read: whatever both have in that direction. Frames follow a tree, so
/// nothing can be behind both ends of one cable.
fn between(
    inventory: &Inventory<'_>,
    edge: &Edge<'_, '_>,
    silent: &[DeviceId],
    one: PortId,
    other: PortId,
    has_lldp: bool,
) -> Objection {
    let topology = edge.topology;
    let (a, b) = (edge.ports.device(one), edge.ports.device(other));
    let mut is_shared = false;
    for (_, c, port) in topology.seen_from(a) {
        let is_behind_both = *port == one
            && *c != b
            && topology.facing(a, *c) == Facing::One(one)
            && topology.facing(b, *c) == Facing::One(other);
        // LLDP is not forwarded by what follows the standard: only the switch's own addresses contradict it.
        let is_sure = || {
            !has_lldp
                || topology.is_sighted(*c, one, edge.ports) && topology.is_sighted(*c, other, edge.ports)
        };
        if !is_behind_both || !is_sure() {
            continue;
        }
        match (topology.facing(*c, a), topology.facing(*c, b)) {
            (Facing::One(to_a), Facing::One(to_b)) if to_a != to_b => return Objection::Through(*c),
            _ => is_shared = true,
        }
    }
    let is_behind_both =
        |c: &DeviceId| topology.sighted_on(a, *c) == Some(one) && topology.sighted_on(b, *c) == Some(other);
    if is_shared || silent.iter().any(is_behind_both) || has_hosts_between(inventory, edge, one, other) {
        Objection::Shared
    } else {
        Objection::None
    }
}

/// Whether several addresses of one VLAN were learned on both ports and on no edge port.
fn has_hosts_between(inventory: &Inventory<'_>, edge: &Edge<'_, '_>, one: PortId, other: PortId) -> bool {
    let rows = edge.rows;
    let (one, other) =
        if rows.behind(one).len() <= rows.behind(other).len() { (one, other) } else { (other, one) };
    let mut by_vlan: BTreeMap<Option<u16>, usize> = BTreeMap::new();
    for mac in rows.behind(one) {
        let ports = rows.ports_of(*mac);
        let vlan = rows.vlan(*mac, one);
        if ports.binary_search(&other).is_ok()
            && vlan == rows.vlan(*mac, other)
            && ports.iter().all(|port| edge.topology.is_inter_switch(*port))
            && !inventory.is_own(rows.mac(*mac))
        {
            let count = by_vlan.entry(vlan).or_default();
            *count += 1;
            if *count >= BETWEEN {
                return true;
            }
        }
    }
    false
}

/// What is wrong with the cable between a switch's port and a device without a table.
fn at_the_edge(inventory: &Inventory<'_>, edge: &Edge<'_, '_>, near: PortId, far: &End) -> Objection {
    let Some(device) = inventory.get(far.0) else { return Objection::None };
    let mac = device.interfaces.get(far.1.as_str()).and_then(|fact| fact.mac);
    let mac = mac.filter(|mac| mac.is_host() && text::sending_socket(device, *mac) == Some(&far.1));
    let heard = BTreeSet::from([near]);
    if let Some(place) = mac.and_then(|mac| edge.learned_elsewhere(inventory, mac, &heard)) {
        return Objection::Elsewhere(far.clone(), place.port);
    }
    if edge.has_others(far.0, near) { Objection::Shared } else { Objection::None }
}
