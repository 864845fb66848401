//! `bridge -j fdb show`: what the box's bridges and switch chips have learned. Pure.

use super::{Links, Row, has, mac, text, vlan};
use crate::model::MacAddr;

/// One learned address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Learned {
    /// The address.
    pub(in super::super) mac: MacAddr,
    /// The port.
    pub(in super::super) port: String,
    /// The VLAN, where the bridge tells VLANs apart or the port is a VLAN interface.
    pub(in super::super) vlan: Option<u16>,
}

/// The rows that place somebody. Left out are `permanent` ones (the box's own addresses and its multicast filters), those of a
/// tunnel (`dst`: the other end is elsewhere), and filters of cards (`self`), unless the card is a port of a switch chip, which
/// shows what it learned that way.
pub(in super::super) fn forwarding(rows: &[Row], links: &Links) -> Vec<Learned> {
    let learned = |row: &Row| {
        let port = text(row, "ifname")?;
        let is_own = has(row, "state", "permanent");
        let is_filter =
            has(row, "flags", "self") && text(row, "master").is_none() && !links.is_switch_chip(port);
        let is_remote = ["dst", "via", "nhid"].into_iter().any(|key| row.contains_key(key));
        if is_own || is_filter || is_remote {
            return None;
        }
        let mac = mac(row, "mac")?;
        let (port, tagged) = links.port(port)?;
        Some(Learned { mac, port: port.to_owned(), vlan: vlan(row, "vlan").or(tagged) })
    };
    let mut found: Vec<Learned> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for row in rows.iter().filter_map(learned) {
        if seen.insert((row.mac, row.port.clone(), row.vlan)) {
            found.push(row);
        }
    }
    found
}
