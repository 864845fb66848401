//! Why a DNS server was not read or changed, by what callers do about it.

use crate::transport::ssh::SshError;

/// Why a server was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// SSH: see its variants.
    #[error("DNS server `{server}` cannot be worked on")]
    Ssh {
        /// Which server.
        server: String,
        /// Why.
        #[source]
        source: Box<SshError>,
    },
    /// Something on the server or in the configuration is not set up. The user's to fix; nothing was changed.
    #[error("DNS server `{server}` is not set up: {message}")]
    Setup {
        /// Which server.
        server: String,
        /// What is missing.
        message: String,
    },
    /// The daemon does not run. Nothing was changed.
    #[error("unbound on DNS server `{server}` is not running: {message}")]
    NotRunning {
        /// Which server.
        server: String,
        /// What was seen.
        message: String,
    },
    /// The file is not as it was when the change was planned. Nothing was changed: plan again.
    #[error("the include file of DNS server `{server}` changed meanwhile: {message}")]
    Changed {
        /// Which server.
        server: String,
        /// What was found.
        message: String,
    },
    /// The file is somebody else's. Nothing was changed.
    #[error("DNS server `{server}`: {message}; hint: name another include_file, or empty this one")]
    ForeignFile {
        /// Which server.
        server: String,
        /// Which file.
        message: String,
    },
    /// `unbound-checkconf` refuses the new file. Nothing was changed.
    #[error("DNS server `{server}` refuses the new records: {message}")]
    Rejected {
        /// Which server.
        server: String,
        /// What it said.
        message: String,
    },
    /// Another push holds the lock. Passes by itself.
    #[error("DNS server `{server}` is being changed by somebody else: {message}")]
    Busy {
        /// Which server.
        server: String,
        /// What was seen.
        message: String,
    },
    /// The change was tried and taken back.
    #[error("the change of DNS server `{server}` failed{}: {message}",
        if *restored { " and was taken back" } else { " and COULD NOT be taken back: look at the server" })]
    Failed {
        /// Which server.
        server: String,
        /// What went wrong.
        message: String,
        /// Whether the previous file is in place and the daemon answers.
        restored: bool,
    },
    /// The answer is not one of ours: another program, or another version of the helper.
    #[error("DNS server `{server}` answered something else than surveyor-unbound-apply does: {message}")]
    Malformed {
        /// Which server.
        server: String,
        /// What it said.
        message: String,
    },
}

impl DnsError {
    /// Whether the same call may work later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Ssh { source, .. } => source.is_transient(),
            Self::Busy { .. } | Self::NotRunning { .. } => true,
            _ => false,
        }
    }

    /// Whether a push may have had an effect all the same, so that the state has to be read again.
    pub fn is_unsettled(&self) -> bool {
        match self {
            Self::Ssh { source, .. } => source.may_have_run(),
            Self::Malformed { .. } | Self::Failed { restored: false, .. } => true,
            _ => false,
        }
    }
}
