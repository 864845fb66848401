//! SNMP v2c and v3: switches and routers of every vendor, read by the standard MIBs and a few of the vendors' own.
//! `talk` is the only file that knows the SNMP library, `read` the order, `parse` the meaning.

mod column;
mod contexts;
mod credentials;
mod error;
mod order;
mod parse;
mod read;
mod talk;
mod walk;

#[cfg(test)]
mod live;
#[cfg(test)]
mod live_faults;
#[cfg(test)]
mod live_shapes;
#[cfg(test)]
pub(crate) mod recording;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Collection, SourceName};

use super::{Check, SetupError, Source};
use column::Column;
use credentials::Access;
use read::Reading;
use talk::{Limits, Session};
use walk::Walk;

pub use credentials::{AuthProtocol, Credentials, CredentialsError, PrivProtocol, Version};

/// A `[[source]]` of type `snmp`: one device, whose name is the name of the source, or all that NetBox finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source, and of the device in what it reports.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// `host` or `host:port`; the port is 161 if absent. This or `from_netbox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Devices of NetBox, as a filter of its device list: `role=access-switch&status=active`. Each is a source of its own,
    /// named like the device and read at its primary address, else at its out-of-band address. This or `address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_netbox: Option<String>,
    /// Port of the devices that `from_netbox` finds; 161 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Name of the `[[credentials]]` entry.
    pub credentials: String,
    /// How long to wait for each try of a request.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u32,
    /// Tries after the first.
    #[serde(default = "default_retries")]
    #[schemars(range(max = 10))]
    pub retries: u32,
    /// Rows asked for at a time; halved by itself where an agent cannot.
    #[serde(default = "default_repetitions")]
    #[schemars(range(min = 1, max = 200))]
    pub max_repetitions: u32,
    /// Rows of one column after which reading stops.
    #[serde(default = "default_rows")]
    #[schemars(range(min = 1))]
    pub max_rows: usize,
}

/// Slow switches under load take seconds; the retries multiply it.
const fn default_timeout() -> u32 {
    5
}

/// One lost packet in a hundred is normal on a management network, three in a row are not.
const fn default_retries() -> u32 {
    2
}

/// net-snmp's own default; 25 forwarding rows fit a packet of 1500 bytes.
const fn default_repetitions() -> u32 {
    25
}

/// More than the forwarding table of any switch; an agent that never ends must not fill the memory.
const fn default_rows() -> usize {
    500_000
}

/// Why an SNMP source cannot be made. All of them are the user's to fix.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is not `host` or `host:port`.
    #[error(
        "source `{source_name}`: `{address}` is not an address; hint: write `192.0.2.1`, `sw1.example.org:161` or `[2001:db8::1]:161`"
    )]
    Address {
        /// The source.
        source_name: SourceName,
        /// As typed.
        address: String,
    },
    /// A number is outside what makes sense.
    #[error("source `{source_name}`: `{key}` must be {range}")]
    Range {
        /// The source.
        source_name: SourceName,
        /// The key.
        key: &'static str,
        /// What is allowed.
        range: &'static str,
    },
    /// The credentials cannot be used.
    #[error("source `{source_name}` cannot use its credentials")]
    Credentials {
        /// The source.
        source_name: SourceName,
        /// Why.
        #[source]
        source: CredentialsError,
    },
}

impl Config {
    /// The source, with the one of the `credentials` that it names. Secrets are read now.
    pub fn build(&self, credentials: &[Credentials]) -> Result<Box<dyn Source>, SetupError> {
        let found = credentials.iter().find(|known| known.name == self.credentials);
        let named = found.ok_or_else(|| SetupError::Credentials {
            name: self.name.clone(),
            wanted: self.credentials.clone(),
            known: credentials.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        Ok(self.clone().build_with(named)?)
    }

    fn build_with(self, credentials: &Credentials) -> Result<Box<dyn Source>, ConfigError> {
        let name = self.name.clone();
        let range = |key, range| ConfigError::Range { source_name: name.clone(), key, range };
        let address = self.address.unwrap_or_default();
        if talk::split_host_port(&address).is_none() {
            return Err(ConfigError::Address { source_name: name, address });
        }
        if !(1..=60).contains(&self.timeout_seconds) {
            return Err(range("timeout_seconds", "1 to 60"));
        }
        if self.retries > 10 {
            return Err(range("retries", "at most 10"));
        }
        if !(1..=200).contains(&self.max_repetitions) {
            return Err(range("max_repetitions", "1 to 200"));
        }
        if self.max_rows == 0 {
            return Err(range("max_rows", "at least 1"));
        }
        let access = credentials
            .resolve()
            .map_err(|source| ConfigError::Credentials { source_name: name.clone(), source })?;
        let limits = Limits {
            timeout: Duration::from_secs(u64::from(self.timeout_seconds)),
            retries: self.retries,
            max_repetitions: self.max_repetitions,
            max_rows: self.max_rows,
        };
        Ok(Box::new(Snmp { name, target: address, access, limits }))
    }
}

/// One device.
struct Snmp {
    name: SourceName,
    target: String,
    access: Access,
    limits: Limits,
}

impl Snmp {
    fn reading(&self) -> Reading<'_> {
        Reading { name: self.name.as_str(), target: &self.target, access: &self.access, limits: self.limits }
    }
}

/// How many VLANs are tried before their contexts are believed not to answer.
const TRIED_VLANS: usize = 3;

impl Snmp {
    /// Whether VLANs have contexts that answer, where forwarding rows are only to be had there; no check without VLANs.
    async fn check_contexts(&self, session: &mut Session) -> Option<Check> {
        // Switches that answer dot1qTpFdbTable need no contexts, and are not asked for any.
        if session.has_rows(Column::VlanFdbPort).await.ok()? {
            return None;
        }
        let mut walk = Walk::default();
        for column in [Column::VtpVlanState, Column::AccessVlan, Column::IfOperStatus] {
            let mut rows = Vec::new();
            let complete = session.column(column, None, &mut rows).await.is_ok();
            walk.extend(column, rows, complete);
        }
        let vlans = contexts::vlans(&walk);
        let first = *vlans.first()?;
        let mut outcome = Err(String::new());
        for vlan in vlans.into_iter().take(TRIED_VLANS) {
            let found = match self.reading().open_vlan(session, vlan, true).await {
                Ok((_, true)) => Ok(format!("VLAN {vlan} is readable")),
                Ok((_, false)) => Ok(format!("VLAN {vlan} answers, and is empty")),
                Err(error) => Err(format!("VLAN {vlan}: {error}; {}", contexts::hint(&self.access, first))),
            };
            // A VLAN with rows says most, any that answers more than one that does not.
            let is_readable = matches!(&found, Ok(text) if text.ends_with("readable"));
            if outcome.is_err() || is_readable {
                outcome = found;
            }
            if is_readable {
                break;
            }
        }
        Some(Check { what: format!("{}: read the forwarding tables of VLANs", self.name), outcome })
    }
}

#[async_trait]
impl Source for Snmp {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        let reading = self.reading();
        let asked = format!("{}: read the system group ({})", self.name, self.access.describe());
        let (mut session, walk, _) = match reading.open().await {
            Ok(opened) => opened,
            Err(error) => return vec![Check::failed(asked, reading.unreadable(&error))],
        };
        let said = [Column::SysName, Column::SysDescr]
            .into_iter()
            .filter_map(|column| parse::text(walk.scalar(column)))
            .map(|text| text.lines().next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
            .join(", ");
        let mut checks = vec![Check::passed(asked, said)];
        let per_vlan = parse::vendor(&walk).bridges_per_vlan();
        let tables = [
            ("interfaces", &[Column::IfDescr, Column::IfName][..]),
            ("forwarding table", &[Column::VlanFdbPort, Column::FdbPort]),
            (
                "LLDP or CDP neighbours",
                &[
                    Column::LldpChassisId,
                    Column::Lldp2ChassisId,
                    Column::TimetraChassisId,
                    Column::TpLinkChassisId,
                    Column::CdpDeviceId,
                ],
            ),
        ];
        for (what, columns) in tables {
            let asked = format!("{}: read the {what}", self.name);
            let mut outcome = Ok(match what {
                "forwarding table" if per_vlan => "empty in the default context, which shows VLAN 1 alone",
                _ => "empty; hint: if it should not be, let the agent's view include it",
            });
            for column in columns {
                match session.has_rows(*column).await {
                    Ok(true) => {
                        outcome = Ok("readable");
                        break;
                    }
                    Ok(false) => {}
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            checks.push(match outcome {
                Ok(found) => Check::passed(asked, found),
                Err(error) => Check::failed(asked, error.to_string()),
            });
        }
        if per_vlan {
            checks.extend(self.check_contexts(&mut session).await);
        }
        checks
    }

    async fn collect(&self, sink: &mut Collection) {
        self.reading().run(sink).await;
    }
}
