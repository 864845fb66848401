//! The binary API over TLS (service `api-ssl`), which RouterOS 6 has too. Knows no menu.
//!
//! Menus are printed at the same time on sessions of their own, which are kept for the next ones: a menu that hangs
//! holds up only its own session, which is then dropped.

mod codec;
mod session;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::session::Session;
use super::menus::Menu;
use super::parse::Row;
use super::print::PrintError;
use crate::source::run::seconds;
use crate::transport::Secret;
use crate::transport::http::explain_io;

/// A device's binary API.
pub(super) struct Api {
    tls: Arc<rustls::ClientConfig>,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    username: String,
    password: Secret,
    /// Longest time for one menu, connecting included.
    timeout: Duration,
    /// Sessions that wait for the next menu.
    idle: Mutex<Vec<Session<TlsStream<TcpStream>>>>,
}

impl Api {
    /// An API to which nothing is connected yet.
    pub(super) fn new(
        tls: rustls::ClientConfig,
        (host, port): (&str, u16),
        (username, password): (&str, Secret),
        timeout: Duration,
    ) -> Self {
        Self {
            tls: Arc::new(tls),
            host: host.to_owned(),
            port,
            username: username.to_owned(),
            password,
            timeout,
            idle: Mutex::default(),
        }
    }

    /// The rows of a menu, with its columns only.
    pub(super) async fn print(&self, menu: Menu) -> Result<Vec<Row>, PrintError> {
        let printing = async {
            let idle = self.idle().pop();
            let mut session = match idle {
                Some(session) => session,
                None => self.connect().await?,
            };
            let rows = session.print(menu).await;
            // After a `!trap` the session is as good as before.
            if matches!(rows, Ok(_) | Err(PrintError::Missing | PrintError::Rejected(_))) {
                self.idle().push(session);
            }
            rows
        };
        let limit = || PrintError::TimedOut(seconds(self.timeout));
        tokio::time::timeout(self.timeout, printing).await.unwrap_or_else(|_| Err(limit()))
    }

    /// Ends all sessions: a device has only few places for them, and a source is read again in minutes at the soonest.
    pub(super) fn hang_up(&self) {
        self.idle().clear();
    }

    async fn connect(&self) -> Result<Session<TlsStream<TcpStream>>, PrintError> {
        let target = format!("`api-ssl://{}:{}`", self.host, self.port);
        let unreachable = |error: &std::io::Error| PrintError::Unreachable(explain_io(&target, error));
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| PrintError::Unreachable(format!("{target}: this is no host name")))?;
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| unreachable(&error))?;
        stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(|error| unreachable(&error))?;
        Session::log_in(stream, &self.username, self.password.expose()).await
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session<TlsStream<TcpStream>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
