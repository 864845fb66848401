//! LLDP neighbours: LLDP-MIB, its 2009 successor, and the tables of SR OS and TP-Link. A third of real rows have no system name, many
//! declare one kind of id and send another, and some name no local port.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::MacAddr;
use crate::model::observation::{Capability, NeighborFact, NeighborProtocol};
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::{Value, Walk};

use super::interfaces::Interfaces;
use super::local_port::LocalPorts;
use super::text::{address, mac, names_somebody, octets, text, text_of, undeclared_mac};

/// `LldpChassisIdSubtype`: macAddress, networkAddress.
pub(crate) const CHASSIS_MAC: i64 = 4;
/// See [`CHASSIS_MAC`].
pub(crate) const CHASSIS_NETWORK: i64 = 5;
/// `LldpPortIdSubtype`: macAddress, networkAddress.
const PORT_MAC: i64 = 3;
const PORT_NETWORK: i64 = 4;

/// `lldpXMedRemDeviceClass`: endpointClass3.
const MED_COMMUNICATION_DEVICE: i64 = 3;

/// `AddressFamilyNumbers` (IANA): IPv4 and IPv6.
const FAMILY_IPV4: u32 = 1;
const FAMILY_IPV6: u32 = 2;

/// The columns of one edition of the MIB.
struct Edition {
    chassis_subtype: Column,
    chassis_id: Column,
    port_subtype: Column,
    port_id: Column,
    port_desc: Column,
    sys_name: Column,
    sys_desc: Column,
    cap_supported: Column,
    cap_enabled: Column,
    man_addr: Column,
    /// How many components a row's index has: `timeMark.localPortNum.index`, or with the destination address.
    index_len: usize,
    /// Whether the second component is an ifIndex by definition.
    by_if_index: bool,
}

const LLDP_2005: Edition = Edition {
    chassis_subtype: Column::LldpChassisSubtype,
    chassis_id: Column::LldpChassisId,
    port_subtype: Column::LldpPortSubtype,
    port_id: Column::LldpPortId,
    port_desc: Column::LldpPortDesc,
    sys_name: Column::LldpSysName,
    sys_desc: Column::LldpSysDesc,
    cap_supported: Column::LldpCapSupported,
    cap_enabled: Column::LldpCapEnabled,
    man_addr: Column::LldpManAddr,
    index_len: 3,
    by_if_index: false,
};

const LLDP_2009: Edition = Edition {
    chassis_subtype: Column::Lldp2ChassisSubtype,
    chassis_id: Column::Lldp2ChassisId,
    port_subtype: Column::Lldp2PortSubtype,
    port_id: Column::Lldp2PortId,
    port_desc: Column::Lldp2PortDesc,
    sys_name: Column::Lldp2SysName,
    sys_desc: Column::Lldp2SysDesc,
    cap_supported: Column::Lldp2CapSupported,
    cap_enabled: Column::Lldp2CapEnabled,
    man_addr: Column::Lldp2ManAddr,
    index_len: 4,
    by_if_index: true,
};

const TIMETRA: Edition = Edition {
    chassis_subtype: Column::TimetraChassisSubtype,
    chassis_id: Column::TimetraChassisId,
    port_subtype: Column::TimetraPortSubtype,
    port_id: Column::TimetraPortId,
    port_desc: Column::TimetraPortDesc,
    sys_name: Column::TimetraSysName,
    sys_desc: Column::TimetraSysDesc,
    cap_supported: Column::TimetraCapSupported,
    cap_enabled: Column::TimetraCapEnabled,
    man_addr: Column::TimetraManAddr,
    index_len: 4,
    by_if_index: true,
};

/// An id as its subtype says, or as it looks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Id {
    /// The address, where it is one.
    pub(crate) mac: Option<MacAddr>,
    /// As text.
    pub(crate) text: Option<String>,
    /// The network address, where it is one.
    pub(crate) address: Option<IpAddr>,
}

/// All LLDP neighbours of the device.
pub(crate) fn neighbors(
    walk: &Walk,
    device: &str,
    interfaces: &Interfaces,
    local_ports: &LocalPorts,
) -> Vec<NeighborFact> {
    let editions = [LLDP_2005, LLDP_2009, TIMETRA];
    let mut found = editions.iter().map(|one| edition(walk, one, device, interfaces, local_ports));
    found.find(|found| !found.is_empty()).unwrap_or_else(|| tp_link(walk, device, interfaces))
}

fn edition(
    walk: &Walk,
    edition: &Edition,
    device: &str,
    interfaces: &Interfaces,
    local_ports: &LocalPorts,
) -> Vec<NeighborFact> {
    let chassis_subtypes = walk.by_index(edition.chassis_subtype);
    let port_subtypes = walk.by_index(edition.port_subtype);
    let port_ids = walk.by_index(edition.port_id);
    let port_descriptions = walk.by_index(edition.port_desc);
    let names = walk.by_index(edition.sys_name);
    let descriptions = walk.by_index(edition.sys_desc);
    let supported = walk.by_index(edition.cap_supported);
    let enabled = walk.by_index(edition.cap_enabled);
    let classes = walk.by_index(Column::MedDeviceClass);
    let mut managed = management(walk, edition);

    walk.rows(edition.chassis_id)
        .iter()
        .map(|row| {
            let index = row.index.as_slice();
            let bytes = |value: Option<&&Value>| value.and_then(|value| value.bytes()).map(<[u8]>::to_vec);
            let chassis = id(
                row.value.bytes().unwrap_or_default(),
                chassis_subtypes.get(index).and_then(|subtype| subtype.number()),
                CHASSIS_MAC,
                CHASSIS_NETWORK,
            );
            let port = id(
                &bytes(port_ids.get(index)).unwrap_or_default(),
                port_subtypes.get(index).and_then(|subtype| subtype.number()),
                PORT_MAC,
                PORT_NETWORK,
            );
            // An index with fewer components names no local port: RouterOS and Cambium number the rows, and what the
            // other component of two means differs between agents.
            let local = match index {
                [_, number, ..] if index.len() == edition.index_len => Some(*number),
                _ => None,
            };
            let port_name = local.and_then(|number| {
                if edition.by_if_index {
                    interfaces.name(number)
                } else {
                    local_ports.name(number, interfaces)
                }
            });
            let mut addresses = managed.remove(index).unwrap_or_default();
            addresses.extend(chassis.address);
            addresses.sort_unstable();
            addresses.dedup();
            let flags = [&enabled, &supported]
                .into_iter()
                .filter_map(|column| column.get(index)?.bytes())
                .map(capabilities)
                .find(|flags| !flags.is_empty());
            NeighborFact {
                device: device.to_owned(),
                port: port_name,
                protocol: NeighborProtocol::Lldp,
                chassis_mac: chassis.mac,
                chassis_id: chassis.text.filter(|_| chassis.mac.is_none()),
                port_id: port.text,
                port_mac: port.mac,
                port_description: text(port_descriptions.get(index).copied()),
                system_name: text(names.get(index).copied()),
                system_description: text(descriptions.get(index).copied()),
                addresses,
                capabilities: with_class(flags.unwrap_or_default(), classes.get(index).copied()),
            }
        })
        .filter(|fact| fact.chassis_mac.is_some() || fact.chassis_id.is_some() || fact.system_name.is_some())
        .collect()
}

/// An id by its subtype; agents that declare a MAC and send text are believed by what they send.
pub(crate) fn id(bytes: &[u8], subtype: Option<i64>, mac_subtype: i64, network_subtype: i64) -> Id {
    if subtype == Some(network_subtype)
        && let Some(found) = network_address(bytes)
    {
        return Id { text: Some(found.to_string()), address: Some(found), mac: None };
    }
    let found = if subtype == Some(mac_subtype) { mac(bytes) } else { undeclared_mac(bytes) };
    match found {
        Some(mac) => Id { text: Some(mac.to_string()), mac: Some(mac), address: None },
        None => Id { text: readable(bytes), mac: None, address: None },
    }
}

/// An id that is declared to be a network address: its family and octets (IEEE 802.1AB 8.5.2.3), or as some agents send it,
/// the octets alone, or text. Octets that can all be letters are more likely a name.
fn network_address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes {
        [1, rest @ ..] if rest.len() == 4 => return address(rest),
        [2, rest @ ..] if rest.len() == 16 => return address(rest),
        _ => {}
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let said = bytes.get(..end)?;
    if !said.is_empty() && said.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        text_of(said)?.parse().ok().filter(|found| names_somebody(*found))
    } else {
        address(bytes)
    }
}

/// Text, or hexadecimal digits where the octets are none.
fn readable(bytes: &[u8]) -> Option<String> {
    let shown = text_of(bytes)?;
    if shown.chars().any(char::is_control) { Some(hex::encode(bytes)) } else { Some(shown) }
}

/// Management addresses by the index of the row they belong to:
/// `timeMark.localPortNum.index.subtype.length.address` (IEEE 802.1AB, lldpRemManAddrTable).
fn management<'a>(walk: &'a Walk, edition: &Edition) -> BTreeMap<&'a [u32], Vec<IpAddr>> {
    let mut managed: BTreeMap<&[u32], Vec<IpAddr>> = BTreeMap::new();
    for row in walk.rows(edition.man_addr) {
        let Some((key, rest)) = row.index.split_at_checked(edition.index_len) else { continue };
        let [family, components @ ..] = rest else { continue };
        // Some agents leave the length out.
        let components = match components {
            [length, rest @ ..] if usize::try_from(*length) == Ok(rest.len()) => rest,
            other => other,
        };
        let wanted = match *family {
            FAMILY_IPV4 => 4,
            FAMILY_IPV6 => 16,
            _ => continue,
        };
        // Edgecore appends a zero to an IPv4 address.
        let found = components.get(..wanted).and_then(octets).and_then(|octets| address(&octets));
        if let Some(found) = found {
            managed.entry(key).or_default().push(found);
        }
    }
    managed
}

/// `LldpSystemCapabilitiesMap`: BITS, the first bit is the highest of the first octet.
fn capabilities(bits: &[u8]) -> Vec<Capability> {
    const NAMES: [Capability; 8] = [
        Capability::Other,
        Capability::Other,
        Capability::Bridge,
        Capability::WlanAccessPoint,
        Capability::Router,
        Capability::Telephone,
        Capability::Other,
        Capability::Station,
    ];
    let first = bits.first().copied().unwrap_or(0);
    let mut found: Vec<Capability> = NAMES
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| first & (0x80 >> bit) != 0)
        .map(|(_, name)| name)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// LLDP-MED names telephones that set no capability: class III is a communication device (ANSI/TIA-1057 10.2.2).
fn with_class(mut capabilities: Vec<Capability>, class: Option<&Value>) -> Vec<Capability> {
    if class.and_then(Value::number) == Some(MED_COMMUNICATION_DEVICE)
        && !capabilities.contains(&Capability::Telephone)
    {
        capabilities.push(Capability::Telephone);
        capabilities.sort_unstable();
    }
    capabilities
}

/// TPLINK-LLDPINFO-MIB, indexed by `ifIndex.row`; everything is text.
fn tp_link(walk: &Walk, device: &str, interfaces: &Interfaces) -> Vec<NeighborFact> {
    let column = |column| walk.by_index(column);
    let port_ids = column(Column::TpLinkPortId);
    let port_descriptions = column(Column::TpLinkPortDesc);
    let names = column(Column::TpLinkSysName);
    let descriptions = column(Column::TpLinkSysDesc);
    let enabled = column(Column::TpLinkCapEnabled);
    let addresses = column(Column::TpLinkManAddr);
    walk.rows(Column::TpLinkChassisId)
        .iter()
        .map(|row| {
            let index = row.index.as_slice();
            let chassis = row.value.bytes().unwrap_or_default();
            let flags = text(enabled.get(index).copied()).unwrap_or_default().to_ascii_lowercase();
            let capabilities = [
                ("bridge", Capability::Bridge),
                ("router", Capability::Router),
                ("wlan", Capability::WlanAccessPoint),
                ("telephone", Capability::Telephone),
                ("station", Capability::Station),
            ];
            let port_id = port_ids.get(index).and_then(|value| value.bytes()).unwrap_or_default();
            let chassis_mac = mac(chassis);
            NeighborFact {
                device: device.to_owned(),
                port: index.first().and_then(|number| interfaces.name(*number)),
                protocol: NeighborProtocol::Lldp,
                chassis_mac,
                chassis_id: text_of(chassis).filter(|_| chassis_mac.is_none()),
                port_id: text_of(port_id),
                port_mac: undeclared_mac(port_id),
                port_description: text(port_descriptions.get(index).copied()),
                system_name: text(names.get(index).copied()),
                system_description: text(descriptions.get(index).copied()),
                addresses: text(addresses.get(index).copied())
                    .and_then(|text| tp_link_address(&text))
                    .into_iter()
                    .collect(),
                capabilities: capabilities
                    .into_iter()
                    .filter(|(word, _)| flags.contains(word))
                    .map(|(_, capability)| capability)
                    .collect(),
            }
        })
        .filter(|fact| fact.chassis_mac.is_some() || fact.chassis_id.is_some())
        .collect()
}

/// TP-Link writes IPv4 addresses as `::192.0.2.1`.
fn tp_link_address(text: &str) -> Option<IpAddr> {
    let found: IpAddr =
        text.strip_prefix("::").filter(|rest| rest.contains('.')).unwrap_or(text).parse().ok()?;
    names_somebody(found).then_some(found)
}

#[cfg(test)]
#[path = "lldp_tests.rs"]
mod tests;
