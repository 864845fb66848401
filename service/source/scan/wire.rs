//! The sockets: ARP on one interface, or ICMP echo. Both wait for an answer for a moment only.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::time::Duration;

use pnet::datalink::{self, Channel, ChannelType, DataLinkReceiver, DataLinkSender};
use pnet::packet::ethernet::EtherTypes;
use socket2::{Domain, Protocol, Socket, Type};

use super::frames::{arp_request, arp_sender, echo_replier, echo_request};
use super::interfaces::Interface;
use super::targets::asker;
use crate::model::MacAddr;

/// How long to wait for an answer before looking whether there is something to send.
const MOMENT: Duration = Duration::from_millis(5);

/// Answers of a large network that wait to be read: the default (212 kB) holds some 300 frames only.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Larger than every frame that can be an answer.
const LARGEST: usize = 2048;

/// One way to ask.
pub(super) enum Wire {
    /// ARP on an interface.
    Arp { interface: Interface, sender: Box<dyn DataLinkSender>, receiver: Box<dyn DataLinkReceiver> },
    /// ICMP echo, routed by the kernel.
    Echo { socket: UdpSocket, mark: [u8; 8] },
}

/// What is heard.
pub(super) type Heard = (Ipv4Addr, Option<MacAddr>);

impl Wire {
    /// ARP on this interface. The socket gets ARP frames only, so that a busy network costs nothing.
    pub(super) fn arp(interface: &Interface) -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        // Where the limit is lower, the kernel takes what it allows.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let config = datalink::Config {
            read_timeout: Some(MOMENT),
            write_timeout: Some(MOMENT),
            // Only chooses what the socket is bound to; the type of the socket is ours, with whole frames.
            channel_type: ChannelType::Layer3(EtherTypes::Arp.0),
            promiscuous: false,
            // The channel owns it from now on.
            socket_fd: Some(socket.into_raw_fd()),
            ..datalink::Config::default()
        };
        match datalink::channel(&interface.for_channel(), config)? {
            Channel::Ethernet(sender, receiver) => {
                Ok(Self::Arp { interface: interface.clone(), sender, receiver })
            }
            _ => Err(io::Error::other("no Ethernet channel")),
        }
    }

    /// ICMP echo: unprivileged where the kernel lets us (`net.ipv4.ping_group_range`), else raw.
    pub(super) fn echo(mark: [u8; 8]) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))
            .or_else(|_| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)))?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_read_timeout(Some(MOMENT))?;
        Ok(Self::Echo { socket: UdpSocket::from(OwnedFd::from(socket)), mark })
    }

    /// Asks for one address; `own` is our address in its network.
    pub(super) fn ask(&mut self, target: Ipv4Addr, own: Ipv4Addr) -> io::Result<()> {
        let unbuilt = || io::Error::other("a request could not be built");
        match self {
            Self::Arp { interface, sender, .. } => {
                let asker = asker(interface, own).ok_or_else(unbuilt)?;
                let frame = arp_request(asker, target).ok_or_else(unbuilt)?;
                sender.send_to(&frame, None).unwrap_or_else(|| Err(unbuilt()))
            }
            Self::Echo { socket, mark } => {
                let packet = echo_request(*mark, target).ok_or_else(unbuilt)?;
                socket.send_to(&packet, SocketAddrV4::new(target, 0)).map(|_| ())
            }
        }
    }

    /// What comes within a moment, if it is an answer.
    pub(super) fn listen(&mut self) -> io::Result<Option<Heard>> {
        let heard = match self {
            Self::Arp { receiver, .. } => {
                receiver.next().map(|frame| arp_sender(frame).map(|(address, mac)| (address, Some(mac))))
            }
            Self::Echo { socket, mark } => {
                let mut buffer = [0; LARGEST];
                socket.recv_from(&mut buffer).map(|(length, from)| {
                    let replier = echo_replier(buffer.get(..length)?, *mark)?;
                    // Who answers for another address is not that address.
                    let is_from = matches!(from, SocketAddr::V4(from) if *from.ip() == replier);
                    is_from.then_some((replier, None))
                })
            }
        };
        match heard {
            Err(error) if is_passing(&error) => Ok(None),
            heard => heard,
        }
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
