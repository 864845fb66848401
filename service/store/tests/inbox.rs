//! The inbox: nothing twice, nothing lost, nothing held by two.

use std::collections::BTreeSet;

use super::{Ground, NOW, hint, stories};
use crate::store::NewHint;

stories!(
    a_repeated_delivery_is_one_hint,
    a_hint_keeps_what_netbox_said,
    an_expired_lease_is_taken_again_and_fences_the_first_taker,
    many_takers_never_get_the_same_hint,
    many_deliveries_at_once_are_all_kept,
    finished_hints_are_forgotten_after_a_while,
    a_large_backlog_is_one_call,
);

async fn a_repeated_delivery_is_one_hint(ground: &Ground) {
    let store = &ground.store;
    assert_eq!(store.accept(&[hint(1), hint(2), hint(1)], NOW).await.unwrap(), 2);
    assert_eq!(store.accept(&[hint(2), hint(3)], NOW).await.unwrap(), 1);
    assert_eq!(store.accept(&[], NOW).await.unwrap(), 0);
    assert_eq!(store.backlog().await.unwrap(), 3);

    let taken = store.take("a", 10, 1000, NOW).await.unwrap();
    assert_eq!(store.done(&taken, NOW).await.unwrap(), 3);
    assert_eq!(store.accept(&[hint(1)], NOW).await.unwrap(), 0, "a finished hint is still known");
    assert_eq!(store.backlog().await.unwrap(), 0);
}

async fn a_hint_keeps_what_netbox_said(ground: &Ground) {
    let store = &ground.store;
    let bare = NewHint {
        object: None,
        event: String::new(),
        request_id: None,
        user: Some("Zoë'; drop table\0 inbox; --".to_owned()),
        ..hint(8)
    };
    store.accept(&[hint(7)], NOW).await.unwrap();
    store.accept(std::slice::from_ref(&bare), NOW.plus_millis(1)).await.unwrap();
    let taken = store.take("a", 10, 1000, NOW.plus_millis(1)).await.unwrap();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].object, hint(7).object);
    assert_eq!(taken[0].request_id.as_deref(), Some("request-7"));
    assert_eq!(taken[0].received_at, NOW);
    assert_eq!(taken[0].attempt, 1);
    assert_eq!((taken[1].object, &taken[1].user), (None, &Some("Zoë'; drop table inbox; --".to_owned())));
}

async fn an_expired_lease_is_taken_again_and_fences_the_first_taker(ground: &Ground) {
    let store = &ground.store;
    store.accept(&[hint(1)], NOW).await.unwrap();
    let first = store.take("a", 10, 1000, NOW).await.unwrap();
    assert!(store.take("b", 10, 1000, NOW.plus_millis(999)).await.unwrap().is_empty());
    let second = store.take("b", 10, 1000, NOW.plus_millis(1000)).await.unwrap();
    assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
    assert_eq!(store.done(&first, NOW).await.unwrap(), 0, "the hint is another's by now");
    assert_eq!(store.backlog().await.unwrap(), 1);
    assert_eq!(store.done(&second, NOW).await.unwrap(), 1);
    assert_eq!(store.done(&second, NOW).await.unwrap(), 0);
}

async fn many_takers_never_get_the_same_hint(ground: &Ground) {
    let store = &ground.store;
    let hints: Vec<NewHint> = (0..300).map(hint).collect();
    store.accept(&hints, NOW).await.unwrap();
    let takers: Vec<_> = (0..8)
        .map(|taker| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while store.backlog().await.unwrap() > 0 {
                    let taken = store.take(&format!("taker {taker}"), 7, 60_000, NOW).await.unwrap();
                    store.done(&taken, NOW).await.unwrap();
                    mine.extend(taken.into_iter().map(|hint| hint.id));
                }
                mine
            })
        })
        .collect();
    let mut all = Vec::new();
    for taker in takers {
        all.extend(taker.await.unwrap());
    }
    assert_eq!(all.len(), 300);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 300);
}

async fn many_deliveries_at_once_are_all_kept(ground: &Ground) {
    let store = &ground.store;
    let senders: Vec<_> = (0..8_u32)
        .map(|sender| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut new = 0;
                for batch in 0..10_u32 {
                    // Every batch overlaps its neighbours', in another order for every other sender.
                    let mut hints: Vec<NewHint> = (batch * 10..batch * 10 + 20).map(hint).collect();
                    if sender % 2 == 1 {
                        hints.reverse();
                    }
                    new += store.accept(&hints, NOW).await.unwrap();
                    let read = store.backlog().await.unwrap();
                    assert!(read >= u64::try_from(new).unwrap());
                }
                new
            })
        })
        .collect();
    let mut new = 0;
    for sender in senders {
        new += sender.await.unwrap();
    }
    assert_eq!(new, 110);
    assert_eq!(store.backlog().await.unwrap(), 110);
}

async fn finished_hints_are_forgotten_after_a_while(ground: &Ground) {
    let store = &ground.store;
    store.accept(&[hint(1), hint(2)], NOW).await.unwrap();
    let taken = store.take("a", 1, 1000, NOW).await.unwrap();
    store.done(&taken, NOW).await.unwrap();
    assert_eq!(store.prune_inbox(NOW).await.unwrap(), 0);
    assert_eq!(store.prune_inbox(NOW.plus_millis(1)).await.unwrap(), 1, "an open hint is never pruned");
    assert_eq!(store.backlog().await.unwrap(), 1);
}

async fn a_large_backlog_is_one_call(ground: &Ground) {
    let store = &ground.store;
    let hints: Vec<NewHint> = (0..20_000).map(hint).collect();
    assert_eq!(
        store.accept(&hints, NOW).await.unwrap(),
        20_000,
        "more rows than one statement has parameters for"
    );
    let taken = store.take("a", 20_000, 1000, NOW).await.unwrap();
    assert_eq!(taken.len(), 20_000);
    assert_eq!(store.done(&taken, NOW).await.unwrap(), 20_000);
}
