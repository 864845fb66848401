//! The REST API of RouterOS 7.1 and newer: one GET per menu. Knows no menu.

use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::StatusCode;

use super::menus::Menu;
use super::parse::{Rows, rest_rows};
use super::print::{MAX_ANSWER_BYTES, PrintError, refused};
use crate::source::run::seconds;
use crate::transport::Secret;
use crate::transport::http::explain;

/// Menu paths are ours, but a stray blank must not split the request line.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'?').add(b'#').add(b'%');

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
    /// The rows of a menu, with these columns only.
    pub(super) async fn print(&self, menu: Menu) -> Result<Rows, PrintError> {
        let path = utf8_percent_encode(menu.path, PATH);
        let url = format!("{}/rest/{path}?{}", self.base, query(menu));
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
            return rest_rows(body).map_err(|error| {
                PrintError::Malformed(format!("the answer is not what RouterOS sends: {error}"))
            });
        }
        Err(refusal(status, body))
    }

    async fn body(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, PrintError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(PrintError::too_big());
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

/// Which columns of which rows. Commas and slashes stay as they are: that the device decodes `%2C` is not documented.
fn query(menu: Menu) -> String {
    let only = menu.only.map(|only| format!("&{only}")).unwrap_or_default();
    format!(".proplist={}{only}", menu.columns.join(","))
}

/// RouterOS says in words what is wrong, `{"error":400,"message":"Bad Request","detail":"no such command"}`.
fn refusal(status: StatusCode, body: Vec<u8>) -> PrintError {
    let said = rest_rows(body).unwrap_or_default();
    let word = |column| said.first().and_then(|row| row.get(column));
    let detail = word("detail").or_else(|| word("message")).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED => PrintError::Unauthorized,
        StatusCode::NOT_FOUND => PrintError::Missing,
        _ if detail.is_empty() => PrintError::Rejected(format!("the device answered {status}")),
        _ => refused(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::routeros::menus;

    #[test]
    fn rows_that_nobody_wants_are_not_asked_for() {
        assert_eq!(
            query(menus::ROUTE),
            ".proplist=dst-address,gateway,active,disabled&dst-address=0.0.0.0/0"
        );
        assert_eq!(query(menus::IDENTITY), ".proplist=name");
    }

    #[test]
    fn refusals_are_told_apart() {
        let said = |status: u16, body: &str| {
            refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes().to_vec())
        };
        let missing =
            r#"{"detail":"no such command or directory (bonding)","error":400,"message":"Bad Request"}"#;
        assert_eq!(said(400, missing), PrintError::Missing);
        assert_eq!(said(404, r#"{"error":404,"message":"Not Found"}"#), PrintError::Missing);
        assert_eq!(said(401, ""), PrintError::Unauthorized);
        let other = said(400, r#"{"error":400,"message":"Bad Request","detail":"unknown parameter"}"#);
        assert_eq!(other.to_string(), "the device answered: unknown parameter");
        let page = said(500, "<html>");
        assert_eq!(page.to_string(), "the device answered 500 Internal Server Error");
        let rights = said(403, r#"{"error":403,"detail":"not enough permissions (9)"}"#);
        assert!(rights.to_string().starts_with("not enough permissions (9); hint: "));
        assert!(!rights.is_fatal() && PrintError::Unauthorized.is_fatal());
    }
}
