//! The Proxmox VE API: one GET a path, at most so many at the same time. Knows no path.

use std::time::Duration;

use hyper::ext::ReasonPhrase;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::source::run::seconds;
use crate::transport::Secret;
use crate::transport::http::explain;

/// Longest answer that is read: the list of a hundred thousand guests.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Longest part of the server's own words that goes into a message.
const MAX_REASON_CHARS: usize = 200;

/// Why a path could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// No connection, or no trust: nothing else will work either.
    #[error("{0}")]
    Unreachable(String),
    /// The token is not accepted: nothing else will work either.
    #[error(
        "the API token is refused ({0}); hint: token_id is USER@REALM!TOKEN, and the token must not have expired"
    )]
    Unauthorized(String),
    /// The token lacks a privilege.
    #[error("the API token lacks a privilege ({0})")]
    Forbidden(String),
    /// No answer in time.
    #[error("timed out after {0}")]
    TimedOut(String),
    /// The server answered with an error, whose text is in the reason phrase.
    #[error("{status} {reason}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// What the server says.
        reason: String,
    },
    /// The answer is not what it should be, or was cut.
    #[error("{0}")]
    Malformed(String),
}

impl ApiError {
    /// Whether every other path would fail in the same way.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unauthorized(_))
    }

    /// Whether the server does not have this path at all.
    pub(super) const fn is_missing(&self) -> bool {
        matches!(self, Self::Rejected { status: 404 | 501, .. })
    }
}

/// One endpoint, any member of a cluster: it asks the others itself.
pub(super) struct Api {
    pub(super) client: reqwest::Client,
    /// `https://pve.example.org:8006`.
    pub(super) base: String,
    /// `PVEAPIToken=USER@REALM!TOKEN=SECRET`.
    pub(super) authorization: Secret,
    /// Calls in flight.
    pub(super) slots: Semaphore,
    /// Longest time for one call.
    pub(super) timeout: Duration,
}

impl Api {
    /// The `data` of a path below `/api2/json`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.get_within(path, self.timeout).await
    }

    /// The same, with a time limit of its own. Waiting for a slot is not part of it.
    pub(super) async fn get_within(&self, path: &str, limit: Duration) -> Result<Value, ApiError> {
        let _slot = self.slots.acquire().await;
        let failed = |error: &reqwest::Error| {
            if error.is_connect() {
                ApiError::Unreachable(explain(error))
            } else if error.is_timeout() {
                ApiError::TimedOut(seconds(limit))
            } else {
                ApiError::Malformed(explain(error))
            }
        };
        let mut answer = self
            .client
            .get(format!("{}/api2/json/{path}", self.base))
            .header(reqwest::header::AUTHORIZATION, self.authorization.expose())
            .timeout(limit)
            .send()
            .await
            .map_err(|error| failed(&error))?;
        let status = answer.status();
        let phrase = answer
            .extensions()
            .get::<ReasonPhrase>()
            .map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                let mebibytes = MAX_ANSWER_BYTES / (1024 * 1024);
                return Err(ApiError::Malformed(format!("the answer is over {mebibytes} MiB")));
            }
            body.extend_from_slice(&chunk);
        }
        let parsed: Result<Value, _> = serde_json::from_slice(&body);
        if !status.is_success() {
            return Err(refusal(status, phrase, parsed.ok().as_ref()));
        }
        match parsed {
            Ok(Value::Object(mut answer)) if answer.contains_key("data") => {
                Ok(answer.remove("data").unwrap_or_default())
            }
            Ok(_) => Err(ApiError::Malformed("the answer has no `data`: is this Proxmox VE?".to_owned())),
            Err(error) => {
                Err(ApiError::Malformed(format!("the answer is not what Proxmox VE sends: {error}")))
            }
        }
    }
}

/// The text of an error is in the reason phrase; newer versions repeat it in the body, and `errors` names parameters.
fn refusal(status: StatusCode, phrase: Option<String>, body: Option<&Value>) -> ApiError {
    let message = body.and_then(|body| body.get("message")).and_then(Value::as_str).map(str::to_owned);
    let reason: String = phrase
        .or(message)
        .or_else(|| status.canonical_reason().map(str::to_owned))
        .unwrap_or_default()
        .trim()
        .chars()
        .take(MAX_REASON_CHARS)
        .collect();
    match status {
        StatusCode::UNAUTHORIZED => ApiError::Unauthorized(reason),
        StatusCode::FORBIDDEN => ApiError::Forbidden(reason),
        _ => ApiError::Rejected { status: status.as_u16(), reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_phrase_comes_first() {
        let body = serde_json::json!({"data": null, "message": "from the body\n"});
        let phrase = Some("QEMU guest agent is not running".to_owned());
        let error = refusal(StatusCode::INTERNAL_SERVER_ERROR, phrase, Some(&body));
        assert_eq!(error.to_string(), "500 QEMU guest agent is not running");
        let error = refusal(StatusCode::INTERNAL_SERVER_ERROR, None, Some(&body));
        assert_eq!(error.to_string(), "500 from the body");
        let error = refusal(StatusCode::from_u16(595).unwrap(), None, None);
        assert_eq!(error, ApiError::Rejected { status: 595, reason: String::new() });
        assert!(refusal(StatusCode::NOT_IMPLEMENTED, None, None).is_missing());
        assert!(refusal(StatusCode::UNAUTHORIZED, None, None).is_fatal());
        assert!(!refusal(StatusCode::FORBIDDEN, None, None).is_fatal());
    }
}
