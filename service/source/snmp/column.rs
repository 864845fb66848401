//! The objects that are read, by name: one line per column with its OID. Columns are walked one by one, never whole
//! tables, because tables carry counters that change and cost round trips.

use crate::model::FactKind;

/// Declares [`Column`]: variant, name in the MIB, OID without the index, and what is missing when it cannot be read.
macro_rules! columns {
    ($($variant:ident, $name:literal, $facts:ident, [$($arc:literal),+];)+) => {
        /// An object of a MIB. Scalars are columns whose only row has the index `0`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Column {
            $(#[doc = $name] $variant,)+
        }

        impl Column {
            /// Every column.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The OID, without the index.
            pub(crate) const fn oid(self) -> &'static [u32] {
                match self {
                    $(Self::$variant => &[$($arc),+],)+
                }
            }

            /// The descriptor in the MIB.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What is missing when this column is.
            pub(crate) const fn facts(self) -> FactKind {
                match self {
                    $(Self::$variant => FactKind::$facts,)+
                }
            }
        }
    };
}

columns! {
    // SNMPv2-MIB (RFC 3418), system group.
    SysDescr, "sysDescr", Device, [1, 3, 6, 1, 2, 1, 1, 1];
    SysObjectId, "sysObjectID", Device, [1, 3, 6, 1, 2, 1, 1, 2];
    SysUpTime, "sysUpTime", Device, [1, 3, 6, 1, 2, 1, 1, 3];
    SysName, "sysName", Device, [1, 3, 6, 1, 2, 1, 1, 5];
    SysServices, "sysServices", Device, [1, 3, 6, 1, 2, 1, 1, 7];

    // Serial numbers and models outside ENTITY-MIB: MIKROTIK-MIB, JUNIPER-MIB, FORTINET-CORE-MIB, HP SEMI-MIB.
    MikrotikSerial, "mtxrSerialNumber", Device, [1, 3, 6, 1, 4, 1, 14988, 1, 1, 7, 3];
    MikrotikBoard, "mtxrBoardName", Device, [1, 3, 6, 1, 4, 1, 14988, 1, 1, 7, 9];
    JuniperSerial, "jnxBoxSerialNo", Device, [1, 3, 6, 1, 4, 1, 2636, 3, 1, 3];
    FortinetSerial, "fnSysSerial", Device, [1, 3, 6, 1, 4, 1, 12356, 100, 1, 1, 1];
    HpSerial, "hpHttpMgSerialNumber", Device, [1, 3, 6, 1, 4, 1, 11, 2, 36, 1, 1, 2, 9];

    // IF-MIB (RFC 2863).
    IfDescr, "ifDescr", Interfaces, [1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
    IfType, "ifType", Interfaces, [1, 3, 6, 1, 2, 1, 2, 2, 1, 3];
    IfSpeed, "ifSpeed", Interfaces, [1, 3, 6, 1, 2, 1, 2, 2, 1, 5];
    IfPhysAddress, "ifPhysAddress", Interfaces, [1, 3, 6, 1, 2, 1, 2, 2, 1, 6];
    IfAdminStatus, "ifAdminStatus", Interfaces, [1, 3, 6, 1, 2, 1, 2, 2, 1, 7];
    IfOperStatus, "ifOperStatus", Interfaces, [1, 3, 6, 1, 2, 1, 2, 2, 1, 8];
    IfName, "ifName", Interfaces, [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
    IfHighSpeed, "ifHighSpeed", Interfaces, [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15];
    IfAlias, "ifAlias", Interfaces, [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18];
    IfStackStatus, "ifStackStatus", Interfaces, [1, 3, 6, 1, 2, 1, 31, 1, 2, 1, 3];

    // IEEE8023-LAG-MIB; CISCO-PAGP-MIB for aggregates without LACP.
    LagAttached, "dot3adAggPortAttachedAggID", Interfaces, [1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 13];
    LagPartner, "dot3adAggPortPartnerOperSystemID", Lldp, [1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 9];
    PagpGroup, "pagpGroupIfIndex", Interfaces, [1, 3, 6, 1, 4, 1, 9, 9, 98, 1, 1, 1, 1, 8];

    // CISCO-VLAN-MEMBERSHIP-MIB.
    AccessVlan, "vmVlan", Interfaces, [1, 3, 6, 1, 4, 1, 9, 9, 68, 1, 2, 2, 1, 2];
    VoiceVlan, "vmVoiceVlanId", Interfaces, [1, 3, 6, 1, 4, 1, 9, 9, 68, 1, 5, 1, 1, 1];

    // BRIDGE-MIB (RFC 4188).
    BridgeAddress, "dot1dBaseBridgeAddress", Device, [1, 3, 6, 1, 2, 1, 17, 1, 1];
    BasePortIfIndex, "dot1dBasePortIfIndex", Fdb, [1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2];
    StpState, "dot1dStpPortState", Lldp, [1, 3, 6, 1, 2, 1, 17, 2, 15, 1, 3];
    StpDesignatedBridge, "dot1dStpPortDesignatedBridge", Lldp, [1, 3, 6, 1, 2, 1, 17, 2, 15, 1, 8];
    StpDesignatedPort, "dot1dStpPortDesignatedPort", Lldp, [1, 3, 6, 1, 2, 1, 17, 2, 15, 1, 9];
    FdbAddress, "dot1dTpFdbAddress", Fdb, [1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 1];
    FdbPort, "dot1dTpFdbPort", Fdb, [1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 2];
    FdbStatus, "dot1dTpFdbStatus", Fdb, [1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 3];

    // Q-BRIDGE-MIB (RFC 4363).
    VlanFdbAddress, "dot1qTpFdbAddress", Fdb, [1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 1];
    VlanFdbPort, "dot1qTpFdbPort", Fdb, [1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2];
    VlanFdbStatus, "dot1qTpFdbStatus", Fdb, [1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 3];
    VlanFdbId, "dot1qVlanFdbId", Fdb, [1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 2, 1, 3];
    Pvid, "dot1qPvid", Interfaces, [1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 5, 1, 1];

    // Where the forwarding database's VLAN is not in Q-BRIDGE-MIB: CISCO-VTP-MIB, JUNIPER-L2ALD-MIB, JUNIPER-VLAN-MIB.
    VtpVlanState, "vtpVlanState", Fdb, [1, 3, 6, 1, 4, 1, 9, 9, 46, 1, 3, 1, 1, 2];
    L2aldVlanTag, "jnxL2aldVlanTag", Fdb, [1, 3, 6, 1, 4, 1, 2636, 3, 48, 1, 3, 1, 1, 3];
    L2aldVlanFdbId, "jnxL2aldVlanFdbId", Fdb, [1, 3, 6, 1, 4, 1, 2636, 3, 48, 1, 3, 1, 1, 5];
    ExVlanTag, "jnxExVlanTag", Fdb, [1, 3, 6, 1, 4, 1, 2636, 3, 40, 1, 5, 1, 5, 1, 5];

    // Forwarding tables of vendors' own, with VLAN and ifIndex: HUAWEI-L2MAM-MIB, ALCATEL-IND1-MAC-ADDRESS-MIB of AOS 7.
    HuaweiFdbPort, "hwDynFdbPort", Fdb, [1, 3, 6, 1, 4, 1, 2011, 5, 25, 42, 2, 1, 3, 1, 4];
    AosFdbManagement, "slMacAddressGblManagement", Fdb, [1, 3, 6, 1, 4, 1, 6486, 801, 1, 2, 1, 8, 1, 1, 8, 1, 7];

    // LLDP-MIB (IEEE 802.1AB-2005).
    LldpLocChassisSubtype, "lldpLocChassisIdSubtype", Device, [1, 0, 8802, 1, 1, 2, 1, 3, 1];
    LldpLocChassisId, "lldpLocChassisId", Device, [1, 0, 8802, 1, 1, 2, 1, 3, 2];
    LldpLocPortSubtype, "lldpLocPortIdSubtype", Lldp, [1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 2];
    LldpLocPortId, "lldpLocPortId", Lldp, [1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 3];
    LldpLocPortDesc, "lldpLocPortDesc", Lldp, [1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 4];
    LldpChassisSubtype, "lldpRemChassisIdSubtype", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 4];
    LldpChassisId, "lldpRemChassisId", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 5];
    LldpPortSubtype, "lldpRemPortIdSubtype", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 6];
    LldpPortId, "lldpRemPortId", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 7];
    LldpPortDesc, "lldpRemPortDesc", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 8];
    LldpSysName, "lldpRemSysName", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 9];
    LldpSysDesc, "lldpRemSysDesc", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 10];
    LldpCapSupported, "lldpRemSysCapSupported", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 11];
    LldpCapEnabled, "lldpRemSysCapEnabled", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 12];
    LldpManAddr, "lldpRemManAddrIfSubtype", Lldp, [1, 0, 8802, 1, 1, 2, 1, 4, 2, 1, 3];

    // LLDP-EXT-MED-MIB (ANSI/TIA-1057).
    MedDeviceClass, "lldpXMedRemDeviceClass", Lldp, [1, 0, 8802, 1, 1, 2, 1, 5, 4795, 1, 3, 1, 1, 3];

    // LLDP-V2-MIB (IEEE 802.1AB-2009).
    Lldp2ChassisSubtype, "lldpV2RemChassisIdSubtype", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 5];
    Lldp2ChassisId, "lldpV2RemChassisId", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 6];
    Lldp2PortSubtype, "lldpV2RemPortIdSubtype", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 7];
    Lldp2PortId, "lldpV2RemPortId", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 8];
    Lldp2PortDesc, "lldpV2RemPortDesc", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 9];
    Lldp2SysName, "lldpV2RemSysName", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 10];
    Lldp2SysDesc, "lldpV2RemSysDesc", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 11];
    Lldp2CapSupported, "lldpV2RemSysCapSupported", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 12];
    Lldp2CapEnabled, "lldpV2RemSysCapEnabled", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1, 13];
    Lldp2ManAddr, "lldpV2RemManAddrIfSubtype", Lldp, [1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 2, 1, 3];

    // TIMETRA-LLDP-MIB: SR OS keeps what it hears there, and only what it is in LLDP-MIB.
    TimetraChassisSubtype, "tmnxLldpRemChassisIdSubtype", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 4];
    TimetraChassisId, "tmnxLldpRemChassisId", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 5];
    TimetraPortSubtype, "tmnxLldpRemPortIdSubtype", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 6];
    TimetraPortId, "tmnxLldpRemPortId", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 7];
    TimetraPortDesc, "tmnxLldpRemPortDesc", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 8];
    TimetraSysName, "tmnxLldpRemSysName", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 9];
    TimetraSysDesc, "tmnxLldpRemSysDesc", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 10];
    TimetraCapSupported, "tmnxLldpRemSysCapSupported", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 11];
    TimetraCapEnabled, "tmnxLldpRemSysCapEnabled", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 1, 1, 12];
    TimetraManAddr, "tmnxLldpRemManAddrIfSubtype", Lldp, [1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 59, 4, 2, 1, 3];

    // TPLINK-LLDPINFO-MIB: JetStream switches have no LLDP-MIB.
    TpLinkChassisId, "lldpNeighborChassisId", Lldp, [1, 3, 6, 1, 4, 1, 11863, 6, 35, 1, 2, 2, 1, 4];
    TpLinkPortId, "lldpNeighborPortId", Lldp, [1, 3, 6, 1, 4, 1, 11863, 6, 35, 1, 2, 2, 1, 6];
    TpLinkPortDesc, "lldpNeighborPortDescr", Lldp, [1, 3, 6, 1, 4, 1, 11863, 6, 35, 1, 2, 2, 1, 8];
    TpLinkSysName, "lldpNeighborDeviceName", Lldp, [1, 3, 6, 1, 4, 1, 11863, 6, 35, 1, 2, 2, 1, 9];
    TpLinkSysDesc, "lldpNeighborDeviceDescr", Lldp, [1, 3, 6, 1, 4, 1, 11863, 6, 35, 1, 2, 2, 1, 10];
    TpLinkCapEnabled, "lldpNeighborCapEnabled", Lldp, [1, 3, 6, 1, 4, 1, 11863, 6, 35, 1, 2, 2, 1, 12];
    TpLinkManAddr, "lldpNeighborManageIpAddr", Lldp, [1, 3, 6, 1, 4, 1, 11863, 6, 35, 1, 2, 2, 1, 13];

    // CISCO-CDP-MIB.
    CdpAddress, "cdpCacheAddress", Lldp, [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 4];
    CdpVersion, "cdpCacheVersion", Lldp, [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 5];
    CdpDeviceId, "cdpCacheDeviceId", Lldp, [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 6];
    CdpDevicePort, "cdpCacheDevicePort", Lldp, [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 7];
    CdpPlatform, "cdpCachePlatform", Lldp, [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 8];
    CdpCapabilities, "cdpCacheCapabilities", Lldp, [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 9];
    CdpSysName, "cdpCacheSysName", Lldp, [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 17];

    // IP-MIB (RFC 4293, and its deprecated IPv4 tables), IPV6-MIB (RFC 2465).
    ArpIfIndex, "ipNetToMediaIfIndex", Neighbors, [1, 3, 6, 1, 2, 1, 4, 22, 1, 1];
    ArpPhysAddress, "ipNetToMediaPhysAddress", Neighbors, [1, 3, 6, 1, 2, 1, 4, 22, 1, 2];
    ArpNetAddress, "ipNetToMediaNetAddress", Neighbors, [1, 3, 6, 1, 2, 1, 4, 22, 1, 3];
    ArpType, "ipNetToMediaType", Neighbors, [1, 3, 6, 1, 2, 1, 4, 22, 1, 4];
    NeighborPhysAddress, "ipNetToPhysicalPhysAddress", Neighbors, [1, 3, 6, 1, 2, 1, 4, 35, 1, 4];
    NeighborType, "ipNetToPhysicalType", Neighbors, [1, 3, 6, 1, 2, 1, 4, 35, 1, 6];
    Ipv6PhysAddress, "ipv6NetToMediaPhysAddress", Neighbors, [1, 3, 6, 1, 2, 1, 55, 1, 12, 1, 2];
    AddrIfIndex, "ipAdEntIfIndex", Networks, [1, 3, 6, 1, 2, 1, 4, 20, 1, 2];
    AddrNetMask, "ipAdEntNetMask", Networks, [1, 3, 6, 1, 2, 1, 4, 20, 1, 3];
    AddressIfIndex, "ipAddressIfIndex", Networks, [1, 3, 6, 1, 2, 1, 4, 34, 1, 3];
    AddressPrefix, "ipAddressPrefix", Networks, [1, 3, 6, 1, 2, 1, 4, 34, 1, 5];

    // ENTITY-MIB (RFC 6933).
    EntityClass, "entPhysicalClass", Device, [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 5];
    EntitySerial, "entPhysicalSerialNum", Device, [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 11];
    EntityMaker, "entPhysicalMfgName", Device, [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 12];
    EntityModel, "entPhysicalModelName", Device, [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 13];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_object_is_listed_once() {
        let oids: BTreeSet<_> = Column::ALL.iter().map(|column| column.oid()).collect();
        let names: BTreeSet<_> = Column::ALL.iter().map(|column| column.name()).collect();
        assert_eq!((oids.len(), names.len()), (Column::ALL.len(), Column::ALL.len()));
    }

    #[test]
    fn no_column_is_inside_another() {
        for inner in Column::ALL {
            for outer in Column::ALL {
                assert!(inner == outer || !inner.oid().starts_with(outer.oid()), "{inner:?} in {outer:?}");
            }
        }
    }
}
