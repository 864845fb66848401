//! One guest: its network cards and what its configuration says about addresses. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::{GuestRow, is_true, is_usable, properties, text};
use crate::model::MacAddr;
use crate::model::observation::{GuestFact, GuestKind, GuestNic};

/// Values of `model` in `net[n]` of a QEMU guest (API schema): each is also a key whose value is the MAC address.
pub(super) const MODELS: [&str; 14] = [
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "virtio",
    "vmxnet3",
];

/// A guest as listed, with what its configuration adds; without one (its node is down, or it may not be read) it has no
/// network cards.
pub(in super::super) fn guest_fact(cluster: &str, row: &GuestRow, config: Option<&Value>) -> GuestFact {
    let none = Value::Null;
    let config = config.unwrap_or(&none);
    let configured = match row.kind {
        GuestKind::Qemu => text(config, "name"),
        GuestKind::Lxc => text(config, "hostname"),
    };
    GuestFact {
        cluster: cluster.to_owned(),
        id: row.id,
        uuid: text(config, "smbios1").and_then(|smbios| uuid(&smbios)),
        kind: row.kind,
        name: configured.or_else(|| row.name.clone()),
        node: row.node.clone(),
        running: row.running,
        vcpus: row.vcpus,
        memory_mib: row.memory_mib,
        disk_mib: row.disk_mib,
        tags: row.tags.clone(),
        nics: nics(row.kind, config),
    }
}

/// Whether a QEMU guest is set up to have an agent: `agent: 1` or `agent: enabled=1,type=virtio`.
pub(in super::super) fn agent_enabled(config: &Value) -> bool {
    text(config, "agent").is_some_and(|agent| {
        properties(&agent).any(|(key, value)| matches!(key, "" | "enabled") && is_true(value))
    })
}

/// `smbios1: uuid=..,manufacturer=..`.
fn uuid(smbios: &str) -> Option<String> {
    properties(smbios)
        .find(|(key, value)| *key == "uuid" && !value.is_empty())
        .map(|(_, value)| value.to_ascii_lowercase())
}

/// `net0` to `net31`, in the order of their numbers.
fn nics(kind: GuestKind, config: &Value) -> Vec<GuestNic> {
    let cards: BTreeMap<u32, &str> = config
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.strip_prefix("net")?.parse().ok()?, value.as_str()?)))
        .collect();
    cards
        .into_iter()
        .map(|(number, card)| {
            let mut nic = nic(&format!("net{number}"), card, kind);
            if kind == GuestKind::Qemu {
                let cloud_init = text(config, &format!("ipconfig{number}")).unwrap_or_default();
                nic.addresses = static_addresses(&cloud_init);
            }
            nic
        })
        .collect()
}

/// One `net[n]` property string, of either kind of guest.
pub(super) fn nic(name: &str, card: &str, kind: GuestKind) -> GuestNic {
    let mut nic = GuestNic { name: name.to_owned(), ..GuestNic::default() };
    for (key, value) in properties(card) {
        match key {
            "macaddr" | "hwaddr" => nic.mac = host_mac(value),
            "bridge" => nic.bridge = Some(value.to_owned()).filter(|bridge| !bridge.is_empty()),
            "tag" => nic.vlan = value.parse().ok().filter(|vid| (1..=4094).contains(vid)),
            "name" if kind == GuestKind::Lxc && !value.is_empty() => value.clone_into(&mut nic.name),
            _ if MODELS.contains(&key) => nic.mac = host_mac(value).or(nic.mac),
            // A model that this list does not know yet still has its address behind it.
            _ if !matches!(key, "" | "gw" | "gw6" | "ip" | "ip6" | "type" | "trunks") => {
                nic.mac = nic.mac.or_else(|| host_mac(value));
            }
            _ => {}
        }
    }
    if kind == GuestKind::Lxc {
        nic.addresses = static_addresses(card);
    }
    nic
}

/// Only notations with separators: a number such as a rate must not read as an address.
fn host_mac(value: &str) -> Option<MacAddr> {
    value.parse().ok().filter(|mac: &MacAddr| value.contains([':', '-']) && mac.is_host())
}

/// `ip=192.0.2.5/24` and `ip6=2001:db8::5/64`; `dhcp`, `auto` and `manual` are no addresses.
fn static_addresses(text: &str) -> Vec<IpNet> {
    properties(text)
        .filter(|(key, _)| matches!(*key, "ip" | "ip6"))
        .filter_map(|(_, value)| network(value))
        .filter(|net| is_usable(net.addr()))
        .collect()
}

/// An address with its mask length; without one it stands alone.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
