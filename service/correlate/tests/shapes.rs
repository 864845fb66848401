//! Announcements as devices really send them: ids of every kind, names with and without their domain, one end only.

use super::net::{candidate, discover, hangs, links};
use crate::model::Conflict;

/// The one link of two switches `sw1` and `sw2`, where `sw1` hears this on `a`.
fn link(more: &str, heard: &str) -> Vec<String> {
    links(&discover(&format!("switch sw1 s1\n {more}\n {heard}")))
}

#[test]
fn port_ids_of_every_subtype() {
    let far = "switch sw2 s2
         port sw2 Gi1/0/24 mac=p1 index=10124 alias=uplink-to-core desc=GigabitEthernet1/0/24 ip=192.0.2.24
         port sw2 Gi1/0/23 mac=p2 index=10123 desc=GigabitEthernet1/0/23
         port sw2 Vl1 vlan index=1 mac=s2";
    for id in [
        "port=Gi1/0/24",
        "port=gi1/0/24",
        "port=GigabitEthernet1/0/24",
        "port=GE1/0/24",
        "port=uplink-to-core",
        "port=192.0.2.24",
        "port=10124",
        "port=x desc=GigabitEthernet1/0/24",
        "port=x desc=uplink-to-core",
        "portmac=p1",
        "portmac=p1 port=00:1b:70:31:00:00",
    ] {
        let found = link(far, &format!("lldp sw1 a sw2 mac=s2 {id}"));
        assert_eq!(found, ["sw1:a - sw2:Gi1/0/24 [lldp]"], "{id}");
    }
}

#[test]
fn a_description_that_several_ports_share_names_none() {
    let far = "switch sw2 s2\n port sw2 e1 alias=spare\n port sw2 e2 alias=spare";
    assert_eq!(link(far, "lldp sw1 a sw2 mac=s2 port=spare"), ["sw1:a - sw2:spare [lldp]"]);
}

/// Junos announces the ifIndex of a logical unit as a local id, and describes the unit.
#[test]
fn the_unit_of_a_junos_socket_is_the_socket() {
    let far = "router r1 r1
         port r1 ge-0/0/1 index=512 mac=r2
         port r1 ge-0/0/1.0 vlan index=532 mac=r2";
    for id in ["port=532", "port=ge-0/0/1.0", "port=532 desc=ge-0/0/1.0", "port=512", "portmac=r2"] {
        let found = link(far, &format!("lldp sw1 a r1 mac=r1 {id}"));
        assert_eq!(found, ["r1:ge-0/0/1 - sw1:a [lldp-reverse]"], "{id}");
    }
}

/// A name with a dot and a number that is no unit stays what it is.
#[test]
fn a_socket_with_a_dot_in_its_name_is_no_unit() {
    let found = link("switch sw2 s2\n port sw2 1\n port sw2 1.3", "lldp sw1 a sw2 mac=s2 port=1.3");
    assert_eq!(found, ["sw1:a - sw2:1.3 [lldp]"]);
}

#[test]
fn chassis_ids_of_every_subtype() {
    let far = "switch sw2 s2 serial=FOX1234X5YZ chassis=core-a own=core.example.org address=192.0.2.2
         port sw2 e24 ip=198.51.100.2";
    for chassis in [
        "- mac=s2",
        "- id=core-a",
        "- id=CORE-A",
        "- id=FOX1234X5YZ",
        "- id=core",
        "core",
        "CORE.example.org",
        "core.other.example",
        "- ip=192.0.2.2",
        "- ip=198.51.100.2",
        "- id=00:1b:73:32:00:00",
    ] {
        let found = link(far, &format!("lldp sw1 a {chassis} port=e24"));
        assert_eq!(found, ["sw1:a - sw2:e24 [lldp]"], "{chassis}");
    }
}

/// CDP devices are known by name alone: with the domain, with the serial number, by address, as a MAC without separators.
#[test]
fn cdp_device_ids() {
    let far = "switch sw2 s2 own=core.example.org serial=SSI1234567X address=192.0.2.2\n port sw2 Eth1/1";
    for id in [
        "core id=core.example.org",
        "- id=core",
        "- id=core(SSI1234567X)",
        "- id=renamed(SSI1234567X)",
        "- id=core.example.org(SSI1234567X)",
        "- id=unknown ip=192.0.2.2",
        "- id=001b73320000",
    ] {
        let found = link(far, &format!("cdp sw1 a {id} port=Ethernet1/1"));
        assert_eq!(found, ["sw1:a - sw2:Eth1/1 [cdp]"], "{id}");
    }
}

/// The chassis address of a stack or supervisor is often on no interface; the vendor, or an address of its own, must fit.
#[test]
fn a_chassis_address_that_is_on_no_interface() {
    let far = |more: &str| format!("switch core 00:00:0C:00:00:01{more}\n port core e1 ip=192.0.2.2");
    let heard = |mac: &str, more: &str| format!("lldp sw1 a core mac={mac} port=e1{more}");
    let linked = ["core:e1 - sw1:a [lldp-reverse]"];
    assert_eq!(link(&far(""), &heard("00:1B:0C:00:00:07", "")), linked, "both are Cisco's");
    assert!(
        link(&far(""), &heard("00:0E:58:00:00:07", "")).is_empty(),
        "another vendor's, only the name fits"
    );
    assert_eq!(link(&far(""), &heard("00:0E:58:00:00:07", " ip=192.0.2.2")), linked, "its own address");
    assert!(
        link(&far(" address=192.168.88.1"), "lldp sw1 a - mac=00:0E:58:00:00:07 ip=192.168.88.1 port=e1")
            .is_empty(),
        "a factory address alone"
    );
}

#[test]
fn two_devices_of_one_name_are_told_apart_by_address() {
    let more = "switch sw2 s2 own=edge\n port sw2 e1 ip=192.0.2.2\n switch sw3 s3 own=edge\n port sw3 e1 ip=192.0.2.3";
    assert!(link(more, "cdp sw1 a edge port=e1").is_empty(), "which of the two?");
    assert_eq!(link(more, "cdp sw1 a edge ip=192.0.2.3 port=e1"), ["sw1:a - sw3:e1 [cdp]"]);
    let shared = more.replace("192.0.2.3", "192.0.2.2");
    assert!(link(&shared, "cdp sw1 a edge ip=192.0.2.2 port=e1").is_empty(), "a virtual address on both");
}

#[test]
fn lldp_and_cdp_of_one_cable_are_one_link() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         port sw1 Gi0/1
         port sw2 Gi0/2
         lldp sw1 Gi0/1 sw2 mac=s2 port=Gi0/2
         cdp sw1 Gi0/1 sw2.example.org port=GigabitEthernet0/2
         cdp sw2 Gi0/2 sw1.example.org port=GigabitEthernet0/1
         lldp sw2 Gi0/2 sw1 mac=s1 port=Gi0/1",
    );
    assert_eq!(links(&found), ["sw1:Gi0/1 - sw2:Gi0/2 [cdp cdp-reverse lldp lldp-reverse]"]);
    assert!(found.conflicts.is_empty());
}

/// A port id that nothing explains: the far end's table knows which port leads here.
#[test]
fn the_far_port_is_found_in_the_far_table() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         lldp sw1 a sw2 mac=s2 portmac=zz
         fdb sw2 b s1
         fdb sw2 c h1 h2",
    );
    assert_eq!(links(&found), ["sw1:a - sw2:b [fdb lldp]"]);
}

/// Some agents hear their neighbours on the aggregate. Of one member that is the cable, of several none is told.
#[test]
fn announcements_on_an_aggregate() {
    let text = "switch sw1 s1\n switch sw2 s2\n port sw1 e1 lag=po1\n port sw1 po1 lag\n port sw2 b";
    let heard = "lldp sw1 po1 sw2 mac=s2 port=b";
    assert_eq!(links(&discover(&format!("{text}\n {heard}"))), ["sw1:e1 - sw2:b [lldp]"]);
    assert!(links(&discover(&format!("{text}\n port sw1 e2 lag=po1\n {heard}"))).is_empty());
}

/// A virtual switch, a dumb switch: several neighbours on one port, and nobody contradicts anybody.
#[test]
fn a_port_that_hears_several_shares_a_segment() {
    let found = discover(
        "switch sw1 s1
         router r1 r1
         router r2 r2
         port r1 ether1
         port r2 ether1
         lldp sw1 gi5 r1 mac=r1 port=ether1
         lldp sw1 gi5 r2 mac=r2 port=ether1",
    );
    assert_eq!(found.links.len(), 2);
    assert!(found.links.iter().all(|link| link.confidence <= 40), "{:?}", found.links);
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
}

/// An old row that the agent has not forgotten: one device cannot be at two ports of itself.
#[test]
fn one_neighbour_with_two_ports_on_one_port_is_a_contradiction() {
    let text = "switch sw1 s1\n switch sw2 s2\n lldp sw1 a sw2 mac=s2 port=b\n lldp sw1 a sw2 mac=s2 port=c";
    let found = discover(text);
    assert_eq!((found.conflicts.len(), found.links.len()), (1, 2));
    assert!(found.links.iter().all(|link| link.confidence <= 30));
    // The far side knows which of the two it is.
    let found = discover(&format!("{text}\n lldp sw2 c sw1 mac=s1 port=a"));
    assert_eq!(links(&found), ["sw1:a - sw2:c [lldp lldp-reverse]"]);
}

/// Two switches of D-Link with a cloud of unread ones in between and VLANs that only one of them has: neither announces itself.
#[test]
fn hosts_alone_show_two_ports_that_face_each_other() {
    let found = discover(
        "switch d1
         switch d2
         fdb d1 p1 h1 h2
         fdb d1 p4 h3 h4
         fdb d1 p6 h5
         fdb d1 p24 k1 k2 k3 k4 c1 c2 v1
         fdb d2 p10 h1 h2 h3 h4 c1 c2 v2 v3
         fdb d2 p1 k1 k2
         fdb d2 p2 k3 k4
         fdb d2 p12 k5",
    );
    assert_eq!(links(&found), ["d1:p24 - d2:p10 [fdb shared-segment]"]);
    assert_eq!([hangs(&found, "h5"), hangs(&found, "k5")], ["d1:p6*", "d2:p12*"]);
    assert_eq!([hangs(&found, "h1"), hangs(&found, "k3")], ["d1:p1", "d2:p2"]);
    for cloud in ["c1", "c2", "v1", "v2", "v3"] {
        assert_eq!(hangs(&found, cloud), "-", "{cloud} is somewhere in between");
    }
}

/// Point-to-point lines between routers have no forwarding tables; each side names the other's description.
#[test]
fn routers_on_serial_lines() {
    let found = discover(
        "router r1 own=Router1.example.org
         router r2 own=Router2.example.org
         port r1 Se0/0/0 desc=Serial0/0/0 index=3
         port r2 Se0/0/0 desc=Serial0/0/0 index=3
         cdp r1 Se0/0/0 - id=Router2.example.org port=Serial0/0/0
         cdp r2 Se0/0/0 - id=Router1.example.org port=Serial0/0/0",
    );
    assert_eq!(links(&found), ["r1:Se0/0/0 - r2:Se0/0/0 [cdp cdp-reverse]"]);
}

#[test]
fn one_sided_links_are_less_certain_and_both_sides_more() {
    let text = "switch sw1 s1\n switch sw2 s2\n port sw2 b\n port sw1 a\n";
    let sure = |heard: &str| discover(&format!("{text}{heard}")).links[0].confidence;
    let one = sure("cdp sw1 a sw2 port=b");
    let lldp = sure("lldp sw1 a sw2 mac=s2 port=b");
    let both = sure("lldp sw1 a sw2 mac=s2 port=b\n lldp sw2 b sw1 mac=s1 port=a");
    let all = sure(
        "lldp sw1 a sw2 mac=s2 port=b\n lldp sw2 b sw1 mac=s1 port=a\n cdp sw1 a sw2 port=b\n fdb sw1 a s2 h1\n fdb sw2 b s1",
    );
    assert!(one < lldp && lldp < both && both <= all, "{one} {lldp} {both} {all}");
}

#[test]
fn ends_that_disagree_are_reported() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         port sw1 a
         port sw1 b
         port sw2 c
         lldp sw1 a sw2 mac=s2 port=c
         lldp sw2 c sw1 mac=s1 port=b",
    );
    assert_eq!(found.links.len(), 2);
    assert!(found.links.iter().all(|link| link.confidence <= 30), "{:?}", found.links);
    assert!(matches!(found.conflicts.as_slice(), [Conflict::LinkDisagrees { claims }] if claims.len() == 2));
}

#[test]
fn spanning_tree_and_lacp_show_where_a_switch_is() {
    // Nothing else does: sw2's address is in no table, and nobody announces itself.
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         stp sw2 up - mac=s1
         fdb sw1 e1 h1
         fdb sw2 up h1
         fdb sw2 e5 h2",
    );
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["sw1:e1*", "sw2:e5*"]);
    let found =
        discover("switch sw1 s1\n switch sw2 s2\n lacp sw2 up - mac=s1\n fdb sw1 e1 h1\n fdb sw2 up h1");
    assert_eq!(hangs(&found, "h1"), "sw1:e1*");
    // A cable that tables show is confirmed; the protocol alone names no far port.
    let found =
        discover("switch sw1 s1\n switch sw2 s2\n stp sw2 up - mac=s1\n fdb sw1 down s2\n fdb sw2 up s1");
    assert_eq!(links(&found), ["sw1:down - sw2:up [fdb stp]"]);
}

#[test]
fn a_bridge_that_only_spanning_tree_knows_stands_between() {
    let found = discover("switch sw1 s1\n stp sw1 e1 - mac=x1\n fdb sw1 e1 h1\n fdb sw1 e2 h2");
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["sw1:e1", "sw1:e2*"]);
    let reasons = candidate(&found, "h1").reasons.join("\n");
    assert!(reasons.contains("behind the bridge 00:1B:78:31:00:00"), "{reasons}");
    assert!(super::net::find(&found, "x1").is_none(), "its address is nobody's card");
    // The partner of an aggregate can be a server.
    let found = discover("switch sw1 s1\n lacp sw1 e1 - mac=x1\n fdb sw1 e1 h1");
    assert_eq!(hangs(&found, "h1"), "sw1:e1*");
}
