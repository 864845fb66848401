//! ISC dhcpd: the leases in its lease files, IPv4 and IPv6. Talks; what the declarations mean is in `parse`. Reads only.
//!
//! dhcpd appends to the file, and replaces it as a whole now and then, so one look is enough.

mod parse;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::remote::{Login, Place, RemoteError, place};
use super::run::{expect, read};
use super::snmp::Credentials;
use super::{Check, SetupError, Source};
use crate::model::{Collection, Fact, FactKind, SourceName};
use crate::transport::ssh::SshTarget;

/// For each of: connecting, logging in, printing the file. A file that takes longer is not a lease file.
const DEFAULT_TIMEOUT_SECONDS: u64 = 15;

/// Where Debian has the leases of the IPv4 server.
const DEFAULT_FILE: &str = "/var/lib/dhcp/dhcpd.leases";

/// The lease files of ISC dhcpd (out of maintenance since 2022, and still in many places).
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
    /// The lease file, as `-lf` or `lease-file-name` says: `/var/lib/dhcp/dhcpd.leases`.
    #[serde(default = "default_file")]
    pub file: String,
    /// A second one: each server has its own, and IPv6 is another server (`/var/lib/dhcp/dhcpd6.leases`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file6: Option<String>,
    /// `user@host:port` where the files are; without it, on this machine.
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
    /// For each of: connecting, logging in, printing a file.
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
        let named = [("file", Some(&self.file)), ("file6", self.file6.as_ref())];
        let fault = named.into_iter().find_map(|(key, file)| place.fault(key, file?));
        if let Some(fault) = fault {
            return Err(invalid(fault));
        }
        let files = std::iter::once(&self.file).chain(&self.file6).cloned().collect();
        Ok(Box::new(Dhcpd { name: self.name.clone(), files, place, timeout }))
    }
}

struct Dhcpd {
    name: SourceName,
    files: Vec<String>,
    place: Place,
    timeout: Duration,
}

#[async_trait]
impl Source for Dhcpd {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        for file in &self.files {
            let named = self.place.names(file);
            let outcome = self.place.read(file, self.timeout).await.and_then(|bytes| {
                let leases = parse::lease_file(&bytes);
                match leases.fault(&named) {
                    Some(fault) => Err(RemoteError::Content(fault)),
                    None => Ok(leases.summary()),
                }
            });
            checks.extend(self.place.checks(self.name.as_str(), file, outcome));
        }
        checks
    }

    async fn collect(&self, sink: &mut Collection) {
        expect(sink, &[FactKind::Leases]);
        for file in &self.files {
            let named = self.place.names(file);
            match self.place.read(file, self.timeout).await {
                Ok(bytes) => {
                    let leases = parse::lease_file(&bytes);
                    let now = sink.observed_at;
                    sink.facts.extend(leases.leases(now).map(Fact::DhcpLease));
                    if let Some(fault) = leases.fault(&named) {
                        sink.gap(FactKind::Leases, fault);
                    }
                    tracing::info!(source.name = %self.name, file, found = leases.summary(), "read a lease file");
                }
                Err(error) => {
                    sink.gap(FactKind::Leases, error.to_string());
                    if error.is_fatal() {
                        break;
                    }
                }
            }
        }
        read(sink, FactKind::Leases);
    }
}

#[cfg(test)]
mod tests;
