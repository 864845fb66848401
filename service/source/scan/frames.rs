//! What goes over the wire: ARP frames and ICMP echo. Pure and total: every byte from outside is checked.

use std::net::Ipv4Addr;

use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet::packet::icmp::echo_reply::EchoReplyPacket;
use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet::packet::icmp::{IcmpPacket, IcmpTypes};
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::{MutablePacket as _, Packet as _};
use pnet::util::MacAddr as Octets;

use crate::model::MacAddr;

/// Bytes of an Ethernet header and an ARP packet for IPv4.
const ARP_FRAME: usize = 14 + 28;

/// Identifier and sequence number follow the ICMP header; then our mark and the address asked.
const ECHO: usize = 8 + 8 + 4;

/// Who asks. A sender without an address in the network asks with `0.0.0.0`, which is a probe (RFC 5227 section 2.1.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    /// Our link-layer address.
    pub(super) mac: MacAddr,
    /// Our address in the network.
    pub(super) address: Ipv4Addr,
}

/// The frame that asks who has an address (RFC 826); `None` never happens, as the buffer has the right size.
pub(super) fn arp_request(asker: Asker, target: Ipv4Addr) -> Option<[u8; ARP_FRAME]> {
    let mut frame = [0; ARP_FRAME];
    let source = Octets::from(asker.mac.octets());
    let mut ethernet = MutableEthernetPacket::new(&mut frame)?;
    ethernet.set_destination(Octets::broadcast());
    ethernet.set_source(source);
    ethernet.set_ethertype(EtherTypes::Arp);
    let mut arp = MutableArpPacket::new(ethernet.payload_mut())?;
    arp.set_hardware_type(ArpHardwareTypes::Ethernet);
    arp.set_protocol_type(EtherTypes::Ipv4);
    arp.set_hw_addr_len(6);
    arp.set_proto_addr_len(4);
    arp.set_operation(ArpOperations::Request);
    arp.set_sender_hw_addr(source);
    arp.set_sender_proto_addr(asker.address);
    arp.set_target_proto_addr(target);
    Some(frame)
}

/// Who says that an address is its own: the sender of any ARP packet, reply or request. Addresses that no host can have
/// are nobody's.
pub(super) fn arp_sender(frame: &[u8]) -> Option<(Ipv4Addr, MacAddr)> {
    let ethernet = EthernetPacket::new(frame).filter(|frame| frame.get_ethertype() == EtherTypes::Arp)?;
    let arp = ArpPacket::new(ethernet.payload())?;
    let is_ours = arp.get_hardware_type() == ArpHardwareTypes::Ethernet
        && arp.get_protocol_type() == EtherTypes::Ipv4
        && arp.get_hw_addr_len() == 6
        && arp.get_proto_addr_len() == 4
        && matches!(arp.get_operation(), ArpOperations::Reply | ArpOperations::Request);
    let mac = MacAddr::new(arp.get_sender_hw_addr().octets());
    let address = arp.get_sender_proto_addr();
    let can_be = !address.is_unspecified() && !mac.is_multicast() && !mac.is_zero();
    (is_ours && can_be).then_some((address, mac))
}

/// An ICMP echo request (RFC 792) that carries the address it is sent to, so that the answer tells whom it is from.
pub(super) fn echo_request(mark: [u8; 8], target: Ipv4Addr) -> Option<[u8; ECHO]> {
    let mut bytes = [0; ECHO];
    let mut request = MutableEchoRequestPacket::new(&mut bytes)?;
    request.set_icmp_type(IcmpTypes::EchoRequest);
    // The kernel sets its own identifier on an unprivileged socket; on a raw one this tells us from other programs.
    request.set_identifier(u16::from_be_bytes([mark[0], mark[1]]));
    let payload = request.payload_mut();
    payload.get_mut(..8)?.copy_from_slice(&mark);
    payload.get_mut(8..12)?.copy_from_slice(&target.octets());
    let checksum = pnet::packet::icmp::checksum(&IcmpPacket::new(&bytes)?);
    MutableEchoRequestPacket::new(&mut bytes)?.set_checksum(checksum);
    Some(bytes)
}

/// Whom an echo reply with our mark is from. A raw socket gives the IPv4 header too, an unprivileged one does not.
pub(super) fn echo_replier(packet: &[u8], mark: [u8; 8]) -> Option<Ipv4Addr> {
    let icmp = match packet.first()? >> 4 {
        4 => packet.get(usize::from(Ipv4Packet::new(packet)?.get_header_length()) * 4..)?,
        _ => packet,
    };
    let reply = EchoReplyPacket::new(icmp).filter(|reply| reply.get_icmp_type() == IcmpTypes::EchoReply)?;
    let payload = reply.payload();
    (payload.get(..8)? == mark).then_some(())?;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(payload.get(8..12)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 1, 2, 3]);

    #[test]
    fn a_request_is_what_rfc_826_says() {
        let asker = Asker { mac: MAC, address: Ipv4Addr::new(192, 0, 2, 1) };
        let frame = arp_request(asker, Ipv4Addr::new(192, 0, 2, 9)).unwrap();
        assert_eq!(
            hex::encode(frame),
            "ffffffffffff525400010203080600010800060400015254000102 03c0000201000000000000c0000209"
                .replace(' ', "")
        );
        assert_eq!(arp_sender(&frame), Some((Ipv4Addr::new(192, 0, 2, 1), MAC)));
    }

    #[test]
    fn a_probe_names_no_address() {
        let asker = Asker { mac: MAC, address: Ipv4Addr::UNSPECIFIED };
        let frame = arp_request(asker, Ipv4Addr::new(192, 0, 2, 9)).unwrap();
        assert_eq!(arp_sender(&frame), None);
    }

    #[test]
    fn padding_is_ignored_and_other_things_are_not_answers() {
        let asker = Asker { mac: MAC, address: Ipv4Addr::new(192, 0, 2, 1) };
        let frame = arp_request(asker, Ipv4Addr::new(192, 0, 2, 9)).unwrap();
        let mut padded = frame.to_vec();
        padded.resize(60, 0);
        assert!(arp_sender(&padded).is_some());
        for (at, value) in [(12, 0x86), (14, 0xff), (16, 0x86), (18, 8), (19, 16), (21, 9), (22, 1)] {
            let mut broken = frame;
            broken[at] = value;
            assert_eq!(arp_sender(&broken), None, "byte {at}");
        }
    }

    #[test]
    fn an_echo_comes_back_with_or_without_its_ip_header() {
        let target = Ipv4Addr::new(198, 51, 100, 7);
        let mut reply = echo_request(*b"surveyor", target).unwrap();
        assert_eq!(echo_replier(&reply, *b"surveyor"), None, "our own request");
        reply[0] = 0;
        assert_eq!(echo_replier(&reply, *b"surveyor"), Some(target));
        assert_eq!(echo_replier(&reply, *b"somebody"), None);
        let mut with_header = vec![0x45; 1];
        with_header.resize(20, 0);
        with_header.extend(reply);
        assert_eq!(echo_replier(&with_header, *b"surveyor"), Some(target));
    }

    proptest! {
        #[test]
        fn parsing_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _frame = arp_sender(&bytes);
            let _echo = echo_replier(&bytes, *b"surveyor");
        }

        #[test]
        fn senders_round_trip(mac: [u8; 6], address: [u8; 4], target: [u8; 4]) {
            let asker = Asker { mac: MacAddr::new(mac), address: address.into() };
            let sender = arp_sender(&arp_request(asker, target.into()).unwrap());
            let can_be = !asker.mac.is_multicast() && !asker.mac.is_zero() && !asker.address.is_unspecified();
            prop_assert_eq!(sender, can_be.then_some((asker.address, asker.mac)));
        }
    }
}
