//! `ICMPv6` on an Ethernet link: neighbour solicitations and advertisements (RFC 4861), echo (RFC 4443). Pure and total: every byte
//! from outside is checked.

use std::net::Ipv6Addr;

use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv6::Ipv6Packet;

use crate::model::MacAddr;

/// All nodes of a link (RFC 4291 section 2.7.1).
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Message types (RFC 4443 section 4, RFC 4861 section 4).
const ECHO_REQUEST: u8 = 128;
pub(super) const ECHO_REPLY: u8 = 129;
const SOLICITATION: u8 = 135;
pub(super) const ADVERTISEMENT: u8 = 136;

/// No router forwards a packet without lowering this: who has it is on the link (RFC 4861 section 3.1).
const ON_LINK: u8 = 255;

/// Options that carry a link-layer address (RFC 4861 section 4.6.1).
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

/// Bytes of the headers below `ICMPv6`.
const ETHERNET: usize = 14;
const IPV6: usize = 40;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Somebody has this address.
    Has(Ipv6Addr, MacAddr),
    /// Somebody answered an echo of ours; the frame came from this link address.
    Echo(Ipv6Addr, MacAddr),
}

/// The frame that asks who has an address, from an address of ours that is in use. Never from `::`, which would read as the
/// beginning of a claim to the address (RFC 4862 section 5.4).
pub(super) fn solicitation(mac: MacAddr, own: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from(b) << 8 | u16::from(c));
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    message.extend([SOURCE_LINK_ADDRESS, 1]);
    message.extend(mac.octets());
    frame(mac, own, group, ON_LINK, message)
}

/// The frame that pings everybody on the link, from an address of ours: who answers does so with an address of the same kind.
pub(super) fn echo_to_all(mac: MacAddr, own: Ipv6Addr, mark: [u8; 8]) -> Vec<u8> {
    // It is for this link alone.
    frame(mac, own, ALL_NODES, 1, echo(mark, ALL_NODES))
}

/// An echo request that carries the address it is sent to. Its checksum is for the kernel to fill in.
pub(super) fn echo(mark: [u8; 8], target: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![ECHO_REQUEST, 0, 0, 0, mark[0], mark[1], 0, 1];
    message.extend(mark);
    message.extend(target.octets());
    message
}

/// Whom an echo reply is from, if it answers a request with our mark: what was asked, and the message is whole.
pub(super) fn echo_reply(message: &[u8], mark: [u8; 8]) -> Option<Ipv6Addr> {
    let is_reply = message.first() == Some(&ECHO_REPLY) && message.get(1) == Some(&0);
    let payload = message.get(8..).filter(|payload| is_reply && payload.get(..8) == Some(&mark))?;
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(payload.get(8..24)?).ok()?))
}

fn frame(mac: MacAddr, own: Ipv6Addr, group: Ipv6Addr, hops: u8, mut message: Vec<u8>) -> Vec<u8> {
    let sum = checksum(own, group, &message).to_be_bytes();
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&sum);
    }
    let [.., a, b, c, d] = group.octets();
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut bytes = vec![0x33, 0x33, a, b, c, d];
    bytes.extend(mac.octets());
    bytes.extend(EtherTypes::Ipv6.0.to_be_bytes());
    bytes.extend([0x60, 0, 0, 0, length[0], length[1], IpNextHeaderProtocols::Icmpv6.0, hops]);
    bytes.extend(own.octets());
    bytes.extend(group.octets());
    bytes.extend(message);
    bytes
}

/// RFC 4443 section 2.3, with the pseudo-header of RFC 8200 section 8.1; the field itself counts as zero.
fn checksum(source: Ipv6Addr, target: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut sum: u32 = u32::from(IpNextHeaderProtocols::Icmpv6.0) + (length >> 16) + (length & 0xffff);
    for word in source.segments().into_iter().chain(target.segments()) {
        sum += u32::from(word);
    }
    for (index, pair) in message.chunks(2).enumerate() {
        if index != 1 {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// What a frame says, if it is valid: a neighbour advertisement as RFC 4861 section 7.1.2 wants it (from this link, whole, about
/// an address that one machine can have), or an echo reply with our mark from an address of this link's kind.
pub(super) fn said(frame: &[u8], mark: [u8; 8]) -> Option<Said> {
    let ethernet = EthernetPacket::new(frame).filter(|frame| frame.get_ethertype() == EtherTypes::Ipv6)?;
    let packet = Ipv6Packet::new(frame.get(ETHERNET..)?)?;
    let length = usize::from(packet.get_payload_length());
    let message = frame.get(ETHERNET + IPV6..ETHERNET + IPV6 + length)?;
    let (source, target) = (packet.get_source(), packet.get_destination());
    let carried = u16::from_be_bytes(<[u8; 2]>::try_from(message.get(2..4)?).ok()?);
    let is_whole = packet.get_version() == 6
        && packet.get_next_header() == IpNextHeaderProtocols::Icmpv6
        && message.get(1) == Some(&0)
        && checksum(source, target, message) == carried;
    if !is_whole || !is_one(source) {
        return None;
    }
    let sender = MacAddr::new(ethernet.get_source().octets());
    match *message.first()? {
        ADVERTISEMENT if packet.get_hop_limit() == ON_LINK => {
            let is_solicited = message.get(4)? & 0x40 != 0;
            let about = Ipv6Addr::from(<[u8; 16]>::try_from(message.get(8..24)?).ok()?);
            let mac = link_address(message.get(24..)?, sender)?;
            let is_valid = is_one(about) && is_card(mac) && !(is_solicited && target.is_multicast());
            is_valid.then_some(Said::Has(about, mac))
        }
        ECHO_REPLY => {
            let asked = echo_reply(message, mark)?;
            (asked == ALL_NODES && is_card(sender)).then_some(Said::Echo(source, sender))
        }
        _ => None,
    }
}

/// The target's link-layer address among the options, else the sender's; `None` where they are malformed.
fn link_address(mut options: &[u8], sender: MacAddr) -> Option<MacAddr> {
    let mut found = None;
    while let [kind, units, ..] = *options {
        let length = usize::from(units) * 8;
        if length == 0 {
            return None;
        }
        let option = options.get(..length)?;
        if kind == TARGET_LINK_ADDRESS && found.is_none() {
            found = Some(MacAddr::from_slice(option.get(2..8)?)?);
        }
        options = options.get(length..)?;
    }
    options.is_empty().then(|| found.unwrap_or(sender))
}

/// Whether one machine can have it.
const fn is_one(address: Ipv6Addr) -> bool {
    !address.is_multicast() && !address.is_unspecified() && !address.is_loopback()
}

const fn is_card(mac: MacAddr) -> bool {
    !mac.is_multicast() && !mac.is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 1, 2, 3]);
    const OTHER: MacAddr = MacAddr::new([0x52, 0x54, 0, 9, 9, 9]);
    const MARK: [u8; 8] = *b"surveyor";

    fn ip(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    /// An advertisement as a Linux host sends it.
    fn advertisement(about: Ipv6Addr, mac: MacAddr, hops: u8) -> Vec<u8> {
        let mut message = vec![ADVERTISEMENT, 0, 0, 0, 0x60, 0, 0, 0];
        message.extend(about.octets());
        message.extend([TARGET_LINK_ADDRESS, 1]);
        message.extend(mac.octets());
        let own = ip("fe80::1");
        let mut bytes = frame(OTHER, about, own, hops, message);
        bytes.splice(..6, MAC.octets());
        bytes
    }

    #[test]
    fn a_solicitation_is_what_rfc_4861_says() {
        let bytes = solicitation(MAC, ip("fe80::5054:ff:fe01:203"), ip("2001:db8::12:3456"));
        let expected = "3333ff123456 525400010203 86dd 60000000 0020 3a ff \
            fe80000000000000505400fffe010203 ff0200000000000000000001ff123456 \
            8700 3ee4 00000000 20010db8000000000000000000123456 0101525400010203";
        assert_eq!(hex::encode(&bytes), expected.replace(' ', ""));
        assert_eq!(said(&bytes, MARK), None, "a question is no answer");
    }

    #[test]
    fn an_advertisement_from_the_link_is_believed() {
        let about = ip("2001:db8::9");
        assert_eq!(said(&advertisement(about, OTHER, 255), MARK), Some(Said::Has(about, OTHER)));
        let mut padded = advertisement(about, OTHER, 255);
        padded.extend([0; 20]);
        assert!(said(&padded, MARK).is_some(), "Ethernet pads short frames");
    }

    #[test]
    fn forged_and_broken_advertisements_are_not() {
        let about = ip("2001:db8::9");
        assert_eq!(said(&advertisement(about, OTHER, 254), MARK), None, "it came through a router");
        assert_eq!(said(&advertisement(ip("ff02::9"), OTHER, 255), MARK), None);
        assert_eq!(said(&advertisement(about, MacAddr::new([1, 0, 0, 0, 0, 1]), 255), MARK), None);
        let whole = advertisement(about, OTHER, 255);
        for at in [12, 14, 20, 55, 56, 70, 79] {
            let mut broken = whole.clone();
            broken[at] ^= 0x10;
            assert_eq!(said(&broken, MARK), None, "byte {at}");
        }
        for length in 0..whole.len() {
            assert_eq!(said(&whole[..length], MARK), None, "{length} bytes");
        }
    }

    #[test]
    fn an_option_of_no_length_is_malformed() {
        let mut message = vec![ADVERTISEMENT, 0, 0, 0, 0x60, 0, 0, 0];
        message.extend(ip("2001:db8::9").octets());
        message.extend([TARGET_LINK_ADDRESS, 0, 0, 0, 0, 0, 0, 0]);
        let mut bytes = frame(OTHER, ip("2001:db8::9"), ip("fe80::1"), 255, message.clone());
        assert_eq!(said(&bytes, MARK), None);
        // Without options the frame's own sender has it.
        message.truncate(24);
        bytes = frame(OTHER, ip("2001:db8::9"), ip("fe80::1"), 255, message);
        assert_eq!(said(&bytes, MARK), Some(Said::Has(ip("2001:db8::9"), OTHER)));
    }

    #[test]
    fn everybody_answers_with_an_address_of_its_own() {
        let asked = echo_to_all(MAC, ip("fe80::1"), MARK);
        assert_eq!(&asked[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(said(&asked, MARK), None, "our own request");
        let mut message = echo(MARK, ALL_NODES);
        message[0] = ECHO_REPLY;
        let answer = frame(OTHER, ip("fe80::9"), ip("fe80::1"), 64, message.clone());
        assert_eq!(said(&answer, MARK), Some(Said::Echo(ip("fe80::9"), OTHER)));
        assert_eq!(said(&answer, *b"somebody"), None);
        assert_eq!(echo_reply(&message, MARK), Some(ALL_NODES));
    }

    proptest! {
        #[test]
        fn parsing_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0..90_usize, value: u8) {
            _ = said(&bytes, MARK);
            _ = echo_reply(&bytes, MARK);
            let mut nearly = advertisement(ip("2001:db8::9"), OTHER, 255);
            if let Some(byte) = nearly.get_mut(at) {
                *byte = value;
            }
            _ = said(&nearly, MARK);
        }

        #[test]
        fn what_is_advertised_comes_back(about: u128, mac: [u8; 6]) {
            let (about, mac) = (Ipv6Addr::from(about), MacAddr::new(mac));
            let can_be = is_one(about) && is_card(mac);
            prop_assert_eq!(said(&advertisement(about, mac, 255), MARK), can_be.then_some(Said::Has(about, mac)));
        }
    }
}
