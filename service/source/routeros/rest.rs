//! The REST API of RouterOS 7.1 and newer: one GET per menu. Knows no menu.

use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::StatusCode;

use super::parse::{Row, rest_rows};
use crate::source::run::seconds;
use crate::transport::Secret;
use crate::transport::http::explain;

/// Longest answer that is read: a quarter of a million forwarding rows. More is a flooded table or a broken device.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Longest part of a device's own words that goes into a message.
const MAX_DETAIL_CHARS: usize = 200;

/// Menu paths are ours, but a stray blank must not split the request line.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'?').add(b'#').add(b'%');

/// Why a menu could not be printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PrintError {
    /// No connection, or no trust: nothing else will work either.
    #[error("{0}")]
    Unreachable(String),
    /// The credentials do not let us in: nothing else will work either.
    #[error(
        "the user name or password is refused (401); hint: on the device, `/user print` must list the user in a group \
         with the policies read, api and rest-api, and the address it may log in from must include this host"
    )]
    Unauthorized,
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
        matches!(self, Self::Unreachable(_) | Self::Unauthorized)
    }
}

/// A device's REST API.
pub(super) struct Rest {
    pub(super) client: reqwest::Client,
    /// `https://192.0.2.1:443`.
    pub(super) base: String,
    pub(super) username: String,
    pub(super) password: Secret,
    /// The time limit that `client` was made with, for messages.
    pub(super) timeout: Duration,
}

impl Rest {
    /// The rows of a menu, with these columns only: some others are long (`debug-info`) or make the device work.
    pub(super) async fn print(&self, path: &str, columns: &[&str]) -> Result<Vec<Row>, PrintError> {
        let path = utf8_percent_encode(path, PATH);
        // The commas stay as they are: that the device decodes `%2C` is not documented.
        let url = format!("{}/rest/{path}?.proplist={}", self.base, columns.join(","));
        let answer = self
            .client
            .get(url)
            .basic_auth(&self.username, Some(self.password.expose()))
            .send()
            .await
            .map_err(|error| self.failed(&error))?;
        let status = answer.status();
        let body = self.body(answer).await?;
        if status.is_success() {
            return rest_rows(&body).map_err(|error| {
                PrintError::Malformed(format!("the answer is not what RouterOS sends: {error}"))
            });
        }
        Err(refusal(status, &body))
    }

    async fn body(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, PrintError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                let mebibytes = MAX_ANSWER_BYTES / (1024 * 1024);
                return Err(PrintError::Malformed(format!("the answer is over {mebibytes} MiB")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failed(&self, error: &reqwest::Error) -> PrintError {
        if error.is_connect() {
            return PrintError::Unreachable(explain(error));
        }
        if error.is_timeout() {
            return PrintError::TimedOut(seconds(self.timeout));
        }
        PrintError::Malformed(explain(error))
    }
}

/// RouterOS says in words what is wrong, `{"error":400,"message":"Bad Request","detail":"no such command"}`.
fn refusal(status: StatusCode, body: &[u8]) -> PrintError {
    let said = rest_rows(body).unwrap_or_default();
    let word = |column| said.first().and_then(|row| row.get(column)).map(String::as_str);
    let detail: String = word("detail")
        .or_else(|| word("message"))
        .unwrap_or_default()
        .chars()
        .take(MAX_DETAIL_CHARS)
        .collect();
    match status {
        StatusCode::UNAUTHORIZED => PrintError::Unauthorized,
        StatusCode::NOT_FOUND => PrintError::Missing,
        StatusCode::BAD_REQUEST if detail.contains("no such command") => PrintError::Missing,
        _ if detail.contains("not enough permissions") => PrintError::Rejected(format!(
            "{detail}; hint: the group of the user needs the policies read, api and rest-api"
        )),
        _ if detail.is_empty() => PrintError::Rejected(format!("the device answered {status}")),
        _ => PrintError::Rejected(format!("the device answered {}: {detail}", status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let refused =
            |status: u16, body: &str| refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let missing =
            r#"{"detail":"no such command or directory (bonding)","error":400,"message":"Bad Request"}"#;
        assert_eq!(refused(400, missing), PrintError::Missing);
        assert_eq!(refused(404, r#"{"error":404,"message":"Not Found"}"#), PrintError::Missing);
        assert_eq!(refused(401, ""), PrintError::Unauthorized);
        let other = refused(400, r#"{"error":400,"message":"Bad Request","detail":"unknown parameter"}"#);
        assert_eq!(other.to_string(), "the device answered 400: unknown parameter");
        let page = refused(500, "<html>");
        assert_eq!(page.to_string(), "the device answered 500 Internal Server Error");
        let rights = refused(403, r#"{"error":403,"detail":"not enough permissions (9)"}"#);
        assert!(rights.to_string().starts_with("not enough permissions (9); hint: "));
        assert!(!rights.is_fatal() && PrintError::Unauthorized.is_fatal());
    }
}
