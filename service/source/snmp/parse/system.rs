//! What the device itself is: system group, bridge address, chassis in ENTITY-MIB.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::observation::DeviceFact;
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::{Value, Walk};

use super::forwarding::base_ports;
use super::interfaces::Interfaces;
use super::lldp;
use super::text::{mac, text};
use super::vendor::Vendor;

/// `PhysicalClass` (RFC 6933): chassis, stack.
const CLASS_CHASSIS: i64 = 3;
const CLASS_STACK: i64 = 11;

/// The vendor of the agent.
pub(crate) fn vendor(walk: &Walk) -> Vendor {
    let object_id = match walk.scalar(Column::SysObjectId) {
        Some(Value::Oid(oid)) => oid.as_slice(),
        _ => &[],
    };
    Vendor::of(object_id, text(walk.scalar(Column::SysDescr)).as_deref())
}

/// What the device is. `address` is where it was read, if that was given as an address.
pub(crate) fn device(
    walk: &Walk,
    device: &str,
    address: Option<IpAddr>,
    vendor: Vendor,
    interfaces: &Interfaces,
) -> DeviceFact {
    let description = text(walk.scalar(Column::SysDescr));
    let services = walk.scalar(Column::SysServices).and_then(Value::unsigned);
    let chassis = Chassis::read(walk);
    let scalar = |columns: &[Column]| columns.iter().find_map(|column| text(walk.scalar(*column)));
    let announced = walk
        .scalar(Column::LldpLocChassisId)
        .and_then(Value::bytes)
        .map(|bytes| {
            let subtype = walk.scalar(Column::LldpLocChassisSubtype).and_then(Value::number);
            lldp::id(bytes, subtype, lldp::CHASSIS_MAC, lldp::CHASSIS_NETWORK)
        })
        .unwrap_or_default();
    let bridge = walk.scalar(Column::BridgeAddress).and_then(Value::bytes).and_then(mac);
    let macs: BTreeSet<_> = interfaces
        .macs()
        .chain(bridge)
        .chain(announced.mac)
        .filter(|mac| !mac.is_multicast() && !mac.is_zero())
        .collect();
    DeviceFact {
        device: device.to_owned(),
        role: vendor.role(base_ports(walk).len(), services, description.as_deref()),
        own_name: text(walk.scalar(Column::SysName)),
        address,
        description,
        manufacturer: chassis.maker.or_else(|| vendor.manufacturer().map(str::to_owned)),
        model: chassis.model.or_else(|| scalar(&[Column::MikrotikBoard])),
        serial: chassis.serial.or_else(|| {
            scalar(&[Column::MikrotikSerial, Column::JuniperSerial, Column::FortinetSerial, Column::HpSerial])
        }),
        chassis_id: announced.text,
        macs: macs.into_iter().collect(),
        cluster: None,
    }
}

/// What ENTITY-MIB says of the box.
#[derive(Debug, Default)]
struct Chassis {
    serial: Option<String>,
    model: Option<String>,
    maker: Option<String>,
}

impl Chassis {
    /// The first chassis; in a stack that is the first member's. Where no row is a chassis, the table says nothing of the
    /// box: its rows are modules and transceivers.
    fn read(walk: &Walk) -> Self {
        let classes = walk.by_number(Column::EntityClass);
        let serials = walk.by_number(Column::EntitySerial);
        let models = walk.by_number(Column::EntityModel);
        let makers = walk.by_number(Column::EntityMaker);
        let of_class = |class: i64| {
            classes.iter().filter(move |(_, value)| value.number() == Some(class)).map(|(index, _)| *index)
        };
        let boxes: Vec<u32> = of_class(CLASS_CHASSIS).chain(of_class(CLASS_STACK)).collect();
        let first = |column: &std::collections::BTreeMap<u32, &Value>| {
            boxes.iter().find_map(|index| text(column.get(index).copied()).filter(|text| is_said(text)))
        };
        Self { serial: first(&serials), model: first(&models), maker: first(&makers) }
    }
}

/// Agents fill what they do not know with words.
fn is_said(text: &str) -> bool {
    let nothing = ["n/a", "na", "none", "unknown", "not available", "unspecified", "0", "-", "default"];
    !nothing.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(walk: &mut Walk, column: Column, index: u32, value: &[u8]) {
        walk.push(column, vec![index], Value::Bytes(value.to_vec()));
    }

    fn read(walk: &Walk) -> DeviceFact {
        let vendor = vendor(walk);
        device(walk, "sw1", None, vendor, &Interfaces::read(walk, vendor))
    }

    #[test]
    fn the_chassis_is_the_first_that_says_something() {
        let mut walk = Walk::default();
        for (index, class, serial, model) in
            [(1, 11, "", ""), (2, 3, "N/A", "C3750"), (3, 3, "FDO1", "C3750X"), (4, 9, "MOD1", "SFP")]
        {
            walk.push(Column::EntityClass, vec![index], Value::Number(class));
            bytes(&mut walk, Column::EntitySerial, index, serial.as_bytes());
            bytes(&mut walk, Column::EntityModel, index, model.as_bytes());
        }
        let fact = read(&walk);
        assert_eq!((fact.serial.as_deref(), fact.model.as_deref()), (Some("FDO1"), Some("C3750")));
    }

    #[test]
    fn own_addresses_are_collected_once() {
        let mut walk = Walk::default();
        bytes(&mut walk, Column::BridgeAddress, 0, &[2, 0, 0, 0, 0, 1]);
        bytes(&mut walk, Column::IfName, 1, b"ether1");
        bytes(&mut walk, Column::IfPhysAddress, 1, &[2, 0, 0, 0, 0, 1]);
        bytes(&mut walk, Column::IfName, 2, b"lo");
        bytes(&mut walk, Column::IfPhysAddress, 2, &[0; 6]);
        bytes(&mut walk, Column::LldpLocChassisId, 0, b"02:00:00:00:00:02");
        let fact = read(&walk);
        assert_eq!(fact.macs.len(), 2);
        assert_eq!(fact.chassis_id.as_deref(), Some("02:00:00:00:00:02"));
    }

    #[test]
    fn vendors_say_it_in_their_own_scalars() {
        let mut walk = Walk::default();
        walk.push(Column::SysObjectId, vec![0], Value::Oid(vec![1, 3, 6, 1, 4, 1, 14988, 1]));
        bytes(&mut walk, Column::MikrotikSerial, 0, b"8ED5087EB201");
        let fact = read(&walk);
        assert_eq!(
            (fact.manufacturer.as_deref(), fact.serial.as_deref()),
            (Some("MikroTik"), Some("8ED5087EB201"))
        );
    }
}
