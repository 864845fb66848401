//! What spanning tree (BRIDGE-MIB) and link aggregation (IEEE8023-LAG-MIB) betray of the bridges behind a port.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::MacAddr;
use crate::model::observation::{Capability, NeighborFact, NeighborProtocol};
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::Walk;

use super::interfaces::Interfaces;
use super::text::mac;

/// dot1dStpPortState (RFC 4188): disabled and broken ports remember what was there.
const STATE_DISABLED: i64 = 1;
/// See [`STATE_DISABLED`].
const STATE_BROKEN: i64 = 6;

/// Whether any port is in an aggregate, so that it can have a partner.
pub(crate) fn has_aggregates(walk: &Walk) -> bool {
    walk.rows(Column::LagAttached).iter().any(|row| row.value.unsigned().is_some_and(|index| index > 0))
}

/// A bridge that is the designated one on so many of a device's ports is the device itself: the address of its spanning tree need
/// not be one of those that it tells. Two switches seldom have that many cables between them outside an aggregate.
const MANY_PORTS: usize = 3;

/// Ports on whose segment another bridge is the designated one, so that it is behind them.
pub(crate) fn designated(
    walk: &Walk,
    device: &str,
    interfaces: &Interfaces,
    base_ports: &BTreeMap<u32, u32>,
    own: &BTreeSet<MacAddr>,
) -> Vec<NeighborFact> {
    let states = walk.by_number(Column::StpState);
    let numbers = walk.by_number(Column::StpDesignatedPort);
    let mut found: BTreeMap<MacAddr, Vec<u32>> = BTreeMap::new();
    for (port, bridge) in walk.by_number(Column::StpDesignatedBridge) {
        let state = states.get(&port).and_then(|state| state.number());
        let is_port = base_ports.get(&port).is_some_and(|index| interfaces.name(*index).is_some());
        if !is_port || matches!(state, Some(STATE_DISABLED | STATE_BROKEN)) {
            continue;
        }
        // Two octets of priority, six of address (IEEE 802.1D 9.2.5).
        let Some([_, _, address @ ..]) = bridge.bytes() else { continue };
        if let Some(bridge) = MacAddr::from_slice(address).filter(|mac| !mac.is_zero() && !mac.is_multicast())
        {
            found.entry(bridge).or_default().push(port);
        }
    }
    // A designated port that has the port's own number is the port itself; one may be chance.
    let is_itself = |port: &u32| {
        let number = numbers.get(port).and_then(|number| <[u8; 2]>::try_from(number.bytes()?).ok());
        number.is_some_and(|number| u32::from(u16::from_be_bytes(number) & 0x0fff) == *port)
    };
    found
        .into_iter()
        .filter(|(bridge, ports)| {
            let is_own = own.contains(bridge)
                || ports.len() >= MANY_PORTS
                || ports.len() > 1 && ports.iter().all(is_itself);
            !is_own
        })
        .flat_map(|(bridge, ports)| ports.into_iter().map(move |port| (port, bridge)))
        .filter_map(|(port, bridge)| {
            let interface = interfaces.name(*base_ports.get(&port)?)?;
            Some(NeighborFact {
                capabilities: vec![Capability::Bridge],
                ..betrayed(device, interface, NeighborProtocol::Stp, bridge)
            })
        })
        .collect()
}

/// The systems at the other end of members of aggregates.
pub(crate) fn partners(
    walk: &Walk,
    device: &str,
    interfaces: &Interfaces,
    own: &BTreeSet<MacAddr>,
) -> Vec<NeighborFact> {
    let attached = walk.by_number(Column::LagAttached);
    walk.by_number(Column::LagPartner)
        .into_iter()
        .filter(|(port, _)| {
            attached.get(port).and_then(|index| index.unsigned()).is_some_and(|index| index > 0)
        })
        .filter_map(|(port, partner)| {
            let partner = mac(partner.bytes()?).filter(|mac| !mac.is_multicast() && !own.contains(mac))?;
            Some(betrayed(device, interfaces.name(port)?, NeighborProtocol::Lacp, partner))
        })
        .collect()
}

fn betrayed(device: &str, port: String, protocol: NeighborProtocol, mac: MacAddr) -> NeighborFact {
    NeighborFact {
        device: device.to_owned(),
        port: Some(port),
        protocol,
        chassis_mac: Some(mac),
        ..NeighborFact::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::parse::vendor::Vendor;
    use crate::source::snmp::walk::Value;

    const OWN: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 1]);

    fn walk() -> Walk {
        let mut walk = Walk::default();
        for port in 1..=4_u32 {
            let name = format!("Gi0/{port}");
            walk.push(Column::IfName, vec![10100 + port], Value::Bytes(name.into_bytes()));
        }
        walk
    }

    fn shown(facts: &[NeighborFact]) -> Vec<String> {
        facts
            .iter()
            .map(|fact| format!("{} {}", fact.port.clone().unwrap(), fact.chassis_mac.unwrap()))
            .collect()
    }

    #[test]
    fn a_port_towards_another_designated_bridge() {
        let mut walk = walk();
        let bridge = |last: u8| Value::Bytes(vec![0x80, 1, 0, 0x1b, 0x21, 0, 0, last]);
        for (port, last, state) in [(1, 2, 5), (2, 1, 5), (3, 2, 2), (4, 2, 1)] {
            walk.push(Column::StpDesignatedBridge, vec![port], bridge(last));
            walk.push(Column::StpState, vec![port], Value::Number(state));
        }
        walk.push(Column::StpDesignatedBridge, vec![9], bridge(2));
        let interfaces = Interfaces::read(&walk, Vendor::default());
        let base_ports = (1..=4).map(|port| (port, 10100 + port)).collect();
        let found = designated(&walk, "sw1", &interfaces, &base_ports, &BTreeSet::from([OWN]));
        assert_eq!(
            shown(&found),
            ["Gi0/1 00:1B:21:00:00:02", "Gi0/3 00:1B:21:00:00:02"],
            "also where it blocks; not its own, not a disabled port, not one without an interface"
        );
    }

    #[test]
    fn its_own_bridge_may_have_an_address_that_it_does_not_tell() {
        let mut walk = walk();
        for port in 1..=2_u8 {
            let bridge = Value::Bytes(vec![0x80, 0, 0, 0x1b, 0x21, 0, 0, 7]);
            walk.push(Column::StpDesignatedBridge, vec![u32::from(port)], bridge);
            walk.push(Column::StpDesignatedPort, vec![u32::from(port)], Value::Bytes(vec![0x80, port]));
        }
        let interfaces = Interfaces::read(&walk, Vendor::default());
        let base_ports = (1..=4).map(|port| (port, 10100 + port)).collect();
        let read = |walk: &Walk| designated(walk, "sw1", &interfaces, &base_ports, &BTreeSet::from([OWN]));
        assert!(read(&walk).is_empty());
        walk.push(Column::StpDesignatedBridge, vec![3], Value::Bytes(vec![0x80, 0, 0, 0x1b, 0x21, 0, 0, 8]));
        walk.push(Column::StpDesignatedPort, vec![3], Value::Bytes(vec![0x80, 3]));
        assert_eq!(shown(&read(&walk)), ["Gi0/3 00:1B:21:00:00:08"], "port 3 on both sides is chance");
    }

    #[test]
    fn all_zero_and_short_values_are_nobody() {
        let mut walk = walk();
        walk.push(Column::StpDesignatedBridge, vec![1], Value::Bytes(vec![0; 8]));
        walk.push(Column::StpDesignatedBridge, vec![2], Value::Bytes(vec![0x80]));
        walk.push(Column::StpDesignatedBridge, vec![3], Value::Number(7));
        let interfaces = Interfaces::read(&walk, Vendor::default());
        let base_ports = (1..=4).map(|port| (port, 10100 + port)).collect();
        assert!(designated(&walk, "sw1", &interfaces, &base_ports, &BTreeSet::new()).is_empty());
    }

    #[test]
    fn the_partner_of_a_member() {
        let mut walk = walk();
        for (port, aggregate, last) in [(10101, 5000, 2), (10102, 0, 2), (10103, 5000, 1)] {
            walk.push(Column::LagAttached, vec![port], Value::Number(aggregate));
            walk.push(Column::LagPartner, vec![port], Value::Bytes(vec![0, 0x1b, 0x21, 0, 0, last]));
        }
        let interfaces = Interfaces::read(&walk, Vendor::default());
        assert!(has_aggregates(&walk));
        let found = partners(&walk, "sw1", &interfaces, &BTreeSet::from([OWN]));
        assert_eq!(shown(&found), ["Gi0/1 00:1B:21:00:00:02"]);
    }
}
