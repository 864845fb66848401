//! Which DNS records a server should serve, and the change of its include file that gets there. Pure: knows no server,
//! no transport and no clock.
//!
//! Only A, AAAA and PTR are written, as `local-data` and `local-data-ptr` (unbound.conf(5)). No `local-zone` line is: a
//! name outside every zone gets a `transparent` one from Unbound itself, and a zone that the administrator declares
//! keeps the type it was given (two declarations of one zone are a warning, and the first type wins, so a line of ours
//! could change what names that are not ours answer). In a `transparent` zone a removed name goes back to the public
//! DNS; who wants NXDOMAIN declares the zone `static`.

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::HostName;
pub use file::{FileText, hash, parse, render};

/// Records of each sort that are looked at after a push: enough to see that the file is served, few enough to be quick.
const PROBES: usize = 3;

/// One record of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The host: the owner of an A or AAAA record, the target of a PTR.
    pub name: HostName,
    /// What the record says.
    pub value: RecordValue,
    /// Seconds.
    pub ttl: u32,
}

/// What a record says of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordValue {
    /// The name has this address (RFC 1035).
    A(Ipv4Addr),
    /// The name has this address (RFC 3596).
    Aaaa(Ipv6Addr),
    /// This address has the name.
    Ptr {
        /// The address whose reverse name owns the record.
        address: IpAddr,
    },
}

impl RecordValue {
    /// The address it speaks of.
    pub fn address(self) -> IpAddr {
        match self {
            Self::A(address) => address.into(),
            Self::Aaaa(address) => address.into(),
            Self::Ptr { address } => address,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            RecordValue::A(address) => write!(f, "{} A {address}", self.name),
            RecordValue::Aaaa(address) => write!(f, "{} AAAA {address}", self.name),
            RecordValue::Ptr { address } => write!(f, "{address} PTR {}", self.name),
        }
    }
}

/// An address that NetBox says has a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DesiredAddress {
    /// The address, without its mask.
    pub address: IpAddr,
    /// `dns_name` of the address, fully qualified.
    pub dns_name: HostName,
    /// Seconds.
    pub ttl: u32,
}

/// A name or address that gets no record, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The name that was wished.
    pub name: HostName,
    /// The address that was wished.
    pub address: IpAddr,
    /// In words, for the journal.
    pub reason: String,
}

/// What a server serves and Surveyor did not write: it owns its name and its address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignRecord {
    /// The owner, lower case, without the dot at the end. Names of others need not be host names.
    pub owner: String,
    /// What it claims.
    pub claim: ForeignClaim,
}

/// What a foreign record claims.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForeignClaim {
    /// A or AAAA: the name and the address are taken.
    Address(IpAddr),
    /// CNAME or DNAME: the name is taken.
    Alias(String),
    /// PTR: the address is taken.
    Pointer {
        /// The address of the reverse name.
        address: IpAddr,
        /// The name it points to.
        target: String,
    },
    /// A local zone in which data below the top is refused or never answered (`redirect`, `always_nxdomain`, ..).
    ClosedZone(String),
}

/// The records of these addresses: A or AAAA, and one PTR each. An address with two names keeps the first by sort; an
/// address set with two TTLs takes the lower (RFC 2181 section 5.2 wants one).
pub fn records(desired: &[DesiredAddress]) -> (BTreeSet<Record>, Vec<Refused>) {
    let mut refused = Vec::new();
    let mut named: BTreeMap<IpAddr, (&HostName, u32)> = BTreeMap::new();
    let sorted: BTreeSet<&DesiredAddress> = desired.iter().collect();
    for DesiredAddress { address, dns_name, ttl } in sorted {
        let mut refuse = |reason: String| {
            refused.push(Refused { name: dns_name.clone(), address: *address, reason });
        };
        if !dns_name.as_str().contains('.') {
            refuse("the DNS name is not fully qualified".to_owned());
            continue;
        }
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            refuse("not the address of a host".to_owned());
            continue;
        }
        match named.get_mut(address) {
            None => _ = named.insert(*address, (dns_name, *ttl)),
            Some((name, known)) if *name == dns_name => *known = (*known).min(*ttl),
            Some((name, _)) => refuse(format!("{address} already has the name `{name}`")),
        }
    }
    let mut lowest: BTreeMap<(&HostName, bool), u32> = BTreeMap::new();
    for (address, (name, ttl)) in &named {
        let known = lowest.entry((name, address.is_ipv4())).or_insert(*ttl);
        *known = (*known).min(*ttl);
    }
    let mut records = BTreeSet::new();
    for (address, (name, own_ttl)) in &named {
        let ttl = lowest.get(&(*name, address.is_ipv4())).copied().unwrap_or(*own_ttl);
        let forward = match *address {
            IpAddr::V4(address) => RecordValue::A(address),
            IpAddr::V6(address) => RecordValue::Aaaa(address),
        };
        let reverse = RecordValue::Ptr { address: *address };
        records.extend([forward, reverse].map(|value| Record { name: (*name).clone(), ttl, value }));
    }
    (records, refused)
}

/// Leaves out every name and address that a foreign record owns; the rest goes on. Forward and reverse stay together: a
/// PTR to a name that someone else resolves would be a lie. A foreign record that says just what is desired is none: it
/// takes nothing away, and where the file was edited but not loaded it is our own.
pub fn conflicts(desired: BTreeSet<Record>, foreign: &[ForeignRecord]) -> (BTreeSet<Record>, Vec<Refused>) {
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut addresses: BTreeMap<IpAddr, String> = BTreeMap::new();
    let mut closed: BTreeMap<&str, &str> = BTreeMap::new();
    let wished: BTreeSet<(&str, IpAddr)> =
        desired.iter().map(|record| (record.name.as_str(), record.value.address())).collect();
    for ForeignRecord { owner, claim } in foreign {
        match claim {
            ForeignClaim::Address(address) if wished.contains(&(owner.as_str(), *address)) => {}
            ForeignClaim::Pointer { address, target } if wished.contains(&(target.as_str(), *address)) => {}
            ForeignClaim::Address(address) => {
                names.entry(owner).or_insert_with(|| format!("`{owner}` already has the address {address}"));
                addresses
                    .entry(*address)
                    .or_insert_with(|| format!("{address} already belongs to `{owner}`"));
            }
            ForeignClaim::Alias(target) => {
                names.entry(owner).or_insert_with(|| format!("`{owner}` is already an alias of `{target}`"));
            }
            ForeignClaim::Pointer { address, target } => {
                addresses
                    .entry(*address)
                    .or_insert_with(|| format!("{address} already points to `{target}`"));
            }
            ForeignClaim::ClosedZone(kind) => _ = closed.insert(owner, kind),
        }
    }
    let zone_of = |name: &HostName| {
        let mut rest = name.as_str();
        loop {
            if let Some(kind) = closed.get(rest) {
                return Some(format!("`{name}` lies in the local zone `{rest}` of type {kind}"));
            }
            rest = rest.split_once('.')?.1;
        }
    };
    let mut kept = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for record in desired {
        let address = record.value.address();
        let taken = names.get(record.name.as_str()).or_else(|| addresses.get(&address)).cloned();
        match taken.or_else(|| zone_of(&record.name)) {
            None => _ = kept.insert(record),
            Some(why) => {
                let reason = format!("{why} on this server, by a record that surveyor did not write");
                refused.insert(Refused { name: record.name, address, reason });
            }
        }
    }
    (kept, refused.into_iter().collect())
}

/// The one write DNS knows: another text in the include file of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplaceFile {
    /// The server, as named in the configuration.
    pub server: String,
    /// SHA-256 of the text that must be there, `None` when there must be no file.
    pub from_hash: Option<String>,
    /// SHA-256 of the text that will be there.
    pub to_hash: String,
    /// The new text.
    pub content: String,
    /// One readable line per change.
    pub changes: Vec<String>,
    /// What to look at afterwards.
    pub probes: Probes,
}

/// Records that tell whether a push is being served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probes {
    /// New or changed A and AAAA records: must be served.
    pub added: Vec<Record>,
    /// Records whose name has no more record of that type: must not be served.
    pub removed: Vec<Record>,
    /// Records that were there before and stay.
    pub kept: Vec<Record>,
}

/// The include file is somebody else's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the include file of DNS server `{server}` was not written by surveyor; hint: name another include_file, or empty this one"
)]
pub struct ForeignFile {
    /// The server, as named in the configuration.
    pub server: String,
}

/// The write that makes `desired` what the server serves, or `None` when it does already. `unserved` are records of the
/// file that the daemon does not serve (a crash between file and reload): the same file is then written again.
pub fn plan(
    server: &str,
    desired: &BTreeSet<Record>,
    current: Option<&str>,
    unserved: &[Record],
) -> Result<Option<ReplaceFile>, ForeignFile> {
    let mut changes = Vec::new();
    let old = match current.map(parse) {
        None | Some(FileText::Blank) => BTreeSet::new(),
        Some(FileText::Ours(records)) => records,
        Some(FileText::Damaged { records, why }) => {
            changes.push(format!("! the file was changed by somebody else and is written anew: {why}"));
            records
        }
        Some(FileText::Foreign) => return Err(ForeignFile { server: server.to_owned() }),
    };
    changes.extend(diff(&old, desired));
    if changes.is_empty() && !unserved.is_empty() {
        changes.push(format!("! {} records of the file are not served yet", unserved.len()));
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let content = render(desired, server);
    let unserved: BTreeSet<Record> = unserved.iter().cloned().collect();
    let served = &old - &unserved;
    Ok(Some(ReplaceFile {
        server: server.to_owned(),
        from_hash: current.map(hash),
        to_hash: hash(&content),
        probes: probes(&old, &served, desired),
        content,
        changes,
    }))
}

/// One line per change, sorted by name: `+ printer.lan.example.org A 192.0.2.10`, `-` for a removed record, `~` for
/// another TTL.
pub fn diff(old: &BTreeSet<Record>, new: &BTreeSet<Record>) -> Vec<String> {
    let by_key = |records: &BTreeSet<Record>| -> BTreeMap<(HostName, RecordValue), u32> {
        records.iter().map(|record| ((record.name.clone(), record.value), record.ttl)).collect()
    };
    let (old, new) = (by_key(old), by_key(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter_map(|key| {
            let record = |ttl: u32| Record { name: key.0.clone(), value: key.1, ttl };
            match (old.get(key), new.get(key)) {
                (None, Some(ttl)) => Some(format!("+ {}", record(*ttl))),
                (Some(ttl), None) => Some(format!("- {}", record(*ttl))),
                (Some(was), Some(is)) if was != is => Some(format!("~ {} (TTL {was} to {is})", record(*is))),
                _ => None,
            }
        })
        .collect()
}

/// A few records of each sort; `served` is the part of the old file that is served. PTR records are left out: they come
/// and go with their address records.
fn probes(old: &BTreeSet<Record>, served: &BTreeSet<Record>, new: &BTreeSet<Record>) -> Probes {
    let forward = |record: &&Record| !matches!(record.value, RecordValue::Ptr { .. });
    let owned = |record: &Record| (record.name.clone(), record.value.address().is_ipv4());
    let stays: BTreeSet<_> = new.iter().filter(forward).map(owned).collect();
    Probes {
        added: new.difference(served).filter(forward).take(PROBES).cloned().collect(),
        removed: old
            .difference(new)
            .filter(forward)
            .filter(|record| !stays.contains(&owned(record)))
            .take(PROBES)
            .cloned()
            .collect(),
        kept: new.intersection(served).filter(forward).take(1).cloned().collect(),
    }
}
