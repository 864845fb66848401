//! Announcements against forwarding tables: what crosses a switch, who else is on a port, where a device without a table hangs.

use super::net::{candidate, collections, discover, find, hangs, links};
use crate::correlate::explain;
use crate::model::candidate::Known;
use crate::model::explanation::Verdict;
use crate::model::{Conflict, Discovery};

/// Two switches that announce themselves to each other, by one protocol.
fn pair(protocol: &str) -> String {
    format!(
        "switch sw1 s1\n switch sw2 s2\n port sw1 e1\n port sw2 e24
         {protocol} sw1 e1 sw2 mac=s2 port=e24 caps=bridge
         {protocol} sw2 e24 sw1 mac=s1 port=e1 caps=bridge\n"
    )
}

fn has_conflict(found: &Discovery, wanted: &str) -> bool {
    serde_json::to_string(&found.conflicts).unwrap().contains(wanted)
}

/// Cisco, HP, Cisco: the one in the middle hands CDP on, and its table has the others on different ports.
#[test]
fn an_announcement_that_crossed_a_switch_is_no_cable() {
    let middle = "switch c1 a1\n switch hp b1\n switch c2 a2
         port c1 g1\n port c2 g1\n port hp 1\n port hp 2
         fdb c1 g1 b1 a2 hh h2
         fdb c1 g2 h1
         fdb hp 1 a1 h1
         fdb hp 2 a2 h2
         fdb hp 3 hh
         fdb c2 g1 b1 a1 hh h1
         fdb c2 g2 h2";
    let cables = ["c1:g1 - hp:1 [fdb]", "c2:g1 - hp:2 [fdb]"];
    let both = "cdp c1 g1 c2 port=g1 caps=bridge\n cdp c2 g1 c1 port=g1 caps=bridge";
    assert_eq!(links(&discover(&format!("{middle}\n {both}"))), cables);
    let one = "cdp c1 g1 c2 port=g1 caps=bridge";
    assert_eq!(links(&discover(&format!("{middle}\n {one}"))), cables);
    // LLDP should not have crossed it: it is told, and not believed.
    let found = discover(&format!("{middle}\n lldp c1 g1 c2 mac=a2 port=g1 caps=bridge"));
    assert_eq!(links(&found), ["c1:g1 - c2:g1 [lldp]", cables[0], cables[1]]);
    assert!(found.links.iter().all(|link| link.confidence < 50), "{:?}", found.links);
    assert!(has_conflict(&found, "hp is in between"));
}

#[test]
fn a_cable_that_spanning_tree_blocks_is_still_one() {
    // sw3 is behind other ports of both, and has them on different ones.
    let found = discover(&format!(
        "{} switch sw3 s3\n fdb sw1 up s3 s2\n fdb sw2 up s3 s1\n fdb sw3 1 s1\n fdb sw3 2 s2",
        pair("lldp")
    ));
    assert!(
        links(&found).contains(&"sw1:e1 - sw2:e24 [lldp lldp-reverse]".to_owned()),
        "{:?}",
        links(&found)
    );
    assert_eq!(found.links.iter().map(|link| link.confidence).max(), Some(99));
}

#[test]
fn hosts_on_both_ends_share_the_segment() {
    for protocol in ["lldp", "cdp"] {
        let rows = |between: &str| {
            format!(
                "{} fdb sw1 e1 s2@1 h2@1 {between}\n fdb sw1 e5 h1@1\n fdb sw2 e24 s1@1 h1@1 {between}\n fdb sw2 e5 h2@1",
                pair(protocol)
            )
        };
        let found = discover(&rows("d1@1 d2@1 d3@1"));
        assert!(links(&found)[0].contains("shared-segment"), "{:?}", links(&found));
        assert!(found.links[0].confidence < 50);
        assert_eq!([hangs(&found, "h1"), hangs(&found, "d1")], ["sw1:e5*", "-"]);
        // One may have moved while the tables were read; two in different VLANs too.
        for between in ["", "d1@1", "d1@1 d2@2"] {
            let found = discover(&rows(between));
            assert!(found.links[0].confidence >= 90, "{between}: {:?}", found.links);
        }
    }
}

#[test]
fn an_unread_switch_on_both_ends_shares_the_segment() {
    let found = discover(&format!(
        "{} switch sw3 s3\n gap sw3 fdb\n fdb sw1 e1 s2 s3\n fdb sw2 e24 s1 s3",
        pair("cdp")
    ));
    assert!(found.links[0].confidence < 50, "{:?}", found.links);
}

#[test]
fn a_router_with_strangers_on_its_port_is_not_alone() {
    let text = "switch sw1 s1\n router r1 rr\n port r1 ge0 mac=rr
         lldp sw1 e1 r1 mac=rr port=ge0 caps=router";
    let found = discover(&format!("{text}\n fdb sw1 e1 rr"));
    assert_eq!(hangs(&found, "rr"), "sw1:e1*");
    assert!(found.links[0].confidence >= 90);
    let found = discover(&format!("{text}\n fdb sw1 e1 rr h1 h2"));
    assert_eq!(hangs(&found, "rr"), "sw1:e1");
    assert_eq!(links(&found), ["r1:ge0 - sw1:e1 [fdb lldp-reverse shared-segment]"].map(str::to_owned));
    assert!(found.links[0].confidence < 50);
}

#[test]
fn who_announces_itself_on_a_port_is_there_too() {
    // A small switch that says neither what it can do nor, in any table, where its address is.
    let text = "switch sw1 s1\n lldp sw1 e1 gs108 mac=d1 port=g1\n fdb sw1 e1 h1\n fdb sw1 e2 h2";
    let found = discover(text);
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["sw1:e1", "sw1:e2*"]);
    let reasons = candidate(&found, "h1").reasons.join("\n");
    assert!(reasons.contains("behind gs108"), "{reasons}");
    let told = explain(&collections(text), &Known::default(), &super::net::mac("h1").to_string()).unwrap();
    assert!(
        told[0].observations.iter().any(|line| line.says.contains("LLDP neighbour \"gs108\" on e1")),
        "{:#?}",
        told[0].observations
    );
    // Two announce themselves, a third is learned.
    let two = "switch sw1 s1\n lldp sw1 e1 a mac=d1\n lldp sw1 e1 b mac=d2\n fdb sw1 e1 h1";
    let found = discover(two);
    assert_eq!(hangs(&found, "h1"), "sw1:e1");
    assert!(candidate(&found, "h1").reasons.join("\n").contains("together with"));
    // MNDP comes from further away, but not out of nowhere.
    assert_eq!(hangs(&discover("switch sw1 s1\n mndp sw1 e4 hap mac=d4\n fdb sw1 e4 h4"), "h4"), "sw1:e4");
    // The machine itself, by any of its protocols and addresses.
    for itself in ["lldp sw1 e1 srv mac=x1 portmac=h1", "cdp sw1 e1 srv id=srv", "mndp sw1 e1 srv mac=h1"] {
        assert_eq!(hangs(&discover(&format!("switch sw1 s1\n {itself}\n fdb sw1 e1 h1")), "h1"), "sw1:e1*");
    }
}

/// Two switches hear one socket of a router, and no table has its address: one of them hears what is no longer so.
#[test]
fn a_device_that_two_ports_hear_is_reported_not_guessed() {
    let text = "switch sw1 s1\n switch sw2 s2\n router r1 rr\n port r1 ether1 mac=rr
         port sw1 a\n port sw2 b
         lldp sw1 a r1 mac=rr port=ether1 caps=router
         lldp sw2 b r1 mac=rr port=ether1 caps=router
         fdb sw1 c s2\n fdb sw2 c s1";
    let found = discover(text);
    assert_eq!(hangs(&found, "rr"), "sw1:a ? sw2:b");
    let r1 = candidate(&found, "rr");
    assert!(matches!(r1.conflicts.as_slice(), [Conflict::SeveralPorts { ports, .. }] if ports.len() == 2));
    assert!(r1.confidence <= 40);
    let told = explain(&collections(text), &Known::default(), "r1").unwrap();
    let ports: Vec<(Verdict, &str)> =
        told[0].cards[0].ports.iter().map(|port| (port.verdict, port.port.as_str())).collect();
    assert_eq!(ports, [(Verdict::Kept, "a"), (Verdict::Competing, "b")]);
}

/// LLDP of a port that nothing was learned on, and tables that have the address elsewhere: the cable was moved, or the table is old.
#[test]
fn what_is_heard_here_and_learned_there_is_reported_not_guessed() {
    let network = |machine: &str, far: &str| {
        format!(
            "switch sw1 s1\n switch sw2 s2\n {machine}
             lldp sw1 a m1 mac=m1 {far}
             lldp sw1 up sw2 mac=s2 port=up caps=bridge
             lldp sw2 up sw1 mac=s1 port=up caps=bridge
             fdb sw2 b m1\n fdb sw1 up m1"
        )
    };
    let router = discover(&network("router m1 m1\n port m1 ether1 mac=m1", "port=ether1 caps=router"));
    let host = discover(&network("", "caps=station"));
    for found in [&router, &host] {
        assert_eq!(hangs(found, "m1"), "sw2:b ? sw1:a");
        assert!(matches!(candidate(found, "m1").conflicts.as_slice(), [Conflict::SeveralPorts { .. }]));
    }
    let cable = router.links.iter().find(|link| link.a.switch == "m1").unwrap();
    assert!(cable.confidence <= 30 && cable.b.port == "a", "{cable:?}");
    assert!(has_conflict(&router, "link_disagrees"));
    // A machine of two cards announces its first address with both; where the port learned the second, it is that.
    let two = discover(&format!("{}\n fdb sw1 a x1", network("", "caps=station")));
    assert_eq!(hangs(&two, "m1"), "sw2:b*");
    // What a switch hears that nobody could read the table of says more than its neighbour's table.
    let unread = "switch sw1 s1\n switch sw2 s2\n gap sw2 fdb\n router r1 rr\n port r1 ether1 mac=rr
         lldp sw1 up sw2 mac=s2 port=up caps=bridge
         lldp sw2 b r1 mac=rr port=ether1 caps=router
         fdb sw1 up s2 rr";
    assert_eq!(hangs(&discover(unread), "rr"), "sw2:b*");
}

#[test]
fn a_neighbour_without_an_address_is_the_one_that_arp_has_there() {
    let text = "switch sw1 s1\n router r1 rr\n net r1 192.0.2.0/24
         arp r1 a1 192.0.2.55\n arp r1 p1 192.0.2.56
         cdp sw1 e8 ap-lobby id=ap-lobby.example.org ip=192.0.2.55 port=GigabitEthernet0 caps=bridge";
    let found = discover(&format!("{text}\n fdb sw1 e8 a1 p1\n fdb sw1 e9 h1"));
    assert_eq!([hangs(&found, "a1"), hangs(&found, "p1")], ["sw1:e8*", "sw1:e8"]);
    let access_point = candidate(&found, "a1");
    assert_eq!((access_point.name.as_str(), access_point.class), ("ap-lobby", crate::model::Class::Network));
    assert!(candidate(&found, "p1").reasons.join("\n").contains("behind ap-lobby"));
    // Learned elsewhere it is not the one that announced itself here.
    let found = discover(&format!("{text}\n fdb sw1 e8 p1\n fdb sw1 e9 a1"));
    assert_eq!(hangs(&found, "a1"), "sw1:e9*");
    assert_ne!(candidate(&found, "a1").name.as_str(), "ap-lobby");
    // A telephone whose chassis id is its network address.
    let found = discover(
        "switch sw1 s1\n router r1 rr\n net r1 192.0.2.0/24\n arp r1 t1 192.0.2.55
         lldp sw1 e7 tel id=192.0.2.55 port=x caps=phone\n fdb sw1 e7 t1@20 h1@10",
    );
    assert_eq!([hangs(&found, "t1"), hangs(&found, "h1")], ["sw1:e7*", "sw1:e7"]);
    // Two have that address: nobody is it.
    let found = discover(&format!("{text}\n arp r1 p1 192.0.2.55\n fdb sw1 e8 a1 p1"));
    assert!(found.candidates.iter().all(|candidate| candidate.name.as_str() != "ap-lobby"));
    assert!(find(&found, "a1").is_some());
}
