//! What the Proxmox VE API returns, to facts. Pure: takes the `data` of an answer, knows no HTTP.
//!
//! Shapes from the API schema (pve-docs, api-viewer) and from recordings of 8.x. Everything is read leniently, row by
//! row: numbers come as numbers or strings, keys come and go between versions.

mod cluster;
mod guest;
mod inside;
mod node;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::Value;

use crate::model::scope::is_link_local;

pub(super) use cluster::{
    GuestRow, NodeRow, agent_privileges, cluster_name, guest_rows, node_rows, on_all_guests, sees_all_guests,
};
pub(super) use guest::{agent_enabled, guest_fact};
pub(super) use inside::{Inside, inside, join};
pub(super) use node::node_facts;

/// The rows of a list; anything else is none.
fn rows(data: &Value) -> &[Value] {
    data.as_array().map_or(&[], Vec::as_slice)
}

/// A text that is set and not blank; numbers are taken as texts.
fn text(row: &Value, key: &str) -> Option<String> {
    let text = match row.get(key)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn number(row: &Value, key: &str) -> Option<u64> {
    match row.get(key)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A boolean of the API: 1 or 0, as number or string.
fn truth(row: &Value, key: &str) -> bool {
    match row.get(key) {
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => is_true(text),
        _ => false,
    }
}

/// A boolean in a property string (pve-common, `PVE::JSONSchema::parse_boolean`).
fn is_true(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "1" | "on" | "yes" | "true")
}

/// Whether an address can be told to others: not loopback, link-local, multicast or unset.
fn is_usable(address: IpAddr) -> bool {
    !(is_link_local(address) || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

/// `a=1,b=2,c`: a property string; what has no `=` has the empty key, as the default key of a format.
fn properties(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',').map(|part| part.split_once('=').unwrap_or(("", part))).map(|(k, v)| (k.trim(), v.trim()))
}
