//! Forwarding tables: which address was learned on which port, in every index shape that agents use.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::collection::FdbPort;
use crate::model::{Collection, MacAddr, PortRef};
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::{Row, Value, Walk};

use super::interfaces::Interfaces;
use super::own_table;
use super::ports::{self, Evidence, Meaning};
use super::text::{mac, octets};
use super::vendor::{Table, Vendor};
use super::vlans::{Vlans, vlan};

/// dot1dTpFdbStatus and dot1qTpFdbStatus (RFC 4188): the row is the device's own address.
const STATUS_SELF: i64 = 4;
/// See [`STATUS_SELF`]: the row is no longer valid.
const STATUS_INVALID: i64 = 2;

/// The only VLAN that the default context of a Cisco IOS bridge shows.
const CISCO_DEFAULT_VLAN: u16 = 1;

/// A row with its number not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Learned {
    fdb_id: Option<u32>,
    mac: MacAddr,
    port: u32,
}

/// What a forwarding table says, in the numbers of the agent.
#[derive(Debug, Default)]
struct Rows {
    learned: Vec<Learned>,
    own: BTreeSet<MacAddr>,
}

/// Whether the address column must be read too, because the index does not hold the address.
pub(crate) fn needs_addresses(rows: &[Row]) -> bool {
    rows.iter().any(|row| split_index(&row.index).is_none())
}

/// Pushes the rows of all forwarding tables; returns the device's own addresses among them.
pub(crate) fn push(
    walk: &Walk,
    device: &str,
    vendor: Vendor,
    interfaces: &Interfaces,
    sink: &mut Collection,
) -> BTreeSet<MacAddr> {
    let base_ports = base_ports(walk);
    let mut by_vlan = read(walk, Table::VlanBridge);
    let mut plain = read(walk, Table::Bridge);
    let fdb_ids = by_vlan.learned.iter().filter_map(|row| row.fdb_id).collect();
    let vlans = Vlans::read(walk, &fdb_ids, vendor.fdb_id_is_vlan());
    let meaning_by_vlan = meaning(&by_vlan, &base_ports, interfaces, vendor, Table::VlanBridge);
    let meaning_plain = meaning(&plain, &base_ports, interfaces, vendor, Table::Bridge);
    let mut own = std::mem::take(&mut by_vlan.own);
    own.append(&mut plain.own);
    let mut target = Target { device, interfaces, sink, ports: HashMap::new() };

    // All tables describe one forwarding database: the vendor's own says most, the one with VLANs more than the plain one.
    let detailed = own_table::read(walk);
    let placed: HashSet<(MacAddr, Option<u16>)> = detailed.iter().map(|row| (row.mac, row.vlan)).collect();
    let mut times_listed: HashMap<MacAddr, u32> = HashMap::new();
    for row in &detailed {
        *times_listed.entry(row.mac).or_default() += 1;
    }
    let vlan_of = |row: &Learned| row.fdb_id.and_then(|fdb_id| vlans.vlan(fdb_id));
    by_vlan.learned.retain(|row| match vlan_of(row) {
        None => !times_listed.contains_key(&row.mac),
        vlan => !placed.contains(&(row.mac, vlan)),
    });
    for row in &by_vlan.learned {
        *times_listed.entry(row.mac).or_default() += 1;
    }
    // Where a number does not resolve, that of the plain table may.
    let plain_index: HashMap<MacAddr, u32> = plain
        .learned
        .iter()
        .filter_map(|row| Some((row.mac, meaning_plain.if_index(row.port, &base_ports, interfaces)?)))
        .collect();
    let elsewhere =
        |mac: MacAddr| (times_listed.get(&mac) == Some(&1)).then(|| plain_index.get(&mac).copied()).flatten();
    for row in detailed {
        let index = interfaces.contains(row.if_index).then_some(row.if_index);
        let learned = Learned { fdb_id: None, mac: row.mac, port: row.if_index };
        target.push(&learned, index.or_else(|| elsewhere(row.mac)), row.vlan);
    }
    for row in &by_vlan.learned {
        let index = meaning_by_vlan.if_index(row.port, &base_ports, interfaces);
        target.push(row, index.or_else(|| elsewhere(row.mac)), vlan_of(row));
    }

    let mut listed: HashSet<MacAddr> = times_listed.into_keys().collect();
    for (number, context) in &walk.vlans {
        let base_ports = self::base_ports(context);
        let mut rows = read(context, Table::Bridge);
        let meaning = meaning(&rows, &base_ports, interfaces, vendor, Table::Bridge);
        own.append(&mut rows.own);
        for row in &rows.learned {
            target.push(row, meaning.if_index(row.port, &base_ports, interfaces), Some(*number));
            listed.insert(row.mac);
        }
    }
    // Where VLANs have contexts of their own, the default context is that of the first.
    let bridges_per_vlan = vendor.bridges_per_vlan()
        && walk.rows(Column::VlanFdbPort).is_empty()
        && !walk.rows(Column::VtpVlanState).is_empty();
    let default_vlan = (bridges_per_vlan || !walk.vlans.is_empty()).then_some(CISCO_DEFAULT_VLAN);
    for row in plain.learned.iter().filter(|row| !listed.contains(&row.mac)) {
        target.push(row, meaning_plain.if_index(row.port, &base_ports, interfaces), default_vlan);
    }
    own
}

/// Where rows go; remembers the ports, so that a table of 100,000 rows makes a text per port and not per row.
struct Target<'a> {
    device: &'a str,
    interfaces: &'a Interfaces,
    sink: &'a mut Collection,
    ports: HashMap<(Option<u32>, u32), PortRef>,
}

impl Target<'_> {
    fn push(&mut self, row: &Learned, if_index: Option<u32>, vlan: Option<u16>) {
        let fdb = &mut self.sink.fdb;
        let port = *self.ports.entry((if_index, row.port)).or_insert_with(|| {
            let name = if_index.and_then(|index| self.interfaces.name(index));
            fdb.intern(FdbPort { device: self.device.to_owned(), port: name.ok_or(row.port) })
        });
        fdb.push(row.mac, port, vlan);
    }
}

/// The base-port table: dot1dBasePort to ifIndex.
pub(crate) fn base_ports(walk: &Walk) -> BTreeMap<u32, u32> {
    walk.by_number(Column::BasePortIfIndex)
        .into_iter()
        .filter_map(|(port, index)| Some((port, index.unsigned().filter(|index| *index > 0)?)))
        .collect()
}

fn meaning(
    rows: &Rows,
    base_ports: &BTreeMap<u32, u32>,
    interfaces: &Interfaces,
    vendor: Vendor,
    table: Table,
) -> Meaning {
    let ports: BTreeSet<u32> = rows.learned.iter().map(|row| row.port).collect();
    // A row for an interface's own address shows which interface the number means.
    let evidence: BTreeSet<Evidence> =
        rows.learned.iter().filter_map(|row| Some((row.port, interfaces.by_mac(row.mac)?))).collect();
    ports::decide(&ports, base_ports, interfaces, vendor.reading(table), &evidence)
}

/// Reads one table, whatever the shape of its index.
fn read(walk: &Walk, table: Table) -> Rows {
    let (ports, statuses, addresses) = match table {
        Table::Bridge => (Column::FdbPort, Column::FdbStatus, Column::FdbAddress),
        Table::VlanBridge => (Column::VlanFdbPort, Column::VlanFdbStatus, Column::VlanFdbAddress),
    };
    let statuses = walk.by_index(statuses);
    let addresses = walk.by_index(addresses);
    let mut rows = Rows::default();
    for row in walk.rows(ports) {
        let index = row.index.as_slice();
        let declared = addresses.get(index).and_then(|address| mac(address.bytes()?));
        let (prefix, address) = match (split_index(index), declared) {
            (Some((prefix, address)), _) => (prefix, address),
            // A row number: the address is only in its own column. In the table with VLANs, the database comes first.
            (None, Some(address)) => (&index[..index.len().saturating_sub(1)], address),
            (None, None) => continue,
        };
        // Group addresses (IGMP snooping) stay in: what is a host is decided where all sources are seen together.
        if address.is_zero() {
            continue;
        }
        // Many agents have no status column: then every row counts.
        let status = statuses.get(index).and_then(|status| status.number());
        if status == Some(STATUS_SELF) {
            rows.own.insert(address);
            continue;
        }
        // Port 0 is "heard of, port not known"; some agents say -1.
        let port = row.value.unsigned().filter(|port| *port > 0);
        if let (Some(port), false) = (port, status == Some(STATUS_INVALID)) {
            let fdb_id = match table {
                Table::VlanBridge => prefix.first().copied(),
                Table::Bridge => None,
            };
            rows.learned.push(Learned { fdb_id, mac: address, port });
        }
    }
    rows
}

/// Splits an index into what comes before the address and the address: the last six components, if they are octets. What
/// comes before is the database id, if any, and on a dozen vendors a length octet (`6.a.b.c.d.e.f`).
fn split_index(index: &[u32]) -> Option<(&[u32], MacAddr)> {
    let (prefix, last) = index.split_at_checked(index.len().checked_sub(6)?)?;
    let address = MacAddr::from_slice(&octets(last)?)?;
    Some((prefix, address))
}

/// The port VLAN ids by ifIndex: dot1qPvid, which is by base port, and where that is absent, Cisco's own of access ports.
pub(crate) fn pvids(walk: &Walk, base_ports: &BTreeMap<u32, u32>) -> BTreeMap<u32, u16> {
    let number = |value: &Value| value.unsigned().and_then(vlan);
    let access = walk.by_number(Column::AccessVlan).into_iter();
    let by_port = walk.by_number(Column::Pvid).into_iter();
    access
        .filter_map(|(index, pvid)| Some((index, number(pvid)?)))
        .chain(by_port.filter_map(|(port, pvid)| Some((*base_ports.get(&port)?, number(pvid)?))))
        .collect()
}

#[cfg(test)]
#[path = "forwarding_tests.rs"]
mod tests;
