//! CDP neighbours (CISCO-CDP-MIB), which ProCurve and others serve too.

use crate::model::MacAddr;
use crate::model::observation::{Capability, NeighborFact, NeighborProtocol};
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::{Value, Walk};

use super::interfaces::Interfaces;
use super::text::{address, mac, text, text_of, undeclared_mac};

/// All CDP neighbours of the device; the index is `ifIndex.row`.
pub(crate) fn neighbors(walk: &Walk, device: &str, interfaces: &Interfaces) -> Vec<NeighborFact> {
    let addresses = walk.by_index(Column::CdpAddress);
    let ports = walk.by_index(Column::CdpDevicePort);
    let platforms = walk.by_index(Column::CdpPlatform);
    let versions = walk.by_index(Column::CdpVersion);
    let capabilities = walk.by_index(Column::CdpCapabilities);
    let names = walk.by_index(Column::CdpSysName);
    walk.rows(Column::CdpDeviceId)
        .iter()
        .filter_map(|row| {
            let index = row.index.as_slice();
            let id = row.value.bytes()?;
            let chassis_mac = device_mac(id);
            let chassis_id = if undeclared_mac(id).is_some() { None } else { text_of(id) };
            let port = ports.get(index).and_then(|value| value.bytes()).unwrap_or_default();
            let port_mac = undeclared_mac(port);
            if chassis_mac.is_none() && chassis_id.is_none() {
                return None;
            }
            let named = chassis_id.as_deref().filter(|_| chassis_mac.is_none()).map(without_serial);
            Some(NeighborFact {
                device: device.to_owned(),
                port: index.first().and_then(|number| interfaces.name(*number)),
                protocol: NeighborProtocol::Cdp,
                chassis_mac,
                port_id: port_mac.map_or_else(|| text_of(port), |mac| Some(mac.to_string())),
                port_mac,
                port_description: None,
                system_name: text(names.get(index).copied()).or_else(|| named.map(str::to_owned)),
                system_description: text(platforms.get(index).copied())
                    .or_else(|| text(versions.get(index).copied())),
                addresses: addresses.get(index).and_then(|value| address_of(value)).into_iter().collect(),
                capabilities: capabilities.get(index).map(|value| flags(value)).unwrap_or_default(),
                chassis_id,
            })
        })
        .collect()
}

/// Small-business switches and telephones send their MAC as the device id, often without separators.
fn device_mac(id: &[u8]) -> Option<MacAddr> {
    let bare = id.len() == 12 && id.iter().all(u8::is_ascii_hexdigit);
    if bare { mac(id) } else { undeclared_mac(id) }
}

/// NX-OS and `CatOS` append the serial number: `switch(FOX1234567A)`.
fn without_serial(id: &str) -> &str {
    match id.split_once('(') {
        Some((name, rest)) if rest.ends_with(')') && !name.is_empty() => name,
        _ => id,
    }
}

fn address_of(value: &Value) -> Option<std::net::IpAddr> {
    match value {
        Value::Address(v4) => address(&v4.octets()),
        other => address(other.bytes()?),
    }
}

/// cdpCacheCapabilities: the last octet holds router 1, bridges 2 and 4, switch 8, host 0x10, repeater 0x40, phone 0x80.
fn flags(value: &Value) -> Vec<Capability> {
    let bits = match value {
        Value::Bytes(bytes) => bytes.last().copied().unwrap_or(0),
        other => other.number().and_then(|number| u8::try_from(number & 0xff).ok()).unwrap_or(0),
    };
    let mut found: Vec<Capability> = [
        (0x0e, Capability::Bridge),
        (0x01, Capability::Router),
        (0x80, Capability::Telephone),
        (0x10, Capability::Station),
        (0x40, Capability::Other),
    ]
    .into_iter()
    .filter(|(mask, _)| bits & mask != 0)
    .map(|(_, capability)| capability)
    .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::parse::vendor::Vendor;
    use proptest::prelude::*;

    fn read(rows: &[(Column, &[u8])]) -> Vec<NeighborFact> {
        let mut walk = Walk::default();
        walk.push(Column::IfName, vec![7], Value::Bytes(b"7".to_vec()));
        for (column, value) in rows {
            walk.push(*column, vec![7, 1], Value::Bytes(value.to_vec()));
        }
        neighbors(&walk, "sw1", &Interfaces::read(&walk, Vendor::default()))
    }

    #[test]
    fn ids_are_names_or_macs() {
        let fact =
            read(&[(Column::CdpDeviceId, b"n3k(FOX1234567A)"), (Column::CdpDevicePort, b"Ethernet1/49")])
                .remove(0);
        assert_eq!(fact.system_name.as_deref(), Some("n3k"));
        assert_eq!(fact.chassis_id.as_deref(), Some("n3k(FOX1234567A)"));
        assert_eq!(fact.port.as_deref(), Some("7"));
        for id in [&b"204c9e6e08fe"[..], b"20:4c:9e:6e:08:fe", &[0x20, 0x4c, 0x9e, 0x6e, 8, 0xfe]] {
            let fact = read(&[(Column::CdpDeviceId, id)]).remove(0);
            assert_eq!(fact.chassis_mac.map(MacAddr::lower).as_deref(), Some("20:4c:9e:6e:08:fe"));
            assert_eq!(fact.system_name, None);
        }
    }

    #[test]
    fn a_port_may_be_a_mac() {
        let fact = read(&[
            (Column::CdpDeviceId, b"host"),
            (Column::CdpDevicePort, &[0, 0x1f, 0xf2, 7, 0x99, 0x4f]),
            (Column::CdpAddress, &[192, 0, 2, 1]),
            (Column::CdpCapabilities, &[0, 0, 0, 0x29]),
        ])
        .remove(0);
        assert_eq!(fact.port_id.as_deref(), Some("00:1F:F2:07:99:4F"));
        assert_eq!(fact.addresses.len(), 1);
        assert_eq!(fact.capabilities, [Capability::Bridge, Capability::Router]);
    }

    proptest! {
        #[test]
        fn total(id: Vec<u8>, port: Vec<u8>, address: Vec<u8>) {
            let _facts = read(&[(Column::CdpDeviceId, &id), (Column::CdpDevicePort, &port), (Column::CdpAddress, &address)]);
        }
    }
}
