//! Forwarding rows of all sources, sorted by MAC in columns, with an index by port. Near-linear, 10 bytes a row beside the input.

use std::collections::HashMap;

use crate::correlate::inventory::Inventory;
use crate::correlate::ports::{PortId, Ports};
use crate::model::observation::PortKind;
use crate::model::{Collection, MacAddr};

/// Index of a MAC in [`Rows`].
pub(in crate::correlate) type MacIndex = u32;

/// One row while sorting: 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    mac: u64,
    port: PortId,
    vlan: u16,
}

/// All rows that can place a host: group and virtual router addresses and a device's own in its own table are left out.
#[derive(Debug, Default)]
pub(in crate::correlate) struct Rows {
    macs: Vec<MacAddr>,
    first: Vec<u32>,
    ports: Vec<PortId>,
    vlans: Vec<u16>,
    port_first: Vec<u32>,
    port_macs: Vec<MacIndex>,
    /// Seconds since an address last sent something on a port: only where devices say, which few do.
    ages: HashMap<(MacIndex, PortId), u32>,
}

impl Rows {
    /// Sorts and merges the rows of all collections.
    pub(in crate::correlate) fn new(
        inventory: &Inventory<'_>,
        ports: &Ports,
        collections: &[&Collection],
    ) -> Self {
        let mut rows = Vec::with_capacity(collections.iter().map(|collection| collection.fdb.len()).sum());
        for collection in collections {
            let translated = placing(ports.translate(inventory, collection), inventory, ports);
            for (mac, port, vlan) in collection.fdb.rows() {
                let port = translated.get(port.0 as usize).copied().flatten();
                if let Some(port) = port.filter(|_| mac.is_host()) {
                    rows.push(Row { mac: number(mac), port, vlan: vlan.unwrap_or(0) });
                }
            }
        }
        rows.sort_unstable();
        rows.dedup();
        let mut sorted = Self::default();
        sorted.ports.reserve_exact(rows.len());
        sorted.vlans.reserve_exact(rows.len());
        let mut last = None;
        let mut owner = None;
        for row in rows {
            if last != Some(row.mac) {
                owner = inventory.owner(address(row.mac));
            }
            if owner == Some(ports.device(row.port)) {
                continue;
            }
            if last != Some(row.mac) || sorted.macs.is_empty() {
                sorted.first.push(sorted.count());
                sorted.macs.push(address(row.mac));
                last = Some(row.mac);
            } else if sorted.ports.last() == Some(&row.port)
                && sorted.count() > sorted.first.last().copied().unwrap_or(0)
            {
                // The same port in another VLAN: no single VLAN is right, but a table without VLANs adds nothing.
                if let Some(vlan) = sorted.vlans.last_mut() {
                    *vlan = if *vlan == 0 { row.vlan } else { SEVERAL };
                }
                continue;
            }
            sorted.ports.push(row.port);
            sorted.vlans.push(row.vlan);
        }
        sorted.first.push(sorted.count());
        sorted.index_by_port(ports.len());
        for collection in collections {
            let mut aged = collection.fdb.aged().peekable();
            if aged.peek().is_none() {
                continue;
            }
            let translated = ports.translate(inventory, collection);
            for (mac, port, age) in aged {
                let port = translated.get(port.0 as usize).copied().flatten();
                if let (Some(mac), Some(port)) = (sorted.find(mac), port) {
                    let known = sorted.ages.entry((mac, port)).or_insert(age);
                    *known = age.min(*known);
                }
            }
        }
        sorted
    }

    fn count(&self) -> u32 {
        u32::try_from(self.ports.len()).unwrap_or(u32::MAX)
    }

    fn index_by_port(&mut self, port_count: usize) {
        let mut first = vec![0_u32; port_count + 1];
        for port in &self.ports {
            first[port.0 as usize + 1] += 1;
        }
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        let mut next = first.clone();
        let mut macs = vec![0; self.ports.len()];
        for (index, range) in self.first.windows(2).enumerate() {
            for port in &self.ports[range[0] as usize..range[1] as usize] {
                let slot = &mut next[port.0 as usize];
                macs[*slot as usize] = u32::try_from(index).unwrap_or(u32::MAX);
                *slot += 1;
            }
        }
        self.port_first = first;
        self.port_macs = macs;
    }

    /// All learned addresses, sorted.
    pub(in crate::correlate) fn macs(&self) -> &[MacAddr] {
        &self.macs
    }

    /// The address with this index.
    pub(in crate::correlate) fn mac(&self, index: MacIndex) -> MacAddr {
        self.macs.get(index as usize).copied().unwrap_or(MacAddr::new([0; 6]))
    }

    /// The index of an address.
    pub(in crate::correlate) fn find(&self, mac: MacAddr) -> Option<MacIndex> {
        self.macs.binary_search(&mac).ok().and_then(|index| u32::try_from(index).ok())
    }

    /// The ports that learned it, sorted: those of one device are neighbours.
    pub(in crate::correlate) fn ports_of(&self, mac: MacIndex) -> &[PortId] {
        match (self.first.get(mac as usize), self.first.get(mac as usize + 1)) {
            (Some(first), Some(end)) => &self.ports[*first as usize..*end as usize],
            _ => &[],
        }
    }

    /// The VLAN in which a port learned it, where known and only one.
    pub(in crate::correlate) fn vlan(&self, mac: MacIndex, port: PortId) -> Option<u16> {
        let first = *self.first.get(mac as usize)? as usize;
        let at = self.ports_of(mac).binary_search(&port).ok()?;
        self.vlans.get(first + at).copied().filter(|vlan| *vlan != 0 && *vlan != SEVERAL)
    }

    /// Whether a port learned the address in this VLAN, and in which manner.
    pub(in crate::correlate) fn is_in(&self, mac: MacIndex, port: PortId, vlan: u16) -> Membership {
        let Some(first) = self.first.get(mac as usize) else { return Membership::Unknown };
        let Ok(at) = self.ports_of(mac).binary_search(&port) else { return Membership::Unknown };
        match self.vlans.get(*first as usize + at).copied() {
            None | Some(0) => Membership::Unknown,
            Some(SEVERAL) => Membership::Maybe,
            Some(known) if known == vlan => Membership::Yes,
            Some(_) => Membership::No,
        }
    }

    /// Seconds since the address last sent something on this port, where the device says.
    pub(in crate::correlate) fn age(&self, mac: MacIndex, port: PortId) -> Option<u32> {
        self.ages.get(&(mac, port)).copied()
    }

    /// The addresses that a port learned, sorted.
    pub(in crate::correlate) fn behind(&self, port: PortId) -> &[MacIndex] {
        let index = port.0 as usize;
        match (self.port_first.get(index), self.port_first.get(index + 1)) {
            (Some(first), Some(end)) => &self.port_macs[*first as usize..*end as usize],
            _ => &[],
        }
    }
}

/// Drops the ports that place nobody: the sockets of a machine that forwards for nobody else learn what is out in the network.
fn placing(translated: Vec<Option<PortId>>, inventory: &Inventory<'_>, ports: &Ports) -> Vec<Option<PortId>> {
    let places = |id: &PortId| {
        let has_table = inventory.get(ports.device(*id)).is_some_and(|device| device.has_table);
        has_table || ports.get(*id).is_some_and(|port| port.kind == PortKind::Virtual)
    };
    translated.into_iter().map(|port| port.filter(places)).collect()
}

/// Whether an address is in a VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::correlate) enum Membership {
    /// Only there.
    Yes,
    /// In several, of which this may be one.
    Maybe,
    /// Only in another.
    No,
    /// The table does not say.
    Unknown,
}

/// Stands for "in several VLANs"; a real one is at most 4094 (IEEE 802.1Q 9.6).
const SEVERAL: u16 = u16::MAX;

fn number(mac: MacAddr) -> u64 {
    mac.octets().iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

fn address(number: u64) -> MacAddr {
    let octets = number.to_be_bytes();
    MacAddr::from_slice(&octets[2..]).unwrap_or(MacAddr::new([0; 6]))
}
