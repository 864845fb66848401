//! What changed between two runs, or between NetBox and a run. Absence counts only where it was looked for: what a source with a
//! gap may have missed is unknown, not gone.

mod compare;
mod documented;
mod side;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Collection, Discovery, Gap, Identity, Link, MacAddr, ObjectRef};

pub use documented::against;

/// One run: what was found, and who was asked.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What was found.
    pub discovery: &'a Discovery,
    /// The sources that were read, also those that could say nothing.
    pub sources: &'a BTreeSet<String>,
}

/// The sources of these collections.
pub fn sources_of(collections: &[Collection]) -> BTreeSet<String> {
    collections.iter().map(|collection| collection.source.to_string()).collect()
}

/// What differs. A host can be in several lists; one that is in none is counted as unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Only the second side has them.
    pub new: Vec<Host>,
    /// They hang on another port.
    pub moved: Vec<Moved>,
    /// They have another name.
    pub renamed: Vec<Renamed>,
    /// They have other network addresses.
    pub readdressed: Vec<Readdressed>,
    /// Only the first side has them, and the second would have seen them.
    pub gone: Vec<Host>,
    /// Cables between network devices that only the second side has.
    pub new_links: Vec<Link>,
    /// Cables that only the first side has, and the second would have seen.
    pub gone_links: Vec<Link>,
    /// What may have changed or not, and why that cannot be told.
    pub unknown: Vec<Unknown>,
    /// Hosts on both sides that do not differ.
    pub unchanged: usize,
    /// Objects in NetBox that no run has ever reported: whether they are gone cannot be told. 0 between two runs.
    pub never_seen: usize,
    /// What could not be read, in either run.
    pub gaps: Vec<Gap>,
}

/// Who a line is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Its identity; of an object in NetBox that has none, its reference (`dcim.device/12`).
    pub identity: Identity,
    /// Its name.
    pub name: String,
    /// What it is in NetBox, where NetBox is one of the sides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub object: Option<ObjectRef>,
}

/// A network card on another port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// Whose card it is.
    pub host: Host,
    /// The card.
    pub mac: MacAddr,
    /// Where it was.
    pub from: Port,
    /// Where it is.
    pub to: Port,
}

/// A place on a switch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// The switch.
    pub switch: String,
    /// The port.
    pub port: String,
}

/// Another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Renamed {
    /// Who, by the new name.
    pub host: Host,
    /// What it was called; absent if nothing named it.
    pub from: Option<String>,
    /// What it is called; absent if nothing names it.
    pub to: Option<String>,
}

/// Other network addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readdressed {
    /// Who.
    pub host: Host,
    /// Addresses that it did not have.
    pub added: BTreeSet<IpAddr>,
    /// Addresses that it no longer has.
    pub removed: BTreeSet<IpAddr>,
}

/// Something that may have changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unknown {
    /// Whom it concerns.
    pub host: Host,
    /// What cannot be told, and why.
    pub why: String,
}

impl Diff {
    /// Whether both sides are known to be the same.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty()
            && self.moved.is_empty()
            && self.renamed.is_empty()
            && self.readdressed.is_empty()
            && self.gone.is_empty()
            && self.new_links.is_empty()
            && self.gone_links.is_empty()
    }
}

/// What changed from one run to the next.
pub fn between(before: Run<'_>, after: Run<'_>) -> Diff {
    let sides = [side::Side::of_run(before), side::Side::of_run(after)];
    let pairs = compare::pair(&sides[0], &sides[1]);
    let mut diff = compare::compare(&sides[0], &sides[1], &pairs);
    compare::links(&sides[0], before.discovery, &sides[1], after.discovery, &mut diff);
    let gaps: BTreeSet<Gap> = before.discovery.gaps.iter().chain(&after.discovery.gaps).cloned().collect();
    diff.gaps = gaps.into_iter().collect();
    diff
}
