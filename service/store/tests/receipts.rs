//! Receipts: intent before effect, and nothing done is ever undone by a late word.

use std::time::{Duration, Instant};

use super::{Ground, NOW, stories};
use crate::store::{NewPlan, PlannedStep, ReceiptRow, ReceiptState, Settlement, Store};

stories!(
    a_plan_goes_from_planned_to_done,
    a_hundred_plans_are_one_quick_transaction,
    what_is_done_stays_done,
    only_steps_that_may_be_sent_are_intended,
    unsettled_steps_are_found_by_object,
    a_newer_plan_drops_what_the_older_had_not_begun,
    the_same_plan_planned_again_drops_its_older_rows,
    the_note_of_a_plan_that_began_is_owed,
    planning_twice_at_once_is_the_same_rows,
    parallel_plans_do_not_disturb_each_other,
);

fn step(seq: i64, verb: &str) -> PlannedStep {
    PlannedStep {
        step: format!("{verb} {seq}"),
        seq,
        verb: verb.to_owned(),
        kind: "ipam.ipaddress".to_owned(),
        credential: "materializer".to_owned(),
        request: r#"{"address":"192.0.2.10/24"}"#.to_owned(),
        before: (verb == "change").then(|| r#"{"address":""}"#.to_owned()),
    }
}

fn plan(name: &str, object: &str) -> NewPlan {
    NewPlan {
        plan: name.to_owned(),
        object: object.to_owned(),
        steps: vec![step(0, "create"), step(1, "change"), step(2, "change"), step(3, "note")],
    }
}

fn settled(id: &str, state: ReceiptState) -> Settlement {
    Settlement {
        id: id.to_owned(),
        state,
        effect: (state == ReceiptState::Done).then(|| r#"{"created":12}"#.to_owned()),
        reason: (state == ReceiptState::Failed).then(|| "the port is taken".to_owned()),
    }
}

async fn states(store: &Store, object: &str) -> Vec<ReceiptState> {
    store.receipts_of(object).await.unwrap().into_iter().map(|row| row.state).collect()
}

async fn a_plan_goes_from_planned_to_done(ground: &Ground) {
    let store = &ground.store;
    let ids = store.plan_begin("run1", &plan("p1", "mac:1"), NOW).await.unwrap();
    assert_eq!(ids.len(), 4);
    assert_eq!(states(store, "mac:1").await, [ReceiptState::Planned; 4]);
    assert_eq!(store.open_steps("note").await.unwrap().len(), 1);
    assert!(store.unsettled(None).await.unwrap().is_empty());

    let mut sent = store.intend(&ids[..2], NOW.plus_millis(1)).await.unwrap();
    sent.sort();
    let mut expected = ids[..2].to_vec();
    expected.sort();
    assert_eq!(sent, expected);
    assert_eq!(store.unsettled(None).await.unwrap().len(), 2, "an intent without a receipt is unsettled");

    let outcome = [settled(&ids[0], ReceiptState::Done), settled(&ids[1], ReceiptState::Failed)];
    assert_eq!(store.settle(&outcome, NOW.plus_millis(2)).await.unwrap(), 2);
    let rows = store.receipts_of("mac:1").await.unwrap();
    assert_eq!(rows[0].effect.as_deref(), Some(r#"{"created":12}"#));
    assert_eq!(rows[1].reason.as_deref(), Some("the port is taken"));
    assert_eq!(
        rows[1],
        ReceiptRow {
            id: ids[1].clone(),
            run: "run1".to_owned(),
            plan: "p1".to_owned(),
            object: "mac:1".to_owned(),
            step: "change 1".to_owned(),
            seq: 1,
            verb: "change".to_owned(),
            kind: "ipam.ipaddress".to_owned(),
            credential: "materializer".to_owned(),
            request: r#"{"address":"192.0.2.10/24"}"#.to_owned(),
            before: Some(r#"{"address":""}"#.to_owned()),
            state: ReceiptState::Failed,
            effect: None,
            reason: Some("the port is taken".to_owned()),
            planned_at: NOW.millis(),
            updated_at: NOW.millis() + 2,
        }
    );
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.receipts["planned"], counts.receipts["done"], counts.receipts["failed"]), (2, 1, 1));
}

async fn a_hundred_plans_are_one_quick_transaction(ground: &Ground) {
    let store = &ground.store;
    let plans: Vec<NewPlan> = (0..100).map(|n| plan(&format!("p{n}"), &format!("mac:{n}"))).collect();
    // The limits are far above what was measured (about 10 ms for each), so that a slow disk does not fail the test.
    let limit = Duration::from_secs(2);
    let begun = Instant::now();
    let ids = store.plans_begin("run", &plans, NOW).await.unwrap().concat();
    let planned = begun.elapsed();
    assert_eq!(store.intend(&ids, NOW).await.unwrap().len(), 400);
    let intended = begun.elapsed();
    let outcome: Vec<_> = ids.iter().map(|id| settled(id, ReceiptState::Done)).collect();
    assert_eq!(store.settle(&outcome, NOW).await.unwrap(), 400);
    println!(
        "400 steps: planned in {planned:?}, intended in {:?}, settled in {:?}",
        intended.saturating_sub(planned),
        begun.elapsed().saturating_sub(intended)
    );
    assert!(begun.elapsed() < limit);
    assert_eq!(store.counts().await.unwrap().receipts["done"], 400);

    let many: Vec<NewPlan> = (0..2500).map(|n| plan(&format!("q{n}"), &format!("vm:{n}"))).collect();
    let ids = store.plans_begin("run", &many, NOW).await.unwrap().concat();
    let outcome: Vec<_> = ids.iter().map(|id| settled(id, ReceiptState::Dropped)).collect();
    assert_eq!(
        store.settle(&outcome, NOW).await.unwrap(),
        10_000,
        "more than one statement has parameters for"
    );
}

async fn what_is_done_stays_done(ground: &Ground) {
    let store = &ground.store;
    let ids = store.plan_begin("run1", &plan("p1", "mac:1"), NOW).await.unwrap();
    store.intend(&ids, NOW).await.unwrap();
    store.settle(&[settled(&ids[0], ReceiptState::Unsettled)], NOW).await.unwrap();
    store.settle(&[settled(&ids[0], ReceiptState::Done)], NOW).await.unwrap();
    assert_eq!(store.settle(&[settled(&ids[0], ReceiptState::Failed)], NOW).await.unwrap(), 0);
    assert_eq!(store.settle(&[settled("unknown", ReceiptState::Done)], NOW).await.unwrap(), 0);
    // In one call the last word counts.
    let twice = [settled(&ids[1], ReceiptState::Unsettled), settled(&ids[1], ReceiptState::Done)];
    assert_eq!(store.settle(&twice, NOW).await.unwrap(), 1);
    assert_eq!(
        states(store, "mac:1").await,
        [ReceiptState::Done, ReceiptState::Done, ReceiptState::Intended, ReceiptState::Intended]
    );
}

async fn only_steps_that_may_be_sent_are_intended(ground: &Ground) {
    let store = &ground.store;
    let ids = store.plan_begin("run1", &plan("p1", "mac:1"), NOW).await.unwrap();
    store.intend(&ids[..3], NOW).await.unwrap();
    let outcome = [settled(&ids[0], ReceiptState::Done), settled(&ids[1], ReceiptState::Unsettled)];
    store.settle(&outcome, NOW).await.unwrap();
    store.settle(&[settled(&ids[3], ReceiptState::Dropped)], NOW).await.unwrap();
    let sent = store.intend(&ids, NOW).await.unwrap();
    assert_eq!(sent, [ids[2].clone()], "resending an intent is fine; done, unsettled and dropped are not");
    assert!(store.intend(&[], NOW).await.unwrap().is_empty());
}

async fn unsettled_steps_are_found_by_object(ground: &Ground) {
    let store = &ground.store;
    for object in ["mac:1", "mac:2", "mac:3"] {
        let ids = store.plan_begin("run1", &plan("p", object), NOW).await.unwrap();
        store.intend(&ids[..1], NOW).await.unwrap();
    }
    let of = |objects: &[&str]| objects.iter().map(|&object| object.to_owned()).collect::<Vec<_>>();
    assert_eq!(store.unsettled(None).await.unwrap().len(), 3);
    assert_eq!(store.unsettled(Some(&of(&["mac:1", "mac:3", "mac:9"]))).await.unwrap().len(), 2);
    assert!(store.unsettled(Some(&[])).await.unwrap().is_empty(), "no object is not every object");
}

async fn a_newer_plan_drops_what_the_older_had_not_begun(ground: &Ground) {
    let store = &ground.store;
    store.plan_begin("run1", &plan("old", "mac:1"), NOW).await.unwrap();
    store.plan_begin("run1", &plan("old", "mac:2"), NOW).await.unwrap();
    store.plan_begin("run2", &plan("new", "mac:1"), NOW.plus_millis(10)).await.unwrap();
    assert_eq!(store.supersede("mac:1", "new", NOW.plus_millis(11)).await.unwrap(), 4);
    let rows = store.receipts_of("mac:1").await.unwrap();
    assert_eq!((rows[0].plan.as_str(), rows[0].state), ("new", ReceiptState::Planned), "newest plan first");
    assert_eq!((rows[4].plan.as_str(), rows[4].state), ("old", ReceiptState::Dropped));
    assert_eq!(rows[4].reason.as_deref(), Some("superseded by plan new"));
    assert_eq!(states(store, "mac:2").await, [ReceiptState::Planned; 4]);
    // The older plan cannot drop the newer one, whoever comes late.
    assert_eq!(store.supersede("mac:1", "old", NOW.plus_millis(12)).await.unwrap(), 0);
}

async fn the_same_plan_planned_again_drops_its_older_rows(ground: &Ground) {
    let store = &ground.store;
    store.plan_begin("run1", &plan("same", "mac:1"), NOW).await.unwrap();
    let again = store.plan_begin("run1", &plan("same", "mac:1"), NOW.plus_millis(10)).await.unwrap();
    assert_eq!(store.supersede("mac:1", "same", NOW.plus_millis(11)).await.unwrap(), 4);
    assert_eq!(store.intend(&again, NOW).await.unwrap().len(), 4);
}

async fn the_note_of_a_plan_that_began_is_owed(ground: &Ground) {
    let store = &ground.store;
    let ids = store.plan_begin("run1", &plan("old", "mac:1"), NOW).await.unwrap();
    store.intend(&ids[..1], NOW).await.unwrap();
    store.settle(&[settled(&ids[0], ReceiptState::Done)], NOW).await.unwrap();
    store.plan_begin("run2", &plan("new", "mac:1"), NOW.plus_millis(10)).await.unwrap();
    assert_eq!(store.supersede("mac:1", "new", NOW.plus_millis(11)).await.unwrap(), 2);
    let notes = store.open_steps("note").await.unwrap();
    assert_eq!(notes.iter().map(|row| row.plan.as_str()).collect::<Vec<_>>(), ["old", "new"]);
}

async fn planning_twice_at_once_is_the_same_rows(ground: &Ground) {
    let store = &ground.store;
    let first = store.plan_begin("run1", &plan("p", "mac:1"), NOW).await.unwrap();
    let second = store.plan_begin("run1", &plan("p", "mac:1"), NOW).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(store.receipts_of("mac:1").await.unwrap().len(), 4);
    assert_ne!(first, store.plan_begin("run2", &plan("p", "mac:1"), NOW).await.unwrap());
}

async fn parallel_plans_do_not_disturb_each_other(ground: &Ground) {
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = ground.store.clone();
            tokio::spawn(async move {
                for round in 0..10_i64 {
                    let now = NOW.plus_millis(round);
                    let object = format!("mac:{task}");
                    let ids =
                        store.plan_begin("run", &plan(&format!("p{round}"), &object), now).await.unwrap();
                    // Reads between writes, as the worker does: deferred transactions would fail here on SQLite.
                    assert_eq!(store.receipts_of(&object).await.unwrap()[0].id, ids[0]);
                    store.supersede(&object, &format!("p{round}"), now).await.unwrap();
                    assert_eq!(store.intend(&ids, now).await.unwrap().len(), 4);
                    let outcome: Vec<_> = ids.iter().map(|id| settled(id, ReceiptState::Done)).collect();
                    assert_eq!(store.settle(&outcome, now).await.unwrap(), 4);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(ground.store.counts().await.unwrap().receipts["done"], 8 * 10 * 4);
}
