//! Systems that can be read for observations: the trait they share, and nothing about any one of them.
//!
//! A source reads, never writes. It pushes facts into a [`Collection`] that the runner made (name and time are set);
//! what it could not read is a gap there, never an `Err`: so one broken menu never hides the rest, and absence is only
//! believed where there is no gap. A source knows no NetBox: what it needs from there is handed in as data.
//!
//! A new source is one folder (`mod.rs` talks, `parse.rs` is pure) and three lines here: its module, its variant in
//! [`SourceConfig`] and its arm in `each!`. `docs/ADDING-A-SOURCE.md` goes through it.

pub mod dhcpd;
pub mod dnsmasq;
pub mod expand;
mod identifier;
pub mod kea;
pub mod linux;
#[cfg(test)]
mod peer;
pub mod proxmox;
pub mod record;
mod remote;
pub mod routeros;
pub mod run;
pub mod scan;
pub mod snmp;
mod unread;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Collection, SourceName};
use crate::transport::SecretError;
use crate::transport::http::ClientError;

pub use expand::{Expansion, Inventory, KnownDevice, Listed, Outcome, expand};
pub use run::{Limits, check_all, collect_all};
pub use unread::Unread;

/// A system that can be read for observations.
#[async_trait]
pub trait Source: Send + Sync {
    /// The name in the configuration; everything it reports is attributed to it.
    fn name(&self) -> &SourceName;

    /// Whether it can be reached and the credentials suffice: one line per thing tried, for `doctor`.
    async fn check(&self) -> Vec<Check>;

    /// Reads everything it knows now into `sink`. Push facts as soon as they are read, because what is in the sink is
    /// kept when the time runs out; push a gap for what failed.
    async fn collect(&self, sink: &mut Collection);

    /// How long it takes at most where that follows from its configuration: a larger limit than the usual one.
    fn longest(&self) -> Option<Duration> {
        None
    }
}

/// One thing that `doctor` tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was tried: `router1: log in`.
    pub what: String,
    /// What was found, or what is wrong and what to do about it.
    pub outcome: Result<String, String>,
}

impl Check {
    /// A check that passed.
    pub fn passed(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), outcome: Ok(found.into()) }
    }

    /// A check that failed.
    pub fn failed(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), outcome: Err(why.into()) }
    }
}

/// A source as the user configures it: one table of `[[source]]`, told apart by `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "there are as many as entries in a configuration file")]
pub enum SourceConfig {
    /// MikroTik RouterOS.
    RouterOs(routeros::Config),
    /// Proxmox VE.
    Proxmox(proxmox::Config),
    /// A switch, router or anything else with an SNMP agent.
    Snmp(snmp::Config),
    /// Subnets whose addresses are asked for a sign of life.
    Scan(scan::Config),
    /// A Linux box over SSH.
    Linux(linux::Config),
    /// The DHCP servers of ISC Kea.
    Kea(kea::Config),
    /// The leases of dnsmasq.
    Dnsmasq(dnsmasq::Config),
    /// The leases of ISC dhcpd.
    Dhcpd(dhcpd::Config),
}

/// Does the same with the configuration of whichever kind it is.
macro_rules! each {
    ($of:expr, $config:ident => $does:expr) => {
        match $of {
            Self::RouterOs($config) => $does,
            Self::Proxmox($config) => $does,
            Self::Snmp($config) => $does,
            Self::Scan($config) => $does,
            Self::Linux($config) => $does,
            Self::Kea($config) => $does,
            Self::Dnsmasq($config) => $does,
            Self::Dhcpd($config) => $does,
        }
    };
}

impl SourceConfig {
    /// The name that everything the source reports is attributed to.
    pub const fn name(&self) -> &SourceName {
        each!(self, config => &config.name)
    }

    /// The source itself, with the credentials that it names. Reads its secrets; connects to nothing.
    pub fn build(&self, credentials: &[snmp::Credentials]) -> Result<Box<dyn Source>, SetupError> {
        each!(self, config => config.build(credentials))
    }
}

/// Why a source cannot be made from its configuration. All of them are the user's to fix.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No `[[credentials]]` entry has the name.
    #[error("source `{name}`: there are no credentials `{wanted}` (hint: `[[credentials]]` has: {known})")]
    Credentials {
        /// The source.
        name: SourceName,
        /// What it names.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// An SNMP source.
    #[error(transparent)]
    Snmp(#[from] snmp::ConfigError),
    /// A password or token cannot be read.
    #[error("source `{name}`")]
    Secret {
        /// The source.
        name: SourceName,
        /// Which file, and why.
        #[source]
        source: SecretError,
    },
    /// The TLS settings do not work.
    #[error("source `{name}`")]
    Client {
        /// The source.
        name: SourceName,
        /// What is wrong with them.
        #[source]
        source: ClientError,
    },
    /// A value is not what it should be.
    #[error("source `{name}`: {reason}")]
    Invalid {
        /// The source.
        name: SourceName,
        /// Which value, and what it should be.
        reason: String,
    },
}

impl SetupError {
    fn secret(name: &SourceName, source: SecretError) -> Self {
        Self::Secret { name: name.clone(), source }
    }

    fn client(name: &SourceName, source: ClientError) -> Self {
        Self::Client { name: name.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: serde_json::Value) -> String {
        serde_json::from_value::<SourceConfig>(config).unwrap_err().to_string()
    }

    #[test]
    fn a_source_is_told_by_its_type_and_unknown_keys_are_named() {
        let router: SourceConfig = serde_json::from_value(serde_json::json!({
            "name": "router1", "type": "routeros", "address": "192.0.2.1", "username": "surveyor",
            "password_file": "/run/secrets/router1", "tls": "verify",
        }))
        .unwrap();
        assert_eq!(router.name().as_str(), "router1");
        let again: SourceConfig = serde_json::from_value(serde_json::to_value(&router).unwrap()).unwrap();
        assert_eq!(router, again);

        let cluster = serde_json::json!({
            "name": "pve", "type": "proxmox", "url": "https://pve.example.org:8006", "token_id": "surveyor@pve!ro",
            "token_secret_file": "/run/secrets/pve", "tls": format!("sha256:{}", "ab".repeat(32)), "cluster": "lab",
        });
        assert_eq!(serde_json::from_value::<SourceConfig>(cluster).unwrap().name().as_str(), "pve");

        let stray = refusal(serde_json::json!({
            "name": "r", "type": "routeros", "address": "r", "username": "u", "password_file": "p", "pasword": "x",
        }));
        assert!(stray.contains("unknown field `pasword`"), "{stray}");
        assert!(
            refusal(serde_json::json!({"name": "r", "type": "router"})).contains("unknown variant `router`")
        );
    }

    #[test]
    fn a_missing_secret_is_said_when_the_source_is_made() {
        let config: SourceConfig = serde_json::from_value(serde_json::json!({
            "name": "r", "type": "routeros", "address": "r", "username": "u", "password_file": "/nonexistent/p",
            "tls": "insecure",
        }))
        .unwrap();
        let Err(error) = config.build(&[]) else { panic!("it was made") };
        let text = format!("{:#}", anyhow::Error::from(error));
        assert!(text.starts_with("source `r`: secret file `/nonexistent/p` does not exist; hint:"), "{text}");
    }
}
