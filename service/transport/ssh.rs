//! Commands on a remote host over SSH, with the host key checked and every step bounded. Knows nothing of what runs.
//!
//! The only file that talks to russh. Host keys: the pin of the configuration, or else `known_hosts`; a key is never
//! trusted because it was seen first. RSA keys (of hosts and of users) do not work: the one pure Rust implementation
//! has an unfixed timing leak (RUSTSEC-2023-0071), so it is not compiled in.

mod known_hosts;
mod session;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{
    Algorithm, EcdsaCurve, Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey,
    PublicKeyOrCertificate, decode_secret_key,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

use known_hosts::Recorded;
pub use session::{Limits, Output};
pub use target::{InvalidTarget, SshTarget};

/// Host and user keys that can be used, most preferred first.
const KEY_ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
];

/// Said of a private key.
const RSA: &str = "is an RSA key, which is not supported; hint: make one with `ssh-keygen -t ed25519`";

/// A silent peer is asked this often whether it is still there; russh gives up after three unanswered questions.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How one host is reached and trusted.
#[derive(Debug, Clone)]
pub struct SshConfig {
    /// Who, where.
    pub target: SshTarget,
    /// The private key, OpenSSH or PKCS#8 PEM, without a passphrase.
    pub identity_file: PathBuf,
    /// Host keys, as OpenSSH writes them. Not read when `host_key` is set.
    pub known_hosts_file: Option<PathBuf>,
    /// The pinned host key: `SHA256:..` as `ssh-keygen -l` prints it.
    pub host_key: Option<String>,
    /// For each of: connecting, the handshake, logging in, starting the command.
    pub timeout: Duration,
}

/// What is wrong with how the host key is to be checked, before anything is tried: the pinned key, and whether there is a file
/// of known hosts.
pub fn host_key_fault(host_key: Option<&str>, has_known_hosts: bool) -> Option<String> {
    match host_key {
        Some(pin) if !pin.strip_prefix("SHA256:").is_some_and(|hash| (43..=44).contains(&hash.len())) => {
            Some(format!("`{pin}` is no host key; hint: \"SHA256:..\" as `ssh-keygen -lf` prints it"))
        }
        None if !has_known_hosts => {
            Some("no host key can be checked; hint: set known_hosts_file or host_key".to_owned())
        }
        _ => None,
    }
}

/// Why a command did not run, or its result is not known.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// No connection, no name, or one that ended before the login: nothing has run. Passes by itself.
    #[error("cannot reach `{target}` over SSH")]
    Unreachable {
        /// Where.
        target: SshTarget,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// One step took too long.
    #[error("`{target}` timed out while {step}")]
    Timeout {
        /// Where.
        target: SshTarget,
        /// Which step.
        step: &'static str,
        /// Whether the command had been started: then its effect is not known.
        started: bool,
    },
    /// A key other than the recorded one: a reinstalled host, or somebody in between.
    #[error(
        "the host key of `{target}` is not the one in {recorded}: seen {algorithm} {seen}; hint: if the host was \
         reinstalled, compare with `ssh-keygen -lf` on its console, then replace the recorded key"
    )]
    HostKeyChanged {
        /// Where.
        target: SshTarget,
        /// Fingerprint of the key that was seen.
        seen: String,
        /// Its algorithm.
        algorithm: String,
        /// Where another one is recorded.
        recorded: String,
    },
    /// No key is recorded for this host.
    #[error(
        "the host key of `{target}` is not known: seen {seen}{note}; hint: compare with `ssh-keygen -lf` on its \
         console, then set host_key = \"{seen}\" or add this line to {known_hosts}: {line}"
    )]
    HostKeyUnknown {
        /// Where.
        target: SshTarget,
        /// Fingerprint of the key that was seen.
        seen: String,
        /// What else matters, or nothing.
        note: &'static str,
        /// The file where it would be recorded.
        known_hosts: String,
        /// The line that would record it.
        line: String,
    },
    /// `known_hosts` cannot be read.
    #[error("known_hosts file `{}` cannot be read", path.display())]
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The server refused the key.
    #[error(
        "`{target}` refused the key in `{}` for user `{}`; hint: add the line from `ssh-keygen -y -f` to that user's \
         authorized_keys (the server accepts: {methods})", key_file.display(), target.user
    )]
    AuthRefused {
        /// Where and who.
        target: SshTarget,
        /// The private key that was tried.
        key_file: PathBuf,
        /// Methods that the server would accept.
        methods: String,
    },
    /// The private key cannot be used.
    #[error("private key `{}` {why}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with a hint.
        why: String,
    },
    /// The two sides do not agree on anything, or the peer is no SSH server.
    #[error("`{target}` does not speak SSH as expected")]
    Protocol {
        /// Where.
        target: SshTarget,
        /// What was wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection ended, or the command was killed, before there was an exit status: its effect is not known.
    #[error("the command on `{target}` ended without an exit status: {why}")]
    Lost {
        /// Where.
        target: SshTarget,
        /// What was seen last.
        why: String,
    },
    /// More output than allowed. The command may have finished.
    #[error("the command on `{target}` printed more than {limit} bytes")]
    TooMuchOutput {
        /// Where.
        target: SshTarget,
        /// The limit.
        limit: usize,
    },
}

impl SshError {
    /// Whether the same call may work later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. } | Self::Lost { .. })
    }

    /// Whether the command may have run, so that its effect has to be looked at.
    pub fn may_have_run(&self) -> bool {
        matches!(self, Self::Timeout { started: true, .. } | Self::Lost { .. } | Self::TooMuchOutput { .. })
    }
}

/// Runs `command` (through the login shell of the user, or as what a forced command sees), writes `stdin`, closes it, and waits
/// for the exit status.
pub async fn run(
    config: &SshConfig,
    command: &str,
    stdin: &[u8],
    limits: &Limits,
) -> Result<Output, SshError> {
    let session = Session::open(config).await?;
    let output = session.run(command, stdin, limits).await;
    session.close().await;
    output
}

/// An open connection, logged in, for several commands one after the other.
pub struct Session {
    connection: Handle<Peer>,
    config: SshConfig,
}

impl Session {
    /// Connects, checks the host key, logs in.
    pub async fn open(config: &SshConfig) -> Result<Self, SshError> {
        let key = Arc::new(private_key(config).await?);
        let mut connection = connect(config).await?;
        log_in(&mut connection, config, key).await?;
        Ok(Self { connection, config: config.clone() })
    }

    /// As [`run`], on this connection. After an error that [`SshError::is_transient`] calls so the connection is of no use.
    pub async fn run(&self, command: &str, stdin: &[u8], limits: &Limits) -> Result<Output, SshError> {
        session::exec(&self.connection, &self.config, command, stdin, limits).await
    }

    /// Says goodbye. The answers are complete; a peer that does not take it changes nothing.
    pub async fn close(self) {
        let goodbye = self.connection.disconnect(russh::Disconnect::ByApplication, "", "en");
        _ = timeout(Duration::from_secs(1), goodbye).await;
    }
}

async fn private_key(config: &SshConfig) -> Result<PrivateKey, SshError> {
    let path = &config.identity_file;
    let wrong = |why: &str| SshError::KeyFile { path: path.clone(), why: why.to_owned() };
    let bytes = tokio::fs::read(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("does not exist; hint: correct identity_file"),
        _ => wrong(&format!("cannot be read: {error}; hint: the user running surveyor must own it")),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not a PEM text; hint: the wrong file?"))?;
    if !text.contains("-----BEGIN ") {
        return Err(wrong(if text.trim_start().starts_with("ssh-") || text.starts_with("ecdsa-") {
            "is a public key; hint: name the file without .pub"
        } else {
            "is not a private key; hint: a file that begins with BEGIN OPENSSH PRIVATE KEY"
        }));
    }
    let encrypted =
        "has a passphrase; hint: use a key of its own without one (`ssh-keygen -t ed25519 -N ''`), mode 0600";
    // Without a password, the text of an encrypted PKCS#8 key only fails as malformed.
    if text.contains("BEGIN ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong(encrypted));
    }
    let key = decode_secret_key(&text, None).map_err(|error| match error {
        KeyError::KeyIsEncrypted => wrong(encrypted),
        KeyError::UnsupportedKeyType { .. } => wrong(RSA),
        other => wrong(&format!("cannot be read as a private key: {other}")),
    })?;
    if key.is_encrypted() {
        return Err(wrong(encrypted));
    }
    match key.algorithm() {
        Algorithm::Rsa { .. } => Err(wrong(RSA)),
        algorithm if KEY_ALGORITHMS.contains(&algorithm) => Ok(key),
        other => Err(wrong(&format!("is a {other} key, which is not supported; hint: ed25519"))),
    }
}

/// What the host key must be.
enum Expected {
    Pin(String),
    Recorded(Recorded),
}

/// The peer as russh sees it: accepts only the expected key and hands back the one it saw.
struct Peer {
    expected: Arc<Expected>,
}

/// Why a connection was not made.
enum Refusal {
    Key(Box<PublicKey>),
    Ssh(russh::Error),
}

impl From<russh::Error> for Refusal {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "host key {}", fingerprint(key)),
            Self::Ssh(error) => error.fmt(f),
        }
    }
}

impl client::Handler for Peer {
    type Error = Refusal;

    async fn check_server_key(&mut self, seen: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        let key = seen.public_key();
        let accepted = match &*self.expected {
            Expected::Pin(pin) => fingerprint(&key) == *pin,
            Expected::Recorded(recorded) => recorded.accepts(&key),
        };
        if accepted && seen.certificate().is_none() { Ok(true) } else { Err(Refusal::Key(Box::new(key))) }
    }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

async fn connect(config: &SshConfig) -> Result<Handle<Peer>, SshError> {
    let expected = Arc::new(match (&config.host_key, &config.known_hosts_file) {
        (Some(pin), _) => Expected::Pin(pin.trim_end_matches('=').to_owned()),
        (None, Some(path)) => Expected::Recorded(
            Recorded::read(path, &config.target)
                .await
                .map_err(|source| SshError::KnownHosts { path: path.clone(), source })?,
        ),
        (None, None) => Expected::Recorded(Recorded::default()),
    });
    // A server shows one key, the first of our list that it has. A pin does not say of which algorithm it is, so the
    // others are asked for in turn; recorded keys are asked for first, and only a server without them shows another.
    let mut algorithms: Vec<Algorithm> = match &*expected {
        Expected::Recorded(recorded) if !recorded.algorithms().is_empty() => recorded.algorithms(),
        _ => KEY_ALGORITHMS.to_vec(),
    };
    let mut widened = false;
    let mut first_seen: Option<Box<PublicKey>> = None;
    loop {
        match attempt(config, &expected, algorithms.clone()).await? {
            Ok(connection) => return Ok(connection),
            Err(Refusal::Key(key)) => {
                algorithms.retain(|algorithm| *algorithm != key.algorithm());
                let seen = first_seen.get_or_insert(key);
                if matches!(*expected, Expected::Recorded(_)) || algorithms.is_empty() {
                    return Err(untrusted(config, &expected, seen));
                }
            }
            Err(Refusal::Ssh(error @ russh::Error::NoCommonAlgo { .. })) => match &first_seen {
                Some(seen) => return Err(untrusted(config, &expected, seen)),
                None if widened || algorithms.len() == KEY_ALGORITHMS.len() => {
                    return Err(protocol(config, error));
                }
                None => {
                    algorithms = KEY_ALGORITHMS.to_vec();
                    widened = true;
                }
            },
            Err(Refusal::Ssh(error)) => return Err(broken(config, error)),
        }
    }
}

/// One connection and handshake.
async fn attempt(
    config: &SshConfig,
    expected: &Arc<Expected>,
    algorithms: Vec<Algorithm>,
) -> Result<Result<Handle<Peer>, Refusal>, SshError> {
    let target = &config.target;
    let late = |step| SshError::Timeout { target: target.clone(), step, started: false };
    let stream = timeout(config.timeout, TcpStream::connect((target.host.as_str(), target.port)))
        .await
        .map_err(|_| late("connecting"))?
        .map_err(|error| SshError::Unreachable { target: target.clone(), source: error.into() })?;
    let settings = client::Config {
        client_id: russh::SshId::Standard("SSH-2.0-Surveyor".into()),
        preferred: russh::Preferred { key: algorithms.into(), ..russh::Preferred::DEFAULT },
        keepalive_interval: Some(KEEPALIVE),
        nodelay: true,
        ..client::Config::default()
    };
    let peer = Peer { expected: Arc::clone(expected) };
    timeout(config.timeout, client::connect_stream(Arc::new(settings), stream, peer))
        .await
        .map_err(|_| late("exchanging keys"))
}

fn untrusted(config: &SshConfig, expected: &Expected, key: &PublicKey) -> SshError {
    let (target, seen) = (config.target.clone(), fingerprint(key));
    let algorithm = key.algorithm().to_string();
    let file = config
        .known_hosts_file
        .as_ref()
        .map_or_else(|| "a known_hosts_file".to_owned(), |path| format!("`{}`", path.display()));
    match expected {
        Expected::Pin(pin) => {
            SshError::HostKeyChanged { target, seen, algorithm, recorded: format!("host_key ({pin})") }
        }
        Expected::Recorded(recorded) if !recorded.algorithms().is_empty() || recorded.revokes(key) => {
            SshError::HostKeyChanged { target, seen, algorithm, recorded: file }
        }
        Expected::Recorded(recorded) => {
            let note = if recorded.has_unsupported() {
                " (only a key of an unsupported kind, such as RSA, is recorded)"
            } else {
                ""
            };
            let encoded = PublicKey::new(key.key_data().clone(), "").to_openssh().unwrap_or_default();
            let line = format!("{} {}", config.target.known_hosts_name(), encoded.trim_end());
            SshError::HostKeyUnknown { target, seen, note, known_hosts: file, line }
        }
    }
}

fn protocol(config: &SshConfig, error: russh::Error) -> SshError {
    SshError::Protocol { target: config.target.clone(), source: error.into() }
}

/// A connection that ended before the login: the network, or a peer that is no SSH server.
fn broken(config: &SshConfig, error: russh::Error) -> SshError {
    match error {
        russh::Error::IO(_) | russh::Error::HUP | russh::Error::Disconnect | russh::Error::SendError => {
            SshError::Unreachable { target: config.target.clone(), source: error.into() }
        }
        other => protocol(config, other),
    }
}

async fn log_in(
    connection: &mut Handle<Peer>,
    config: &SshConfig,
    key: Arc<PrivateKey>,
) -> Result<(), SshError> {
    let target = &config.target;
    let login =
        connection.authenticate_publickey(target.user.as_str(), PrivateKeyWithHashAlg::new(key, None));
    let late = |_| SshError::Timeout { target: target.clone(), step: "logging in", started: false };
    match timeout(config.timeout, login).await.map_err(late)? {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { remaining_methods, .. }) => {
            let methods: Vec<String> =
                remaining_methods.iter().map(|method| <&str>::from(method).to_owned()).collect();
            Err(SshError::AuthRefused {
                target: target.clone(),
                key_file: config.identity_file.clone(),
                methods: if methods.is_empty() { "nothing".to_owned() } else { methods.join(", ") },
            })
        }
        Err(error) => Err(broken(config, error)),
    }
}
