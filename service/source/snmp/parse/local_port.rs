//! Which interface an LLDP local port number means: by the local port table's own words first, because IEEE 802.1AB
//! defines the number as dot1dBasePort on a bridge and as ifIndex elsewhere, and agents keep to neither.

use std::collections::BTreeMap;

use crate::source::snmp::column::Column;
use crate::source::snmp::walk::Walk;

use super::interfaces::Interfaces;
use super::text::{mac, text, undeclared_mac};
use super::vendor::Vendor;

/// `LldpPortIdSubtype`: macAddress.
const PORT_MAC: i64 = 3;

/// What the local port numbers of a device mean.
#[derive(Debug, Default)]
pub(crate) struct LocalPorts {
    by_words: BTreeMap<u32, u32>,
    /// Ports named in the local port table that no interface has: the words are all there is.
    words: BTreeMap<u32, String>,
    base_ports: BTreeMap<u32, u32>,
    is_if_index: bool,
}

impl LocalPorts {
    /// Reads lldpLocPortTable.
    pub(crate) fn read(
        walk: &Walk,
        interfaces: &Interfaces,
        base_ports: &BTreeMap<u32, u32>,
        vendor: Vendor,
    ) -> Self {
        let subtypes = walk.by_number(Column::LldpLocPortSubtype);
        let ids = walk.by_number(Column::LldpLocPortId);
        let descriptions = walk.by_number(Column::LldpLocPortDesc);
        let mut by_words = BTreeMap::new();
        let mut words = BTreeMap::new();
        let numbers: std::collections::BTreeSet<u32> =
            ids.keys().chain(descriptions.keys()).copied().collect();
        for number in numbers {
            let id = ids.get(&number).and_then(|value| value.bytes()).unwrap_or_default();
            let declared = subtypes.get(&number).and_then(|subtype| subtype.number());
            let id_mac = if declared == Some(PORT_MAC) { mac(id) } else { undeclared_mac(id) };
            let id_text = text(ids.get(&number).copied()).filter(|_| id_mac.is_none());
            let described = text(descriptions.get(&number).copied());
            let found = [&id_text, &described]
                .into_iter()
                .flatten()
                .find_map(|words| interfaces.by_text(words))
                .or_else(|| interfaces.by_mac(id_mac?));
            if let Some(index) = found {
                by_words.insert(number, index);
            } else if let Some(said) = id_text.or(described) {
                words.insert(number, said);
            }
        }
        // Where the words of some ports agree with one reading of the number, the others follow.
        let agree = |of: &dyn Fn(u32) -> Option<u32>| {
            by_words.iter().filter(|(number, index)| of(**number) == Some(**index)).count()
        };
        let as_base_port = agree(&|number| base_ports.get(&number).copied());
        let as_if_index = agree(&Some);
        let is_if_index = match as_if_index.cmp(&as_base_port) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => vendor.lldp_port_is_if_index(),
        };
        Self { by_words, words, base_ports: base_ports.clone(), is_if_index }
    }

    /// The name of the local port, if the number means one.
    pub(crate) fn name(&self, number: u32, interfaces: &Interfaces) -> Option<String> {
        if number == 0 {
            return None;
        }
        if let Some(index) = self.by_words.get(&number) {
            return interfaces.name(*index);
        }
        let base_port = self.base_ports.get(&number).copied().filter(|index| interfaces.contains(*index));
        let if_index = interfaces.contains(number).then_some(number);
        let index = if self.is_if_index { if_index.or(base_port) } else { base_port.or(if_index) };
        match index {
            Some(index) => interfaces.name(index),
            None => self.words.get(&number).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::walk::Value;

    fn read(walk: &Walk, base: &[(u32, u32)]) -> impl Fn(u32) -> Option<String> {
        let interfaces = Interfaces::read(walk, Vendor::default());
        let ports = LocalPorts::read(walk, &interfaces, &base.iter().copied().collect(), Vendor::default());
        move |number| ports.name(number, &interfaces)
    }

    fn named(walk: &mut Walk, column: Column, number: u32, words: &[u8]) {
        walk.push(column, vec![number], Value::Bytes(words.to_vec()));
    }

    #[test]
    fn the_words_of_the_table_come_first() {
        let mut walk = Walk::default();
        for (index, name) in [(1, "Vlan1"), (10101, "Gi0/1"), (10102, "Gi0/2")] {
            named(&mut walk, Column::IfName, index, name.as_bytes());
        }
        named(&mut walk, Column::LldpLocPortId, 1, b"Gi0/1");
        let name = read(&walk, &[(1, 10101), (2, 10102)]);
        assert_eq!(name(1).as_deref(), Some("Gi0/1"));
        assert_eq!(name(2).as_deref(), Some("Gi0/2"), "base port, as the words of port 1 show");
        assert_eq!(name(0), None);
        assert_eq!(name(9), None);
    }

    #[test]
    fn a_number_follows_the_reading_that_the_words_show() {
        let mut walk = Walk::default();
        for index in 1..=4 {
            named(&mut walk, Column::IfName, index, format!("ether{index}").as_bytes());
        }
        named(&mut walk, Column::LldpLocPortId, 2, b"ether2");
        let name = read(&walk, &[(1, 2), (2, 3), (3, 4)]);
        assert_eq!(name(3).as_deref(), Some("ether3"));
    }

    #[test]
    fn a_mac_names_the_interface_that_alone_has_it() {
        let mut walk = Walk::default();
        named(&mut walk, Column::IfName, 7, b"eth0");
        named(&mut walk, Column::IfPhysAddress, 7, &[0, 0x1f, 0xf2, 7, 0x99, 0x4f]);
        named(&mut walk, Column::LldpLocPortId, 2, &[0, 0x1f, 0xf2, 7, 0x99, 0x4f]);
        assert_eq!(read(&walk, &[])(2).as_deref(), Some("eth0"));
    }

    #[test]
    fn without_interfaces_the_words_are_the_name() {
        let mut walk = Walk::default();
        named(&mut walk, Column::LldpLocPortId, 2, &[0, 0x1f, 0xf2, 7, 0x99, 0x4f]);
        named(&mut walk, Column::LldpLocPortDesc, 2, b"eth0");
        assert_eq!(read(&walk, &[])(2).as_deref(), Some("eth0"));
    }
}
