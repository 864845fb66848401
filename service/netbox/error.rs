//! What can go wrong with a NetBox request, split by what a caller does about it.
//!
//! Classifies one answer; it knows no object kinds and retries nothing.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::rejection::{self, RowError};
use crate::transport::http::{self, ClientError};

/// How much of a body that is not JSON is kept for a message.
const SNIPPET: usize = 200;

/// A NetBox request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request never left: refused, unknown host, TLS. Nothing was written; try again later.
    #[error("cannot reach NetBox: {why}")]
    Unreachable {
        /// Whom, why, and a hint.
        why: String,
    },
    /// The settings make no client.
    #[error("cannot set up the connection to NetBox")]
    Setup(#[from] ClientError),
    /// Sent, but no answer came: a write may still be running.
    #[error("no answer from NetBox to {method} `{path}`: {why}")]
    NoAnswer {
        /// The HTTP method.
        method: String,
        /// The path of the request.
        path: String,
        /// Timeout, reset, or what a proxy in between said.
        why: String,
    },
    /// The token is not (or no longer) good: stop and tell.
    #[error("NetBox refuses the token for {method} `{path}`: {message}")]
    Unauthorized {
        /// The HTTP method.
        method: String,
        /// The path of the request.
        path: String,
        /// NetBox's words.
        message: String,
    },
    /// The token is good, but its permissions do not cover this.
    #[error(
        "NetBox forbids {method} `{path}`: {what} (hint: compare the permissions with `surveyor bootstrap --dry-run`)"
    )]
    Forbidden {
        /// The HTTP method.
        method: String,
        /// The path of the request.
        path: String,
        /// NetBox's words.
        what: String,
    },
    /// No such object, or none that this token may see.
    #[error("NetBox has no `{path}` that this token may {method}")]
    NotFound {
        /// The HTTP method.
        method: String,
        /// The path of the request.
        path: String,
    },
    /// NetBox understood and refused: record and tell; drop the rows it names and send the rest again.
    #[error("NetBox rejects {method} `{path}` ({status}): {}", rejection::describe(.rows, .body))]
    Rejected {
        /// The HTTP method.
        method: String,
        /// The path of the request.
        path: String,
        /// 400, 403 (a bulk call with rows), 409, 413 and the like.
        status: u16,
        /// What is wrong with which row; empty where NetBox names none.
        rows: Vec<RowError>,
        /// The body as sent, for what `rows` cannot hold.
        body: String,
    },
    /// Somebody changed the object since it was read (412): plan again.
    #[error("`{path}` was changed by someone else meanwhile")]
    Changed {
        /// The path of the request.
        path: String,
        /// The etag it has now.
        etag: Option<String>,
    },
    /// NetBox itself failed. After a 500 a write may have been committed all the same.
    #[error("NetBox failed on {method} `{path}` ({status}): {message}")]
    Server {
        /// The HTTP method.
        method: String,
        /// The path of the request.
        path: String,
        /// 500, 503, 429 and the like.
        status: u16,
        /// NetBox's words.
        message: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is not NetBox's: a login page, another web server, a redirect.
    #[error("`{url}` does not answer like NetBox's API: {why}{}", with_hint(.hint))]
    Malformed {
        /// The request's address.
        url: String,
        /// What was wrong with the answer.
        why: String,
        /// What to look at.
        hint: String,
    },
}

/// ` (hint: ..)`, or nothing.
fn with_hint(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" (hint: {text})") }
}

impl Error {
    /// Whether the same request may succeed later without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoAnswer { .. } => true,
            Self::Server { status, .. } => matches!(*status, 429 | 500 | 503),
            _ => false,
        }
    }

    /// Whether a write that ended so may have taken effect, or may still do so (the intent is unsettled).
    ///
    /// A 500 counts: NetBox answers so too when the change is committed and queueing its events failed
    /// (`netbox/context_managers.py`: the flush comes after the commit).
    pub const fn outcome_unknown(&self) -> bool {
        match self {
            Self::NoAnswer { .. } | Self::Malformed { .. } => true,
            Self::Server { status, .. } => !matches!(*status, 429 | 503),
            _ => false,
        }
    }

    /// What NetBox named as wrong, row by row; empty for every other kind of error.
    pub fn rows(&self) -> &[RowError] {
        match self {
            Self::Rejected { rows, .. } => rows,
            _ => &[],
        }
    }

    /// How long the server asked to wait.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The error of a request that got no complete answer.
    pub(super) fn of_transport(error: &reqwest::Error, method: &str, url: &str, path: &str) -> Self {
        let why = http::explain(error);
        if error.is_connect() {
            return Self::Unreachable { why };
        }
        if error.is_builder() {
            return Self::Malformed { url: url.to_owned(), why, hint: String::new() };
        }
        Self::NoAnswer { method: method.to_owned(), path: path.to_owned(), why }
    }

    /// The error of a complete answer that is not a success.
    pub(super) fn of_answer(answer: &Answer<'_>) -> Self {
        let method = answer.method.to_owned();
        let path = answer.path.to_owned();
        let json = serde_json::from_slice::<Value>(answer.body).ok();
        let message = || message_of(json.as_ref(), answer.body);
        match answer.status.as_u16() {
            502 | 504 => Self::NoAnswer {
                method,
                path,
                why: format!("the web server in front says {}", answer.status),
            },
            401 => Self::Unauthorized { method, path, message: message() },
            403 => match &json {
                Some(body) if is_about_the_token(body) => {
                    Self::Unauthorized { method, path, message: message() }
                }
                Some(body) if body.get("errors").is_some_and(Value::is_array) => {
                    Self::rejected(answer, Some(body))
                }
                Some(_) => Self::Forbidden { method, path, what: message() },
                None => Self::not_netbox(answer, "403 without JSON, as a proxy or firewall says it"),
            },
            404 if json.is_some() => Self::NotFound { method, path },
            404 => Self::not_netbox(answer, "404 without JSON: there is no such path"),
            412 => Self::Changed { path, etag: answer.etag.map(str::to_owned) },
            300..=399 => Self::not_netbox(
                answer,
                &format!("it redirects to `{}`", answer.location.unwrap_or("somewhere")),
            ),
            429 | 500..=599 => Self::Server {
                method,
                path,
                status: answer.status.as_u16(),
                message: message(),
                retry_after: answer.retry_after,
            },
            _ => Self::rejected(answer, json.as_ref()),
        }
    }

    fn rejected(answer: &Answer<'_>, json: Option<&Value>) -> Self {
        Self::Rejected {
            method: answer.method.to_owned(),
            path: answer.path.to_owned(),
            status: answer.status.as_u16(),
            rows: json.map(rejection::rows).unwrap_or_default(),
            body: String::from_utf8_lossy(answer.body).into_owned(),
        }
    }

    /// The error of an answer that NetBox did not write.
    pub(super) fn not_netbox(answer: &Answer<'_>, why: &str) -> Self {
        let text = String::from_utf8_lossy(answer.body);
        let hint = if answer.location.is_some() {
            "set `netbox.url` to the address it redirects to".to_owned()
        } else if text.to_ascii_lowercase().contains("<form") {
            "it looks like a login page: is a single sign-on proxy in front of `/api/`?".to_owned()
        } else {
            "check that `netbox.url` is NetBox's address, with its sub-path if it has one".to_owned()
        };
        Self::Malformed { url: answer.url.to_owned(), why: why.to_owned(), hint }
    }
}

/// A complete HTTP answer, as far as errors need it.
pub(super) struct Answer<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) path: &'a str,
    pub(super) status: StatusCode,
    pub(super) etag: Option<&'a str>,
    pub(super) location: Option<&'a str>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: &'a [u8],
}

/// Whether a 403 is about who asks, not about what is asked: NetBox answers `AuthenticationFailed` with 403
/// because it names no `WWW-Authenticate` scheme (`netbox/api/authentication.py`).
fn is_about_the_token(body: &Value) -> bool {
    const STARTS: [&str; 7] = [
        "Invalid token",
        "Invalid v1 token",
        "Invalid v2 token",
        "Invalid authorization header",
        "Token ",
        "User inactive",
        "Authentication credentials",
    ];
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
    STARTS.iter().any(|start| detail.starts_with(start))
        || detail.contains("to authenticate using this token")
}

/// NetBox's own words in an error body: `detail`, or what its API says about an exception, or the page's text.
fn message_of(json: Option<&Value>, body: &[u8]) -> String {
    let text = |key: &str| json.and_then(|body| body.get(key)).and_then(Value::as_str);
    if let Some(detail) = text("detail") {
        return detail.to_owned();
    }
    if let Some(error) = text("error") {
        return text("exception")
            .map_or_else(|| error.to_owned(), |exception| format!("{exception}: {error}"));
    }
    snippet(&String::from_utf8_lossy(body))
}

/// The beginning of a page, without its tags.
pub(super) fn snippet(text: &str) -> String {
    let mut plain = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                plain.push(' ');
            }
            c if !in_tag => plain.push(c),
            _ => {}
        }
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(SNIPPET).collect();
    if line.is_empty() { "no text".to_owned() } else { line }
}
