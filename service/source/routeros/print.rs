//! Printing a menu: what every transport does, and how it can fail. Knows no menu.

use super::api::Api;
use super::menus::Menu;
use super::parse::Row;
use super::rest::Rest;

/// Longest answer that is read: a quarter of a million forwarding rows. More is a flooded table or a broken device.
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// How a device is spoken to. Both give rows of strings, so everything above is the same.
pub(super) enum Transport {
    /// REST, RouterOS 7.1 and newer.
    Rest(Rest),
    /// Binary API over TLS, RouterOS 6.43 and newer.
    Api(Api),
}

impl Transport {
    /// The rows of a menu, with its columns only: some others are long (`debug-info`) or make the device work.
    pub(super) async fn print(&self, menu: Menu) -> Result<Vec<Row>, PrintError> {
        match self {
            Self::Rest(rest) => rest.print(menu).await,
            Self::Api(api) => api.print(menu).await,
        }
    }

    /// Ends what is open.
    pub(super) fn hang_up(&self) {
        match self {
            Self::Rest(_) => {}
            Self::Api(api) => api.hang_up(),
        }
    }
}

/// Why a menu could not be printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PrintError {
    /// No connection, or no trust: nothing else will work either.
    #[error("{0}")]
    Unreachable(String),
    /// The credentials do not let us in: nothing else will work either.
    #[error(
        "the user name or password is refused; hint: the user must be in a group with the policies read and api (rest-api \
         too, on RouterOS 7), and may be limited to addresses that do not include this host"
    )]
    Unauthorized,
    /// The device wants the MD5 login that RouterOS 6.43 replaced: nothing else will work either.
    #[error("the device wants a login from before RouterOS 6.43, which is refused; hint: update the device")]
    TooOld,
    /// The device has no such menu (a package or a chip that is not there).
    #[error("there is no such menu")]
    Missing,
    /// No answer in time.
    #[error("timed out after {0}")]
    TimedOut(String),
    /// The device answered with an error.
    #[error("{0}")]
    Rejected(String),
    /// The answer is not what it should be, or was cut.
    #[error("{0}")]
    Malformed(String),
}

impl PrintError {
    /// Whether every other menu would fail in the same way.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unauthorized | Self::TooOld)
    }

    /// The answer is over [`MAX_ANSWER_BYTES`].
    pub(super) fn too_big() -> Self {
        Self::Malformed(format!("the answer is over {} MiB", MAX_ANSWER_BYTES / (1024 * 1024)))
    }
}

/// Longest part of a device's own words that goes into a message.
const MAX_MESSAGE_CHARS: usize = 200;

/// What a device says when it does not print, in whichever transport.
pub(super) fn refused(message: &str) -> PrintError {
    let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    if message.contains("no such command") {
        PrintError::Missing
    } else if message.contains("not enough permissions") {
        PrintError::Rejected(format!(
            "{message}; hint: the group of the user needs the policies read and api (rest-api too, on RouterOS 7)"
        ))
    } else {
        PrintError::Rejected(format!("the device answered: {message}"))
    }
}
