//! Who is asked by IPv4, and how: attached addresses by ARP on their interface, all others by ICMP. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use super::frames::Asker;
use super::interfaces::Interface;

/// What a scan is going to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// By interface name: the addresses that are asked for there, each with our own address in its network.
    pub(super) attached: BTreeMap<String, BTreeMap<Ipv4Addr, Ipv4Addr>>,
    /// Addresses behind a router.
    pub(super) routed: BTreeSet<Ipv4Addr>,
    /// Our own addresses in these subnets, and the interface that has them: nobody answers for them on the wire.
    pub(super) own: BTreeMap<Ipv4Addr, String>,
    /// Networks we are attached to, and the interface.
    pub(super) networks: BTreeSet<(Ipv4Net, String)>,
    /// Subnets that are not scanned, and why.
    pub(super) refused: Vec<String>,
}

/// What the configuration asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Subnets to scan.
    pub(super) subnets: &'a [IpNet],
    /// The interface that all of them are on, if the user said so.
    pub(super) interface: Option<&'a str>,
    /// Most addresses of one subnet.
    pub(super) max_addresses: u64,
}

/// The network and broadcast addresses of a network that has them (RFC 3021: a /31 has none).
fn is_reserved(network: Ipv4Net, address: Ipv4Addr) -> bool {
    network.prefix_len() < 31 && (address == network.network() || address == network.broadcast())
}

/// Number of addresses in a subnet.
fn size(subnet: Ipv4Net) -> u64 {
    1_u64 << (32 - u32::from(subnet.prefix_len()))
}

/// Divides the addresses of all subnets by how they are asked.
pub(super) fn divide(wanted: Wanted<'_>, interfaces: &[Interface]) -> Targets {
    let mut targets = Targets::default();
    let named = wanted.interface.map(|name| (name, interfaces.iter().find(|one| one.name == name)));
    if let Some((name, None)) = named {
        let known: Vec<&str> = interfaces.iter().map(|one| one.name.as_str()).collect();
        targets
            .refused
            .push(format!("there is no interface `{name}` (hint: there are {})", known.join(", ")));
        return targets;
    }
    let explicit = named.and_then(|(_, found)| found);
    if let Some(why) = explicit.and_then(Interface::silence) {
        targets.refused.push(why);
        return targets;
    }
    for subnet in wanted.subnets {
        let IpNet::V4(subnet) = subnet.trunc() else { continue };
        if size(subnet) > wanted.max_addresses {
            targets.refused.push(format!(
                "{subnet} is not scanned: it has {} addresses, and `max_addresses` is {}; hint: name smaller subnets or raise it",
                size(subnet),
                wanted.max_addresses
            ));
            continue;
        }
        add(&mut targets, subnet, explicit, interfaces);
    }
    // An address is asked on its own network only, however the subnets overlap.
    let ours: Vec<Ipv4Addr> = targets.own.keys().copied().collect();
    for address in ours {
        targets.routed.remove(&address);
        for asked in targets.attached.values_mut() {
            asked.remove(&address);
        }
    }
    targets.attached.retain(|_, asked| !asked.is_empty());
    targets
}

/// Adds the addresses of one subnet.
fn add(targets: &mut Targets, subnet: Ipv4Net, explicit: Option<&Interface>, interfaces: &[Interface]) {
    // The networks that may contain addresses of this subnet, the most specific first.
    let mut near: Vec<(Ipv4Net, Ipv4Addr, &Interface)> = interfaces
        .iter()
        .filter(|one| one.silence().is_none() && explicit.is_none_or(|only| only.name == one.name))
        .flat_map(|one| one.addresses.iter().map(move |(address, network)| (*network, *address, one)))
        .filter(|(network, ..)| network.contains(&subnet) || subnet.contains(network))
        .collect();
    near.sort_by_key(|(network, ..)| std::cmp::Reverse(network.prefix_len()));
    if let Some(interface) = explicit
        && !near.iter().any(|(network, ..)| network.contains(&subnet))
    {
        near.push((subnet, Ipv4Addr::UNSPECIFIED, interface));
    }
    for (network, own, interface) in &near {
        targets.networks.insert((*network, interface.name.clone()));
        if subnet.contains(own) {
            targets.own.insert(*own, interface.name.clone());
        }
    }
    for address in (u32::from(subnet.network())..=u32::from(subnet.broadcast())).map(Ipv4Addr::from) {
        match near.iter().find(|(network, ..)| network.contains(&address)) {
            Some((network, own, interface)) if !is_reserved(*network, address) => {
                targets.attached.entry(interface.name.clone()).or_default().insert(address, *own);
            }
            None if !is_reserved(subnet, address) => {
                targets.routed.insert(address);
            }
            _ => {}
        }
    }
}

/// Who asks on this interface for an address, given our address in its network.
pub(super) fn asker(interface: &Interface, own: Ipv4Addr) -> Option<Asker> {
    Some(Asker { mac: interface.mac?, address: own })
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
