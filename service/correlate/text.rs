//! Reading names, serial numbers and port ids as devices write them. Knows no device.

use std::net::IpAddr;

use super::inventory::Device;
use crate::model::MacAddr;
use crate::model::observation::{DeviceRole, InterfaceFact, NeighborFact, PortKind};

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

/// What a neighbour says of the port it speaks from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PortSigns<'s> {
    /// The port id, of whatever subtype.
    pub id: Option<&'s str>,
    /// The port description.
    pub description: Option<&'s str>,
    /// The port's address, where that is the id.
    pub mac: Option<MacAddr>,
}

impl<'s> PortSigns<'s> {
    /// Those of an announcement.
    pub(super) fn of(fact: &'s NeighborFact) -> Self {
        let text = |text: &'s Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        Self { id: text(&fact.port_id), description: text(&fact.port_description), mac: fact.port_mac }
    }

    /// A port that is only called something.
    pub(super) fn called(id: &'s str) -> Self {
        Self { id: Some(id.trim()).filter(|id| !id.is_empty()), ..Self::default() }
    }
}

/// The interface of `device` that a neighbour means, by the sign that can be mistaken least: the name as port id, the port's
/// address, the name as description; then descriptions, aliases, network addresses, abbreviated forms, RouterOS's
/// `bridge/bond/ether2`. A number is an ifIndex only where nothing else says more: agents also number ports as they like. Of a
/// logical unit (`ge-0/0/1.0`) the socket it is on.
pub(super) fn resolve_port<'d>(device: &'d Device<'_>, signs: PortSigns<'_>) -> Option<&'d str> {
    resolve_interface(device, signs).map(|name| socket_of(device, name))
}

/// The socket that an interface is a logical unit of: LLDP speaks for the cable, whatever unit its agent names.
pub(super) fn socket_of<'n>(device: &Device<'_>, name: &'n str) -> &'n str {
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

fn resolve_interface<'d>(device: &'d Device<'_>, signs: PortSigns<'_>) -> Option<&'d str> {
    let address = signs.mac.or_else(|| signs.id?.parse().ok());
    let description = signs.description.filter(|text| !names_two(device, text));
    signs
        .id
        .and_then(|id| with_name(device, id))
        .or_else(|| address.and_then(|mac| interface_of(device, mac)))
        .or_else(|| description.and_then(|text| with_name(device, text)))
        .or_else(|| [signs.id, description].into_iter().flatten().find_map(|text| alike(device, text)))
        .or_else(|| signs.id.and_then(|id| with_index(device, id, description)))
}

/// Whether an administrator's text on one port is the name of another: then it tells neither.
fn names_two(device: &Device<'_>, text: &str) -> bool {
    let is_called = |name: &str| {
        device.interfaces.values().any(|fact| fact.name != name && fact.alias.as_deref() == Some(text))
    };
    with_name(device, text).is_some_and(is_called)
}

/// The interface with this name.
fn with_name<'d>(device: &'d Device<'_>, wanted: &str) -> Option<&'d str> {
    let names = || device.interfaces.keys().copied();
    only(names().filter(|name| *name == wanted))
        .or_else(|| only(names().filter(|name| name.eq_ignore_ascii_case(wanted))))
}

/// The interface that is described so, has that network address, or whose name this abbreviates.
fn alike<'d>(device: &'d Device<'_>, wanted: &str) -> Option<&'d str> {
    for text in [|fact: &InterfaceFact| fact.description.clone(), |fact: &InterfaceFact| fact.alias.clone()] {
        // SR OS describes a port as `3/2/c5/1, 100-Gig Ethernet`.
        let first = |text: &str| text.split(", ").next() == Some(wanted);
        let fits = device.interfaces.iter().filter(|(_, fact)| text(fact).as_deref().is_some_and(first));
        if let Some(name) = only(fits.map(|(name, _)| *name)) {
            return Some(name);
        }
    }
    for split in [wanted.split_once('/'), wanted.rsplit_once('/')] {
        if let Some((_, rest)) = split
            && let Some((name, _)) = device.interfaces.get_key_value(rest)
        {
            return Some(name);
        }
    }
    let is_short = |(name, fact): &(&&str, &InterfaceFact)| {
        abbreviates(name, wanted) || fact.description.as_deref().is_some_and(|text| abbreviates(text, wanted))
    };
    if let Some((name, _)) = only(device.interfaces.iter().filter(is_short)) {
        return Some(name);
    }
    if let Ok(mac) = wanted.parse()
        && let Some(name) = interface_of(device, mac)
    {
        return Some(name);
    }
    let address = wanted.parse::<IpAddr>().ok()?;
    let fits = device.interfaces.iter().filter(|(_, fact)| fact.addresses.contains(&address));
    only(fits.map(|(name, _)| *name))
}

/// The interface with this ifIndex, unless the description is the name of another port of that kind.
fn with_index<'d>(device: &'d Device<'_>, id: &str, description: Option<&str>) -> Option<&'d str> {
    let index = id.parse::<u32>().ok()?;
    let fits = device.interfaces.iter().filter(|(_, fact)| fact.if_index == Some(index));
    let (name, fact) = only(fits)?;
    let is_other = |text: &str| {
        let known = [Some(*name), fact.description.as_deref()];
        known.into_iter().flatten().any(|known| is_sibling(known, text))
    };
    (!description.is_some_and(is_other)).then_some(*name)
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
    let ((a_word, a_rest), (b_word, b_rest)) = (split_name(a), split_name(b));
    !a_rest.is_empty() && a_rest.trim_end() == b_rest.trim_end() && is_same_word(a_word, b_word)
}

/// Whether two port names differ in the number only: `Gi0/1` and `GigabitEthernet0/2`.
fn is_sibling(a: &str, b: &str) -> bool {
    let ((a_word, a_rest), (b_word, b_rest)) = (split_name(a), split_name(b));
    let is_number = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || b"/:.".contains(&byte))
    };
    let (a_rest, b_rest) = (a_rest.trim_end(), b_rest.trim_end());
    is_number(a_rest) && is_number(b_rest) && a_rest != b_rest && is_same_word(a_word, b_word)
}

/// The words before the number of a port's name, and the rest.
fn split_name(name: &str) -> (&str, &str) {
    name.split_at(name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len()))
}

/// Whether one of two words for a kind of port is short for the other.
fn is_same_word(a_word: &str, b_word: &str) -> bool {
    let initials = |word: &str| word.chars().filter(char::is_ascii_uppercase).collect::<String>();
    let is_acronym = |short: &str, long: &str| {
        short.len() >= 2 && short.len() < long.len() && short.eq_ignore_ascii_case(&initials(long))
    };
    let (a_lower, b_lower) = (a_word.trim().to_ascii_lowercase(), b_word.trim().to_ascii_lowercase());
    let shorter = a_lower.len().min(b_lower.len());
    shorter >= 2 && (a_lower.starts_with(&b_lower) || b_lower.starts_with(&a_lower))
        || is_acronym(a_word.trim(), b_word.trim())
        || is_acronym(b_word.trim(), a_word.trim())
}

/// The single element of an iterator.
pub(super) fn only<T>(mut iterator: impl Iterator<Item = T>) -> Option<T> {
    let first = iterator.next()?;
    iterator.next().is_none().then_some(first)
}
