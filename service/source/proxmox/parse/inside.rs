//! What is seen inside a guest: addresses by the guest agent (QEMU) or by the node (LXC), joined to its network cards by
//! MAC address, because interface names inside mean nothing outside. Pure.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use super::guest::network;
use super::{is_usable, number, rows, text};
use crate::model::MacAddr;
use crate::model::observation::GuestFact;

/// One address seen inside a guest, with the link-layer address of the interface that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Inside {
    pub(in super::super) mac: MacAddr,
    pub(in super::super) address: IpNet,
}

/// `agent/network-get-interfaces` (`{"result": [..]}`) or `lxc/../interfaces` (a list; null when stopped), the latter
/// with `inet` and `inet6` or, newer, with `ip-addresses` as the agent has them. `None` if it is neither.
pub(in super::super) fn inside(data: &Value) -> Option<Vec<Inside>> {
    let interfaces = data.get("result").unwrap_or(data);
    if interfaces.is_null() {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    for interface in interfaces.as_array()? {
        let mac = text(interface, "hardware-address").or_else(|| text(interface, "hwaddr"));
        let Some(mac) = mac.and_then(|mac| mac.parse().ok()).filter(|mac: &MacAddr| mac.is_host()) else {
            continue;
        };
        let listed = interface.get("ip-addresses").map(rows).unwrap_or_default().iter().filter_map(listed);
        let plain = ["inet", "inet6"].into_iter().filter_map(|key| network(&text(interface, key)?));
        let addresses: BTreeSet<IpNet> = listed.chain(plain).filter(|net| is_usable(net.addr())).collect();
        found.extend(addresses.into_iter().map(|address| Inside { mac, address }));
    }
    Some(found)
}

fn listed(row: &Value) -> Option<IpNet> {
    let address = text(row, "ip-address")?;
    // A scope (`fe80::1%eth0`) belongs to link-local addresses only.
    let address = network(address.split('%').next()?)?;
    let prefix = number(row, "prefix").and_then(|prefix| u8::try_from(prefix).ok());
    match prefix {
        Some(prefix) => IpNet::new(address.addr(), prefix).ok(),
        None => Some(address),
    }
}

/// Gives the addresses to the cards that have their MAC. What was seen replaces what was configured, per card and
/// address family: a cloud-init setting may long be out of date.
pub(in super::super) fn join(guest: &mut GuestFact, seen: &[Inside]) {
    for nic in &mut guest.nics {
        let Some(mac) = nic.mac else { continue };
        let mine: Vec<IpNet> = seen.iter().filter(|one| one.mac == mac).map(|one| one.address).collect();
        let is_v4 = |net: &IpNet| matches!(net, IpNet::V4(_));
        nic.addresses.retain(|old| !mine.iter().any(|new| is_v4(new) == is_v4(old)));
        nic.addresses.extend(mine);
        nic.addresses.sort();
        nic.addresses.dedup();
    }
}
