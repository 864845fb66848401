//! The HTTP client that every REST edge uses, and its errors in one sentence. Knows no API.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::redirect;
use rustls::CertificateError;

use crate::transport::tls::{self, TlsError, TlsMode, Untrusted};

/// A peer that does not accept a connection in this time is down or filtered; waiting longer only hides it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections are dropped before common servers do it (nginx 75 s, uWSGI and RouterOS 60 s), so that a write is not
/// sent into a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Idle connections kept per peer: as many as run at the same time.
const IDLE_CONNECTIONS: usize = 8;

/// Why no client can be made. All of them are the user's to fix.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The TLS settings do not work.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP library refused what it was given.
    #[error("cannot set up an HTTP client")]
    Setup(#[source] reqwest::Error),
}

/// A client for one peer: no proxy from the environment (a management network is not behind one), no redirect (a token
/// must not follow one to another host), connections kept for a short time. `timeout` covers a whole request.
pub fn client(
    mode: &TlsMode,
    ca_file: Option<&Path>,
    timeout: Duration,
    user_agent: &str,
) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(mode, ca_file)?)
        .user_agent(user_agent)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build()
        .map_err(ClientError::Setup)
}

/// One sentence for a person: what was called (without query or password), what went wrong, and a hint where there is one.
pub fn explain(error: &reqwest::Error) -> String {
    let target = error.url().map_or_else(
        || "the peer".to_owned(),
        |url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("`{}://{}{port}{}`", url.scheme(), url.host_str().unwrap_or_default(), url.path())
        },
    );
    format!("{target}: {}", cause(error))
}

/// The same for a connection that is TLS but not HTTP.
pub fn explain_io(target: &str, error: &io::Error) -> String {
    let cause = known_or_texts(error).unwrap_or_else(|mut texts| texts.pop().unwrap_or_default());
    format!("{target}: {cause}")
}

/// The cause in the chain of errors that has a type, or else the texts of all.
fn known_or_texts(error: &(dyn StdError + 'static)) -> Result<String, Vec<String>> {
    let mut texts = Vec::new();
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(known) = known_cause(current) {
            return Ok(known);
        }
        texts.push(current.to_string());
        // An `io::Error` made from another error hides it: its `source` is the source of what it holds.
        let held = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => current.source(),
        };
    }
    Err(texts)
}

/// The deciding cause in the chain of errors.
fn cause(error: &reqwest::Error) -> String {
    let mut texts = match known_or_texts(error) {
        Ok(known) => return known,
        Err(texts) => texts,
    };
    if error.is_timeout() {
        let step = if error.is_connect() { "connecting" } else { "waiting for the answer" };
        return format!("timed out while {step}");
    }
    if error.is_builder() {
        return format!("the request cannot be made: {}; hint: check the url", texts[texts.len() - 1]);
    }
    if texts.iter().any(|text| text.contains("dns error")) {
        return format!("the name cannot be resolved ({})", texts[texts.len() - 1]);
    }
    if texts.iter().any(|text| text.contains("message completed") || text.contains("connection closed")) {
        return "the peer closed the connection before it answered".to_owned();
    }
    texts.pop().unwrap_or_default()
}

/// Causes which have a type.
fn known_cause(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls_cause(error));
    }
    let error = error.downcast_ref::<io::Error>()?;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Some("connection refused; hint: is the service running, and is the port right?".to_owned())
        }
        io::ErrorKind::ConnectionReset => Some("the peer reset the connection".to_owned()),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some("there is no route to the host".to_owned())
        }
        _ => None,
    }
}

fn tls_cause(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<Untrusted>() {
                Some(untrusted) => format!(
                    "the TLS certificate is not trusted: {untrusted}; hint: if that is the right certificate, set \
                     tls = \"sha256:{}\", or set ca_file to the authority that issued it",
                    hex::encode(untrusted.seen)
                ),
                None => format!("the TLS certificate is not trusted: {other}"),
            }
        }
        rustls::Error::InvalidMessage(_) => {
            "the peer does not speak TLS on this port; hint: http:// instead of https://, or another port"
                .to_owned()
        }
        other => format!("the TLS handshake failed: {other}"),
    }
}
