//! IF-MIB: what the interfaces are called and what they are, which belong to an aggregate, and which number means which.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::MacAddr;
use crate::model::observation::{InterfaceFact, PortKind};
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::Walk;

use super::kind::kind;
use super::text::{mac, text};
use super::vendor::Vendor;

/// The value of ifSpeed that means "more than fits" (RFC 2863 section 3.1.7).
const IF_SPEED_OVERFLOW: i64 = 0xffff_ffff;

/// `IANAifType`: other.
const TYPE_OTHER: u32 = 1;

/// One row of the interface table.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    /// Unique on the device.
    pub(crate) name: String,
    descr: Option<String>,
    alias: Option<String>,
    /// What it is.
    pub(crate) kind: PortKind,
    /// Its own address.
    pub(crate) mac: Option<MacAddr>,
    speed_mbps: Option<u32>,
    enabled: Option<bool>,
    up: Option<bool>,
    /// The aggregate it is a member of.
    lag: Option<u32>,
    /// The interface of which this is only a logical unit (Junos).
    parent: Option<u32>,
}

/// The interfaces of a device by ifIndex.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    rows: BTreeMap<u32, Interface>,
    texts: BTreeMap<String, u32>,
    owners: BTreeMap<MacAddr, Option<u32>>,
}

impl Interfaces {
    /// Reads the interface table.
    pub(crate) fn read(walk: &Walk, vendor: Vendor) -> Self {
        let names = walk.by_number(Column::IfName);
        let descriptions = walk.by_number(Column::IfDescr);
        let types = walk.by_number(Column::IfType);
        let macs = walk.by_number(Column::IfPhysAddress);
        let high_speeds = walk.by_number(Column::IfHighSpeed);
        let speeds = walk.by_number(Column::IfSpeed);
        let aliases = walk.by_number(Column::IfAlias);
        let admin = walk.by_number(Column::IfAdminStatus);
        let oper = walk.by_number(Column::IfOperStatus);

        let indexes: BTreeSet<u32> =
            [&names, &descriptions, &types].into_iter().flat_map(|column| column.keys().copied()).collect();
        let mut rows = BTreeMap::new();
        for index in indexes {
            let name = text(names.get(&index).copied());
            let descr = text(descriptions.get(&index).copied());
            // A row that only ifXTable has, on an agent that types the others, is software's.
            let untyped = (!types.is_empty()).then_some(TYPE_OTHER);
            let if_type = types.get(&index).and_then(|value| value.unsigned()).or(untyped);
            let kind_names = [name.as_deref().unwrap_or_default(), descr.as_deref().unwrap_or_default()];
            // Half a table of each would mix units; agents that have ifHighSpeed have it for every interface.
            let speed = if high_speeds.is_empty() {
                let bits = speeds.get(&index).and_then(|value| value.number());
                bits.filter(|bits| *bits != IF_SPEED_OVERFLOW)
                    .and_then(|bits| u32::try_from(bits / 1_000_000).ok())
            } else {
                high_speeds.get(&index).and_then(|value| value.unsigned())
            };
            let is = |column: &BTreeMap<u32, &_>, value| {
                let found: Option<&&crate::source::snmp::walk::Value> = column.get(&index);
                found.and_then(|found| found.number()).map(|found| found == value)
            };
            rows.insert(
                index,
                Interface {
                    kind: kind(if_type, kind_names, vendor.names_are_typed_by_people()),
                    name: name.unwrap_or_default(),
                    descr,
                    alias: text(aliases.get(&index).copied()),
                    mac: macs
                        .get(&index)
                        .and_then(|value| mac(value.bytes()?))
                        .filter(|mac| !mac.is_multicast()),
                    speed_mbps: speed.filter(|mbps| *mbps > 0),
                    enabled: is(&admin, 1),
                    up: is(&oper, 1),
                    lag: None,
                    parent: None,
                },
            );
        }
        let mut interfaces = Self { rows, ..Self::default() };
        interfaces.name_uniquely();
        interfaces.find_units();
        interfaces.find_members(walk);
        interfaces.index_macs();
        interfaces
    }

    /// Gives every interface a name that no other has: ifName, else ifDescr, else either with the ifIndex. Where several
    /// share a name, the only socket among them keeps it.
    fn name_uniquely(&mut self) {
        let mut wanted: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (index, interface) in &mut self.rows {
            if interface.name.is_empty() {
                interface.name = interface.descr.clone().unwrap_or_else(|| index.to_string());
            }
            wanted.entry(interface.name.clone()).or_default().push(*index);
        }
        let mut descriptions: BTreeMap<String, usize> = BTreeMap::new();
        for descr in self.rows.values().filter_map(|interface| interface.descr.clone()) {
            *descriptions.entry(descr).or_default() += 1;
        }
        let mut taken: BTreeSet<String> = wanted.keys().cloned().collect();
        for (name, indexes) in &wanted {
            let sockets: Vec<u32> =
                indexes.iter().copied().filter(|index| self.is_physical(*index)).collect();
            let keeper = match (indexes.as_slice(), sockets.as_slice()) {
                ([only], _) | (_, [only]) => Some(*only),
                _ => None,
            };
            for index in indexes.iter().filter(|index| Some(**index) != keeper) {
                let Some(interface) = self.rows.get_mut(index) else { continue };
                let unique_descr = interface
                    .descr
                    .clone()
                    .filter(|descr| descriptions.get(descr) == Some(&1) && !taken.contains(descr));
                interface.name = unique_descr.unwrap_or_else(|| format!("{name} (ifIndex {index})"));
                taken.insert(interface.name.clone());
            }
        }
        // Names win over descriptions; a description that several share names nobody.
        for (index, interface) in &self.rows {
            if let Some(descr) = &interface.descr
                && descriptions.get(descr) == Some(&1)
            {
                self.texts.insert(descr.clone(), *index);
            }
        }
        for (index, interface) in &self.rows {
            self.texts.insert(interface.name.clone(), *index);
        }
    }

    /// Junos gives every socket a logical unit with an ifIndex of its own (`ge-0/0/1.0`, propVirtual); bridge ports and
    /// LLDP may refer to the unit, but the plug is in the socket.
    fn find_units(&mut self) {
        let units: Vec<(u32, u32)> = self
            .rows
            .iter()
            .filter(|(_, interface)| interface.kind == PortKind::Virtual)
            .filter_map(|(index, interface)| {
                let (socket, unit) = interface.name.rsplit_once('.')?;
                let parent = *self.texts.get(socket)?;
                let is_unit = !unit.is_empty() && unit.bytes().all(|byte| byte.is_ascii_digit());
                let carries = matches!(self.rows.get(&parent)?.kind, PortKind::Physical | PortKind::Lag);
                (is_unit && carries && parent != *index).then_some((*index, parent))
            })
            .collect();
        for (unit, parent) in units {
            if let Some(interface) = self.rows.get_mut(&unit) {
                interface.parent = Some(parent);
            }
        }
        // The Linux and router form of the same: `eth0.100` is a VLAN on `eth0`, whatever its type says.
        let vlans: Vec<u32> = self
            .rows
            .iter()
            .filter(|(_, interface)| interface.kind == PortKind::Physical)
            .filter_map(|(index, interface)| {
                let (socket, vlan) = interface.name.rsplit_once('.')?;
                let starts_with_letter = socket.starts_with(|c: char| c.is_ascii_alphabetic());
                let is_vlan = vlan.parse::<u16>().is_ok_and(|vlan| vlan <= 4094);
                (starts_with_letter && is_vlan && self.texts.contains_key(socket)).then_some(*index)
            })
            .collect();
        for index in vlans {
            if let Some(interface) = self.rows.get_mut(&index) {
                interface.kind = PortKind::Vlan;
            }
        }
    }

    /// Finds the aggregate of each member: IEEE8023-LAG-MIB, CISCO-PAGP-MIB, or an aggregate above it in ifStackTable.
    fn find_members(&mut self, walk: &Walk) {
        let mut members: BTreeMap<u32, u32> = BTreeMap::new();
        for row in walk.rows(Column::IfStackStatus) {
            // notReady(3) and destroy(6) are no layering; agents that send notInService(2) for everything exist.
            if let ([higher, lower], Some(1 | 2)) = (row.index.as_slice(), row.value.number()) {
                let (higher, lower) = (self.socket_of(*higher), self.socket_of(*lower));
                let kind = |index| self.rows.get(&index).map(|interface: &Interface| interface.kind);
                if kind(higher) == Some(PortKind::Lag) && kind(lower) == Some(PortKind::Physical) {
                    members.insert(lower, higher);
                }
            }
        }
        for column in [Column::PagpGroup, Column::LagAttached] {
            for (member, aggregate) in walk.by_number(column) {
                let Some(aggregate) = aggregate.unsigned() else { continue };
                let (member, aggregate) = (self.socket_of(member), self.socket_of(aggregate));
                let is_socket =
                    |index| self.rows.get(&index).is_some_and(|found| found.kind == PortKind::Physical);
                let known = self.rows.contains_key(&aggregate) && is_socket(member);
                // An agent that names a plain port its own or another's aggregate says nothing about aggregates.
                if known && aggregate != member && !is_socket(aggregate) {
                    members.insert(member, aggregate);
                }
            }
        }
        for (member, aggregate) in members {
            if let Some(interface) = self.rows.get_mut(&member) {
                interface.lag = Some(aggregate);
            }
            if let Some(interface) = self.rows.get_mut(&aggregate) {
                interface.kind = PortKind::Lag;
            }
        }
    }

    fn index_macs(&mut self) {
        for (index, interface) in &self.rows {
            // Members of an aggregate often carry the aggregate's address, VLAN interfaces the chassis': not unique.
            if let Some(mac) = interface.mac {
                self.owners.entry(mac).and_modify(|owner| *owner = None).or_insert(Some(*index));
            }
        }
    }

    fn is_physical(&self, index: u32) -> bool {
        self.rows.get(&index).is_some_and(|interface| interface.kind == PortKind::Physical)
    }

    /// Whether no interface is known at all: then an ifIndex is all the name there is.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether there is such an interface.
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.rows.contains_key(&index)
    }

    /// The interface that takes the plug: itself, or the one it is a logical unit of.
    pub(crate) fn socket_of(&self, index: u32) -> u32 {
        self.rows.get(&index).and_then(|interface| interface.parent).unwrap_or(index)
    }

    /// The name of the interface, or of the one it is a logical unit of. Where the device has no interface table, its
    /// number is its name.
    pub(crate) fn name(&self, index: u32) -> Option<String> {
        if self.is_empty() {
            return Some(index.to_string());
        }
        Some(self.rows.get(&self.socket_of(index))?.name.clone())
    }

    /// The interface with this name or, if only one has it, this description.
    pub(crate) fn by_text(&self, text: &str) -> Option<u32> {
        self.texts.get(text).copied()
    }

    /// The only interface with this address.
    pub(crate) fn by_mac(&self, mac: MacAddr) -> Option<u32> {
        self.owners.get(&mac).copied().flatten()
    }

    /// The addresses of all interfaces.
    pub(crate) fn macs(&self) -> impl Iterator<Item = MacAddr> + '_ {
        self.owners.keys().copied()
    }

    /// One fact per interface.
    pub(crate) fn facts(&self, device: &str, pvids: &BTreeMap<u32, u16>) -> Vec<InterfaceFact> {
        self.rows
            .iter()
            .map(|(index, interface)| InterfaceFact {
                device: device.to_owned(),
                name: interface.name.clone(),
                if_index: Some(*index),
                kind: interface.kind,
                mac: interface.mac,
                // Agents that repeat the name as the alias say nothing by it.
                alias: interface.alias.clone().filter(|alias| *alias != interface.name),
                description: interface.descr.clone().filter(|descr| *descr != interface.name),
                speed_mbps: interface.speed_mbps,
                enabled: interface.enabled,
                up: interface.up,
                lag: interface.lag.and_then(|lag| self.name(lag)),
                bridge: None,
                pvid: pvids.get(index).copied(),
                voice_vlan: None,
                addresses: Vec::new(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::walk::Value;

    fn table(rows: &[(u32, &str, &str, i64)]) -> Walk {
        let mut walk = Walk::default();
        for (index, name, descr, if_type) in rows {
            walk.push(Column::IfName, vec![*index], Value::Bytes(name.as_bytes().to_vec()));
            walk.push(Column::IfDescr, vec![*index], Value::Bytes(descr.as_bytes().to_vec()));
            walk.push(Column::IfType, vec![*index], Value::Number(*if_type));
        }
        walk
    }

    #[test]
    fn names_are_unique_and_the_socket_keeps_its_own() {
        let walk = table(&[
            (1, "internal", "internal(primary)", 6),
            (2, "internal", "internal", 53),
            (3, "", "swp3", 6),
            (4, "x", "same", 53),
            (5, "x", "same", 53),
        ]);
        let interfaces = Interfaces::read(&walk, Vendor::default());
        let names: Vec<_> = (1..=5).filter_map(|index| interfaces.name(index)).collect();
        assert_eq!(names, ["internal", "internal (ifIndex 2)", "swp3", "x (ifIndex 4)", "x (ifIndex 5)"]);
        assert_eq!(interfaces.by_text("same"), None, "two have that description");
    }

    #[test]
    fn a_junos_unit_is_its_socket() {
        let walk = table(&[(512, "ge-0/0/47", "ge-0/0/47", 6), (532, "ge-0/0/47.0", "ge-0/0/47.0", 53)]);
        let interfaces = Interfaces::read(&walk, Vendor::default());
        assert_eq!(interfaces.name(532).as_deref(), Some("ge-0/0/47"));
    }

    #[test]
    fn a_linux_subinterface_is_a_vlan() {
        let walk = table(&[(2, "eth0", "eth0", 6), (3, "eth0.100", "eth0.100", 6)]);
        let facts = Interfaces::read(&walk, Vendor::default()).facts("sw1", &BTreeMap::new());
        assert_eq!(
            facts.iter().map(|fact| fact.kind).collect::<Vec<_>>(),
            [PortKind::Physical, PortKind::Vlan]
        );
    }

    #[test]
    fn members_name_their_aggregate() {
        let mut walk = table(&[
            (1, "ge-0/0/1", "ge-0/0/1", 6),
            (2, "ge-0/0/2", "ge-0/0/2", 6),
            (3, "ge-0/0/3", "ge-0/0/3", 6),
            (11, "ge-0/0/1.0", "ge-0/0/1.0", 53),
            (21, "ae0", "ae0", 161),
            (31, "ae0.0", "ae0.0", 53),
        ]);
        // The units are layered, as Junos does.
        walk.push(Column::IfStackStatus, vec![31, 11], Value::Number(1));
        walk.push(Column::LagAttached, vec![2], Value::Number(21));
        // A port that is its own aggregate is none.
        walk.push(Column::LagAttached, vec![3], Value::Number(3));
        let facts = Interfaces::read(&walk, Vendor::default()).facts("sw1", &BTreeMap::new());
        let lag = |name: &str| facts.iter().find(|fact| fact.name == name).and_then(|fact| fact.lag.clone());
        assert_eq!(lag("ge-0/0/1").as_deref(), Some("ae0"));
        assert_eq!(lag("ge-0/0/2").as_deref(), Some("ae0"));
        assert_eq!(lag("ge-0/0/3"), None);
    }

    #[test]
    fn without_a_table_the_number_is_the_name() {
        let interfaces = Interfaces::default();
        assert_eq!(interfaces.name(24).as_deref(), Some("24"));
    }
}
