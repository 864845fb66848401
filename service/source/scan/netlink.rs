//! The kernel's table of IPv6 neighbours, which has no file: rtnetlink(7), `RTM_GETNEIGH`. Any user may read it. The parser is pure.

use std::io;
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::model::MacAddr;

/// `AF_NETLINK` and `NETLINK_ROUTE` of netlink(7); the address family of IPv6.
const AF_NETLINK: i32 = 16;
const NETLINK_ROUTE: i32 = 0;
const AF_INET6: u8 = 10;

/// Message types and flags of netlink(7) and rtnetlink(7).
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;

/// Attributes and states of linux/neighbour.h.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_INCOMPLETE: u16 = 0x01;
const NUD_FAILED: u16 = 0x20;
const NUD_NOARP: u16 = 0x40;

/// Headers: `nlmsghdr`, `ndmsg`, `rtattr`.
const MESSAGE: usize = 16;
const NEIGHBOR: usize = 12;
const ATTRIBUTE: usize = 4;

/// The kernel fills at most 32 KiB at a time.
const BUFFER: usize = 64 * 1024;

/// The kernel answers at once.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// One entry of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Index of the interface.
    pub(super) interface: u32,
    /// The address.
    pub(super) address: Ipv6Addr,
    /// Its link-layer address, where it answered; else it is one that somebody asked for.
    pub(super) mac: Option<MacAddr>,
}

/// The table now.
pub(super) fn neighbors() -> io::Result<Vec<Entry>> {
    let socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(Protocol::from(NETLINK_ROUTE)))?;
    socket.set_read_timeout(Some(ANSWER_TIME))?;
    // Not UDP; but `send` and `recv` are the same for every kind of socket.
    let socket = UdpSocket::from(OwnedFd::from(socket));
    socket.send(&request())?;
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = socket.recv(&mut buffer)?;
        if parse(buffer.get(..length).unwrap_or_default(), &mut found)? {
            return Ok(found);
        }
    }
}

fn request() -> Vec<u8> {
    let length = u32::try_from(MESSAGE + NEIGHBOR).unwrap_or_default();
    let mut bytes = Vec::with_capacity(MESSAGE + NEIGHBOR);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(RTM_GETNEIGH.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.push(AF_INET6);
    bytes.resize(MESSAGE + NEIGHBOR, 0);
    bytes
}

/// Adds the entries of one datagram; whether it was the last.
fn parse(mut bytes: &[u8], into: &mut Vec<Entry>) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(message) = bytes.get(MESSAGE..length) else {
            return Err(io::Error::other("the kernel's answer is cut short"));
        };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = u32_at(message, 0).unwrap_or_default().cast_signed();
                return Err(io::Error::from_raw_os_error(-code));
            }
            RTM_NEWNEIGH => into.extend(entry(message)),
            _ => {}
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    Ok(false)
}

fn entry(message: &[u8]) -> Option<Entry> {
    let (interface, state) = (u32_at(message, 4)?, u16_at(message, 8)?);
    if message.first() != Some(&AF_INET6) || state & NUD_NOARP != 0 {
        return None;
    }
    let mut attributes = message.get(NEIGHBOR..)?;
    let (mut address, mut mac) = (None, None);
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let value = attributes.get(ATTRIBUTE..usize::from(length))?;
        match kind {
            NDA_DST => address = <[u8; 16]>::try_from(value).ok().map(Ipv6Addr::from),
            NDA_LLADDR => mac = MacAddr::from_slice(value),
            _ => {}
        }
        attributes = attributes.get(aligned(usize::from(length))..).unwrap_or_default();
    }
    let has_answered = state & (NUD_INCOMPLETE | NUD_FAILED) == 0;
    let is_card = |mac: &MacAddr| has_answered && !mac.is_zero() && !mac.is_multicast();
    let address = address.filter(|address| !address.is_multicast() && !address.is_unspecified())?;
    Some(Entry { interface, address, mac: mac.filter(is_card) })
}

/// Messages and attributes begin at multiples of four.
const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(<[u8; 2]>::try_from(bytes.get(at..at + 2)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 7];

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(MESSAGE + body.len()).unwrap().to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn neighbor(state: u16, address: &str, mac: &[u8]) -> Vec<u8> {
        let mut body = vec![AF_INET6, 0, 0, 0];
        body.extend(3_u32.to_ne_bytes());
        body.extend(state.to_ne_bytes());
        body.extend([0, 1]);
        let octets = address.parse::<Ipv6Addr>().unwrap().octets();
        for (kind, value) in [(NDA_DST, &octets[..]), (NDA_LLADDR, mac), (99, &[1, 2, 3])] {
            body.extend(u16::try_from(ATTRIBUTE + value.len()).unwrap().to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
            body.resize(aligned(body.len()), 0);
        }
        message(RTM_NEWNEIGH, &body)
    }

    #[test]
    fn entries_are_read_and_questions_have_no_address() {
        let mut bytes = neighbor(2, "2001:db8::1", &MAC);
        bytes.extend(neighbor(NUD_FAILED, "2001:db8::2", &MAC));
        bytes.extend(neighbor(NUD_INCOMPLETE, "2001:db8::3", &[]));
        bytes.extend(neighbor(NUD_NOARP, "ff02::1", &MAC));
        bytes.extend(neighbor(4, "fe80::5", &MAC));
        let mut found = Vec::new();
        assert!(!parse(&bytes, &mut found).unwrap());
        let shown: Vec<(String, bool)> =
            found.iter().map(|one| (one.address.to_string(), one.mac.is_some())).collect();
        let expected =
            [("2001:db8::1", true), ("2001:db8::2", false), ("2001:db8::3", false), ("fe80::5", true)];
        assert_eq!(shown, expected.map(|(address, known)| (address.to_owned(), known)));
        assert!(parse(&message(NLMSG_DONE, &[0; 4]), &mut found).unwrap());
        let denied = parse(&message(NLMSG_ERROR, &(-1_i32).to_ne_bytes()), &mut found).unwrap_err();
        assert_eq!(denied.raw_os_error(), Some(1));
    }

    #[test]
    fn the_kernel_answers() {
        neighbors().unwrap();
    }

    proptest! {
        #[test]
        fn parsing_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..100), cut in 0..100_usize, at in 0..90_usize, value: u8) {
            let mut found = Vec::new();
            _ = parse(&bytes, &mut found);
            let mut nearly = neighbor(2, "2001:db8::1", &MAC);
            if let Some(byte) = nearly.get_mut(at) {
                *byte = value;
            }
            nearly.truncate(nearly.len().saturating_sub(cut));
            _ = parse(&nearly, &mut found);
        }
    }
}
