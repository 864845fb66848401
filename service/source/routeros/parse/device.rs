//! What the device is, and its interfaces. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Rows, flag, list, mac, owned, text, vlan};
use crate::model::MacAddr;
use crate::model::observation::{DeviceFact, DeviceRole, InterfaceFact, PortKind};

/// Product lines whose purpose is in the name (mikrotik.com, product catalogue); everything else routes.
const SWITCHES: [&str; 3] = ["CRS", "CSS", "netPower"];
/// See [`SWITCHES`].
const ACCESS_POINTS: [&str; 4] = ["cAP", "RBcAP", "wAP", "RBwAP"];

/// What `/system/resource`, `/system/identity` and `/system/routerboard` say; menus that could not be read are empty.
/// A virtual router (CHR) has no routerboard.
pub(in super::super) fn device_fact(
    device: &str,
    address: Option<IpAddr>,
    resource: &Rows,
    identity: &Rows,
    routerboard: &Rows,
) -> DeviceFact {
    let resource = |column| resource.first().and_then(|row| text(row, column));
    let routerboard = |column| routerboard.first().and_then(|row| text(row, column));
    let board = resource("board-name");
    let model = routerboard("model").or_else(|| routerboard("board-name")).or(board);
    let begins = |names: &[&str]| {
        [board, model].into_iter().flatten().any(|name| names.iter().any(|begin| name.starts_with(begin)))
    };
    let role = if begins(&SWITCHES) {
        DeviceRole::Switch
    } else if begins(&ACCESS_POINTS) {
        DeviceRole::AccessPoint
    } else {
        DeviceRole::Router
    };
    DeviceFact {
        device: device.to_owned(),
        role,
        own_name: identity.first().and_then(|row| owned(row, "name")),
        address,
        description: resource("version").map(|version| format!("RouterOS {version}")),
        manufacturer: resource("platform").map(str::to_owned),
        model: model.map(str::to_owned),
        serial: routerboard("serial-number").map(str::to_owned),
        chassis_id: None,
        macs: Vec::new(),
        cluster: None,
    }
}

/// `/interface` with what `/interface/bridge`, `/interface/bridge/port`, `/interface/bridge/vlan` and `/interface/bonding`
/// add.
pub(in super::super) fn interface_facts(
    device: &str,
    interfaces: &Rows,
    bridges: &Rows,
    ports: &Rows,
    vlans: &Rows,
    bonds: &Rows,
) -> Vec<InterfaceFact> {
    let filtering: BTreeSet<&str> = bridges
        .iter()
        .filter(|row| flag(*row, "vlan-filtering"))
        .filter_map(|row| text(row, "name"))
        .collect();
    let bridge_of: BTreeMap<&str, (&str, Option<u16>)> = ports
        .iter()
        .filter(|row| !flag(*row, "disabled"))
        .filter_map(|row| {
            let (bridge, port) = (text(row, "bridge")?, text(row, "interface")?);
            // Without VLAN filtering the column has its default and means nothing.
            let pvid = vlan(row, "pvid").or_else(|| untagged_vlan(vlans, bridge, port));
            Some((port, (bridge, pvid.filter(|_| filtering.contains(bridge)))))
        })
        .collect();
    let lag_of: BTreeMap<&str, &str> = bonds
        .iter()
        .filter(|row| !flag(*row, "disabled"))
        .filter_map(|row| Some((text(row, "name")?, row)))
        .flat_map(|(bond, row)| list(row, "slaves").map(move |member| (member, bond)))
        .collect();
    interfaces
        .iter()
        .filter_map(|row| {
            let name = text(row, "name")?;
            let (bridge, pvid) = match bridge_of.get(name) {
                Some((bridge, pvid)) => (Some((*bridge).to_owned()), *pvid),
                None => (None, None),
            };
            Some(InterfaceFact {
                device: device.to_owned(),
                name: name.to_owned(),
                kind: port_kind(text(row, "type").unwrap_or_default()),
                mac: mac(row, "mac-address"),
                alias: owned(row, "comment"),
                enabled: Some(!flag(row, "disabled")),
                up: row.get("running").is_some().then(|| flag(row, "running")),
                lag: lag_of.get(name).map(|bond| (*bond).to_owned()),
                bridge,
                pvid,
                ..InterfaceFact::default()
            })
        })
        .collect()
}

/// The VLAN that a port of a bridge sends untagged by `/interface/bridge/vlan`, if it is one alone.
fn untagged_vlan(vlans: &Rows, bridge: &str, port: &str) -> Option<u16> {
    let mut found = vlans
        .iter()
        .filter(|row| !flag(*row, "disabled") && text(*row, "bridge") == Some(bridge))
        .filter(|row| {
            ["current-untagged", "untagged"].iter().any(|column| list(*row, column).any(|name| name == port))
        })
        .map(|row| vlan(row, "vlan-ids"));
    let first = found.next()?;
    found.all(|other| other == first).then_some(first).flatten()
}

/// Link-layer addresses in a menu of interfaces or bridges: they are the device, not hosts behind it.
pub(in super::super) fn own_macs(rows: &Rows) -> impl Iterator<Item = MacAddr> + '_ {
    rows.iter()
        .flat_map(|row| ["mac-address", "admin-mac"].into_iter().filter_map(move |column| mac(row, column)))
        .filter(|mac| !mac.is_multicast())
}

/// The `type` column of `/interface`. What is unknown is virtual: it must not become the end of a cable.
fn port_kind(interface_type: &str) -> PortKind {
    const TUNNELS: [&str; 14] = [
        "eoip",
        "eoipv6",
        "gre",
        "gre6",
        "ipip",
        "ipipv6",
        "6to4",
        "wg",
        "vxlan",
        "vpls",
        "zerotier",
        "ppp",
        "lte",
        "traffic-eng",
    ];
    /// With `-in`, `-out` or `-client` behind it.
    const TUNNEL_PREFIXES: [&str; 6] = ["l2tp", "pptp", "sstp", "ovpn", "pppoe", "ppp-"];
    match interface_type {
        "ether" => PortKind::Physical,
        "bond" | "bonding" => PortKind::Lag,
        "vlan" => PortKind::Vlan,
        "bridge" => PortKind::Bridge,
        "wlan" | "wifi" | "wifiwave2" | "wireless" | "cap" | "w60g" | "w60g-station" | "nstreme-dual" => {
            PortKind::Wireless
        }
        other if TUNNELS.contains(&other) => PortKind::Tunnel,
        other if TUNNEL_PREFIXES.iter().any(|prefix| other.starts_with(prefix)) => PortKind::Tunnel,
        _ => PortKind::Virtual,
    }
}
