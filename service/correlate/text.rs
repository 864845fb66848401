//! Reading names, serial numbers and port ids as devices write them. Knows no device.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::inventory::Device;
use crate::model::MacAddr;
use crate::model::observation::{DeviceRole, InterfaceFact, PortKind};

/// Names that devices have before anyone names them: two devices called so are not one.
pub(crate) const FACTORY_NAMES: &[&str] = &[
    "mikrotik",
    "switch",
    "router",
    "localhost",
    "ubnt",
    "openwrt",
    "ap",
    "bridge",
    "host",
    "default",
    "unknown",
    "none",
    "name",
    "device",
    "hp",
    "cisco",
    "netgear",
    "arubaos",
    "ruckus",
    "sonic",
    "debian",
    "ubuntu",
];

/// The forms by which a system name is compared, best first: in full, then up to the first dot. None for a name that
/// vendors ship.
pub(super) fn name_forms(name: &str) -> Vec<String> {
    // NX-OS appends the serial number to its CDP device id: `core(FOX1234567)`.
    let name = name.trim().split('(').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let short = name.split('.').next().unwrap_or_default().to_owned();
    if short.is_empty() || FACTORY_NAMES.contains(&short.as_str()) {
        return Vec::new();
    }
    // The dotted quad of an unnamed device has no short form.
    if short == name || short.bytes().all(|b| b.is_ascii_digit()) {
        return vec![name];
    }
    vec![name, short]
}

/// A serial number that can tell machines apart; vendors' placeholders cannot.
pub(crate) fn serial(text: Option<&str>) -> Option<&str> {
    const PLACEHOLDERS: &[&str] = &[
        "to be filled by o.e.m.",
        "default string",
        "not specified",
        "system serial number",
        "none",
        "unknown",
        "n/a",
    ];
    let serial = text?.trim();
    let first = serial.chars().next()?;
    let telling = serial.len() >= 5
        && serial.chars().any(|c| c != first)
        && !"0123456789".starts_with(serial)
        && !PLACEHOLDERS.contains(&serial.to_ascii_lowercase().as_str());
    telling.then_some(serial)
}

/// A MAC address in a CDP device id: bare, or in the name that Cisco telephones and adapters give themselves.
pub(super) fn mac_in_device_id(text: &str) -> Option<MacAddr> {
    let text = text.trim();
    let bare = ["SEP", "ATA", "SIP"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    bare.parse().ok().filter(|mac: &MacAddr| mac.is_host())
}

/// The interface of `device` that a neighbour's port id means, if exactly one fits: name, port MAC, alias, description, index,
/// network address, abbreviated forms, RouterOS's `bridge/bond/ether2`. Of a logical unit (`ge-0/0/1.0`) the socket it is on.
pub(super) fn resolve_port<'d>(
    device: &'d Device<'_>,
    ids: &[&str],
    mac: Option<MacAddr>,
) -> Option<&'d str> {
    resolve_interface(device, ids, mac).map(|name| socket_of(device, name))
}

/// The socket that an interface is a logical unit of: LLDP speaks for the cable, whatever unit its agent names.
fn socket_of<'d>(device: &'d Device<'_>, name: &'d str) -> &'d str {
    let is_port = |name: &str| {
        let kind = device.interfaces.get(name).map(|fact| fact.kind);
        matches!(kind, Some(PortKind::Physical | PortKind::Lag | PortKind::Wireless))
    };
    match name.rsplit_once('.') {
        Some((socket, unit))
            if !is_port(name) && is_port(socket) && unit.bytes().all(|b| b.is_ascii_digit()) =>
        {
            socket
        }
        _ => name,
    }
}

fn resolve_interface<'d>(device: &'d Device<'_>, ids: &[&str], mac: Option<MacAddr>) -> Option<&'d str> {
    let names: Vec<&'d str> = device.interfaces.keys().copied().collect();
    for id in ids.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
        if let Some(name) = only(names.iter().copied().filter(|name| *name == id)) {
            return Some(name);
        }
        if let Some(name) = only(names.iter().copied().filter(|name| name.eq_ignore_ascii_case(id))) {
            return Some(name);
        }
    }
    if let Some(mac) = mac
        && let Some(name) = interface_of(device, mac)
    {
        return Some(name);
    }
    for id in ids.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
        let described =
            [|fact: &InterfaceFact| fact.description.clone(), |fact: &InterfaceFact| fact.alias.clone()];
        for text in described {
            // SR OS describes a port as `3/2/c5/1, 100-Gig Ethernet`.
            let first = |text: &str| text.split(", ").next() == Some(id);
            let fits = device.interfaces.iter().filter(|(_, fact)| text(fact).as_deref().is_some_and(first));
            if let Some(name) = only(fits.map(|(name, _)| *name)) {
                return Some(name);
            }
        }
        for split in [id.split_once('/'), id.rsplit_once('/')] {
            if let Some((_, rest)) = split
                && let Some((name, _)) = device.interfaces.get_key_value(rest)
            {
                return Some(name);
            }
        }
        let is_short = |(name, fact): &(&&str, &InterfaceFact)| {
            abbreviates(name, id) || fact.description.as_deref().is_some_and(|text| abbreviates(text, id))
        };
        if let Some((name, _)) = only(device.interfaces.iter().filter(is_short)) {
            return Some(name);
        }
        if let Ok(mac) = id.parse()
            && let Some(name) = interface_of(device, mac)
        {
            return Some(name);
        }
        if let Ok(address) = id.parse::<IpAddr>() {
            let fits = device.interfaces.iter().filter(|(_, fact)| fact.addresses.contains(&address));
            if let Some(name) = only(fits.map(|(name, _)| *name)) {
                return Some(name);
            }
        }
        if let Ok(index) = id.parse::<u32>() {
            let by_index: BTreeMap<_, _> =
                device.interfaces.iter().filter(|(_, fact)| fact.if_index == Some(index)).collect();
            if let Some((name, _)) = only(by_index.into_iter()) {
                return Some(name);
            }
        }
    }
    None
}

/// The interface with this address: bridges and VLANs often borrow the address of a socket, so the socket is meant.
pub(super) fn interface_of<'d>(device: &'d Device<'_>, mac: MacAddr) -> Option<&'d str> {
    let with_mac = || device.interfaces.iter().filter(move |(_, fact)| fact.mac == Some(mac));
    only(with_mac().filter(|(_, fact)| fact.kind == PortKind::Physical))
        .or_else(|| {
            only(with_mac().filter(|(_, fact)| !matches!(fact.kind, PortKind::Bridge | PortKind::Vlan)))
        })
        .map(|(name, _)| *name)
}

/// The socket that sends with this address. A bridge lends the address of one of its sockets and sends out of all of them, so of
/// switches, and of bridges of several sockets, none can be told.
pub(super) fn sending_socket<'d>(device: &'d Device<'_>, mac: MacAddr) -> Option<&'d str> {
    if matches!(device.role, Some(DeviceRole::Switch | DeviceRole::AccessPoint)) {
        return None;
    }
    let name = interface_of(device, mac)?;
    let fact = device.interfaces.get(name).filter(|fact| fact.kind == PortKind::Physical)?;
    let sockets = |is_in: &dyn Fn(&InterfaceFact) -> bool| {
        device.interfaces.values().filter(|fact| fact.kind == PortKind::Physical && is_in(fact)).count()
    };
    let lent =
        || device.interfaces.values().any(|other| other.kind == PortKind::Bridge && other.mac == Some(mac));
    let several = match &fact.bridge {
        Some(bridge) => sockets(&|other| other.bridge.as_ref() == Some(bridge)) > 1,
        None => lent() && sockets(&|other| other.bridge.is_none()) > 1,
    };
    (!several).then_some(name)
}

/// Whether one of two port names is the other's abbreviation: `Gi0/1` or `GE0/1` and `GigabitEthernet0/1`.
pub(super) fn abbreviates(a: &str, b: &str) -> bool {
    let split = |text: &str| text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let ((a_word, a_rest), (b_word, b_rest)) = (a.split_at(split(a)), b.split_at(split(b)));
    let initials = |word: &str| word.chars().filter(char::is_ascii_uppercase).collect::<String>();
    let is_acronym = |short: &str, long: &str| {
        short.len() >= 2 && short.len() < long.len() && short.eq_ignore_ascii_case(&initials(long))
    };
    let (a_lower, b_lower) = (a_word.trim().to_ascii_lowercase(), b_word.trim().to_ascii_lowercase());
    let shorter = a_lower.len().min(b_lower.len());
    !a_rest.is_empty()
        && a_rest.trim_end() == b_rest.trim_end()
        && (shorter >= 2 && (a_lower.starts_with(&b_lower) || b_lower.starts_with(&a_lower))
            || is_acronym(a_word.trim(), b_word.trim())
            || is_acronym(b_word.trim(), a_word.trim()))
}

/// The single element of an iterator.
pub(super) fn only<T>(mut iterator: impl Iterator<Item = T>) -> Option<T> {
    let first = iterator.next()?;
    iterator.next().is_none().then_some(first)
}
