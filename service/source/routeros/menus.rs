//! The menus that are read, and what each is read for. Knows no transport.

use crate::model::FactKind;

/// A menu: its path, the columns that are asked for, and the facts that are missing without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Menu {
    pub(super) path: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) kind: FactKind,
    /// `column=value`: only such rows are wanted, so that the device does not send the others.
    pub(super) only: Option<&'static str>,
}

const fn menu(kind: FactKind, path: &'static str, columns: &'static [&'static str]) -> Menu {
    Menu { path, columns, kind, only: None }
}

pub(super) const RESOURCE: Menu =
    menu(FactKind::Device, "system/resource", &["board-name", "version", "platform"]);
pub(super) const IDENTITY: Menu = menu(FactKind::Device, "system/identity", &["name"]);
pub(super) const ROUTERBOARD: Menu =
    menu(FactKind::Device, "system/routerboard", &["serial-number", "model", "board-name"]);
pub(super) const INTERFACE: Menu = menu(
    FactKind::Interfaces,
    "interface",
    &["name", "type", "mac-address", "running", "disabled", "comment"],
);
pub(super) const BRIDGE: Menu =
    menu(FactKind::Interfaces, "interface/bridge", &["name", "mac-address", "admin-mac", "vlan-filtering"]);
pub(super) const BRIDGE_PORT: Menu = menu(
    FactKind::Interfaces,
    "interface/bridge/port",
    &["interface", "bridge", "pvid", "disabled", "inactive", "role", "designated-bridge-id"],
);
pub(super) const BRIDGE_VLAN: Menu = menu(
    FactKind::Interfaces,
    "interface/bridge/vlan",
    &["bridge", "vlan-ids", "untagged", "current-untagged", "disabled"],
);
pub(super) const BONDING: Menu =
    menu(FactKind::Interfaces, "interface/bonding", &["name", "slaves", "mac-address", "disabled"]);
pub(super) const LIST_MEMBER: Menu =
    menu(FactKind::Networks, "interface/list/member", &["list", "interface", "disabled"]);
/// Default routes alone: a router may have a million others.
pub(super) const ROUTE: Menu = Menu {
    only: Some("dst-address=0.0.0.0/0"),
    ..menu(FactKind::Networks, "ip/route", &["dst-address", "gateway", "active", "disabled"])
};
pub(super) const ADDRESS: Menu = menu(
    FactKind::Networks,
    "ip/address",
    &["address", "interface", "actual-interface", "disabled", "invalid"],
);
pub(super) const ADDRESS6: Menu = menu(
    FactKind::Networks,
    "ipv6/address",
    &["address", "interface", "actual-interface", "disabled", "invalid"],
);
pub(super) const LEASE: Menu = menu(
    FactKind::Leases,
    "ip/dhcp-server/lease",
    &[
        "address",
        "mac-address",
        "client-id",
        "active-address",
        "active-mac-address",
        "active-client-id",
        "active-server",
        "server",
        "host-name",
        "comment",
        "class-id",
        "status",
        "last-seen",
        "expires-after",
        "dynamic",
        "disabled",
        "blocked",
    ],
);
pub(super) const ARP: Menu = menu(
    FactKind::Neighbors,
    "ip/arp",
    &["address", "mac-address", "interface", "complete", "disabled", "invalid", "status"],
);
pub(super) const NEIGHBOR6: Menu =
    menu(FactKind::Neighbors, "ipv6/neighbor", &["address", "mac-address", "interface", "status"]);
pub(super) const BRIDGE_HOST: Menu = menu(
    FactKind::Fdb,
    "interface/bridge/host",
    &["mac-address", "vid", "bridge", "interface", "on-interface", "local", "disabled", "invalid", "age"],
);
pub(super) const SWITCH_HOST: Menu = menu(
    FactKind::Fdb,
    "interface/ethernet/switch/host",
    &["mac-address", "ports", "port", "vlan-id", "invalid", "disabled", "drop"],
);
pub(super) const NEIGHBOR: Menu = menu(
    FactKind::Lldp,
    "ip/neighbor",
    &[
        "interface",
        "interface-name",
        "mac-address",
        "address",
        "address4",
        "address6",
        "identity",
        "platform",
        "board",
        "version",
        "system-description",
        "system-caps",
        "system-caps-enabled",
        "discovered-by",
    ],
);

/// What the device and its ports are. Read first: the rest is understood with it.
pub(super) const BASE: [Menu; 10] = [
    RESOURCE,
    IDENTITY,
    ROUTERBOARD,
    INTERFACE,
    BRIDGE,
    BRIDGE_PORT,
    BRIDGE_VLAN,
    BONDING,
    LIST_MEMBER,
    ROUTE,
];

/// What is seen on it. The forwarding table first, because it takes longest.
pub(super) const SEEN: [Menu; 8] =
    [BRIDGE_HOST, SWITCH_HOST, NEIGHBOR, LEASE, ARP, NEIGHBOR6, ADDRESS, ADDRESS6];
