//! Ways between switches that no single tree explains: blocked cables, a tree for each VLAN, pairs of switches, switches that nobody
//! reads or that say nothing; and who else was heard on a port.

use super::net::{candidate, collections, discover, hangs, links};
use crate::correlate::explain;
use crate::model::candidate::Known;

/// Three switches in a ring, all of which announce themselves; the cable between sw2 and sw3 is blocked.
const RING: &str = "
    switch sw1 s1
    switch sw2 s2
    switch sw3 s3
    lldp sw1 a sw2 mac=s2 port=a caps=bridge
    lldp sw2 a sw1 mac=s1 port=a caps=bridge
    lldp sw1 b sw3 mac=s3 port=b caps=bridge
    lldp sw3 b sw1 mac=s1 port=b caps=bridge
    lldp sw2 b sw3 mac=s3 port=a caps=bridge
    lldp sw3 a sw2 mac=s2 port=b caps=bridge
    fdb sw1 a h2
    fdb sw1 b h3
    fdb sw1 e h1
    fdb sw2 a h1 h3
    fdb sw2 e h2
    fdb sw3 b h1 h2
    fdb sw3 e h3
";

fn explained(text: &str, word: &str) -> String {
    let told = explain(&collections(text), &Known::default(), &super::net::mac(word).to_string());
    format!("{told:?}")
}

#[test]
fn a_blocked_cable_gives_no_direction() {
    for stp in ["", "stp sw3 a - mac=s2"] {
        let found = discover(&format!("{RING} {stp}"));
        assert_eq!(["h1", "h2", "h3"].map(|host| hangs(&found, host)), ["sw1:e*", "sw2:e*", "sw3:e*"]);
        assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
        assert_eq!(links(&found).len(), 3, "the blocked cable is one as well: {:?}", links(&found));
    }
}

/// VLAN 10 goes by core1, VLAN 20 by core2; switches are managed in VLAN 1.
const TREES: &str = "
    switch core1 c1
    switch core2 c2
    switch acc1 a1
    lldp core1 x core2 mac=c2 port=x caps=bridge
    lldp core2 x core1 mac=c1 port=x caps=bridge
    lldp core1 d1 acc1 mac=a1 port=u1 caps=bridge
    lldp acc1 u1 core1 mac=c1 port=d1 caps=bridge
    lldp core2 d1 acc1 mac=a1 port=u2 caps=bridge
    lldp acc1 u2 core2 mac=c2 port=d1 caps=bridge
    fdb acc1 e1 h1@10
    fdb acc1 e2 h2@20
    fdb acc1 u1 c1@1 c2@1 h8@10
    fdb acc1 u2 h9@20
    fdb core1 e9 h9@20
    fdb core1 d1 h1@10 a1@1
    fdb core1 x h2@20 c2@1 h8@10
    fdb core2 e8 h8@10
    fdb core2 x h1@10 a1@1 c1@1 h9@20
    fdb core2 d1 h2@20
";

#[test]
fn each_vlan_may_go_its_own_way() {
    let found = discover(TREES);
    let hosts = ["h1", "h2", "h8", "h9"].map(|host| hangs(&found, host));
    assert_eq!(hosts, ["acc1:e1*", "acc1:e2*", "core2:e8*", "core1:e9*"]);
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
}

#[test]
fn within_one_vlan_there_is_one_way() {
    // h7 is in VLAN 20 as well, and acc1 has it towards core1: then h9, which it has towards core2, is no longer on core1.
    let found = discover(&format!("{TREES} fdb core1 e7 h7@20\n fdb acc1 u1 h7@20"));
    assert_eq!(hangs(&found, "h9"), "core1:e9 ? acc1:u2");
}

#[test]
fn an_aggregate_across_a_pair_of_switches_is_one_place() {
    let pair = "
        switch swA sA
        switch swB sB
        port swA po1 lag
        port swB po1 lag
        port swA e1 lag=po1
        port swB e1 lag=po1
        port swA po10 lag
        port swA e10 lag=po10
        port swB po10 lag
        port swB e10 lag=po10
        fdb swA po10 h1
        fdb swB po10 h1
        fdb swA e5 h2
        fdb swB po1 h2 sA
        fdb swA po1 sB h3
        fdb swB e6 h3";
    for heard in ["", "lldp swA e1 swB mac=sB port=e1 caps=bridge"] {
        let text = format!("{pair}\n {heard}");
        let found = discover(&text);
        assert_eq!(hangs(&found, "h1"), "swA:po10 ? swB:po10");
        assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
        let reasons = candidate(&found, "h1").reasons.join("\n");
        assert!(reasons.contains("an aggregate across two switches, together with swB po10"), "{reasons}");
        assert!(explained(&text, "h1").contains("one aggregate with swA po10"));
    }
    // Two switches that are no neighbours, or ports that are no aggregates.
    let found = discover(&pair.replace("po10 lag", "po10"));
    assert_eq!(found.conflicts.len(), 0, "members make it an aggregate all the same");
    let single = pair.replace("lag=po10", "up=yes").replace("po10 lag", "po10");
    assert_eq!(discover(&single).conflicts.len(), 1);
    let apart = pair.replace("fdb swB po1 h2 sA", "").replace("fdb swA po1 sB h3", "");
    assert_eq!(discover(&apart).conflicts.len(), 1);
}

#[test]
fn a_host_of_an_unread_switch_is_seen_from_all_its_sides() {
    let text = "
        switch sw1 s1
        switch sw2 s2
        switch sw3 s3
        gap sw2 fdb
        fdb sw1 e5 h1
        fdb sw3 e5 h3
        fdb sw1 e1 h2 h3
        fdb sw3 up h1 h2";
    let heard = "
        lldp sw1 e1 sw2 mac=s2 port=p1 caps=bridge
        lldp sw3 up sw2 mac=s2 port=p2 caps=bridge";
    for sign in [heard, "fdb sw1 e1 s2\n fdb sw3 up s2"] {
        let text = format!("{text}\n {sign}");
        let found = discover(&text);
        assert_eq!(hangs(&found, "h2"), "sw1:e1 ? sw3:up");
        assert!(candidate(&found, "h2").conflicts.is_empty(), "{:?}", found.conflicts);
        let reasons = candidate(&found, "h2").reasons.join("\n");
        assert!(reasons.contains("behind sw2 (unread), as it is seen from sw3 up"), "{reasons}");
        assert!(explained(&text, "h2").contains("it leads to sw2 (unread) from another side"));
    }
    let found = discover(&format!("{text}\n {heard}"));
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h3")], ["sw1:e5*", "sw3:e5*"]);
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
    let found = discover(&format!("{text}\n {heard}"));
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h3")], ["sw1:e5*", "sw3:e5*"]);
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
}

#[test]
fn who_was_heard_on_a_port_is_there_too() {
    // A small switch that does not say what it is, and whose own address no table has.
    let found = discover("switch sw1 s1\n lldp sw1 e1 gs108 mac=d1 port=g1\n fdb sw1 e1 h1");
    assert_eq!(hangs(&found, "h1"), "sw1:e1");
    let reasons = candidate(&found, "h1").reasons.join("\n");
    assert!(reasons.contains("behind gs108"), "{reasons}");
    // Two machines, of which neither is the one that the table has.
    let two = "lldp sw1 e1 one mac=d1\n lldp sw1 e1 two mac=d2";
    assert_eq!(hangs(&discover(&format!("switch sw1 s1\n {two}\n fdb sw1 e1 h1")), "h1"), "sw1:e1");
    // A broadcast that crossed something. Whoever sent it is somewhere behind the port, unless tables have it elsewhere.
    let found = discover("switch sw1 s1\n mndp sw1 e4 hap mac=d4\n fdb sw1 e4 h4");
    assert_eq!(hangs(&found, "h4"), "sw1:e4");
    let found = discover("switch sw1 s1\n mndp sw1 e4 hap mac=d4\n fdb sw1 e4 h4\n fdb sw1 e5 d4");
    assert_eq!(hangs(&found, "h4"), "sw1:e4*");
    // A machine that announces itself by the address of another of its cards, and both are known to be one.
    let found = discover("switch sw1 s1\n lldp sw1 e1 nas mac=d1 portmac=h1\n fdb sw1 e1 h1");
    assert_eq!(hangs(&found, "h1"), "sw1:e1*");
    // A neighbour without any address may be the one that the table has.
    let found = discover("switch sw1 s1\n cdp sw1 e1 esx1 id=esx1\n fdb sw1 e1 h1");
    assert_eq!(hangs(&found, "h1"), "sw1:e1*");
}

/// A switch of which nothing is known but what it forwards has a small one behind it, which announces itself.
#[test]
fn an_unread_switch_behind_a_silent_one_does_not_move_its_hosts() {
    let silent = "
        switch sw0 s0
        switch sw2
        fdb sw0 e0 h0
        fdb sw0 down h1
        lldp sw2 e1 smart mac=d1 caps=bridge
        fdb sw2 e1 h1
        fdb sw2 up h0";
    assert_eq!(hangs(&discover(silent), "h1"), "sw0:down ? sw2:e1");
    assert_eq!(hangs(&discover(&format!("{silent} s0")), "h1"), "sw0:down ? sw2:e1");
    assert!(
        explained(silent, "h1").contains("it leads to smart (unread), and nothing tells which port is right")
    );
    // Of two switches on both sides of an unread one, that is the nearer one which has the address on its far side.
    let found = discover(
        "switch sw0 s0
         switch sw2
         lldp sw0 down sw1 mac=s1 caps=bridge
         lldp sw2 up sw1 mac=s1 caps=bridge
         lldp sw2 e1 smart mac=d1 caps=bridge
         fdb sw0 down h1
         fdb sw2 e1 h1
         fdb sw2 up s0",
    );
    assert_eq!(hangs(&found, "h1"), "sw2:e1");
}

#[test]
fn an_old_row_on_an_edge_port_gives_way_to_a_fresh_one_before_an_unread_switch() {
    let found = discover(
        "switch sw0 s0
         switch sw1 s1
         lldp sw0 e4 smart mac=d1 caps=bridge
         fdb sw0 e4 h1!3
         fdb sw1 old h1!250",
    );
    assert_eq!(hangs(&found, "h1"), "sw0:e4");
}

#[test]
fn hosts_tell_directions_on_ports_that_lead_to_another_switch_already() {
    // sw0 has sw1 and sw2 behind port 2, and only sw1 is known to be there. Two hosts of sw2 and hosts on three ports of sw0 leave one
    // way for the two to face each other.
    let found = discover(
        "switch sw0
         switch sw1 s1
         switch sw2
         fdb sw0 1 h1 h2
         fdb sw0 3 h3 h4
         fdb sw0 2 s1 h5 h6 h7 h8
         fdb sw1 1 h1 h2 h3 h4
         fdb sw1 2 h7 h8
         fdb sw1 3 h5
         fdb sw1 4 h6
         fdb sw2 1 s1 h1 h2 h3 h4 h5 h6
         fdb sw2 2 h7
         fdb sw2 3 h8",
    );
    assert_eq!(["h7", "h8", "h5"].map(|host| hangs(&found, host)), ["sw2:2*", "sw2:3*", "sw1:3*"]);
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
}

#[test]
fn one_row_alone_moves_no_switch() {
    // h0 and h1 share sw0's port 2. One stale row of sw1 is all that could put sw1 behind it.
    let found = discover(
        "switch sw0
         switch sw1
         fdb sw0 2 h0 h1
         fdb sw0 4 h2
         fdb sw1 1 h1 h2
         fdb sw1 2 h0",
    );
    assert_eq!(hangs(&found, "h0"), "sw0:2 ? sw1:2");
}

#[test]
fn leaves_of_an_unread_core_share_one_segment_and_what_is_beyond_them_does_not() {
    // Four leaves around a core that nobody reads, one of them with a switch behind it.
    let mut lines = vec!["switch f f0\n fdb f up l0 l1 l2 l3".to_owned()];
    for leaf in 0..4 {
        lines.push(format!("switch l{leaf} l{leaf}"));
        lines.extend((0..4).filter(|other| *other != leaf).map(|other| format!("fdb l{leaf} up l{other}")));
        lines.push(format!("fdb l{leaf} {} f0", if leaf == 2 { "down" } else { "up" }));
    }
    let text = lines.join("\n");
    let found = discover(&text);
    let mut expected: Vec<String> =
        ["l0", "l1", "l3"].iter().map(|leaf| format!("{leaf}:up - l2:up [fdb shared-segment]")).collect();
    expected[2] = "l2:up - l3:up [fdb shared-segment]".to_owned();
    expected.insert(0, "f:up - l2:down [fdb]".to_owned());
    assert_eq!(links(&found), expected);
}
