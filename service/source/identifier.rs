//! What the identifiers of DHCP clients say about the card that asked. Pure.
//!
//! A lease is worth something here only with the address of the card it is of. For IPv4 every server writes it down. For
//! IPv6 there is often only the client's DUID, which names *a* card of the machine: the one it had when the DUID was made, the
//! same for all its cards, and after cloning the same for several machines. So a DUID alone never names a card here.

use std::fmt::Write as _;

use crate::model::MacAddr;

/// DUID types that hold a link-layer address (RFC 8415 sections 11.2 and 11.4), and how long they are with a 48-bit one.
const DUID_LLT: (u16, usize) = (1, 14);
/// See [`DUID_LLT`].
const DUID_LL: (u16, usize) = (3, 10);

/// Hardware types (IANA, arp-parameters) whose addresses are 48 bits long and of the same space: Ethernet and IEEE 802.
const HARDWARE: [u16; 2] = [1, 6];

/// The octets of `01:52:54:0:12:34:56` (or with hyphens); nothing if it is anything else.
pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    let separator = if text.contains(':') { ':' } else { '-' };
    text.split(separator)
        .map(|part| {
            let is_octet = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_hexdigit());
            is_octet.then(|| u8::from_str_radix(part, 16).ok()).flatten()
        })
        .collect()
}

/// The same, the other way: `01:52:54:00:12:34:56`.
pub(super) fn text(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 3);
    for octet in octets {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a string cannot fail.
        _ = write!(text, "{colon}{octet:02x}");
    }
    text
}

/// The card that an IPv4 client identifier of a hardware type names (RFC 2132 section 9.14).
pub(super) fn card_of_client_id(client_id: &[u8]) -> Option<MacAddr> {
    let (kind, address) = client_id.split_first()?;
    HARDWARE
        .contains(&u16::from(*kind))
        .then(|| MacAddr::from_slice(address))
        .flatten()
        .filter(|mac| is_card(*mac))
}

/// The card that an IPv6 lease is of, where the client's identifiers prove it: the DUID holds an address, and the IAID is its
/// last four octets, as ISC dhclient and dhcpcd make it for each card. The IAID is of the card that asked, so a DUID that was made
/// with another card, or on another machine, does not agree with it.
pub(super) fn card_of_lease(duid: &[u8], iaid: u32) -> Option<MacAddr> {
    let mac = address_in_duid(duid)?;
    let [_, _, end @ ..] = mac.octets();
    (u32::from_be_bytes(end) == iaid).then_some(mac)
}

fn address_in_duid(duid: &[u8]) -> Option<MacAddr> {
    let number = |at: usize| Some(u16::from_be_bytes([*duid.get(at)?, *duid.get(at + 1)?]));
    let kind = (number(0)?, duid.len());
    if !(kind == DUID_LLT || kind == DUID_LL) || !HARDWARE.contains(&number(2)?) {
        return None;
    }
    MacAddr::from_slice(duid.get(duid.len() - 6..)?).filter(|mac| is_card(*mac))
}

fn is_card(mac: MacAddr) -> bool {
    !mac.is_zero() && !mac.is_multicast()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lease(duid: &str, iaid: u32) -> Option<String> {
        card_of_lease(&octets(duid).unwrap(), iaid).map(|mac| mac.to_string())
    }

    #[test]
    fn a_duid_names_a_card_only_where_the_iaid_agrees() {
        // Leases that ISC dhclient 4.4.3 got from Kea and from dnsmasq.
        let kea = "00:01:00:01:32:94:51:cb:5e:6e:e8:2a:58:04";
        assert_eq!(lease(kea, 3_895_089_156).as_deref(), Some("5E:6E:E8:2A:58:04"));
        let dnsmasq = "00:01:00:01:32:94:51:d0:ea:f7:82:1c:fc:91";
        assert_eq!(lease(dnsmasq, 2_182_937_745).as_deref(), Some("EA:F7:82:1C:FC:91"));
        assert_eq!(
            lease("00:03:00:01:ea:f7:82:1c:fc:91", 2_182_937_745).as_deref(),
            Some("EA:F7:82:1C:FC:91")
        );

        assert_eq!(lease(kea, 1), None, "another card of the machine");
        assert_eq!(
            lease("00:02:00:00:ab:11:5e:6e:e8:2a:58:04", 3_895_089_156),
            None,
            "an enterprise's number"
        );
        assert_eq!(lease("00:03:00:20:5e:6e:e8:2a:58:04", 3_895_089_156), None, "InfiniBand");
        assert_eq!(lease("00:01:00:01:32:94:51:cb:5e:6e:e8:2a:58", 3_895_089_156), None, "cut");
        assert_eq!(lease("00:03:00:01:00:00:00:00:00:00", 0), None, "nobody's address");
    }

    #[test]
    fn a_client_id_names_a_card_only_by_its_type() {
        let card = |text: &str| card_of_client_id(&octets(text).unwrap()).map(|mac| mac.to_string());
        assert_eq!(card("01:52:54:00:12:34:56").as_deref(), Some("52:54:00:12:34:56"));
        assert_eq!(card("1:f0:2f:74:db:39:94").as_deref(), Some("F0:2F:74:DB:39:94"));
        assert_eq!(card("00:52:54:00:12:34:56"), None, "a name of the client's own");
        assert_eq!(card("ff:52:54:00:12:34:56"), None, "RFC 4361");
        assert_eq!(card("01:52:54:00:12:34"), None);
    }

    proptest! {
        #[test]
        fn octets_round_trip(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
            prop_assert_eq!(octets(&text(&bytes)), Some(bytes));
        }

        #[test]
        fn nothing_panics(given in ".{0,40}|[0-9a-f:-]{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..40), iaid: u32) {
            _ = octets(&given);
            _ = card_of_client_id(&bytes);
            _ = card_of_lease(&bytes, iaid);
        }
    }
}
