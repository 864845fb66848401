//! One Unbound server: its state, the replacement of its include file, and what `doctor` asks.
//!
//! All the work on the server is one POSIX shell script, `surveyor-unbound-apply`, in one of two modes:
//!
//! - **helper**: the script is installed there. Best as the forced command of the key (its first lines show how): then
//!   the server ignores what is asked for and the key can do nothing but replace this one file.
//! - **plain**: nothing is installed; the same script is the text of the command. The key can then run anything as that
//!   user, so whoever takes it has a shell. Needs a POSIX login shell.
//!
//! In both, what varies (paths, names, the file) is one document on stdin, so no shell is ever given text from outside
//! this program, and a record cannot become a command. The user on the server must be able to write the folder of the
//! include file and to use `unbound-control` (on Debian: group `unbound`, or a forced command through `sudo`).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;

use super::config::{Mode, UnboundConfig, fault};
use super::error::DnsError;
use super::protocol::{self, Answer, Refusal, Verb};
use super::{query, served};
use crate::plan::dns::{FileText, ForeignRecord, Record, ReplaceFile, parse};
use crate::transport::chain;
use crate::transport::ssh::{self, Limits, SshConfig};

/// The script, also for `surveyor` to print for whoever installs it.
pub const HELPER: &str = include_str!("surveyor-unbound-apply");

/// What the helper is called on the server.
const HELPER_NAME: &str = "surveyor-unbound-apply";

/// The command itself: it may wait 20 s for the lock, 60 s for `unbound-control` and 10 s for a restart.
const COMMAND_TIME: Duration = Duration::from_secs(150);

/// What a server serves besides our file can be large where it blocks advertisers: half a million records fit.
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// Enough of stderr to see why a command failed.
const MAX_STDERR: usize = 4096;

/// The exit status of a POSIX shell that does not find the command.
const NOT_FOUND: u32 = 127;

/// What a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    /// The include file, `None` when there is none.
    pub content: Option<String>,
    /// What is served and not in that file.
    pub foreign: Vec<ForeignRecord>,
    /// What is in that file and not served: the daemon has not read it.
    pub unserved: Vec<Record>,
    /// Unbound's version.
    pub version: String,
}

/// A push that worked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Removed records that are still served, because somebody else's configuration has them too.
    pub still_served: Option<String>,
    /// Why the server could not be asked from here, where it was to be.
    pub unverified: Option<String>,
}

/// One finding of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Check {
    /// What was looked at: `ssh`, `running`, `configuration`, `included`, `writable`, `ours`.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// The finding in words.
    pub detail: String,
}

/// One server.
#[derive(Debug)]
pub struct Unbound {
    config: UnboundConfig,
    ssh: SshConfig,
    /// Set once the helper was not found in `auto` mode.
    plain: AtomicBool,
}

impl Unbound {
    /// Checks the configuration; connects to nothing.
    pub fn new(config: UnboundConfig) -> Result<Self, DnsError> {
        if let Some(message) = fault(&config) {
            return Err(DnsError::Setup { server: config.name, message });
        }
        let ssh = SshConfig {
            target: config.ssh.clone(),
            identity_file: config.identity_file.clone(),
            known_hosts_file: config.known_hosts_file.clone(),
            host_key: config.host_key.clone(),
            timeout: Duration::from_secs(config.timeout_seconds.max(1)),
        };
        let plain = AtomicBool::new(config.mode == Mode::Plain);
        Ok(Self { config, ssh, plain })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Reads the include file and what the daemon serves.
    pub async fn state(&self) -> Result<ServerState, DnsError> {
        let Answer::State { version, content, data, zones } = self.ask(&Verb::State).await? else {
            return Err(self.malformed("no state"));
        };
        let ours = match content.as_deref().map(parse) {
            Some(FileText::Ours(records) | FileText::Damaged { records, .. }) => records,
            _ => BTreeSet::new(),
        };
        let (foreign, unserved) = served::compare(&data, &zones, &ours);
        Ok(ServerState { content, foreign, unserved, version })
    }

    /// Replaces the include file, or leaves everything as it was. Safe to send again: the second time the file is not the
    /// one the change starts from, which is [`DnsError::Changed`].
    pub async fn replace(&self, change: &ReplaceFile) -> Result<Replaced, DnsError> {
        let before = match &self.config.query {
            Some(server) => Some((server, query::before(server, &change.probes).await)),
            None => None,
        };
        let Answer::Replaced { still_served } = self.ask(&Verb::Replace(change)).await? else {
            return Err(self.malformed("nothing of the replacement"));
        };
        let still_served = (!still_served.is_empty()).then_some(still_served);
        let Some((server, before)) = before else { return Ok(Replaced { still_served, unverified: None }) };
        match query::after(server, &change.probes, before).await {
            Ok(()) => Ok(Replaced { still_served, unverified: None }),
            Err(query::Doubt::CannotAsk(why)) => Ok(Replaced { still_served, unverified: Some(why) }),
            Err(query::Doubt::Wrong(message)) => {
                let restored = self.ask(&Verb::Restore { from_hash: &change.to_hash }).await.is_ok();
                Err(DnsError::Failed { server: self.config.name.clone(), message, restored })
            }
        }
    }

    /// Everything that a push needs, one by one.
    pub async fn check(&self) -> Vec<Check> {
        let ssh = |ok, detail| Check { name: "ssh".to_owned(), ok, detail };
        match self.ask(&Verb::Check).await {
            Ok(Answer::Checked(found)) => {
                let mode = if self.plain.load(Ordering::Relaxed) { "plain" } else { "helper" };
                let mut checks = vec![ssh(true, format!("{}, {mode} mode", self.config.ssh))];
                checks.extend(found);
                checks
            }
            Ok(_) => vec![ssh(false, self.malformed("no checks").to_string())],
            Err(DnsError::Ssh { source, .. }) => vec![ssh(false, chain(source.as_ref()))],
            Err(error) => vec![
                ssh(true, self.config.ssh.to_string()),
                Check { name: "setup".to_owned(), ok: false, detail: chain(&error) },
            ],
        }
    }

    /// Sends one document and reads the answer.
    async fn ask(&self, verb: &Verb<'_>) -> Result<Answer, DnsError> {
        let server = || self.config.name.clone();
        let document =
            protocol::document(verb, &self.config.include_file, self.config.unbound_conf.as_deref());
        let limits = Limits { time: COMMAND_TIME, stdout: MAX_OUTPUT, stderr: MAX_STDERR };
        let ssh_failed = |source| DnsError::Ssh { server: server(), source: Box::new(source) };
        let mut output = None;
        if !self.plain.load(Ordering::Relaxed) {
            let first = ssh::run(&self.ssh, HELPER_NAME, &document, &limits).await.map_err(ssh_failed)?;
            if first.status == NOT_FOUND && first.stdout.is_empty() && self.config.mode == Mode::Auto {
                self.plain.store(true, Ordering::Relaxed);
            } else {
                output = Some(first);
            }
        }
        let output = match output {
            Some(output) => output,
            None => ssh::run(&self.ssh, &plain_command(), &document, &limits).await.map_err(ssh_failed)?,
        };
        let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.stdout.is_empty() && output.status == NOT_FOUND {
            let message = format!(
                "{HELPER_NAME} was not found; hint: install it in /usr/local/bin, or set mode = \"plain\" ({})",
                said()
            );
            return Err(DnsError::Setup { server: server(), message });
        }
        match protocol::answer(&output.stdout) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(self.refused(refusal)),
            None => {
                let start = String::from_utf8_lossy(&output.stdout[..output.stdout.len().min(200)]);
                Err(self.malformed(&format!("exit status {}, `{start}`, {}", output.status, said())))
            }
        }
    }

    fn malformed(&self, message: &str) -> DnsError {
        let message = message.chars().filter(|c| !c.is_control()).collect();
        DnsError::Malformed { server: self.config.name.clone(), message }
    }

    fn refused(&self, Refusal { error, message, outcome }: Refusal) -> DnsError {
        let server = self.config.name.clone();
        match error.as_str() {
            "changed" => DnsError::Changed { server, message },
            "foreign_file" => DnsError::ForeignFile { server, message },
            "not_running" => DnsError::NotRunning { server, message },
            "rejected" => DnsError::Rejected { server, message },
            "busy" => DnsError::Busy { server, message },
            "failed" => DnsError::Failed { server, message, restored: outcome != "broken" },
            "setup" | "refused_path" | "server_config" => DnsError::Setup { server, message },
            _ => DnsError::Malformed { server, message },
        }
    }
}

/// The script as text for a POSIX shell, without its comments.
fn plain_command() -> String {
    let script: Vec<&str> = HELPER.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    format!("exec sh -c '{}' {HELPER_NAME}", script.join("\n").replace('\'', r"'\''"))
}
