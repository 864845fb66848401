//! What the device switches: bridge and switch chip forwarding tables, and its LLDP, CDP and MNDP neighbours. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::duration::millis;
use super::{Row, Rows, address, flag, list, mac, owned, text, vlan};
use crate::model::MacAddr;
use crate::model::observation::{Capability, NeighborFact, NeighborProtocol, PortKind};

/// A forwarding table: learned rows, and the device's own addresses found in it.
#[derive(Debug, Default)]
pub(in super::super) struct HostTable {
    /// Names of ports, each once.
    pub(in super::super) ports: Vec<String>,
    at: HashMap<String, usize>,
    /// Address, which of the ports, VLAN, seconds since it last sent something.
    pub(in super::super) rows: Vec<(MacAddr, usize, Option<u16>, Option<u32>)>,
    /// Rows marked local: the device itself.
    pub(in super::super) own: BTreeSet<MacAddr>,
}

impl HostTable {
    fn push(&mut self, mac: MacAddr, port: &str, vlan: Option<u16>, age: Option<u32>) {
        let port = self.at.get(port).copied().unwrap_or_else(|| {
            self.ports.push(port.to_owned());
            self.at.insert(port.to_owned(), self.at.len());
            self.ports.len() - 1
        });
        self.rows.push((mac, port, vlan, age));
    }
}

/// `/interface/bridge/host`. `on-interface` is the port; static rows only have `interface`. A bond is named as such, and
/// `external` rows (learned by the switch chip) are ports like any other.
pub(in super::super) fn bridge_hosts(rows: &Rows) -> HostTable {
    let mut table = HostTable::default();
    for row in rows.iter().filter(|row| !flag(*row, "disabled") && !flag(*row, "invalid")) {
        let Some(mac) = mac(row, "mac-address") else { continue };
        if flag(row, "local") {
            table.own.insert(mac);
            continue;
        }
        let Some(port) = text(row, "on-interface").or_else(|| text(row, "interface")) else { continue };
        if !mac.is_multicast() {
            let age = text(row, "age").and_then(millis).and_then(|age| u32::try_from(age / 1000).ok());
            table.push(mac, port, vlan(row, "vid"), age);
        }
    }
    table
}

/// `/interface/ethernet/switch/host`: the table of the switch chip, for what `bridge` does not have already. A row of
/// several ports is configured, not learned, and the CPU port leads back to the device.
pub(in super::super) fn switch_hosts(rows: &Rows, bridge: &HostTable) -> HostTable {
    let mut learned = HostTable::default();
    if rows.len() == 0 {
        return learned;
    }
    let known: HashSet<(MacAddr, usize)> = bridge.rows.iter().map(|(mac, port, ..)| (*mac, *port)).collect();
    let used = |row: &Row<'_>| !flag(*row, "invalid") && !flag(*row, "disabled") && !flag(*row, "drop");
    for row in rows.iter().filter(used) {
        let Some(mac) = mac(row, "mac-address").filter(|mac| !mac.is_multicast()) else { continue };
        let mut ports = list(row, "ports").chain(list(row, "port"));
        let Some(port) = ports.next().filter(|port| !port.ends_with("cpu")) else { continue };
        let single = ports.next().is_none();
        let at = bridge.at.get(port);
        let new = !bridge.own.contains(&mac) && !at.is_some_and(|at| known.contains(&(mac, *at)));
        if single && new {
            learned.push(mac, port, vlan(row, "vlan-id"), None);
        }
    }
    learned
}

/// `/ip/neighbor`: one fact per protocol that announced the neighbour. `kinds` are the device's interfaces, to tell a
/// port from the bridge it is in.
pub(in super::super) fn lldp_neighbors<'a>(
    device: &'a str,
    rows: &'a Rows,
    kinds: &'a BTreeMap<String, PortKind>,
) -> impl Iterator<Item = NeighborFact> + 'a {
    rows.iter().flat_map(move |row| {
        let mikrotik = is_mikrotik(row);
        let remote_port = text(row, "interface-name");
        let port_id = remote_port.map(|name| if mikrotik { physical_part(name) } else { name });
        let addresses: BTreeSet<IpAddr> = ["address4", "address6", "address"]
            .into_iter()
            .filter_map(|column| text(row, column).and_then(address))
            .collect();
        let fact = NeighborFact {
            device: device.to_owned(),
            port: local_port(row, kinds),
            chassis_mac: mac(row, "mac-address").filter(|mac| !mac.is_multicast()),
            port_id: port_id.map(str::to_owned),
            port_mac: remote_port.and_then(|name| name.parse().ok()),
            port_description: remote_port.filter(|name| Some(*name) != port_id).map(str::to_owned),
            system_name: owned(row, "identity"),
            system_description: description(row),
            addresses: addresses.into_iter().collect(),
            capabilities: capabilities(row),
            ..NeighborFact::default()
        };
        protocols(row, mikrotik).into_iter().map(move |protocol| NeighborFact {
            protocol,
            chassis_id: fact.system_name.clone().filter(|_| protocol == NeighborProtocol::Cdp),
            ..fact.clone()
        })
    })
}

/// `/interface/bridge/port`: ports on whose segment another bridge is the designated one (IEEE 802.1D 17.3), so that one is
/// behind the port. `own` are the device's addresses.
pub(in super::super) fn designated_bridges(
    device: &str,
    ports: &Rows,
    own: &BTreeSet<MacAddr>,
) -> Vec<NeighborFact> {
    let is_used = |row: &Row<'_>| !flag(*row, "disabled") && !flag(*row, "inactive");
    let facing = ["root-port", "alternate-port", "backup-port"];
    let towards_another = |row: &Row<'_>| text(*row, "role").is_some_and(|role| facing.contains(&role));
    ports
        .iter()
        .filter(is_used)
        .filter(towards_another)
        .filter_map(|row| {
            // `0x8000.48:A9:8A:DF:E5:B3`: priority and address.
            let (_, bridge) = text(row, "designated-bridge-id")?.split_once('.')?;
            let bridge: MacAddr = bridge.parse().ok()?;
            (!bridge.is_zero() && !own.contains(&bridge)).then(|| NeighborFact {
                device: device.to_owned(),
                port: text(row, "interface").map(str::to_owned),
                protocol: NeighborProtocol::Stp,
                chassis_mac: Some(bridge),
                capabilities: vec![Capability::Bridge],
                ..NeighborFact::default()
            })
        })
        .collect()
}

/// `interface` can be a list from the port up, `ether3,bridge`.
fn local_port(row: Row<'_>, kinds: &BTreeMap<String, PortKind>) -> Option<String> {
    let is = |name: &&str, wanted: fn(PortKind) -> bool| kinds.get(*name).copied().is_some_and(wanted);
    let physical = list(row, "interface").find(|name| is(name, |kind| kind == PortKind::Physical));
    let below_bridge = || {
        list(row, "interface")
            .find(|name| !is(name, |kind| matches!(kind, PortKind::Bridge | PortKind::Vlan)))
    };
    physical.or_else(below_bridge).or_else(|| list(row, "interface").next()).map(str::to_owned)
}

fn is_mikrotik(row: Row<'_>) -> bool {
    text(row, "platform") == Some("MikroTik")
        || text(row, "system-description").is_some_and(|text| text.starts_with("MikroTik"))
        || list(row, "discovered-by").any(|protocol| protocol == "mndp")
}

/// A MikroTik peer names a port with the bridge it is in, `bridge_lan/ether2`; others have slashes inside one name.
fn physical_part(name: &str) -> &str {
    match name.rsplit_once('/') {
        Some((_, port)) if !port.is_empty() => port,
        _ => name,
    }
}

/// `discovered-by`; version 6 has no such column, so it is told from what only one protocol carries.
fn protocols(row: Row<'_>, mikrotik: bool) -> BTreeSet<NeighborProtocol> {
    let listed: BTreeSet<NeighborProtocol> = list(row, "discovered-by")
        .filter_map(|name| match name {
            "lldp" => Some(NeighborProtocol::Lldp),
            "cdp" => Some(NeighborProtocol::Cdp),
            "mndp" => Some(NeighborProtocol::Mndp),
            _ => None,
        })
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    let guess = if mikrotik {
        NeighborProtocol::Mndp
    } else if text(row, "system-caps").is_some() {
        NeighborProtocol::Lldp
    } else {
        NeighborProtocol::Cdp
    };
    BTreeSet::from([guess])
}

fn description(row: Row<'_>) -> Option<String> {
    let parts: Vec<&str> =
        ["platform", "board", "version"].into_iter().filter_map(|column| text(row, column)).collect();
    owned(row, "system-description").or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
}

/// What is enabled, or where only that is said, what it is able to do.
fn capabilities(row: Row<'_>) -> Vec<Capability> {
    let column =
        if text(row, "system-caps-enabled").is_some() { "system-caps-enabled" } else { "system-caps" };
    let found: BTreeSet<&str> = list(row, column).collect();
    let mut out: Vec<Capability> = Vec::new();
    for name in found {
        let capability = match name {
            "bridge" | "switch" | "trans-bridge" | "source-route-bridge" => Capability::Bridge,
            "router" => Capability::Router,
            "wlan-ap" | "wlan-access-point" | "wlan" => Capability::WlanAccessPoint,
            "telephone" | "phone" => Capability::Telephone,
            "station" | "station-only" | "host" => Capability::Station,
            _ => Capability::Other,
        };
        if !out.contains(&capability) {
            out.push(capability);
        }
    }
    out
}
