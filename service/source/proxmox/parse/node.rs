//! One node: itself as a device, its network cards, bonds and bridges, and the networks it is in. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::Value;

use super::{NodeRow, is_usable, rows, text, truth};
use crate::model::observation::{DeviceFact, DeviceRole, InterfaceFact, PortKind};
use crate::model::{Fact, MacAddr};

/// The node and what `/nodes/{node}/network` says. The bridge of a guest leads through its ports to the card that the
/// guest's addresses are seen behind. The API does not tell addresses of cards; names of the form `enx<mac>` do.
pub(in super::super) fn node_facts(
    node: &NodeRow,
    cluster: &str,
    version: Option<&str>,
    network: &Value,
) -> Vec<Fact> {
    let device = node.name.as_str();
    let interfaces = interface_facts(device, network);
    let gateway_address = rows(network)
        .iter()
        .filter(|row| text(row, "gateway").is_some() || text(row, "gateway6").is_some())
        .find_map(|row| networks_of(row).into_iter().next())
        .map(|net| net.addr());
    let own = DeviceFact {
        device: device.to_owned(),
        role: DeviceRole::Hypervisor,
        own_name: Some(device.to_owned()),
        address: node.address.or(gateway_address),
        description: version.map(|version| format!("Proxmox VE {version}")),
        macs: interfaces.iter().filter_map(|fact| fact.mac).collect::<BTreeSet<_>>().into_iter().collect(),
        cluster: Some(cluster.to_owned()),
        ..DeviceFact::default()
    };
    let networks: BTreeSet<(IpNet, Option<String>)> = rows(network)
        .iter()
        .filter(|row| row.get("active").is_none() || truth(row, "active"))
        .flat_map(|row| networks_of(row).into_iter().map(|net| (net.trunc(), text(row, "iface"))))
        .filter(|(net, _)| net.prefix_len() < net.max_prefix_len())
        .collect();
    let networks = networks.into_iter().map(|(prefix, interface)| Fact::Network { prefix, interface });
    std::iter::once(Fact::Device(own))
        .chain(interfaces.into_iter().map(Fact::Interface))
        .chain(networks)
        .collect()
}

fn networks_of(row: &Value) -> Vec<IpNet> {
    ["cidr", "cidr6"]
        .into_iter()
        .filter_map(|key| text(row, key)?.parse().ok())
        .filter(|net: &IpNet| is_usable(net.addr()))
        .collect()
}

fn interface_facts(device: &str, network: &Value) -> Vec<InterfaceFact> {
    let members = |keys: &'static [&'static str]| -> BTreeMap<String, String> {
        rows(network)
            .iter()
            .filter_map(|row| Some((row, text(row, "iface")?)))
            .flat_map(|(row, name)| {
                let listed: Vec<String> = keys.iter().filter_map(|key| text(row, key)).collect();
                let parts: Vec<String> = listed
                    .iter()
                    .flat_map(|list| list.split([' ', ',', ';', '\t']))
                    .filter(|part| !part.is_empty() && *part != "none")
                    .map(str::to_owned)
                    .collect();
                parts.into_iter().map(move |member| (member, name.clone()))
            })
            .collect()
    };
    let bridge_of = members(&["bridge_ports", "ovs_ports"]);
    let lag_of = members(&["slaves", "ovs_bonds"]);

    let mut facts: BTreeMap<String, InterfaceFact> = BTreeMap::new();
    for row in rows(network) {
        let Some(name) = text(row, "iface") else { continue };
        let fact = InterfaceFact {
            device: device.to_owned(),
            kind: kind(&text(row, "type").unwrap_or_default(), &name),
            mac: mac_in_names(row, &name),
            alias: text(row, "comments"),
            up: row.get("active").map(|_| truth(row, "active")),
            bridge: text(row, "ovs_bridge"),
            name: name.clone(),
            ..InterfaceFact::default()
        };
        facts.insert(name, fact);
    }
    // A port such as `eno1.20` is often made by the bridge itself and has no entry of its own.
    for name in bridge_of.keys().chain(lag_of.keys()) {
        facts.entry(name.clone()).or_insert_with(|| InterfaceFact {
            device: device.to_owned(),
            name: name.clone(),
            kind: if name.contains('.') { PortKind::Vlan } else { PortKind::Virtual },
            ..InterfaceFact::default()
        });
    }
    for (name, fact) in &mut facts {
        fact.bridge = bridge_of.get(name).cloned().or_else(|| fact.bridge.take());
        fact.lag = lag_of.get(name).cloned();
    }
    facts.into_values().collect()
}

/// `type` of a network entry (API schema).
fn kind(network_type: &str, name: &str) -> PortKind {
    match network_type {
        "eth" if name.starts_with("wl") => PortKind::Wireless,
        "eth" | "OVSPort" => PortKind::Physical,
        "bond" | "OVSBond" => PortKind::Lag,
        "bridge" | "OVSBridge" => PortKind::Bridge,
        "vlan" | "OVSIntPort" => PortKind::Vlan,
        _ => PortKind::Virtual,
    }
}

/// systemd.net-naming-scheme(7): `enx` and twelve digits is the card's own address; it is the name of many USB cards,
/// and among the alternative names of all others.
fn mac_in_names(row: &Value, name: &str) -> Option<MacAddr> {
    let alternatives = row.get("altnames").map(rows).unwrap_or_default().iter().filter_map(Value::as_str);
    std::iter::once(name)
        .chain(alternatives)
        .filter_map(|name| name.strip_prefix("enx"))
        .filter(|digits| digits.len() == 12)
        .find_map(|digits| digits.parse().ok())
}
