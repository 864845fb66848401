//! Where to log in: `user@host:port`. Pure.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The port of SSH (RFC 4253 section 4.2).
const DEFAULT_PORT: u16 = 22;

/// `user@host`, `user@host:port`, `user@[2001:db8::1]:port`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct SshTarget {
    /// The account.
    pub user: String,
    /// A name or an address, without brackets, lower case.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that is no [`SshTarget`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no SSH target; hint: \"user@host\", \"user@host:port\" or \"user@[2001:db8::1]:port\"")]
pub struct InvalidTarget(String);

impl SshTarget {
    /// The name under which `known_hosts` records the host: with brackets and port unless it is 22 (sshd(8)).
    pub fn known_hosts_name(&self) -> String {
        if self.port == DEFAULT_PORT { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) }
    }
}

impl FromStr for SshTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(text.to_owned());
        let (user, place) = text.rsplit_once('@').ok_or_else(invalid)?;
        let (host, port) = if let Some(rest) = place.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(invalid)?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(invalid)?) };
            (host, port)
        } else if place.matches(':').count() > 1 {
            (place, None) // an IPv6 address without brackets and port
        } else {
            place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)))
        };
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?,
        };
        let strange = |c: char| c.is_whitespace() || c.is_control() || "@[]/,|".contains(c);
        if user.is_empty() || host.is_empty() || user.contains(strange) || host.contains(strange) {
            return Err(invalid());
        }
        Ok(Self { user: user.to_owned(), host: host.to_lowercase(), port })
    }
}

impl TryFrom<String> for SshTarget {
    type Error = InvalidTarget;

    fn try_from(text: String) -> Result<Self, InvalidTarget> {
        text.parse()
    }
}

impl From<SshTarget> for String {
    fn from(target: SshTarget) -> Self {
        target.to_string()
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}@[{}]:{}", self.user, self.host, self.port)
        } else {
            write!(f, "{}@{}:{}", self.user, self.host, self.port)
        }
    }
}
