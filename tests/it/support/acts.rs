//! What happens to a world, as `serve` and people do it: discovering, staging, deciding, sweeping.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use surveyor::model::{Collection, Discovery, ObjectKind, ObjectRef};
use surveyor::plan::materialize::{self, materialize};
use surveyor::plan::rollback::rollback;
use surveyor::plan::stage::{Context, Policy, Staging, stage};
use surveyor::plan::view::{Machine, TAG};
use surveyor::plan::{Fields, Plan, clash, reject};
use surveyor::worker::{self, Discovered};

use super::world::{Outcome, World};

/// What sources and NetBox together say.
pub(crate) fn discover(world: &World, collections: &[Collection]) -> Discovery {
    discovered(world, collections).discovery
}

fn discovered(world: &World, collections: &[Collection]) -> Discovered {
    let view = world.view();
    let mut known = worker::known(&view, false);
    let mut discovery = worker::correlate(collections, &known);
    known.uplinks = worker::uplinks(&worker::devices(&discovery, &view), &view);
    if !known.uplinks.is_empty() {
        discovery = worker::correlate(collections, &known);
    }
    Discovered { discovery, view, known }
}

/// What would be proposed.
pub(crate) fn staging(world: &World, discovery: &Discovery) -> Staging {
    let policy = Policy::default();
    let open_steps = world.open_steps();
    let view = world.view();
    stage(
        discovery,
        &Context {
            view: &view,
            policy: &policy,
            now: world.now,
            open_steps: &open_steps,
            explanations: &BTreeMap::new(),
        },
    )
}

/// Discovers and plans, with the reasoning.
pub(crate) fn staged(world: &World, collections: &[Collection]) -> Staging {
    let found = discovered(world, collections);
    let policy = Policy::default();
    let open_steps = world.open_steps();
    let context = Context {
        view: &found.view,
        policy: &policy,
        now: world.now,
        open_steps: &open_steps,
        explanations: &BTreeMap::new(),
    };
    worker::plan(collections, &found, &context)
}

/// What people decided and is not done yet, as one look of the worker plans it: plans that want the same thing wait.
pub(crate) fn decided(world: &World) -> Vec<Plan> {
    let view = world.view();
    let seen = BTreeMap::new();
    let context = materialize::Context { view: &view, now: world.now, seen: &seen, foreign: &[] };
    let mut plans = Vec::new();
    for machine in view.machines.iter().filter(|machine| machine.has_tag(TAG)) {
        let Some(ours) = &machine.ours else { continue };
        let state = ours.state.as_deref().unwrap_or_default();
        match (ours.decision.as_deref().unwrap_or_default(), machine.status == view.defaults.staged) {
            ("reject" | "ignore", true) => plans.push(reject::reject(machine, "alice", &view, world.now)),
            ("undo", false) => plans.push(rollback(machine, &view, world.now)),
            (_, true) => {}
            (decision, false) => {
                let is_open = !matches!(state, "applied" | "rolled-back" | "retired" | "drifted" | "stale");
                if machine.status == "active" && ours.id.is_some() && (is_open || decision == "accept") {
                    plans.push(materialize(machine, &context));
                }
            }
        }
    }
    for cable in view.cables.iter().filter(|cable| cable.tags.contains(TAG) && cable.ours.id.is_some()) {
        if cable.status == "planned" && matches!(cable.ours.decision.as_deref(), Some("reject" | "ignore")) {
            plans.push(reject::reject_cable(cable, "alice", &view, world.now));
        }
    }
    plans.extend(reject::half_cables(&view));
    clash::put_off(&mut plans);
    plans.retain(|plan| !plan.is_empty());
    plans
}

/// Makes decisions true until nothing is left to do.
pub(crate) fn sweep(world: &mut World) -> Vec<(Plan, Outcome)> {
    let mut done = Vec::new();
    for _ in 0..4 {
        let plans = decided(world);
        if plans.is_empty() {
            break;
        }
        let outcomes = world.apply(&plans);
        done.extend(plans.into_iter().zip(outcomes));
    }
    done
}

/// The roll back of every approved object.
pub(crate) fn undone(world: &World) -> Vec<Plan> {
    let view = world.view();
    let approved = |machine: &&Machine| machine.has_tag(TAG) && machine.status == "active";
    view.machines.iter().filter(approved).map(|machine| rollback(machine, &view, world.now)).collect()
}

/// A person approves every proposal.
pub(crate) fn approve_all(world: &mut World) {
    for machine in world.view.machines.iter_mut().filter(|machine| machine.status == "staged") {
        "active".clone_into(&mut machine.status);
    }
}

/// A person's act, as a line says it:
///
/// - `approve NAME`, `status NAME STATUS`, `delete NAME`
/// - `set NAME|NAME/INTERFACE FIELD JSON` (a custom field without its prefix, or `name`)
/// - `document KIND JSON` (a person documents something)
/// - `forget` (a person deletes the tombstones)
/// - `later DAYS`
pub(crate) fn act(world: &mut World, line: &str) {
    let words: Vec<&str> = line.splitn(4, ' ').collect();
    match words.as_slice() {
        ["approve", name] => machine(world, name).status = "active".to_owned(),
        ["status", name, status] => machine(world, name).status = (*status).to_owned(),
        ["delete", name] => {
            let object = machine(world, name).object;
            world.delete(object);
        }
        ["set", name, field, value] => {
            let value: Value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{line}: {error}"));
            let object = object(world, name);
            let after = if *field == "name" {
                Fields::from([("name".to_owned(), value)])
            } else {
                Fields::from([("custom_fields".to_owned(), json!({ format!("surveyor_{field}"): value }))])
            };
            world.change(object, &after).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        ["document", kind, ..] => {
            let fields = line.splitn(3, ' ').nth(2).unwrap();
            let kind = ObjectKind::from_content_type(kind).unwrap_or_else(|| panic!("{line}: no such kind"));
            world.document(
                kind,
                serde_json::from_str(fields).unwrap_or_else(|error| panic!("{line}: {error}")),
            );
        }
        ["forget"] => world.view.tombstones.clear(),
        ["later", days] => world.now = world.now.plus_millis(days.parse::<i64>().unwrap() * 24 * 3_600_000),
        _ => panic!("nobody can do this: {line}"),
    }
}

fn machine<'a>(world: &'a mut World, name: &str) -> &'a mut Machine {
    let found = world.view.machines.iter_mut().find(|machine| machine.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("there is no `{name}`"))
}

fn object(world: &mut World, name: &str) -> ObjectRef {
    let (owner, interface) = name.split_once('/').map_or((name, None), |(owner, port)| (owner, Some(port)));
    let owner = machine(world, owner).object;
    let Some(interface) = interface else { return owner };
    let found = world.view.interfaces.iter().find(|known| known.machine == owner && known.name == interface);
    found.unwrap_or_else(|| panic!("there is no `{name}`")).object
}
