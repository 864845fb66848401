//! Commands to Kea: one POST by HTTP, or one connection to a socket, per command. Knows no command.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::Service;
use super::parse::{Answer, answer};
use crate::source::run::seconds;
use crate::transport::Secret;
use crate::transport::http::explain;

/// Longest answer that is read: a page is far shorter, a configuration with ten thousand reservations too.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Results of commands ("Management API" in Kea's manual): done, nothing found, not supported.
const DONE: i64 = 0;
/// See [`DONE`].
const UNSUPPORTED: i64 = 2;
/// See [`DONE`].
const EMPTY: i64 = 3;

/// Why a command gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeaError {
    /// No connection, or no trust: nothing else will work either.
    #[error("{0}")]
    Unreachable(String),
    /// The password is not accepted: nothing else will work either.
    #[error(
        "the user name or password is refused; hint: `clients` in \"authentication\" of the agent (or of the server's HTTP \
         control socket) has those that are accepted"
    )]
    Unauthorized,
    /// The user may not do this.
    #[error("the user may not run `{0}`; hint: the hook library rbac limits it")]
    Forbidden(String),
    /// No answer in time.
    #[error("`{0}` timed out after {1}")]
    TimedOut(String, String),
    /// There is no such command: a hook library is not loaded.
    #[error("the server has no command `{0}`")]
    Unsupported(String),
    /// The server says no.
    #[error("`{command}`: the answer is: {text}")]
    Refused {
        /// What was asked.
        command: String,
        /// The server's own words.
        text: String,
    },
    /// The answer is not what it should be, or was cut.
    #[error("`{0}`: {1}")]
    Malformed(String, String),
}

impl KeaError {
    /// Whether every other command would fail in the same way.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unauthorized)
    }
}

/// The way to a control agent, or to one server.
pub(super) enum Channel {
    /// By HTTP.
    Http(Http),
    /// By the server's socket on this machine.
    Socket {
        /// Where.
        path: PathBuf,
        /// Longest time for one command.
        timeout: Duration,
    },
}

impl Channel {
    /// What a person should know about it, behind a comma, or nothing.
    pub(super) fn remark(&self) -> &'static str {
        match self {
            Self::Http(http) if http.is_overheard() => {
                ", but the password travels in clear text; hint: https://, or http:// on a loopback address"
            }
            _ => "",
        }
    }
}

/// A control agent, or a server of Kea 3.0 and newer by its own HTTP socket.
pub(super) struct Http {
    pub(super) client: reqwest::Client,
    pub(super) url: String,
    pub(super) login: Option<(String, Secret)>,
    /// The time limit that `client` was made with, for messages.
    pub(super) timeout: Duration,
}

impl Channel {
    /// Sends one command. `service` is whom an agent passes it to; by HTTP a server takes its own name there, too.
    pub(super) async fn ask(
        &self,
        service: Option<Service>,
        command: &str,
        arguments: Option<Value>,
    ) -> Result<Answer, KeaError> {
        let mut request = json!({"command": command});
        if let (Some(service), Self::Http(_)) = (service, self) {
            request["service"] = json!([service.as_str()]);
        }
        if let Some(arguments) = arguments {
            request["arguments"] = arguments;
        }
        let body = match self {
            Self::Http(http) => http.post(command, &request).await?,
            Self::Socket { path, timeout } => {
                let asking = exchange(path, request.to_string().into_bytes());
                let late = |_| KeaError::TimedOut(command.to_owned(), seconds(*timeout));
                let answer = tokio::time::timeout(*timeout, asking).await.map_err(late)?;
                answer.map_err(|error| match error.kind() {
                    io::ErrorKind::FileTooLarge => too_big(command),
                    _ => KeaError::Unreachable(no_socket(path, &error)),
                })?
            }
        };
        let answer = answer(&body).map_err(|why| KeaError::Malformed(command.to_owned(), why))?;
        match answer.result {
            DONE | EMPTY => Ok(answer),
            UNSUPPORTED => Err(KeaError::Unsupported(command.to_owned())),
            401 => Err(KeaError::Unauthorized),
            403 => Err(KeaError::Forbidden(command.to_owned())),
            _ => Err(KeaError::Refused { command: command.to_owned(), text: answer.text }),
        }
    }
}

impl Http {
    /// Whether a password is sent to another machine in clear text.
    fn is_overheard(&self) -> bool {
        let is_loopback = |host: &str| {
            let bare = host.trim_matches(['[', ']']);
            bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        self.login.is_some()
            && reqwest::Url::parse(&self.url)
                .is_ok_and(|url| url.scheme() == "http" && !url.host_str().is_some_and(is_loopback))
    }

    async fn post(&self, command: &str, request: &Value) -> Result<Vec<u8>, KeaError> {
        let failed = |error: &reqwest::Error| {
            if error.is_connect() || error.is_builder() {
                KeaError::Unreachable(explain(error))
            } else if error.is_timeout() {
                KeaError::TimedOut(command.to_owned(), seconds(self.timeout))
            } else {
                KeaError::Malformed(command.to_owned(), explain(error))
            }
        };
        let mut sending = self.client.post(&self.url).json(request);
        if let Some((user, password)) = &self.login {
            sending = sending.basic_auth(user, Some(password.expose()));
        }
        let mut answer = sending.send().await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(too_big(command));
            }
            body.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::UNAUTHORIZED => Err(KeaError::Unauthorized),
            StatusCode::FORBIDDEN => Err(KeaError::Forbidden(command.to_owned())),
            status if status.is_success() => Ok(body),
            status => Err(KeaError::Malformed(
                command.to_owned(),
                format!("`{}` answers {status}; hint: is it Kea's?", self.url),
            )),
        }
    }
}

fn too_big(command: &str) -> KeaError {
    let mebibytes = MAX_ANSWER_BYTES / (1024 * 1024);
    KeaError::Malformed(command.to_owned(), format!("the answer is over {mebibytes} MiB"))
}

/// One connection: a command there, everything back. Kea ends the connection behind its answer.
async fn exchange(path: &Path, command: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path).await?;
    stream.write_all(&command).await?;
    let mut answer = Vec::new();
    let most = u64::try_from(MAX_ANSWER_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    (&mut stream).take(most).read_to_end(&mut answer).await?;
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(answer)
}

fn no_socket(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "there is no socket `{path}`; hint: \"socket-name\" in \"control-socket\" of the server's configuration, and is the \
             server running?"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "the socket `{path}` may not be used; hint: add the user that runs surveyor to the group of the socket (on Debian \
             `_kea`)"
        ),
        io::ErrorKind::ConnectionRefused => {
            format!("nobody listens on the socket `{path}`; hint: is the server running?")
        }
        _ => format!("the socket `{path}`: {error}"),
    }
}
