//! Scans: asks every address of the subnets for a sign of life. ARP where this machine is attached, ICMP echo behind routers,
//! and what the kernel knows anyway. `wire` is the only file that has sockets, `sweep` the order, the rest is pure.

mod findings;
mod frames;
mod interfaces;
mod kernel;
mod names;
mod pace;
mod read;
mod sweep;
mod targets;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snmp::Credentials;
use super::{Check, SetupError, Source};
use crate::model::{Collection, SourceName};
use sweep::Sweep;
use targets::{Wanted, divide};

/// A `[[source]]` of type `scan`: IPv4 subnets. IPv6 networks are too large to ask; their hosts are in routers' tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// What is scanned: `["192.0.2.0/24"]`. This or `from_netbox`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub subnets: Vec<IpNet>,
    /// Which of NetBox's prefixes are scanned, as a filter of its prefix list: `tag=scan`; IPv6 prefixes are left
    /// out. This or `subnets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_netbox: Option<String>,
    /// The interface that all subnets are on; else the one that has an address in the subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Requests a second on each interface.
    #[serde(default = "default_rate")]
    #[schemars(range(min = 1, max = 100_000))]
    pub packets_per_second: u32,
    /// How often an address that does not answer is asked.
    #[serde(default = "default_rounds")]
    #[schemars(range(min = 1, max = 20))]
    pub rounds: u32,
    /// A subnet with more addresses is not scanned.
    #[serde(default = "default_max_addresses")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub max_addresses: u64,
    /// Ask the system's name servers for the names of addresses that answer.
    #[serde(default)]
    pub reverse_dns: bool,
}

/// Half a megabit a second of smallest frames: no switch or access point notices.
const fn default_rate() -> u32 {
    1000
}

/// One lost packet in twenty, there and back, leaves one host in a million unheard after six.
const fn default_rounds() -> u32 {
    6
}

/// A /16: at the default rate a round takes a minute. What is larger is a typing mistake, or needs a decision.
const fn default_max_addresses() -> u64 {
    65_536
}

/// What reverse DNS may take on top; a name server answers hundreds of questions a second.
const NAMES_TIME: Duration = Duration::from_secs(30);

impl Config {
    /// The source. Reads and sends nothing.
    pub fn build(&self, _: &[Credentials]) -> Result<Box<dyn Source>, SetupError> {
        let invalid =
            |reason: &str| SetupError::Invalid { name: self.name.clone(), reason: reason.to_owned() };
        if !(1..=100_000).contains(&self.packets_per_second) {
            return Err(invalid("`packets_per_second` must be 1 to 100000"));
        }
        if !(1..=20).contains(&self.rounds) {
            return Err(invalid("`rounds` must be 1 to 20"));
        }
        if !(1..=16_777_216).contains(&self.max_addresses) {
            return Err(invalid("`max_addresses` must be 1 to 16777216"));
        }
        Ok(Box::new(Scan { config: self.clone() }))
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            subnets: &self.subnets,
            interface: self.interface.as_deref(),
            max_addresses: self.max_addresses,
        }
    }
}

/// One scan.
struct Scan {
    config: Config,
}

#[async_trait]
impl Source for Scan {
    fn name(&self) -> &SourceName {
        &self.config.name
    }

    fn longest(&self) -> Option<Duration> {
        let targets = divide(self.config.wanted(), &interfaces::read());
        let counts = targets.attached.values().map(BTreeMap::len).chain([targets.routed.len()]);
        let most = u64::try_from(counts.max().unwrap_or_default()).unwrap_or(u64::MAX);
        let sweep = Sweep::longest(most, self.config.packets_per_second, self.config.rounds);
        let check = Sweep::longest(read::MOST_CHECKED, self.config.packets_per_second, read::CHECK_ROUNDS);
        let names = if self.config.reverse_dns { NAMES_TIME } else { Duration::ZERO };
        // A machine under load keeps no schedule to the millisecond.
        Some((sweep + check + names).saturating_mul(3) / 2)
    }

    async fn check(&self) -> Vec<Check> {
        let name = &self.config.name;
        let found = interfaces::read();
        let targets = divide(self.config.wanted(), &found);
        let mut checks = Vec::new();
        let asked = format!("{name}: subnets");
        for (interface, addresses) in &targets.attached {
            let text = format!("{} addresses by ARP on {interface}", addresses.len());
            checks.push(Check::passed(asked.clone(), text));
        }
        if !targets.routed.is_empty() {
            let text = format!("{} addresses by ICMP, behind routers", targets.routed.len());
            checks.push(Check::passed(asked.clone(), text));
        }
        checks.extend(targets.refused.iter().map(|why| Check::failed(asked.clone(), why.clone())));
        if checks.is_empty() {
            checks.push(Check::passed(asked, "nothing to scan"));
        }
        if !targets.attached.is_empty() {
            let asked = format!("{name}: CAP_NET_RAW");
            checks.push(match kernel::has_net_raw() {
                Some(false) => Check::failed(asked, format!("missing; {}", kernel::HOW_TO_GRANT)),
                Some(true) => Check::passed(asked, "present"),
                None => Check::passed(asked, "the kernel does not say"),
            });
        }
        checks
    }

    async fn collect(&self, sink: &mut Collection) {
        read::run(&self.config, sink).await;
    }
}

#[cfg(test)]
mod tests;
