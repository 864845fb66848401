//! Reading names, serial numbers and port ids as devices write them. Knows no device.

use std::collections::BTreeMap;

use super::inventory::Device;
use crate::model::MacAddr;
use crate::model::observation::PortKind;

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

/// The interface of `device` that a neighbour's port id means, if exactly one fits: name, port MAC, alias, index, abbreviated
/// Cisco forms, RouterOS's `bridge/ether2`.
pub(super) fn resolve_port<'d>(
    device: &'d Device<'_>,
    ids: &[&str],
    mac: Option<MacAddr>,
) -> Option<&'d str> {
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
        let by_alias = device.interfaces.values().filter(|fact| fact.alias.as_deref() == Some(id));
        if let Some(name) = only(by_alias.map(|fact| fact.name.as_str()))
            && let Some((name, _)) = device.interfaces.get_key_value(name)
        {
            return Some(name);
        }
        if let Some((_, rest)) = id.split_once('/')
            && let Some((name, _)) = device.interfaces.get_key_value(rest)
        {
            return Some(name);
        }
        if let Some(name) = only(names.iter().copied().filter(|name| abbreviates(name, id))) {
            return Some(name);
        }
        if let Ok(mac) = id.parse()
            && let Some(name) = interface_of(device, mac)
        {
            return Some(name);
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

/// Whether one of two port names is the other's abbreviation: `Gi0/1` and `GigabitEthernet0/1`.
pub(super) fn abbreviates(a: &str, b: &str) -> bool {
    let split = |text: &str| text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let ((a_word, a_rest), (b_word, b_rest)) = (a.split_at(split(a)), b.split_at(split(b)));
    let (a_word, b_word) = (a_word.trim().to_ascii_lowercase(), b_word.trim().to_ascii_lowercase());
    let shorter = a_word.len().min(b_word.len());
    !a_rest.is_empty()
        && a_rest == b_rest
        && shorter >= 2
        && (a_word.starts_with(&b_word) || b_word.starts_with(&a_word))
}

/// The single element of an iterator.
pub(super) fn only<T>(mut iterator: impl Iterator<Item = T>) -> Option<T> {
    let first = iterator.next()?;
    iterator.next().is_none().then_some(first)
}
