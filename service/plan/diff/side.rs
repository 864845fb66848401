//! One side of a comparison: hosts as either a run or NetBox knows them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::{Host, Port, Run};
use crate::model::{Candidate, Identity, MacAddr, NameOrigin};

/// One host on one side.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// Who it is.
    pub host: Host,
    /// Everything it is recognised by: its identity first, aliases, addresses of its cards.
    pub keys: Vec<Identity>,
    /// Its name, if something names it.
    pub name: Option<String>,
    /// Its network addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Where its cards hang, where that is known for certain.
    pub ports: BTreeMap<MacAddr, Port>,
    /// The sources that saw it.
    pub sources: BTreeSet<String>,
}

/// One side.
#[derive(Debug)]
pub(super) struct Side {
    /// Its hosts.
    pub hosts: Vec<Subject>,
    /// The sources that were read; none for NetBox, which always says everything it knows.
    read: Option<BTreeSet<String>>,
    /// Sources with a gap, and the first reason.
    gaps: BTreeMap<String, String>,
    /// The sources that read a switch.
    switches: HashMap<String, BTreeSet<String>>,
}

impl Side {
    /// A run.
    pub(super) fn of_run(run: Run<'_>) -> Self {
        let mut gaps = BTreeMap::new();
        for gap in &run.discovery.gaps {
            let reason = format!("{}: {}", gap.facts.as_str(), gap.reason);
            gaps.entry(gap.source.to_string()).or_insert(reason);
        }
        let candidates = &run.discovery.candidates;
        let switches = candidates.iter().filter_map(|candidate| {
            Some((candidate.device.clone()?, candidate.sources.iter().cloned().collect()))
        });
        Self {
            switches: switches.collect(),
            hosts: candidates.iter().map(Subject::of).collect(),
            read: Some(run.sources.clone()),
            gaps,
        }
    }

    /// NetBox.
    pub(super) fn of_netbox(hosts: Vec<Subject>) -> Self {
        Self { hosts, read: None, gaps: BTreeMap::new(), switches: HashMap::new() }
    }

    /// Whether it is NetBox: what NetBox does not say is no news.
    pub(super) const fn is_netbox(&self) -> bool {
        self.read.is_none()
    }

    /// Why one of these sources may have missed something on this side, if one may.
    pub(super) fn missed(&self, sources: &BTreeSet<String>) -> Option<String> {
        let read = self.read.as_ref()?;
        sources.iter().find_map(|source| match self.gaps.get(source) {
            Some(reason) => Some(format!("{source} has a gap ({reason})")),
            None if !read.contains(source) => Some(format!("{source} was not read")),
            None => None,
        })
    }

    /// Why the table of this switch may lack something on this side.
    pub(super) fn missed_at(&self, switch: &str, other: &Self) -> Option<String> {
        let own = BTreeSet::from([switch.to_owned()]);
        let sources = self.switches.get(switch).or_else(|| other.switches.get(switch)).unwrap_or(&own);
        self.missed(sources)
    }

    /// Why anything may have been missed on this side.
    pub(super) fn missed_anything(&self) -> Option<String> {
        let (source, reason) = self.gaps.first_key_value()?;
        Some(format!("{source} has a gap ({reason})"))
    }
}

impl Subject {
    /// A candidate.
    pub(super) fn of(candidate: &Candidate) -> Self {
        let mut keys = vec![candidate.identity.clone()];
        keys.extend(candidate.aliases.iter().cloned());
        keys.extend(candidate.interfaces.iter().filter_map(|card| card.mac).map(Identity::of_mac));
        let ports = candidate.interfaces.iter().filter_map(|card| {
            let attachment = card.attachment.as_ref().filter(|attachment| attachment.competing.is_empty())?;
            Some((card.mac?, Port { switch: attachment.switch.clone(), port: attachment.port.clone() }))
        });
        Self {
            host: Host {
                identity: candidate.identity.clone(),
                name: candidate.name.to_string(),
                object: None,
            },
            keys,
            name: (candidate.name_origin != NameOrigin::Fallback).then(|| candidate.name.to_string()),
            addresses: candidate.interfaces.iter().flat_map(|card| card.addresses.iter().copied()).collect(),
            ports: ports.collect(),
            sources: candidate.sources.iter().cloned().collect(),
        }
    }
}
