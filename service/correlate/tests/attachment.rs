//! Attachment on small networks.

use super::net::{candidate, discover, hangs, links};

/// Two switches with an announced cable between them.
const PAIR: &str = "
    switch sw1 s1
    switch sw2 s2
    lldp sw1 ether1 sw2 mac=s2 port=ether24 caps=bridge
    lldp sw2 ether24 sw1 mac=s1 port=ether1 caps=bridge
";

#[test]
fn a_host_alone_on_an_edge_port_is_a_cable_end() {
    let found = discover(&format!("{PAIR} fdb sw1 ether5 h1@10\n fdb sw2 ether24 h1@10"));
    assert_eq!(hangs(&found, "h1"), "sw1:ether5*");
    let host = candidate(&found, "h1");
    assert_eq!(host.interfaces[0].attachment.as_ref().unwrap().vlan, Some(10));
    assert!(
        host.reasons.iter().any(|reason| reason.contains("no other machine is on that port")),
        "{host:#?}"
    );
    assert_eq!(links(&found), ["sw1:ether1 - sw2:ether24 [lldp lldp-reverse]"]);
    assert_eq!(found.links[0].confidence, 99);
}

#[test]
fn an_uplink_is_found_without_announcements_by_the_other_switchs_address() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         fdb sw1 ether1 s2 h2 h3
         fdb sw1 ether5 h1
         fdb sw2 ether24 s1 h1
         fdb sw2 ether2 h2
         fdb sw2 ether3 h3",
    );
    assert_eq!(hangs(&found, "h1"), "sw1:ether5*");
    assert_eq!(hangs(&found, "h2"), "sw2:ether2*");
    assert_eq!(links(&found), ["sw1:ether1 - sw2:ether24 [fdb]"]);
}

#[test]
fn several_addresses_on_one_port_are_behind_it() {
    let found = discover(&format!("{PAIR} fdb sw1 ether5 h1 h2 h3\n fdb sw2 ether24 h1 h2 h3"));
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h3")], ["sw1:ether5", "sw1:ether5"]);
}

#[test]
fn on_two_edge_ports_it_is_reported_not_guessed() {
    let found = discover("switch sw1 s1\n switch sw2 s2\n fdb sw1 ether5 h1\n fdb sw2 ether7 h1");
    assert_eq!(hangs(&found, "h1"), "sw1:ether5 ? sw2:ether7");
    let conflicts = serde_json::to_string(&found.conflicts).unwrap();
    assert!(conflicts.contains("several_ports"), "{conflicts}");
    assert!(candidate(&found, "h1").confidence <= 40);
}

#[test]
fn on_ports_between_switches_only_it_is_on_no_port() {
    let found = discover(&format!(
        "{PAIR} fdb sw1 ether1 h1\n fdb sw2 ether24 h1\n net sw1 192.0.2.0/24\n arp sw1 h1 192.0.2.9"
    ));
    assert_eq!(hangs(&found, "h1"), "-");
    let reason = candidate(&found, "h1").interfaces[0].unattached_reason.clone().unwrap();
    assert_eq!(
        reason,
        "00:1B:68:31:00:00 was learned only on ports between switches: sw1 ether1, sw2 ether24"
    );
}

#[test]
fn a_stale_row_elsewhere_makes_it_ambiguous() {
    // Four switches in a row; sw1 still has h1 where it was, but sw2 and sw3 have it towards sw4.
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         switch sw3 s3
         fdb sw1 ether1 s2 s3
         fdb sw2 ether1 s1
         fdb sw2 ether2 s3 h1
         fdb sw3 ether1 s1 s2
         fdb sw1 ether5 h1",
    );
    assert_eq!(hangs(&found, "h1"), "sw1:ether5 ? sw2:ether2");
}

#[test]
fn behind_a_switch_that_could_not_be_read_the_neighbour_keeps_it() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         gap sw2 fdb
         lldp sw1 ether1 sw2 mac=s2 port=ether24 caps=bridge
         fdb sw1 ether1 h1 s2
         fdb sw1 ether5 h2",
    );
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["sw1:ether1", "sw1:ether5*"]);
    let reasons = candidate(&found, "h1").reasons.join("\n");
    assert!(reasons.contains("behind sw2 (unread)"), "{reasons}");
    // Without LLDP, by the unread switch's address.
    let found = discover("switch sw1 s1\n switch sw2 s2\n gap sw2 fdb\n fdb sw1 ether1 h1 s2");
    assert!(candidate(&found, "h1").reasons.join("\n").contains("behind sw2 (unread)"));
    // Only one host behind it, and the switch itself silent: still no cable.
    let found = discover(
        "switch sw1 s1\n switch sw2 s2\n gap sw2 fdb\n lldp sw1 ether1 sw2 mac=s2 caps=bridge\n fdb sw1 ether1 h1",
    );
    assert_eq!(hangs(&found, "h1"), "sw1:ether1");
}

#[test]
fn a_switch_that_only_lldp_knows_is_the_cable_end() {
    let found = discover("switch sw1 s1\n lldp sw1 ether1 dumb mac=d1 caps=bridge\n fdb sw1 ether1 d1 h1 h2");
    assert_eq!([hangs(&found, "d1"), hangs(&found, "h1")], ["sw1:ether1*", "sw1:ether1"]);
    assert!(links(&found).is_empty(), "no source reads it");
}

#[test]
fn a_telephone_is_the_cable_end_and_the_computer_behind_it_is_not() {
    let found =
        discover("switch sw1 s1\n lldp sw1 ether7 tel mac=t1 caps=bridge,phone\n fdb sw1 ether7 t1@20 h1@10");
    assert_eq!([hangs(&found, "t1"), hangs(&found, "h1")], ["sw1:ether7*", "sw1:ether7"]);
    assert!(candidate(&found, "h1").reasons.join("\n").contains("behind tel"));
}

#[test]
fn an_access_point_is_the_cable_end_and_its_clients_are_not() {
    let found =
        discover("switch sw1 s1\n lldp sw1 ether8 ap1 mac=a1 caps=bridge,ap\n fdb sw1 ether8 a1 ~p1 h2");
    assert_eq!([hangs(&found, "a1"), hangs(&found, "h2")], ["sw1:ether8*", "sw1:ether8"]);
    assert_eq!(candidate(&found, "a1").class, crate::model::Class::Network);
    // Heard, but in no table.
    let found = discover("switch sw1 s1\n lldp sw1 ether8 ap1 mac=a1 caps=bridge,ap");
    assert_eq!(hangs(&found, "a1"), "sw1:ether8*");
}

#[test]
fn aggregates_stand_for_their_members() {
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         port sw1 ether1 lag=bond1
         port sw1 ether2 lag=bond1
         port sw1 bond1 lag
         lldp sw1 ether1 sw2 mac=s2 port=ether23
         lldp sw1 ether2 sw2 mac=s2 port=ether24
         fdb sw1 bond1 h2
         fdb sw2 ether23 h1
         fdb sw1 ether5 h1
         fdb sw2 ether1 h2",
    );
    assert_eq!(hangs(&found, "h2"), "sw2:ether1*");
    assert_eq!(links(&found).len(), 2, "one cable a member: {:?}", links(&found));
    // A server on an aggregate: no cable can be told.
    let found =
        discover("switch sw1 s1\n port sw1 ether1 lag=bond1\n port sw1 bond1 lag\n fdb sw1 ether1 h1");
    assert_eq!(hangs(&found, "h1"), "sw1:bond1");
}

#[test]
fn radios_tunnels_and_unresolved_ports_are_no_cable_ends() {
    let found = discover(
        "switch sw1 s1
         port sw1 wlan1 wireless
         port sw1 vpn tunnel
         fdb sw1 wlan1 h1
         fdb sw1 vpn h2
         fdb sw1 #976 h3",
    );
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["sw1:wlan1", "sw1:vpn"]);
    assert_eq!(hangs(&found, "h3"), "sw1:unresolved port 976");
}

#[test]
fn one_address_in_several_vlans_of_one_port_has_no_single_vlan() {
    let found = discover("switch sw1 s1\n fdb sw1 ether5 h1@10 h1@20 h2@30");
    let vlan = |word: &str| candidate(&found, word).interfaces[0].attachment.as_ref().unwrap().vlan;
    assert_eq!([vlan("h1"), vlan("h2")], [None, Some(30)]);
}

#[test]
fn a_documented_uplink_is_no_edge_port() {
    let known = crate::model::candidate::Known {
        uplinks: [("SW1".to_owned(), "ether1".to_owned())].into(),
        ..crate::model::candidate::Known::default()
    };
    let collections =
        super::net::collections("switch sw1 s1\n switch sw2 s2\n fdb sw1 ether1 h1\n fdb sw2 ether5 h1");
    let found = crate::correlate::correlate(&collections, &known);
    assert_eq!(hangs(&found, "h1"), "sw2:ether5*");
}

#[test]
fn a_router_with_a_bridge_is_a_switch_too() {
    let found = discover(
        "router r1 r1
         switch sw1 s1
         fdb r1 ether2 s1 h2
         fdb r1 ether3 h1
         fdb sw1 ether24 r1 h1
         fdb sw1 ether1 h2",
    );
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["r1:ether3*", "sw1:ether1*"]);
    assert_eq!(links(&found), ["r1:ether2 - sw1:ether24 [fdb]"]);
}

#[test]
fn a_server_with_containers_hangs_on_a_port_like_any_other() {
    let network = "switch sw1 s1
        port sw1 ether1
        port sw1 ether2
        fdb sw1 ether1 d1
        fdb sw1 ether2 h1
        other docker d1 d2
        port docker eth0 mac=d1
        port docker docker0 bridge mac=d2
        port docker veth7 virtual
        fdb docker veth7 c1
        net docker 10.0.0.0/8
        arp docker c1 10.0.0.7";
    let found = discover(network);
    assert_eq!(hangs(&found, "d1"), "sw1:ether1*");
    assert_eq!(hangs(&found, "c1"), "docker:veth7", "what is inside is behind a port without a socket");
    assert_eq!(links(&found), ["docker:eth0 - sw1:ether1 [edge-port fdb]"]);
}

#[test]
fn a_silent_switch_is_found_by_the_hosts_behind_it() {
    // No announcements, no switch's own address in any table: four hosts that sw2 has on two ports are behind sw1's ether1.
    let found = discover(
        "switch sw1
         switch sw2
         fdb sw1 ether1 h1 h2 h3 h4
         fdb sw2 ether1 h1 h2
         fdb sw2 ether2 h3 h4
         fdb sw1 ether5 h5 h6
         fdb sw1 ether6 h7 h8
         fdb sw2 ether24 h5 h6 h7 h8",
    );
    assert_eq!(hangs(&found, "h1"), "sw2:ether1");
    assert_eq!(hangs(&found, "h7"), "sw1:ether6");
    assert_eq!(links(&found), ["sw1:ether1 - sw2:ether24 [fdb]"]);
}

#[test]
fn own_addresses_never_become_hosts() {
    let found = discover(
        "switch sw1 s1
         port sw1 vlan10 vlan mac=s1
         other nas n1
         port nas eth0 mac=n1
         net sw1 192.0.2.0/24
         arp sw1 n1 192.0.2.5
         arp sw1 s1 192.0.2.1
         fdb sw1 ether5 n1",
    );
    let names: Vec<&str> = found.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    assert_eq!(names, ["sw1", "nas"].into_iter().rev().collect::<Vec<_>>());
    assert_eq!(hangs(&found, "n1"), "sw1:ether5*");
}

#[test]
fn a_port_without_a_link_gives_way() {
    let text = "switch sw1 s1\n switch sw2 s2\n port sw1 ether5 up=no\n fdb sw1 ether5 h1";
    assert_eq!(hangs(&discover(text), "h1"), "sw1:ether5");
    assert_eq!(hangs(&discover(&format!("{text}\n fdb sw2 ether7 h1")), "h1"), "sw2:ether7*");
}

#[test]
fn a_telephone_is_told_by_the_voice_vlan_alone() {
    let text = "switch sw1 s1\n port sw1 e7 voice=20\n port sw1 e8 voice=20\n port sw1 e9 voice=20";
    // Most telephones also send untagged frames before they learn their VLAN.
    for phone in ["t1@20", "t1@20 t1@10"] {
        let found = discover(&format!("{text}\n fdb sw1 e7 {phone} h1@10"));
        assert_eq!([hangs(&found, "t1"), hangs(&found, "h1")], ["sw1:e7*", "sw1:e7"], "{phone}");
        let reasons = candidate(&found, "h1").reasons.join("\n");
        assert!(reasons.contains("which is in the VLAN of telephones"), "{reasons}");
    }
    // Two telephones, or two computers, or three addresses: something else is there.
    for macs in ["t1@20 t2@20", "h1@10 h2@10", "t1@20 h1@10 h2@10", "t1@20 t1@10 t2@20 t2@10"] {
        let found = discover(&format!("{text}\n fdb sw1 e8 {macs}"));
        let first = macs.split('@').next().unwrap();
        assert_eq!(hangs(&found, first), "sw1:e8", "{macs}");
    }
    // Without VLANs in the table nothing is told.
    let found = discover(&format!("{text}\n fdb sw1 e9 t1 h1"));
    assert_eq!(hangs(&found, "t1"), "sw1:e9");
}

#[test]
fn of_two_edge_ports_the_more_recent_one_is_right_where_ages_are_known() {
    let two = "switch sw1 s1\n switch sw2 s2\n";
    let found = discover(&format!("{two} fdb sw1 e5 h1!5\n fdb sw2 e7 h1!290"));
    assert_eq!(hangs(&found, "h1"), "sw1:e5*");
    assert!(found.conflicts.is_empty());
    // Both are fresh: it is in two places, or the address is used twice.
    let found = discover(&format!("{two} fdb sw1 e5 h1!5\n fdb sw2 e7 h1!20"));
    assert_eq!(hangs(&found, "h1"), "sw1:e5 ? sw2:e7");
    assert_eq!(found.conflicts.len(), 1);
    // One of them does not say.
    let found = discover(&format!("{two} fdb sw1 e5 h1!5\n fdb sw2 e7 h1"));
    assert_eq!(hangs(&found, "h1"), "sw1:e5 ? sw2:e7");
    // Two ports of one switch, in two VLANs.
    let found = discover("switch sw1 s1\n fdb sw1 e5 h1@10!200\n fdb sw1 e6 h1@20!1");
    assert_eq!(hangs(&found, "h1"), "sw1:e6*");
}

#[test]
fn an_address_in_two_vlans_on_two_ports_is_a_contradiction_that_names_both() {
    let found = discover("switch sw1 s1\n fdb sw1 e5 h1@10\n fdb sw1 e6 h1@20");
    assert_eq!(hangs(&found, "h1"), "sw1:e5 ? sw1:e6");
    let conflicts = serde_json::to_string(&found.conflicts).unwrap();
    assert!(conflicts.contains("\"e5\"") && conflicts.contains("\"e6\""), "{conflicts}");
}

#[test]
fn guests_of_a_hypervisor_that_nobody_reads_are_behind_its_port() {
    // ESXi announces itself by CDP and bridges for its guests.
    let found = discover(
        "switch sw1 s1
         cdp sw1 e1 esx1 mac=e1 caps=bridge
         fdb sw1 e1 e1 00:50:56:00:00:01 00:0C:29:00:00:02",
    );
    assert_eq!(hangs(&found, "e1"), "sw1:e1*");
    assert_eq!(hangs(&found, "00:50:56:00:00:01"), "sw1:e1");
    assert_eq!(candidate(&found, "00:50:56:00:00:01").class, crate::model::Class::Server);
    // Silent: only that they share the port is known.
    let found = discover("switch sw1 s1\n fdb sw1 e1 h1 00:50:56:00:00:01");
    assert_eq!(hangs(&found, "h1"), "sw1:e1");
}

#[test]
fn roaming_between_access_points_is_behind_the_last_one_or_both() {
    let text =
        "switch sw1 s1\n lldp sw1 e1 ap1 mac=a1 caps=bridge,ap\n lldp sw1 e2 ap2 mac=a2 caps=bridge,ap\n";
    let found = discover(&format!("{text} fdb sw1 e1 a1 ~p1!100\n fdb sw1 e2 a2 ~p1!2"));
    assert_eq!(hangs(&found, "~p1"), "sw1:e2");
    let found = discover(&format!("{text} fdb sw1 e1 a1 ~p1\n fdb sw1 e2 a2 ~p1"));
    assert_eq!(hangs(&found, "~p1"), "sw1:e1 ? sw1:e2");
}

#[test]
fn a_stack_and_an_aggregate_across_its_members() {
    let found = discover(
        "switch stack s1
         switch sw2 s2
         port stack Gi1/0/49 lag=Po1
         port stack Gi2/0/49 lag=Po1
         port stack Po1 lag
         port sw2 a lag=trk1
         port sw2 b lag=trk1
         port sw2 trk1 lag
         lldp stack Gi1/0/49 sw2 mac=s2 port=a
         lldp stack Gi2/0/49 sw2 mac=s2 port=b
         lldp sw2 a stack mac=s1 port=Gi1/0/49
         lldp sw2 b stack mac=s1 port=Gi2/0/49
         fdb stack Po1 h2
         fdb stack Gi2/0/1 h1
         fdb sw2 trk1 h1 s1
         fdb sw2 c h2",
    );
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["stack:Gi2/0/1*", "sw2:c*"]);
    let ends = links(&found);
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends[0].starts_with("stack:Gi1/0/49 - sw2:a ") && ends[1].starts_with("stack:Gi2/0/49 - sw2:b "));
}

#[test]
fn a_chain_of_unread_switches_is_told_at_the_nearest_port() {
    // sw2 and sw3 cannot be read; sw4 behind them can.
    let found = discover(
        "switch sw1 s1
         switch sw2 s2
         gap sw2 fdb
         switch sw3 s3
         gap sw3 fdb
         switch sw4 s4
         fdb sw1 e1 s2 s3 s4 h1 h4
         fdb sw1 e5 h5
         fdb sw4 up s1 s2 s3 h1 h5
         fdb sw4 e1 h4",
    );
    assert_eq!([hangs(&found, "h4"), hangs(&found, "h5")], ["sw4:e1*", "sw1:e5*"]);
    assert_eq!(hangs(&found, "h1"), "-", "between switches: on one of the two that cannot be read");
}
