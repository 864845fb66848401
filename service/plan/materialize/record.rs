//! What an approval leaves on the object itself: the ledger, the journal entry, the state. Last, so that they say what is true.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Context, title_identity};
use crate::model::name::escape_markdown;
use crate::model::{ObjectRef, Timestamp};
use crate::plan::ledger::Ledger;
use crate::plan::stage::{current_value, short_hash};
use crate::plan::step::REFERENCE;
use crate::plan::view::{Machine, Ours};
use crate::plan::{Cause, Credential, Fields, Level, Phase, Plan, Step, Target, View};

const CUSTOM: &str = "custom_fields";

/// Journal entry and state: last, so that they say what is true.
pub(super) fn finish(
    machine: &Machine,
    before: &Ledger,
    mut ledger: Ledger,
    emptied: &BTreeMap<ObjectRef, Fields>,
    plan: &mut Plan,
    context: &Context<'_>,
) {
    let Some(ours) = &machine.ours else { return };
    let has_effects = !plan.steps.is_empty();
    let state = if plan.is_blocked() {
        "blocked"
    } else if plan.refused.is_empty() {
        "applied"
    } else {
        "partial"
    };
    let mut reasons: Vec<String> = plan.refused.iter().map(|refusal| refusal.reason.clone()).collect();
    reasons.sort();
    ledger.refused = if reasons.is_empty() { String::new() } else { short_hash(&reasons.join("\n")) };
    let is_same = !has_effects
        && ours.state.as_deref() == Some(state)
        && ledger.refused == before.refused
        && emptied.is_empty()
        && ours.decision.as_deref().is_none_or(str::is_empty);
    if is_same {
        return;
    }
    let mut lines = vec![match state {
        "applied" => "**Approved and applied.**\n".to_owned(),
        "partial" => "**Approved; applied in part.**\n".to_owned(),
        _ => "**Approved, but nothing could be done.**\n".to_owned(),
    }];
    // Markdown wants an empty line before a list.
    lines.extend(plan.facts.iter().map(|fact| format!("- {fact}")));
    lines.extend(plan.records.iter().map(|record| format!("- DNS {record}")));
    lines.extend(reasons.iter().map(|reason| format!("- refused: {reason}")));
    lines.push(format!("\nAt {}", context.now));
    let identity = title_identity(machine);
    let outcome = short_hash(&format!("{state}\n{}", lines[..lines.len() - 1].join("\n")));
    let level = if state == "applied" { Level::Success } else { Level::Warning };
    let step = Step::Note {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        key: format!("{identity}|materialize|{}|{outcome}", ledger.round),
        level,
        text: lines.join("\n"),
    };
    plan.push(Phase::Journal, Credential::Materializer, step, format!("journal entry: {state}"));

    keep_emptied(&mut ledger, emptied);
    ledger.making.clear();
    let proposal = match state {
        "applied" => Value::Null,
        _ => json!(format!("**{state}**: {}", reasons.join("  \n"))),
    };
    for (object, fields) in emptied {
        if *object != machine.object {
            let ours = interface_ours(*object, context.view);
            let step = change_custom(*object, &ours, nulls(fields));
            plan.push(Phase::Proposal, Credential::Materializer, step, "proposal fields emptied");
        }
    }
    let mut custom = nulls(emptied.get(&machine.object).unwrap_or(&Fields::new()));
    custom.insert("surveyor_state".to_owned(), json!(state));
    custom.insert("surveyor_proposal".to_owned(), proposal);
    if ours.decision.as_deref().is_some_and(|decision| !decision.is_empty()) {
        custom.insert("surveyor_decision".to_owned(), Value::Null);
    }
    custom.insert("surveyor_ledger".to_owned(), ledger.to_value());
    push_state(machine.object, ours, custom, plan, &format!("state {state}"));
}

fn nulls(fields: &Fields) -> Map<String, Value> {
    fields.keys().map(|field| (format!("surveyor_{field}"), Value::Null)).collect()
}

fn interface_ours(object: ObjectRef, view: &View) -> Ours {
    view.interface(object).map(|interface| interface.ours.clone()).unwrap_or_default()
}

/// The last step: custom fields of an object, ours alone, so that it can go with others in one call.
pub(crate) fn push_state(
    object: ObjectRef,
    ours: &Ours,
    custom: Map<String, Value>,
    plan: &mut Plan,
    label: &str,
) {
    let step = change_custom(object, ours, custom);
    plan.push(Phase::State, Credential::Materializer, step, label);
}

/// A change of custom fields.
pub(crate) fn change_custom(object: ObjectRef, ours: &Ours, custom: Map<String, Value>) -> Step {
    let before: Map<String, Value> = custom
        .keys()
        .map(|name| (name.clone(), current_value(ours, name.strip_prefix("surveyor_").unwrap_or(name))))
        .collect();
    Step::Change {
        kind: object.kind,
        target: Target::Id(object.id),
        before: Fields::from([(CUSTOM.to_owned(), Value::Object(before))]),
        after: Fields::from([(CUSTOM.to_owned(), Value::Object(custom))]),
        guard: false,
    }
}

/// What went wrong while a plan was applied, written down: a danger entry and the state `failed`.
pub fn failure(machine: &Machine, reason: &str, now: Timestamp) -> Plan {
    let mut plan = Plan::new(title_identity(machine), machine.title(), Cause::Materialize);
    plan.netbox = Some(machine.object);
    let Some(ours) = &machine.ours else { return plan };
    let mut ledger = Ledger::read(ours.ledger.as_ref());
    let shown = escape_markdown(reason, 400);
    let refused = short_hash(&shown);
    if ours.state.as_deref() == Some("failed") && ledger.refused == refused {
        return plan;
    }
    ledger.refused.clone_from(&refused);
    let step = Step::Note {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        key: format!("{}|failed|{}|{refused}", title_identity(machine), ledger.round),
        level: Level::Danger,
        text: format!("**Approved, but applying it failed; it is tried again.**\n\n- {shown}\n\nAt {now}"),
    };
    plan.push(Phase::Journal, Credential::Materializer, step, "journal entry: failed");
    let mut custom = Map::new();
    custom.insert("surveyor_state".to_owned(), json!("failed"));
    custom.insert("surveyor_proposal".to_owned(), json!(format!("**failed**: {shown}")));
    custom.insert("surveyor_ledger".to_owned(), ledger.to_value());
    push_state(machine.object, ours, custom, &mut plan, "state failed");
    plan
}

/// What an interrupted approval could not find out again is written down first: what approval changes on objects that were there
/// before (they must not look like ours), and what it empties on interfaces.
pub(super) fn push_early_ledger(
    machine: &Machine,
    before: &Ledger,
    ledger: &Ledger,
    emptied: &BTreeMap<ObjectRef, Fields>,
    plan: &mut Plan,
) {
    let mut early = before.clone();
    early.changed.clone_from(&ledger.changed);
    early.making.clone_from(&ledger.making);
    for changed in &mut early.changed {
        // Nothing that it refers to exists yet.
        changed.after.retain(|_, value| value.get(REFERENCE).is_none());
    }
    let on_interfaces: BTreeMap<ObjectRef, Fields> = emptied
        .iter()
        .filter(|(object, _)| **object != machine.object)
        .map(|(object, fields)| (*object, fields.clone()))
        .collect();
    keep_emptied(&mut early, &on_interfaces);
    if early == *before {
        return;
    }
    let field = |ledger: &Ledger| {
        Fields::from([(CUSTOM.to_owned(), json!({ "surveyor_ledger": ledger.to_value() }))])
    };
    let step = Step::Change {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        before: field(before),
        after: field(&early),
        guard: false,
    };
    plan.push(Phase::Device, Credential::Materializer, step, "note what was there before");
}

/// Roll back puts them back.
fn keep_emptied(ledger: &mut Ledger, emptied: &BTreeMap<ObjectRef, Fields>) {
    for (object, fields) in emptied {
        let kept = ledger.emptied.entry(object.to_string()).or_default();
        kept.extend(fields.iter().map(|(field, value)| (field.clone(), value.clone())));
    }
}
