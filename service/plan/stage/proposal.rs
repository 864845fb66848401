//! What the reviewer reads: the proposal (at most six lines) and the journal entry with the evidence. Text found on the network
//! is escaped, always.

use super::create::Desired;
use crate::model::name::escape_markdown;
use crate::model::{Attachment, Candidate, CandidateKind, Conflict, Timestamp};
use crate::plan::{Refusal, View};

/// Longest text of the network that is shown, in characters.
const MAX_TEXT: usize = 120;
/// Evidence lines in a journal entry; the rest is counted.
const MAX_EVIDENCE: usize = 40;

fn safe(text: &str) -> String {
    escape_markdown(text, MAX_TEXT)
}

/// The read-only summary on the object's page: what it is, what approval makes, where it hangs, who says so.
pub(crate) fn proposal(
    candidate: &Candidate,
    name: &str,
    desired: &Desired,
    view: &View,
    refused: &[Refusal],
) -> String {
    let what = match (candidate.kind, candidate.device.is_some()) {
        (CandidateKind::VirtualMachine, _) => "virtual machine",
        (CandidateKind::Device, true) => "network device",
        (CandidateKind::Device, false) => "device",
    };
    let mut lines = vec![format!(
        "**{}**: {what}, class {}, confidence {}",
        safe(name),
        candidate.class.as_str(),
        candidate.confidence
    )];
    lines.push(format!("On approval: {}", effects(candidate, desired, view)));
    lines.push(format!("Port: {}", places(candidate)));
    let macs: Vec<String> = candidate
        .interfaces
        .iter()
        .filter_map(|interface| interface.mac)
        .map(|mac| mac.to_string())
        .collect();
    let shown = macs.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let more = if macs.len() > 4 { format!(" and {} more", macs.len() - 4) } else { String::new() };
    let sources: Vec<String> = candidate.sources.iter().map(|source| safe(source)).collect();
    lines.push(format!("Seen by {}; MAC {shown}{more}", sources.join(", ")));
    let mut notes: Vec<String> = candidate.conflicts.iter().map(conflict).collect();
    notes.extend(refused.iter().map(|refusal| safe(&refusal.reason)));
    if !candidate.other_names.is_empty() {
        let names: Vec<String> = candidate.other_names.iter().take(3).map(|name| safe(name)).collect();
        notes.push(format!("also called {}", names.join(", ")));
    }
    if !notes.is_empty() {
        lines.push(format!("Note: {}", notes.join("; ")));
    }
    // Two spaces before the line break: Markdown then breaks the line.
    lines.join("  \n")
}

fn effects(candidate: &Candidate, desired: &Desired, view: &View) -> String {
    let mut effects = Vec::new();
    for (interface, wanted) in candidate.interfaces.iter().zip(&desired.interfaces) {
        for address in &interface.addresses {
            let mask = view
                .prefix_of(*address)
                .map(|prefix| prefix.prefix.prefix_len())
                .or_else(|| interface.masks.get(address).copied());
            let shown = mask.map_or_else(|| address.to_string(), |mask| format!("{address}/{mask}"));
            effects.push(format!("{shown} on {}", safe(&wanted.name)));
        }
        let values = if desired.interfaces.len() == 1 { &desired.machine } else { &wanted.values };
        if let (Some(attachment), true) = (&interface.attachment, values.contains_key("port")) {
            effects.push(format!(
                "cable {} - {} {}",
                safe(&wanted.name),
                safe(&attachment.switch),
                safe(&attachment.port)
            ));
        }
    }
    if let Some(name) = desired.machine.get("dns_name").and_then(|name| name.as_str()) {
        effects.push(format!("DNS {name}"));
    }
    if effects.is_empty() {
        return "nothing but the object itself (no address, no port known)".to_owned();
    }
    let more = effects.len().saturating_sub(8);
    effects.truncate(8);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", effects.join(", "))
}

fn places(candidate: &Candidate) -> String {
    let mut places: Vec<String> = candidate
        .interfaces
        .iter()
        .filter_map(|interface| interface.attachment.as_ref())
        .map(|attachment| place(attachment, candidate))
        .collect();
    places.dedup();
    if places.is_empty() {
        let reason = candidate
            .interfaces
            .iter()
            .find_map(|interface| interface.unattached_reason.as_deref())
            .map(safe);
        return reason.map_or_else(|| "unknown".to_owned(), |reason| format!("unknown: {reason}"));
    }
    let more = places.len().saturating_sub(4);
    places.truncate(4);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", places.join("; "))
}

fn place(attachment: &Attachment, candidate: &Candidate) -> String {
    let mut text = format!("{} {}", safe(&attachment.switch), safe(&attachment.port));
    if let Some(vlan) = attachment.vlan {
        text = format!("{text}, VLAN {vlan}");
    }
    if let (CandidateKind::VirtualMachine, Some(node)) = (candidate.kind, &candidate.node) {
        return format!("{text}, through its node {}", safe(node));
    }
    if !attachment.competing.is_empty() {
        let ports: Vec<String> = attachment
            .competing
            .iter()
            .map(|port| format!("{} {}", safe(&port.switch), safe(&port.port)))
            .collect();
        return format!("{text}, but also {}: no cable", ports.join(", "));
    }
    if attachment.exclusive { text } else { format!("behind {text}, not alone there: no cable") }
}

fn conflict(conflict: &Conflict) -> String {
    match conflict {
        Conflict::DuplicateAddress { address, macs } => {
            let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
            format!("{address} is claimed by {}", macs.join(" and "))
        }
        Conflict::SeveralPorts { mac, ports } => {
            let ports: Vec<String> =
                ports.iter().map(|port| format!("{} {}", safe(&port.switch), safe(&port.port))).collect();
            format!("{mac} is seen on {}", ports.join(" and "))
        }
        Conflict::DuplicateName { name, identities } => {
            let identities: Vec<String> = identities.iter().map(ToString::to_string).collect();
            format!("the name `{name}` is claimed by {}", identities.join(" and "))
        }
        Conflict::LinkDisagrees { claims } => {
            let claims: Vec<String> = claims.iter().map(|claim| safe(claim)).collect();
            claims.join(" but ")
        }
    }
}

/// The journal entry: plan first, then the evidence with the time of the run, confidence with reasons, competing ports.
pub(crate) fn note(candidate: &Candidate, proposal: &str, refused: &[Refusal], now: Timestamp) -> String {
    let mut lines =
        vec![proposal.to_owned(), String::new(), "| source | says |".to_owned(), "| --- | --- |".to_owned()];
    let shown = candidate.evidence.iter().take(MAX_EVIDENCE);
    lines.extend(shown.map(|line| format!("| {} | {} |", safe(&line.source), safe(&line.says))));
    let more = candidate.evidence.len().saturating_sub(MAX_EVIDENCE);
    if more > 0 {
        lines.push(format!("| | and {more} more observations |"));
    }
    lines.push(format!("\nConfidence {}:", candidate.confidence));
    lines.extend(candidate.reasons.iter().map(|reason| format!("- {}", safe(reason))));
    lines.extend(refused.iter().map(|refusal| format!("- refused: {}", safe(&refusal.reason))));
    lines.push(format!("\nObserved at {now}; `{}`", candidate.identity));
    lines.join("\n")
}
