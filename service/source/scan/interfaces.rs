//! The interfaces of this machine, as pnet lists them.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use pnet::datalink;

use crate::model::MacAddr;

/// `IFF_NOARP` of netdevice(7).
const NO_ARP: u32 = 0x80;

/// An interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) mac: Option<MacAddr>,
    /// Our addresses and the networks they are in.
    pub(super) addresses: Vec<(Ipv4Addr, Ipv4Net)>,
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
            is_up: row.is_up() && row.is_running(),
            has_arp: !row.is_loopback() && !row.is_point_to_point() && row.flags & NO_ARP == 0,
        });
    }
    all
}
