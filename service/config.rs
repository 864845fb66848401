//! The configuration: `File` is what the user typed, `Config` is what it means once every part was checked.
//!
//! TOML, overridden by `SURVEYOR__SECTION__KEY` variables. Unknown keys are errors. Secrets are never in it: only the files
//! that have them.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dns::UnboundConfig;
use crate::model::{Class, HostName};
use crate::netbox::view::Wishes;
use crate::plan::stage::Policy;
use crate::source::snmp::Credentials;
use crate::source::{Limits, SourceConfig};
use crate::transport::{Secret, TlsMode, read_secret_file};
use crate::worker::Entries;

pub use file::{File, RandomMacs};

/// What is wrong with the configuration: everything at once, one line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .faults.join("\n"))]
pub struct ConfigError {
    /// What, where, and how to fix it.
    pub faults: Vec<String>,
}

impl ConfigError {
    fn one(fault: impl Into<String>) -> Self {
        Self { faults: vec![fault.into()] }
    }
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// NetBox, where there is one.
    pub netbox: Option<NetBox>,
    /// URL of the local store.
    pub store: String,
    /// The webhook receiver, if it is wanted.
    pub webhook: Option<Webhook>,
    /// Slugs of what new objects need.
    pub wishes: Wishes,
    /// How far staging goes.
    pub policy: Policy,
    /// Whether randomised MAC addresses are staged.
    pub stage_random_macs: bool,
    /// Days a deleted candidate is not proposed again.
    pub snooze_days: i64,
    /// Sources.
    pub sources: Vec<SourceConfig>,
    /// Credentials that sources share by name.
    pub credentials: Vec<Credentials>,
    /// How sources are read.
    pub limits: Limits,
    /// DNS, if it is wanted.
    pub dns: Option<Dns>,
    /// How often `serve` does what.
    pub schedule: crate::worker::Schedule,
}

/// NetBox and the files with its tokens.
#[derive(Debug, Clone)]
pub struct NetBox {
    /// Its address.
    pub url: String,
    /// Token of the stager.
    pub stager_token_file: PathBuf,
    /// Token of the materializer; the same file if there is only one token.
    pub materializer_token_file: PathBuf,
    /// How its certificate is checked.
    pub tls: TlsMode,
    /// Authority of its certificate.
    pub ca_file: Option<PathBuf>,
    /// Longest time for one request.
    pub timeout: Duration,
    /// After this long no NetBox can still be working on a write that had no answer.
    pub settle_after: Duration,
    /// Rows a page.
    pub page_size: usize,
}

impl NetBox {
    /// Whether there is only one token for both credentials.
    pub fn has_one_token(&self) -> bool {
        self.stager_token_file == self.materializer_token_file
    }
}

/// The webhook receiver.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where it listens.
    pub listen: std::net::SocketAddr,
    /// How NetBox reaches it.
    pub public_url: String,
    /// Files with secrets; the first signs, all verify.
    pub secret_files: Vec<PathBuf>,
}

/// DNS.
#[derive(Debug, Clone)]
pub struct Dns {
    /// Zone of host names.
    pub zone: HostName,
    /// TTL of records, seconds.
    pub ttl: u32,
    /// Servers.
    pub unbound: Vec<UnboundConfig>,
}

impl Config {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        if !path.exists() {
            return Err(ConfigError::one(format!(
                "cannot read the configuration `{}`: no such file (hint: name it with --config)",
                path.display()
            )));
        }
        Self::layered(path)
    }

    /// Reads and checks the file; where there is none, what the environment says and nothing else.
    pub fn read_if_there(path: &Path) -> Result<Self, ConfigError> {
        Self::layered(path)
    }

    fn layered(path: &Path) -> Result<Self, ConfigError> {
        let layers = config::Config::builder()
            .add_source(config::File::from(path).format(config::FileFormat::Toml).required(false))
            .add_source(
                config::Environment::with_prefix("SURVEYOR")
                    .prefix_separator("__")
                    .separator("__")
                    .try_parsing(true),
            )
            .build()
            .map_err(|error| {
                ConfigError::one(format!("cannot read the configuration `{}`: {error}", path.display()))
            })?;
        let file: File = serde_path_to_error::deserialize(layers).map_err(|error| {
            let place = error.path().to_string();
            let place = if place == "." { String::new() } else { format!(" at `{place}`") };
            ConfigError::one(format!("`{}`{place}: {}", path.display(), error.into_inner()))
        })?;
        Self::check(file)
    }

    /// Checks everything and lists all faults.
    fn check(file: File) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let netbox = file.netbox.map(|netbox| check_netbox(netbox, &mut faults));
        let webhook = file.webhook.and_then(|webhook| check_webhook(webhook, &mut faults));
        let mut names = std::collections::BTreeSet::new();
        for source in &file.source {
            if !names.insert(source.name().clone()) {
                faults.push(format!("two sources are called `{}`: give each its own name", source.name()));
            }
            if let Err(error) = source.listed() {
                faults.push(error.to_string());
            }
        }
        let mut known = std::collections::BTreeSet::new();
        for credentials in &file.credentials {
            if !known.insert(credentials.name.clone()) {
                faults.push(format!("two `[[credentials]]` are called `{}`", credentials.name));
            }
        }
        if file.serve.sweep_seconds == 0 {
            faults.push("`serve.sweep_seconds` must be at least 1".to_owned());
        }
        let mut wishes = Wishes {
            site: file.defaults.site.clone().unwrap_or_default(),
            roles: BTreeMap::new(),
            device_types: BTreeMap::new(),
            staged: file.netbox_staged.unwrap_or_else(|| "staged".to_owned()),
            zone: file.dns.as_ref().map(|dns| dns.zone.to_string()),
        };
        if netbox.is_some() && wishes.site.is_empty() {
            faults.push(
                "`defaults.site` is missing: name the slug of the NetBox site that new devices belong to"
                    .to_owned(),
            );
        }
        for class in [Class::Server, Class::Workstation, Class::Iot, Class::Network, Class::Unknown] {
            let role = file.defaults.roles.get(&class).unwrap_or(&file.defaults.role);
            let device_type = file.defaults.device_types.get(&class).unwrap_or(&file.defaults.device_type);
            wishes.roles.insert(class, role.clone());
            wishes.device_types.insert(class, device_type.clone());
        }
        let policy = Policy {
            max_new: file.stage.max_new,
            admission: crate::plan::stage::Admission {
                include: file.stage.include,
                exclude: file.stage.exclude,
            },
            links: file.stage.links,
            cable_threshold: file.stage.cable_threshold,
        };
        let dns = file.dns.map(|dns| Dns { zone: dns.zone, ttl: dns.ttl, unbound: dns.unbound });
        if !faults.is_empty() {
            return Err(ConfigError { faults });
        }
        Ok(Self {
            netbox,
            store: file.store.url,
            webhook,
            wishes,
            policy,
            stage_random_macs: file.stage.random_macs == RandomMacs::Stage,
            snooze_days: file.stage.snooze_days,
            sources: file.source,
            credentials: file.credentials,
            limits: Limits {
                concurrency: file.discover.concurrency.max(1),
                timeout: Duration::from_secs(file.discover.timeout_seconds.max(1)),
            },
            dns,
            schedule: crate::worker::Schedule {
                sweep: Duration::from_secs(file.serve.sweep_seconds),
                full_sweep: Duration::from_secs(file.serve.full_sweep_minutes.max(1) * 60),
                discover: (file.serve.discover_minutes > 0)
                    .then(|| Duration::from_secs(file.serve.discover_minutes * 60)),
            },
        })
    }

    /// NetBox's section, or what to do about its absence.
    pub fn netbox(&self) -> Result<&NetBox, ConfigError> {
        self.netbox.as_ref().ok_or_else(|| {
            ConfigError::one(
                "the section `[netbox]` is missing: this command needs a NetBox (only `discover` does not)",
            )
        })
    }

    /// What is read.
    pub fn entries(&self) -> Entries {
        Entries::new(self.sources.clone(), self.credentials.clone())
    }

    /// The secrets that webhooks are signed with.
    pub fn webhook_secrets(&self) -> Result<Vec<Secret>, ConfigError> {
        let files = self.webhook.as_ref().map(|webhook| webhook.secret_files.as_slice()).unwrap_or_default();
        files.iter().map(|file| read_secret("webhook.secret_file", file)).collect()
    }
}

/// A secret, or a fault that names the key and the file.
pub fn read_secret(key: &str, file: &Path) -> Result<Secret, ConfigError> {
    read_secret_file(file)
        .map_err(|error| ConfigError::one(format!("`{key}`: {}", crate::transport::chain(&error))))
}

fn check_netbox(netbox: file::NetBox, faults: &mut Vec<String>) -> NetBox {
    let one = netbox.token_file;
    let stager = netbox.stager_token_file.or_else(|| one.clone());
    let materializer = netbox.materializer_token_file.or(one);
    if stager.is_none() || materializer.is_none() {
        faults.push(
            "`netbox.stager_token_file` and `netbox.materializer_token_file` (or `netbox.token_file` for both) are missing"
                .to_owned(),
        );
    }
    if !(netbox.url.starts_with("http://") || netbox.url.starts_with("https://")) {
        faults.push(format!("`netbox.url` is `{}`: write it as `https://netbox.example.org`", netbox.url));
    }
    NetBox {
        url: netbox.url,
        stager_token_file: stager.unwrap_or_default(),
        materializer_token_file: materializer.unwrap_or_default(),
        tls: netbox.tls,
        ca_file: netbox.ca_file,
        timeout: Duration::from_secs(netbox.timeout_seconds.max(1)),
        settle_after: Duration::from_secs(netbox.settle_after_seconds),
        page_size: netbox.page_size.clamp(1, 1000),
    }
}

fn check_webhook(webhook: file::Webhook, faults: &mut Vec<String>) -> Option<Webhook> {
    let mut secret_files: Vec<PathBuf> = webhook.secret_file.into_iter().collect();
    secret_files.extend(webhook.more_secret_files);
    if secret_files.is_empty() {
        faults.push(
            "`webhook.secret_file` is missing: without a secret anybody could wake Surveyor".to_owned(),
        );
    }
    let Ok(listen) = webhook.listen.parse() else {
        faults.push(format!("`webhook.listen` is `{}`: write it as `127.0.0.1:8745`", webhook.listen));
        return None;
    };
    Some(Webhook {
        listen,
        public_url: webhook
            .public_url
            .unwrap_or_else(|| format!("http://{listen}{}", crate::http::WEBHOOK_PATH)),
        secret_files,
    })
}

#[cfg(test)]
mod tests;
