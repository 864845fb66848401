//! What only a file can do: modes, bad paths, a process killed in the middle, two processes at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::tempdir;

use super::{NOW, hint};
use crate::store::{NewPlan, PlannedStep, Store, StoreError, Target};

fn url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

fn one_step(object: &str) -> NewPlan {
    NewPlan {
        plan: "p".to_owned(),
        object: object.to_owned(),
        steps: vec![PlannedStep {
            step: "create ip".to_owned(),
            seq: 0,
            verb: "create".to_owned(),
            kind: "ipam.ipaddress".to_owned(),
            credential: "materializer".to_owned(),
            request: "{}".to_owned(),
            before: None,
        }],
    }
}

#[test]
fn urls_are_read_as_people_write_them() {
    for (url, expected) in [
        ("sqlite://surveyor.db", Target::File("surveyor.db".into())),
        ("sqlite:surveyor.db", Target::File("surveyor.db".into())),
        ("sqlite:///var/lib/surveyor/a%20b.db", Target::File("/var/lib/surveyor/a b.db".into())),
        ("sqlite::memory:", Target::Memory),
        ("postgres://u:p@h/d", Target::Server),
        ("postgresql:///d", Target::Server),
    ] {
        assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
    }
}

#[tokio::test]
async fn a_wrong_url_says_what_to_write() {
    for (url, expected) in [
        ("surveyor.db", "neither SQLite nor PostgreSQL"),
        ("mysql://root:secret@h/d", "neither SQLite nor PostgreSQL"),
        ("sqlite://", "names no file"),
        ("sqlite:///tmp/", "names a folder"),
        ("sqlite://a.db?mode=ro", "parameters"),
        ("postgres://u:secret@h:port/d", "port"),
    ] {
        let error = Store::open(url).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Location { .. }), "{url}: {error:?}");
        assert!(text.contains(expected) && text.contains("hint: "), "{url}: {text}");
        assert!(!text.contains("secret"), "{text}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn a_wrong_path_says_why() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("no/such/folder/surveyor.db");
    let text = Store::open(&url(&missing)).await.unwrap_err().to_string();
    assert!(text.contains("no/such/folder") && text.contains("create the folder"), "{text}");

    let text = Store::open(&url(folder.path())).await.unwrap_err().to_string();
    assert!(text.contains("directory"), "{text}");

    let foreign = folder.path().join("notes.txt");
    fs::write(&foreign, "buy milk, call the electrician, and do not run this as a database please").unwrap();
    let error = Store::open(&url(&foreign)).await.unwrap_err();
    assert!(error.to_string().contains("not a SQLite database"), "{error}");
    assert!(fs::read_to_string(&foreign).unwrap().starts_with("buy milk"), "it is left as it was");
}

#[tokio::test]
async fn an_unreachable_server_is_transient_and_a_wrong_password_is_not_shown() {
    let error = Store::open("postgres://u:hunter2@127.0.0.1:1/d").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_new_file_is_private_with_everything_beside_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("surveyor.db");
    let store = Store::open(&url(&path)).await.unwrap();
    store.accept(&[hint(1)], NOW).await.unwrap();
    let _claim = store.claim_serve("test", NOW).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["surveyor.db", "surveyor.db-shm", "surveyor.db-wal", "surveyor.db.serve"]);
}

#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("surveyor.db");
    let store = Store::open(&url(&path)).await.unwrap();
    let ids = store.plan_begin("run", &one_step("mac:1"), NOW).await.unwrap();
    store.intend(&ids, NOW).await.unwrap();
    store.plan_begin("run", &one_step("mac:2"), NOW).await.unwrap();
    // What a kill leaves behind is the files as they are now: nothing closed, nothing checkpointed.
    let after = folder.path().join("after.db");
    for suffix in ["", "-wal"] {
        fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", after.display())).unwrap();
    }
    let after = Store::open(&url(&after)).await.unwrap();
    assert_eq!(after.unsettled(None).await.unwrap()[0].object, "mac:1");
    assert_eq!(after.open_steps("create").await.unwrap().len(), 2);

    drop(store);
    let again = Store::open(&url(&path)).await.unwrap();
    assert_eq!(again.open_steps("create").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_lock_behind() {
    let folder = tempdir().unwrap();
    let store = Store::open(&url(&folder.path().join("surveyor.db"))).await.unwrap();
    let hints: Vec<_> = (0..20_000).map(hint).collect();
    for _ in 0..5 {
        let gave_up =
            tokio::time::timeout(std::time::Duration::from_millis(3), store.accept(&hints, NOW)).await;
        let open = store.backlog().await.unwrap();
        assert!(
            open == 0 || open == 20_000,
            "all or nothing, whether it gave up ({gave_up:?}) or not: {open}"
        );
    }
    store.accept(&[hint(99_999)], NOW).await.unwrap();
}

#[tokio::test]
async fn a_command_may_work_beside_serve_but_not_a_second_serve() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("surveyor.db");
    let first = Store::open(&url(&path)).await.unwrap();
    let second = Store::open(&url(&path)).await.unwrap();
    let claim = first.claim_serve("host-a", NOW).unwrap();
    let error = second.claim_serve("host-b", NOW).unwrap_err();
    assert!(matches!(error, StoreError::Served { .. }));
    assert!(error.to_string().contains("host-a, process "), "{error}");

    second.accept(&[hint(1)], NOW).await.unwrap();
    assert_eq!(first.backlog().await.unwrap(), 1);

    drop(claim);
    let claim = second.claim_serve("host-b", NOW).unwrap();
    let linked = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &linked).unwrap();
    let third = Store::open(&url(&linked)).await.unwrap();
    assert!(third.claim_serve("host-c", NOW).is_err(), "another name for the same file");
    drop(claim);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_write_at_once_without_being_busy() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("surveyor.db");
    // Two stores on one file lock each other as two processes do.
    let stores = [Store::open(&url(&path)).await.unwrap(), Store::open(&url(&path)).await.unwrap()];
    let tasks: Vec<_> = (0..8_u32)
        .map(|task| {
            let store = stores[task as usize % 2].clone();
            tokio::spawn(async move {
                for round in 0..20_u32 {
                    store.accept(&[hint(task * 1000 + round)], NOW).await.unwrap();
                    let run = format!("{task}-{round}");
                    store.seen(&[("mac:1".to_owned(), "a".to_owned())], &run, NOW).await.unwrap();
                    let taken = store.take(&run, 1, 1000, NOW).await.unwrap();
                    store.done(&taken, NOW).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(stores[0].backlog().await.unwrap(), 0);
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("surveyor.db");
    Store::open(&url(&path)).await.unwrap().close().await;
    let raw = sqlx::SqlitePool::connect(&url(&path)).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9000, 'from the future', true, x'00', 0)",
    )
    .execute(&raw)
    .await
    .unwrap();
    raw.close().await;
    let error = Store::open(&url(&path)).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { migration: 9000, .. }), "{error:?}");
}

#[tokio::test]
async fn memory_is_a_store_like_any_other() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    store.accept(&[hint(1)], NOW).await.unwrap();
    assert_eq!(store.clone().backlog().await.unwrap(), 1);
    assert_eq!(Store::open("sqlite::memory:").await.unwrap().backlog().await.unwrap(), 0, "each its own");
    let _claims = (store.claim_serve("a", NOW).unwrap(), store.claim_serve("b", NOW).unwrap());
}
