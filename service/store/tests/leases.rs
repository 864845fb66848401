//! Leases: one holder at a time, and an attempt number that never goes back.

use super::{Ground, NOW, stories};

stories!(
    one_of_eight_racing_tasks_wins,
    a_lease_ends_and_is_taken_again,
    a_lost_lease_cannot_be_renewed_or_released,
    a_released_lease_stays_released,
    racing_tasks_never_hold_at_once,
    many_names_are_one_transaction,
    racing_groups_share_nothing,
);

async fn one_of_eight_racing_tasks_wins(ground: &Ground) {
    for round in 0..20_i64 {
        let now = NOW.plus_millis(round * 1000);
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let store = ground.store.clone();
                tokio::spawn(async move {
                    store.lease("mac:52:54:00:00:00:01", &format!("racer {racer}"), 1000, now).await
                })
            })
            .collect();
        let mut won = Vec::new();
        for racer in racers {
            won.extend(racer.await.unwrap().unwrap());
        }
        assert_eq!(won.len(), 1, "round {round}: {won:?}");
        assert_eq!(won[0].attempt, round + 1);
    }
}

async fn a_lease_ends_and_is_taken_again(ground: &Ground) {
    let store = &ground.store;
    let first = store.lease("sweep", "a", 1000, NOW).await.unwrap().unwrap();
    assert_eq!(first.until, NOW.plus_millis(1000));
    assert!(store.lease("sweep", "a", 1000, NOW).await.unwrap().is_none(), "another task of the same holder");
    assert!(store.lease("sweep", "b", 1000, NOW.plus_millis(999)).await.unwrap().is_none());
    assert!(store.lease("discovery", "b", 1000, NOW).await.unwrap().is_some(), "names are independent");
    assert_eq!(store.leases(NOW).await.unwrap().len(), 2);
    let second = store.lease("sweep", "b", 1000, NOW.plus_millis(1000)).await.unwrap().unwrap();
    assert_eq!(second.attempt, 2);
    assert!(second.outlasts(999, NOW.plus_millis(1000)));
    assert!(!second.outlasts(1000, NOW.plus_millis(1000)));
}

async fn a_lost_lease_cannot_be_renewed_or_released(ground: &Ground) {
    let store = &ground.store;
    let first = store.lease("x", "a", 1000, NOW).await.unwrap().unwrap();
    let renewed = store.renew(&first, 1000, NOW.plus_millis(500)).await.unwrap().unwrap();
    assert_eq!((renewed.attempt, renewed.until), (1, NOW.plus_millis(1500)));
    let late = store.renew(&renewed, 1000, NOW.plus_millis(5000)).await.unwrap();
    assert!(late.is_some(), "nobody took it meanwhile");
    let second = store.lease("x", "b", 1000, NOW.plus_millis(6000)).await.unwrap().unwrap();
    assert_eq!(store.renew(&first, 1000, NOW.plus_millis(6001)).await.unwrap(), None);
    store.release(&first).await.unwrap();
    assert!(store.renew(&second, 1000, NOW.plus_millis(6002)).await.unwrap().is_some());
}

async fn a_released_lease_stays_released(ground: &Ground) {
    let store = &ground.store;
    let first = store.lease("x", "a", 1000, NOW).await.unwrap().unwrap();
    store.release(&first).await.unwrap();
    assert_eq!(store.renew(&first, 1000, NOW).await.unwrap(), None);
    assert_eq!(store.lease("x", "b", 1000, NOW).await.unwrap().unwrap().attempt, 2);
}

async fn racing_tasks_never_hold_at_once(ground: &Ground) {
    // A read-then-write that only exclusion makes right: with two holders an increment would be lost.
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = ground.store.clone();
            tokio::spawn(async move {
                let mut rounds = 0;
                while rounds < 5 {
                    let held = store.lease("counter", &format!("task {task}"), 60_000, NOW).await.unwrap();
                    let Some(lease) = held else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    let value: u32 =
                        store.cursor("counter").await.unwrap().map_or(0, |text| text.parse().unwrap());
                    store.set_cursor("counter", &(value + 1).to_string()).await.unwrap();
                    store.release(&lease).await.unwrap();
                    rounds += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(ground.store.cursor("counter").await.unwrap().as_deref(), Some("40"));
}

async fn many_names_are_one_transaction(ground: &Ground) {
    let store = &ground.store;
    let names: Vec<String> = (0..500).map(|n| format!("mac:{n:04}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    let other = store.lease(names[7], "b", 1000, NOW).await.unwrap().unwrap();
    names.push(names[0]);
    let leases = store.lease_all(&names, "a", 1000, NOW).await.unwrap();
    assert_eq!(leases.len(), 499);
    assert!(leases.iter().all(|lease| lease.name != names[7] && lease.attempt == 1));
    assert_eq!(store.lease_all(&[], "a", 1000, NOW).await.unwrap(), []);

    let mut stale = leases[3].clone();
    stale.attempt = 9;
    let renewed = store.renew_all(&[leases[0].clone(), stale, leases[2].clone()], 5000, NOW).await.unwrap();
    assert_eq!(renewed.iter().map(|lease| &lease.name).collect::<Vec<_>>(), [names[0], names[2]]);
    assert_eq!(renewed[0].until, NOW.plus_millis(5000));
    store.release_all(&leases).await.unwrap();
    assert_eq!(store.leases(NOW).await.unwrap(), [other]);
}

async fn racing_groups_share_nothing(ground: &Ground) {
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = ground.store.clone();
            tokio::spawn(async move {
                let mut names: Vec<String> = (0..60).map(|n| format!("mac:{n}")).collect();
                names.rotate_left(task * 7);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let mut mine = Vec::new();
                for part in names.chunks(20) {
                    mine.extend(store.lease_all(part, &format!("task {task}"), 60_000, NOW).await.unwrap());
                }
                mine
            })
        })
        .collect();
    let mut all = std::collections::BTreeSet::new();
    for task in tasks {
        for lease in task.await.unwrap() {
            assert_eq!(lease.attempt, 1);
            assert!(all.insert(lease.name));
        }
    }
    assert_eq!(all.len(), 60);
}
