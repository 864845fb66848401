//! The interfaces of this machine, as pnet lists them; their IPv6 addresses as the kernel does, which says which are in use.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pnet::datalink;

use crate::model::MacAddr;

/// `IFF_NOARP` of netdevice(7).
const NO_ARP: u32 = 0x80;

/// proc(5): `address index length scope flags name`, numbers in hexadecimal; not there without IPv6.
const ADDRESSES6: &str = "/proc/net/if_inet6";

/// `IFA_F_DADFAILED`, `IFA_F_DEPRECATED` and `IFA_F_TENTATIVE` of `linux/if_addr.h`: not to be asked from.
const NOT_IN_USE: u32 = 0x08 | 0x20 | 0x40;

/// An interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) mac: Option<MacAddr>,
    /// Our addresses and the networks they are in.
    pub(super) addresses: Vec<(Ipv4Addr, Ipv4Net)>,
    /// The same for IPv6, link-local ones included; only those in use.
    pub(super) addresses6: Vec<(Ipv6Addr, Ipv6Net)>,
    pub(super) is_up: bool,
    /// Whether its link has ARP: no loopback, no tunnel.
    pub(super) has_arp: bool,
}

impl Interface {
    /// Why nobody can be asked on it.
    pub(super) fn silence(&self) -> Option<String> {
        if !self.has_arp || self.mac.is_none() {
            return Some(format!("the interface `{}` does not speak ARP", self.name));
        }
        (!self.is_up).then(|| format!("the interface `{}` is down", self.name))
    }

    /// As the library wants it for a channel.
    pub(super) fn for_channel(&self) -> datalink::NetworkInterface {
        datalink::NetworkInterface {
            name: self.name.clone(),
            description: String::new(),
            index: self.index,
            mac: self.mac.map(|mac| mac.octets().into()),
            ips: Vec::new(),
            flags: 0,
        }
    }
}

/// All of them. An alias (`eth0:1`) is an address of its interface.
pub(super) fn read() -> Vec<Interface> {
    let mut all: Vec<Interface> = Vec::new();
    for row in datalink::interfaces() {
        let name = row.name.split(':').next().unwrap_or(&row.name);
        let addresses = row.ips.iter().filter_map(|ip| match IpNet::new(ip.ip(), ip.prefix()).ok()? {
            IpNet::V4(network) => Some((network.addr(), network.trunc())),
            IpNet::V6(_) => None,
        });
        if let Some(known) = all.iter_mut().find(|known| known.name == name) {
            known.addresses.extend(addresses);
            continue;
        }
        all.push(Interface {
            name: name.to_owned(),
            index: row.index,
            mac: row.mac.map(|mac| MacAddr::new(mac.octets())).filter(|mac| !mac.is_zero()),
            addresses: addresses.collect(),
            addresses6: Vec::new(),
            is_up: row.is_up() && row.is_running(),
            has_arp: !row.is_loopback() && !row.is_point_to_point() && row.flags & NO_ARP == 0,
        });
    }
    let listed = std::fs::read_to_string(ADDRESSES6).unwrap_or_default();
    for (name, address, network) in addresses6(&listed) {
        if let Some(known) = all.iter_mut().find(|known| known.name == name) {
            known.addresses6.push((address, network));
        }
    }
    all
}

/// The lines of [`ADDRESSES6`] that are addresses in use, sorted: the kernel's order changes.
fn addresses6(listed: &str) -> Vec<(&str, Ipv6Addr, Ipv6Net)> {
    let line = |line| {
        let words: Vec<&str> = str::split_ascii_whitespace(line).collect();
        let [address, _, length, _, flags, name] = words.as_slice() else { return None };
        let hex = |text: &str| u32::from_str_radix(text, 16).ok();
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        let network = Ipv6Net::new(address, u8::try_from(hex(length)?).ok()?).ok()?.trunc();
        (hex(flags)? & NOT_IN_USE == 0 && !address.is_loopback()).then_some((*name, address, network))
    };
    let mut found: Vec<_> = listed.lines().filter_map(line).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_use_are_read() {
        let listed = "fe80000000000000505400fffe000001 02 40 20 80     eth0\n\
            20010db8000000000000000000000001 02 40 00 80     eth0\n\
            20010db8000000000000000000000002 02 40 00 c0     eth0\n\
            20010db8000000000000000000000003 02 40 00 21     eth0\n\
            00000000000000000000000000000001 01 80 10 80       lo\n\
            garbage 02 40 00 80 eth0\n";
        let found = addresses6(listed);
        let shown: Vec<String> =
            found.iter().map(|(name, address, net)| format!("{name} {address} {net}")).collect();
        assert_eq!(shown, ["eth0 2001:db8::1 2001:db8::/64", "eth0 fe80::5054:ff:fe00:1 fe80::/64"]);
    }
}
