//! MikroTik RouterOS: leases, forwarding tables, neighbours and interfaces of a router or switch. Talks; what the rows
//! mean is in `parse`. Reads only, and asks only for the columns it needs.

mod api;
#[cfg(test)]
mod live_tests;
mod menus;
mod parse;
mod print;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::api::Api;
use self::menus::Menu;
use self::parse::{HostTable, Rows, Upstream};
use self::print::{PrintError, Transport};
use self::rest::Rest;
use super::run::{expect, read};
use super::snmp::Credentials;
use super::{Check, SetupError, Source};
use crate::model::collection::FdbPort;
use crate::model::observation::PortKind;
use crate::model::{Collection, Fact, FactKind, MacAddr, PortRef, SourceName};
use crate::transport::http::ClientError;
use crate::transport::tls::client_config;
use crate::transport::{TlsMode, http, read_secret_file};

/// A menu that takes longer hangs: the largest table seen in the field prints in a few seconds.
const DEFAULT_TIMEOUT_SECONDS: u64 = 15;

/// Menus read at the same time. The CPU of a small router is weak, and it has other work.
const DEFAULT_CONCURRENCY: usize = 4;

/// A RouterOS device, by its REST API over TLS (service `www-ssl`, version 7.1 or newer) or its binary API over TLS
/// (service `api-ssl`, version 6.43 or newer, with a certificate).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source, and of the device in what it reports.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// Host name or address, with an optional port: `192.0.2.1`, `router.example.org:8443`, `[2001:db8::1]:443`.
    pub address: String,
    /// `rest`, or `api` for devices before RouterOS 7.1.
    #[serde(default)]
    pub transport: TransportKind,
    /// A user of a group with the policies read, api and (for `rest`) rest-api.
    pub username: String,
    /// File with its password.
    pub password_file: PathBuf,
    /// `verify`, `sha256:<fingerprint>` or `insecure`.
    #[serde(default)]
    pub tls: TlsMode,
    /// PEM file of the authority that issued the device's certificate, for `verify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Longest time for one menu.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
    /// Menus read at the same time.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

/// How a device is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportKind {
    /// REST over HTTPS, port 443.
    #[default]
    Rest,
    /// The binary API over TLS, port 8729.
    Api,
}

impl TransportKind {
    /// Ports of the services `www-ssl` and `api-ssl` as they come.
    const fn default_port(self) -> u16 {
        match self {
            Self::Rest => 443,
            Self::Api => 8729,
        }
    }
}

const fn default_timeout_seconds() -> u64 {
    DEFAULT_TIMEOUT_SECONDS
}

const fn default_concurrency() -> usize {
    DEFAULT_CONCURRENCY
}

impl Config {
    /// The source. Reads the password file.
    pub fn build(&self, _: &[Credentials]) -> Result<Box<dyn Source>, SetupError> {
        let invalid =
            |reason: &str| SetupError::Invalid { name: self.name.clone(), reason: reason.to_owned() };
        let (host, port) = host_and_port(&self.address, self.transport.default_port())
            .ok_or_else(|| invalid("`address` must be a host or host:port, without https://"))?;
        if self.timeout_seconds == 0 {
            return Err(invalid("`timeout_seconds` must be at least 1"));
        }
        let timeout = Duration::from_secs(self.timeout_seconds);
        let password =
            read_secret_file(&self.password_file).map_err(|error| SetupError::secret(&self.name, error))?;
        let failed = |error: ClientError| SetupError::client(&self.name, error);
        let ca_file = self.ca_file.as_deref();
        let bare_host = host.trim_matches(['[', ']']);
        let transport = match self.transport {
            TransportKind::Rest => {
                let agent = concat!("surveyor/", env!("CARGO_PKG_VERSION"));
                Transport::Rest(Rest {
                    client: http::client(&self.tls, ca_file, timeout, agent).map_err(failed)?,
                    base: format!("https://{host}:{port}"),
                    username: self.username.clone(),
                    password,
                    timeout,
                })
            }
            TransportKind::Api => {
                let tls = client_config(&self.tls, ca_file).map_err(|error| failed(error.into()))?;
                let api = Api::new(tls, (bare_host, port), (&self.username, password), timeout);
                Transport::Api(Box::new(api))
            }
        };
        Ok(Box::new(RouterOs {
            name: self.name.clone(),
            address: bare_host.parse().ok(),
            transport,
            concurrency: self.concurrency.max(1),
        }))
    }
}

/// Host (an IPv6 address in brackets) and port.
fn host_and_port(text: &str, default_port: u16) -> Option<(String, u16)> {
    if let Ok(IpAddr::V6(v6)) = text.parse() {
        return Some((format!("[{v6}]"), default_port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, default_port),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let valid = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    };
    valid.then(|| (host.to_owned(), port))
}

struct RouterOs {
    name: SourceName,
    /// The address it is read at, if it was given as one.
    address: Option<IpAddr>,
    transport: Transport,
    concurrency: usize,
}

/// What a menu gave: rows (none if the device has no such menu), or `None` if that could not be found out.
type Menus = BTreeMap<&'static str, Option<Rows>>;

#[async_trait]
impl Source for RouterOs {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        let name = &self.name;
        let first = self.transport.print(menus::RESOURCE).await;
        let reach = format!("{name}: log in");
        let mut checks = match first {
            Ok(rows) => {
                let fact = parse::device_fact(name.as_str(), None, &rows, &Rows::default(), &Rows::default());
                let found: Vec<String> = [fact.model, fact.description].into_iter().flatten().collect();
                vec![Check::passed(reach, found.join(", "))]
            }
            Err(PrintError::Missing) => return vec![Check::failed(reach, NO_REST)],
            Err(error) => return vec![Check::failed(reach, error.to_string())],
        };
        for menu in [menus::IDENTITY, menus::INTERFACE, menus::ADDRESS, menus::NEIGHBOR] {
            let what = format!("{name}: read /{}", menu.path);
            checks.push(match self.transport.print(menu).await {
                Ok(rows) => Check::passed(what, format!("{} rows", rows.len())),
                Err(error) => Check::failed(what, error.to_string()),
            });
        }
        checks
    }

    async fn collect(&self, sink: &mut Collection) {
        // A run that was cut may have left sessions that the device has closed since.
        self.transport.hang_up();
        // One menu alone first: a device that is down or refuses us is asked once, not eighteen times.
        let mut base = Menus::new();
        let first = self.transport.print(menus::RESOURCE).await;
        match first {
            Err(error) if error.is_fatal() => return sink.gap(FactKind::All, error.to_string()),
            Err(PrintError::Missing) => return sink.gap(FactKind::All, NO_REST),
            other => note(sink, menus::RESOURCE, other, &mut base),
        }
        expect(sink, &KINDS);
        let mut reading = self.transport.print_all(&menus::BASE[1..], self.concurrency);
        while let Some((menu, answer)) = reading.next().await {
            note(sink, menu, answer, &mut base);
        }
        let mut seen = self.push_base(sink, &base);
        let mut left: Vec<Menu> = menus::SEEN.to_vec();
        let mut reading = self.transport.print_all(&menus::SEEN, self.concurrency);
        let mut kept = Menus::new();
        while let Some((menu, answer)) = reading.next().await {
            note(sink, menu, answer, &mut kept);
            left.retain(|other| *other != menu);
            if let Some(Some(rows)) = kept.remove(menu.path) {
                self.push_seen(sink, menu, rows, &mut seen);
            }
            if left.iter().all(|other| other.kind != menu.kind) {
                self.push_switch_hosts(sink, &mut seen, menu.kind);
                read(sink, menu.kind);
            }
        }
        self.transport.hang_up();
    }
}

/// What is read after the first menu, so that a cut run names what is missing.
const KINDS: [FactKind; 7] = [
    FactKind::Device,
    FactKind::Interfaces,
    FactKind::Networks,
    FactKind::Leases,
    FactKind::Neighbors,
    FactKind::Fdb,
    FactKind::Lldp,
];

const NO_REST: &str = "the device has no REST API; hint: it needs RouterOS 7.1 or newer with the service www-ssl enabled, \
                       and `address` must lead to that service";

/// What was read that the rest is understood with.
struct Seen {
    kinds: BTreeMap<String, PortKind>,
    upstream: Upstream,
    /// Where the device's own fact is in the sink: addresses of its own are found later too.
    device_at: usize,
    bridge: HostTable,
    /// The table of the switch chip, which waits for the bridge's: most of it is the same.
    switch: Rows,
}

impl RouterOs {
    fn push_base(&self, sink: &mut Collection, base: &Menus) -> Seen {
        let none = Rows::default();
        let rows = |menu: Menu| base.get(menu.path).and_then(Option::as_ref).unwrap_or(&none);
        let mut device = parse::device_fact(
            self.name.as_str(),
            self.address,
            rows(menus::RESOURCE),
            rows(menus::IDENTITY),
            rows(menus::ROUTERBOARD),
        );
        let own: BTreeSet<MacAddr> = [menus::INTERFACE, menus::BRIDGE, menus::BONDING]
            .into_iter()
            .flat_map(|menu| parse::own_macs(rows(menu)))
            .collect();
        let bridges = parse::designated_bridges(self.name.as_str(), rows(menus::BRIDGE_PORT), &own);
        device.macs = own.into_iter().collect();
        let device_at = sink.facts.len();
        sink.facts.push(Fact::Device(device));
        read(sink, FactKind::Device);

        let interfaces = parse::interface_facts(
            self.name.as_str(),
            rows(menus::INTERFACE),
            rows(menus::BRIDGE),
            rows(menus::BRIDGE_PORT),
            rows(menus::BRIDGE_VLAN),
            rows(menus::BONDING),
        );
        let kinds = interfaces.iter().map(|fact| (fact.name.clone(), fact.kind)).collect();
        sink.facts.extend(interfaces.into_iter().map(Fact::Interface));
        sink.facts.extend(bridges.into_iter().map(Fact::LldpNeighbor));
        read(sink, FactKind::Interfaces);
        let upstream = parse::upstream(rows(menus::LIST_MEMBER), rows(menus::ROUTE));
        Seen { kinds, upstream, device_at, bridge: HostTable::default(), switch: Rows::default() }
    }

    /// Pushes what one menu says.
    fn push_seen(&self, sink: &mut Collection, menu: Menu, rows: Rows, seen: &mut Seen) {
        let device = self.name.as_str();
        match menu {
            menus::BRIDGE_HOST => {
                seen.bridge = parse::bridge_hosts(&rows);
                push_hosts(sink, device, &seen.bridge);
                note_own(sink, seen.device_at, &seen.bridge);
            }
            menus::SWITCH_HOST => seen.switch = rows,
            menus::LEASE => {
                let now = sink.observed_at;
                sink.facts.extend(parse::leases(&rows, now).map(Fact::DhcpLease));
            }
            menus::ARP | menus::NEIGHBOR6 => sink.facts.extend(parse::neighbors(&rows)),
            menus::ADDRESS | menus::ADDRESS6 => sink.facts.extend(parse::networks(&rows, &seen.upstream)),
            menus::NEIGHBOR => {
                sink.facts.extend(parse::lldp_neighbors(device, &rows, &seen.kinds).map(Fact::LldpNeighbor));
            }
            _ => {}
        }
    }

    /// What the switch chip knows and the bridge does not, once both have answered.
    fn push_switch_hosts(&self, sink: &mut Collection, seen: &mut Seen, done: FactKind) {
        if done == FactKind::Fdb {
            let table = parse::switch_hosts(&seen.switch, &seen.bridge);
            push_hosts(sink, self.name.as_str(), &table);
            seen.bridge = HostTable::default();
        }
    }
}

fn push_hosts(sink: &mut Collection, device: &str, table: &HostTable) {
    let intern = |port: &String| FdbPort { device: device.to_owned(), port: Ok(port.clone()) };
    let ports: Vec<PortRef> = table.ports.iter().map(|port| sink.fdb.intern(intern(port))).collect();
    for (mac, port, vlan, age) in &table.rows {
        sink.fdb.push_aged(*mac, ports[*port], *vlan, *age);
    }
}

/// Keeps the rows of a menu, or records what is missing without them. A menu the device does not have is empty.
fn note(sink: &mut Collection, menu: Menu, answer: Result<Rows, PrintError>, into: &mut Menus) {
    let rows = match answer {
        Ok(rows) => Some(rows),
        Err(PrintError::Missing) => Some(Rows::default()),
        Err(error) => {
            sink.gap(menu.kind, format!("/{}: {error}", menu.path));
            None
        }
    };
    into.insert(menu.path, rows);
}

/// Local rows of the bridge are the device's own addresses.
fn note_own(sink: &mut Collection, device_at: usize, table: &HostTable) {
    if let Some(Fact::Device(device)) = sink.facts.get_mut(device_at) {
        let all: BTreeSet<MacAddr> = device.macs.iter().chain(&table.own).copied().collect();
        device.macs = all.into_iter().collect();
    }
}
