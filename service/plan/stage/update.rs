//! A candidate that is already proposed: only what changed, and never what a person set.
//!
//! The ledger is written last: until then the claim counts as changed, so that a run that was cut short is planned again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::claim::claim_hash;
use super::matching::kind_of;
use super::{Context, Devices, Names, create, proposal};
use crate::model::{Candidate, ObjectKind, ObjectRef, SourceName};
use crate::plan::ledger::Ledger;
use crate::plan::view::{Interface, Machine, Ours, TAG};
use crate::plan::{Cause, Credential, Fields, Phase, Plan, Step, Target, View};

/// Proposal fields of a machine; the first three are on its interfaces where it has several.
const FIELDS: [&str; 4] = ["switch", "port", "addresses", "dns_name"];

/// Whether the proposal rests on a source that could not be read this time: then what is missing now means nothing.
pub(super) fn rests_on(machine: &Machine, silent: &BTreeSet<&SourceName>) -> bool {
    let ledger = Ledger::read(machine.ours.as_ref().and_then(|ours| ours.ledger.as_ref()));
    ledger.sources.iter().any(|source| silent.iter().any(|name| name.as_str() == source))
}

/// Plans what a staged object lacks. While it `is_held`, its claim stays as it is and only an interrupted run is finished.
pub(super) fn plan(
    candidate: &Candidate,
    machine: &Machine,
    devices: &Devices,
    names: &mut Names,
    context: &Context<'_>,
    is_held: bool,
) -> Plan {
    let view = context.view;
    let mut plan = Plan::new(candidate.identity.as_str(), machine.title(), Cause::Stage);
    plan.netbox = Some(machine.object);
    let Some(ours) = &machine.ours else { return plan };
    let kind = machine.object.kind;
    if kind != kind_of(candidate) {
        return plan;
    }
    let ledger = Ledger::read(ours.ledger.as_ref());
    let claim = claim_hash(candidate);
    let changed = claim != ledger.claim && !is_held;
    let has_interfaces = view.interfaces_of(machine.object).next().is_some();
    if !changed && context.open_steps.is_empty() && has_interfaces {
        return plan; // The common case: what was proposed is what is there.
    }
    let last = state_step(machine.object, Fields::new(), Map::new());
    let is_resumed = context.open_steps.contains(&last.name());
    let naming = if changed {
        push_name(&mut plan, candidate, machine, &ledger, names, view, is_resumed)
    } else {
        Naming::Kept { wish_fails: names.wish_fails(candidate, machine.object, view) }
    };
    let renamed = matches!(naming, Naming::Ours { wish_fails: true } | Naming::Kept { wish_fails: true });
    let name = plan.title.clone();
    let desired = create::desired(candidate, devices, context, renamed, Some(machine.object));
    push_missing_interfaces(&mut plan, candidate, machine, &desired, changed, context);

    let mut decisions = Decisions {
        ledger: &ledger,
        next: create::ledger(candidate, &name, &desired),
        shown: desired.clone(),
        is_resumed,
    };
    let on_interfaces = interface_changes(machine, &desired, &mut decisions, view);
    let mut custom = Map::new();
    let fields = FIELDS.iter().map(|field| (*field).to_owned()).chain(desired.machine.keys().cloned());
    for field in fields.collect::<BTreeSet<String>>() {
        let wanted = desired.machine.get(&field).cloned().unwrap_or(Value::Null);
        let value = decisions.decide(&field, field.clone(), &wanted, &current(ours, &field), &mut custom);
        set(&mut decisions.shown.machine, &field, value);
    }
    let Decisions { mut next, shown, .. } = decisions;

    let note_key = format!("{}|claim|{claim}", candidate.identity);
    if changed {
        for (interface, custom) in on_interfaces {
            let label = format!("proposal of {}", interface.name);
            let before = Fields::from([(CUSTOM.to_owned(), before(&interface.ours, &custom))]);
            plan.push(
                Phase::Attributes,
                Credential::Stager,
                state_step(interface.object, before, custom),
                label,
            );
        }
        let text = proposal::proposal(candidate, &name, &shown, view, &plan.refused);
        push_note(&mut plan, candidate, machine.object, &text, context);
        next.round = ledger.round;
        if let (Naming::Kept { .. }, Some(written)) = (naming, ledger.values.get("name")) {
            next.values.insert("name".to_owned(), written.clone());
        }
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
        let before = Fields::from([(CUSTOM.to_owned(), before(ours, &custom))]);
        let step = state_step(machine.object, before, custom);
        plan.push(Phase::State, Credential::Stager, step, format!("proposal of `{name}`"));
    } else if claim == ledger.claim && context.open_steps.contains(&format!("note {note_key}")) {
        // An interrupted run owes it: the claim is the one that the proposal shows.
        push_note(
            &mut plan,
            candidate,
            machine.object,
            ours.proposal.as_deref().unwrap_or_default(),
            context,
        );
    }
    plan
}

const CUSTOM: &str = "custom_fields";

/// Writes custom fields; the last step of a changed claim is one.
fn state_step(object: ObjectRef, before: Fields, custom: Map<String, Value>) -> Step {
    let after = Fields::from([(CUSTOM.to_owned(), Value::Object(custom))]);
    Step::Change { kind: object.kind, target: Target::Id(object.id), before, after, guard: false }
}

fn push_note(plan: &mut Plan, candidate: &Candidate, object: ObjectRef, text: &str, context: &Context<'_>) {
    let note = context.note(candidate, text);
    create::push_note(plan, candidate, object.kind, Target::Id(object.id), note);
}

fn set(values: &mut BTreeMap<String, Value>, field: &str, value: Value) {
    if value.is_null() {
        values.remove(field);
    } else {
        values.insert(field.to_owned(), value);
    }
}

/// Whose the name is, and whether the candidate could not have the one it goes by.
enum Naming {
    Ours { wish_fails: bool },
    Kept { wish_fails: bool },
}

/// The name follows the evidence as long as it is the one that was written last.
fn push_name(
    plan: &mut Plan,
    candidate: &Candidate,
    machine: &Machine,
    ledger: &Ledger,
    names: &mut Names,
    view: &View,
    is_resumed: bool,
) -> Naming {
    let present = machine.title();
    let is_written = ledger.values.get("name") == Some(&json!(present));
    if !is_written && !is_resumed {
        return Naming::Kept { wish_fails: names.wish_fails(candidate, machine.object, view) };
    }
    let (name, problem) = names.choose(candidate, Some(machine.object), view);
    let wish_fails = problem.is_some();
    if !is_written && name != present {
        return Naming::Kept { wish_fails };
    }
    if let Some((refusal, reason)) = problem {
        plan.refuse(refusal, reason);
    }
    if name != present {
        let field = |name: &str| Fields::from([("name".to_owned(), json!(name))]);
        let step = Step::Change {
            kind: machine.object.kind,
            target: Target::Id(machine.object.id),
            before: field(&present),
            after: field(&name),
            guard: true,
        };
        plan.push(Phase::Attributes, Credential::Stager, step, format!("name `{name}`, was `{present}`"));
        plan.title = name;
    }
    Naming::Ours { wish_fails }
}

/// Interfaces and MAC addresses: those of a changed claim, and those that an interrupted run did not get to.
fn push_missing_interfaces(
    plan: &mut Plan,
    candidate: &Candidate,
    machine: &Machine,
    desired: &create::Desired,
    changed: bool,
    context: &Context<'_>,
) {
    let view = context.view;
    let kind = machine.object.kind;
    let has_none = view.interfaces_of(machine.object).next().is_none();
    let is_open = |step: &Step| context.open_steps.contains(&step.name());
    for interface in &desired.interfaces {
        let Some(known) = interface.known else {
            let mut probe = Plan::new(plan.object.clone(), plan.title.clone(), Cause::Stage);
            let target = Target::Id(machine.object.id);
            create::push_interface_on(&mut probe, candidate, &target, kind, interface, view, &plan.title);
            if changed || has_none || probe.steps.first().is_some_and(|step| is_open(&step.step)) {
                plan.steps.append(&mut probe.steps);
            }
            continue;
        };
        let Some(mac) = interface.mac else { continue };
        let key = create::interface_key(known.kind, candidate.identity.as_str(), &interface.name);
        let [_, first] = create::mac_steps(known.kind, &key, &Target::New(key.clone()), mac);
        let [made, primary] = create::mac_steps(known.kind, &key, &Target::Id(known.id), mac);
        let has_primary = view.interface(known).is_some_and(|interface| interface.mac.is_some());
        let there = view.macs_on(known).find(|there| there.mac == mac);
        match there {
            None if changed || is_open(&made) => {
                create::push_mac(plan, made, mac);
                if !has_primary {
                    create::push_primary_mac(plan, primary, &interface.name);
                }
            }
            Some(there) if !has_primary && (is_open(&first) || is_open(&primary)) => {
                let Step::Change { kind, target, before, mut after, guard } = primary else { continue };
                for value in after.values_mut() {
                    *value = json!(there.id);
                }
                let primary = Step::Change { kind, target, before, after, guard };
                create::push_primary_mac(plan, primary, &interface.name);
            }
            _ => {}
        }
    }
}

/// A host that turned out to be a guest (or the other way round): the staged object is replaced. What a person chose goes along.
pub(super) fn replace(
    candidate: &Candidate,
    machine: &Machine,
    devices: &mut Devices,
    names: &mut Names,
    context: &Context<'_>,
) -> Plan {
    let mut plan = create::plan(candidate, &super::Found::Nothing, devices, names, context);
    keep_choices(&mut plan, machine);
    let guard = Fields::from([
        ("status".to_owned(), json!(context.view.defaults.staged)),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    let step = Step::Delete { object: machine.object, guard };
    let label = format!("{} `{}`: it is a {}", machine.object.kind, machine.title(), kind_of(candidate));
    plan.push(Phase::Remove, Credential::Stager, step, label);
    plan
}

/// Values that are not what was last written, on the object that takes the place of this one.
fn keep_choices(plan: &mut Plan, machine: &Machine) {
    let Some(ours) = &machine.ours else { return };
    let ledger = Ledger::read(ours.ledger.as_ref());
    let created = plan.steps.iter_mut().find_map(|planned| match &mut planned.step {
        Step::Create { kind: ObjectKind::Device | ObjectKind::VirtualMachine, fields, .. } => Some(fields),
        _ => None,
    });
    let Some(Value::Object(custom)) = created.and_then(|fields| fields.get_mut("custom_fields")) else {
        return;
    };
    for field in ["dns_name", "class", "snooze_until"] {
        let present = current(ours, field);
        let written = ledger.values.get(field).cloned().unwrap_or(Value::Null);
        if !is_same(&present, &written) {
            custom.insert(format!("surveyor_{field}"), present);
        }
    }
}

/// What becomes of each field: written, or left to a person.
struct Decisions<'a> {
    ledger: &'a Ledger,
    next: Ledger,
    /// What the fields say afterwards.
    shown: create::Desired,
    /// A run that wrote fields was interrupted before it wrote the ledger.
    is_resumed: bool,
}

impl Decisions<'_> {
    /// Writes a field unless a person changed it since we last wrote it; what it says afterwards.
    fn decide(
        &mut self,
        field: &str,
        ledger_name: String,
        wanted: &Value,
        current: &Value,
        custom: &mut Map<String, Value>,
    ) -> Value {
        let written = self.ledger.values.get(&ledger_name).cloned().unwrap_or(Value::Null);
        let is_ours = is_same(current, &written) || (self.is_resumed && is_same(current, wanted));
        if is_ours {
            if !is_same(current, wanted) {
                custom.insert(format!("surveyor_{field}"), wanted.clone());
            }
            return wanted.clone();
        }
        // A person's value stays; what we last wrote stays on record, so that it goes on counting as theirs.
        self.next.values.insert(ledger_name, written);
        current.clone()
    }
}

/// Whether two values say the same. A form sends line breaks as CR LF and cuts blanks at the end, whatever was edited in it.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => {
            a.trim_end().lines().map(str::trim_end).eq(b.trim_end().lines().map(str::trim_end))
        }
        _ => a == b,
    }
}

/// Proposal fields on interfaces: of those seen, and of those that were written earlier.
fn interface_changes<'a>(
    machine: &Machine,
    desired: &create::Desired,
    decisions: &mut Decisions<'_>,
    view: &'a View,
) -> Vec<(&'a Interface, Map<String, Value>)> {
    let mut changes = Vec::new();
    for known in view.interfaces_of(machine.object) {
        let position = desired.interfaces.iter().position(|wanted| wanted.known == Some(known.object));
        let wanted = position.and_then(|position| desired.interfaces.get(position));
        let mut custom = Map::new();
        for field in &FIELDS[..3] {
            let name = ledger_name(known, wanted, field);
            let value = wanted.and_then(|wanted| wanted.values.get(*field)).cloned().unwrap_or(Value::Null);
            let value = decisions.decide(field, name, &value, &current(&known.ours, field), &mut custom);
            if let Some(shown) = position.and_then(|position| decisions.shown.interfaces.get_mut(position)) {
                set(&mut shown.values, field, value);
            }
        }
        if !custom.is_empty() {
            changes.push((known, custom));
        }
    }
    changes
}

fn ledger_name(known: &Interface, wanted: Option<&create::DesiredInterface>, field: &str) -> String {
    match wanted {
        Some(wanted) => wanted.ledger_name(field),
        None => create::ledger_name(known.mac, &known.name, field),
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
pub(crate) fn before(ours: &Ours, custom: &Map<String, Value>) -> Value {
    let values: BTreeMap<String, Value> = custom
        .keys()
        .map(|name| (name.clone(), current(ours, name.strip_prefix("surveyor_").unwrap_or(name))))
        .collect();
    json!(values)
}
