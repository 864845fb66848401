//! Collections, claims, cursors, runs, DNS states; opening twice.

use super::{Ground, NOW, hint, stories};
use crate::store::{NewCollection, Store};

stories!(
    an_older_collection_never_replaces_a_newer,
    a_failed_source_keeps_its_last_collection,
    a_claim_counts_runs_in_a_row,
    a_claim_that_skips_a_run_starts_again,
    forgotten_claims_start_again,
    cursors_move,
    the_last_run_is_found,
    history_is_pruned_but_not_the_last_run,
    dns_states_are_kept,
    opening_again_changes_nothing,
    counts_are_zero_at_first,
);

async fn an_older_collection_never_replaces_a_newer(ground: &Ground) {
    let store = &ground.store;
    let blob: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let good =
        NewCollection { source: "sw1", blob: &blob, observed_at: NOW, complete: true, gaps: 0, error: None };
    assert!(store.save_collection(&good, NOW.plus_millis(5)).await.unwrap());
    let late = NewCollection { observed_at: NOW.plus_millis(-1), blob: b"old", ..good };
    assert!(!store.save_collection(&late, NOW.plus_millis(6)).await.unwrap());
    let saved = store.collection("sw1").await.unwrap().unwrap();
    assert_eq!((&saved.blob, saved.observed_at, saved.complete), (&blob, NOW, true));

    let partial = NewCollection {
        observed_at: NOW.plus_millis(60_000),
        blob: &[0, 255],
        complete: false,
        gaps: 2,
        error: Some("timed out after 10 s"),
        ..good
    };
    assert!(store.save_collection(&partial, NOW.plus_millis(60_001)).await.unwrap());
    let fresh = &store.freshness().await.unwrap()[0];
    assert_eq!(fresh.last_complete, Some(NOW));
    assert_eq!((fresh.last_attempt, fresh.gaps), (NOW.plus_millis(60_001), 2));
    assert_eq!(fresh.error.as_deref(), Some("timed out after 10 s"));
    let saved = store.collection("sw1").await.unwrap().unwrap();
    assert_eq!((saved.blob.as_slice(), saved.complete, saved.gaps), ([0, 255].as_slice(), false, 2));
    assert_eq!(store.collection("sw2").await.unwrap(), None);
    store.forget_source("sw1").await.unwrap();
    assert!(store.freshness().await.unwrap().is_empty());
}

async fn a_failed_source_keeps_its_last_collection(ground: &Ground) {
    let store = &ground.store;
    store.source_failed("new", "connection refused", NOW).await.unwrap();
    assert_eq!(store.collection("new").await.unwrap(), None);
    assert_eq!(store.freshness().await.unwrap()[0].last_complete, None);
    let good =
        NewCollection { source: "new", blob: b"x", observed_at: NOW, complete: true, gaps: 0, error: None };
    store.save_collection(&good, NOW).await.unwrap();
    assert_eq!(store.freshness().await.unwrap()[0].error, None);
    store.source_failed("new", "no route to host", NOW.plus_millis(9)).await.unwrap();
    assert_eq!(store.collection("new").await.unwrap().unwrap().blob, b"x");
    assert_eq!(store.freshness().await.unwrap()[0].last_attempt, NOW.plus_millis(9));
}

fn claims(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(identity, hash)| (identity.to_owned(), hash.to_owned())).collect()
}

async fn a_claim_counts_runs_in_a_row(ground: &Ground) {
    let store = &ground.store;
    let both = claims(&[("mac:1", "a"), ("mac:2", "b")]);
    let seen = store.seen(&both, "run1", NOW).await.unwrap();
    assert_eq!((seen["mac:1"], seen["mac:2"]), (1, 1));
    let seen = store.seen(&both, "run1", NOW).await.unwrap();
    assert_eq!(seen["mac:1"], 1, "the same run again is not another run");
    let seen = store.seen(&claims(&[("mac:1", "a"), ("mac:2", "moved")]), "run2", NOW).await.unwrap();
    assert_eq!((seen["mac:1"], seen["mac:2"]), (2, 1));
    let seen = store.seen(&claims(&[("mac:1", "a"), ("mac:2", "moved")]), "run3", NOW).await.unwrap();
    assert_eq!((seen["mac:1"], seen["mac:2"]), (3, 2));
    let seen = store.seen(&claims(&[("mac:1", "x"), ("mac:1", "a")]), "run4", NOW).await.unwrap();
    assert_eq!(seen["mac:1"], 4, "an identity named twice is one row");
    let many: Vec<_> = (0..12_000).map(|n| (format!("vm:{n}"), "h".to_owned())).collect();
    assert_eq!(store.seen(&many, "run5", NOW).await.unwrap().len(), 12_000);
    assert!(store.seen(&many, "run6", NOW).await.unwrap().values().all(|&runs| runs == 2));
}

async fn a_claim_that_skips_a_run_starts_again(ground: &Ground) {
    let store = &ground.store;
    store.seen(&claims(&[("mac:1", "a")]), "run1", NOW).await.unwrap();
    store.seen(&[], "run2", NOW).await.unwrap();
    let seen = store.seen(&claims(&[("mac:1", "a")]), "run3", NOW).await.unwrap();
    assert_eq!(seen["mac:1"], 1);
}

async fn forgotten_claims_start_again(ground: &Ground) {
    let store = &ground.store;
    store.seen(&claims(&[("mac:1", "a"), ("mac:2", "a")]), "run1", NOW).await.unwrap();
    store.seen(&claims(&[("mac:1", "a")]), "run2", NOW.plus_millis(10)).await.unwrap();
    assert_eq!(store.forget_claims(NOW.plus_millis(5)).await.unwrap(), 1);
    assert_eq!(store.counts().await.unwrap().claims, 1);
}

async fn cursors_move(ground: &Ground) {
    let store = &ground.store;
    assert_eq!(store.cursor("changelog").await.unwrap(), None);
    store.set_cursor("changelog", "2026-11-20T10:52:00Z").await.unwrap();
    store.set_cursor("changelog", "17").await.unwrap();
    assert_eq!(store.cursor("changelog").await.unwrap().as_deref(), Some("17"));
}

async fn the_last_run_is_found(ground: &Ground) {
    let store = &ground.store;
    assert_eq!(store.last_run("discover").await.unwrap(), None);
    store.run_begin("r1", "discover", NOW).await.unwrap();
    store.run_begin("r1", "discover", NOW.plus_millis(1)).await.unwrap();
    store.run_end("r1", r#"{"candidates":3}"#, NOW.plus_millis(500)).await.unwrap();
    store.run_begin("r2", "sweep", NOW.plus_millis(900)).await.unwrap();
    let run = store.last_run("discover").await.unwrap().unwrap();
    assert_eq!((run.id.as_str(), run.begun, run.ended), ("r1", NOW, Some(NOW.plus_millis(500))));
    assert_eq!(run.summary.as_deref(), Some(r#"{"candidates":3}"#));
    assert_eq!(store.last_run("sweep").await.unwrap().unwrap().ended, None);
}

async fn history_is_pruned_but_not_the_last_run(ground: &Ground) {
    let store = &ground.store;
    for n in 0..5 {
        store.run_begin(&format!("r{n}"), "sweep", NOW.plus_millis(n)).await.unwrap();
    }
    assert_eq!(store.prune_history(NOW.plus_millis(1000)).await.unwrap(), 4);
    assert_eq!(store.last_run("sweep").await.unwrap().unwrap().id, "r4");
}

async fn dns_states_are_kept(ground: &Ground) {
    let store = &ground.store;
    store.save_dns_state("ns2", "{}", NOW).await.unwrap();
    store.save_dns_state("ns1", r#"{"records":1}"#, NOW).await.unwrap();
    store.save_dns_state("ns1", r#"{"records":2}"#, NOW.plus_millis(1)).await.unwrap();
    let states = store.dns_states().await.unwrap();
    assert_eq!(states.len(), 2);
    assert_eq!((states[0].server.as_str(), states[0].state.as_str()), ("ns1", r#"{"records":2}"#));
    assert_eq!(states[0].updated, NOW.plus_millis(1));
}

async fn opening_again_changes_nothing(ground: &Ground) {
    ground.store.accept(&[hint(1)], NOW).await.unwrap();
    // Also while others have it open, and many at once.
    let openers: Vec<_> = (0..6)
        .map(|_| {
            let url = ground.url.clone();
            tokio::spawn(async move {
                let again = Store::open(&url).await.unwrap();
                let backlog = again.backlog().await.unwrap();
                again.close().await;
                backlog
            })
        })
        .collect();
    for opener in openers {
        assert_eq!(opener.await.unwrap(), 1);
    }
}

async fn counts_are_zero_at_first(ground: &Ground) {
    assert_eq!(ground.store.counts().await.unwrap(), crate::store::Counts::default());
}
