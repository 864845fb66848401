//! A 48-bit MAC address, parsed once from whatever notation a source uses.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A 48-bit MAC address (IEEE 802 EUI-48); printed as upper-case `52:54:00:12:34:56`, as NetBox does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct MacAddr([u8; 6]);

/// The text is not a 48-bit MAC address in any notation known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a 48-bit MAC address")]
pub struct InvalidMac(String);

impl MacAddr {
    /// The address with these six octets, first octet first on the wire.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six octets, first octet first on the wire.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// From a slice of exactly six octets.
    pub fn from_slice(octets: &[u8]) -> Option<Self> {
        <[u8; 6]>::try_from(octets).ok().map(Self)
    }

    /// Group addresses (IEEE 802, I/G bit), broadcast included: never a host.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Locally administered (U/L bit): randomised phone MACs, but most hypervisors' too.
    pub const fn is_locally_administered(self) -> bool {
        self.0[0] & 2 == 2
    }

    /// `00:00:00:00:00:00`, which devices report for "none".
    pub const fn is_zero(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// The vendor parts in which there are [virtual router](Self::is_virtual_router) addresses.
    pub const VIRTUAL_ROUTER_OUIS: [[u8; 3]; 4] =
        [[0x00, 0x00, 0x5e], [0x00, 0x00, 0x0c], [0x00, 0x05, 0x73], [0x00, 0x07, 0xb4]];

    /// Virtual router addresses: VRRP (RFC 9568 section 7.3), HSRP v1 and v2, GLBP. They move between routers and are never a host.
    pub const fn is_virtual_router(self) -> bool {
        matches!(
            self.0,
            [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _]
                | [0x00, 0x00, 0x0c, 0x07, 0xac, _]
                | [0x00, 0x00, 0x0c, 0x9f, 0xf0..=0xff, _]
                | [0x00, 0x05, 0x73, 0xa0..=0xaf, _, _]
                | [0x00, 0x07, 0xb4, 0x00..=0x03, _, _]
        )
    }

    /// Whether this can be the address of one host.
    pub const fn is_host(self) -> bool {
        !self.is_multicast() && !self.is_zero() && !self.is_virtual_router()
    }

    /// The vendor part (the first three octets).
    pub const fn oui(self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// The lower half of the IPv6 addresses that a machine makes from its address (RFC 4291, appendix A).
    pub const fn interface_identifier(self) -> u64 {
        let [o0, o1, o2, o3, o4, o5] = self.0;
        u64::from_be_bytes([o0 ^ 2, o1, o2, 0xff, 0xfe, o3, o4, o5])
    }

    /// The address from which such a lower half was made, if it was.
    pub const fn from_interface_identifier(identifier: u64) -> Option<Self> {
        match identifier.to_be_bytes() {
            [o0, o1, o2, 0xff, 0xfe, o3, o4, o5] => Some(Self([o0 ^ 2, o1, o2, o3, o4, o5])),
            _ => None,
        }
    }

    /// Twelve lower-case hexadecimal digits, for host names: `525400123456`.
    pub fn compact(self) -> String {
        hex::encode(self.0)
    }

    /// Colon form in lower case: `52:54:00:12:34:56`, used in identities.
    pub fn lower(self) -> String {
        text(&self.digits(b"0123456789abcdef")).to_owned()
    }

    /// Colon form: of all that is printed the most frequent by far, so without the machinery of formats.
    fn digits(self, digits: &[u8; 16]) -> [u8; 17] {
        let mut text = [b':'; 17];
        for (octet, place) in self.0.iter().zip(text.chunks_mut(3)) {
            if let [high, low, ..] = place {
                *high = digits[usize::from(octet >> 4)];
                *low = digits[usize::from(octet & 15)];
            }
        }
        text
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(&self.digits(b"0123456789ABCDEF")))
    }
}

/// Digits and colons are text.
fn text(digits: &[u8; 17]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = InvalidMac;

    /// Accepts colon, dash, Cisco dot, space and bare notation; octets of one digit only where separated by colons or
    /// spaces (`0:1e:67:3:4:5`, as net-snmp prints them).
    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let invalid = || InvalidMac(text.chars().take(40).collect());
        let trimmed = text.trim();
        let trimmed = trimmed.strip_prefix("0x").unwrap_or(trimmed);
        let separator = trimmed.chars().find(|c| matches!(c, ':' | '-' | '.' | ' '));
        let digits: String = match separator {
            None => trimmed.to_owned(),
            Some(separator @ (':' | ' ' | '-')) => {
                let parts: Vec<&str> = trimmed.split(separator).collect();
                match parts.len() {
                    6 if parts.iter().all(|p| (1..=2).contains(&p.len())) => {
                        parts.iter().flat_map(|p| [if p.len() == 1 { "0" } else { "" }, p]).collect()
                    }
                    // HP prints `001122-334455`, Huawei `0011-2233-4455`.
                    2 if parts.iter().all(|p| p.len() == 6) => parts.concat(),
                    3 if parts.iter().all(|p| p.len() == 4) => parts.concat(),
                    _ => return Err(invalid()),
                }
            }
            Some(_) => {
                let parts: Vec<&str> = trimmed.split('.').collect();
                if parts.len() != 3 || parts.iter().any(|p| p.len() != 4) {
                    return Err(invalid());
                }
                parts.concat()
            }
        };
        if digits.len() != 12 {
            return Err(invalid());
        }
        let mut octets = [0_u8; 6];
        hex::decode_to_slice(&digits, &mut octets).map_err(|_| invalid())?;
        Ok(Self(octets))
    }
}

impl TryFrom<String> for MacAddr {
    type Error = InvalidMac;

    fn try_from(text: String) -> Result<Self, InvalidMac> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_notation_is_one_address() {
        for text in [
            "52:54:00:12:34:56",
            "52-54-00-12-34-56",
            "5254.0012.3456",
            "525400123456",
            "525400-123456",
            "5254-0012-3456",
            "52:54:0:12:34:56",
            "52 54 00 12 34 56",
            "0x525400123456",
            " 52:54:00:12:34:56 ",
        ] {
            assert_eq!(text.parse(), Ok(MacAddr::new([0x52, 0x54, 0, 0x12, 0x34, 0x56])), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "52:54:00:12:34",
            "52:54:00:12:34:56:78",
            "5g:54:00:12:34:56",
            "5254.0012.34567",
            "é2:54:00:12:34:56",
        ] {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn virtual_routers_are_no_hosts() {
        for text in [
            "00:00:5e:00:01:0a",
            "00:00:0c:07:ac:01",
            "00:00:0c:9f:f0:01",
            "01:00:5e:00:00:01",
            "00:00:00:00:00:00",
        ] {
            assert!(!text.parse::<MacAddr>().unwrap().is_host(), "{text}");
        }
    }

    #[test]
    fn interface_identifiers_are_those_of_rfc_4291() {
        let mac = MacAddr::new([0x52, 0x54, 0, 1, 2, 3]);
        assert_eq!(mac.interface_identifier(), 0x5054_00ff_fe01_0203);
        assert_eq!(MacAddr::from_interface_identifier(1), None);
    }

    proptest! {
        #[test]
        fn text_round_trips(octets: [u8; 6]) {
            let mac = MacAddr::new(octets);
            prop_assert_eq!(MacAddr::from_interface_identifier(mac.interface_identifier()), Some(mac));
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            prop_assert_eq!(mac.compact().parse(), Ok(mac));
        }

        #[test]
        fn parsing_is_total(text in ".{0,40}") {
            let _result: Result<MacAddr, _> = text.parse();
        }
    }
}
