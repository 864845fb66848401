//! Sentences: reasons and evidence in the words of a network engineer, without times and counts that change from run to run.

use super::attachment::edge::{Place, Placement, Shared};
use super::attachment::reasons::{Fate, Lead, Sign};
use super::neighbors::Heard;
use super::sightings::Saying;
use super::world::World;
use crate::model::candidate::{Competing, EvidenceLine};
use crate::model::explanation::Verdict;
use crate::model::observation::{LeaseState, PortKind};
use crate::model::{Attachment, Conflict, MacAddr};

use super::ports::PortId;

/// Evidence lines a candidate keeps; what is beyond is counted.
const MAX_EVIDENCE: usize = 16;
/// Ports named in one sentence; what is beyond is counted.
const MAX_PORTS: usize = 4;

/// `sw1 ether5`.
pub(super) fn port(world: &World<'_, '_>, port: PortId) -> String {
    [world.inventory.name(world.edge.ports.device(port)), " ", &world.edge.ports.name(port)].concat()
}

/// The switch and port of a place, as the model has them.
pub(super) fn competing(world: &World<'_, '_>, port: PortId) -> Competing {
    Competing {
        switch: world.inventory.name(world.edge.ports.device(port)).to_owned(),
        port: world.edge.ports.name(port),
    }
}

/// The contradiction of a place that several ports claim.
pub(super) fn several_ports(world: &World<'_, '_>, mac: MacAddr, place: &Place) -> Option<Conflict> {
    if place.competing.is_empty() || place.shared != Some(Shared::SeveralPorts) {
        return None;
    }
    let ports = std::iter::once(&place.port).chain(&place.competing);
    let mut ports: Vec<Competing> = ports.map(|port| competing(world, *port)).collect();
    ports.sort();
    Some(Conflict::SeveralPorts { mac, ports })
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
        None => format!("and {}", why_there(world, place)),
        Some(_) => why_there(world, place),
    };
    format!("{learned}, {why}")
}

/// What kind of place it is.
pub(super) fn why_there(world: &World<'_, '_>, place: &Place) -> String {
    match &place.shared {
        None if place.announced => "it announces itself on that cable".to_owned(),
        None if place.is_telephone => {
            "it is in the VLAN of telephones, and the other address there is not".to_owned()
        }
        None => "no other machine is on that port".to_owned(),
        Some(Shared::Addresses(count)) => {
            let others = count.saturating_sub(1).max(1);
            format!("together with {others} other {}", if others == 1 { "address" } else { "addresses" })
        }
        Some(Shared::BehindUnread(name)) if place.competing.is_empty() => format!("behind {name} (unread)"),
        Some(Shared::BehindUnread(name)) => {
            format!("behind {name} (unread), as it is seen from {}", others(world, place))
        }
        Some(Shared::Behind(name)) => format!("behind {name}"),
        Some(Shared::BehindTelephone(mac)) => format!("behind {mac}, which is in the VLAN of telephones"),
        Some(Shared::DocumentedUplink) => "where NetBox has a cable to another network device".to_owned(),
        Some(Shared::Kind(PortKind::Lag)) if !place.competing.is_empty() => {
            format!("an aggregate across two switches, together with {}", others(world, place))
        }
        Some(Shared::Kind(kind)) => format!("which is {}, not a socket", kind_in_words(*kind)),
        Some(Shared::Unresolved) => "a number that its other tables do not explain".to_owned(),
        Some(Shared::Down) => "which has no link now".to_owned(),
        Some(Shared::SeveralPorts) => format!("but so did {}", others(world, place)),
    }
}

fn others(world: &World<'_, '_>, place: &Place) -> String {
    let ports: Vec<String> = place.competing.iter().map(|other| port(world, *other)).collect();
    listed(&ports)
}

/// What became of a port that learned or heard an address.
pub(super) fn fate(world: &World<'_, '_>, place: Option<&Place>, fate: &Fate) -> (Verdict, String) {
    match fate {
        Fate::Chosen => (Verdict::Kept, place.map(|place| why_there(world, place)).unwrap_or_default()),
        Fate::Competes => {
            (Verdict::Competing, "no switch is behind it either: nothing tells which one is right".to_owned())
        }
        Fate::CompetesBehind(name) => (
            Verdict::Competing,
            format!("it leads to {name} (unread), and nothing tells which port is right"),
        ),
        Fate::OtherSide(name) => (
            Verdict::Competing,
            format!("it leads to {name} (unread) from another side: the address is on that"),
        ),
        Fate::Pair => {
            let there = place.map(|place| port(world, place.port)).unwrap_or_default();
            (Verdict::Competing, format!("an aggregate of a neighbour switch: one aggregate with {there}"))
        }
        Fate::Disagrees => {
            let there = place.map(|place| port(world, place.port)).unwrap_or_default();
            (Verdict::Competing, format!("a port between switches that leads away from {there}"))
        }
        Fate::Leads(leads) => {
            let leads: Vec<String> = leads.iter().map(|lead| leads_to(world, *lead)).collect();
            (Verdict::Dropped, format!("a port between switches: it leads to {}", listed(&leads)))
        }
        Fate::Older => (
            Verdict::Dropped,
            "what another port learned of it is more recent: it has moved from here".to_owned(),
        ),
        Fate::Down => (Verdict::Dropped, "it has no link now: the row is stale".to_owned()),
        Fate::Outer(name) => {
            (Verdict::Dropped, format!("it leads to {name}, and another port is on this side of that"))
        }
        Fate::Documented => {
            (Verdict::Dropped, "NetBox has a cable to another network device there".to_owned())
        }
        Fate::OnlyHeard => {
            (Verdict::Dropped, "it was only heard there, and forwarding tables have it elsewhere".to_owned())
        }
    }
}

fn leads_to(world: &World<'_, '_>, lead: Lead) -> String {
    let name = world.inventory.name(lead.device);
    match lead.by {
        Sign::Heard => format!("{name} (it announced itself there)"),
        Sign::OwnAddress => format!("{name} (its own address was learned there)"),
        Sign::Hosts => format!("{name} (hosts that it has on other ports are behind it)"),
    }
}

/// How long ago, where a table says; never part of a claim, for it changes with every run.
pub(super) fn ago(seconds: u32) -> String {
    format!(", {seconds} s ago")
}

/// What was announced, and where it was heard.
pub(super) fn announced(heard: &Heard<'_>) -> String {
    let protocol = heard.fact.protocol.in_words();
    let on = heard.interface.map(|interface| format!(" on {interface}")).unwrap_or_default();
    format!("{protocol} neighbour \"{}\"{on}", heard.called())
}

/// A kind of evidence that confidence counts.
pub(super) fn weighed(kind: &str) -> &'static str {
    match kind {
        "lease" => "a DHCP server has leased it an address",
        "neighbor" => "it is in an ARP or neighbour discovery table",
        "scan" => "it answered a scan",
        "announcement" => "it announces itself",
        "learned" => "a forwarding table has it",
        "port" => "the port it hangs on",
        "guest" => "its hypervisor says that it is there",
        "read" => "a source reads it",
        _ => "other evidence",
    }
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
pub(super) fn says(saying: &Saying<'_>) -> String {
    match *saying {
        Saying::Lease(lease) => {
            let mut text = match (lease.state, lease.dynamic) {
                (LeaseState::Bound, true) => "DHCP lease".to_owned(),
                (LeaseState::Bound, false) => "DHCP lease (reserved)".to_owned(),
                (LeaseState::Waiting, _) => "DHCP lease that nobody holds now".to_owned(),
                (LeaseState::NeverSeen, _) => "DHCP reservation that no client has used".to_owned(),
                (LeaseState::Disabled, _) => "DHCP lease that is disabled".to_owned(),
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
