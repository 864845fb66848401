//! The sockets: ARP or neighbour discovery on one interface, or ICMP echo. All wait for an answer for a moment only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::time::Duration;

use pnet::datalink::{self, Channel, ChannelType, DataLinkReceiver, DataLinkSender};
use pnet::packet::ethernet::{EtherType, EtherTypes};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::frames::{arp_request, arp_sender, echo_replier, echo_request};
use super::icmp6::{self, Said};
use super::interfaces::Interface;
use super::targets::asker;
use crate::model::MacAddr;

/// How long to wait for an answer before looking whether there is something to send.
const MOMENT: Duration = Duration::from_millis(5);

/// Answers of a large network that wait to be read: the default (212 kB) holds some 300 frames only.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Larger than every frame that can be an answer.
const LARGEST: usize = 2048;

/// Instructions of the classic packet filter, linux/filter.h: load a byte, jump if equal, return.
const LOAD_BYTE: u16 = 0x30;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Where a frame of IPv6 has its next header (RFC 8200 section 3) and then the type of the `ICMPv6` message.
const NEXT_HEADER: u32 = 14 + 6;
const MESSAGE_TYPE: u32 = 14 + 40;

/// One way to ask.
pub(super) enum Wire {
    /// ARP on an interface.
    Arp { interface: Interface, sender: Box<dyn DataLinkSender>, receiver: Box<dyn DataLinkReceiver> },
    /// Neighbour discovery on an interface.
    Nd { mac: MacAddr, mark: [u8; 8], sender: Box<dyn DataLinkSender>, receiver: Box<dyn DataLinkReceiver> },
    /// ICMP echo, routed by the kernel.
    Echo { socket: UdpSocket, mark: [u8; 8] },
}

/// What is heard: an address that somebody has, and whose link address that is, where it is on the link.
pub(super) type Heard = (IpAddr, Option<MacAddr>);

impl Wire {
    /// ARP on this interface. The socket gets ARP frames only, so that a busy network costs nothing.
    pub(super) fn arp(interface: &Interface) -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        let (sender, receiver) = channel(interface, socket, EtherTypes::Arp)?;
        Ok(Self::Arp { interface: interface.clone(), sender, receiver })
    }

    /// Neighbour discovery on this interface. The socket gets what can be an answer only. No multicast group is joined: answers
    /// come to our own address.
    pub(super) fn nd(interface: &Interface, mark: [u8; 8]) -> io::Result<Self> {
        let mac = interface.mac.ok_or_else(|| io::Error::other("the interface has no link address"))?;
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.attach_filter(&[
            SockFilter::new(LOAD_BYTE, 0, 0, NEXT_HEADER),
            SockFilter::new(JUMP_EQUAL, 0, 4, 58),
            SockFilter::new(LOAD_BYTE, 0, 0, MESSAGE_TYPE),
            SockFilter::new(JUMP_EQUAL, 1, 0, u32::from(icmp6::ECHO_REPLY)),
            SockFilter::new(JUMP_EQUAL, 0, 1, u32::from(icmp6::ADVERTISEMENT)),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
            SockFilter::new(RETURN, 0, 0, 0),
        ])?;
        let (sender, receiver) = channel(interface, socket, EtherTypes::Ipv6)?;
        Ok(Self::Nd { mac, mark, sender, receiver })
    }

    /// ICMP echo: unprivileged where the kernel lets us (`net.ipv4.ping_group_range`), else raw.
    pub(super) fn echo(mark: [u8; 8], six: bool) -> io::Result<Self> {
        let (domain, protocol) =
            if six { (Domain::IPV6, Protocol::ICMPV6) } else { (Domain::IPV4, Protocol::ICMPV4) };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))
            .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_read_timeout(Some(MOMENT))?;
        Ok(Self::Echo { socket: UdpSocket::from(OwnedFd::from(socket)), mark })
    }

    /// Whether an address has said all there is to say only with its link address.
    pub(super) const fn wants_link_address(&self) -> bool {
        matches!(self, Self::Nd { .. })
    }

    /// Asks for one address, or everybody; `own` is our address to ask from.
    pub(super) fn ask(&mut self, target: IpAddr, own: IpAddr) -> io::Result<()> {
        let unbuilt = || io::Error::other("a request could not be built");
        match (self, target) {
            (Self::Arp { interface, sender, .. }, IpAddr::V4(target)) => {
                let own = if let IpAddr::V4(own) = own { own } else { Ipv4Addr::UNSPECIFIED };
                let asker = asker(interface, own).ok_or_else(unbuilt)?;
                let frame = arp_request(asker, target).ok_or_else(unbuilt)?;
                sender.send_to(&frame, None).unwrap_or_else(|| Err(unbuilt()))
            }
            (Self::Nd { mac, mark, sender, .. }, IpAddr::V6(target)) => {
                let IpAddr::V6(own) = own else { return Err(unbuilt()) };
                let frame = if target == icmp6::ALL_NODES {
                    icmp6::echo_to_all(*mac, own, *mark)
                } else {
                    icmp6::solicitation(*mac, own, target)
                };
                sender.send_to(&frame, None).unwrap_or_else(|| Err(unbuilt()))
            }
            (Self::Echo { socket, mark }, IpAddr::V4(address)) => {
                let packet = echo_request(*mark, address).ok_or_else(unbuilt)?;
                socket.send_to(&packet, SocketAddr::from((target, 0))).map(|_| ())
            }
            (Self::Echo { socket, mark }, IpAddr::V6(address)) => {
                let packet = icmp6::echo(*mark, address);
                socket.send_to(&packet, SocketAddr::from((target, 0))).map(|_| ())
            }
            _ => Err(unbuilt()),
        }
    }

    /// What comes within a moment, if it is an answer.
    pub(super) fn listen(&mut self) -> io::Result<Option<Heard>> {
        let heard = match self {
            Self::Arp { receiver, .. } => receiver.next().map(|frame| {
                let (address, mac) = arp_sender(frame)?;
                Some((IpAddr::V4(address), Some(mac)))
            }),
            Self::Nd { mark, receiver, .. } => receiver.next().map(|frame| {
                Some(match icmp6::said(frame, *mark)? {
                    Said::Has(address, mac) => (IpAddr::V6(address), Some(mac)),
                    // Link-local packets are never routed; others may have come by way of a router, with its link address.
                    Said::Echo(address, mac) => {
                        (IpAddr::V6(address), address.is_unicast_link_local().then_some(mac))
                    }
                })
            }),
            Self::Echo { socket, mark } => {
                let mut buffer = [0; LARGEST];
                socket.recv_from(&mut buffer).map(|(length, from)| {
                    let bytes = buffer.get(..length)?;
                    let replier = match from {
                        SocketAddr::V4(_) => IpAddr::V4(echo_replier(bytes, *mark)?),
                        SocketAddr::V6(_) => IpAddr::V6(icmp6::echo_reply(bytes, *mark)?),
                    };
                    // Who answers for another address is not that address.
                    (from.ip() == replier).then_some((replier, None))
                })
            }
        };
        match heard {
            Err(error) if is_passing(&error) => Ok(None),
            heard => heard,
        }
    }
}

type Ends = (Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>);

/// Whole frames of one kind on one interface.
fn channel(interface: &Interface, socket: Socket, kind: EtherType) -> io::Result<Ends> {
    // Where the limit is lower, the kernel takes what it allows.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let config = datalink::Config {
        read_timeout: Some(MOMENT),
        write_timeout: Some(MOMENT),
        // Only chooses what the socket is bound to; the type of the socket is ours, with whole frames.
        channel_type: ChannelType::Layer3(kind.0),
        promiscuous: false,
        // The channel owns it from now on.
        socket_fd: Some(socket.into_raw_fd()),
        ..datalink::Config::default()
    };
    match datalink::channel(&interface.for_channel(), config)? {
        Channel::Ethernet(sender, receiver) => Ok((sender, receiver)),
        _ => Err(io::Error::other("no Ethernet channel")),
    }
}

/// Whether the next try may work: nothing came, or a router said that an earlier packet cannot be delivered.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}
