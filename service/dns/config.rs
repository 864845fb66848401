//! `[[dns.unbound]]` as the user types it, and what can be wrong with it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transport::ssh::{SshTarget, host_key_fault};

/// For each step up to the start of the command.
const DEFAULT_TIMEOUT_SECONDS: u64 = 15;

/// One `[[dns.unbound]]` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnboundConfig {
    /// What it is called in plans and messages.
    pub name: String,
    /// `user@host:port`.
    pub ssh: SshTarget,
    /// The private key, without a passphrase.
    pub identity_file: PathBuf,
    /// Host keys as OpenSSH writes them; this or `host_key` is needed.
    #[serde(default)]
    pub known_hosts_file: Option<PathBuf>,
    /// The pinned host key, `SHA256:..`.
    #[serde(default)]
    pub host_key: Option<String>,
    /// The file on the server that Surveyor owns; the server's configuration must include it.
    pub include_file: String,
    /// How the script gets there.
    #[serde(default)]
    pub mode: Mode,
    /// The main configuration on the server, if it is not where Unbound looks for it.
    #[serde(default)]
    pub unbound_conf: Option<String>,
    /// `host:port` that is asked over UDP after a push. Without it, the daemon is only asked on the server itself.
    #[serde(default)]
    pub query: Option<String>,
    /// For each of: connecting, logging in, starting the command.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
}

fn default_timeout() -> u64 {
    DEFAULT_TIMEOUT_SECONDS
}

/// How the script gets to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The helper, or the plain mode where it is not installed.
    #[default]
    Auto,
    /// Only the installed helper.
    Helper,
    /// Only the script as text.
    Plain,
}

/// What is wrong with a configuration, before anything is tried.
pub(super) fn fault(config: &UnboundConfig) -> Option<String> {
    let safe = |path: &str| {
        path.starts_with('/')
            && !path.ends_with('/')
            && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."))
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/+@-".contains(&b))
    };
    for path in std::iter::once(&config.include_file).chain(&config.unbound_conf) {
        if !safe(path) {
            return Some(format!(
                "`{path}` is not a plain absolute path; hint: letters, digits and `._/+@-`"
            ));
        }
    }
    if let Some(fault) = host_key_fault(config.host_key.as_deref(), config.known_hosts_file.is_some()) {
        return Some(fault);
    }
    let asked = config.query.as_ref()?;
    let port = asked.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    port.is_none().then(|| format!("query `{asked}` is not \"host:port\""))
}
