//! Links on small networks.

use super::net::{discover, links};
use crate::model::Conflict;

#[test]
fn one_end_alone_is_a_link_of_less_confidence() {
    let found = discover(
        "switch sw1 s1\n switch sw2 s2\n port sw2 ether24\n lldp sw2 ether24 sw1 mac=s1 port=ether1",
    );
    assert_eq!(links(&found), ["sw1:ether1 - sw2:ether24 [lldp-reverse]"]);
    assert!(found.links[0].confidence < 99);
}

#[test]
fn port_ids_of_any_kind_are_resolved() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         port sw2 GigabitEthernet0/1 mac=p1 index=10101 alias=to-sw1
         port sw2 GigabitEthernet0/2 mac=p2 index=10102
         port sw2 bridge bridge index=7
         port sw2 ether2 index=8
         lldp sw1 a sw2 mac=s2 portmac=p1
         lldp sw1 b sw2 mac=s2 port=Gi0/2
         lldp sw1 c sw2 mac=s2 port=bridge/ether2
         cdp sw1 a sw2 port=to-sw1",
    );
    assert_eq!(
        links(&found),
        [
            "sw1:a - sw2:GigabitEthernet0/1 [cdp lldp]",
            "sw1:b - sw2:GigabitEthernet0/2 [lldp]",
            "sw1:c - sw2:ether2 [lldp]"
        ]
    );
}

#[test]
fn a_device_is_known_by_name_or_management_address() {
    let found = discover(
        "switch sw1 s1
         switch core own=Core1.example.org address=192.0.2.9
         lldp sw1 ether1 CORE1 port=ge-0/0/1
         cdp sw1 ether2 - ip=192.0.2.9 port=ge-0/0/2",
    );
    assert_eq!(
        links(&found),
        ["core:ge-0/0/1 - sw1:ether1 [lldp-reverse]", "core:ge-0/0/2 - sw1:ether2 [cdp-reverse]"]
    );
}

#[test]
fn factory_names_identify_nobody() {
    let found = discover("router r1 r1 own=MikroTik\n switch sw1 s1\n lldp sw1 ether1 MikroTik port=ether1");
    assert!(found.links.is_empty());
}

#[test]
fn contradictions_are_reported_and_the_confirmed_cable_stands() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         switch sw3 s3
         lldp sw1 ether1 sw2 mac=s2 port=ether24
         lldp sw2 ether24 sw1 mac=s1 port=ether1
         lldp sw3 ether9 sw1 mac=s1 port=ether1",
    );
    assert_eq!(links(&found), ["sw1:ether1 - sw2:ether24 [lldp lldp-reverse]"]);
    assert!(matches!(found.conflicts.as_slice(), [Conflict::LinkDisagrees { claims }] if claims.len() == 2));
}

#[test]
fn several_neighbours_that_all_agree_share_a_segment() {
    let mut text = String::from("switch sw1 s1\n switch sw2 s2\n switch sw3 s3\n");
    for (a, b) in [("1", "2"), ("2", "1"), ("1", "3"), ("3", "1"), ("2", "3"), ("3", "2")] {
        text = format!("{text} lldp sw{a} up sw{b} mac=s{b} port=up\n");
    }
    let found = discover(&text);
    assert_eq!(found.links.len(), 3);
    assert!(
        found
            .links
            .iter()
            .all(|link| link.evidence.contains(&"shared-segment".to_owned()) && link.confidence <= 40)
    );
    assert!(found.conflicts.is_empty());
}

#[test]
fn what_crosses_switches_does_not_outvote_lldp() {
    // sw2 is next by LLDP; CDP and MNDP of sw3 came through it.
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         switch sw3 s3
         lldp sw1 ether1 sw2 mac=s2 port=ether24
         cdp sw1 ether1 sw3 port=ether7
         mndp sw1 ether1 sw3 mac=s3 port=ether7",
    );
    assert_eq!(links(&found), ["sw1:ether1 - sw2:ether24 [lldp]"]);
}

#[test]
fn parallel_cables_are_two_links() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         lldp sw1 ether1 sw2 mac=s2 port=ether23
         lldp sw1 ether2 sw2 mac=s2 port=ether24
         lldp sw2 ether23 sw1 mac=s1 port=ether1
         lldp sw2 ether24 sw1 mac=s1 port=ether2",
    );
    assert_eq!(found.links.len(), 2);
    assert!(found.conflicts.is_empty());
}

#[test]
fn tables_show_neighbours_only_without_a_switch_between() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         switch sw3 s3
         fdb sw1 a s2 s3
         fdb sw2 a s1
         fdb sw2 b s3
         fdb sw3 b s1 s2",
    );
    assert_eq!(links(&found), ["sw1:a - sw2:a [fdb]", "sw2:b - sw3:b [fdb]"]);
}

#[test]
fn a_host_in_between_means_something_unread_is_there() {
    let found = discover("switch sw1 s1\n switch sw2 s2\n fdb sw1 a s2 h1\n fdb sw2 a s1 h1");
    assert_eq!(links(&found), ["sw1:a - sw2:a [fdb shared-segment]"]);
}

#[test]
fn a_node_without_a_table_is_linked_by_its_socket() {
    let found =
        discover("switch sw1 s1\n node pve1 n1 by=pve\n port pve1 eno1 mac=n1 by=pve\n fdb sw1 ether9 n1");
    assert_eq!(links(&found), ["pve1:eno1 - sw1:ether9 [edge-port fdb]"]);
    // Its bridge has that address too; with one socket in it there is no doubt, with two there is.
    let bridged = "switch sw1 s1\n node pve1 n1 by=pve\n port pve1 vmbr0 bridge mac=n1 by=pve\n fdb sw1 ether9 n1\n port pve1 eno1 mac=n1 by=pve";
    assert_eq!(links(&discover(bridged)).len(), 1);
    assert!(links(&discover(&format!("{bridged}\n port pve1 eno2 mac=n2 by=pve"))).is_empty());
}

/// A switch's own address is often that of its first port, and comes out of whichever port leads here.
#[test]
fn the_address_of_an_unread_switch_is_no_socket() {
    let found = discover(
        "switch sw1 s1\n switch sw2 s2\n gap sw2 fdb\n port sw2 e1 mac=s2\n port sw2 e2 mac=p2\n fdb sw1 ether9 s2",
    );
    assert!(links(&found).is_empty(), "{:?}", links(&found));
    let sw2 = found.candidates.iter().find(|candidate| candidate.device.as_deref() == Some("sw2")).unwrap();
    assert!(sw2.interfaces.iter().all(|card| card.attachment.is_none()));
}

#[test]
fn a_number_is_an_ifindex_only_where_nothing_else_says_more() {
    let far = |ports: &str, says: &str| {
        let found = discover(&format!(
            "switch sw1 s1\n switch sw2 s2\n port sw1 a\n {ports}\n lldp sw1 a sw2 mac=s2 {says}"
        ));
        found.links.first().map_or_else(String::new, |link| link.b.port.clone())
    };
    let numbered = "port sw2 Gi1/0/14 index=24\n port sw2 Gi1/0/24 index=34";
    assert_eq!(far(numbered, "port=24 desc=GigabitEthernet1/0/24"), "Gi1/0/24");
    assert_eq!(far(numbered, "port=24"), "Gi1/0/14");
    assert_eq!(far(numbered, "port=24 desc=to-sw1"), "Gi1/0/14", "what somebody wrote contradicts nothing");
    assert_eq!(far(numbered, "port=24 desc=GigabitEthernet1/0/48"), "24", "a port that was not read");
    // The address of the port counts more than a text that is another port's name.
    let described = "port sw2 Gi0/1 mac=m1\n port sw2 Gi0/2 mac=m2 alias=Gi0/1";
    assert_eq!(far(described, "portmac=m2 desc=Gi0/1"), "Gi0/2");
    assert_eq!(far(described, "port=Gi0/1"), "Gi0/1");
    assert_eq!(far(described, "portmac=zz desc=Gi0/1"), "", "one port is called so, another is described so");
}
