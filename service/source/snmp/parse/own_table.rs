//! Forwarding tables of vendors' own MIBs, for vendors whose standard tables say less: without VLANs, or nothing. They name
//! ports by ifIndex, so nothing needs to be decided.

use crate::model::MacAddr;
use crate::source::snmp::column::Column;
use crate::source::snmp::walk::{Row, Walk};

use super::text::octets;
use super::vlans::vlan;

/// slMacDomain: the address was learned in a VLAN.
const DOMAIN_VLAN: u32 = 1;
/// slLocaleType: the address was learned at the access point of a service, which is on a port.
const LOCALE_ACCESS: u32 = 1;
/// slMacAddressGblManagement: a group address.
const STATIC_MULTICAST: i64 = 5;

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnRow {
    /// The learned address.
    pub(crate) mac: MacAddr,
    /// The port.
    pub(crate) if_index: u32,
    /// The VLAN.
    pub(crate) vlan: Option<u16>,
}

/// The rows of all such tables.
pub(crate) fn read(walk: &Walk) -> Vec<OwnRow> {
    let huawei = walk.rows(Column::HuaweiFdbPort).iter().filter_map(huawei);
    let aos = walk.rows(Column::AosFdbManagement).iter().filter_map(aos);
    huawei.chain(aos).filter(|row| row.if_index > 0).collect()
}

/// hwDynFdbPort: `mac.vlan.vsiName`, and the port as value. VLAN 0 where the name of a virtual switch says it all.
fn huawei(row: &Row) -> Option<OwnRow> {
    let (address, rest) = row.index.split_at_checked(6)?;
    Some(OwnRow { mac: address_of(address)?, if_index: row.value.unsigned()?, vlan: vlan(*rest.first()?) })
}

/// slMacAddressGblManagement: `domain.locale.origin.service.sub.mac`. In a VLAN the origin is the port and the service the
/// VLAN; at the access point of a service the origin is the port and the VLAN of the frames is not that of the port.
fn aos(row: &Row) -> Option<OwnRow> {
    let [domain, locale, origin, service, _, address @ ..] = row.index.as_slice() else { return None };
    if row.value.number() == Some(STATIC_MULTICAST) {
        return None;
    }
    let vlan = match (*domain, *locale) {
        (DOMAIN_VLAN, _) => vlan(*service),
        (_, LOCALE_ACCESS) => None,
        _ => return None,
    };
    Some(OwnRow { mac: address_of(address)?, if_index: *origin, vlan })
}

fn address_of(components: &[u32]) -> Option<MacAddr> {
    MacAddr::from_slice(&octets(components)?).filter(|mac| !mac.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::walk::Value;
    use proptest::prelude::*;

    fn rows(column: Column, index: &[u32], value: i64) -> Vec<(String, u32, Option<u16>)> {
        let mut walk = Walk::default();
        walk.push(column, index.to_vec(), Value::Number(value));
        read(&walk).into_iter().map(|row| (row.mac.to_string(), row.if_index, row.vlan)).collect()
    }

    #[test]
    fn huawei_rows_have_vlan_and_port() {
        let found = |index: &[u32], value| rows(Column::HuaweiFdbPort, index, value);
        let mac = "02:00:00:00:00:01".to_owned();
        assert_eq!(found(&[2, 0, 0, 0, 0, 1, 400, 1, 48], 52), [(mac.clone(), 52, Some(400))]);
        assert_eq!(found(&[2, 0, 0, 0, 0, 1, 0, 3, 118, 115, 105], 52), [(mac, 52, None)]);
        assert!(found(&[2, 0, 0, 0, 0, 1, 400, 1, 48], 0).is_empty(), "no port");
        assert!(found(&[2, 0, 0, 0, 0, 1], 52).is_empty());
        assert!(found(&[2, 0, 0, 0, 0, 256, 400, 1, 48], 52).is_empty());
    }

    #[test]
    fn aos_rows_have_all_in_the_index() {
        let found = |index: &[u32], value| rows(Column::AosFdbManagement, index, value);
        let mac = "02:00:00:00:00:01".to_owned();
        assert_eq!(
            found(&[1, 0, 40_000_001, 20, 0, 2, 0, 0, 0, 0, 1], 4),
            [(mac.clone(), 40_000_001, Some(20))]
        );
        assert_eq!(found(&[3, 1, 1001, 32_000, 20, 2, 0, 0, 0, 0, 1], 4), [(mac, 1001, None)]);
        assert!(found(&[3, 2, 7, 32_000, 20, 2, 0, 0, 0, 0, 1], 4).is_empty(), "behind a tunnel");
        assert!(found(&[1, 0, 1001, 20, 0, 2, 0, 0, 0, 0, 1], STATIC_MULTICAST).is_empty());
    }

    proptest! {
        #[test]
        fn random_rows_never_panic(index in prop::collection::vec(prop_oneof![0_u32..8, 0_u32..300, any::<u32>()], 0..14), value in any::<i64>()) {
            for column in [Column::HuaweiFdbPort, Column::AosFdbManagement] {
                for (_, if_index, vlan) in rows(column, &index, value) {
                    prop_assert!(if_index > 0 && vlan.is_none_or(|vlan| (1..=4094).contains(&vlan)));
                }
            }
        }
    }
}
