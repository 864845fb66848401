//! Pushes to a real Unbound through a real sshd, and everything that may go wrong on the way.

mod lab;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::plan::dns::{DesiredAddress, Record, ReplaceFile, conflicts, hash, plan, records, render};
use crate::transport::ssh::SshError;
use lab::{Lab, Setup};

fn wanted(entries: &[(&str, &str)]) -> BTreeSet<Record> {
    let desired: Vec<DesiredAddress> = entries
        .iter()
        .map(|(address, name)| DesiredAddress {
            address: address.parse().unwrap(),
            dns_name: name.parse().unwrap(),
            ttl: 300,
        })
        .collect();
    records(&desired).0
}

/// Plans against the state of the server and pushes; `None` when there was nothing to do.
async fn push(server: &Unbound, entries: &[(&str, &str)]) -> Result<Option<Replaced>, DnsError> {
    let state = server.state().await?;
    let (kept, _) = conflicts(wanted(entries), &state.foreign);
    match plan(server.name(), &kept, state.content.as_deref(), &state.unserved).unwrap() {
        Some(change) => server.replace(&change).await.map(Some),
        None => Ok(None),
    }
}

const PRINTER: (&str, &str) = ("192.0.2.10", "printer.lan.example.org");
const CAMERA: (&str, &str) = ("192.0.2.11", "camera.lan.example.org");
const CAMERA_V6: (&str, &str) = ("2001:db8:0:0:1::11", "camera.lan.example.org");
const PRINTER_LINE: &str = "printer.lan.example.org. 300 IN A 192.0.2.10";

fn running(setup: &Setup) -> Option<Lab> {
    let lab = Lab::start(setup)?;
    lab.start_unbound();
    Some(lab)
}

#[tokio::test]
async fn push_change_and_remove() {
    let Some(lab) = running(&Setup::default()) else { return };
    let server = lab.client();
    assert_eq!(push(&server, &[]).await.unwrap(), None, "nothing is made for nothing");
    let done = push(&server, &[PRINTER, CAMERA]).await.unwrap().unwrap();
    assert_eq!(done.still_served, None);
    assert!(lab.serves(PRINTER_LINE));
    assert!(lab.serves("10.2.0.192.in-addr.arpa. 300 IN PTR printer.lan.example.org."));
    assert_eq!(lab.beside(), [".surveyor.conf.lock", "surveyor.conf"]);

    assert_eq!(push(&server, &[CAMERA, PRINTER]).await.unwrap(), None, "no change, no write");
    let before = fs::read_to_string(lab.include_file()).unwrap();

    let done = push(&server, &[CAMERA, CAMERA_V6]).await.unwrap().unwrap();
    assert_eq!(done, Replaced::default());
    assert!(!lab.serves(PRINTER_LINE));
    assert_eq!(fs::read_to_string(lab.path("conf.d/.surveyor.conf.prev")).unwrap(), before);

    assert_eq!(push(&server, &[]).await.unwrap(), Some(Replaced::default()));
    assert!(!lab.control(&["list_local_data"]).contains("example.org"));
    let state = server.state().await.unwrap();
    assert!(state.unserved.is_empty() && state.version.contains('.'), "{state:?}");
    assert!(fs::read_dir(lab.path("tmp")).unwrap().next().is_none(), "no temporary file stays");
}

#[tokio::test]
async fn a_refused_record_changes_nothing() {
    let Some(lab) = running(&Setup::default()) else { return };
    let server = lab.client();
    push(&server, &[PRINTER]).await.unwrap();
    let before = fs::read_to_string(lab.include_file()).unwrap();
    let body = "server:\nlocal-data: \"x.example.org. 300 IN A 192.0.2.300\"\n";
    let content = format!("# surveyor-dns-file 1 sha256:{}\n{body}", hash(body));
    let error = server.replace(&raw(&before, content)).await.unwrap_err();
    assert!(
        matches!(&error, DnsError::Rejected { message, .. } if message.contains("192.0.2.300")),
        "{error}"
    );
    assert_eq!(fs::read_to_string(lab.include_file()).unwrap(), before);
    assert!(lab.serves(PRINTER_LINE));
    assert_eq!(lab.beside(), [".surveyor.conf.lock", "surveyor.conf"], "no rest is left");
}

fn raw(before: &str, content: String) -> ReplaceFile {
    ReplaceFile {
        server: "ns1".to_owned(),
        from_hash: Some(hash(before)),
        to_hash: hash(&content),
        content,
        changes: Vec::new(),
        probes: crate::plan::dns::Probes::default(),
    }
}

#[tokio::test]
async fn a_stale_plan_is_refused() {
    let Some(lab) = running(&Setup::default()) else { return };
    let server = lab.client();
    let stale = plan("ns1", &wanted(&[CAMERA]), None, &[]).unwrap().unwrap();
    push(&server, &[PRINTER]).await.unwrap();
    assert!(matches!(server.replace(&stale).await, Err(DnsError::Changed { .. })));
    assert!(lab.serves(PRINTER_LINE));
    // Only one of two simultaneous pushes from the same state wins.
    let before = fs::read_to_string(lab.include_file()).unwrap();
    let change = |entries: &[_]| plan("ns1", &wanted(entries), Some(&before), &[]).unwrap().unwrap();
    let (one, two) = (change(&[PRINTER, CAMERA]), change(&[CAMERA]));
    let (one, two) = tokio::join!(server.replace(&one), server.replace(&two));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
}

#[tokio::test]
async fn what_others_serve_is_left_alone() {
    let setup = Setup {
        server: "local-data: \"printer.lan.example.org. 60 IN A 198.51.100.1\"\n  local-zone: \"ads.example.org\" redirect",
        ..Setup::default()
    };
    let Some(lab) = running(&setup) else { return };
    let server = lab.client();
    push(&server, &[PRINTER, CAMERA, ("192.0.2.12", "x.ads.example.org")]).await.unwrap().unwrap();
    assert!(lab.serves("printer.lan.example.org. 60 IN A 198.51.100.1") && !lab.serves(PRINTER_LINE));
    assert!(lab.serves("camera.lan.example.org. 300 IN A 192.0.2.11"));
    assert_eq!(push(&server, &[PRINTER, CAMERA]).await.unwrap(), None, "a refusal is not a change");
}

#[tokio::test]
async fn a_foreign_or_edited_file() {
    let Some(lab) = running(&Setup::default()) else { return };
    let server = lab.client();
    let theirs = "server:\n  verbosity: 1\n";
    fs::write(lab.include_file(), theirs).unwrap();
    let error = server.replace(&raw(theirs, render(&wanted(&[PRINTER]), "ns1"))).await.unwrap_err();
    assert!(matches!(error, DnsError::ForeignFile { .. }), "{error}");
    assert_eq!(fs::read_to_string(lab.include_file()).unwrap(), theirs);
    // A file of ours that somebody edited is written anew.
    fs::write(lab.include_file(), "# to come\n").unwrap();
    push(&server, &[PRINTER]).await.unwrap().unwrap();
    let edited = fs::read_to_string(lab.include_file()).unwrap().replace("printer", "prynter");
    fs::write(lab.include_file(), edited).unwrap();
    push(&server, &[PRINTER]).await.unwrap().unwrap();
    assert_eq!(fs::read_to_string(lab.include_file()).unwrap(), render(&wanted(&[PRINTER]), "ns1"));
}

#[tokio::test]
async fn a_file_that_was_never_read_is_pushed_again() {
    let Some(lab) = running(&Setup::default()) else { return };
    let server = lab.client();
    fs::write(lab.include_file(), render(&wanted(&[PRINTER]), "ns1")).unwrap();
    assert_eq!(server.state().await.unwrap().unserved.len(), 2);
    push(&server, &[PRINTER]).await.unwrap().unwrap();
    assert!(lab.serves(PRINTER_LINE));
}

#[tokio::test]
async fn host_keys() {
    let Some(lab) = running(&Setup::default()) else { return };
    let seen = lab.config().host_key.unwrap();
    let state = async |change: &dyn Fn(&mut UnboundConfig)| {
        let mut config = lab.config();
        change(&mut config);
        match Unbound::new(config).unwrap().state().await {
            Err(DnsError::Ssh { source, .. }) => Err(*source),
            other => Ok(other.unwrap()),
        }
    };
    let wrong = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let error = state(&|config| config.host_key = Some(wrong.to_owned())).await.unwrap_err();
    assert!(matches!(&error, SshError::HostKeyChanged { seen: found, .. } if *found == seen), "{error}");

    let known = lab.path("known_hosts");
    let recorded = |config: &mut UnboundConfig| {
        config.host_key = None;
        config.known_hosts_file = Some(known.clone().into());
    };
    let error = state(&recorded).await.unwrap_err();
    let SshError::HostKeyUnknown { line, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains(&seen), "{error}");
    // The line of the hint is the right one, also when hashed.
    fs::write(&known, format!("{line}\n")).unwrap();
    assert!(state(&recorded).await.is_ok());
    let hashed = std::process::Command::new("ssh-keygen").args(["-q", "-H", "-f", &known]).output().unwrap();
    assert!(hashed.status.success() && fs::read_to_string(&known).unwrap().starts_with("|1|"));
    assert!(state(&recorded).await.is_ok());

    let place = line.split(' ').next().unwrap();
    let other = fs::read_to_string(lab.path("other_key.pub")).unwrap();
    fs::write(&known, format!("{place} {other}")).unwrap();
    let error = state(&recorded).await.unwrap_err();
    assert!(matches!(error, SshError::HostKeyChanged { .. }), "{error}");
    // A recorded key of another kind than the server shows is a changed key too, not an unknown host.
    let keygen = ["-q", "-t", "ecdsa", "-N", "", "-C", "", "-f", &lab.path("ecdsa_key")];
    assert!(std::process::Command::new("ssh-keygen").args(keygen).status().unwrap().success());
    fs::write(&known, format!("{place} {}", fs::read_to_string(lab.path("ecdsa_key.pub")).unwrap())).unwrap();
    let error = state(&recorded).await.unwrap_err();
    assert!(matches!(error, SshError::HostKeyChanged { .. }), "{error}");
}

#[tokio::test]
async fn user_keys_and_unreachable_servers() {
    let Some(lab) = running(&Setup::default()) else { return };
    let state = async |key: &str| {
        let config = UnboundConfig { identity_file: lab.path(key).into(), ..lab.config() };
        match Unbound::new(config).unwrap().state().await {
            Err(DnsError::Ssh { source, .. }) => *source,
            other => panic!("{other:?}"),
        }
    };
    let error = state("other_key").await;
    assert!(matches!(&error, SshError::AuthRefused { .. }), "{error}");
    assert!(error.to_string().contains("other_key") && !error.is_transient(), "{error}");
    let keygen = ["-q", "-t", "ed25519", "-N", "secret", "-f", &lab.path("locked_key")];
    assert!(std::process::Command::new("ssh-keygen").args(keygen).status().unwrap().success());
    for (key, why) in [
        ("locked_key", "has a passphrase"),
        ("user_key.pub", "is a public key"),
        ("no_key", "does not exist"),
        ("sshd_config", "is not a private key"),
    ] {
        let error = state(key).await;
        assert!(matches!(&error, SshError::KeyFile { .. }) && error.to_string().contains(why), "{error}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = UnboundConfig { ssh: format!("a@{closed}").parse().unwrap(), ..lab.config() };
    let error = Unbound::new(nowhere).unwrap().state().await.unwrap_err();
    assert!(error.is_transient() && !error.is_unsettled(), "{error}");
    // Something that listens and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = UnboundConfig {
        ssh: format!("a@{}", silent.local_addr().unwrap()).parse().unwrap(),
        timeout_seconds: 1,
        ..lab.config()
    };
    let error = Unbound::new(config).unwrap().state().await.unwrap_err();
    assert!(
        matches!(&error, DnsError::Ssh { source, .. } if matches!(**source, SshError::Timeout { started: false, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_forced_command_does_nothing_else() {
    let setup = Setup {
        forced: Some("{}/bin/helper --conf {}/unbound.conf --include {}/conf.d/surveyor.conf"),
        ..Setup::default()
    };
    let Some(lab) = running(&setup) else { return };
    for mode in [Mode::Helper, Mode::Auto, Mode::Plain] {
        let server = Unbound::new(UnboundConfig { mode, unbound_conf: None, ..lab.config() }).unwrap();
        push(&server, &[PRINTER]).await.unwrap();
        push(&server, &[CAMERA]).await.unwrap().unwrap();
        let elsewhere = UnboundConfig { mode, include_file: lab.path("conf.d/other.conf"), ..lab.config() };
        let error = push(&Unbound::new(elsewhere).unwrap(), &[PRINTER]).await.unwrap_err();
        assert!(matches!(error, DnsError::Setup { .. }), "{error}");
    }
    assert!(lab.serves("camera.lan.example.org. 300 IN A 192.0.2.11"));
}

#[tokio::test]
async fn the_helper_is_found_or_not() {
    let Some(lab) = running(&Setup { installed: true, ..Setup::default() }) else { return };
    for mode in [Mode::Helper, Mode::Auto] {
        let server = Unbound::new(UnboundConfig { mode, ..lab.config() }).unwrap();
        push(&server, &[PRINTER]).await.unwrap();
        assert_eq!(server.check().await[0].detail, format!("{}, helper mode", lab.config().ssh));
    }
    fs::remove_file(lab.path("bin/surveyor-unbound-apply")).unwrap();
    let helper = Unbound::new(UnboundConfig { mode: Mode::Helper, ..lab.config() }).unwrap();
    let error = helper.state().await.unwrap_err();
    assert!(
        matches!(&error, DnsError::Setup { message, .. } if message.contains("was not found")),
        "{error}"
    );
    let auto = Unbound::new(UnboundConfig { mode: Mode::Auto, ..lab.config() }).unwrap();
    push(&auto, &[CAMERA]).await.unwrap().unwrap();
    assert_eq!(auto.check().await[0].detail, format!("{}, plain mode", lab.config().ssh));
}

#[tokio::test]
async fn a_stopped_daemon_is_not_touched() {
    let Some(lab) = running(&Setup::default()) else { return };
    let server = lab.client();
    push(&server, &[PRINTER]).await.unwrap();
    let before = fs::read_to_string(lab.include_file()).unwrap();
    let change = plan("ns1", &wanted(&[CAMERA]), Some(&before), &[]).unwrap().unwrap();
    lab.stop_unbound();
    assert!(matches!(server.state().await, Err(DnsError::NotRunning { .. })));
    assert!(matches!(server.replace(&change).await, Err(DnsError::NotRunning { .. })));
    assert_eq!(fs::read_to_string(lab.include_file()).unwrap(), before);
    let checks = server.check().await;
    let bad: Vec<_> = checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
    assert_eq!(bad, ["running"], "{checks:?}");
}

#[tokio::test]
async fn a_daemon_that_dies_is_brought_back() {
    // The daemon drops root and then may not read the folder any more: the check passes, the reload kills it.
    let setup = Setup { include: "include: \"{}/surveyor.conf\"", ..Setup::default() };
    let Some(lab) = Lab::start(&setup) else { return };
    if !fs::read_to_string("/proc/self/status").unwrap().contains("Uid:\t0") {
        println!("skipped: needs root");
        return;
    }
    let conf = fs::read_to_string(lab.path("unbound.conf")).unwrap();
    let conf = conf.replace("username: \"\"", "username: \"nobody\"");
    fs::write(lab.path("unbound.conf"), conf).unwrap();
    fs::write(lab.include_file(), render(&wanted(&[PRINTER]), "ns1")).unwrap();
    lab.start_unbound();
    fs::set_permissions(lab.path("conf.d"), fs::Permissions::from_mode(0o700)).unwrap();
    let error = push(&lab.client(), &[PRINTER, CAMERA]).await.unwrap_err();
    assert!(
        matches!(&error, DnsError::Failed { restored: true, message, .. } if message.contains("died")),
        "{error}"
    );
    assert!(lab.serves(PRINTER_LINE) && !lab.control(&["list_local_data"]).contains("camera"));
    assert_eq!(fs::read_to_string(lab.include_file()).unwrap(), render(&wanted(&[PRINTER]), "ns1"));
}

#[tokio::test]
async fn a_wrong_answer_takes_the_push_back() {
    // Somebody's view answers clients of 127.0.0.0/8 otherwise than the local data says.
    let setup = Setup {
        server: "access-control-view: 127.0.0.0/8 inside\nview:\n  name: inside\n  view-first: yes\n  \
                 local-data: \"camera.lan.example.org. 60 IN A 198.51.100.9\"\nserver:\n",
        ..Setup::default()
    };
    let Some(lab) = running(&setup) else { return };
    let server = lab.client();
    push(&server, &[PRINTER]).await.unwrap().unwrap();
    let error = push(&server, &[PRINTER, CAMERA]).await.unwrap_err();
    assert!(
        matches!(&error, DnsError::Failed { restored: true, message, .. } if message.contains("198.51.100.9")),
        "{error}"
    );
    assert!(lab.serves(PRINTER_LINE) && !lab.serves("camera.lan.example.org. 300 IN A 192.0.2.11"));
}

#[tokio::test]
async fn includes_of_every_kind() {
    for include in [
        "include: \"{}/surveyor.conf\"",
        "include-toplevel: {}/*",
        "include: \"conf.d/[s]*.conf\"",
        "include: \"main.d/nested.conf\"",
    ] {
        let Some(lab) = Lab::start(&Setup { include, ..Setup::default() }) else { return };
        fs::create_dir(lab.path("main.d")).unwrap();
        fs::write(
            lab.path("main.d/nested.conf"),
            "server: # here\n include: \n 'conf.d/surv*.conf' verbosity: 1\n".replace('\'', "\""),
        )
        .unwrap();
        fs::write(
            lab.path("conf.d/zother.conf"),
            "server:\n  local-data: \"other.example.org. A 192.0.2.99\"\n",
        )
        .unwrap();
        // Where the file itself is named, Unbound needs it from the start.
        if include.contains("surveyor") {
            fs::write(lab.include_file(), "").unwrap();
        }
        lab.start_unbound();
        push(&lab.client(), &[PRINTER]).await.unwrap_or_else(|error| panic!("{include}: {error}")).unwrap();
        assert!(lab.serves(PRINTER_LINE), "{include}");
        let checks = lab.client().check().await;
        assert!(checks.len() == 6 && checks.iter().all(|check| check.ok), "{include}: {checks:?}");
    }
    let Some(lab) = running(&Setup { include: "include: \"{}/x*.conf\"", ..Setup::default() }) else {
        return;
    };
    let error = push(&lab.client(), &[PRINTER]).await.unwrap_err();
    assert!(
        matches!(&error, DnsError::Setup { message, .. } if message.contains("does not include")),
        "{error}"
    );
    assert!(!lab.include_file().exists());
}

#[tokio::test]
async fn a_broken_configuration_is_not_blamed_on_us() {
    let Some(lab) = running(&Setup::default()) else { return };
    fs::write(lab.path("conf.d/broken.conf"), "server:\n  no-such-option: 1\n").unwrap();
    let error = push(&lab.client(), &[PRINTER]).await.unwrap_err();
    assert!(matches!(&error, DnsError::Setup { message, .. } if message.contains("is broken")), "{error}");
    assert!(!lab.include_file().exists());
    fs::remove_file(lab.path("conf.d/broken.conf")).unwrap();
    assert!(lab.control(&["status"]).contains("is running"));
}

#[tokio::test]
async fn text_stays_text() {
    let Some(lab) = running(&Setup { installed: true, ..Setup::default() }) else { return };
    let marker = lab.path("owned");
    let evil = format!(
        "$(touch {marker}) `touch {marker}` '; touch {marker}; ' \" \\n %s \\ ; | & > {marker} é \u{1F600}"
    );
    for mode in [Mode::Plain, Mode::Helper] {
        let server = Unbound::new(UnboundConfig { mode, ..lab.config() }).unwrap();
        let state = server.state().await.unwrap();
        let change = plan(&evil, &wanted(&[PRINTER]), state.content.as_deref(), &[]).unwrap();
        if let Some(change) = change {
            server.replace(&change).await.unwrap();
        }
        assert_eq!(fs::read_to_string(lab.include_file()).unwrap(), render(&wanted(&[PRINTER]), &evil));
        push(&server, &[]).await.unwrap();
    }
    assert!(!fs::exists(&marker).unwrap());
    for path in [
        "/etc/$(id)/x.conf",
        "relative.conf",
        "/etc/../x.conf",
        "/etc/x y.conf",
        "/etc/x\nverb: state",
        "/etc/'x'",
    ] {
        let config = UnboundConfig { include_file: path.to_owned(), ..lab.config() };
        assert!(matches!(Unbound::new(config), Err(DnsError::Setup { .. })), "{path}");
    }
}

#[tokio::test]
async fn many_records() {
    let Some(lab) = running(&Setup::default()) else { return };
    let desired: Vec<DesiredAddress> = (0..10_000u32)
        .map(|n| DesiredAddress {
            address: std::net::Ipv4Addr::from(0x0a00_0001 + n).into(),
            dns_name: format!("host-{n}.lan.example.org").parse().unwrap(),
            ttl: 300,
        })
        .collect();
    let server = lab.client();
    let change = plan("ns1", &records(&desired).0, None, &[]).unwrap().unwrap();
    server.replace(&change).await.unwrap();
    let state = server.state().await.unwrap();
    assert!(state.unserved.is_empty() && state.content.as_ref() == Some(&change.content));
    assert!(state.foreign.iter().all(|record| !record.owner.contains("example.org")));
}
