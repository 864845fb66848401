//! `ip -j addr show`, `ip -j route show default` and `ip -j neigh show`: networks, and who is in them. Pure.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::{Links, Row, flagged, has, mac, number, object, text};
use crate::model::Fact;
use crate::model::scope::{is_link_local, is_private};

/// An address of the box itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Address {
    /// The address itself.
    pub(in super::super) own: IpAddr,
    /// The network around it; of a point-to-point link the other end's.
    pub(in super::super) network: IpNet,
    /// The interface that has it.
    pub(in super::super) interface: String,
}

/// `ip -j addr show`: addresses that others can reach. Not those of single machines (loopback, link-local), not those that are
/// not valid yet or turned out to be somebody else's.
pub(in super::super) fn addresses(rows: &[Row]) -> Vec<Address> {
    let mut found = Vec::new();
    for row in rows {
        let Some(interface) = text(row, "ifname") else { continue };
        let infos = row.get("addr_info").and_then(Value::as_array).into_iter().flatten();
        for info in infos.filter_map(Value::as_object) {
            let is_unusable = ["tentative", "dadfailed"].into_iter().any(|flag| flagged(info, flag))
                || matches!(text(info, "scope"), Some("host" | "link" | "nowhere"));
            let Some(address) = text(info, "local").and_then(|text| text.parse::<IpAddr>().ok()) else {
                continue;
            };
            let peer = text(info, "address").and_then(|text| text.parse().ok()).unwrap_or(address);
            let length = number(info, "prefixlen").and_then(|length| u8::try_from(length).ok());
            let network = length.and_then(|length| IpNet::new(peer, length).ok());
            if let Some(network) =
                network.filter(|_| !is_unusable && !address.is_loopback() && !is_link_local(address))
            {
                found.push(Address {
                    own: address,
                    network: network.trunc(),
                    interface: interface.to_owned(),
                });
            }
        }
    }
    found
}

/// `ip -j route show default`: the next routers towards everything else.
pub(in super::super) fn gateways(rows: &[Row]) -> Vec<IpAddr> {
    let gateway = |row: &Row| {
        let via = object(row, "via").and_then(|via| text(via, "host"));
        text(row, "gateway").or(via)?.parse::<IpAddr>().ok()
    };
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| matches!(text(row, "dst"), Some("default" | "0.0.0.0/0"))) {
        found.extend(gateway(row));
        let hops = row.get("nexthops").and_then(Value::as_array).into_iter().flatten();
        found.extend(hops.filter_map(Value::as_object).filter_map(gateway));
    }
    found
}

/// The networks whose addresses make hosts. Not those of single addresses, not those of interfaces that are switched off, and
/// not the provider's: a public network that has the default gateway in it while there are others.
pub(in super::super) fn networks(addresses: &[Address], gateways: &[IpAddr], links: &Links) -> Vec<Fact> {
    let has_hosts = |one: &&Address| {
        one.network.prefix_len() < one.network.max_prefix_len() && links.is_enabled(&one.interface)
    };
    let found: Vec<(&Address, bool)> = addresses
        .iter()
        .filter(has_hosts)
        .map(|one| {
            let leads_out = gateways.iter().any(|gateway| one.network.contains(gateway));
            (one, leads_out && !is_private(one.network.addr()))
        })
        .collect();
    let others = found.iter().any(|(_, is_upstream)| !is_upstream);
    let mut facts: Vec<Fact> = Vec::new();
    for (one, _) in found.into_iter().filter(|(_, is_upstream)| !(*is_upstream && others)) {
        let fact = Fact::Network { prefix: one.network, interface: Some(one.interface.clone()) };
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    }
    facts
}

/// `ip -j neigh show`. Evidence is what answered once and is kept (reachable, stale, delay, probe), what an administrator
/// entered (permanent), and what a routing daemon learned. Not: questions nobody answered (incomplete, failed), addresses that
/// need no question (noarp: multicast, broadcast), those the box answers for in another's place (proxy), and link-local ones,
/// which say nothing that the forwarding table does not.
pub(in super::super) fn neighbors(rows: &[Row]) -> Vec<Fact> {
    let believed = |row: &&Row| {
        let states = ["REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT"];
        states.into_iter().any(|state| has(row, "state", state)) && !flagged(row, "proxy")
    };
    let fact = |row: &Row| {
        let mac = mac(row, "lladdr")?;
        let address: IpAddr = text(row, "dst")?.parse().ok()?;
        let is_nobodys = address.is_multicast() || address.is_unspecified() || address.is_loopback();
        (!is_nobodys && !is_link_local(address)).then(|| Fact::Neighbor {
            mac,
            address,
            interface: text(row, "dev").map(str::to_owned),
        })
    };
    rows.iter().filter(believed).filter_map(fact).collect()
}
