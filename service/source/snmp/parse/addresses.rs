//! IP-MIB and IPV6-MIB: ARP and neighbour discovery caches, and the networks the device has an address in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::model::Fact;
use crate::model::scope::is_link_local;
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::{Row, Value, Walk};

use super::interfaces::Interfaces;
use super::text::{address, mac, octets};

/// ipNetToMediaType and ipNetToPhysicalType: invalid.
const TYPE_INVALID: i64 = 2;

/// `InetAddressType` (RFC 4001): ipv4, ipv6, and the two with a zone index behind the address.
const INET_TYPES: std::ops::RangeInclusive<u32> = 1..=4;

/// One fact per cache entry, and how many entries name no address; the tables of several MIBs repeat each other, so each
/// entry is reported once.
pub(crate) fn neighbors(walk: &Walk, interfaces: &Interfaces) -> (Vec<Fact>, usize) {
    let mut seen = BTreeSet::new();
    let mut facts = Vec::new();
    let mut nameless = 0;
    let tables = [
        (Column::ArpPhysAddress, Some(Column::ArpType)),
        (Column::NeighborPhysAddress, Some(Column::NeighborType)),
        (Column::Ipv6PhysAddress, None),
    ];
    let if_indexes = walk.by_index(Column::ArpIfIndex);
    let addresses = walk.by_index(Column::ArpNetAddress);
    for (column, types) in tables {
        // IPV6-MIB numbers interfaces in its own way; it is only for agents that have nothing newer.
        if column == Column::Ipv6PhysAddress && !walk.rows(Column::NeighborPhysAddress).is_empty() {
            continue;
        }
        let types = types.map(|types| walk.by_index(types)).unwrap_or_default();
        for row in walk.rows(column) {
            let index = row.index.as_slice();
            let Some(mac) = row.value.bytes().and_then(mac) else { continue };
            let invalid = types.get(index).and_then(|value| value.number()) == Some(TYPE_INVALID);
            if invalid || mac.is_multicast() {
                continue;
            }
            let declared = || {
                let interface = if_indexes.get(index)?.unsigned()?;
                (column == Column::ArpPhysAddress).then_some((interface, v4(addresses.get(index)?)?))
            };
            let Some((interface, found)) = located(column, index).or_else(declared) else {
                nameless += 1;
                continue;
            };
            let Some(address) = address(&found) else { continue };
            if seen.insert((interface, address, mac)) {
                facts.push(Fact::Neighbor { mac, address, interface: interfaces.name(interface) });
            }
        }
    }
    (facts, nameless)
}

/// Whether the columns with interface and address must be read too, because the index does not hold them.
pub(crate) fn needs_columns(rows: &[Row]) -> bool {
    rows.iter().any(|row| located(Column::ArpPhysAddress, &row.index).is_none())
}

/// Interface and octets of the address in an index.
fn located(column: Column, index: &[u32]) -> Option<(u32, Vec<u8>)> {
    let (interface, rest) = index.split_first()?;
    let found = match column {
        Column::ArpPhysAddress => sized(rest),
        Column::NeighborPhysAddress => typed(rest),
        _ => sized(rest).or_else(|| counted(rest)),
    };
    Some((*interface, found?))
}

/// The octets of a value that is an IPv4 address.
fn v4(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Address(address) => Some(address.octets().to_vec()),
        other => other.bytes().filter(|bytes| bytes.len() == 4).map(<[u8]>::to_vec),
    }
}

/// The networks the device has an address in. Host routes, loopback and link-local addresses are none.
pub(crate) fn networks(walk: &Walk, interfaces: &Interfaces) -> Vec<Fact> {
    let mut found: BTreeMap<IpNet, Option<String>> = BTreeMap::new();
    let mut add = |address: IpAddr, length: u8, index: Option<u32>| {
        let Ok(network) = IpNet::new(address, length) else { return };
        if !is_link_local(address) && length > 0 && length < network.max_prefix_len() {
            let interface = index.and_then(|index| interfaces.name(index));
            found.entry(network.trunc()).or_insert(interface);
        }
    };
    let if_indexes = walk.by_index(Column::AddrIfIndex);
    for row in walk.rows(Column::AddrNetMask) {
        let mask = v4(&row.value).and_then(|octets| <[u8; 4]>::try_from(octets).ok()).map(Ipv4Addr::from);
        let length = mask.and_then(|mask| ipnet::ipv4_mask_to_prefix(mask).ok());
        if let (Some(address), Some(length)) = (plain(&row.index), length) {
            let index = if_indexes.get(row.index.as_slice()).and_then(|value| value.unsigned());
            add(address, length, index);
        }
    }
    let if_indexes = walk.by_index(Column::AddressIfIndex);
    for row in walk.rows(Column::AddressPrefix) {
        // A row pointer into ipAddressPrefixTable, whose index ends with the length (RFC 4293); `0.0` is none.
        let Value::Oid(pointer) = &row.value else { continue };
        let length = pointer.last().and_then(|last| u8::try_from(*last).ok()).unwrap_or(0);
        if let Some(address) = typed_address(&row.index).filter(|_| pointer.len() > 10) {
            let index = if_indexes.get(row.index.as_slice()).and_then(|value| value.unsigned());
            add(address, length, index);
        }
    }
    found.into_iter().map(|(prefix, interface)| Fact::Network { prefix, interface }).collect()
}

/// The device's own network addresses by ifIndex. Neighbours refer to it by them.
pub(crate) fn own(walk: &Walk) -> BTreeMap<u32, BTreeSet<IpAddr>> {
    let mut found: BTreeMap<u32, BTreeSet<IpAddr>> = BTreeMap::new();
    let v4 = walk.rows(Column::AddrIfIndex).iter().map(|row| (plain(&row.index), &row.value));
    let both = walk.rows(Column::AddressIfIndex).iter().map(|row| (typed_address(&row.index), &row.value));
    for (address, index) in v4.chain(both) {
        let (Some(address), Some(index)) = (address, index.unsigned()) else { continue };
        if !is_link_local(address) {
            found.entry(index).or_default().insert(address);
        }
    }
    found
}

/// An address as index components.
fn plain(components: &[u32]) -> Option<IpAddr> {
    address(&octets(components)?)
}

/// See [`typed`].
fn typed_address(components: &[u32]) -> Option<IpAddr> {
    address(&typed(components)?)
}

/// The octets of an address as index components: 4 or 16.
fn sized(components: &[u32]) -> Option<Vec<u8>> {
    octets(components).filter(|octets| matches!(octets.len(), 4 | 16))
}

/// An address behind its length.
fn counted(components: &[u32]) -> Option<Vec<u8>> {
    match components {
        [length, rest @ ..] if usize::try_from(*length) == Ok(rest.len()) => sized(rest),
        _ => None,
    }
}

/// `InetAddressType`, length, address; some agents leave the length out, zoned addresses have four octets more.
fn typed(components: &[u32]) -> Option<Vec<u8>> {
    let [kind, rest @ ..] = components else { return None };
    if !INET_TYPES.contains(kind) {
        return None;
    }
    let address = match rest {
        [length, address @ ..] if usize::try_from(*length) == Ok(address.len()) => address,
        other => other,
    };
    let zoned = *kind > 2;
    sized(if zoned { address.get(..address.len().checked_sub(4)?)? } else { address })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MacAddr;
    use proptest::prelude::*;

    const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

    fn addresses(column: Column, index: &[u32]) -> Vec<String> {
        let mut walk = Walk::default();
        walk.push(column, index.to_vec(), Value::Bytes(MAC.to_vec()));
        let named = |fact: Fact| match fact {
            Fact::Neighbor { address, interface, .. } => {
                format!("{address} on {}", interface.unwrap_or_default())
            }
            other => panic!("{other:?}"),
        };
        neighbors(&walk, &Interfaces::default()).0.into_iter().map(named).collect()
    }

    #[test]
    fn every_table_and_index_shape() {
        let v6: Vec<u32> =
            [0x20, 1, 0xd, 0xb8].into_iter().chain(std::iter::repeat_n(0, 11)).chain([1]).collect();
        let with = |prefix: &[u32], suffix: &[u32]| [prefix, &v6, suffix].concat();
        for (column, index, expected) in [
            (Column::ArpPhysAddress, vec![3, 192, 0, 2, 1], "192.0.2.1 on 3"),
            (Column::NeighborPhysAddress, vec![3, 1, 4, 192, 0, 2, 1], "192.0.2.1 on 3"),
            (Column::NeighborPhysAddress, vec![3, 1, 192, 0, 2, 1], "192.0.2.1 on 3"),
            (Column::NeighborPhysAddress, with(&[3, 2, 16], &[]), "2001:db8::1 on 3"),
            (Column::NeighborPhysAddress, with(&[3, 4, 20], &[0, 0, 0, 7]), "2001:db8::1 on 3"),
            (Column::Ipv6PhysAddress, with(&[3], &[]), "2001:db8::1 on 3"),
            (Column::Ipv6PhysAddress, with(&[3, 16], &[]), "2001:db8::1 on 3"),
        ] {
            assert_eq!(addresses(column, &index), [expected], "{column:?}");
        }
        assert!(addresses(Column::ArpPhysAddress, &[3, 256, 0, 2, 1]).is_empty());
        assert!(addresses(Column::ArpPhysAddress, &[]).is_empty());
    }

    #[test]
    fn a_row_number_takes_interface_and_address_from_their_columns() {
        let mut walk = Walk::default();
        for number in [1, 2, 3] {
            walk.push(Column::ArpPhysAddress, vec![number], Value::Bytes(MAC.to_vec()));
        }
        assert!(needs_columns(walk.rows(Column::ArpPhysAddress)));
        let (facts, nameless) = neighbors(&walk, &Interfaces::default());
        assert_eq!((facts.len(), nameless), (0, 3), "that is said");
        walk.push(Column::ArpIfIndex, vec![1], Value::Number(7));
        walk.push(Column::ArpNetAddress, vec![1], Value::Address([192, 0, 2, 9].into()));
        walk.push(Column::ArpIfIndex, vec![2], Value::Number(7));
        walk.push(Column::ArpNetAddress, vec![2], Value::Bytes(vec![192, 0, 2, 10]));
        let (facts, nameless) = neighbors(&walk, &Interfaces::default());
        assert_eq!((facts.len(), nameless), (2, 1));
        let first = Fact::Neighbor {
            mac: MacAddr::new(MAC),
            address: "192.0.2.9".parse().unwrap(),
            interface: Some("7".to_owned()),
        };
        assert_eq!(facts[0], first);
        let mut usual = Walk::default();
        usual.push(Column::ArpPhysAddress, vec![3, 127, 0, 0, 1], Value::Bytes(MAC.to_vec()));
        assert!(!needs_columns(usual.rows(Column::ArpPhysAddress)));
        assert_eq!(neighbors(&usual, &Interfaces::default()).1, 0, "an address that names nobody is none");
    }

    #[test]
    fn an_entry_in_two_tables_is_one() {
        let mut walk = Walk::default();
        walk.push(Column::ArpPhysAddress, vec![3, 192, 0, 2, 1], Value::Bytes(MAC.to_vec()));
        walk.push(Column::NeighborPhysAddress, vec![3, 1, 4, 192, 0, 2, 1], Value::Bytes(MAC.to_vec()));
        walk.push(Column::ArpPhysAddress, vec![3, 192, 0, 2, 2], Value::Bytes(MAC.to_vec()));
        walk.push(Column::ArpType, vec![3, 192, 0, 2, 2], Value::Number(TYPE_INVALID));
        let (facts, nameless) = neighbors(&walk, &Interfaces::default());
        assert_eq!((facts.len(), nameless), (1, 0));
    }

    #[test]
    fn own_addresses_of_both_tables() {
        let mut walk = Walk::default();
        walk.push(Column::AddrIfIndex, vec![192, 0, 2, 1], Value::Number(3));
        walk.push(Column::AddrIfIndex, vec![127, 0, 0, 1], Value::Number(1));
        walk.push(Column::AddressIfIndex, vec![1, 4, 192, 0, 2, 1], Value::Number(3));
        walk.push(Column::AddressIfIndex, vec![1, 4, 198, 51, 100, 7], Value::Number(4));
        walk.push(Column::AddressIfIndex, vec![1, 4, 169, 254, 0, 1], Value::Number(4));
        let shown: Vec<String> =
            own(&walk).iter().map(|(index, found)| format!("{index} {found:?}")).collect();
        assert_eq!(shown, ["3 {192.0.2.1}", "4 {198.51.100.7}"]);
    }

    #[test]
    fn networks_of_both_tables() {
        let mut walk = Walk::default();
        let mut v4 = |address: [u32; 4], mask: [u8; 4]| {
            walk.push(Column::AddrNetMask, address.to_vec(), Value::Address(mask.into()));
            walk.push(Column::AddrIfIndex, address.to_vec(), Value::Number(3));
        };
        v4([192, 0, 2, 1], [255, 255, 255, 0]);
        v4([127, 0, 0, 1], [255, 0, 0, 0]);
        v4([198, 51, 100, 1], [255, 255, 255, 255]);
        v4([203, 0, 113, 1], [255, 0, 255, 0]);
        let prefix: Vec<u32> = vec![1, 3, 6, 1, 2, 1, 4, 32, 1, 5, 3, 1, 4, 10, 0, 0, 0, 8];
        walk.push(Column::AddressPrefix, vec![1, 4, 10, 1, 2, 3], Value::Oid(prefix));
        walk.push(Column::AddressPrefix, vec![1, 4, 10, 1, 2, 4], Value::Oid(vec![0, 0]));
        let found: Vec<_> = networks(&walk, &Interfaces::default())
            .into_iter()
            .map(|fact| match fact {
                Fact::Network { prefix, interface } => (prefix.to_string(), interface),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, [("10.0.0.0/8".into(), None), ("192.0.2.0/24".into(), Some("3".into()))]);
    }

    proptest! {
        #[test]
        fn random_indexes_never_panic(index in prop::collection::vec(prop_oneof![0_u32..20, any::<u32>()], 0..24), pointer in prop::collection::vec(any::<u32>(), 0..20)) {
            for column in [Column::ArpPhysAddress, Column::NeighborPhysAddress, Column::Ipv6PhysAddress] {
                let _found = addresses(column, &index);
            }
            let mut walk = Walk::default();
            walk.push(Column::AddressPrefix, index, Value::Oid(pointer));
            let _networks = networks(&walk, &Interfaces::default());
        }
    }
}
