//! Rows of RouterOS menus to facts. Pure, and the same for every transport: a row has strings by column, and a column
//! that is absent is unset. Knows no HTTP.
//!
//! Column names and their meaning: help.mikrotik.com (RouterOS manual); shapes from recordings of 7.20.

mod device;
mod duration;
mod hosts;
mod rows;
mod switching;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::model::MacAddr;

pub(super) use device::{device_fact, interface_facts, own_macs};
pub(super) use hosts::{Upstream, leases, neighbors, networks, upstream};
pub(super) use rows::{Row, Rows, rest_rows};
pub(super) use switching::{HostTable, bridge_hosts, designated_bridges, lldp_neighbors, switch_hosts};

/// A column that is set and not empty.
fn text<'a>(row: Row<'a>, column: &str) -> Option<&'a str> {
    row.get(column).filter(|text| !text.is_empty())
}

fn owned(row: Row<'_>, column: &str) -> Option<String> {
    text(row, column).map(str::to_owned)
}

/// Whether a flag is set: REST says `true`, the binary API of v6 says `yes` in some columns.
fn flag(row: Row<'_>, column: &str) -> bool {
    matches!(text(row, column), Some("true" | "yes"))
}

/// Whether a flag is there and not set, which is something else than absent.
fn flag_unset(row: Row<'_>, column: &str) -> bool {
    matches!(text(row, column), Some("false" | "no"))
}

fn mac(row: Row<'_>, column: &str) -> Option<MacAddr> {
    text(row, column)?.parse().ok().filter(|mac: &MacAddr| !mac.is_zero())
}

/// An address, without the `%interface` of a link-local one.
fn address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.trim().parse().ok()
}

fn vlan(row: Row<'_>, column: &str) -> Option<u16> {
    text(row, column)?.parse().ok().filter(|vid| (1..=4094).contains(vid))
}

/// The parts of a list-valued column.
fn list<'a>(row: Row<'a>, column: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    text(row, column).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty())
}
