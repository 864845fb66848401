//! What one source returned in one run: facts, forwarding rows in columns, and gaps.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fact, FactKind, MacAddr, Observation, SourceName, Timestamp};

/// What could not be read this time. Absence means something only where there is no gap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The source that could not say.
    pub source: SourceName,
    /// What is missing.
    pub facts: FactKind,
    /// Why, in one sentence a person can act on.
    pub reason: String,
}

/// Index into the ports of an [`FdbTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRef(pub u32);

/// A port of a forwarding table: named once, referred to by index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FdbPort {
    /// The device whose port it is.
    pub device: String,
    /// Its name, or the number that could not be resolved to one.
    pub port: Result<String, u32>,
}

/// Stands for "the device does not say" among ages.
const NO_AGE: u32 = u32::MAX;

/// Forwarding rows in columns: 13 bytes a row, 17 where the device tells ages (the limit is 24), so that ten million rows fit in
/// memory.
#[derive(Debug, Clone, Default)]
pub struct FdbTable {
    ports: Vec<FdbPort>,
    by_port: HashMap<FdbPort, PortRef>,
    macs: Vec<MacAddr>,
    port: Vec<PortRef>,
    vlan: Vec<u16>,
    /// As long as the other columns, or empty if no row has an age.
    age: Vec<u32>,
}

impl FdbTable {
    /// The index of this port, added if new.
    pub fn intern(&mut self, port: FdbPort) -> PortRef {
        if let Some(known) = self.by_port.get(&port) {
            return *known;
        }
        let index = PortRef(u32::try_from(self.ports.len()).unwrap_or(u32::MAX));
        self.ports.push(port.clone());
        self.by_port.insert(port, index);
        index
    }

    /// Adds one row; `vlan` is 1 to 4094 where known.
    pub fn push(&mut self, mac: MacAddr, port: PortRef, vlan: Option<u16>) {
        self.push_aged(mac, port, vlan, None);
    }

    /// Adds one row with the seconds since the address last sent something, where the device says.
    pub fn push_aged(&mut self, mac: MacAddr, port: PortRef, vlan: Option<u16>, age: Option<u32>) {
        if let (Some(_), true) = (age, self.age.is_empty()) {
            self.age.resize(self.macs.len(), NO_AGE);
        }
        self.macs.push(mac);
        self.port.push(port);
        self.vlan.push(vlan.unwrap_or(0));
        if age.is_some() || !self.age.is_empty() {
            self.age.push(age.unwrap_or(NO_AGE));
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.macs.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.macs.is_empty()
    }

    /// The ports rows refer to.
    pub fn ports(&self) -> &[FdbPort] {
        &self.ports
    }

    /// The port behind an index.
    pub fn port(&self, port: PortRef) -> Option<&FdbPort> {
        self.ports.get(port.0 as usize)
    }

    /// Rows that have an age: address, port, seconds.
    pub fn aged(&self) -> impl Iterator<Item = (MacAddr, PortRef, u32)> + '_ {
        let rows = self.macs.iter().zip(&self.port).zip(&self.age);
        rows.filter(|(_, age)| **age != NO_AGE).map(|((mac, port), age)| (*mac, *port, *age))
    }

    /// The age of a row, by its position.
    pub fn age(&self, row: usize) -> Option<u32> {
        self.age.get(row).copied().filter(|age| *age != NO_AGE)
    }

    /// All rows: address, port, VLAN.
    pub fn rows(&self) -> impl Iterator<Item = (MacAddr, PortRef, Option<u16>)> + '_ {
        self.macs
            .iter()
            .zip(&self.port)
            .zip(&self.vlan)
            .map(|((mac, port), vlan)| (*mac, *port, (*vlan != 0).then_some(*vlan)))
    }
}

/// Everything one source returned in one run. A source never fails as a whole: what failed is a gap.
#[derive(Debug, Clone)]
pub struct Collection {
    /// The source.
    pub source: SourceName,
    /// When the run began.
    pub observed_at: Timestamp,
    /// Everything but forwarding rows.
    pub facts: Vec<Fact>,
    /// Forwarding rows.
    pub fdb: FdbTable,
    /// What is missing.
    pub gaps: Vec<Gap>,
}

impl Collection {
    /// An empty collection of this source at this time.
    pub fn new(source: SourceName, observed_at: Timestamp) -> Self {
        Self { source, observed_at, facts: Vec::new(), fdb: FdbTable::default(), gaps: Vec::new() }
    }

    /// Records what could not be read.
    pub fn gap(&mut self, facts: FactKind, reason: impl Into<String>) {
        self.gaps.push(Gap { source: self.source.clone(), facts, reason: reason.into() });
    }

    /// Whether facts of this kind may be missing.
    pub fn has_gap(&self, facts: FactKind) -> bool {
        self.gaps.iter().any(|gap| gap.facts == facts || gap.facts == FactKind::All)
    }

    /// Adds one forwarding row.
    pub fn push_fdb(&mut self, device: &str, port: Result<&str, u32>, mac: MacAddr, vlan: Option<u16>) {
        self.push_fdb_aged(device, port, mac, vlan, None);
    }

    /// Adds one forwarding row with the seconds since the address last sent something.
    pub fn push_fdb_aged(
        &mut self,
        device: &str,
        port: Result<&str, u32>,
        mac: MacAddr,
        vlan: Option<u16>,
        age: Option<u32>,
    ) {
        let port = self.fdb.intern(FdbPort { device: device.to_owned(), port: port.map(str::to_owned) });
        self.fdb.push_aged(mac, port, vlan, age);
    }

    /// Every fact as an observation, forwarding rows included: for recording and for schemas.
    pub fn observations(&self) -> impl Iterator<Item = Observation> + '_ {
        let rows = self.fdb.rows().enumerate().filter_map(|(row, (mac, port, vlan))| {
            let port = self.fdb.port(port)?;
            Some(Fact::FdbEntry {
                device: port.device.clone(),
                port: port.port.clone().ok(),
                unresolved_port: port.port.as_ref().err().copied(),
                mac,
                vlan,
                age: self.fdb.age(row),
            })
        });
        self.facts.iter().cloned().chain(rows).map(|fact| Observation {
            source: self.source.clone(),
            observed_at: self.observed_at,
            fact,
        })
    }

    /// Adds one recorded observation of this source.
    pub fn absorb(&mut self, fact: Fact) {
        match fact {
            Fact::FdbEntry { device, port, unresolved_port, mac, vlan, age } => {
                let port = port.as_deref().ok_or(unresolved_port.unwrap_or(0));
                self.push_fdb_aged(&device, port, mac, vlan, age);
            }
            other => self.facts.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarding_row_costs_at_most_24_bytes() {
        assert!(size_of::<MacAddr>() + size_of::<PortRef>() + size_of::<u16>() + size_of::<u32>() <= 24);
    }

    #[test]
    fn rows_survive_recording() {
        let mut collection = Collection::new(SourceName::new("sw1"), Timestamp(0));
        let mac = MacAddr::new([2, 0, 0, 0, 0, 1]);
        collection.push_fdb("sw1", Ok("ether1"), mac, Some(10));
        collection.push_fdb("sw1", Err(976), mac, None);
        collection.push_fdb_aged("sw1", Ok("ether2"), mac, None, Some(7));
        collection.push_fdb("sw1", Ok("ether3"), mac, None);
        let mut again = Collection::new(SourceName::new("sw1"), Timestamp(0));
        for observation in collection.observations() {
            again.absorb(observation.fact);
        }
        assert_eq!(collection.fdb.rows().collect::<Vec<_>>(), again.fdb.rows().collect::<Vec<_>>());
        assert_eq!(collection.fdb.ports(), again.fdb.ports());
        let ages: Vec<u32> = again.fdb.aged().map(|(_, _, age)| age).collect();
        assert_eq!(ages, [7]);
    }
}
