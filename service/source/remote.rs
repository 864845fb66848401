//! Files of this machine or of one that is reached over SSH, and the commands that read them there. Knows no file format.
//!
//! What a command is made of comes from the configuration, never from the network; every word is quoted. A key that may do
//! nothing but print the file (a forced command) works too: then what is asked for here is ignored there.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::run::seconds;
use super::{Check, SetupError};
use crate::model::SourceName;
use crate::transport::chain;
use crate::transport::ssh::{self, Limits, SshConfig, SshError, SshTarget, host_key_fault};

/// Longest file that is read: a quarter of a million leases of the wordiest server.
pub(super) const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Enough of stderr to see why a command failed.
const MAX_STDERR: usize = 4096;

/// Longest part of a command's own words that goes into a message.
const MAX_MESSAGE_CHARS: usize = 200;

/// The exit status of a POSIX shell that does not find the command.
const NOT_FOUND: u32 = 127;

/// How a `[[source]]` says which machine it means: the words of `[[dns.unbound]]`, all optional.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Login<'a> {
    /// `user@host:port`; without it, this machine.
    pub(super) ssh: Option<&'a SshTarget>,
    /// The private key.
    pub(super) identity_file: Option<&'a PathBuf>,
    /// Host keys as OpenSSH writes them.
    pub(super) known_hosts_file: Option<&'a PathBuf>,
    /// The pinned host key.
    pub(super) host_key: Option<&'a String>,
}

/// Where files are.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// This machine.
    Here,
    /// One that is reached over SSH.
    There(Box<SshConfig>),
}

/// Why a file was not read or a command not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    /// The other machine was not reached, or did not let us in.
    #[error("{}", chain(.0.as_ref()))]
    Ssh(Box<SshError>),
    /// There is no such file.
    #[error("{0} does not exist; hint: correct the path, or start the server once: it makes the file")]
    Missing(String),
    /// It may not be read.
    #[error("{0} may not be read; hint: {1}")]
    Denied(String, &'static str),
    /// It is too long.
    #[error("{0} is over {limit} MiB; hint: is it the right file?", limit = MAX_FILE_BYTES / (1024 * 1024))]
    TooLong(String),
    /// It takes too long.
    #[error("{0} timed out after {1}")]
    TimedOut(String, String),
    /// The command ended with an exit status that is not 0.
    #[error("`{command}` on `{target}` failed with exit status {status}{said}")]
    Failed {
        /// What was run.
        command: String,
        /// Where.
        target: String,
        /// How it ended.
        status: u32,
        /// What it printed, behind a colon, or nothing.
        said: String,
    },
    /// Anything else that the system said.
    #[error("{0} cannot be read: {1}")]
    Io(String, io::Error),
    /// It was read, and is not what it should be.
    #[error("{0}")]
    Content(String),
}

impl RemoteError {
    /// Whether the machine itself was not reached, so that nothing else on it will be read either.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self, Self::Ssh(error) if !error.may_have_run())
    }
}

const LOCAL_RIGHTS: &str = "let the user that runs surveyor read it, by its group for example";
const REMOTE_RIGHTS: &str =
    "let that user read it, by its group for example, or make its key a forced command with sudo";

/// What is the matter with the words that lead to a machine, or the machine.
pub(super) fn place(name: &SourceName, login: Login<'_>, timeout: Duration) -> Result<Place, SetupError> {
    let invalid = |reason: String| SetupError::Invalid { name: name.clone(), reason };
    let Some(target) = login.ssh else {
        let stray = [
            (login.identity_file.is_some(), "identity_file"),
            (login.known_hosts_file.is_some(), "known_hosts_file"),
            (login.host_key.is_some(), "host_key"),
        ];
        return match stray.iter().find(|(given, _)| *given) {
            Some((_, key)) => {
                Err(invalid(format!("`{key}` goes with `ssh`; hint: write `ssh = \"user@host\"`")))
            }
            None => Ok(Place::Here),
        };
    };
    let Some(identity_file) = login.identity_file else {
        return Err(invalid("`identity_file` is missing: the private key for `ssh`".to_owned()));
    };
    if let Some(fault) = host_key_fault(login.host_key.map(String::as_str), login.known_hosts_file.is_some())
    {
        return Err(invalid(fault));
    }
    Ok(Place::There(Box::new(SshConfig {
        target: target.clone(),
        identity_file: identity_file.clone(),
        known_hosts_file: login.known_hosts_file.cloned(),
        host_key: login.host_key.cloned(),
        timeout,
    })))
}

impl Place {
    /// What is wrong with the path of a file there, before anything is tried. Over SSH it goes through a shell, so it is
    /// absolute and plain.
    pub(super) fn fault(&self, key: &str, path: &str) -> Option<String> {
        let is_plain = path.starts_with('/')
            && !path.ends_with('/')
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/+@~-".contains(&b));
        match self {
            Self::There(_) if !is_plain => Some(format!(
                "`{key}` is `{path}`, which is not a plain absolute path; hint: letters, digits and `._/+@~-`"
            )),
            Self::Here if path.is_empty() => Some(format!("`{key}` is empty")),
            _ => None,
        }
    }

    /// The name of a file for messages.
    pub(super) fn names(&self, path: &str) -> String {
        match self {
            Self::Here => format!("`{path}`"),
            Self::There(config) => format!("`{path}` on `{}`", config.target),
        }
    }

    /// What `doctor` says of a file: one line for the way there, one for the file, which `outcome` sums up.
    pub(super) fn checks(
        &self,
        source: &str,
        path: &str,
        outcome: Result<String, RemoteError>,
    ) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Self::There(config) = self {
            let what = format!("{source}: log in to `{}`", config.target);
            match &outcome {
                Err(error) if error.is_fatal() => return vec![Check::failed(what, error.to_string())],
                _ => checks.push(Check::passed(what, "key and host key are accepted")),
            }
        }
        let what = format!("{source}: read {}", self.names(path));
        checks.push(Check { what, outcome: outcome.map_err(|error| error.to_string()) });
        checks
    }

    /// The bytes of a file; a missing one is an error.
    pub(super) async fn read(&self, path: &str, limit: Duration) -> Result<Vec<u8>, RemoteError> {
        self.find(path, limit).await?.ok_or_else(|| RemoteError::Missing(self.names(path)))
    }

    /// The bytes of a file, if there is one.
    pub(super) async fn find(&self, path: &str, limit: Duration) -> Result<Option<Vec<u8>>, RemoteError> {
        match self {
            Self::Here => {
                let reading = tokio::time::timeout(limit, read_here(path)).await;
                let late = |_| RemoteError::TimedOut(self.names(path), seconds(limit));
                match reading.map_err(late)? {
                    Ok(bytes) if bytes.len() > MAX_FILE_BYTES => Err(RemoteError::TooLong(self.names(path))),
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                        Err(RemoteError::Denied(self.names(path), LOCAL_RIGHTS))
                    }
                    Err(error) => Err(RemoteError::Io(self.names(path), error)),
                }
            }
            Self::There(config) => self.cat(config, path, limit).await,
        }
    }

    async fn cat(
        &self,
        config: &SshConfig,
        path: &str,
        limit: Duration,
    ) -> Result<Option<Vec<u8>>, RemoteError> {
        // The messages of `cat` are told apart below, so they must not be translated.
        match run(config, &["env", "LC_ALL=C", "cat", "--", path], MAX_FILE_BYTES, limit).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(RemoteError::Failed { said, .. }) if said.contains("No such file") => Ok(None),
            Err(RemoteError::Failed { said, .. }) if said.contains("ermission denied") => {
                Err(RemoteError::Denied(self.names(path), REMOTE_RIGHTS))
            }
            Err(RemoteError::Ssh(error)) if matches!(*error, SshError::TooMuchOutput { .. }) => {
                Err(RemoteError::TooLong(self.names(path)))
            }
            Err(error) => Err(error),
        }
    }
}

async fn read_here(path: &str) -> io::Result<Vec<u8>> {
    let file = tokio::fs::File::open(path).await?;
    if file.metadata().await?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Runs one command there, through the user's login shell, and gives what it prints: at most `most` bytes, within `limit`, and
/// with exit status 0. Anything else is an error.
pub(super) async fn run(
    config: &SshConfig,
    words: &[&str],
    most: usize,
    limit: Duration,
) -> Result<Vec<u8>, RemoteError> {
    let command = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let limits = Limits { time: limit, stdout: most, stderr: MAX_STDERR };
    let output =
        ssh::run(config, &command, b"", &limits).await.map_err(|error| RemoteError::Ssh(Box::new(error)))?;
    if output.status == 0 {
        return Ok(output.stdout);
    }
    let said: String = String::from_utf8_lossy(&output.stderr)
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE_CHARS)
        .collect();
    let said = match (said.is_empty(), output.status) {
        (false, _) => format!(": {said}"),
        (true, NOT_FOUND) => ": the command was not found".to_owned(),
        (true, _) => String::new(),
    };
    Err(RemoteError::Failed { command, target: config.target.to_string(), status: output.status, said })
}

/// A word as a POSIX shell takes it, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain =
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/+@=:,%-".contains(&b));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
#[path = "remote_tests.rs"]
pub(super) mod tests;
