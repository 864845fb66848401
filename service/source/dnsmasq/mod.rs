//! dnsmasq: the leases in its lease file, IPv4 and IPv6. Talks; what the lines mean is in `parse`. Reads only.
//!
//! dnsmasq knows its leases by heart and writes the file anew, in place, whenever one changes: whoever reads at that moment sees
//! part of it. So the file is read until it is twice the same.

mod parse;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::parse::LeaseFile;
use super::remote::{Login, Place, RemoteError, place};
use super::run::{expect, read};
use super::snmp::Credentials;
use super::{Check, SetupError, Source};
use crate::model::{Collection, Fact, FactKind, SourceName};
use crate::transport::ssh::SshTarget;

/// For each of: connecting, logging in, printing the file. A file that takes longer is not a lease file.
const DEFAULT_TIMEOUT_SECONDS: u64 = 15;

/// Where Debian and dnsmasq itself have it.
const DEFAULT_FILE: &str = "/var/lib/misc/dnsmasq.leases";

/// How long dnsmasq is given to finish writing, and how often. It writes a thousand leases in a few milliseconds.
const SETTLING: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

/// The lease file of dnsmasq: on its own, and as part of Pi-hole, LXD and many small routers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// One source for each device that this filter of NetBox's device list finds: `role=router`. Its primary or out-of-band address
    /// takes the place of `{address}` in `ssh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_netbox: Option<String>,
    /// The lease file, as `dhcp-leasefile` says: `/var/lib/misc/dnsmasq.leases`.
    #[serde(default = "default_file")]
    pub file: String,
    /// `user@host:port` where the file is; without it, on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshTarget>,
    /// The private key for `ssh`, without a passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<PathBuf>,
    /// Host keys as OpenSSH writes them; this or `host_key` is needed with `ssh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts_file: Option<PathBuf>,
    /// The pinned host key, `SHA256:..`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// For each of: connecting, logging in, printing the file.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
}

fn default_file() -> String {
    DEFAULT_FILE.to_owned()
}

const fn default_timeout_seconds() -> u64 {
    DEFAULT_TIMEOUT_SECONDS
}

impl Config {
    /// The source. Connects to nothing.
    pub fn build(&self, _: &[Credentials]) -> Result<Box<dyn Source>, SetupError> {
        let invalid = |reason: String| SetupError::Invalid { name: self.name.clone(), reason };
        if self.timeout_seconds == 0 {
            return Err(invalid("`timeout_seconds` must be at least 1".to_owned()));
        }
        let timeout = Duration::from_secs(self.timeout_seconds);
        let login = Login {
            ssh: self.ssh.as_ref(),
            identity_file: self.identity_file.as_ref(),
            known_hosts_file: self.known_hosts_file.as_ref(),
            host_key: self.host_key.as_ref(),
        };
        let place = place(&self.name, login, timeout)?;
        if let Some(fault) = place.fault("file", &self.file) {
            return Err(invalid(fault));
        }
        Ok(Box::new(Dnsmasq { name: self.name.clone(), file: self.file.clone(), place, timeout }))
    }
}

struct Dnsmasq {
    name: SourceName,
    file: String,
    place: Place,
    timeout: Duration,
}

#[async_trait]
impl Source for Dnsmasq {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        let outcome = self.bytes().await.and_then(|(bytes, _)| {
            let file = parse::lease_file(&bytes);
            match file.fault(&self.place.names(&self.file)) {
                Some(fault) => Err(RemoteError::Content(fault)),
                None => Ok(file.summary()),
            }
        });
        self.place.checks(self.name.as_str(), &self.file, outcome)
    }

    async fn collect(&self, sink: &mut Collection) {
        expect(sink, &[FactKind::Leases]);
        match self.bytes().await {
            Ok((bytes, has_settled)) => self.push(sink, &parse::lease_file(&bytes), has_settled),
            Err(error) => sink.gap(FactKind::Leases, error.to_string()),
        }
        read(sink, FactKind::Leases);
    }
}

impl Dnsmasq {
    /// The file, and whether it stayed the same while it was read.
    async fn bytes(&self) -> Result<(Vec<u8>, bool), RemoteError> {
        let mut bytes = self.place.read(&self.file, self.timeout).await?;
        for pause in SETTLING {
            tokio::time::sleep(pause).await;
            let again = self.place.read(&self.file, self.timeout).await?;
            let has_settled = again == bytes;
            bytes = again;
            if has_settled {
                return Ok((bytes, true));
            }
        }
        Ok((bytes, false))
    }

    fn push(&self, sink: &mut Collection, file: &LeaseFile, has_settled: bool) {
        let now = sink.observed_at;
        sink.facts.extend(file.leases(now).map(Fact::DhcpLease));
        let name = self.place.names(&self.file);
        if !has_settled {
            sink.gap(FactKind::Leases, format!("{name} changes faster than it can be read"));
        }
        if let Some(fault) = file.fault(&name) {
            sink.gap(FactKind::Leases, fault);
        }
        tracing::info!(source.name = %self.name, file = self.file, found = file.summary(), "read the lease file");
    }
}

#[cfg(test)]
mod tests;
