//! Sentences: reasons and evidence in the words of a network engineer, without times and counts that change from run to run.

use super::attachment::edge::{Place, Placement, Shared};
use super::sightings::{Saying, Sighting};
use super::world::World;
use crate::model::candidate::{Competing, EvidenceLine};
use crate::model::observation::{LeaseState, PortKind};
use crate::model::{Attachment, MacAddr};

use super::ports::PortId;

/// Evidence lines a candidate keeps; what is beyond is counted.
const MAX_EVIDENCE: usize = 16;
/// Ports named in one sentence; what is beyond is counted.
const MAX_PORTS: usize = 4;

/// `sw1 ether5`.
pub(super) fn port(world: &World<'_, '_>, port: PortId) -> String {
    format!("{} {}", world.inventory.name(world.edge.ports.device(port)), world.edge.ports.name(port))
}

/// The switch and port of a place, as the model has them.
pub(super) fn competing(world: &World<'_, '_>, port: PortId) -> Competing {
    Competing {
        switch: world.inventory.name(world.edge.ports.device(port)).to_owned(),
        port: world.edge.ports.name(port),
    }
}

/// The attachment at a place.
pub(super) fn attachment(world: &World<'_, '_>, place: &Place) -> Attachment {
    let Competing { switch, port } = competing(world, place.port);
    Attachment {
        switch,
        port,
        vlan: place.vlan,
        exclusive: place.shared.is_none(),
        competing: place.competing.iter().map(|port| competing(world, *port)).collect(),
    }
}

/// Why the address is where it is.
pub(super) fn placed(world: &World<'_, '_>, mac: MacAddr, place: &Place) -> String {
    let at = world.edge.ports.name(place.port);
    let switch = world.inventory.name(world.edge.ports.device(place.port));
    let learned = if place.announced && place.vlan.is_none() && world.edge.rows.find(mac).is_none() {
        format!("{switch} hears {mac} announce itself on {at}")
    } else {
        format!("{switch} learned {mac} on {at}")
    };
    let why = match &place.shared {
        None if place.announced => "and it announces itself on that cable".to_owned(),
        None => "and no other machine is on that port".to_owned(),
        Some(Shared::Addresses(count)) => {
            let others = count.saturating_sub(1).max(1);
            format!("together with {others} other {}", if others == 1 { "address" } else { "addresses" })
        }
        Some(Shared::BehindUnread(name)) => format!("behind {name} (unread)"),
        Some(Shared::Behind(name)) => format!("behind {name}"),
        Some(Shared::DocumentedUplink) => "where NetBox has a cable to another network device".to_owned(),
        Some(Shared::Kind(kind)) => format!("which is {}, not a socket", kind_in_words(*kind)),
        Some(Shared::Unresolved) => "a number that its other tables do not explain".to_owned(),
        Some(Shared::Down) => "which has no link now".to_owned(),
        Some(Shared::SeveralPorts) => {
            let ports: Vec<String> = place.competing.iter().map(|other| port(world, *other)).collect();
            format!("but so did {}", listed(&ports))
        }
    };
    format!("{learned}, {why}")
}

/// Why nothing can be said about where a card hangs.
pub(super) fn unplaced(world: &World<'_, '_>, mac: MacAddr, placement: &Placement) -> Option<String> {
    match placement {
        Placement::At(_) => None,
        Placement::BetweenSwitches(ports) => {
            let ports: Vec<String> = ports.iter().map(|id| port(world, *id)).collect();
            Some(format!("{mac} was learned only on ports between switches: {}", listed(&ports)))
        }
        Placement::Unseen if world.blind.is_empty() => Some(format!("no forwarding table has {mac}")),
        Placement::Unseen => {
            Some(format!("no forwarding table has {mac}; not all could be read: {}", listed(&world.blind)))
        }
    }
}

/// A list of which only the first few are named.
pub(super) fn listed(texts: &[String]) -> String {
    let shown = texts.iter().take(MAX_PORTS).cloned().collect::<Vec<_>>().join(", ");
    match texts.len().saturating_sub(MAX_PORTS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a sighting says.
pub(super) fn says(sighting: &Sighting<'_>) -> String {
    match sighting.saying {
        Saying::Lease(lease) => {
            let mut text = match (lease.state, lease.dynamic) {
                (LeaseState::Bound, true) => "DHCP lease".to_owned(),
                (LeaseState::Bound, false) => "DHCP lease (reserved)".to_owned(),
                _ => "DHCP lease that nobody holds now".to_owned(),
            };
            if let Some(address) = lease.address {
                text = format!("{text} {address}");
            }
            for (what, value) in [
                ("host name", &lease.host_name),
                ("server", &lease.server),
                ("comment", &lease.comment),
                ("client id", &lease.client_id),
                ("vendor class", &lease.vendor_class),
            ] {
                if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                    text = format!("{text}, {what} \"{value}\"");
                }
            }
            text
        }
        Saying::Neighbor { address, interface } => {
            let table = if address.is_ipv4() { "ARP" } else { "neighbour discovery" };
            match interface {
                Some(interface) => format!("{table} entry {address} on {interface}"),
                None => format!("{table} entry {address}"),
            }
        }
        Saying::Scan { address, name: Some(name) } => {
            format!("{address} answered the scan, reverse DNS \"{name}\"")
        }
        Saying::Scan { address, name: None } => format!("{address} answered the scan"),
    }
}

/// Sorts evidence and keeps the first lines.
pub(super) fn capped(mut evidence: Vec<EvidenceLine>) -> Vec<EvidenceLine> {
    evidence.sort();
    evidence.dedup();
    let more = evidence.len().saturating_sub(MAX_EVIDENCE);
    if more > 0 {
        evidence.truncate(MAX_EVIDENCE);
        evidence.push(EvidenceLine {
            source: "surveyor".to_owned(),
            says: format!("and {more} more observations"),
        });
    }
    evidence
}

const fn kind_in_words(kind: PortKind) -> &'static str {
    match kind {
        PortKind::Physical => "a socket",
        PortKind::Lag => "an aggregate of several sockets",
        PortKind::Vlan => "a VLAN interface",
        PortKind::Bridge => "a bridge",
        PortKind::Wireless => "a radio",
        PortKind::Tunnel => "a tunnel",
        PortKind::Virtual => "a virtual interface",
    }
}
