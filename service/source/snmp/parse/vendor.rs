//! What is known of particular vendors, by the enterprise number in sysObjectID. Each line is a deviation seen in real
//! walks; everything else follows the MIBs.

use crate::model::observation::DeviceRole;
use crate::source::snmp::column::Column;

/// Which agent answers: its sysObjectID below `1.3.6.1.4.1`, and what it says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Vendor {
    enterprise: u32,
    product: u32,
    nx_os: bool,
}

/// How the number in a forwarding table's port column is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// dot1dBasePort, as the MIBs say.
    BasePort,
    /// ifIndex.
    IfIndex,
    /// ifIndex less a constant.
    Offset(u32),
}

/// Which of the two forwarding tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// dot1dTpFdbTable of BRIDGE-MIB.
    Bridge,
    /// dot1qTpFdbTable of Q-BRIDGE-MIB.
    VlanBridge,
}

const ENTERPRISES: &[u32] = &[1, 3, 6, 1, 4, 1];
const CISCO: u32 = 9;
const MIKROTIK: u32 = 14988;
const ALCATEL_LUCENT_ENTERPRISE: u32 = 6486;
const TP_LINK: u32 = 11863;
const JUNIPER: u32 = 2636;
const NET_SNMP: u32 = 8072;
const TIMETRA: u32 = 6527;
const HUAWEI: u32 = 2011;
const H3C: u32 = 25506;

/// TP-Link JetStream: ifIndex = port + 49152; the base-port table is keyed by the ifIndex.
const JETSTREAM_OFFSET: u32 = 49152;

impl Vendor {
    /// From sysObjectID and sysDescr.
    pub(crate) fn of(object_id: &[u32], description: Option<&str>) -> Self {
        let below = object_id.strip_prefix(ENTERPRISES).unwrap_or(&[]);
        Self {
            enterprise: below.first().copied().unwrap_or(0),
            product: below.get(1).copied().unwrap_or(0),
            nx_os: description.is_some_and(|text| text.contains("NX-OS")),
        }
    }

    /// How this vendor fills the port column, where it differs from the MIB or where both readings can look right.
    pub(crate) fn reading(self, table: Table) -> Option<Reading> {
        match (self.enterprise, self.product, table) {
            // RouterOS (14988.1): seen in 3 of 3 dot1d tables and 6 of 6 dot1q tables. `SwOS` (14988.2) follows the MIB.
            // AOS 6 (6486.800) does the reverse.
            (MIKROTIK, 1, Table::Bridge) | (ALCATEL_LUCENT_ENTERPRISE, 800, Table::VlanBridge) => {
                Some(Reading::IfIndex)
            }
            (MIKROTIK, 1, Table::VlanBridge) => Some(Reading::BasePort),
            (TP_LINK, _, _) => Some(Reading::Offset(JETSTREAM_OFFSET)),
            _ => None,
        }
    }

    /// Whether lldpRemLocalPortNum is an ifIndex although the device is a bridge (RouterOS).
    pub(crate) fn lldp_port_is_if_index(self) -> bool {
        self.enterprise == MIKROTIK || self.enterprise == JUNIPER
    }

    /// Whether people type the interface names, so that they say nothing about the kind (RouterOS, `SwOS`).
    pub(crate) fn names_are_typed_by_people(self) -> bool {
        self.enterprise == MIKROTIK
    }

    /// Whether the default context only shows VLAN 1, so that every VLAN must be asked for (Cisco IOS and IOS XE; NX-OS
    /// shows everything).
    pub(crate) fn bridges_per_vlan(self) -> bool {
        self.enterprise == CISCO && !self.nx_os
    }

    /// Whether this is Cisco, for its own MIBs.
    pub(crate) fn is_cisco(self) -> bool {
        self.enterprise == CISCO
    }

    /// The forwarding table of the vendor's own, which says more than the standard ones.
    pub(crate) fn own_fdb(self) -> Option<Column> {
        match (self.enterprise, self.product) {
            (HUAWEI, _) => Some(Column::HuaweiFdbPort),
            // AOS 7 and 8; AOS 6 (6486.800) has no such table.
            (ALCATEL_LUCENT_ENTERPRISE, 801) => Some(Column::AosFdbManagement),
            _ => None,
        }
    }

    /// Whether forwarding rows are indexed by VLAN, whatever dot1qVlanFdbId says: Comware puts every VLAN into database 1.
    pub(crate) fn fdb_id_is_vlan(self) -> bool {
        self.enterprise == H3C
    }

    /// Whether this is Juniper, for its VLAN tables.
    pub(crate) fn is_juniper(self) -> bool {
        self.enterprise == JUNIPER
    }

    /// Whether this is TP-Link, for its LLDP table.
    pub(crate) fn is_tp_link(self) -> bool {
        self.enterprise == TP_LINK
    }

    /// Whether this is SR OS (Nokia, once `TiMetra`), for its LLDP table.
    pub(crate) fn is_timetra(self) -> bool {
        self.enterprise == TIMETRA
    }

    /// The manufacturer behind the enterprise number, where boxes with that number are made by one (IANA enterprise
    /// numbers; net-snmp's and Broadcom's numbers are on anybody's boxes).
    pub(crate) fn manufacturer(self) -> Option<&'static str> {
        Some(match self.enterprise {
            CISCO => "Cisco",
            11 => "HP",
            43 => "3Com",
            45 => "Avaya",
            171 => "D-Link",
            207 => "Allied Telesis",
            259 => "Edgecore",
            318 => "APC",
            674 | 6027 => "Dell",
            890 => "Zyxel",
            1588 | 1991 => "Brocade",
            1916 => "Extreme Networks",
            HUAWEI => "Huawei",
            JUNIPER => "Juniper",
            4526 => "Netgear",
            ALCATEL_LUCENT_ENTERPRISE => "Alcatel-Lucent Enterprise",
            TIMETRA => "Nokia",
            TP_LINK => "TP-Link",
            12356 => "Fortinet",
            MIKROTIK => "MikroTik",
            14823 | 47196 => "Aruba",
            H3C => "H3C",
            30065 => "Arista",
            33049 => "NVIDIA",
            40310 => "Cumulus Networks",
            41112 => "Ubiquiti",
            52642 => "FS",
            _ => return None,
        })
    }

    /// What the device does, from what it bridges and the layers in sysServices (RFC 3418: bit n-1 for layer n).
    pub(crate) fn role(
        self,
        bridge_ports: usize,
        services: Option<u32>,
        description: Option<&str>,
    ) -> DeviceRole {
        let routes = services.is_some_and(|layers| layers & 0b100 != 0);
        let routeros_router = self.enterprise == MIKROTIK
            && self.product == 1
            && !description.is_some_and(|text| text.contains(" CRS") || text.contains(" CSS"));
        match () {
            () if routeros_router => DeviceRole::Router,
            () if bridge_ports > 0 => DeviceRole::Switch,
            // A host that runs net-snmp claims every layer.
            () if self.enterprise == NET_SNMP => DeviceRole::Other,
            () if routes => DeviceRole::Router,
            () if services.is_some_and(|layers| layers & 0b10 != 0) => DeviceRole::Switch,
            () => DeviceRole::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_told_by_their_number() {
        let routeros = Vendor::of(&[1, 3, 6, 1, 4, 1, 14988, 1], Some("RouterOS RB433GL"));
        assert_eq!(routeros.reading(Table::Bridge), Some(Reading::IfIndex));
        assert_eq!(routeros.role(3, Some(78), Some("RouterOS RB433GL")), DeviceRole::Router);
        assert_eq!(routeros.role(15, Some(78), Some("RouterOS CRS317-1G-16S+")), DeviceRole::Switch);
        let swos = Vendor::of(&[1, 3, 6, 1, 4, 1, 14988, 2], Some("CSS326-24G-2S+ SwOS v2.18"));
        assert_eq!(swos.reading(Table::Bridge), None);
        assert_eq!(Vendor::of(&[], None), Vendor::default());
        assert_eq!(Vendor::of(&[1, 3, 6, 1], None).manufacturer(), None);
    }

    #[test]
    fn only_ios_bridges_per_vlan() {
        let cisco = &[1, 3, 6, 1, 4, 1, 9, 1, 516];
        assert!(Vendor::of(cisco, Some("Cisco IOS Software, C3750 Software")).bridges_per_vlan());
        assert!(!Vendor::of(cisco, Some("Cisco NX-OS(tm) nxos.7.0.3.I7.8.bin")).bridges_per_vlan());
    }
}
