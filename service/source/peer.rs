//! Test support: starts a simulated device of `tests/lab/peers` and speaks to it for real, and finds recordings.
//!
//! What is not there (Python, openssl, the lab, the recordings) is said, and the test ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{Limits, Source, collect_all};
use crate::model::{Collection, Fact, FactKind, Timestamp};

/// What every peer takes as password or token secret.
const SECRET: &str = "correct horse";

/// A running peer with a folder of its own, in which a test may order faults.
pub(super) struct Peer {
    child: Child,
    folder: TempDir,
    /// `127.0.0.1:43210`.
    pub(super) address: String,
    /// Of its certificate, `sha256:..`.
    pub(super) fingerprint: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Peer {
    /// Starts `tests/lab/peers/NAME.py` on a copy of `tests/lab/networks/hq/NAME`.
    pub(super) fn start(name: &str, secret_option: &str, options: &[&str]) -> Option<Self> {
        Self::start_with(name, name, secret_option, options)
    }

    /// The same for a peer that shares the folder of another.
    pub(super) fn start_with(
        name: &str,
        network: &str,
        secret_option: &str,
        options: &[&str],
    ) -> Option<Self> {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab");
        let script = lab.join("peers").join(format!("{name}.py"));
        let network = lab.join("networks/hq").join(network);
        if !script.exists() || !network.exists() {
            println!("skipped: {} is not there", script.display());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        for file in fs::read_dir(network).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), data.join(file.file_name())).unwrap();
        }
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let fingerprint = self_signed(&cert, &key)?;
        let secret_file = folder.path().join("secret");
        fs::write(&secret_file, format!("{SECRET}\n")).unwrap();
        let started = Command::new("python3")
            .arg(script)
            .args(options)
            .arg(secret_option)
            .arg(&secret_file)
            .args(["--listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(&data)
            .arg("--cert")
            .arg(cert)
            .arg("--key")
            .arg(key)
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            println!("skipped: no python3");
            return None;
        };
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.trim().strip_prefix("ready https://").expect("the peer starts").to_owned();
        Some(Self { child, folder, address, fingerprint })
    }

    /// The file with the right secret.
    pub(super) fn secret_file(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// A file with a wrong secret.
    pub(super) fn wrong_secret_file(&self) -> PathBuf {
        let path = self.folder.path().join("wrong");
        fs::write(&path, "battery staple").unwrap();
        path
    }

    /// Replaces a file that the peer answers from, or `_faults.json`.
    pub(super) fn write(&self, name: &str, content: &serde_json::Value) {
        fs::write(self.folder.path().join("data").join(name), content.to_string()).unwrap();
    }

    /// The content of a file that the peer answers from.
    pub(super) fn read(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("data").join(name)).unwrap()).unwrap()
    }
}

fn self_signed(cert: &Path, key: &Path) -> Option<String> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=peer", "-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-out")
        .arg(cert)
        .arg("-keyout")
        .arg(key)
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no openssl that makes a certificate");
        return None;
    }
    let der = Command::new("openssl").args(["x509", "-outform", "der", "-in"]).arg(cert).output().unwrap();
    Some(format!("sha256:{}", hex::encode(Sha256::digest(&der.stdout))))
}

/// Reads one source, as the program does.
pub(super) async fn collect(source: Box<dyn Source>) -> Collection {
    let limits = Limits { concurrency: 1, timeout: Duration::from_secs(50) };
    collect_all(&[source], Timestamp(1_700_000_000_000), limits).await.remove(0)
}

/// What the gaps are about, sorted.
pub(super) fn gap_kinds(collection: &Collection) -> Vec<FactKind> {
    let mut kinds: Vec<FactKind> = collection.gaps.iter().map(|gap| gap.facts).collect();
    kinds.sort();
    kinds
}

/// The networks that a collection says its hosts are in, sorted.
pub(super) fn networks(collection: &Collection) -> Vec<String> {
    let mut found: Vec<String> = collection
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Network { prefix, interface } => {
                Some(format!("{prefix} {}", interface.as_deref().unwrap_or_default()))
            }
            _ => None,
        })
        .collect();
    found.sort();
    found
}

/// A recording, as JSON.
pub(super) fn recording(name: &str) -> Option<serde_json::Value> {
    let path = recordings()?.join(name);
    Some(serde_json::from_slice(&fs::read(&path).unwrap_or_else(|_| panic!("{}", path.display()))).unwrap())
}

/// A recording, as it came.
pub(super) fn recorded_bytes(name: &str) -> Option<Vec<u8>> {
    Some(fs::read(recordings()?.join(name)).unwrap())
}

/// `SURVEYOR_RECORDINGS`, or the folder beside the project.
fn recordings() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings");
    let folder = std::env::var_os("SURVEYOR_RECORDINGS").map_or_else(beside, PathBuf::from);
    if !folder.exists() {
        println!("skipped: no recordings in {}", folder.display());
        return None;
    }
    Some(folder)
}
