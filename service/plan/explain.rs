//! The reasoning for one host in words. `surveyor explain` prints these lines and journal entries repeat them; each escapes them for
//! where they go.

use crate::model::explanation::{ExplainedCard, ExplainedName, ExplainedObservation, ExplainedPort, Verdict};
use crate::model::{Candidate, Conflict, Explanation, NameOrigin};

/// Lines under a heading. Texts of the network are as sent: escape before printing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What the lines are about.
    pub title: String,
    /// One thought each.
    pub lines: Vec<String>,
}

/// Everything but the conclusion and the observations, in the order in which a reader wants it. Empty sections are left out.
pub fn sections(explanation: &Explanation) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut push = |title: String, lines: Vec<String>| {
        if !lines.is_empty() {
            sections.push(Section { title, lines });
        }
    };
    for card in &explanation.cards {
        let name = card.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        push(format!("Card {}{name}", card.mac), of_card(card));
    }
    push("Names".to_owned(), explanation.names.iter().map(of_name).collect());
    let class = |found: &crate::model::explanation::ExplainedClass| {
        format!("{} {}: {}", found.verdict.as_str(), found.class.as_str(), found.why)
    };
    push("Class".to_owned(), explanation.classes.iter().map(class).collect());
    if let Some(candidate) = &explanation.candidate {
        let conflicts = candidate.conflicts.iter().map(|found| conflict(found, str::to_owned));
        push("Contradictions".to_owned(), conflicts.collect());
        push(format!("Confidence {}", candidate.confidence), of_confidence(explanation, candidate));
    }
    let links = explanation.links.iter().map(|link| {
        let (a, b) = (&link.a, &link.b);
        let evidence = link.evidence.join(", ");
        format!(
            "{} {} - {} {}: {evidence}, confidence {}",
            a.switch, a.port, b.switch, b.port, link.confidence
        )
    });
    push("Links".to_owned(), links.collect());
    let gaps =
        explanation.gaps.iter().map(|gap| format!("{} {}: {}", gap.source, gap.facts.as_str(), gap.reason));
    push("Not read in that run".to_owned(), gaps.collect());
    push("NetBox".to_owned(), explanation.netbox.iter().cloned().collect());
    sections
}

/// One observation after its source.
pub fn observation(observation: &ExplainedObservation) -> String {
    match &observation.ignored {
        Some(reason) => format!("{} (does not count: {reason})", observation.says),
        None => observation.says.clone(),
    }
}

fn of_card(card: &ExplainedCard) -> Vec<String> {
    let addresses = card
        .addresses
        .iter()
        .map(|found| format!("{} {}: {}", found.verdict.as_str(), found.address, found.why));
    let ports = card.ports.iter().map(of_port);
    addresses.chain(ports).chain(card.unattached.iter().cloned()).collect()
}

fn of_port(port: &ExplainedPort) -> String {
    let vlan = port.vlan.map(|vlan| format!(", VLAN {vlan}")).unwrap_or_default();
    format!("{} {} {}{vlan}: {}", port.verdict.as_str(), port.switch, port.port, port.why)
}

fn of_name(name: &ExplainedName) -> String {
    let by = if name.sources.is_empty() { String::new() } else { format!(" by {}", name.sources.join(", ")) };
    format!("{} \"{}\", {}{by}: {}", name.verdict.as_str(), name.name, name.origin.as_str(), name.why)
}

fn of_confidence(explanation: &Explanation, candidate: &Candidate) -> Vec<String> {
    let weights = explanation
        .weights
        .iter()
        .map(|weight| format!("{} % of the doubt goes: {}", weight.percent, weight.evidence));
    let capped = (!candidate.conflicts.is_empty()).then(|| "contradictions keep it low".to_owned());
    weights.chain(capped).chain(candidate.reasons.iter().cloned()).collect()
}

/// A contradiction, both sides named. Texts of the network go through `escape`.
pub fn conflict(conflict: &Conflict, escape: impl Fn(&str) -> String) -> String {
    match conflict {
        Conflict::DuplicateAddress { address, macs } => {
            let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
            format!("{address} is claimed by {}", macs.join(" and "))
        }
        Conflict::SeveralPorts { mac, ports } => {
            let ports: Vec<String> =
                ports.iter().map(|port| format!("{} {}", escape(&port.switch), escape(&port.port))).collect();
            format!("{mac} is seen on {}", ports.join(" and "))
        }
        Conflict::DuplicateName { name, identities } => {
            let identities: Vec<String> =
                identities.iter().map(|identity| escape(identity.as_str())).collect();
            format!("the name `{name}` is claimed by {}", identities.join(" and "))
        }
        Conflict::LinkDisagrees { claims } => {
            let claims: Vec<String> = claims.iter().map(|claim| escape(claim)).collect();
            claims.join(" but ")
        }
    }
}

/// What a candidate says of itself, where nobody worked out more.
pub fn summary(candidate: &Candidate) -> Explanation {
    let observations = candidate.evidence.iter().map(|line| ExplainedObservation {
        source: line.source.clone(),
        says: line.says.clone(),
        ignored: None,
    });
    let other_names = candidate.other_names.iter().map(|name| ExplainedName {
        name: name.clone(),
        origin: NameOrigin::Fallback,
        sources: Vec::new(),
        verdict: Verdict::Dropped,
        why: "another name counts more, or it is none that it can have".to_owned(),
    });
    Explanation {
        conclusion: String::new(),
        observations: observations.collect(),
        cards: Vec::new(),
        names: other_names.collect(),
        classes: Vec::new(),
        weights: Vec::new(),
        links: Vec::new(),
        gaps: Vec::new(),
        netbox: None,
        candidate: Some(candidate.clone()),
    }
}
