//! Rolling back: everything that an approval made is removed, what it changed is put back, and nothing else is touched.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ledger::Ledger;
use super::materialize::{change_custom, title_identity};
use super::view::{Address, Cable, Machine, TAG};
use super::{Cause, Credential, Fields, Level, Phase, Plan, Step, Target, View};
use crate::model::name::escape_markdown;
use crate::model::{ObjectKind, ObjectRef, Timestamp};

/// Plans the inverse of an approval from the ledger, and from what carries the tag where an approval was cut short.
pub fn rollback(machine: &Machine, view: &View, now: Timestamp) -> Plan {
    let mut plan = Plan::new(title_identity(machine), machine.title(), Cause::Rollback);
    plan.netbox = Some(machine.object);
    let Some(ours) = &machine.ours else { return plan };
    let ledger = Ledger::read(ours.ledger.as_ref());
    let interfaces: BTreeSet<(String, i64)> = view
        .interfaces_of(machine.object)
        .map(|interface| (interface.object.kind.content_type().to_owned(), interface.object.id))
        .collect();
    let made =
        |kind: ObjectKind, id: i64| ledger.made.iter().any(|made| made.kind == kind && made.id == json!(id));
    let tagged = || Fields::from([("tags".to_owned(), json!([{ "slug": TAG }]))]);
    // What is staged again belongs to the stager; cables and addresses never do.
    let credential =
        if machine.status == view.defaults.staged { Credential::Stager } else { Credential::Materializer };

    for cable in &view.cables {
        // A link between switches was approved as a cable of its own; a cable whose A end is elsewhere is another host's.
        let is_own = cable.ours.id.is_none() && cable.a.iter().any(|end| interfaces.contains(end));
        if cable.tags.contains(TAG) && (made(ObjectKind::Cable, cable.id) || is_own) {
            let object = ObjectRef::new(ObjectKind::Cable, cable.id);
            let step = Step::Delete { object, guard: tagged() };
            plan.push(Phase::Uncable, Credential::Materializer, step, words(cable, view));
        }
    }
    let mut freed = Vec::new();
    for address in &view.addresses {
        let was_there = ledger.changed.iter().any(|changed| changed.id == address.id);
        let is_here = address.assigned.as_ref().is_some_and(|end| interfaces.contains(end));
        let is_loose = address.assigned.is_none() && made(ObjectKind::IpAddress, address.id);
        if address.tags.contains(TAG) && !was_there && (is_here || is_loose) {
            let object = ObjectRef::new(ObjectKind::IpAddress, address.id);
            let step = Step::Delete { object, guard: tagged() };
            plan.push(
                Phase::RemoveAddress,
                Credential::Materializer,
                step,
                format!("IP address {}", address.address),
            );
            freed.push(address.id);
        }
    }
    for changed in &ledger.changed {
        let Some(address) = view.addresses.iter().find(|address| address.id == changed.id) else { continue };
        if !address.assigned.as_ref().is_some_and(|end| interfaces.contains(end)) {
            continue;
        }
        let mut after = changed.before.clone();
        // Only our tag goes: a person may have set others since.
        let had_tag = slugs(changed.before.get("tags")).contains(TAG);
        let tags = address.tags.iter().filter(|slug| had_tag || *slug != TAG);
        after.insert("tags".to_owned(), tags.map(|slug| json!({ "slug": slug })).collect());
        if changed.after.get("dns_name").is_some_and(|name| *name != json!(address.dns_name)) {
            after.remove("dns_name");
        }
        let step = Step::Change {
            kind: changed.kind,
            target: Target::Id(changed.id),
            before: present(address, &after),
            after,
            guard: true,
        };
        plan.push(
            Phase::RemoveAddress,
            Credential::Materializer,
            step,
            format!("IP address {} as it was before", address.address),
        );
        freed.push(address.id);
    }
    let primaries = [("primary_ip4", machine.primary_ip4), ("primary_ip6", machine.primary_ip6)];
    let unset: Vec<(&str, i64)> = primaries
        .into_iter()
        .filter_map(|(field, present)| Some((field, present.filter(|primary| freed.contains(primary))?)))
        .collect();
    if !unset.is_empty() {
        let step = Step::Change {
            kind: machine.object.kind,
            target: Target::Id(machine.object.id),
            before: unset.iter().map(|(field, primary)| ((*field).to_owned(), json!(primary))).collect(),
            after: unset.iter().map(|(field, _)| ((*field).to_owned(), Value::Null)).collect(),
            guard: true,
        };
        let fields: Vec<&str> = unset.iter().map(|(field, _)| *field).collect();
        plan.push(Phase::Unset, credential, step, format!("no {}", fields.join(", no ")));
    }
    for interface in view.interfaces_of(machine.object) {
        let is_made =
            made(interface.object.kind, interface.object.id) || ledger.making.contains(&interface.name);
        if is_made && interface.tags.contains(TAG) {
            let step = Step::Delete { object: interface.object, guard: tagged() };
            let label = format!("interface {}", escape_markdown(&interface.name, 64));
            plan.push(Phase::RemoveInterface, credential, step, label);
        }
    }
    finish(machine, ledger, credential, &mut plan, view, now);
    plan
}

/// A cable by its ends.
fn words(cable: &Cable, view: &View) -> String {
    let ends = cable.a.iter().chain(&cable.b).filter_map(|(_, id)| {
        let interface = view.interface(ObjectRef::new(ObjectKind::Interface, *id))?;
        let machine = view.machine(interface.machine).map(Machine::title).unwrap_or_default();
        Some(format!("{} {}", escape_markdown(&machine, 64), escape_markdown(&interface.name, 64)))
    });
    let ends: Vec<String> = ends.collect();
    if ends.is_empty() { format!("cable #{}", cable.id) } else { format!("cable {}", ends.join(" - ")) }
}

/// What the fields that are put back say now.
fn present(address: &Address, after: &Fields) -> Fields {
    let assigned = address.assigned.as_ref();
    let all = Fields::from([
        ("assigned_object_type".to_owned(), json!(assigned.map(|end| &end.0))),
        ("assigned_object_id".to_owned(), json!(assigned.map(|end| end.1))),
        ("dns_name".to_owned(), json!(address.dns_name)),
        ("tags".to_owned(), address.tags.iter().map(|slug| json!({ "slug": slug })).collect()),
    ]);
    all.into_iter().filter(|(name, _)| after.contains_key(name)).collect()
}

fn slugs(tags: Option<&Value>) -> BTreeSet<&str> {
    let tags = tags.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    tags.iter().filter_map(|tag| tag.get("slug")?.as_str()).collect()
}

fn finish(
    machine: &Machine,
    mut ledger: Ledger,
    credential: Credential,
    plan: &mut Plan,
    view: &View,
    now: Timestamp,
) {
    let Some(ours) = &machine.ours else { return };
    let is_done =
        ours.state.as_deref() == Some("rolled-back") && ours.decision.as_deref().is_none_or(str::is_empty);
    if plan.steps.is_empty() && is_done {
        return;
    }
    let emptied = std::mem::take(&mut ledger.emptied);
    ledger.made.clear();
    ledger.making.clear();
    ledger.changed.clear();
    ledger.refused.clear();
    ledger.round += 1;
    let mut lines = vec!["**Rolled back.** Removed or put back:\n".to_owned()];
    lines.extend(plan.steps.iter().map(|step| format!("- {}", step.label)));
    lines.push("\nIt stays so until the decision `accept` is set, or the status goes through `staged` to `active` again.".to_owned());
    lines.push(format!("\nAt {now}"));
    let step = Step::Note {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        key: format!("{}|rollback|{}", title_identity(machine), ledger.round),
        level: Level::Warning,
        text: lines.join("\n"),
    };
    plan.push(Phase::Journal, Credential::Materializer, step, "journal entry: rolled back");
    for (object, fields) in &emptied {
        if *object == machine.object.to_string() {
            continue;
        }
        let interface =
            view.interfaces_of(machine.object).find(|interface| interface.object.to_string() == *object);
        if let Some(interface) = interface {
            let custom = restored(fields);
            let step = change_custom(interface.object, &interface.ours, custom);
            plan.push(Phase::Proposal, credential, step, "proposal fields restored");
        }
    }
    let mut custom = emptied.get(&machine.object.to_string()).map(restored).unwrap_or_default();
    custom.insert("surveyor_state".to_owned(), json!("rolled-back"));
    custom.insert("surveyor_decision".to_owned(), Value::Null);
    custom.insert("surveyor_proposal".to_owned(), json!("**rolled back**: nothing of it is applied"));
    custom.insert("surveyor_ledger".to_owned(), ledger.to_value());
    let step = change_custom(machine.object, ours, custom);
    plan.push(Phase::State, credential, step, "state rolled-back");
}

fn restored(fields: &Fields) -> serde_json::Map<String, Value> {
    fields.iter().map(|(field, value)| (format!("surveyor_{field}"), value.clone())).collect()
}
