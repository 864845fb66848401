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
