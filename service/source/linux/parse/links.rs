//! `ip -j -d link show` and `bridge -j vlan show`: the box's interfaces, what they are and what they hang together with. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Row, flagged, has, mac, number, object, text, vlan};
use crate::model::MacAddr;
use crate::model::observation::{DeviceRole, InterfaceFact, PortKind};

/// A VLAN on a VLAN on a bond is three; more is a mistake in the data.
const DEEPEST: usize = 8;

/// One interface.
#[derive(Debug, Clone, Default)]
struct Link {
    name: String,
    kind: PortKind,
    /// `linkinfo.info_kind`: `bridge`, `veth`, `dsa`; empty for the driver of a card.
    driver: String,
    mac: Option<MacAddr>,
    permanent_mac: Option<MacAddr>,
    master: Option<String>,
    /// Whether the kernel calls it a member of a bridge, a bond or something else: `linkinfo.info_slave_kind`.
    member_of: Option<String>,
    /// What it is on top of, where that is on this box.
    lower: Option<String>,
    vlan: Option<u16>,
    filters_vlans: bool,
    is_tap: bool,
    enabled: bool,
    up: Option<bool>,
    alias: Option<String>,
    index: Option<u32>,
}

/// The VLAN of untagged frames, by interface.
pub(in super::super) type Pvids = HashMap<String, u16>;

/// All interfaces of a box.
#[derive(Debug, Default)]
pub(in super::super) struct Links {
    links: BTreeMap<String, Link>,
}

/// `ls -d /sys/class/net/*/phy80211`: the names of radios.
pub(in super::super) fn radios(listed: &[u8]) -> BTreeSet<String> {
    let listed = String::from_utf8_lossy(listed);
    let name = |line: &str| {
        let name = line.trim().strip_suffix("/phy80211")?.rsplit('/').next()?;
        (!name.is_empty() && name != "*").then(|| name.to_owned())
    };
    listed.lines().filter_map(name).collect()
}

/// `bridge -j vlan show`. Before version 5 one object with a member for each interface.
pub(in super::super) fn pvids(rows: &[Row]) -> Pvids {
    let mut found = Pvids::new();
    let mut note = |name: &str, vlans: Option<&Value>| {
        let untagged = vlans.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        if let Some(pvid) = untagged.filter(|row| has(row, "flags", "PVID")).find_map(|row| vlan(row, "vlan"))
        {
            found.insert(name.to_owned(), pvid);
        }
    };
    for row in rows {
        match text(row, "ifname") {
            Some(name) => note(name, row.get("vlans")),
            None => row.iter().for_each(|(name, vlans)| note(name, Some(vlans))),
        }
    }
    found
}

impl Links {
    /// Reads the interfaces.
    pub(in super::super) fn new(rows: &[Row], radios: &BTreeSet<String>) -> Self {
        let mut links: BTreeMap<String, Link> = BTreeMap::new();
        for row in rows {
            if let Some(mut link) = read(row) {
                if radios.contains(&link.name) && link.kind == PortKind::Physical {
                    link.kind = PortKind::Wireless;
                }
                links.insert(link.name.clone(), link);
            }
        }
        // The card between a switch chip (DSA) and the processor has no socket.
        let conduits: Vec<String> = links
            .values()
            .filter(|link| link.driver == "dsa")
            .filter_map(|link| link.lower.clone())
            .collect();
        for name in conduits {
            if let Some(link) = links.get_mut(&name).filter(|link| link.kind == PortKind::Physical) {
                link.kind = PortKind::Virtual;
            }
        }
        Self { links }
    }

    /// Number of interfaces.
    pub(in super::super) fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there is a bridge of the kernel, so that there is a table to be read.
    pub(in super::super) fn has_bridge(&self) -> bool {
        self.links.values().any(|link| link.kind == PortKind::Bridge)
    }

    /// Whether a bridge tells VLANs apart.
    pub(in super::super) fn has_filtering(&self) -> bool {
        self.links.values().any(|link| link.filters_vlans)
    }

    /// Ports of Open vSwitch, whose table is not the kernel's bridge's.
    pub(in super::super) fn open_vswitch(&self) -> usize {
        self.links.values().filter(|link| link.member_of.as_deref() == Some("openvswitch")).count()
    }

    /// The link-layer addresses of the box itself, those of cards in a bond included.
    pub(in super::super) fn own_macs(&self) -> BTreeSet<MacAddr> {
        self.links.values().flat_map(|link| [link.mac, link.permanent_mac]).flatten().collect()
    }

    /// The interfaces as facts about this device. The loopback is none.
    pub(in super::super) fn facts(&self, device: &str, pvids: &Pvids) -> Vec<InterfaceFact> {
        let facts = self.links.values().filter(|link| link.driver != "loopback").map(|link| {
            let master = link.master.as_ref().and_then(|master| self.links.get(master));
            let is_in = |kind: PortKind, words: [&str; 2]| {
                master.is_some_and(|master| master.kind == kind)
                    || link.member_of.as_deref().is_some_and(|member| words.contains(&member))
            };
            let bridge = link.master.clone().filter(|_| is_in(PortKind::Bridge, ["bridge", "openvswitch"]));
            let filters = master.is_some_and(|master| master.filters_vlans);
            InterfaceFact {
                device: device.to_owned(),
                name: link.name.clone(),
                if_index: link.index,
                kind: link.kind,
                mac: link.mac,
                alias: link.alias.clone(),
                description: None,
                voice_vlan: None,
                addresses: Vec::new(),
                speed_mbps: None,
                enabled: Some(link.enabled),
                up: link.up,
                lag: link.master.clone().filter(|_| is_in(PortKind::Lag, ["bond", "team"])),
                pvid: pvids.get(&link.name).copied().filter(|_| bridge.is_some() && filters),
                bridge,
            }
        });
        facts.collect()
    }

    /// Where a row of a port really is: a VLAN interface in a bridge is its card, in that VLAN. None for a cable between two
    /// bridges of the box, and for a bridge on top of another: the other bridge's table has it on a port.
    pub(in super::super) fn port<'l>(&'l self, name: &'l str) -> Option<(&'l str, Option<u16>)> {
        let (mut name, mut vlan) = (name, None);
        for _ in 0..DEEPEST {
            let Some(link) = self.links.get(name) else { return Some((name, vlan)) };
            match (link.kind, link.driver.as_str(), link.lower.as_deref()) {
                (PortKind::Bridge, _, _) => return None,
                (PortKind::Vlan, _, Some(lower)) => {
                    vlan = vlan.or(link.vlan);
                    name = lower;
                }
                (_, "veth", Some(peer)) => {
                    let is_bridged = self.links.get(peer).is_some_and(|peer| self.is_bridged(peer));
                    return (!is_bridged).then_some((name, vlan));
                }
                _ => return Some((name, vlan)),
            }
        }
        None
    }

    /// Whether it is a port of a switch chip, whose own table the kernel shows as the port's.
    pub(in super::super) fn is_switch_chip(&self, name: &str) -> bool {
        self.links.get(name).is_some_and(|link| link.driver == "dsa")
    }

    /// Whether an interface is enabled; one that is not known is.
    pub(in super::super) fn is_enabled(&self, name: &str) -> bool {
        self.links.get(name).is_none_or(|link| link.enabled)
    }

    /// What the box is first of all. `forwards`: between networks. `networked`: interfaces with an address that others can
    /// reach. A box that forwards between wires routes; what merely forwards for its own containers or guests does not.
    pub(in super::super) fn role(&self, forwards: bool, networked: &BTreeSet<&str>) -> DeviceRole {
        let wires =
            networked.iter().filter(|name| self.links.get(**name).is_some_and(|link| self.has_wire(link)));
        if forwards && wires.count() >= 2 {
            return DeviceRole::Router;
        }
        if self.links.values().any(|link| link.is_tap && self.is_bridged(link)) {
            return DeviceRole::Hypervisor;
        }
        let bridged = || self.links.values().filter(|link| self.is_bridged(link) && self.is_wire(link));
        if bridged().any(|link| link.kind == PortKind::Wireless) {
            return DeviceRole::AccessPoint;
        }
        if bridged().count() >= 2 { DeviceRole::Switch } else { DeviceRole::Other }
    }

    fn is_bridged(&self, link: &Link) -> bool {
        let master = link.master.as_ref().and_then(|master| self.links.get(master));
        master.is_some_and(|master| master.kind == PortKind::Bridge)
    }

    /// Whether it leads out of the box. Where there is no socket at all (a container that switches), its virtual cables do.
    fn is_wire(&self, link: &Link) -> bool {
        match link.kind {
            PortKind::Physical | PortKind::Lag | PortKind::Wireless => true,
            PortKind::Virtual => {
                link.driver == "veth" && !self.links.values().any(|link| link.kind == PortKind::Physical)
            }
            PortKind::Tunnel => link.driver == "ppp",
            PortKind::Vlan | PortKind::Bridge => false,
        }
    }

    /// Whether frames of it leave the box: itself, its card, or a port of it.
    fn has_wire(&self, link: &Link) -> bool {
        let below = |name: &str| {
            let found = self.port(name).and_then(|(name, _)| self.links.get(name));
            found.is_some_and(|link| self.is_wire(link))
        };
        match link.kind {
            PortKind::Bridge => {
                let ports =
                    self.links.values().filter(|port| port.master.as_deref() == Some(link.name.as_str()));
                ports.into_iter().any(|port| below(&port.name))
            }
            PortKind::Vlan => match link.lower.as_ref().and_then(|lower| self.links.get(lower)) {
                Some(lower) if lower.kind == PortKind::Bridge => self.has_wire(lower),
                _ => below(&link.name),
            },
            _ => self.is_wire(link),
        }
    }
}

fn read(row: &Row) -> Option<Link> {
    let none = Row::new();
    let info = object(row, "linkinfo").unwrap_or(&none);
    let about = object(info, "info_data").unwrap_or(&none);
    let name = text(row, "ifname")?.to_owned();
    let link_type = text(row, "link_type").unwrap_or_default();
    let driver = match text(info, "info_kind") {
        Some(kind) => kind.to_owned(),
        None if link_type == "loopback" => "loopback".to_owned(),
        None if link_type == "ppp" => "ppp".to_owned(),
        None => String::new(),
    };
    let is_tap = driver == "tun" && text(about, "type") == Some("tap");
    let kind = kind(&driver, link_type, is_tap);
    // What is below is on this box only if it has a name; else it is in another namespace, with a number of its own.
    let lower = text(row, "link").map(str::to_owned).filter(|_| !row.contains_key("link_netnsid"));
    // A guest uses this address as its own.
    let is_guests = matches!(driver.as_str(), "macvtap" | "ipvtap");
    let is_up = |flag| has(row, "flags", flag);
    let up = match text(row, "operstate").unwrap_or_default().to_ascii_uppercase().as_str() {
        "UP" => Some(true),
        "DOWN" | "LOWERLAYERDOWN" | "NOTPRESENT" | "DORMANT" => Some(false),
        // Tunnels and taps do not keep a state.
        "UNKNOWN" if is_up("UP") => Some(is_up("LOWER_UP")),
        _ => None,
    };
    let altnames = row.get("altnames").and_then(Value::as_array);
    let altname = altnames.into_iter().flatten().find_map(Value::as_str);
    Some(Link {
        name,
        kind,
        mac: mac(row, "address").filter(|_| link_type == "ether" && !is_guests),
        permanent_mac: mac(row, "permaddr").filter(|_| !is_guests),
        master: text(row, "master").map(str::to_owned),
        member_of: text(info, "info_slave_kind").map(str::to_owned),
        lower,
        vlan: vlan(about, "id").filter(|_| kind == PortKind::Vlan),
        filters_vlans: kind == PortKind::Bridge
            && (number(about, "vlan_filtering") == Some(1)
                || flagged(about, "vlan_filtering") && number(about, "vlan_filtering").is_none()),
        is_tap,
        enabled: is_up("UP"),
        up,
        alias: text(row, "ifalias").or(altname).map(str::to_owned),
        index: number(row, "ifindex").and_then(|index| u32::try_from(index).ok()),
        driver,
    })
}

/// The kinds of `ip-link(8)`. An Ethernet interface without one is a card. What is unknown is virtual: it must not become the
/// end of a cable.
fn kind(driver: &str, link_type: &str, is_tap: bool) -> PortKind {
    match driver {
        "" if link_type == "ether" => PortKind::Physical,
        "dsa" => PortKind::Physical,
        "bridge" => PortKind::Bridge,
        "bond" | "team" => PortKind::Lag,
        "vlan" => PortKind::Vlan,
        "tun" if is_tap => PortKind::Virtual,
        "tun" | "ppp" | "wireguard" | "vxlan" | "geneve" | "gre" | "gretap" | "ip6gre" | "ip6gretap"
        | "erspan" | "ip6erspan" | "ipip" | "ip6tnl" | "sit" | "vti" | "vti6" | "xfrm" | "l2tp" | "gtp"
        | "bareudp" | "amt" | "ovpn" | "wwan" | "rmnet" => PortKind::Tunnel,
        "" if matches!(
            link_type,
            "none" | "ppp" | "tunnel" | "tunnel6" | "sit" | "ipgre" | "gre6" | "rawip"
        ) =>
        {
            PortKind::Tunnel
        }
        _ => PortKind::Virtual,
    }
}
