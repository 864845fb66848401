//! Rows of RouterOS menus to facts. Pure, and the same for every transport: a row is a map of strings, a column that is
//! absent is unset. Knows no HTTP.
//!
//! Column names and their meaning: help.mikrotik.com (RouterOS manual); shapes from recordings of 7.20.

mod device;
mod duration;
mod hosts;
mod switching;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::MacAddr;

pub(super) use device::{device_fact, interface_facts, own_macs};
pub(super) use hosts::{Upstream, leases, neighbors, networks, upstream};
pub(super) use switching::{HostTable, bridge_hosts, designated_bridges, lldp_neighbors, switch_hosts};

/// One row of a menu: column to value.
pub(super) type Row = BTreeMap<String, String>;

/// The rows in a REST answer: a list, or one object for a menu that has only one row. Values are strings, but numbers
/// and booleans are taken too. Bytes that are no UTF-8 (comments in CP1252) are replaced, and so are raw control
/// characters inside strings, which JSON forbids and devices send.
pub(super) fn rest_rows(body: &[u8]) -> Result<Vec<Row>, String> {
    let printable: Vec<u8> = body.iter().map(|byte| if *byte < b' ' { b' ' } else { *byte }).collect();
    let text = String::from_utf8_lossy(&printable);
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let rows = match value {
        serde_json::Value::Array(rows) => rows,
        single => vec![single],
    };
    rows.into_iter().map(row).collect()
}

fn row(value: serde_json::Value) -> Result<Row, String> {
    let serde_json::Value::Object(columns) = value else {
        return Err("a row is not an object".to_owned());
    };
    Ok(columns
        .into_iter()
        .filter_map(|(name, value)| match value {
            serde_json::Value::String(text) => Some((name, text)),
            serde_json::Value::Null => None,
            other => Some((name, other.to_string())),
        })
        .collect())
}

/// A column that is set and not empty.
fn text<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    row.get(column).map(String::as_str).filter(|text| !text.is_empty())
}

fn owned(row: &Row, column: &str) -> Option<String> {
    text(row, column).map(str::to_owned)
}

/// Whether a flag is set: REST says `true`, the binary API of v6 says `yes` in some columns.
fn flag(row: &Row, column: &str) -> bool {
    matches!(text(row, column), Some("true" | "yes"))
}

/// Whether a flag is there and not set, which is something else than absent.
fn flag_unset(row: &Row, column: &str) -> bool {
    matches!(text(row, column), Some("false" | "no"))
}

fn mac(row: &Row, column: &str) -> Option<MacAddr> {
    text(row, column)?.parse().ok().filter(|mac: &MacAddr| !mac.is_zero())
}

/// An address, without the `%interface` of a link-local one.
fn address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.trim().parse().ok()
}

fn vlan(row: &Row, column: &str) -> Option<u16> {
    text(row, column)?.parse().ok().filter(|vid| (1..=4094).contains(vid))
}

/// The parts of a list-valued column.
fn list<'a>(row: &'a Row, column: &str) -> impl Iterator<Item = &'a str> {
    text(row, column).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty())
}
