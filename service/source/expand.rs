//! Entries that take their devices or subnets from NetBox become sources, one a device. Pure: what NetBox has is handed in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use super::{SetupError, SourceConfig, Unread, scan, snmp};
use crate::model::SourceName;
use crate::transport::ssh::SshTarget;

/// The port of SNMP (RFC 3417 section 3.1).
const SNMP_PORT: u16 = 161;

/// Stands for the address of a device in the entries of kinds that say more than an address.
const PLACE: &str = "{address}";

/// Query parameters of NetBox's lists that choose no rows: Surveyor sets what it needs of them.
const NO_FILTERS: [&str; 8] = ["brief", "exclude", "fields", "format", "limit", "offset", "omit", "ordering"];

/// What an entry wants from NetBox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// The devices that this filter finds.
    Devices(String),
    /// The prefixes that this filter finds.
    Prefixes(String),
}

impl Listed {
    /// The filter as typed.
    pub fn filter(&self) -> &str {
        match self {
            Self::Devices(filter) | Self::Prefixes(filter) => filter,
        }
    }

    /// The filter as names and values. `Err` is what is wrong with it.
    pub fn pairs(&self) -> Result<Vec<(String, String)>, String> {
        let filter = self.filter();
        let wrong = |why: &str| {
            format!(
                "`from_netbox = \"{filter}\"` {why}; hint: write it like the address of NetBox's list, `role=access-switch&status=active`"
            )
        };
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8().map(String::from).map_err(|_| wrong("is not UTF-8"))
        };
        let mut pairs = Vec::new();
        for part in filter.trim().trim_start_matches('?').split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong("is no filter"))?;
            let key = decode(key)?;
            if key.is_empty() {
                return Err(wrong("is no filter"));
            }
            if NO_FILTERS.contains(&key.as_str()) || key == "start" {
                return Err(wrong(&format!("has `{key}`, which is no filter")));
            }
            pairs.push((key, decode(value)?));
        }
        if pairs.is_empty() { Err(wrong("is empty")) } else { Ok(pairs) }
    }
}

/// A device as NetBox lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownDevice {
    /// NetBox's id.
    pub id: i64,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its primary address.
    pub primary: Option<IpAddr>,
    /// Its out-of-band address.
    pub out_of_band: Option<IpAddr>,
}

/// What NetBox has, by what was asked; `Err` is why it could not be asked.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Devices by filter.
    pub devices: BTreeMap<String, Result<Vec<KnownDevice>, String>>,
    /// Prefixes by filter.
    pub prefixes: BTreeMap<String, Result<Vec<IpNet>, String>>,
}

impl Inventory {
    /// Takes what an earlier look found where this one failed: the devices are still there when NetBox is not.
    pub fn or_earlier(&mut self, earlier: &Self) {
        fill(&mut self.devices, &earlier.devices);
        fill(&mut self.prefixes, &earlier.prefixes);
    }
}

fn fill<T: Clone>(
    now: &mut BTreeMap<String, Result<Vec<T>, String>>,
    earlier: &BTreeMap<String, Result<Vec<T>, String>>,
) {
    for (filter, found) in now.iter_mut().filter(|(_, found)| found.is_err()) {
        if let Some(Ok(known)) = earlier.get(filter) {
            *found = Ok(known.clone());
        }
    }
}

/// What an entry became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// The name of the entry in the configuration.
    pub entry: SourceName,
    /// A source, or why there is none.
    pub outcome: Outcome,
}

/// A source, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A source that can be read, whole.
    Source(Box<SourceConfig>),
    /// A gap.
    Unread(Unread),
}

impl Outcome {
    /// The name of the source.
    pub const fn name(&self) -> &SourceName {
        match self {
            Self::Source(config) => config.name(),
            Self::Unread(unread) => &unread.name,
        }
    }
}

impl SourceConfig {
    /// What it wants from NetBox. An entry that says both or neither where it gets its devices from is refused.
    pub fn listed(&self) -> Result<Option<Listed>, SetupError> {
        let invalid = |reason: String| SetupError::Invalid { name: self.name().clone(), reason };
        let (listed, is_given, key) = match self {
            Self::Kea(_) | Self::Dnsmasq(_) | Self::Dhcpd(_) => return self.listed_by_place(),
            Self::Snmp(config) => {
                if config.port.is_some() && config.from_netbox.is_none() {
                    let hint = "`port` goes with `from_netbox`; hint: write `address = \"192.0.2.1:1161\"`";
                    return Err(invalid(hint.to_owned()));
                }
                if config.port == Some(0) {
                    return Err(invalid("`port` must be 1 to 65535".to_owned()));
                }
                (config.from_netbox.clone().map(Listed::Devices), config.address.is_some(), "address")
            }
            Self::Scan(config) => {
                (config.from_netbox.clone().map(Listed::Prefixes), !config.subnets.is_empty(), "subnets")
            }
            _ => return Ok(None),
        };
        match (listed, is_given) {
            (Some(_), true) => Err(invalid(format!("`{key}` and `from_netbox` exclude each other"))),
            (None, false) => Err(invalid(format!("`{key}` or `from_netbox` is missing"))),
            (Some(listed), false) => {
                listed.pairs().map_err(invalid)?;
                Ok(Some(listed))
            }
            (None, true) => Ok(None),
        }
    }

    /// The same for kinds that say `{address}` where they would say an address.
    fn listed_by_place(&self) -> Result<Option<Listed>, SetupError> {
        let invalid = |reason: String| SetupError::Invalid { name: self.name().clone(), reason };
        let has_place = self.at(self.name(), IpAddr::from([0, 0, 0, 0])) != *self;
        match (self.filter(), has_place) {
            (None, false) => Ok(None),
            (None, true) => Err(invalid(format!("`{PLACE}` stands for a device that `from_netbox` finds"))),
            (Some(_), false) => Err(invalid(format!(
                "`from_netbox` needs `{PLACE}` where the address of each device belongs; hint: `ssh = \"surveyor@{PLACE}\"`"
            ))),
            (Some(filter), true) => {
                let listed = Listed::Devices(filter.to_owned());
                listed.pairs().map_err(invalid)?;
                Ok(Some(listed))
            }
        }
    }

    /// The filter of kinds that say `{address}`.
    fn filter(&self) -> Option<&str> {
        match self {
            Self::Kea(config) => config.from_netbox.as_deref(),
            Self::Dnsmasq(config) => config.from_netbox.as_deref(),
            Self::Dhcpd(config) => config.from_netbox.as_deref(),
            _ => None,
        }
    }

    /// The source at one address.
    fn at(&self, name: &SourceName, address: IpAddr) -> Self {
        let ssh = |target: &Option<SshTarget>| {
            let mut target = target.clone();
            if let Some(target) = target.as_mut().filter(|target| target.host == PLACE) {
                target.host = address.to_string();
            }
            target
        };
        let bracketed = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let mut this = self.clone();
        match &mut this {
            Self::Kea(config) => {
                config.name = name.clone();
                config.ssh = ssh(&config.ssh);
                config.url = config.url.as_ref().map(|url| url.replace(PLACE, &bracketed));
            }
            Self::Dnsmasq(config) => {
                config.name = name.clone();
                config.ssh = ssh(&config.ssh);
            }
            Self::Dhcpd(config) => {
                config.name = name.clone();
                config.ssh = ssh(&config.ssh);
            }
            _ => {}
        }
        this
    }
}

/// Every entry as the sources it stands for, in order. Names stay unique: a device that shares its name with another source
/// is called `<entry>/<device>`.
pub fn expand(entries: &[SourceConfig], inventory: &Inventory) -> Vec<Expansion> {
    let mut names: BTreeSet<String> = entries.iter().map(|entry| entry.name().to_string()).collect();
    let mut expanded = Vec::new();
    for entry in entries {
        let outcomes = match entry {
            SourceConfig::Snmp(config) if config.from_netbox.is_some() => {
                let filter = config.from_netbox.as_deref().unwrap_or_default();
                devices(&config.name, filter, inventory, &mut names, |name, address| {
                    let port = config.port.unwrap_or(SNMP_PORT);
                    SourceConfig::Snmp(snmp::Config {
                        name: name.clone(),
                        address: Some(std::net::SocketAddr::from((address, port)).to_string()),
                        from_netbox: None,
                        port: None,
                        ..config.clone()
                    })
                })
            }
            SourceConfig::Scan(config) if config.from_netbox.is_some() => subnets(config, inventory),
            other => match other.filter() {
                Some(filter) => devices(other.name(), filter, inventory, &mut names, |name, address| {
                    other.at(name, address)
                }),
                None => vec![Outcome::Source(Box::new(other.clone()))],
            },
        };
        let name = entry.name();
        expanded.extend(outcomes.into_iter().map(|outcome| Expansion { entry: name.clone(), outcome }));
    }
    expanded
}

/// One source for each device that a filter finds, made by `at`.
fn devices(
    entry: &SourceName,
    filter: &str,
    inventory: &Inventory,
    names: &mut BTreeSet<String>,
    at: impl Fn(&SourceName, IpAddr) -> SourceConfig,
) -> Vec<Outcome> {
    let found = match look_up(&inventory.devices, filter) {
        Ok(found) => found,
        Err(reason) => return vec![Outcome::Unread(Unread { name: entry.clone(), reason })],
    };
    let mut seen = BTreeSet::new();
    let mut outcomes = Vec::new();
    for device in found.iter().filter(|device| seen.insert(device.id)) {
        let shown = device.name.clone().filter(|name| !name.trim().is_empty());
        let shown = shown.unwrap_or_else(|| format!("device {}", device.id));
        let choices = [
            shown.clone(),
            format!("{entry}/{shown}"),
            // Two devices of one name, at two sites.
            format!("{}/{shown} {}", entry, device.id),
        ];
        let unique = choices.into_iter().find(|choice| !names.contains(choice));
        let name = unique.unwrap_or_else(|| format!("{}/{}", entry, device.id));
        names.insert(name.clone());
        let name = SourceName::new(&name);
        let Some(address) = device.primary.or(device.out_of_band) else {
            let reason = format!("NetBox has no primary or out-of-band address for {shown}");
            outcomes.push(Outcome::Unread(Unread { name, reason }));
            continue;
        };
        outcomes.push(Outcome::Source(Box::new(at(&name, address))));
    }
    outcomes
}

fn subnets(config: &scan::Config, inventory: &Inventory) -> Vec<Outcome> {
    let filter = config.from_netbox.as_deref().unwrap_or_default();
    match look_up(&inventory.prefixes, filter) {
        Err(reason) => vec![Outcome::Unread(Unread { name: config.name.clone(), reason })],
        Ok(found) => {
            // An IPv6 prefix elsewhere cannot be swept; that NetBox has it too must not be a gap of every run.
            let subnets: BTreeSet<IpNet> =
                found.iter().filter(|prefix| matches!(prefix, IpNet::V4(_))).map(IpNet::trunc).collect();
            if subnets.is_empty() {
                return Vec::new();
            }
            vec![Outcome::Source(Box::new(SourceConfig::Scan(scan::Config {
                subnets: subnets.into_iter().collect(),
                from_netbox: None,
                ..config.clone()
            })))]
        }
    }
}

fn look_up<'a, T>(
    found: &'a BTreeMap<String, Result<Vec<T>, String>>,
    filter: &str,
) -> Result<&'a [T], String> {
    match found.get(filter) {
        Some(Ok(rows)) => Ok(rows),
        Some(Err(reason)) => Err(format!("`from_netbox = \"{filter}\"`: {reason}")),
        None => Err(format!("`from_netbox = \"{filter}\"`: NetBox was not asked")),
    }
}

#[cfg(test)]
#[path = "expand_tests.rs"]
mod tests;
