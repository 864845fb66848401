//! What the kernel of this machine knows: its ARP table, and what this process may do. The parsers are pure.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::model::MacAddr;

/// proc(5): the kernel's IPv4 neighbours.
const NEIGHBORS: &str = "/proc/net/arp";

/// proc(5): among others, the effective capabilities of this process.
const STATUS: &str = "/proc/self/status";

/// `capabilities(7)`, linux/capability.h.
const CAP_NET_RAW: u32 = 13;

/// Entry is complete (`ATF_COM` of `linux/if_arp.h`).
const COMPLETE: u32 = 0x2;

/// How `CAP_NET_RAW` is given.
pub(super) const HOW_TO_GRANT: &str = "hint: `setcap cap_net_raw+ep` on the program, `AmbientCapabilities=CAP_NET_RAW` in its systemd unit, or `cap_add: [NET_RAW]` in its container";

/// A neighbour that the kernel knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Neighbor {
    pub(super) address: IpAddr,
    pub(super) mac: MacAddr,
    pub(super) interface: String,
}

/// The kernel's IPv4 neighbours now.
pub(super) fn neighbors() -> io::Result<Vec<Neighbor>> {
    Ok(parse_neighbors(&std::fs::read_to_string(NEIGHBORS)?))
}

/// `IP address  HW type  Flags  HW address  Mask  Device`, complete entries of Ethernet only.
fn parse_neighbors(table: &str) -> Vec<Neighbor> {
    let hex = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let row = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = IpAddr::V4(words.next()?.parse::<Ipv4Addr>().ok()?);
        let is_ethernet = hex(words.next()?)? == 1;
        let is_complete = hex(words.next()?)? & COMPLETE != 0;
        let mac: MacAddr = words.next()?.parse().ok()?;
        let interface = words.nth(1)?.to_owned();
        (is_ethernet && is_complete && !mac.is_zero()).then_some(Neighbor { address, mac, interface })
    };
    table.lines().filter_map(row).collect()
}

/// Whether this process may open raw sockets; `None` where the kernel does not say.
pub(super) fn has_net_raw() -> Option<bool> {
    parse_capabilities(&std::fs::read_to_string(Path::new(STATUS)).ok()?)
}

/// The line `CapEff` has the effective set in hexadecimal.
fn parse_capabilities(status: &str) -> Option<bool> {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    Some(u64::from_str_radix(set.trim(), 16).ok()? >> CAP_NET_RAW & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_neighbours_are_read() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
            192.0.2.1        0x1         0x2         52:54:00:aa:00:01     *        eth0\n\
            192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0\n\
            192.0.2.3        0x1         0x6         52:54:00:aa:00:03     *        br0.10\n\
            10.0.0.1         0x20        0x2         80:00:02:08:fe:80     *        ib0\n\
            192.0.2.4        0x1         0x2\n";
        let found = parse_neighbors(table);
        let names: Vec<(String, &str)> =
            found.iter().map(|one| (one.address.to_string(), one.interface.as_str())).collect();
        assert_eq!(names, [("192.0.2.1".to_owned(), "eth0"), ("192.0.2.3".to_owned(), "br0.10")]);
    }

    #[test]
    fn the_effective_set_decides() {
        let status =
            |set: &str| format!("Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t{set}\nSeccomp:\t0\n");
        assert_eq!(parse_capabilities(&status("0000000000002000")), Some(true));
        assert_eq!(parse_capabilities(&status("000001ffffffdfff")), Some(false));
        assert_eq!(parse_capabilities("Name:\tx\n"), None);
        assert_eq!(parse_capabilities(&status("?")), None);
        assert!(has_net_raw().is_some(), "the kernel says it");
    }
}
