//! A candidate that is already proposed: only what changed, and never what a person set.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::claim::claim_hash;
use super::matching::kind_of;
use super::{Context, Devices, create, proposal};
use crate::model::{Candidate, SourceName};
use crate::plan::ledger::Ledger;
use crate::plan::view::{Machine, Ours, TAG};
use crate::plan::{Cause, Credential, Fields, Phase, Plan, Step, Target};

/// Whether the proposal rests on a source that could not be read this time: then what is missing now means nothing.
pub(super) fn rests_on(machine: &Machine, silent: &BTreeSet<&SourceName>) -> bool {
    let ledger = Ledger::read(machine.ours.as_ref().and_then(|ours| ours.ledger.as_ref()));
    ledger.sources.iter().any(|source| silent.iter().any(|name| name.as_str() == source))
}

/// Plans what a staged object lacks.
pub(super) fn plan(
    candidate: &Candidate,
    machine: &Machine,
    devices: &Devices,
    context: &Context<'_>,
    was_silent: bool,
) -> Plan {
    let view = context.view;
    let mut plan = Plan::new(candidate.identity.as_str(), machine.title(), Cause::Stage);
    plan.netbox = Some(machine.object);
    let Some(ours) = &machine.ours else { return plan };
    let kind = machine.object.kind;
    if kind != kind_of(candidate) {
        return replace(candidate, machine, devices, context);
    }
    let ledger = Ledger::read(ours.ledger.as_ref());
    let name = machine.title();
    let renamed = !name.eq_ignore_ascii_case(candidate.name.as_str());
    let desired = create::desired(candidate, devices, context, renamed);
    let claim = claim_hash(candidate);
    let changed = claim != ledger.claim && !was_silent;
    let target = Target::Id(machine.object.id);

    // Interfaces: those of a changed claim, and those that an interrupted run did not get to.
    let has_none = view.interfaces_of(machine.object).next().is_none();
    for interface in &desired.interfaces {
        let is_there = view.interfaces_of(machine.object).any(|known| {
            known.name == interface.name || (interface.mac.is_some() && known.mac == interface.mac)
        });
        let mut probe = Plan::new(candidate.identity.as_str(), name.clone(), Cause::Stage);
        create::push_interface_on(&mut probe, candidate, &target, kind, interface, view, &name);
        let is_open = probe.steps.first().is_some_and(|step| context.open_steps.contains(&step.step.name()));
        if !is_there && (changed || is_open || has_none) {
            plan.steps.append(&mut probe.steps);
        }
    }

    if changed {
        let mut next = create::ledger(candidate, &name, &desired);
        next.round = ledger.round;
        let mut custom = serde_json::Map::new();
        for (field, value) in &desired.machine {
            decide(field, value, &current(ours, field), &ledger, &mut next, &mut custom, "");
        }
        for field in ["switch", "port", "addresses", "dns_name"] {
            if !desired.machine.contains_key(field) && ledger.values.contains_key(field) {
                decide(field, &Value::Null, &current(ours, field), &ledger, &mut next, &mut custom, "");
            }
        }
        push_interface_changes(&mut plan, machine, &desired, &ledger, &mut next, context);
        let text = proposal::proposal(candidate, &name, &desired, view, &plan.refused);
        let state = if candidate.conflicts.is_empty() { "candidate" } else { "conflict" };
        for (field, value) in [
            ("proposal", json!(text)),
            ("state", json!(state)),
            ("confidence", json!(candidate.confidence)),
            ("sources", json!(candidate.sources.join(", "))),
            ("last_seen", json!(context.now.to_string())),
            ("ledger", next.to_value()),
        ] {
            custom.insert(format!("surveyor_{field}"), value);
        }
        let before = Fields::from([("custom_fields".to_owned(), before(ours, &custom))]);
        let after = Fields::from([("custom_fields".to_owned(), Value::Object(custom))]);
        let step = Step::Change { kind, target: target.clone(), before, after, guard: false };
        plan.push(Phase::Attributes, Credential::Stager, step, format!("proposal of `{name}`"));
    }
    let note_key = format!("{}|claim|{claim}", candidate.identity);
    if changed || context.open_steps.contains(&format!("note {note_key}")) {
        let text = proposal::proposal(candidate, &name, &desired, view, &plan.refused);
        let note = proposal::note(candidate, &text, &plan.refused, context.now);
        create::push_note(&mut plan, candidate, kind, target, note);
    }
    plan
}

/// A host that turned out to be a guest (or the other way round): the staged object is replaced.
fn replace(candidate: &Candidate, machine: &Machine, devices: &Devices, context: &Context<'_>) -> Plan {
    let mut names = super::Names::default();
    let mut devices = devices.clone();
    let mut plan = create::plan(candidate, &super::Found::Nothing, &mut devices, &mut names, context);
    let guard = Fields::from([
        ("status".to_owned(), json!(context.view.defaults.staged)),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    let step = Step::Delete { object: machine.object, guard };
    plan.push(
        Phase::Remove,
        Credential::Stager,
        step,
        format!("{} `{}`: it is a {} ", machine.object.kind, machine.title(), kind_of(candidate)),
    );
    plan
}

/// Writes a field unless a person changed it since we last wrote it.
fn decide(
    field: &str,
    wanted: &Value,
    current: &Value,

    ledger: &Ledger,
    next: &mut Ledger,
    custom: &mut serde_json::Map<String, Value>,
    prefix: &str,
) {
    let name = format!("{prefix}{field}");
    let written = ledger.values.get(&name).cloned().unwrap_or(Value::Null);
    let was_ours = *current == written || (written.is_null() && field == "switch");
    if !was_ours {
        // A person's value stays; what we last wrote stays on record, so that it goes on counting as theirs.
        next.values.insert(name, written);
    } else if current != wanted {
        custom.insert(format!("surveyor_{field}"), wanted.clone());
    }
}

fn push_interface_changes(
    plan: &mut Plan,
    machine: &Machine,
    desired: &create::Desired,
    ledger: &Ledger,
    next: &mut Ledger,
    context: &Context<'_>,
) {
    if desired.interfaces.len() < 2 {
        return;
    }
    for wanted in &desired.interfaces {
        let Some(known) = context.view.interfaces_of(machine.object).find(|known| known.name == wanted.name)
        else {
            continue;
        };
        let mut custom = serde_json::Map::new();
        let prefix = format!("{}/", wanted.name);
        for field in ["switch", "port", "addresses"] {
            let value = wanted.values.get(field).cloned().unwrap_or(Value::Null);
            decide(field, &value, &current(&known.ours, field), ledger, next, &mut custom, &prefix);
        }
        if !custom.is_empty() {
            let before = Fields::from([("custom_fields".to_owned(), before(&known.ours, &custom))]);
            let after = Fields::from([("custom_fields".to_owned(), Value::Object(custom))]);
            let step = Step::Change {
                kind: known.object.kind,
                target: Target::Id(known.object.id),
                before,
                after,
                guard: false,
            };
            plan.push(Phase::Attributes, Credential::Stager, step, format!("proposal of {}", known.name));
        }
    }
}

/// The value a field has now, as it would be written.
pub(crate) fn current(ours: &Ours, field: &str) -> Value {
    match field {
        "switch" => json!(ours.switch),
        "port" => json!(ours.port),
        "addresses" => json!(ours.addresses),
        "dns_name" => json!(ours.dns_name),
        "class" => json!(ours.class),
        "state" => json!(ours.state),
        "decision" => json!(ours.decision),
        "proposal" => json!(ours.proposal),
        "confidence" => json!(ours.confidence),
        "sources" => json!(ours.sources),
        "first_seen" => json!(ours.first_seen),
        "last_seen" => json!(ours.last_seen),
        "snooze_until" => json!(ours.snooze_until),
        "ledger" => ours.ledger.clone().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

/// The present values of the custom fields that a change writes.
pub(crate) fn before(ours: &Ours, custom: &serde_json::Map<String, Value>) -> Value {
    let values: BTreeMap<String, Value> = custom
        .keys()
        .map(|name| (name.clone(), current(ours, name.strip_prefix("surveyor_").unwrap_or(name))))
        .collect();
    json!(values)
}
