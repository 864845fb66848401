//! Reading the file as the program does: here, over SSH, and while it is being written.

use std::fs;
use std::process::Command;

use super::*;
use crate::model::Timestamp;
use crate::source::remote::tests::Sshd;
use crate::source::{Limits, collect_all};

const LEASE: &str = "0 52:54:00:12:34:56 192.0.2.7 printer *\n";

fn config(text: &str) -> Config {
    serde_json::from_value(serde_json::from_str(text).unwrap()).unwrap()
}

fn local(file: &str) -> Config {
    config(&serde_json::json!({"name": "dhcp1", "file": file}).to_string())
}

async fn collect(config: &Config) -> Collection {
    let limits = Limits { concurrency: 1, timeout: Duration::from_secs(30) };
    collect_all(&[config.build(&[]).unwrap()], Timestamp(1_795_266_000_000), limits).await.remove(0)
}

fn leases(collection: &Collection) -> usize {
    collection.facts.iter().filter(|fact| matches!(fact, Fact::DhcpLease(_))).count()
}

#[tokio::test]
async fn a_file_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases").display().to_string();
    let missing = collect(&local(&path)).await;
    assert_eq!(
        (missing.facts.len(), missing.gaps[0].facts),
        (0, FactKind::Leases),
        "not everything: it is no hypervisor"
    );
    assert!(missing.gaps[0].reason.contains("does not exist"), "{:?}", missing.gaps);

    fs::write(&path, LEASE).unwrap();
    let found = collect(&local(&path)).await;
    assert_eq!((leases(&found), found.gaps.len()), (1, 0));
    let checks = local(&path).build(&[]).unwrap().check().await;
    assert_eq!(checks, [Check::passed(format!("dhcp1: read `{path}`"), "1 leases")]);

    fs::write(&path, format!("{LEASE}what?\n")).unwrap();
    let damaged = collect(&local(&path)).await;
    assert_eq!((leases(&damaged), damaged.gaps.len()), (1, 1));
    let checks = local(&path).build(&[]).unwrap().check().await;
    assert!(checks[0].outcome.as_ref().unwrap_err().contains("the first is line 2"), "{checks:?}");
}

/// A file whose content is another every time it is read: first these, then the last of them for ever.
fn changing(path: &std::path::Path, contents: Vec<String>) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let path = path.to_owned();
    std::thread::spawn(move || {
        for content in contents.iter().chain(std::iter::repeat(&contents[contents.len() - 1])) {
            // Opening waits for the reader; the pause lets it see the end.
            fs::write(&path, content).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

#[tokio::test]
async fn a_file_that_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    // dnsmasq empties the file and writes it anew.
    changing(&path, vec![String::new(), LEASE[..20].to_owned(), LEASE.to_owned()]);
    let found = collect(&local(&path.display().to_string())).await;
    assert_eq!((leases(&found), found.gaps.len()), (1, 0), "{:?}", found.gaps);
}

#[tokio::test]
async fn a_file_that_never_rests_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    changing(&path, (0..20).map(|count| LEASE.repeat(count)).collect());
    let found = collect(&local(&path.display().to_string())).await;
    assert!(found.gaps[0].reason.ends_with("changes faster than it can be read"), "{:?}", found.gaps);
}

#[tokio::test]
async fn a_file_of_another_machine() {
    let Some(sshd) = Sshd::start(Some("cat -- {}/dnsmasq.leases")) else { return };
    fs::write(sshd.path("dnsmasq.leases"), LEASE).unwrap();
    let far = |key: &str| {
        let text = serde_json::json!({
            "name": "dhcp1", "ssh": sshd.target().to_string(), "identity_file": sshd.path(key),
            "known_hosts_file": sshd.path("known_hosts"),
        });
        config(&text.to_string())
    };
    let found = collect(&far("user_key")).await;
    assert_eq!((leases(&found), found.gaps.len()), (1, 0), "{:?}", found.gaps);
    let checks = far("other_key").build(&[]).unwrap().check().await;
    let why = checks[0].outcome.as_ref().unwrap_err();
    assert_eq!((checks.len(), &checks[0].what), (1, &format!("dhcp1: log in to `{}`", sshd.target())));
    assert!(why.contains("refused the key") && why.contains("hint:"), "{why}");
    let lines: Vec<String> =
        far("user_key").build(&[]).unwrap().check().await.iter().map(|check| check.what.clone()).collect();
    let file = format!("dhcp1: read `/var/lib/misc/dnsmasq.leases` on `{}`", sshd.target());
    assert_eq!(lines, [format!("dhcp1: log in to `{}`", sshd.target()), file]);
}

#[test]
fn a_wrong_configuration_is_refused() {
    let refusal = |text: &str| match config(text).build(&[]) {
        Ok(_) => panic!("it was made"),
        Err(error) => error.to_string(),
    };
    assert_eq!(config(r#"{"name": "d"}"#).file, "/var/lib/misc/dnsmasq.leases");
    assert!(
        refusal(r#"{"name": "d", "timeout_seconds": 0}"#).contains("`timeout_seconds` must be at least 1")
    );
    assert!(refusal(r#"{"name": "d", "ssh": "a@b"}"#).contains("source `d`: `identity_file` is missing"));
    let odd = r#"{"name": "d", "ssh": "a@b", "identity_file": "k", "known_hosts_file": "h", "file": "/a b"}"#;
    assert!(refusal(odd).contains("`file` is `/a b`, which is not a plain absolute path"));
}
