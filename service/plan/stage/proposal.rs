//! What the reviewer reads: the proposal (at most six lines) and the journal entry with the evidence. Text found on the network
//! is escaped, always.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::create::Desired;
use crate::model::name::escape_markdown;
use crate::model::{
    Attachment, Candidate, CandidateInterface, CandidateKind, Explanation, Identity, ObjectKind, ObjectRef,
    Timestamp,
};
use crate::plan::view::Machine;
use crate::plan::{Refusal, View, explain};

/// Longest text of the network that is shown, in characters.
const MAX_TEXT: usize = 120;
/// Longest line of reasoning in a journal entry, in characters.
const MAX_LINE: usize = 400;
/// Evidence lines in a journal entry; the rest is counted.
const MAX_EVIDENCE: usize = 40;
/// Lines of each part of the reasoning in a journal entry; the rest is counted.
const MAX_LINES: usize = 16;

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
    let macs = if shown.is_empty() { String::new() } else { format!("; MAC {shown}{more}") };
    lines.push(format!("Seen by {}{macs}", sources.join(", ")));
    let mut notes: Vec<String> =
        candidate.conflicts.iter().map(|found| explain::conflict(found, safe)).collect();
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

/// What the fields say that approval makes, people's values included.
fn effects(candidate: &Candidate, desired: &Desired, view: &View) -> String {
    let mut effects = Vec::new();
    let is_single = desired.interfaces.len() == 1;
    for (interface, wanted) in candidate.interfaces.iter().zip(&desired.interfaces) {
        let values = if is_single { &desired.machine } else { &wanted.values };
        effects.extend(addresses(values, Some(interface), &wanted.name, view));
        let text = |field: &str| values.get(field).and_then(Value::as_str);
        if let Some(port) = text("port") {
            let switch = switch(values, interface, view);
            effects.push(format!("cable {} - {} {}", safe(&wanted.name), safe(&switch), safe(port)));
        }
    }
    if !is_single {
        effects.extend(addresses(&desired.machine, None, "its main interface", view));
    }
    let has_address = std::iter::once(&desired.machine)
        .chain(desired.interfaces.iter().map(|interface| &interface.values))
        .any(|values| values.contains_key("addresses"));
    if let Some(name) = desired.machine.get("dns_name").and_then(Value::as_str).filter(|_| has_address) {
        effects.push(format!("DNS {}", safe(name)));
    }
    if effects.is_empty() {
        return "nothing but the object itself (no address, no port known)".to_owned();
    }
    let more = effects.len().saturating_sub(8);
    effects.truncate(8);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", effects.join(", "))
}

fn addresses(
    values: &BTreeMap<String, Value>,
    interface: Option<&CandidateInterface>,
    name: &str,
    view: &View,
) -> Vec<String> {
    let lines = values.get("addresses").and_then(Value::as_str).unwrap_or_default();
    let shown = lines.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let (text, name) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), name));
        let mask = text.parse::<IpAddr>().ok().and_then(|address| {
            view.prefix_of(address)
                .map(|prefix| prefix.prefix.prefix_len())
                .or_else(|| interface?.masks.get(&address).copied())
        });
        let mask = mask.map(|mask| format!("/{mask}")).unwrap_or_default();
        format!("{}{mask} on {}", safe(text), safe(name.trim()))
    });
    shown.collect()
}

fn switch(values: &BTreeMap<String, Value>, interface: &CandidateInterface, view: &View) -> String {
    let known = values.get("switch").and_then(Value::as_i64);
    let known = known.and_then(|id| view.machine(ObjectRef::new(ObjectKind::Device, id)));
    known
        .map(Machine::title)
        .or_else(|| Some(interface.attachment.as_ref()?.switch.clone()))
        .unwrap_or_else(|| "?".to_owned())
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

/// The journal entry: plan first, then the evidence with the time of the run and the reasoning that `surveyor explain` prints.
pub(crate) fn note(explanation: &Explanation, identity: &Identity, proposal: &str, now: Timestamp) -> String {
    let mut lines =
        vec![proposal.to_owned(), String::new(), "| source | says |".to_owned(), "| --- | --- |".to_owned()];
    let shown = explanation.observations.iter().take(MAX_EVIDENCE);
    lines.extend(shown.map(|line| {
        format!("| {} | {} |", safe(&line.source), escape_markdown(&explain::observation(line), MAX_LINE))
    }));
    let more = explanation.observations.len().saturating_sub(MAX_EVIDENCE);
    if more > 0 {
        lines.push(format!("| | and {more} more observations |"));
    }
    for section in explain::sections(explanation) {
        lines.push(format!("\n{}:", safe(&section.title)));
        let shown = section.lines.iter().take(MAX_LINES);
        lines.extend(shown.map(|line| format!("- {}", escape_markdown(line, MAX_LINE))));
        let more = section.lines.len().saturating_sub(MAX_LINES);
        if more > 0 {
            lines.push(format!("- and {more} more: `surveyor explain`"));
        }
    }
    lines.push(format!("\nObserved at {now}; `{identity}`"));
    lines.join("\n")
}
