//! Rolling back: everything that an approval made is removed, what it changed is put back, and nothing else is touched.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ledger::Ledger;
use super::materialize::{push_state, title_identity};
use super::view::{Machine, TAG};
use super::{Cause, Credential, Fields, Level, Phase, Plan, Step, Target, View};
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

    for cable in &view.cables {
        // A link between switches was approved as a cable of its own; a cable whose A end is elsewhere is another host's.
        let is_own = cable.ours.id.is_none() && cable.a.iter().any(|end| interfaces.contains(end));
        if cable.tags.contains(TAG) && (made(ObjectKind::Cable, cable.id) || is_own) {
            let object = ObjectRef::new(ObjectKind::Cable, cable.id);
            let step = Step::Delete { object, guard: tagged() };
            plan.push(Phase::Uncable, Credential::Materializer, step, format!("cable #{}", cable.id));
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
        if changed.after.get("dns_name").is_some_and(|name| *name != json!(address.dns_name)) {
            after.remove("dns_name");
        }
        let step = Step::Change {
            kind: changed.kind,
            target: Target::Id(changed.id),
            before: Fields::new(),
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
    for (field, present) in [("primary_ip4", machine.primary_ip4), ("primary_ip6", machine.primary_ip6)] {
        if let Some(primary) = present.filter(|primary| freed.contains(primary)) {
            let step = Step::Change {
                kind: machine.object.kind,
                target: Target::Id(machine.object.id),
                before: Fields::from([(field.to_owned(), json!(primary))]),
                after: Fields::from([(field.to_owned(), Value::Null)]),
                guard: true,
            };
            plan.push(Phase::Unset, Credential::Materializer, step, format!("no {field}"));
        }
    }
    for made in
        ledger.made.iter().filter(|made| matches!(made.kind, ObjectKind::Interface | ObjectKind::VmInterface))
    {
        let Some(id) = made.id.as_i64() else { continue };
        let object = ObjectRef::new(made.kind, id);
        if view.interface(object).is_some_and(|interface| interface.tags.contains(TAG)) {
            let step = Step::Delete { object, guard: tagged() };
            plan.push(Phase::RemoveInterface, Credential::Materializer, step, format!("interface #{id}"));
        }
    }
    finish(machine, ledger, &mut plan, view, now);
    plan
}

fn finish(machine: &Machine, mut ledger: Ledger, plan: &mut Plan, view: &View, now: Timestamp) {
    let Some(ours) = &machine.ours else { return };
    let is_done =
        ours.state.as_deref() == Some("rolled-back") && ours.decision.as_deref().is_none_or(str::is_empty);
    if plan.steps.is_empty() && is_done {
        return;
    }
    let emptied = std::mem::take(&mut ledger.emptied);
    ledger.made.clear();
    ledger.changed.clear();
    ledger.refused.clear();
    ledger.round += 1;
    let mut lines = vec!["**Rolled back.** Removed or put back:".to_owned()];
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
            push_state(interface.object, &interface.ours, restored(fields), plan, "proposal fields restored");
        }
    }
    let mut custom = emptied.get(&machine.object.to_string()).map(restored).unwrap_or_default();
    custom.insert("surveyor_state".to_owned(), json!("rolled-back"));
    custom.insert("surveyor_decision".to_owned(), Value::Null);
    custom.insert("surveyor_proposal".to_owned(), json!("**rolled back**: nothing of it is applied"));
    custom.insert("surveyor_ledger".to_owned(), ledger.to_value());
    push_state(machine.object, ours, custom, plan, "state rolled-back");
}

fn restored(fields: &Fields) -> serde_json::Map<String, Value> {
    fields.iter().map(|(field, value)| (format!("surveyor_{field}"), value.clone())).collect()
}
