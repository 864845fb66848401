//! What an interface is, from its ifType and, where agents call everything Ethernet, from its name.

use crate::model::observation::PortKind;

/// The kind of an interface.
///
/// `if_type` is `IANAifType`; `names` are ifName and ifDescr. `trust_type` is set for agents whose types are right and whose
/// names are typed by people (RouterOS, `SwOS`), so that a socket called "vlan10" stays a socket.
pub(crate) fn kind(if_type: Option<u32>, names: [&str; 2], trust_type: bool) -> PortKind {
    let named = || {
        let by_name = || names.into_iter().find_map(kind_of_name);
        if trust_type { None } else { by_name() }
    };
    let is_serial = || {
        names.iter().any(|name| {
            let rest = name.trim().to_ascii_lowercase();
            rest.strip_prefix("serial")
                .is_some_and(|rest| rest.trim().starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    match if_type {
        // ppp over a serial line that the name gives away.
        Some(23) if is_serial() => PortKind::Physical,
        // ieee8023adLag, propMultiplexor (trunks of ProCurve, FortiSwitch and others).
        Some(161 | 54) => PortKind::Lag,
        // l2vlan, l3ipvlan, l3ipxvlan.
        Some(135..=137) => PortKind::Vlan,
        // bridge.
        Some(209) => PortKind::Bridge,
        // ieee80211, radioMAC, wwanPP, wwanPP2.
        Some(71 | 188 | 243 | 244) => PortKind::Wireless,
        // ppp, slip, tunnel, mplsTunnel, pppMultilinkBundle, mpls.
        Some(23 | 28 | 131 | 150 | 108 | 166) => PortKind::Tunnel,
        // Ethernet in its spellings (ethernetCsmacd, iso88023Csmacd, ethernet3Mbit, fastEther, fastEtherFX,
        // gigabitEthernet), DSL, SONET, cable, fibre: all have a socket, unless the name says that they have none.
        Some(6 | 7 | 26 | 62 | 69 | 117 | 18 | 19 | 30 | 39 | 56 | 94..=97 | 127..=129 | 169 | 194 | 250) => {
            named().unwrap_or(PortKind::Physical)
        }
        // Serial lines have a cable as well, whatever protocol is spoken over it: basicISDN, primaryISDN,
        // propPointToPointSerial, frameRelay, rs232, v35, hdlc. And where nothing says, a port is a port.
        Some(20..=22 | 32 | 33 | 45 | 118) | None => named().unwrap_or(PortKind::Physical),
        // other, propVirtual, softwareLoopback, and everything rarer.
        Some(_) => named().unwrap_or(PortKind::Virtual),
    }
}

/// What a name gives away; `None` if it could be a socket.
fn kind_of_name(name: &str) -> Option<PortKind> {
    let name = name.trim().to_ascii_lowercase();
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.trim_start_matches([' ', '-', '_']).starts_with(|c: char| c.is_ascii_digit())
        })
    };
    // The same, with nothing but digits after it: `trunk1` is an aggregate, `trunk2 to core` is a label.
    let counted = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            let rest = rest.trim_start_matches([' ', '-', '_', ':']);
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    if [
        "port-channel",
        "eth-trunk",
        "bridge-aggregation",
        "route-aggregation",
        "link aggregate",
        "link-aggregate",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
        || ["po", "trk", "ae", "bond", "team", "lag", "bagg", "trunk", "mlt"].into_iter().any(counted)
    {
        return Some(PortKind::Lag);
    }
    if ["vlan", "vlanif", "vlan-interface", "vl", "bdi", "svi", "irb"].into_iter().any(numbered)
        || name == "default_vlan"
    {
        return Some(PortKind::Vlan);
    }
    if ["br", "vmbr", "virbr", "docker", "lxdbr", "lxcbr", "fwbr", "cni", "bridge"].into_iter().any(counted)
        || ["br-", "virbr"].iter().any(|prefix| name.starts_with(prefix))
    {
        return Some(PortKind::Bridge);
    }
    if ["wlan", "wifi", "ath", "ra", "rai"].into_iter().any(counted) {
        return Some(PortKind::Wireless);
    }
    if ["tun", "wg", "gre", "gretap", "sit", "ppp", "pppoe", "ip6tnl", "vti", "vxlan", "ipip"]
        .into_iter()
        .any(counted)
        || ["tailscale", "wireguard", "erspan", "tunnel"].iter().any(|prefix| name.starts_with(prefix))
    {
        return Some(PortKind::Tunnel);
    }
    let software =
        ["veth", "tap", "vnet", "fwln", "fwpr", "cali", "flannel", "null", "loopback", "stackport"];
    if software.iter().any(|prefix| name.starts_with(prefix))
        || ["lo", "dummy", "ifb", "cpu", "teql"].into_iter().any(|prefix| name == prefix || counted(prefix))
        || name.starts_with("cpu interface")
    {
        return Some(PortKind::Virtual);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_and_names_of_real_devices() {
        use PortKind::{Bridge, Lag, Physical, Tunnel, Virtual, Vlan, Wireless};
        for (if_type, name, expected) in [
            (6, "GigabitEthernet1/0/1", Physical),
            (6, "Gi1/0/1", Physical),
            (6, "ge-0/0/46", Physical),
            (6, "24", Physical),
            (6, "Port24", Physical),
            (6, "te1/0/1", Physical),
            (117, "gi1", Physical),
            (6, "trunk: sw72 (eth2)", Physical),
            (6, "eno1", Physical),
            (6, "enp3s0", Physical),
            (6, "Vlan-interface1", Vlan),
            (53, "Vlan1", Vlan),
            (6, "br0", Bridge),
            (6, "vmbr0", Bridge),
            (6, "docker0", Bridge),
            (6, "bond0", Lag),
            (53, "Port-channel1", Lag),
            (53, "Po1", Lag),
            (161, "server-trunk", Lag),
            (54, "Trk1", Lag),
            (209, "bridge1", Bridge),
            (71, "wlan1", Wireless),
            (131, "gre", Tunnel),
            (24, "lo0", Virtual),
            (1, "Null0", Virtual),
            (6, "veth1a2b", Virtual),
            (53, "ge-0/0/46.0", Virtual),
            (1, "irb", Virtual),
            (22, "Serial0/0/0", Physical),
            (118, "Se0/1/0:0", Physical),
            (23, "Serial0/0/1", Physical),
            (23, "ppp0", Tunnel),
        ] {
            assert_eq!(kind(Some(if_type), [name, name], false), expected, "{if_type} {name}");
        }
    }

    #[test]
    fn a_socket_that_people_call_a_vlan_stays_a_socket() {
        assert_eq!(kind(Some(6), ["vlan10", "vlan10"], true), PortKind::Physical);
    }

    proptest! {
        #[test]
        fn total(if_type: Option<u32>, name in ".{0,20}", descr in ".{0,20}", trust: bool) {
            let _kind = kind(if_type, [&name, &descr], trust);
        }
    }
}
