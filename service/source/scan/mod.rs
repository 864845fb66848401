//! Scans: asks every address of the subnets for a sign of life. ARP where this machine is attached, ICMP echo behind routers,
//! and what the kernel knows anyway; IPv6 links are pinged as a whole and asked for what is known. `wire` and `netlink` are the only
//! files that have sockets, `sweep` and `read` the order, the rest is pure.

mod findings;
mod frames;
mod icmp6;
mod interfaces;
mod kernel;
mod names;
mod netlink;
mod pace;
mod read;
mod sweep;
mod targets;
mod targets6;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snmp::Credentials;
use super::{Check, SetupError, Source};
use crate::model::{Collection, SourceName};
use read::Plan;
use sweep::Sweep;
use targets::Wanted;

/// A `[[source]]` of type `scan`: IPv4 subnets, address by address; IPv6 networks that this machine is attached to, by neighbour
/// discovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// What is scanned: `["192.0.2.0/24", "2001:db8::/64"]`. This or `from_netbox`. An IPv6 prefix shorter than /112 is never
    /// asked address by address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub subnets: Vec<IpNet>,
    /// Which of NetBox's prefixes are scanned, as a filter of its prefix list: `tag=scan`; IPv6 prefixes are left
    /// out, see `ipv6`. This or `subnets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_netbox: Option<String>,
    /// Neighbour discovery (IPv6) on every interface that has one of the subnets.
    #[serde(default)]
    pub ipv6: bool,
    /// The interface that all subnets are on; else the one that has an address in the subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Requests a second on each interface. Above 1000, answers are waited for less long too.
    #[serde(default = "default_rate")]
    #[schemars(range(min = 1, max = 100_000))]
    pub packets_per_second: u32,
    /// How often an address that does not answer is asked.
    #[serde(default = "default_rounds")]
    #[schemars(range(min = 1, max = 20))]
    pub rounds: u32,
    /// An IPv4 subnet with more addresses is not scanned; an IPv6 one is not asked address by address.
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

/// Addresses that the answers of one link may suggest; more are asked for too, if the time is enough.
const SUGGESTED: u64 = 4096;

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
        let plan = Plan::new(&self.config, &interfaces::read());
        let (rate, rounds) = (self.config.packets_per_second, self.config.rounds);
        let is_called = plan.six.attached.values().any(|here| here.is_called);
        let (suggested, call) =
            if is_called { (SUGGESTED, Sweep::longest_call(rate)) } else { (0, Duration::ZERO) };
        let sweep = call + Sweep::longest(plan.most().saturating_add(suggested), rate, rounds);
        let check = Sweep::longest(read::MOST_CHECKED, rate, read::CHECK_ROUNDS);
        let names = if self.config.reverse_dns { NAMES_TIME } else { Duration::ZERO };
        // A machine under load keeps no schedule to the millisecond.
        Some((sweep + check + names).saturating_mul(3) / 2)
    }

    async fn check(&self) -> Vec<Check> {
        let name = &self.config.name;
        let found = interfaces::read();
        let plan = Plan::new(&self.config, &found);
        let mut checks = Vec::new();
        let asked = format!("{name}: subnets");
        for (interface, addresses) in &plan.four.attached {
            let text = format!("{} addresses by ARP on {interface}", addresses.len());
            checks.push(Check::passed(asked.clone(), text));
        }
        for (interface, here) in &plan.six.attached {
            let everybody = if here.is_called { "everybody on the link, and " } else { "" };
            let text = format!("{everybody}{} listed addresses by IPv6 on {interface}", here.listed.len());
            checks.push(Check::passed(asked.clone(), text));
        }
        let routed = plan.four.routed.len() + plan.six.routed.len();
        if routed > 0 {
            let text = format!("{routed} addresses by ICMP, behind routers");
            checks.push(Check::passed(asked.clone(), text));
        }
        checks.extend(plan.refused().map(|why| Check::failed(asked.clone(), why.clone())));
        if checks.is_empty() {
            checks.push(Check::passed(asked, "nothing to scan"));
        }
        if !plan.four.attached.is_empty() || !plan.six.attached.is_empty() {
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
