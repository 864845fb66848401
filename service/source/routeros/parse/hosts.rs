//! Who is there: leases, ARP and neighbour discovery caches, and the networks the device has an address in. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::duration::millis;
use super::{Row, Rows, address, flag, flag_unset, mac, owned, text};
use crate::model::observation::{LeaseFact, LeaseState};
use crate::model::scope::{is_link_local, is_private};
use crate::model::{Fact, MacAddr, Timestamp};

/// `/ip/dhcp-server/lease`. `address` of a reservation can be the name of a pool, so `active-address` comes first, and
/// so does the address of the client that really holds it.
pub(in super::super) fn leases(rows: &Rows, now: Timestamp) -> impl Iterator<Item = LeaseFact> + '_ {
    rows.iter().filter_map(move |row| {
        let client_id = text(row, "active-client-id").or_else(|| text(row, "client-id"));
        let mac = mac(row, "active-mac-address")
            .or_else(|| mac(row, "mac-address"))
            .or_else(|| client_id.and_then(mac_of_client_id))?;
        let given = |column| text(row, column).and_then(address);
        Some(LeaseFact {
            mac,
            address: given("active-address").or_else(|| given("address")),
            host_name: owned(row, "host-name"),
            state: lease_state(row),
            dynamic: flag(row, "dynamic"),
            server: owned(row, "active-server").or_else(|| owned(row, "server")),
            comment: owned(row, "comment"),
            client_id: client_id.map(str::to_owned),
            vendor_class: owned(row, "class-id"),
            expires_at: text(row, "expires-after").and_then(millis).map(|left| now.plus_millis(left)),
        })
    })
}

fn lease_state(row: Row<'_>) -> LeaseState {
    if flag(row, "disabled") || flag(row, "blocked") {
        return LeaseState::Disabled;
    }
    match text(row, "status") {
        Some("bound") => LeaseState::Bound,
        _ if text(row, "last-seen") == Some("never") => LeaseState::NeverSeen,
        _ => LeaseState::Waiting,
    }
}

/// RFC 2132 section 9.14: type 1 is Ethernet, then the address; RouterOS prints `1:f0:2f:74:db:39:94`.
fn mac_of_client_id(client_id: &str) -> Option<MacAddr> {
    client_id.strip_prefix("1:")?.parse().ok()
}

/// `/ip/arp` and `/ipv6/neighbor`. Incomplete and failed rows are questions nobody answered. Link-local and multicast
/// addresses say nothing that the forwarding table does not.
pub(in super::super) fn neighbors(rows: &Rows) -> impl Iterator<Item = Fact> + '_ {
    rows.iter().filter_map(|row| {
        let unanswered = flag_unset(row, "complete")
            || flag(row, "disabled")
            || flag(row, "invalid")
            || matches!(text(row, "status"), Some("failed" | "incomplete"));
        if unanswered {
            return None;
        }
        let mac = mac(row, "mac-address").filter(|mac| !mac.is_multicast())?;
        let address = text(row, "address").and_then(address)?;
        if is_link_local(address) || address.is_multicast() || address.is_unspecified() {
            return None;
        }
        Some(Fact::Neighbor { mac, address, interface: owned(row, "interface") })
    })
}

/// Where the device's own way to the Internet is: addresses there are a provider's, not ours.
#[derive(Debug, Default)]
pub(in super::super) struct Upstream {
    interfaces: BTreeSet<String>,
    gateways: Vec<IpAddr>,
}

/// What the administrator says (`/interface/list/member`, list `WAN` as in MikroTik's default configuration), and only
/// where there is no such list, what `/ip/route` says: the gateway of the default route.
pub(in super::super) fn upstream(members: &Rows, routes: &Rows) -> Upstream {
    let interfaces: BTreeSet<String> = members
        .iter()
        .filter(|row| !flag(*row, "disabled"))
        .filter(|row| text(*row, "list").is_some_and(|list| list.eq_ignore_ascii_case("wan")))
        .filter_map(|row| owned(row, "interface"))
        .collect();
    let gateways = routes
        .iter()
        .filter(|row| interfaces.is_empty() && text(*row, "dst-address") == Some("0.0.0.0/0"))
        .filter(|row| !flag(*row, "disabled") && !flag_unset(*row, "active"))
        .filter_map(|row| text(row, "gateway").and_then(address))
        .collect();
    Upstream { interfaces, gateways }
}

/// `/ip/address` and `/ipv6/address`: networks whose addresses make hosts. Not those of single addresses, not link-local
/// ones, and not the provider's: an interface of the list `WAN`, or else a public network that has the default gateway
/// in it while there are others.
pub(in super::super) fn networks(rows: &Rows, upstream: &Upstream) -> Vec<Fact> {
    let found: Vec<(IpNet, Option<&str>, bool)> = rows
        .iter()
        .filter(|row| !flag(*row, "disabled") && !flag(*row, "invalid"))
        .filter_map(|row| {
            let net: IpNet = text(row, "address")?.parse().ok()?;
            let interface = text(row, "actual-interface").or_else(|| text(row, "interface"));
            let single = net.prefix_len() == net.max_prefix_len();
            if single || is_link_local(net.addr()) || net.addr().is_loopback() {
                return None;
            }
            let listed = ["actual-interface", "interface"]
                .into_iter()
                .filter_map(|column| text(row, column))
                .any(|name| upstream.interfaces.contains(name));
            let has_gateway =
                !is_private(net.addr()) && upstream.gateways.iter().any(|gateway| net.contains(gateway));
            Some((net.trunc(), interface, listed || has_gateway))
        })
        .collect();
    let others = found.iter().any(|(_, _, is_upstream)| !is_upstream);
    found
        .into_iter()
        .filter(|(_, _, is_upstream)| !(*is_upstream && others))
        .map(|(prefix, interface, _)| Fact::Network { prefix, interface: interface.map(str::to_owned) })
        .collect()
}
