//! The binary API over TLS (service `api-ssl`), which RouterOS 6 has too. Knows no menu.
//!
//! Menus are printed at the same time on one session, told apart by tags. The session is kept for the next ones.

mod codec;
mod printing;
mod replies;
mod session;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::printing::Limits;
use self::session::Session;
use super::menus::Menu;
use super::parse::Rows;
use super::print::{Answer, PrintError};
use crate::transport::Secret;
use crate::transport::http::explain_io;

type TlsSession = Session<TlsStream<TcpStream>>;

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
    /// The session that waits for the next menus.
    kept: Mutex<Option<TlsSession>>,
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
            kept: Mutex::default(),
        }
    }

    /// The rows of a menu, with its columns only.
    pub(super) async fn print(&self, menu: Menu) -> Result<Rows, PrintError> {
        let answer = pin!(self.print_all(&[menu], 1)).next().await;
        answer.map_or_else(|| Err(PrintError::Malformed("no answer".to_owned())), |(_, rows)| rows)
    }

    /// The rows of several menus, a few at the same time, in the order in which they end.
    pub(super) fn print_all(
        &self,
        menus: &[Menu],
        concurrency: usize,
    ) -> impl Stream<Item = Answer> + Send + use<'_> {
        let limits = Limits { concurrency, timeout: self.timeout };
        printing::print_all(&self.kept, || self.connect().boxed(), menus, limits)
    }

    /// Ends the session: a device has only few places for them, and a source is read again in minutes at the soonest.
    pub(super) fn hang_up(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn connect(&self) -> Result<TlsSession, PrintError> {
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
}
