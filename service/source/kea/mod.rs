//! ISC Kea: leases, subnets and reservations of its DHCP servers, by the control agent, by the servers' own sockets, or from their
//! lease files. `talk` sends commands, `read` knows which; what answers and files mean is in `parse`. Reads only.

mod files;
mod parse;
mod read;
mod talk;

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::talk::{Channel, Http};
use super::remote::{Login, Place, place};
use super::snmp::Credentials;
use super::{SetupError, Source};
use crate::model::SourceName;
use crate::transport::ssh::SshTarget;
use crate::transport::{TlsMode, http, read_secret_file};

/// Kea itself gives up on a connection after 10 s; its answers come in milliseconds.
const DEFAULT_TIMEOUT_SECONDS: u64 = 15;

/// Leases asked for at a time. While it prints them, Kea answers no client: a thousand take it about 10 ms.
const DEFAULT_PAGE_SIZE: u32 = 1000;

/// Larger pages keep the server from its clients.
const MAX_PAGE_SIZE: u32 = 10_000;

/// The DHCP servers of ISC Kea: by a control agent (`url`), by HTTP of one server of Kea 3.0 (`url`), by the sockets of the servers
/// on this machine (`socket4`, `socket6`), or by their lease files (`lease_file4`, `lease_file6`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// One source for each device that this filter of NetBox's device list finds: `role=router`. Its primary or out-of-band address
    /// takes the place of `{address}` in `url` or `ssh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_netbox: Option<String>,
    /// A control agent or one server: `http://192.0.2.1:8000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The user of HTTP's basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// For `https://`: `verify`, `sha256:<fingerprint>` or `insecure`.
    #[serde(default)]
    pub tls: TlsMode,
    /// PEM file of the authority for `verify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Which servers are asked behind `url`; by default those that it says it leads to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// The socket of kea-dhcp4 on this machine: `/run/kea/kea4-ctrl-socket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket4: Option<PathBuf>,
    /// The socket of kea-dhcp6 on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket6: Option<PathBuf>,
    /// The lease file of kea-dhcp4, read where the server cannot be asked: `/var/lib/kea/kea-leases4.csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_file4: Option<String>,
    /// The lease file of kea-dhcp6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_file6: Option<String>,
    /// `user@host:port` where the lease files are; without it, on this machine.
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
    /// Longest time for one command, or one file.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
    /// Leases asked for at a time.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 10_000))]
    pub page_size: u32,
}

/// One of Kea's DHCP servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// kea-dhcp4.
    Dhcp4,
    /// kea-dhcp6.
    Dhcp6,
}

impl Service {
    /// Both.
    const ALL: [Self; 2] = [Self::Dhcp4, Self::Dhcp6];

    /// As commands and configurations call it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dhcp4 => "dhcp4",
            Self::Dhcp6 => "dhcp6",
        }
    }

    const fn page_command(self) -> &'static str {
        match self {
            Self::Dhcp4 => "lease4-get-page",
            Self::Dhcp6 => "lease6-get-page",
        }
    }

    const fn file_key(self) -> &'static str {
        match self {
            Self::Dhcp4 => "lease_file4",
            Self::Dhcp6 => "lease_file6",
        }
    }
}

const fn default_timeout_seconds() -> u64 {
    DEFAULT_TIMEOUT_SECONDS
}

const fn default_page_size() -> u32 {
    DEFAULT_PAGE_SIZE
}

impl Config {
    /// The source. Reads the password file; connects to nothing.
    pub fn build(&self, _: &[Credentials]) -> Result<Box<dyn Source>, SetupError> {
        let invalid =
            |reason: &str| SetupError::Invalid { name: self.name.clone(), reason: reason.to_owned() };
        if self.timeout_seconds == 0 {
            return Err(invalid("`timeout_seconds` must be at least 1"));
        }
        if !(1..=MAX_PAGE_SIZE).contains(&self.page_size) {
            return Err(invalid(&format!("`page_size` must be 1 to {MAX_PAGE_SIZE}")));
        }
        let timeout = Duration::from_secs(self.timeout_seconds);
        let sockets = [&self.socket4, &self.socket6];
        let has_socket = sockets.iter().any(|socket| socket.is_some());
        let files = [self.lease_file4.clone(), self.lease_file6.clone()];
        let ways = match &self.url {
            Some(_) if has_socket => {
                return Err(invalid("`url` and `socket4` or `socket6` exclude each other"));
            }
            Some(url) => Ways::Url(Channel::Http(self.http(url, timeout)?)),
            None if self.username.is_some() || self.password_file.is_some() || !self.services.is_empty() => {
                return Err(invalid("`username`, `password_file` and `services` go with `url`"));
            }
            None if has_socket => {
                Ways::Sockets(sockets.map(|path| path.clone().map(|path| Channel::Socket { path, timeout })))
            }
            None if files.iter().all(Option::is_none) => {
                return Err(invalid(
                    "nothing says where the leases are; hint: `url`, `socket4` or `socket6`, or `lease_file4` or `lease_file6`",
                ));
            }
            None => Ways::None,
        };
        let login = Login {
            ssh: self.ssh.as_ref(),
            identity_file: self.identity_file.as_ref(),
            known_hosts_file: self.known_hosts_file.as_ref(),
            host_key: self.host_key.as_ref(),
        };
        let place = place(&self.name, login, timeout)?;
        if self.ssh.is_some() && files.iter().all(Option::is_none) {
            return Err(invalid("`ssh` goes with `lease_file4` or `lease_file6`"));
        }
        for (service, file) in Service::ALL.into_iter().zip(&files) {
            if let Some(fault) = file.as_ref().and_then(|file| place.fault(service.file_key(), file)) {
                return Err(invalid(&fault));
            }
        }
        let mut services = self.services.clone();
        services.sort_unstable();
        services.dedup();
        let page_size = self.page_size;
        Ok(Box::new(Kea { name: self.name.clone(), ways, services, files, place, timeout, page_size }))
    }

    fn http(&self, url: &str, timeout: Duration) -> Result<Http, SetupError> {
        let invalid =
            |reason: &str| SetupError::Invalid { name: self.name.clone(), reason: reason.to_owned() };
        let parsed = reqwest::Url::parse(url)
            .map_err(|_| invalid("`url` is no URL; hint: `http://192.0.2.1:8000`"))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(invalid("`url` must begin with http:// or https://"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(invalid("`url` must hold no password; hint: `username` and `password_file`"));
        }
        let login = match (&self.username, &self.password_file) {
            (None, None) => None,
            (Some(user), Some(file)) => {
                let password =
                    read_secret_file(file).map_err(|error| SetupError::secret(&self.name, error))?;
                Some((user.clone(), password))
            }
            _ => return Err(invalid("`username` and `password_file` go together")),
        };
        // Without TLS there is nothing to trust, and no authority is needed for it.
        let (tls, ca_file) = match (parsed.scheme(), &self.ca_file) {
            ("https", ca_file) => (self.tls, ca_file.as_deref()),
            _ if matches!(self.tls, TlsMode::Fingerprint(_)) => {
                return Err(invalid("a fingerprint in `tls` goes with https://"));
            }
            (_, None) => (TlsMode::Insecure, None),
            (_, Some(_)) => return Err(invalid("`ca_file` goes with https://")),
        };
        let agent = concat!("surveyor/", env!("CARGO_PKG_VERSION"));
        let client = http::client(&tls, ca_file, timeout, agent)
            .map_err(|error| SetupError::client(&self.name, error))?;
        Ok(Http { client, url: url.to_owned(), login, timeout })
    }
}

/// How servers are asked.
enum Ways {
    /// By one address that leads to one or more of them.
    Url(Channel),
    /// By a socket each.
    Sockets([Option<Channel>; 2]),
    /// Not at all: there are only files.
    None,
}

/// Servers, and how to get at their leases.
struct Kea {
    name: SourceName,
    ways: Ways,
    services: Vec<Service>,
    files: [Option<String>; 2],
    place: Place,
    timeout: Duration,
    page_size: u32,
}

#[cfg(test)]
mod tests;
