//! The meaning of a forwarding table's port column. The MIBs say dot1dBasePort; one device in nine means ifIndex or
//! something of its own. Read blindly, the wrong one gives a plausible wrong port, so it is decided per table, by what
//! the device itself shows, and a number that cannot be resolved stays a number.

use std::collections::{BTreeMap, BTreeSet};

use super::interfaces::Interfaces;
use super::vendor::Reading;

/// What the numbers of one table mean.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    reading: Reading,
    /// Numbers that both readings resolve, to different ports, where neither reading is certain.
    doubtful: BTreeSet<u32>,
}

/// Two numbers that the device itself equates: the port column of a row whose address is an interface's own.
pub(crate) type Evidence = (u32, u32);

impl Meaning {
    /// The ifIndex of a port, if it resolves to one.
    pub(crate) fn if_index(
        &self,
        port: u32,
        base_ports: &BTreeMap<u32, u32>,
        interfaces: &Interfaces,
    ) -> Option<u32> {
        if self.doubtful.contains(&port) {
            return None;
        }
        resolve(self.reading, port, base_ports, interfaces)
    }
}

fn resolve(
    reading: Reading,
    port: u32,
    base_ports: &BTreeMap<u32, u32>,
    interfaces: &Interfaces,
) -> Option<u32> {
    match reading {
        Reading::BasePort => {
            // Where there is no interface table at all, the base-port table is believed as it is.
            base_ports
                .get(&port)
                .copied()
                .filter(|index| interfaces.contains(*index) || interfaces.is_empty())
        }
        Reading::IfIndex => interfaces.contains(port).then_some(port),
        Reading::Offset(offset) => port.checked_add(offset).filter(|index| interfaces.contains(*index)),
    }
}

/// Decides what the numbers mean.
///
/// A reading is right if it resolves every number. Where several do, the device's own evidence decides, then what is
/// known of the vendor, then the MIB. Where none does, the one that resolves clearly more is used for what it resolves;
/// numbers that would mean two different ports are left unresolved.
pub(crate) fn decide(
    ports: &BTreeSet<u32>,
    base_ports: &BTreeMap<u32, u32>,
    interfaces: &Interfaces,
    vendor: Option<Reading>,
    evidence: &BTreeSet<Evidence>,
) -> Meaning {
    let resolved = |reading, port| resolve(reading, port, base_ports, interfaces);
    let resolves_all = |reading| ports.iter().all(|port| resolved(reading, *port).is_some());
    let agrees =
        |reading| evidence.iter().filter(|(port, index)| resolved(reading, *port) == Some(*index)).count();
    let certain = |reading| Meaning { reading, doubtful: BTreeSet::new() };

    let standard = [Reading::BasePort, Reading::IfIndex];
    let shown = standard.map(agrees);
    for (reading, own, other) in
        [(Reading::BasePort, shown[0], shown[1]), (Reading::IfIndex, shown[1], shown[0])]
    {
        if own > 0 && other == 0 && resolves_all(reading) {
            return certain(reading);
        }
    }
    for reading in vendor.into_iter().chain(standard) {
        if resolves_all(reading) {
            return certain(reading);
        }
    }

    let differing = || {
        ports.iter().copied().filter(|port| {
            let [by_base, by_index] = standard.map(|reading| resolved(reading, *port));
            by_base.is_some() && by_index.is_some() && by_base != by_index
        })
    };
    let [by_base, by_index] =
        standard.map(|reading| ports.iter().filter(|port| resolved(reading, **port).is_some()).count());
    match () {
        () if shown[0] > shown[1] => certain(Reading::BasePort),
        () if shown[1] > shown[0] => certain(Reading::IfIndex),
        // No conflict, or the MIB's reading holds at least as often: what is left over are internal ports and
        // aggregates the table does not list.
        () if by_base > 0 && (by_base >= by_index || differing().next().is_none()) => {
            certain(Reading::BasePort)
        }
        // Nearly everything is an ifIndex and hardly anything a base port.
        () if by_index * 2 > ports.len() && by_index >= by_base * 2 => certain(Reading::IfIndex),
        () => Meaning { reading: Reading::BasePort, doubtful: differing().collect() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::column::Column;
    use crate::source::snmp::parse::vendor::Vendor;
    use crate::source::snmp::walk::{Value, Walk};
    use proptest::prelude::*;

    fn interfaces(indexes: impl IntoIterator<Item = u32>) -> Interfaces {
        let mut walk = Walk::default();
        for index in indexes {
            walk.push(Column::IfName, vec![index], Value::Bytes(format!("ether{index}").into_bytes()));
        }
        Interfaces::read(&walk, Vendor::default())
    }

    fn decided(
        ports: &[u32],
        base: &[(u32, u32)],
        indexes: &[u32],
        vendor: Option<Reading>,
        evidence: &[Evidence],
    ) -> Vec<Option<u32>> {
        let interfaces = interfaces(indexes.iter().copied());
        let base = base.iter().copied().collect();
        let meaning = decide(
            &ports.iter().copied().collect(),
            &base,
            &interfaces,
            vendor,
            &evidence.iter().copied().collect(),
        );
        ports.iter().map(|port| meaning.if_index(*port, &base, &interfaces)).collect()
    }

    #[test]
    fn the_mib_is_followed_where_it_resolves_everything() {
        assert_eq!(
            decided(&[1, 2], &[(1, 10101), (2, 10102)], &[1, 10101, 10102], None, &[]),
            [Some(10101), Some(10102)]
        );
    }

    #[test]
    fn an_if_index_is_taken_where_only_that_resolves_everything() {
        assert_eq!(
            decided(&[9, 21, 22], &[(21, 10), (22, 8)], &[8, 9, 10, 21, 22], None, &[]),
            [Some(9), Some(21), Some(22)]
        );
    }

    #[test]
    fn the_vendor_decides_where_both_look_right() {
        let base = [(1, 2), (2, 3)];
        assert_eq!(decided(&[1, 2], &base, &[1, 2, 3], Some(Reading::IfIndex), &[]), [Some(1), Some(2)]);
        assert_eq!(decided(&[1, 2], &base, &[1, 2, 3], None, &[]), [Some(2), Some(3)]);
    }

    #[test]
    fn the_device_itself_decides_before_the_vendor() {
        let base = [(1, 2), (2, 3)];
        assert_eq!(decided(&[1, 2], &base, &[1, 2, 3], None, &[(2, 2)]), [Some(1), Some(2)]);
        assert_eq!(
            decided(&[1, 2], &base, &[1, 2, 3], Some(Reading::IfIndex), &[(2, 3)]),
            [Some(2), Some(3)]
        );
    }

    #[test]
    fn an_offset_is_used_only_if_it_explains_everything() {
        let offset = Some(Reading::Offset(49152));
        assert_eq!(
            decided(&[1, 2], &[(49153, 49153)], &[1, 49153, 49154], offset, &[]),
            [Some(49153), Some(49154)]
        );
        assert_eq!(decided(&[49153], &[(49153, 49153)], &[1, 49153], offset, &[]), [Some(49153)]);
    }

    #[test]
    fn internal_ports_stay_numbers() {
        assert_eq!(
            decided(&[3, 53, 32768], &[(3, 3), (9, 9)], &[3, 9, 53], None, &[]),
            [Some(3), None, None]
        );
    }

    #[test]
    fn a_number_that_could_be_two_ports_is_not_guessed() {
        let found = decided(&[1, 2, 3, 77], &[(1, 2)], &[1, 2, 3], None, &[]);
        assert_eq!(found[0], Some(1), "nearly everything is an ifIndex");
        let found = decided(&[1, 2, 3, 77, 78, 79], &[(1, 2), (2, 3)], &[1, 2, 3], None, &[]);
        assert_eq!(found, [None, None, None, None, None, None]);
    }

    proptest! {
        #[test]
        fn total(ports in prop::collection::btree_set(0_u32..40, 0..12), base in prop::collection::btree_map(0_u32..40, 0_u32..40, 0..12),
                 indexes in prop::collection::btree_set(0_u32..40, 0..20), vendor in 0_u8..4) {
            let interfaces = interfaces(indexes);
            let vendor = [None, Some(Reading::IfIndex), Some(Reading::BasePort), Some(Reading::Offset(u32::MAX))][usize::from(vendor)];
            let meaning = decide(&ports, &base, &interfaces, vendor, &BTreeSet::new());
            for port in ports {
                if let Some(index) = meaning.if_index(port, &base, &interfaces) {
                    prop_assert!(interfaces.contains(index) || interfaces.is_empty());
                }
            }
        }
    }
}
