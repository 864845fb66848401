//! `lldpctl -f json`: neighbours that lldpd heard. Pure.
//!
//! The format names things by their content: interfaces and systems are keys, and a list of one is that one (lldpctl(8)).

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::{Row, object, text};
use crate::model::MacAddr;
use crate::model::observation::{Capability, NeighborFact, NeighborProtocol};

/// One fact for each neighbour.
pub(in super::super) fn lldp_neighbors(device: &str, printed: &Value) -> Vec<NeighborFact> {
    let interfaces = printed.get("lldp").and_then(|lldp| lldp.get("interface"));
    let rows = listed(interfaces).filter_map(Value::as_object).flatten();
    rows.filter_map(|(port, heard)| neighbor(device, port, heard.as_object()?)).collect()
}

/// A list, or the one element that stands for it.
fn listed(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(values)) => values.iter(),
        Some(one) => std::slice::from_ref(one).iter(),
        None => [].iter(),
    }
}

fn neighbor(device: &str, port: &str, heard: &Row) -> Option<NeighborFact> {
    let none = Row::new();
    let chassis = object(heard, "chassis").unwrap_or(&none);
    // Under the system's name, unless it has none: then its id is where the name would be.
    let is_nameless = object(chassis, "id").is_some_and(|id| id.contains_key("type"));
    let named =
        chassis.iter().find_map(|(name, about)| Some((name, about.as_object()?))).filter(|_| !is_nameless);
    let (system_name, chassis) = match named {
        Some((name, about)) => (Some(name.clone()).filter(|name| !name.is_empty()), about),
        None => (None, chassis),
    };
    let id = object(chassis, "id").unwrap_or(&none);
    let far = object(heard, "port").unwrap_or(&none);
    let far_id = object(far, "id").unwrap_or(&none);
    let as_mac = |id: &Row| -> Option<MacAddr> {
        let mac = text(id, "value").filter(|_| text(id, "type") == Some("mac"))?;
        mac.parse().ok().filter(|mac: &MacAddr| !mac.is_zero() && !mac.is_multicast())
    };
    let chassis_mac = as_mac(id);
    let addresses: BTreeSet<IpAddr> = listed(chassis.get("mgmt-ip"))
        .filter_map(Value::as_str)
        .filter_map(|text| text.parse().ok())
        .collect();
    let owned = |row: &Row, key: &str| text(row, key).map(str::to_owned);
    let fact = NeighborFact {
        device: device.to_owned(),
        port: Some(port.to_owned()),
        protocol: protocol(text(heard, "via").unwrap_or_default()),
        chassis_mac,
        chassis_id: owned(id, "value").filter(|_| chassis_mac.is_none()),
        port_id: owned(far_id, "value"),
        port_mac: as_mac(far_id),
        port_description: owned(far, "descr"),
        system_name,
        system_description: owned(chassis, "descr"),
        addresses: addresses.into_iter().collect(),
        capabilities: capabilities(chassis),
    };
    let says_who = fact.chassis_mac.is_some() || fact.chassis_id.is_some() || fact.system_name.is_some();
    says_who.then_some(fact)
}

/// lldpd hears Cisco's, Foundry's, Extreme's and Nortel's protocols too: all of them stay on the cable, like CDP.
fn protocol(via: &str) -> NeighborProtocol {
    if via == "LLDP" || via.is_empty() { NeighborProtocol::Lldp } else { NeighborProtocol::Cdp }
}

/// What is enabled.
fn capabilities(chassis: &Row) -> Vec<Capability> {
    let mut found = Vec::new();
    for row in listed(chassis.get("capability")).filter_map(Value::as_object) {
        let is_enabled = match row.get("enabled") {
            Some(Value::Bool(enabled)) => *enabled,
            Some(Value::String(text)) => matches!(text.as_str(), "on" | "true" | "yes"),
            _ => false,
        };
        let capability = match text(row, "type") {
            Some("Bridge") => Capability::Bridge,
            Some("Router") => Capability::Router,
            Some("Wlan") => Capability::WlanAccessPoint,
            Some("Tel" | "Telephone") => Capability::Telephone,
            Some("Station") => Capability::Station,
            _ => Capability::Other,
        };
        if is_enabled && !found.contains(&capability) {
            found.push(capability);
        }
    }
    found
}
