//! Possibilities of one candidate, and what became of each: ports, network addresses, names, classes, weights.

use std::collections::{BTreeMap, BTreeSet};

use crate::correlate::addresses::{self, Holder};
use crate::correlate::attachment::edge::Placement;
use crate::correlate::naming::{self, Wish};
use crate::correlate::ports::PortId;
use crate::correlate::world::World;
use crate::correlate::{class, words};
use crate::model::explanation::{
    ExplainedAddress, ExplainedClass, ExplainedName, ExplainedPort, ExplainedWeight, Verdict,
};
use crate::model::{Attachment, Candidate, Conflict, MacAddr, NameOrigin};

/// Every port that learned or heard an address.
pub(super) fn ports(world: &World<'_, '_>, mac: MacAddr) -> Vec<ExplainedPort> {
    let placement = world.place(mac);
    let place = if let Placement::At(place) = &placement { Some(place) } else { None };
    let index = world.edge.rows.find(mac);
    let ports = world.edge.considered(mac).into_iter().map(|considered| {
        let at = words::competing(world, considered.port);
        let (verdict, mut why) = words::fate(world, place, &considered.fate);
        if let Some(age) = index.and_then(|index| world.edge.rows.age(index, considered.port)) {
            why = format!("{why} (learned{})", words::ago(age).trim_start_matches(','));
        }
        let vlan = index.and_then(|index| world.edge.rows.vlan(index, considered.port));
        ExplainedPort { switch: at.switch, port: at.port, vlan, verdict, why }
    });
    let mut ports: Vec<ExplainedPort> = ports.collect();
    ports.sort_by_key(|port| port.verdict);
    ports
}

/// Adds the ports that heard a device over a cable, by the interface it named there.
pub(super) fn add_heard(world: &World<'_, '_>, ports: &mut Vec<ExplainedPort>, heard: &BTreeSet<PortId>) {
    for port in heard {
        let at = words::competing(world, *port);
        if ports.iter().any(|known| (&known.switch, &known.port) == (&at.switch, &at.port)) {
            continue;
        }
        let why = if world.edge.topology.is_inter_switch(*port) {
            "it was heard there, but a switch whose table was read is behind that port"
        } else {
            "it was heard there"
        };
        let (switch, port) = (at.switch, at.port);
        ports.push(ExplainedPort {
            switch,
            port,
            vlan: None,
            verdict: Verdict::Dropped,
            why: why.to_owned(),
        });
    }
}

/// Puts the answer first where it does not come from this card's own rows alone: a guest is where its node is, a device where its
/// announcements or its guests are. Whatever competes with it says so.
pub(super) fn follow(ports: &mut Vec<ExplainedPort>, attachment: &Attachment, is_guest: bool) {
    let is_answer =
        |port: &ExplainedPort| (&port.switch, &port.port) == (&attachment.switch, &attachment.port);
    if !ports.iter().any(|port| is_answer(port) && port.verdict == Verdict::Kept) {
        let why = if is_guest { "its node is there" } else { "the machine is there by its other signs" };
        for port in ports.iter_mut().filter(|port| port.verdict == Verdict::Kept) {
            port.verdict = Verdict::Dropped;
            port.why = format!("{}; but {why} on {} {}", port.why, attachment.switch, attachment.port);
        }
        let heard = ports.iter().position(is_answer).map(|position| ports.remove(position).why);
        ports.insert(
            0,
            ExplainedPort {
                switch: attachment.switch.clone(),
                port: attachment.port.clone(),
                vlan: attachment.vlan,
                verdict: Verdict::Kept,
                why: heard.filter(|_| !is_guest).unwrap_or_else(|| why.to_owned()),
            },
        );
    }
    for port in ports.iter_mut().filter(|port| port.verdict == Verdict::Competing) {
        port.verdict = Verdict::Dropped;
    }
    for rival in &attachment.competing {
        let is_it = |port: &&mut ExplainedPort| (&port.switch, &port.port) == (&rival.switch, &rival.port);
        match ports.iter_mut().find(is_it) {
            Some(port) => port.verdict = Verdict::Competing,
            None => ports.push(ExplainedPort {
                switch: rival.switch.clone(),
                port: rival.port.clone(),
                vlan: None,
                verdict: Verdict::Competing,
                why: "another sign of the machine is there".to_owned(),
            }),
        }
    }
    ports.sort_by_key(|port| port.verdict);
}

/// Every network address that something claims for a card.
pub(super) fn addresses(world: &World<'_, '_>, mac: MacAddr) -> Vec<ExplainedAddress> {
    let claimed = world.claimed.get(&mac).into_iter().flatten().map(|address| {
        let (verdict, why) = match world.holders.get(address) {
            Some(Holder::One(holder)) if *holder == mac => {
                (Verdict::Kept, "nobody else claims it".to_owned())
            }
            Some(Holder::One(holder)) => (Verdict::Dropped, format!("{holder} of the same machine has it")),
            Some(Holder::Disputed(macs)) => {
                let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
                (Verdict::Competing, format!("claimed by {}: nobody gets it", macs.join(" and ")))
            }
            None => (Verdict::Dropped, String::new()),
        };
        ExplainedAddress { address: *address, verdict, why }
    });
    let mut all: Vec<ExplainedAddress> = claimed.collect();
    for (_, sighting) in world.sightings.of(mac) {
        let Some(address) = sighting.address() else { continue };
        if all.iter().any(|known| known.address == address) {
            continue;
        }
        let why = if addresses::is_host_address(address) {
            "no known network has it, or nobody holds it now"
        } else {
            "it is link-local, or no host's"
        };
        all.push(ExplainedAddress { address, verdict: Verdict::Dropped, why: why.to_owned() });
    }
    all.sort_by_key(|address| (address.verdict, address.address));
    all
}

/// Every name, best first.
pub(super) fn names(
    candidate: Option<&Candidate>,
    wishes: &BTreeMap<Wish, BTreeSet<String>>,
) -> Vec<ExplainedName> {
    let wishes = wishes.iter().filter(|((_, text), _)| !text.trim().is_empty());
    let mut names: Vec<ExplainedName> = wishes
        .map(|((origin, text), sources)| {
            let (verdict, why) = judged(candidate, *origin, text);
            let sources = sources.iter().cloned().collect();
            ExplainedName { name: text.clone(), origin: *origin, sources, verdict, why }
        })
        .collect();
    if let Some(candidate) = candidate.filter(|candidate| candidate.name_origin == NameOrigin::Fallback) {
        names.push(ExplainedName {
            name: candidate.name.to_string(),
            origin: NameOrigin::Fallback,
            sources: Vec::new(),
            verdict: Verdict::Kept,
            why: if names.is_empty() { "nothing names it" } else { "no name is left for it" }.to_owned(),
        });
    }
    names.sort_by(|a, b| (a.verdict, b.origin, &a.name).cmp(&(b.verdict, a.origin, &b.name)));
    names
}

fn judged(candidate: Option<&Candidate>, origin: NameOrigin, text: &str) -> (Verdict, String) {
    let name = match naming::checked(text) {
        Ok(name) => name,
        Err(reason) => return (Verdict::Dropped, reason),
    };
    let Some(candidate) = candidate else {
        return (Verdict::Dropped, "there is nothing to be called so".to_owned());
    };
    if candidate.name == name {
        let why = if candidate.name_origin == origin {
            "the best origin of a name that it can have"
        } else {
            "says the same"
        };
        return (Verdict::Kept, why.to_owned());
    }
    let rivals = candidate.conflicts.iter().find_map(|conflict| match conflict {
        Conflict::DuplicateName { name: taken, identities } if *taken == name => Some(identities),
        _ => None,
    });
    let why = match rivals {
        Some(identities) => {
            let others = identities.iter().filter(|identity| **identity != candidate.identity);
            let others: Vec<String> = others.map(ToString::to_string).collect();
            format!("{} is called so too, and no administrator named this one", others.join(", "))
        }
        None if candidate.name_origin > origin => {
            format!("{} counts more than {}", candidate.name_origin.as_str(), origin.as_str())
        }
        None => format!("{} comes first in the alphabet", candidate.name),
    };
    (Verdict::Dropped, why)
}

/// Every suggestion of a class, the one that counts first.
pub(super) fn classes(candidate: Option<&Candidate>, signs: &BTreeSet<class::Sign>) -> Vec<ExplainedClass> {
    let taken = candidate.map(|candidate| candidate.class);
    let classes = signs.iter().enumerate().map(|(position, sign)| ExplainedClass {
        class: sign.class,
        verdict: if position == 0 || Some(sign.class) == taken { Verdict::Kept } else { Verdict::Dropped },
        why: sign.why.clone(),
    });
    classes.collect()
}

/// What the confidence is made of, heaviest first.
pub(super) fn weights(weights: &BTreeMap<&'static str, u32>) -> Vec<ExplainedWeight> {
    let mut weights: Vec<ExplainedWeight> = weights
        .iter()
        .map(|(kind, percent)| ExplainedWeight {
            evidence: words::weighed(kind).to_owned(),
            percent: u8::try_from(*percent).unwrap_or(100),
        })
        .collect();
    weights.sort_by(|a, b| (b.percent, &a.evidence).cmp(&(a.percent, &b.evidence)));
    weights
}
