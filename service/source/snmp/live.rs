//! The source against a real agent over UDP: snmpsim (`PyPI`) serving the recordings, started from here when
//! `SURVEYOR_SNMPSIM` names its `snmpsim-command-responder`. What comes over the wire must read as the recording does.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::{Collection, FactKind, SourceName, Timestamp};
use crate::source::Source;

use super::credentials::{AuthProtocol, Credentials, PrivProtocol, Version};
use super::{Config, recording};

const PASSWORD_AUTH: &str = "authpass123";
const PASSWORD_PRIV: &str = "privpass123";

/// A running agent with its folder.
pub(super) struct Agent {
    process: Child,
    folder: tempfile::TempDir,
    pub(super) address: SocketAddr,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Starts snmpsim on the given `(community, recording)` pairs; `None`, with a printed line, where it is not installed.
pub(super) fn agent(files: &[(&str, PathBuf)]) -> Option<Agent> {
    let Some(program) = std::env::var_os("SURVEYOR_SNMPSIM") else {
        println!("skipped: SURVEYOR_SNMPSIM does not name an snmpsim-command-responder");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let cache = folder.path().join("cache");
    for folder in [&data, &cache] {
        std::fs::create_dir(folder).unwrap();
    }
    for (community, source) in files {
        std::fs::write(data.join(format!("{community}.snmprec")), snmprec_of(source)).unwrap();
    }
    // It drops root's rights before it reads anything, so its folders must be open to others.
    open_to_others(folder.path());
    // Free now; taken again by snmpsim a moment later.
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = Command::new(program);
    command
        .args([
            "--process-user=nobody",
            "--process-group=nogroup",
            "--logging-method=stderr",
            "--log-level=error",
        ])
        .arg(format!("--cache-dir={}", cache.display()))
        .args(["--v3-engine-id=auto", "--v3-user=sha256aes"])
        .args([format!("--v3-auth-key={PASSWORD_AUTH}"), "--v3-auth-proto=SHA256".to_owned()])
        .args([format!("--v3-priv-key={PASSWORD_PRIV}"), "--v3-priv-proto=AES".to_owned()]);
    for (user, auth, privacy) in [
        ("sha1aes256", "SHA", "AES256BLMT"),
        ("sha1aes256c", "SHA", "AES256"),
        ("sha512aes192", "SHA512", "AES192BLMT"),
        ("md5aes", "MD5", "AES"),
    ] {
        command
            .args([format!("--v3-user={user}"), format!("--v3-auth-key={PASSWORD_AUTH}")])
            .args([format!("--v3-auth-proto={auth}"), format!("--v3-priv-key={PASSWORD_PRIV}")])
            .arg(format!("--v3-priv-proto={privacy}"));
    }
    command
        .arg(format!("--data-dir={}", data.display()))
        .arg(format!("--agent-udpv4-endpoint={address}"))
        .stdout(Stdio::null())
        .stderr(log);
    let agent = Agent { process: command.spawn().unwrap(), folder, address };
    agent.wait_until_ready(files[0].0);
    Some(agent)
}

#[cfg(unix)]
fn open_to_others(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let open =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(folder, 0o755);
    open(&folder.join("cache"), 0o777);
    for entry in std::fs::read_dir(folder.join("data")).unwrap() {
        open(&entry.unwrap().path(), 0o644);
    }
    open(&folder.join("data"), 0o755);
}

/// A recording as snmpsim serves it; net-snmp's text is converted by the same reader the parser tests use.
fn snmprec_of(path: &Path) -> Vec<u8> {
    if path.extension().is_some_and(|extension| extension == "snmprec") {
        return std::fs::read(path).unwrap();
    }
    recording::to_snmprec(path)
}

impl Agent {
    /// Asks until it answers; indexing a large recording takes seconds.
    fn wait_until_ready(&self, community: &str) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        let question = get_next(community);
        while Instant::now() < deadline {
            // A refused datagram comes back as an error of the next call; both only mean "not yet".
            let _sent = socket.send_to(&question, self.address);
            if socket.recv_from(&mut [0; 2048]).is_ok() {
                return;
            }
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("snmpsim does not answer on {}: {log}", self.address);
    }

    fn secret(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn community(&self, community: &str) -> Credentials {
        Credentials {
            name: "test".to_owned(),
            version: Version::V2c,
            community_file: Some(self.secret("community", community)),
            ..empty()
        }
    }

    fn user(&self, name: &str, auth: AuthProtocol, privacy: PrivProtocol, context: &str) -> Credentials {
        Credentials {
            name: "test".to_owned(),
            version: Version::V3,
            username: Some(name.to_owned()),
            auth_protocol: Some(auth),
            auth_password_file: Some(self.secret("auth", PASSWORD_AUTH)),
            priv_protocol: Some(privacy),
            priv_password_file: Some(self.secret("priv", PASSWORD_PRIV)),
            context: Some(context.to_owned()),
            allow_weak: true,
            ..empty()
        }
    }
}

fn empty() -> Credentials {
    Credentials {
        name: String::new(),
        version: Version::V2c,
        community_file: None,
        username: None,
        auth_protocol: None,
        auth_password_file: None,
        priv_protocol: None,
        priv_password_file: None,
        context: None,
        allow_weak: false,
    }
}

/// GETNEXT of 1.3 as SNMP v2c, by hand: the test must not wait with the code it tests.
fn get_next(community: &str) -> Vec<u8> {
    let varbind = [0x30, 0x05, 0x06, 0x01, 0x2b, 0x05, 0x00];
    let mut pdu = vec![
        0x02,
        0x01,
        0x01,
        0x02,
        0x01,
        0x00,
        0x02,
        0x01,
        0x00,
        0x30,
        u8::try_from(varbind.len()).unwrap(),
    ];
    pdu.extend(varbind);
    let mut message = vec![0x02, 0x01, 0x01, 0x04, u8::try_from(community.len()).unwrap()];
    message.extend(community.as_bytes());
    message.extend([0xa1, u8::try_from(pdu.len()).unwrap()]);
    message.extend(pdu);
    [vec![0x30, u8::try_from(message.len()).unwrap()], message].concat()
}

pub(super) fn config(address: SocketAddr) -> Config {
    Config {
        name: SourceName::new("sw1"),
        address: Some(address.to_string()),
        from_netbox: None,
        port: None,
        credentials: "test".to_owned(),
        timeout_seconds: 3,
        retries: 1,
        max_repetitions: 25,
        max_rows: 100_000,
    }
}

pub(super) fn source(config: Config, credentials: &Credentials) -> Box<dyn Source> {
    config.build_with(credentials).unwrap()
}

pub(super) async fn collect(source: &dyn Source) -> Collection {
    let mut sink = Collection::new(SourceName::new("sw1"), Timestamp(0));
    source.collect(&mut sink).await;
    sink
}

/// Everything but the address it was read at, which a recording does not know.
pub(super) fn comparable(sink: &Collection) -> Vec<String> {
    let line = |fact| {
        let mut json = serde_json::to_value(fact).unwrap();
        if json["fact"] == "device" {
            json["address"] = serde_json::Value::Null;
        }
        json.to_string()
    };
    let mut lines: Vec<String> = sink.observations().map(line).collect();
    lines.sort();
    lines
}

/// The same lines; only those that differ are printed.
pub(super) fn assert_same(found: &[String], expected: &[String], of: &str) {
    let only = |lines: &[String], others: &[String]| -> Vec<String> {
        lines.iter().filter(|line| !others.contains(line)).cloned().collect()
    };
    let (more, less) = (only(found, expected), only(expected, found));
    assert!(found == expected, "{of}: unexpected {more:#?}, missing {less:#?}");
}

pub(super) fn recorded(name: &str) -> Option<PathBuf> {
    Some(recording::folder()?.join("snmp").join(name).with_extension("snmprec"))
}

fn recorded_all() -> Option<Vec<(String, PathBuf)>> {
    let files = std::fs::read_dir(recording::folder()?.join("snmp")).unwrap();
    let mut named: Vec<(String, PathBuf)> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "snmprec"))
        .enumerate()
        .map(|(number, path)| (format!("c{number}"), path))
        .collect();
    named.sort();
    Some(named)
}

#[tokio::test]
async fn every_recording_reads_the_same_over_the_wire() {
    let Some(files) = recorded_all() else { return };
    let named: Vec<_> = files.iter().map(|(name, path)| (name.as_str(), path.clone())).collect();
    let Some(agent) = agent(&named) else { return };
    for (community, path) in &files {
        let started = Instant::now();
        let sink = collect(&*source(config(agent.address), &agent.community(community))).await;
        let expected = recording::parse(&recording::read(path), "sw1");
        println!(
            "{:40} {:>5} rows {:>4} facts {:>5} ms",
            path.file_stem().unwrap().display(),
            sink.fdb.len(),
            sink.facts.len(),
            started.elapsed().as_millis()
        );
        assert_same(&comparable(&sink), &comparable(&expected), &path.display().to_string());
        // The VLAN contexts of IOS switches are not recorded: that is a gap, and the only one.
        assert!(
            sink.gaps.iter().all(|gap| gap.facts == FactKind::Fdb && gap.reason.contains("VLAN")),
            "{:?}",
            sink.gaps
        );
    }
}

#[tokio::test]
async fn version_3_reads_what_version_2_reads() {
    let Some(path) = recorded("procurve_2520") else { return };
    let Some(agent) = agent(&[("sw", path.clone())]) else { return };
    let expected = comparable(&recording::parse(&recording::read(&path), "sw1"));
    for (user, auth, privacy) in [
        ("sha256aes", AuthProtocol::Sha256, PrivProtocol::Aes128),
        ("sha1aes256", AuthProtocol::Sha1, PrivProtocol::Aes256),
        ("sha1aes256c", AuthProtocol::Sha1, PrivProtocol::Aes256Cisco),
        ("sha512aes192", AuthProtocol::Sha512, PrivProtocol::Aes192),
        ("md5aes", AuthProtocol::Md5, PrivProtocol::Aes128),
    ] {
        let sink = collect(&*source(config(agent.address), &agent.user(user, auth, privacy, "sw"))).await;
        assert!(sink.gaps.is_empty(), "{user}: {:?}", sink.gaps);
        assert_same(&comparable(&sink), &expected, user);
    }
}

#[tokio::test]
async fn wrong_credentials_are_one_gap_that_says_so() {
    let Some(path) = recorded("swos_css326-24g-2s+") else { return };
    let Some(agent) = agent(&[("sw", path)]) else { return };
    let quick = || Config { timeout_seconds: 1, retries: 0, ..config(agent.address) };
    let wrong_password = Credentials {
        auth_password_file: Some(agent.secret("wrong", "not-the-password")),
        ..agent.user("sha256aes", AuthProtocol::Sha256, PrivProtocol::Aes128, "sw")
    };
    let wrong_cipher = Credentials {
        priv_password_file: Some(agent.secret("wrong", "not-the-password")),
        ..agent.user("sha256aes", AuthProtocol::Sha256, PrivProtocol::Aes128, "sw")
    };
    for (credentials, reason) in [
        (agent.community("wrong"), "no answer within 1 s (1 tries)"),
        (agent.user("nobody", AuthProtocol::Sha256, PrivProtocol::Aes128, "sw"), "unknown user name"),
        (wrong_password, "wrong authentication password"),
        (wrong_cipher, "wrong encryption password"),
    ] {
        let source = source(quick(), &credentials);
        let sink = collect(&*source).await;
        assert!(sink.facts.is_empty());
        let [gap] = sink.gaps.as_slice() else { panic!("{:?}", sink.gaps) };
        assert_eq!(gap.facts, FactKind::All);
        assert!(gap.reason.contains(reason), "{}", gap.reason);
        let checks = source.check().await;
        assert!(
            checks.len() == 1 && checks[0].outcome.as_ref().is_err_and(|why| why.contains(reason)),
            "{checks:?}"
        );
    }
}

#[tokio::test]
async fn doctor_says_what_it_can_read() {
    let Some(path) = recorded("arubaos-cx") else { return };
    let Some(agent) = agent(&[("sw", path)]) else { return };
    let checks = source(config(agent.address), &agent.community("sw")).check().await;
    assert_eq!(checks.len(), 4);
    assert!(checks.iter().all(|check| check.outcome.is_ok()), "{checks:?}");
    assert!(checks[0].outcome.as_ref().unwrap().contains("Aruba JL635A"), "{checks:?}");
}

#[tokio::test]
async fn cisco_vlans_are_asked_for_one_by_one() {
    let Some(folder) = recording::folder() else { return };
    let walk = |name: &str| folder.join("topology/nms0002ciscojuniper").join(format!("{name}.snmpwalk"));
    let Some(agent) = agent(&[
        ("cisco", walk("s-de-juet-luck-001")),
        ("cisco@100", walk("s-de-juet-luck-001@100")),
        ("cisco@950", walk("s-de-juet-luck-001@950")),
        ("vlan-100", walk("s-de-juet-luck-001@100")),
        ("vlan-950", walk("s-de-juet-luck-001@950")),
    ]) else {
        return;
    };
    for credentials in [
        agent.community("cisco"),
        agent.user("sha256aes", AuthProtocol::Sha256, PrivProtocol::Aes128, "cisco"),
    ] {
        let quick = Config { timeout_seconds: 1, retries: 0, ..config(agent.address) };
        let sink = collect(&*source(quick, &credentials)).await;
        let vlans = |wanted| sink.fdb.rows().filter(|(_, _, vlan)| *vlan == Some(wanted)).count();
        assert_eq!((vlans(100), vlans(950)), (10, 29), "{:?}: {:?}", credentials.version, sink.gaps);
        assert!(sink.fdb.ports().iter().all(|port| port.port.is_ok()));
        // VLAN 1 is what the default context shows: its own is not asked for.
        assert!(sink.gaps.is_empty(), "{:?}", sink.gaps);
        let checks = source(config(agent.address), &credentials).check().await;
        let vlans = checks.last().unwrap();
        assert!(vlans.outcome.as_ref().is_ok_and(|said| said == "VLAN 100 is readable"), "{checks:?}");
    }
}
