//! Octet strings of agents as text, addresses and flags: agents send MACs as text, text with NULs, numbers as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::MacAddr;
use crate::source::snmp::walk::Value;

/// The text, decoded lossily, without NULs and blanks around it; `None` if nothing is left.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    text_of(value?.bytes()?)
}

/// See [`text`].
pub(crate) fn text_of(bytes: &[u8]) -> Option<String> {
    let decoded = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // Not UTF-8: Latin-1, which is what the consoles of older devices send.
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let trimmed = decoded.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// A MAC address: six octets, or text in any notation. All-zero means none.
pub(crate) fn mac(bytes: &[u8]) -> Option<MacAddr> {
    let found = MacAddr::from_slice(bytes)
        .or_else(|| std::str::from_utf8(bytes).ok()?.trim_matches(['\0', ' ']).parse().ok())?;
    (!found.is_zero()).then_some(found)
}

/// A MAC address among octets that were not declared to be one: text with colons or hyphens between its parts, or six
/// octets of which some cannot be text.
pub(crate) fn undeclared_mac(bytes: &[u8]) -> Option<MacAddr> {
    let is_text = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    let is_separated = bytes.iter().any(|byte| matches!(byte, b':' | b'-'));
    match bytes.len() {
        6 if is_text => None,
        6 => mac(bytes),
        _ => mac(bytes).filter(|_| is_separated),
    }
}

/// A network address by its length: 4 octets are IPv4, 16 are IPv6. Addresses that name nobody are left out.
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    let found = match octets.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)),
        _ => return None,
    };
    names_somebody(found).then_some(found)
}

/// Whether an address can be somebody's: not unspecified, loopback, multicast or broadcast.
pub(crate) fn names_somebody(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0);
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || broadcast)
}

/// Index components as octets; `None` if one is above 255.
pub(crate) fn octets(components: &[u32]) -> Option<Vec<u8>> {
    components.iter().map(|component| u8::try_from(*component).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_nuls_and_blanks() {
        assert_eq!(text_of(b" ether1\0\0").as_deref(), Some("ether1"));
        assert_eq!(text_of(b"B\xfcro").as_deref(), Some("Büro"));
        assert_eq!(text_of("Büro".as_bytes()).as_deref(), Some("Büro"));
        assert_eq!(text_of(b"\0 \0"), None);
    }

    #[test]
    fn macs_come_as_octets_and_as_text() {
        let expected = MacAddr::new([0x64, 0xd1, 0x54, 0xf2, 0xa4, 0x16]);
        assert_eq!(mac(&[0x64, 0xd1, 0x54, 0xf2, 0xa4, 0x16]), Some(expected));
        assert_eq!(mac(b"64:D1:54:F2:A4:16"), Some(expected));
        assert_eq!(mac(b"64d1.54f2.a416\0"), Some(expected));
        assert_eq!(mac(&[0; 6]), None);
        assert_eq!(mac(b"1/25\0"), None);
    }

    #[test]
    fn six_letters_are_a_name() {
        assert_eq!(undeclared_mac(b"port10"), None);
        assert!(undeclared_mac(&[0, 0x1f, 0xf2, 7, 0x99, 0x4f]).is_some());
        assert!(undeclared_mac(b"00:1f:f2:07:99:4f").is_some());
        assert_eq!(undeclared_mac(b"deadbeef0001"), None, "may be a name");
    }

    #[test]
    fn nobodys_addresses_are_left_out() {
        assert_eq!(address(&[0, 0, 0, 0]), None);
        assert_eq!(address(&[127, 0, 0, 1]), None);
        assert_eq!(address(&[224, 0, 0, 1]), None);
        assert_eq!(address(&[192, 0, 2, 1]), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(address(&[1, 2, 3]), None);
    }
}
