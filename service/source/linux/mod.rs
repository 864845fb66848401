//! A Linux box over SSH: router, switch, access point or host with bridges. Runs `ip -j`, `bridge -j` and, where lldpd is
//! installed, `lldpctl`; what they print is read in `parse`. Nothing is written there, and no text from outside becomes part of
//! a command.

mod commands;
mod parse;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use self::commands::Command;
use self::parse::{About, Address, Links, Pvids, Row};
use super::run::{cut, expect, read};
use super::snmp::Credentials;
use super::{Check, SetupError, Source};
use crate::model::observation::{DeviceFact, DeviceRole};
use crate::model::{Collection, Fact, FactKind, SourceName};
use crate::transport::chain;
use crate::transport::ssh::{Limits, Output, Session, SshConfig, SshError, SshTarget, host_key_fault};

/// Connecting, logging in, each command: a table of a hundred thousand rows prints in a few seconds.
const DEFAULT_TIMEOUT_SECONDS: u64 = 15;

/// A forwarding row is about 90 bytes as JSON: some seven hundred thousand of them.
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// Enough of stderr to see why a command failed.
const MAX_STDERR: usize = 4096;

/// How much of a message is repeated.
const SHOWN: usize = 160;

/// Exit statuses of env(1): the command is not there, or may not be run.
const NOT_FOUND: u32 = 127;
const NOT_ALLOWED: u32 = 126;

/// A Linux box that is read over SSH. It needs iproute2 of 2018 (4.16) or newer with `ip` and `bridge`; any user may run them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source, and of the device in what it reports.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// `user@host` or `user@host:port`.
    pub ssh: SshTarget,
    /// Private key without a passphrase: Ed25519 or ECDSA, not RSA.
    pub identity_file: PathBuf,
    /// Host keys as OpenSSH writes them; this or `host_key` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts_file: Option<PathBuf>,
    /// The pinned host key, `SHA256:...` as `ssh-keygen -lf` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// For each of: connecting, logging in, one command.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
}

const fn default_timeout_seconds() -> u64 {
    DEFAULT_TIMEOUT_SECONDS
}

impl Config {
    /// The source. Reads and connects to nothing.
    pub fn build(&self, _: &[Credentials]) -> Result<Box<dyn Source>, SetupError> {
        let invalid = |reason: String| SetupError::Invalid { name: self.name.clone(), reason };
        if self.timeout_seconds == 0 {
            return Err(invalid("`timeout_seconds` must be at least 1".to_owned()));
        }
        let longest = Duration::from_secs(self.timeout_seconds);
        let ssh = SshConfig {
            target: self.ssh.clone(),
            identity_file: self.identity_file.clone(),
            known_hosts_file: self.known_hosts_file.clone(),
            host_key: self.host_key.clone(),
            timeout: longest,
        };
        if let Some(fault) = host_key_fault(ssh.host_key.as_deref(), ssh.known_hosts_file.is_some()) {
            return Err(invalid(fault));
        }
        let limits = Limits { time: longest, stdout: MAX_OUTPUT, stderr: MAX_STDERR };
        Ok(Box::new(Linux { name: self.name.clone(), address: self.ssh.host.parse().ok(), ssh, limits }))
    }
}

struct Linux {
    name: SourceName,
    /// The address it is read at, if it was given as one.
    address: Option<IpAddr>,
    ssh: SshConfig,
    limits: Limits,
}

/// What is read, in this order, so that a cut run names what is missing.
const KINDS: [FactKind; 6] = [
    FactKind::Device,
    FactKind::Interfaces,
    FactKind::Networks,
    FactKind::Neighbors,
    FactKind::Fdb,
    FactKind::Lldp,
];

/// What is there if only one program is missing or too old.
const TOO_OLD: &str = "does not print JSON; hint: install iproute2 4.16 or newer (OpenWrt: the packages ip-full and ip-bridge; \
                       BusyBox's own `ip` cannot)";

#[async_trait]
impl Source for Linux {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        let name = &self.name;
        let reach = format!("{name}: log in");
        let session = match Session::open(&self.ssh).await {
            Ok(session) => session,
            Err(error) => return vec![Check::failed(reach, chain(&error))],
        };
        let mut checks = Vec::new();
        match self.ask(&session, commands::NAME).await {
            Ok(said) if said.fault.is_none() => {
                checks.push(Check::passed(reach, parse::first_line(&said.printed).unwrap_or_default()));
            }
            Ok(said) => checks.push(Check::failed(reach, said.fault.unwrap_or_default())),
            Err(error) => checks.push(Check::failed(reach, chain(&error))),
        }
        for command in [commands::LINKS, commands::ADDRESSES, commands::NEIGHBORS, commands::FDB] {
            let what = format!("{name}: {}", command.text);
            checks.push(match self.ask(&session, command).await {
                Ok(said) => match said.rows() {
                    (rows, None) => Check::passed(what, format!("{} rows", rows.len())),
                    (_, Some(fault)) => Check::failed(what, fault),
                },
                Err(error) => Check::failed(what, chain(&error)),
            });
        }
        session.close().await;
        checks
    }

    async fn collect(&self, sink: &mut Collection) {
        let session = match Session::open(&self.ssh).await {
            Ok(session) => session,
            Err(error) => return sink.gap(FactKind::All, chain(&error)),
        };
        expect(sink, &KINDS);
        if let Err(error) = self.read_all(&session, sink).await {
            cut(sink, &chain(&error));
        }
        session.close().await;
    }
}

/// What one command left.
struct Said {
    printed: Vec<u8>,
    /// Why that is not all there is.
    fault: Option<String>,
    /// Whether there is no such program or file.
    is_missing: bool,
}

impl Said {
    fn rows(&self) -> (Vec<Row>, Option<String>) {
        let (rows, fault) = parse::rows(&self.printed);
        // Why a program failed says more than that it printed no JSON.
        (rows, self.fault.clone().or(fault))
    }
}

impl Linux {
    /// One command. `Err` only where the connection is of no use any more.
    async fn ask(&self, session: &Session, command: Command) -> Result<Said, SshError> {
        let text = format!("{}{}", commands::PREFIX, command.text);
        match session.run(&text, b"", &self.limits).await {
            Ok(output) => Ok(said(command, output)),
            Err(error @ SshError::TooMuchOutput { .. }) => {
                Ok(Said { printed: Vec::new(), fault: Some(chain(&error)), is_missing: false })
            }
            Err(error) => Err(error),
        }
    }

    /// The rows of one command; what is wrong with them is a gap.
    async fn rows(
        &self,
        session: &Session,
        command: Command,
        sink: &mut Collection,
    ) -> Result<Option<Vec<Row>>, SshError> {
        let (rows, fault) = self.ask(session, command).await?.rows();
        let is_whole = fault.is_none();
        if let Some(fault) = fault {
            sink.gap(command.kind, format!("`{}`: {fault}", command.text));
        }
        Ok((is_whole || !rows.is_empty()).then_some(rows))
    }

    /// What an optional command printed, which may be nothing.
    async fn optional(&self, session: &Session, command: Command) -> Result<Vec<u8>, SshError> {
        Ok(self.ask(session, command).await?.printed)
    }

    async fn read_all(&self, session: &Session, sink: &mut Collection) -> Result<(), SshError> {
        let name = self.ask(session, commands::NAME).await?;
        if let Some(fault) = &name.fault {
            sink.gap(FactKind::Device, format!("`{}`: {fault}", commands::NAME.text));
        }
        let listed = self.optional(session, commands::ABOUT).await?;
        let about = parse::about(&listed, &self.optional(session, commands::BOARD).await?);
        let radios = parse::radios(&self.optional(session, commands::RADIOS).await?);
        let found = self.rows(session, commands::LINKS, sink).await?;
        let is_known = found.is_some();
        let links = Links::new(&found.unwrap_or_default(), &radios);
        let pvids = if links.has_filtering() {
            parse::pvids(&self.rows(session, commands::VLANS, sink).await?.unwrap_or_default())
        } else {
            Pvids::new()
        };
        let addresses = self.rows(session, commands::ADDRESSES, sink).await?;
        let gateways = self.rows(session, commands::ROUTES, sink).await?;
        let addresses = parse::addresses(&addresses.unwrap_or_default());

        let mut device = self.device(&name, about, &links, &addresses);
        if device.address.is_none() {
            device.address = self.named_address(&addresses).await;
        }
        sink.facts.push(Fact::Device(device));
        read(sink, FactKind::Device);
        sink.facts.extend(links.facts(self.name.as_str(), &pvids).into_iter().map(Fact::Interface));
        read(sink, FactKind::Interfaces);
        sink.facts.extend(parse::networks(
            &addresses,
            &parse::gateways(&gateways.unwrap_or_default()),
            &links,
        ));
        read(sink, FactKind::Networks);

        let neighbors = self.rows(session, commands::NEIGHBORS, sink).await?;
        sink.facts.extend(parse::neighbors(&neighbors.unwrap_or_default()));
        read(sink, FactKind::Neighbors);

        // Without a bridge there is no table, and `bridge` need not be installed.
        if links.has_bridge() || !is_known {
            let table = self.rows(session, commands::FDB, sink).await?;
            for row in parse::forwarding(&table.unwrap_or_default(), &links) {
                sink.push_fdb(self.name.as_str(), Ok(&row.port), row.mac, row.vlan);
            }
        }
        if links.open_vswitch() > 0 {
            let reason = format!(
                "the tables of Open vSwitch are not read: {} of its ports are here; what hangs on them is not known",
                links.open_vswitch()
            );
            sink.gap(FactKind::Fdb, reason);
        }
        read(sink, FactKind::Fdb);

        self.read_lldp(session, sink).await?;
        read(sink, FactKind::Lldp);
        Ok(())
    }

    fn device(&self, name: &Said, about: About, links: &Links, addresses: &[Address]) -> DeviceFact {
        let networked: BTreeSet<&str> = addresses.iter().map(|one| one.interface.as_str()).collect();
        let role = if links.len() == 0 { DeviceRole::Other } else { links.role(about.forwards, &networked) };
        DeviceFact {
            device: self.name.to_string(),
            role,
            own_name: parse::first_line(&name.printed).filter(|_| name.fault.is_none()),
            address: self.address,
            description: about.system.or_else(|| Some("Linux".to_owned())),
            manufacturer: about.manufacturer,
            model: about.model,
            serial: about.serial,
            chassis_id: None,
            macs: links.own_macs().into_iter().collect(),
            cluster: None,
        }
    }

    /// Which of the box's own addresses the name that it is read under stands for.
    async fn named_address(&self, addresses: &[Address]) -> Option<IpAddr> {
        let target = &self.ssh.target;
        let looking_up = tokio::net::lookup_host((target.host.as_str(), target.port));
        let found = timeout(self.ssh.timeout, looking_up).await.ok()?.ok()?;
        found.map(|socket| socket.ip()).find(|found| addresses.iter().any(|one| one.own == *found))
    }

    /// A box without lldpd, or with one that does not run, hears nobody: that is no gap. One that may not be asked is.
    async fn read_lldp(&self, session: &Session, sink: &mut Collection) -> Result<(), SshError> {
        let said = self.ask(session, commands::LLDP).await?;
        if said.is_missing {
            return Ok(());
        }
        let text = commands::LLDP.text;
        if let Some(fault) = &said.fault {
            if !fault.contains("No such file") && !fault.contains("Connection refused") {
                let hint = "hint: add the user to the group that may run it (Debian: adm)";
                sink.gap(FactKind::Lldp, format!("`{text}`: {fault}; {hint}"));
            }
            return Ok(());
        }
        match parse::value(&said.printed) {
            Ok(printed) => {
                let heard = parse::lldp_neighbors(self.name.as_str(), &printed);
                sink.facts.extend(heard.into_iter().map(Fact::LldpNeighbor));
            }
            Err(fault) => sink.gap(FactKind::Lldp, format!("`{text}`: {fault}")),
        }
        Ok(())
    }
}

/// What a command left, in words where it failed.
fn said(command: Command, output: Output) -> Said {
    let Output { status, stdout, stderr } = output;
    let message = String::from_utf8_lossy(&stderr).into_owned();
    let tool = command.text.split(' ').next().unwrap_or_default();
    let is_missing = status == NOT_FOUND;
    // Whatever prints the usage of another program does not know `-j`.
    let is_too_old = ["BusyBox", "invalid option", "is unknown, try", "unrecognized option"]
        .into_iter()
        .any(|sign| message.contains(sign));
    let first = || {
        let line = parse::first_line(&stderr).or_else(|| parse::first_line(&stdout)).unwrap_or_default();
        line.chars().take(SHOWN).collect::<String>()
    };
    let fault = match status {
        0 => None,
        NOT_FOUND if matches!(tool, "ip" | "bridge") => Some(format!(
            "`{tool}` is not installed; hint: the package iproute2 (OpenWrt: ip-full and ip-bridge) has it"
        )),
        NOT_FOUND => Some(format!("`{tool}` is not installed")),
        NOT_ALLOWED => Some(format!("it may not be run: {}", first())),
        _ if is_too_old && matches!(tool, "ip" | "bridge") => Some(format!("`{tool}` there {TOO_OLD}")),
        _ => Some(format!("exit status {status}: {}", first())),
    };
    Said { printed: stdout, fault: fault.filter(|_| !command.is_optional || !is_missing), is_missing }
}

#[cfg(test)]
mod tests;
