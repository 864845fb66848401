//! One conversation with one agent. The only file that knows the SNMP library: it turns columns into rows and every
//! failure into [`Error`].

use std::net::SocketAddr;
use std::time::Duration;

use async_snmp::error::{Error as Failure, ErrorStatus};
use async_snmp::v3::{DesSaltState, ReportStatus};
use async_snmp::{
    Auth, Client, ClientBuilder, MasterKeys, Oid, Retry, UdpTransport, UsmConfig, Value as Wire, VarBind,
};

use tokio::time::Instant;

use super::column::Column;
use super::credentials::{Access, AuthProtocol, PrivProtocol};
use super::error::Error;
use super::order::Order;
use super::walk::{Row, Value};

/// The largest UDP payload over IPv4. The library announces 1472 by default, and agents that take SNMP v3's msgMaxSize
/// seriously then answer bulk requests with `genErr` or not at all.
const RECEIVE_CAPACITY: usize = 65_507;

/// A column is asked for with this many rows less after each failure; below 2 it is plain GETNEXT.
const HALVE: u32 = 2;

/// snmpUnknownContexts (RFC 3413): the report for a context that does not exist.
const UNKNOWN_CONTEXTS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 5];

/// How patient and how greedy to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Waited for each try.
    pub(crate) timeout: Duration,
    /// Tries after the first.
    pub(crate) retries: u32,
    /// Rows per request.
    pub(crate) max_repetitions: u32,
    /// Rows per column.
    pub(crate) max_rows: usize,
}

/// An open conversation.
pub(crate) struct Session {
    client: Client,
    target: SocketAddr,
    limits: Limits,
    /// What the agent has shown to manage.
    repetitions: u32,
    /// The longest that an answer to a bulk request took.
    slowest: Duration,
}

/// The addresses behind `host`, `host:port` or `[v6]:port`.
pub(crate) async fn resolve(address: &str) -> Result<Vec<SocketAddr>, Error> {
    let (host, port) = split_host_port(address).ok_or_else(|| Error::Unresolved(address.to_owned()))?;
    let found: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| Error::Unresolved(address.to_owned()))?
        .collect();
    if found.is_empty() { Err(Error::Unresolved(address.to_owned())) } else { Ok(found) }
}

/// Splits an address; the port is 161 if there is none. A bare IPv6 address has no port.
pub(crate) fn split_host_port(address: &str) -> Option<(&str, u16)> {
    const SNMP_PORT: u16 = 161;
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None if address.matches(':').count() > 1 => (address, None),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None => SNMP_PORT,
    };
    (!host.is_empty()).then_some((host, port))
}

impl Session {
    /// Opens a socket of its own; nothing is sent yet.
    pub(crate) async fn open(target: SocketAddr, access: &Access, limits: Limits) -> Result<Self, Error> {
        let bind = if target.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let failed = |failure: Box<Failure>| error(&failure, limits);
        let transport = UdpTransport::builder()
            .bind(bind)
            .receive_capacity(RECEIVE_CAPACITY)
            .build()
            .await
            .map_err(failed)?;
        // Agents report an unknown user, a wrong password and (against RFC 3414 3.2 step 7a) a wrong clock without
        // authentication. Not to listen would turn each of them into silence. Only reports are taken so, never rows: who
        // can forge them can also drop our packets.
        let mut builder = ClientBuilder::new(auth(access)?)
            .allow_unauthenticated_v3_time_correction(true)
            .request_timeout(limits.timeout)
            .retry(
                Retry::fixed(limits.retries, Duration::ZERO).map_err(|e| Error::Malformed(e.to_string()))?,
            );
        if uses_des(access) {
            // DES salts need a boot counter kept on disk to be unique for ever; who permits DES permits less.
            let state = DesSaltState::install(|_| Ok::<(), std::convert::Infallible>(()));
            builder = builder.des_salt_state(state.map_err(|e| Error::Malformed(e.to_string()))?);
        }
        let client = builder.target(target).build_with(&transport).await.map_err(failed)?;
        Ok(Self {
            client,
            target,
            limits,
            repetitions: limits.max_repetitions.max(1),
            slowest: Duration::ZERO,
        })
    }

    /// Scalars; those that the agent does not have are left out.
    pub(crate) async fn scalars(&self, columns: &[Column]) -> Result<Vec<(Column, Value)>, Error> {
        let oid = |column: &Column| Oid::from_slice(&[column.oid(), &[0]].concat());
        let oids: Vec<Oid> = columns.iter().map(oid).collect();
        let found = match self.client.get_many(&oids).await {
            Ok(response) => response.varbinds,
            Err(failure) if matches!(failure.exchange_source(), Failure::Snmp { .. }) => {
                // Small agents fail a request for the sake of one object, or manage only one at a time.
                let mut found = Vec::new();
                for oid in &oids {
                    match self.client.get(oid).await {
                        Ok(response) => found.extend(response.varbinds),
                        Err(failure) if matches!(failure.exchange_source(), Failure::Snmp { .. }) => {}
                        Err(failure) => return Err(error(&failure, self.limits)),
                    }
                }
                found
            }
            Err(failure) => return Err(error(&failure, self.limits)),
        };
        let value_of = |column: &Column| {
            let oid = oid(column);
            found.iter().find(|varbind| varbind.oid == oid).and_then(|varbind| value(&varbind.value))
        };
        Ok(columns.iter().filter_map(|column| Some((*column, value_of(column)?))).collect())
    }

    /// Walks one column to its end; what was read before a failure is in `rows`. An agent that sends rows in another order is
    /// followed until it leaves the column, and then the column is complete: it has walked its own list. `expected` rows, where another column of the
    /// table told, are asked for at once: what an agent sends beyond the end costs as much as rows that are wanted.
    pub(crate) async fn column(
        &mut self,
        column: Column,
        expected: Option<usize>,
        rows: &mut Vec<Row>,
    ) -> Result<(), Error> {
        let base = Oid::from_slice(column.oid());
        let mut cursor = base.clone();
        let mut order = Order::default();
        let mut repetitions = self.repetitions;
        loop {
            let asked = repetitions.min(wanted(expected, rows.len()));
            let began = Instant::now();
            let batch = match self.request(&cursor, asked).await {
                Ok(batch) => batch,
                // The end of the MIB, as agents of SNMP v1 descent say it.
                Err(failure) if has_status(&failure, ErrorStatus::NoSuchName) => return Ok(()),
                Err(failure) => {
                    repetitions = self.fewer(&failure, asked).await?;
                    continue;
                }
            };
            self.repetitions = self.repetitions.min(repetitions);
            self.slowest = self.slowest.max(began.elapsed());
            if batch.is_empty() {
                return Err(Error::Malformed("the agent answers with nothing".to_owned()));
            }
            for VarBind { oid, value: wire, .. } in batch {
                let index = match oid.arcs().strip_prefix(column.oid()) {
                    Some(index) if !wire.is_exception() => index,
                    _ => {
                        if !order.is_kept() {
                            tracing::info!(
                                column = column.name(),
                                rows = rows.len(),
                                "the agent keeps no order"
                            );
                        }
                        return Ok(());
                    }
                };
                if order.count() >= self.limits.max_rows {
                    return Err(Error::TooMany(self.limits.max_rows));
                }
                if !order.advance(index, rows) {
                    return Err(Error::Looped(rows.len()));
                }
                if let Some(value) = value(&wire) {
                    rows.push(Row { index: index.to_vec(), value });
                }
                cursor = oid;
            }
        }
    }

    /// How long to wait for the same agent where it may have nothing to say: much longer than for any answer so far.
    pub(crate) fn patience(&self, least: Duration) -> Duration {
        self.limits.timeout.min(least.max(self.slowest * 10))
    }

    /// Where the agent is.
    pub(crate) const fn target(&self) -> SocketAddr {
        self.target
    }

    /// Whether the column has any row; costs one round trip.
    pub(crate) async fn has_rows(&self, column: Column) -> Result<bool, Error> {
        let base = Oid::from_slice(column.oid());
        match self.client.get_next(&base).await {
            Ok(response) => Ok(response
                .varbinds
                .first()
                .is_some_and(|varbind| !varbind.value.is_exception() && varbind.oid.starts_with(&base))),
            Err(failure) if has_status(&failure, ErrorStatus::NoSuchName) => Ok(false),
            Err(failure) => Err(error(&failure, self.limits)),
        }
    }

    async fn request(&self, cursor: &Oid, repetitions: u32) -> Result<Vec<VarBind>, Box<Failure>> {
        if repetitions < HALVE {
            return Ok(self.client.get_next(cursor).await?.varbinds);
        }
        self.client.get_bulk(std::slice::from_ref(cursor), 0, repetitions).await
    }

    /// How many rows to ask for after a failure, if asking for fewer can help.
    async fn fewer(&self, failure: &Failure, repetitions: u32) -> Result<u32, Error> {
        let cause = error(failure, self.limits);
        if repetitions < HALVE {
            return Err(cause);
        }
        match (&cause, failure.exchange_source()) {
            (Error::Silent { .. }, _) => {
                // Agents drop an answer that does not fit instead of saying so. If it still answers the simplest
                // question, it was the size; a quarter gets there sooner than a half.
                self.scalars(&[Column::SysUpTime]).await.map_err(|_| cause)?;
                Ok((repetitions / HALVE / HALVE).max(1))
            }
            (_, Failure::Snmp { status: ErrorStatus::TooBig | ErrorStatus::GenErr, .. })
            | (Error::Malformed(_), _) => Ok(repetitions / HALVE),
            _ => Err(cause),
        }
    }
}

/// How many rows to ask for: those that are still expected and the one that shows the end; unknown columns are approached
/// in growing steps, because most are short or not there.
fn wanted(expected: Option<usize>, read: usize) -> u32 {
    const FIRST: usize = 4;
    let rows = match expected {
        Some(expected) if expected >= read => expected - read + 1,
        _ => FIRST.max(read * 2),
    };
    u32::try_from(rows).unwrap_or(u32::MAX)
}

fn has_status(failure: &Failure, wanted: ErrorStatus) -> bool {
    matches!(failure.exchange_source(), Failure::Snmp { status, .. } if *status == wanted)
}

/// A wire value as the parsers know it; `None` for exceptions and for types no column here has.
fn value(wire: &Wire) -> Option<Value> {
    Some(match wire {
        Wire::Integer(number) => Value::Number(i64::from(*number)),
        Wire::Counter32(number)
        | Wire::Gauge32(number)
        | Wire::UInteger32(number)
        | Wire::TimeTicks(number) => Value::Number(i64::from(*number)),
        Wire::Counter64(number) => Value::Number(i64::try_from(*number).unwrap_or(i64::MAX)),
        Wire::OctetString(bytes) | Wire::Opaque(bytes) | Wire::Nsap(bytes) => Value::Bytes(bytes.to_vec()),
        Wire::ObjectIdentifier(oid) => Value::Oid(oid.arcs().to_vec()),
        Wire::IpAddress(octets) => Value::Address((*octets).into()),
        _ => return None,
    })
}

fn uses_des(access: &Access) -> bool {
    matches!(access, Access::User { privacy: Some((PrivProtocol::Des | PrivProtocol::TripleDes, _)), .. })
}

fn auth(access: &Access) -> Result<Auth, Error> {
    let (name, auth, privacy, context) = match access {
        Access::Community(community) => return Ok(Auth::v2c(community.expose())),
        Access::User { name, auth, privacy, context } => (name, auth, privacy, context),
    };
    let unusable = |error: async_snmp::v3::CryptoError| Error::Malformed(error.to_string());
    let mut user = UsmConfig::new(name.clone()).context_name(context.clone());
    if let Some((protocol, password)) = auth {
        let mut keys =
            MasterKeys::new(auth_protocol(*protocol), password.expose().as_bytes()).map_err(unusable)?;
        if let Some((protocol, password)) = privacy {
            keys = keys
                .with_privacy(priv_protocol(*protocol), password.expose().as_bytes())
                .map_err(unusable)?;
        }
        user = user.with_master_keys(keys).map_err(unusable)?;
    }
    Ok(Auth::from(user))
}

const fn auth_protocol(protocol: AuthProtocol) -> async_snmp::AuthProtocol {
    match protocol {
        AuthProtocol::Md5 => async_snmp::AuthProtocol::Md5,
        AuthProtocol::Sha1 => async_snmp::AuthProtocol::Sha1,
        AuthProtocol::Sha224 => async_snmp::AuthProtocol::Sha224,
        AuthProtocol::Sha256 => async_snmp::AuthProtocol::Sha256,
        AuthProtocol::Sha384 => async_snmp::AuthProtocol::Sha384,
        AuthProtocol::Sha512 => async_snmp::AuthProtocol::Sha512,
    }
}

const fn priv_protocol(protocol: PrivProtocol) -> async_snmp::PrivProtocol {
    match protocol {
        PrivProtocol::Des => async_snmp::PrivProtocol::Des,
        PrivProtocol::TripleDes => async_snmp::PrivProtocol::Des3,
        PrivProtocol::Aes128 => async_snmp::PrivProtocol::Aes128,
        PrivProtocol::Aes192 => async_snmp::PrivProtocol::Aes192Blumenthal,
        PrivProtocol::Aes192Cisco => async_snmp::PrivProtocol::Aes192Reeder,
        PrivProtocol::Aes256 => async_snmp::PrivProtocol::Aes256Blumenthal,
        PrivProtocol::Aes256Cisco => async_snmp::PrivProtocol::Aes256Reeder,
    }
}

/// The library's failures by what the reader does about them.
fn error(failure: &Failure, limits: Limits) -> Error {
    match failure.exchange_source() {
        Failure::Timeout { .. } | Failure::ConstructionTimeout { .. } => {
            Error::Silent { timeout: limits.timeout, tries: limits.retries.saturating_add(1) }
        }
        Failure::Network { source, .. } => {
            Error::Unreachable(std::io::Error::new(source.kind(), source.to_string()))
        }
        Failure::Closed { .. } => Error::Unreachable(std::io::ErrorKind::NotConnected.into()),
        Failure::Snmp { status: ErrorStatus::AuthorizationError | ErrorStatus::NoAccess, .. } => {
            Error::Rejected("authorizationError".to_owned())
        }
        Failure::Snmp { status, .. } => Error::Rejected(status.to_string()),
        Failure::Auth { .. } => Error::Unauthorized("its answer is not authentic".to_owned()),
        Failure::Report { status, .. } => match status.as_ref() {
            ReportStatus::UnknownUserName { .. } => Error::Unauthorized("unknown user name".to_owned()),
            ReportStatus::WrongDigest { .. } => {
                Error::Unauthorized("wrong authentication password or protocol".to_owned())
            }
            ReportStatus::DecryptionError { .. } => {
                Error::Unauthorized("wrong encryption password or protocol".to_owned())
            }
            ReportStatus::UnsupportedSecurityLevel { .. } => {
                Error::Unauthorized("it wants another security level".to_owned())
            }
            ReportStatus::NotInTimeWindow { .. } => {
                Error::Unauthorized("its clock and ours disagree".to_owned())
            }
            ReportStatus::Other { oid, .. } if oid.arcs().starts_with(UNKNOWN_CONTEXTS) => {
                Error::UnknownContext
            }
            other => Error::Unauthorized(other.to_string()),
        },
        other => Error::Malformed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_have_a_port() {
        for (address, expected) in [
            ("192.0.2.1", Some(("192.0.2.1", 161))),
            ("192.0.2.1:1161", Some(("192.0.2.1", 1161))),
            ("sw1.example.org:161", Some(("sw1.example.org", 161))),
            ("2001:db8::1", Some(("2001:db8::1", 161))),
            ("[2001:db8::1]", Some(("2001:db8::1", 161))),
            ("[2001:db8::1]:1161", Some(("2001:db8::1", 1161))),
            ("192.0.2.1:0", None),
            ("192.0.2.1:snmp", None),
            ("[2001:db8::1", None),
            (":161", None),
            ("", None),
        ] {
            assert_eq!(split_host_port(address), expected, "{address}");
        }
    }
}
