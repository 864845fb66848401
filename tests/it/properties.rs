//! What must hold for every network and every NetBox: nothing is planned twice, a crash changes nothing, a roll back leaves nothing,
//! and nothing of anybody else's is touched.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use surveyor::model::{FactKind, ObjectKind, ObjectRef};
use surveyor::plan::view::TAG;
use surveyor::plan::{Plan, Step, Target};

use crate::support::acts;
use crate::support::network::{Network, documents, network};
use crate::support::shown::{self, Depth};
use crate::support::world::{World, in_order};

/// NetBox takes every step of a plan: what it would refuse has to be refused while planning.
fn apply(world: &mut World, plans: &[Plan]) {
    for (plan, outcome) in plans.iter().zip(world.apply(plans)) {
        assert_eq!(outcome, None, "NetBox refuses {plan:#?}");
    }
}

fn stage(world: &mut World, network: &Network) -> Vec<Plan> {
    let plans = acts::staged(world, &network.collections()).plans;
    check(world, &plans);
    apply(world, &plans);
    plans
}

/// Applies at most so many steps, then plans anew until nothing is left.
fn with_crash(world: &mut World, at: usize, plan: impl Fn(&World) -> Vec<Plan>) {
    let plans = plan(world);
    let steps = in_order(&plans).len();
    if steps > 0 {
        world.apply_some(&plans, at % steps);
    }
    until_nothing(world, plan);
}

fn until_nothing(world: &mut World, plan: impl Fn(&World) -> Vec<Plan>) {
    for _ in 0..5 {
        let plans = plan(world);
        if plans.iter().all(Plan::is_empty) {
            return;
        }
        check(world, &plans);
        apply(world, &plans);
    }
    panic!("there is no end to planning: {:#?}", plan(world));
}

/// What no plan may do, whatever the world.
fn check(world: &World, plans: &[Plan]) {
    let view = world.view();
    let mut names = BTreeSet::new();
    for plan in plans {
        for planned in &plan.steps {
            match &planned.step {
                Step::Change { kind, target, after, .. } => {
                    assert!(!after.contains_key("status"), "changes a status: {plan:#?}");
                    let Target::Id(id) = target else { continue };
                    let object = ObjectRef::new(*kind, *id);
                    match kind {
                        ObjectKind::IpAddress => {
                            let known = view.addresses.iter().find(|known| known.id == *id).unwrap();
                            let is_ours = known.machine.is_some() && known.machine == plan.netbox;
                            assert!(known.assigned.is_none() || is_ours, "takes an address: {plan:#?}");
                        }
                        ObjectKind::Device | ObjectKind::VirtualMachine => {
                            assert!(
                                view.machine(object).unwrap().has_tag(TAG),
                                "writes to {object}: {plan:#?}"
                            );
                        }
                        ObjectKind::Interface | ObjectKind::VmInterface => {
                            let owner = view.machine(view.interface(object).unwrap().machine).unwrap();
                            assert!(owner.has_tag(TAG), "writes to {object}: {plan:#?}");
                        }
                        _ => {}
                    }
                }
                Step::Delete { object, .. } => {
                    let tagged = match object.kind {
                        ObjectKind::Device | ObjectKind::VirtualMachine => {
                            view.machine(*object).unwrap().has_tag(TAG)
                        }
                        ObjectKind::Interface | ObjectKind::VmInterface => {
                            view.interface(*object).unwrap().tags.contains(TAG)
                        }
                        ObjectKind::IpAddress => view
                            .addresses
                            .iter()
                            .any(|known| known.id == object.id && known.tags.contains(TAG)),
                        ObjectKind::Cable => view.cable(object.id).unwrap().tags.contains(TAG),
                        _ => false,
                    };
                    assert!(tagged, "deletes {object}: {plan:#?}");
                }
                Step::Create { key, kind, fields } => {
                    assert!(names.insert(key.0.clone()), "two objects are called `{}`", key.0);
                    for end in ["a_terminations", "b_terminations"] {
                        let id = fields.get(end).and_then(|end| end.get(0)?.get("object_id")?.as_i64());
                        let port =
                            id.and_then(|id| view.interface(ObjectRef::new(ObjectKind::Interface, id)));
                        assert!(port.is_none_or(|port| port.cable.is_none()), "takes a port: {plan:#?}");
                    }
                    let tags = fields.get("tags").cloned().unwrap_or_default();
                    let is_tagged = tags.as_array().is_some_and(|tags| !tags.is_empty());
                    assert!(is_tagged, "makes a {kind} without a tag: {plan:#?}");
                }
                Step::Note { .. } | Step::ReplaceFile { .. } => {}
            }
        }
    }
}

/// Everything that a person documented, unchanged but for what approval adopts.
fn foreign(world: &World) -> String {
    let mut world = world.clone();
    let ours: Vec<ObjectRef> = world
        .view
        .machines
        .iter()
        .filter(|machine| machine.has_tag(TAG))
        .map(|machine| machine.object)
        .collect();
    for object in ours {
        world.delete(object);
    }
    world.view.cables.retain(|cable| !cable.tags.contains(TAG));
    world.view.addresses.retain(|address| address.assigned.is_some());
    shown::world(&world, Depth::Substance)
}

/// Says which lines differ.
fn same(was: &str, is: &str) {
    assert!(was == is, "the worlds differ:\n{}", shown::difference(was, is));
}

/// The world without entries about what could not be done: two approvals that want the same are told so in the order in which
/// they were done, and that differs. The state and the proposal say what holds in the end.
fn without_refusals(world: &World) -> String {
    let mut is_refusal = false;
    let shown = shown::world(world, Depth::All);
    let kept = shown.lines().filter(|line| {
        if !line.starts_with(' ') {
            is_refusal = line.starts_with("journal warning");
        }
        !is_refusal
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// A case is a network's whole life: fewer of them than of others, in the same proportion where `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * 3 / 8, failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn staging_twice_plans_nothing(network in network(), documents in documents()) {
        let mut world = documents.world();
        stage(&mut world, &network);
        let again = acts::staged(&world, &network.collections()).plans;
        prop_assert!(again.is_empty(), "{again:#?}");
    }

    #[test]
    fn the_order_of_sources_changes_nothing(network in network(), documents in documents()) {
        let world = documents.world();
        let mut collections = network.collections();
        let straight = acts::staged(&world, &collections).plans;
        collections.reverse();
        for collection in &mut collections {
            collection.facts.reverse();
        }
        let reversed = acts::staged(&world, &collections).plans;
        prop_assert_eq!(json!(straight), json!(reversed));
    }

    #[test]
    fn a_crash_while_staging_changes_nothing(network in network(), documents in documents(), at in 0..60_usize) {
        let mut whole = documents.world();
        let mut cut = whole.clone();
        stage(&mut whole, &network);
        with_crash(&mut cut, at, |world| acts::staged(world, &network.collections()).plans);
        same(&shown::world(&whole, Depth::All), &shown::world(&cut, Depth::All));
    }

    #[test]
    fn a_crash_while_updating_changes_nothing(
        first in network(), second in network(), documents in documents(), at in 0..60_usize
    ) {
        let mut whole = documents.world();
        stage(&mut whole, &first);
        let mut cut = whole.clone();
        let plan = |world: &World| acts::staged(world, &second.collections()).plans;
        until_nothing(&mut whole, plan);
        with_crash(&mut cut, at, plan);
        same(&shown::world(&whole, Depth::All), &shown::world(&cut, Depth::All));
    }

    #[test]
    fn a_crash_while_approving_changes_nothing(network in network(), documents in documents(), at in 0..60_usize) {
        let mut whole = documents.world();
        stage(&mut whole, &network);
        acts::approve_all(&mut whole);
        let mut cut = whole.clone();
        until_nothing(&mut whole, acts::decided);
        with_crash(&mut cut, at, acts::decided);
        same(&without_refusals(&whole), &without_refusals(&cut));
    }

    #[test]
    fn an_approval_rolled_back_leaves_nothing(network in network(), documents in documents(), at in 0..60_usize) {
        let mut world = documents.world();
        let others = foreign(&world);
        stage(&mut world, &network);
        acts::approve_all(&mut world);
        let before = shown::world(&world, Depth::Substance);
        until_nothing(&mut world, acts::decided);
        same(&others, &foreign(&world));
        with_crash(&mut world, at, acts::undone);
        same(&before, &shown::world(&world, Depth::Substance));
        prop_assert!(acts::undone(&world).iter().all(Plan::is_empty));
        prop_assert!(acts::decided(&world).is_empty(), "what was rolled back stays so");
    }

    #[test]
    fn what_a_person_cleared_stays_cleared(first in network(), second in network(), documents in documents()) {
        let mut world = documents.world();
        stage(&mut world, &first);
        for machine in world.view.machines.iter_mut().filter(|machine| machine.status == "staged") {
            let ours = machine.ours.as_mut().unwrap();
            (ours.switch, ours.port, ours.addresses, ours.dns_name) = (None, None, None, None);
        }
        let had: BTreeSet<ObjectRef> = world.view.machines.iter().filter_map(|machine| {
            let ledger = machine.ours.as_ref()?.ledger.as_ref()?;
            let wrote = |field: &str| ledger["values"].get(field).is_some_and(|value| !value.is_null());
            wrote("port").then_some(machine.object)
        }).collect();
        until_nothing(&mut world, |world| acts::staged(world, &second.collections()).plans);
        for machine in world.view.machines.iter().filter(|machine| had.contains(&machine.object)) {
            let ours = machine.ours.as_ref().unwrap();
            prop_assert_eq!((&ours.switch, &ours.port), (&None, &None));
        }
    }

    #[test]
    fn a_gap_changes_no_proposal(first in network(), second in network(), documents in documents()) {
        let mut world = documents.world();
        stage(&mut world, &first);
        let mut silent = second.collections();
        for collection in &mut silent {
            collection.gap(FactKind::All, "no answer within 10 s");
        }
        for plan in acts::staged(&world, &silent).plans {
            let is_new = plan.netbox.is_none() && !plan.steps.iter().any(|planned| {
                matches!(planned.step, Step::Change { target: Target::Id(_), .. } | Step::Delete { .. })
            });
            prop_assert!(is_new, "{plan:#?}");
        }
    }

    #[test]
    fn a_hash_says_what_is_done_and_not_when(network in network(), documents in documents()) {
        let mut world = documents.world();
        let hashes = |world: &World| -> Vec<String> {
            acts::staged(world, &network.collections()).plans.iter().map(Plan::hash).collect()
        };
        let first = hashes(&world);
        world.now = world.now.plus_millis(86_400_000);
        for kind in [ObjectKind::Device, ObjectKind::Interface] {
            // Other objects were made meanwhile: new ones get other ids.
            *world.next.entry(kind).or_default() += 1000;
        }
        prop_assert_eq!(&first, &hashes(&world));
        stage(&mut world, &network);
        acts::approve_all(&mut world);
        let approvals = |world: &World| acts::decided(world).iter().map(Plan::hash).collect::<Vec<_>>();
        let first = approvals(&world);
        world.now = world.now.plus_millis(60_000);
        prop_assert_eq!(first, approvals(&world));
    }
}
