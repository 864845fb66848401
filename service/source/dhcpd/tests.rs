//! Reading the files as the program does.

use std::fs;

use super::*;
use crate::model::Timestamp;
use crate::source::remote::tests::Sshd;
use crate::source::{Limits, collect_all};

const LEASE: &str = "lease 192.0.2.7 {\n  binding state active;\n  hardware ethernet 52:54:00:12:34:56;\n}\n";
const LEASE6: &str = "ia-na 56:34:12:00:00:03:00:01:52:54:00:12:34:56 {\n  iaaddr 2001:db8::1 {\n    binding state active;\n  }\n}\n";

fn config(value: serde_json::Value) -> Config {
    serde_json::from_value(value).unwrap()
}

async fn collect(config: &Config) -> Collection {
    let limits = Limits { concurrency: 1, timeout: Duration::from_secs(30) };
    collect_all(&[config.build(&[]).unwrap()], Timestamp(1_795_266_000_000), limits).await.remove(0)
}

fn leases(collection: &Collection) -> usize {
    collection.facts.iter().filter(|fact| matches!(fact, Fact::DhcpLease(_))).count()
}

#[tokio::test]
async fn both_servers_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let both = config(serde_json::json!({"name": "dhcp1", "file": path("4"), "file6": path("6")}));
    fs::write(path("4"), LEASE).unwrap();
    let half = collect(&both).await;
    assert_eq!(leases(&half), 1);
    assert_eq!(half.gaps.len(), 1);
    assert_eq!(half.gaps[0].facts, FactKind::Leases);
    assert!(
        half.gaps[0].reason.starts_with(&format!("`{}` does not exist; hint: ", path("6"))),
        "{:?}",
        half.gaps
    );

    fs::write(path("6"), LEASE6).unwrap();
    let whole = collect(&both).await;
    assert_eq!((leases(&whole), whole.gaps.len()), (2, 0));
    let checks = both.build(&[]).unwrap().check().await;
    assert_eq!(checks.len(), 2);
    assert_eq!(checks[1], Check::passed(format!("dhcp1: read `{}`", path("6")), "1 active leases"));

    fs::write(path("4"), "what?").unwrap();
    let damaged = collect(&both).await;
    assert_eq!((leases(&damaged), damaged.gaps.len()), (1, 1));
    let checks = both.build(&[]).unwrap().check().await;
    assert!(checks[0].outcome.as_ref().unwrap_err().contains("is no lease file of ISC dhcpd"), "{checks:?}");
}

#[tokio::test]
async fn another_machine_that_does_not_let_us_in_is_tried_once() {
    let Some(sshd) = Sshd::start(None) else { return };
    fs::write(sshd.path("4"), LEASE).unwrap();
    fs::write(sshd.path("6"), LEASE6).unwrap();
    let far = |key: &str| {
        config(serde_json::json!({
            "name": "dhcp1", "file": sshd.path("4"), "file6": sshd.path("6"), "ssh": sshd.target().to_string(),
            "identity_file": sshd.path(key), "known_hosts_file": sshd.path("known_hosts"),
        }))
    };
    let found = collect(&far("user_key")).await;
    assert_eq!((leases(&found), found.gaps.len()), (2, 0), "{:?}", found.gaps);
    let refused = collect(&far("other_key")).await;
    assert_eq!((leases(&refused), refused.gaps.len()), (0, 1), "{:?}", refused.gaps);
}

#[test]
fn a_wrong_configuration_is_refused() {
    let refusal = |value: serde_json::Value| match config(value).build(&[]) {
        Ok(_) => panic!("it was made"),
        Err(error) => error.to_string(),
    };
    assert_eq!(config(serde_json::json!({"name": "d"})).file, "/var/lib/dhcp/dhcpd.leases");
    assert!(refusal(serde_json::json!({"name": "d", "timeout_seconds": 0})).contains("`timeout_seconds`"));
    assert!(refusal(serde_json::json!({"name": "d", "file6": ""})).contains("`file6` is empty"));
    assert!(
        refusal(serde_json::json!({"name": "d", "host_key": "x"})).contains("`host_key` goes with `ssh`")
    );
}
