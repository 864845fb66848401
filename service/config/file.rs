//! The configuration file as the user types it. Doc comments here are the reference: they go into `schemas/config.schema.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dns::UnboundConfig;
use crate::model::{Class, HostName};
use crate::plan::stage::{DEFAULT_CABLE_THRESHOLD, DEFAULT_MAX_NEW, LinkPolicy, Rule};
use crate::source::SourceConfig;
use crate::source::snmp::Credentials;
use crate::transport::TlsMode;

/// `surveyor.toml`. Relative paths are relative to the working directory.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The NetBox to propose in. Only `discover` works without.
    pub netbox: Option<NetBox>,
    /// Status of what waits for approval; another than `staged` has to be added to NetBox's choices first.
    #[serde(rename = "staged_status")]
    pub netbox_staged: Option<String>,
    /// The local database.
    #[serde(default)]
    pub store: Store,
    /// The webhook receiver. Without it approvals are found by the sweep alone.
    pub webhook: Option<Webhook>,
    /// What new objects need, by slug.
    #[serde(default)]
    pub defaults: Defaults,
    /// What is staged.
    #[serde(default)]
    pub stage: Stage,
    /// How sources are read.
    #[serde(default)]
    pub discover: Discover,
    /// How often `serve` does what.
    #[serde(default)]
    pub serve: Serve,
    /// Credentials that sources share by name.
    #[serde(default)]
    pub credentials: Vec<Credentials>,
    /// The systems that are read.
    #[serde(default)]
    pub source: Vec<SourceConfig>,
    /// DNS servers. Without this section no DNS step exists.
    pub dns: Option<Dns>,
}

/// NetBox.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetBox {
    /// Address: `https://netbox.example.org`.
    pub url: String,
    /// File with one token for everything; two are better.
    pub token_file: Option<PathBuf>,
    /// File with the token that may write staged objects only.
    pub stager_token_file: Option<PathBuf>,
    /// File with the token that may write approved objects only.
    pub materializer_token_file: Option<PathBuf>,
    /// `verify`, `sha256:<fingerprint>` or `insecure`.
    #[serde(default)]
    pub tls: TlsMode,
    /// PEM file of the authority that issued the certificate.
    pub ca_file: Option<PathBuf>,
    /// Longest time for one request. A bulk call of 100 devices takes about five seconds.
    #[serde(default = "sixty")]
    pub timeout_seconds: u64,
    /// After this long NetBox cannot still be working on a write that had no answer: longer than the time limit of its web
    /// server (gunicorn: 120 s in NetBox's example).
    #[serde(default = "settle_after")]
    pub settle_after_seconds: u64,
    /// Rows a page; NetBox's `MAX_PAGE_SIZE` is 1000.
    #[serde(default = "thousand")]
    pub page_size: usize,
}

const fn sixty() -> u64 {
    60
}

const fn settle_after() -> u64 {
    130
}

const fn thousand() -> usize {
    1000
}

/// The local database: inbox, receipts, what was last seen. Losing it loses no decision.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite://surveyor.db` or `postgres://user:password@host/database`.
    pub url: String,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite://surveyor.db".to_owned() }
    }
}

/// The webhook receiver.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Address and port to listen on.
    #[serde(default = "listen")]
    pub listen: String,
    /// How NetBox reaches it; `bootstrap` writes it into NetBox's webhook.
    pub public_url: Option<String>,
    /// File with the secret that NetBox signs with.
    pub secret_file: Option<PathBuf>,
    /// Further secrets that are accepted while one is replaced by another.
    #[serde(default)]
    pub more_secret_files: Vec<PathBuf>,
}

fn listen() -> String {
    "127.0.0.1:8745".to_owned()
}

/// What new objects need, by slug; a wrong one lists those that exist.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// Site of new devices.
    pub site: Option<String>,
    /// Device role.
    pub role: String,
    /// Device type.
    pub device_type: String,
    /// Device role by class (`server`, `workstation`, `iot`, `network`, `unknown`).
    pub roles: BTreeMap<Class, String>,
    /// Device type by class.
    pub device_types: BTreeMap<Class, String>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            site: None,
            role: "discovered".to_owned(),
            device_type: "surveyor-discovered".to_owned(),
            roles: BTreeMap::new(),
            device_types: BTreeMap::new(),
        }
    }
}

/// What is staged.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stage {
    /// New objects per run; the rest is counted.
    pub max_new: usize,
    /// At least one rule has to fit, if there are any.
    pub include: Vec<Rule>,
    /// No rule may fit.
    pub exclude: Vec<Rule>,
    /// What happens with links between network devices.
    pub links: LinkPolicy,
    /// Below this confidence (0 to 100) no cable is proposed.
    pub cable_threshold: u8,
    /// What happens with randomised MAC addresses that nothing names.
    pub random_macs: RandomMacs,
    /// Days a deleted candidate is not proposed again.
    pub snooze_days: i64,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            max_new: DEFAULT_MAX_NEW,
            include: Vec::new(),
            exclude: Vec::new(),
            links: LinkPolicy::Planned,
            cable_threshold: DEFAULT_CABLE_THRESHOLD,
            random_macs: RandomMacs::EvidenceOnly,
            snooze_days: crate::plan::reject::DEFAULT_SNOOZE_DAYS,
        }
    }
}

/// What happens with randomised MAC addresses that nothing names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RandomMacs {
    /// They are reported and not proposed.
    #[default]
    EvidenceOnly,
    /// They are proposed like any other.
    Stage,
}

/// How sources are read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Discover {
    /// Sources read at the same time.
    pub concurrency: usize,
    /// Longest time for one source; what it said until then is kept.
    pub timeout_seconds: u64,
}

impl Default for Discover {
    fn default() -> Self {
        Self { concurrency: 8, timeout_seconds: 120 }
    }
}

/// How often `serve` does what.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Serve {
    /// NetBox's change log is looked at this often, webhooks or not.
    pub sweep_seconds: u64,
    /// Everything is compared this often.
    pub full_sweep_minutes: u64,
    /// Sources are read this often; 0 is never.
    pub discover_minutes: u64,
}

impl Default for Serve {
    fn default() -> Self {
        Self { sweep_seconds: 15, full_sweep_minutes: 15, discover_minutes: 15 }
    }
}

/// DNS.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Zone that host names are published in.
    pub zone: HostName,
    /// Time to live of records, in seconds.
    #[serde(default = "ttl")]
    pub ttl: u32,
    /// Unbound servers, over SSH.
    #[serde(default)]
    pub unbound: Vec<UnboundConfig>,
}

/// Short enough that a moved host is found within minutes.
const fn ttl() -> u32 {
    300
}
