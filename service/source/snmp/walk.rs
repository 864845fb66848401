//! What was read from one device: rows by column. The same shape comes from the network and from a recording, so that
//! the parsers cannot tell them apart. Pure data: no network, no meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::model::FactKind;

use super::column::Column;

/// One row of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The index: what follows the column's OID.
    pub(crate) index: Vec<u32>,
    /// The value.
    pub(crate) value: Value,
}

/// A value, reduced to what the columns read here can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// INTEGER, Gauge32, Counter32, Counter64, `TimeTicks`.
    Number(i64),
    /// OCTET STRING.
    Bytes(Vec<u8>),
    /// OBJECT IDENTIFIER.
    Oid(Vec<u32>),
    /// `IpAddress`.
    Address(Ipv4Addr),
}

impl Value {
    /// The number; also one that an agent sent as decimal text.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
            Self::Oid(_) | Self::Address(_) => None,
        }
    }

    /// The number, if it fits an index or an identifier.
    pub(crate) fn unsigned(&self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// The octets of an octet string.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) | Self::Oid(_) | Self::Address(_) => None,
        }
    }
}

/// What was read from one device, or from one VLAN's context of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk {
    columns: BTreeMap<Column, Vec<Row>>,
    incomplete: BTreeSet<Column>,
    /// Bridge tables read per VLAN (Cisco): `community@VLAN` or the context `vlan-N`.
    pub(crate) vlans: BTreeMap<u16, Self>,
}

impl Walk {
    /// Adds one row.
    pub(crate) fn push(&mut self, column: Column, index: Vec<u32>, value: Value) {
        self.columns.entry(column).or_default().push(Row { index, value });
    }

    /// Adds what was read of a column; `complete` is false if it was cut short.
    pub(crate) fn extend(&mut self, column: Column, rows: Vec<Row>, complete: bool) {
        self.columns.entry(column).or_default().extend(rows);
        if !complete {
            self.incomplete.insert(column);
        }
    }

    /// The rows of a column, in the order of the agent.
    pub(crate) fn rows(&self, column: Column) -> &[Row] {
        self.columns.get(&column).map_or(&[], Vec::as_slice)
    }

    /// The value of a scalar.
    pub(crate) fn scalar(&self, column: Column) -> Option<&Value> {
        self.rows(column).first().map(|row| &row.value)
    }

    /// Whether the column was read to its end.
    pub(crate) fn is_complete(&self, column: Column) -> bool {
        !self.incomplete.contains(&column)
    }

    /// The rows of a column whose index is one number, such as an ifIndex, by that number.
    pub(crate) fn by_number(&self, column: Column) -> BTreeMap<u32, &Value> {
        self.rows(column)
            .iter()
            .filter_map(|row| match row.index.as_slice() {
                [number] => Some((*number, &row.value)),
                _ => None,
            })
            .collect()
    }

    /// The rows of a column by index.
    pub(crate) fn by_index(&self, column: Column) -> BTreeMap<&[u32], &Value> {
        self.rows(column).iter().map(|row| (row.index.as_slice(), &row.value)).collect()
    }

    /// Forgets columns that have been turned into facts, before the largest table is read: raw rows cost ten times what
    /// facts do.
    pub(crate) fn forget_neighbors(&mut self) {
        self.columns.retain(|column, _| !matches!(column.facts(), FactKind::Lldp | FactKind::Neighbors));
    }
}
