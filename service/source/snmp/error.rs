//! What goes wrong on the way to a device, by what the reader does about it.

use std::io;
use std::time::Duration;

/// Why a request or a column gave no, or not all, rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing came back. An agent that does not know the community is silent too, so this cannot be told from a wrong
    /// address.
    #[error("no answer within {} s ({tries} tries)", (timeout.as_secs_f32() * 10.0).round() / 10.0)]
    Silent {
        /// Waited for each try.
        timeout: Duration,
        /// How often.
        tries: u32,
    },
    /// The network says no.
    #[error("the network refuses")]
    Unreachable(#[source] io::Error),
    /// The name does not resolve, or not to an address this machine can use.
    #[error("`{0}` does not resolve to an address")]
    Unresolved(String),
    /// The agent refuses the user, the password or the protocols (SNMP v3 says so).
    #[error("the agent refuses the user: {0}")]
    Unauthorized(String),
    /// The agent does not know the context (SNMP v3).
    #[error("the agent does not know the context")]
    UnknownContext,
    /// The agent answers with an error.
    #[error("the agent answers `{0}`")]
    Rejected(String),
    /// The agent sends a row again: going on would never end.
    #[error("the agent repeats itself after {0} rows")]
    Looped(usize),
    /// More rows than the configured limit.
    #[error("more than {0} rows; hint: raise `max_rows` if the device really has that many")]
    TooMany(usize),
    /// What came back is no SNMP, or settings that cannot work.
    #[error("{0}")]
    Malformed(String),
}

impl Error {
    /// Whether the device is gone, so that asking for the next column only costs time.
    pub(crate) const fn is_lost(&self) -> bool {
        matches!(self, Self::Silent { .. } | Self::Unreachable(_))
    }
}
