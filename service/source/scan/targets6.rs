//! Who is asked by IPv6, and how. A network of 2^64 addresses is never swept: on a link everybody is pinged at once, and asked
//! for by name are only those that the configuration lists, the kernel knows, or an answer suggests. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use super::interfaces::Interface;
use super::targets::Wanted;

/// Shorter prefixes are never asked address by address, whatever `max_addresses` is: a /112 has 65,536 addresses.
const SHORTEST_SWEPT: u8 = 112;

/// One link that is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Neighborhood {
    /// Our address for questions: the link-local one, else any.
    pub(super) own: Option<Ipv6Addr>,
    /// Our addresses to ping everybody from: one for each kind of address that they may answer with.
    pub(super) callers: Vec<Ipv6Addr>,
    /// Networks whose addresses count as answers, besides link-local ones.
    pub(super) scopes: BTreeSet<Ipv6Net>,
    /// Whether everybody is pinged: not where only single addresses are asked for.
    pub(super) is_called: bool,
    /// Addresses asked for one by one.
    pub(super) listed: BTreeSet<Ipv6Addr>,
}

impl Neighborhood {
    /// Whether an address is of this link.
    pub(super) fn has(&self, address: Ipv6Addr) -> bool {
        (self.is_called && address.is_unicast_link_local())
            || self.scopes.iter().any(|scope| scope.contains(&address))
    }
}

/// What a scan is going to do by IPv6.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Targets6 {
    /// By interface name.
    pub(super) attached: BTreeMap<String, Neighborhood>,
    /// Listed addresses behind a router.
    pub(super) routed: BTreeSet<Ipv6Addr>,
    /// Our own addresses in these networks, and the interface that has them.
    pub(super) own: BTreeMap<Ipv6Addr, String>,
    /// Networks we are attached to, and the interface.
    pub(super) networks: BTreeSet<(Ipv6Net, String)>,
    /// What is not scanned, and why.
    pub(super) refused: Vec<String>,
}

/// Divides the IPv6 subnets by how they are asked. `links`: interfaces that are asked whatever the subnets are.
pub(super) fn divide6(wanted: Wanted<'_>, links: &BTreeSet<String>, interfaces: &[Interface]) -> Targets6 {
    let mut targets = Targets6::default();
    let usable =
        |one: &&Interface| one.silence().is_none() && wanted.interface.is_none_or(|only| only == one.name);
    let usable: Vec<&Interface> = interfaces.iter().filter(usable).collect();
    for interface in usable.iter().filter(|one| links.contains(&one.name)) {
        let here = targets.attached.entry(interface.name.clone()).or_default();
        here.scopes.extend(global(interface).map(|(_, network)| network));
        here.is_called = true;
    }
    let subnets: BTreeSet<Ipv6Net> = wanted
        .subnets
        .iter()
        .filter_map(|subnet| match subnet.trunc() {
            IpNet::V6(subnet) => Some(subnet),
            IpNet::V4(_) => None,
        })
        .collect();
    for subnet in subnets {
        add(&mut targets, subnet, wanted, &usable);
    }
    for (name, here) in &mut targets.attached {
        let Some(interface) = interfaces.iter().find(|one| one.name == *name) else { continue };
        settle(here, interface);
        if here.own.is_none() {
            targets.refused.push(format!(
                "{name} has no IPv6 address in use, so nobody there can be asked by IPv6; hint: switch IPv6 on for it"
            ));
        }
        for (address, network) in global(interface).filter(|(address, _)| here.has(*address)) {
            targets.networks.insert((network, name.clone()));
            targets.own.insert(address, name.clone());
        }
    }
    targets.attached.retain(|_, here| here.own.is_some());
    let ours: Vec<Ipv6Addr> =
        interfaces.iter().flat_map(|one| &one.addresses6).map(|(own, _)| *own).collect();
    for address in ours {
        targets.routed.remove(&address);
        targets.attached.values_mut().for_each(|here| {
            here.listed.remove(&address);
        });
    }
    targets
}

/// Addresses that are not of the link alone.
fn global(interface: &Interface) -> impl Iterator<Item = (Ipv6Addr, Ipv6Net)> + '_ {
    interface.addresses6.iter().copied().filter(|(address, _)| !address.is_unicast_link_local())
}

/// Chooses from which addresses is asked.
fn settle(here: &mut Neighborhood, interface: &Interface) {
    let link_local = interface.addresses6.iter().map(|(own, _)| *own).find(Ipv6Addr::is_unicast_link_local);
    let mut seen = BTreeSet::new();
    let others = global(interface).filter(|(own, network)| here.has(*own) && seen.insert(*network));
    let callers: Vec<Ipv6Addr> = link_local.into_iter().chain(others.map(|(own, _)| own)).collect();
    here.own = callers.first().copied().or_else(|| global(interface).map(|(own, _)| own).next());
    here.callers = if here.is_called { callers } else { Vec::new() };
}

/// Adds one subnet.
fn add(targets: &mut Targets6, subnet: Ipv6Net, wanted: Wanted<'_>, usable: &[&Interface]) {
    if subnet.network().is_multicast() || subnet.network().is_unicast_link_local() {
        targets.refused.push(format!(
            "{subnet} is not scanned: such addresses are no machine's own; hint: with `ipv6 = true` every attached interface's \
             link is asked"
        ));
        return;
    }
    // The networks that contain addresses of this subnet, the most specific first.
    let mut near: Vec<(Ipv6Net, &Interface)> = usable
        .iter()
        .flat_map(|one| global(one).map(move |(_, network)| (network, *one)))
        .filter(|(network, _)| network.contains(&subnet) || subnet.contains(network))
        .collect();
    near.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
    if let (Some(_), [only]) = (wanted.interface, usable)
        && !near.iter().any(|(network, _)| network.contains(&subnet))
    {
        near.push((subnet, only));
    }
    for (network, interface) in &near {
        let scope = if subnet.prefix_len() > network.prefix_len() { subnet } else { *network };
        let here = targets.attached.entry(interface.name.clone()).or_default();
        here.is_called |= scope.prefix_len() < SHORTEST_SWEPT;
        here.scopes.insert(scope);
    }
    let is_listed = subnet.prefix_len() >= SHORTEST_SWEPT
        && 1_u64 << (128 - u32::from(subnet.prefix_len())) <= wanted.max_addresses;
    if is_listed {
        for address in subnet.hosts() {
            match near.iter().find(|(network, _)| network.contains(&address)) {
                // The first address of a network is every router's (RFC 4291 section 2.6.1).
                Some((network, _)) if network.prefix_len() < 127 && network.network() == address => {}
                Some((_, interface)) => {
                    targets.attached.entry(interface.name.clone()).or_default().listed.insert(address);
                }
                None => {
                    targets.routed.insert(address);
                }
            }
        }
    } else if near.is_empty() {
        targets.refused.push(format!(
            "{subnet} is not scanned: this machine is not attached to it, and it has too many addresses to ask one by one; hint: \
             the neighbour table of its router, read with `routeros`, `snmp` or `linux`, has its hosts"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MacAddr;

    fn interface(name: &str, addresses: &[&str]) -> Interface {
        Interface {
            name: name.to_owned(),
            index: 2,
            mac: Some(MacAddr::new([0x52, 0x54, 0, 0, 0, 1])),
            addresses: Vec::new(),
            addresses6: addresses
                .iter()
                .map(|text| {
                    let network: Ipv6Net = text.parse().unwrap();
                    (network.addr(), network.trunc())
                })
                .collect(),
            is_up: true,
            has_arp: true,
        }
    }

    fn divided(subnets: &[&str], links: &[&str], only: Option<&str>, interfaces: &[Interface]) -> Targets6 {
        let subnets: Vec<IpNet> = subnets.iter().map(|text| text.parse().unwrap()).collect();
        let links = links.iter().map(|name| (*name).to_owned()).collect();
        divide6(Wanted { subnets: &subnets, interface: only, max_addresses: 65536 }, &links, interfaces)
    }

    fn ip(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    fn eth0() -> Interface {
        interface("eth0", &["fe80::1/64", "2001:db8:1::1/64", "2001:db8:1::2/64", "2001:db8:2::1/64"])
    }

    #[test]
    fn a_large_network_is_called_and_never_swept() {
        let targets = divided(&["2001:db8:1::/64"], &[], None, &[eth0()]);
        let here = &targets.attached["eth0"];
        assert_eq!(here.callers, [ip("fe80::1"), ip("2001:db8:1::1")]);
        assert_eq!((here.own, here.listed.len()), (Some(ip("fe80::1")), 0));
        assert!(here.has(ip("2001:db8:1::99")) && here.has(ip("fe80::99")) && !here.has(ip("2001:db8:2::9")));
        assert_eq!(targets.networks.len(), 1);
        assert_eq!(
            targets.own.keys().copied().collect::<Vec<_>>(),
            [ip("2001:db8:1::1"), ip("2001:db8:1::2")]
        );
        assert!(targets.refused.is_empty() && targets.routed.is_empty());
    }

    #[test]
    fn a_link_is_asked_for_all_its_networks() {
        let targets = divided(&[], &["eth0", "gone"], None, &[eth0(), interface("eth1", &["fe80::2/64"])]);
        assert_eq!(targets.attached.len(), 1);
        assert_eq!(targets.attached["eth0"].callers.len(), 3);
        assert_eq!(targets.attached["eth0"].scopes.len(), 2);
    }

    #[test]
    fn listed_addresses_are_asked_one_by_one() {
        let subnets = ["2001:db8:1::10/128", "2001:db8:1::100/120", "2001:db8:1::1/128", "2001:db8:9::/120"];
        let targets = divided(&subnets, &[], None, &[eth0()]);
        let here = &targets.attached["eth0"];
        assert_eq!(here.listed.len(), 1 + 256, "not our own");
        assert_eq!(targets.routed.len(), 256);
        assert!(!here.has(ip("2001:db8:1::5")) && here.callers.is_empty(), "nothing else was asked for");
        assert_eq!(here.own, Some(ip("fe80::1")));
        let first = divided(&["2001:db8:1::/120"], &[], None, &[eth0()]);
        assert!(!first.attached["eth0"].listed.contains(&ip("2001:db8:1::")), "every router's");
        assert_eq!(first.attached["eth0"].listed.len(), 256 - 3);
    }

    #[test]
    fn what_is_far_and_large_is_refused() {
        let targets =
            divided(&["2001:db8:9::/64", "fe80::/64", "ff02::/16", "2001:db8:8::/111"], &[], None, &[eth0()]);
        assert_eq!(targets.refused.len(), 4, "{:?}", targets.refused);
        assert!(targets.attached.is_empty() && targets.routed.is_empty());
        let all = divided(&["::/0"], &[], None, &[eth0()]);
        assert_eq!(all.attached["eth0"].scopes.len(), 2, "what is attached of it is asked");
        assert!(all.attached["eth0"].listed.is_empty());
    }

    #[test]
    fn an_interface_without_an_address_in_the_network_asks_from_its_link_local_one() {
        let eth9 = [interface("eth9", &["fe80::9/64"]), eth0()];
        let targets = divided(&["2001:db8:7::/64"], &[], Some("eth9"), &eth9);
        let here = &targets.attached["eth9"];
        assert_eq!((here.callers.as_slice(), here.has(ip("2001:db8:7::1"))), (&[ip("fe80::9")][..], true));
        assert!(targets.networks.is_empty() && targets.own.is_empty());
        let mute = divided(&["2001:db8:7::/64"], &[], Some("eth9"), &[interface("eth9", &[])]);
        assert!(mute.refused[0].contains("eth9 has no IPv6 address in use") && mute.attached.is_empty());
    }
}
