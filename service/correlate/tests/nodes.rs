//! Servers that bridge for what runs on them, and guests that the hypervisor and the tables place.

use super::net::{candidate, discover, hangs, links};

/// A KVM host that Linux reads: its bridge learns the guests inside and the network outside.
const KVM: &str = "
    switch sw1 s1
    port sw1 e1
    port sw1 e2
    other kvm1 k1
    port kvm1 eth0 mac=k1 bridge=br0
    port kvm1 br0 bridge mac=k1
    port kvm1 vnet0 virtual bridge=br0
    port kvm1 vnet1 virtual bridge=br0
    fdb kvm1 vnet0 g1
    fdb kvm1 vnet1 g2
    fdb sw1 e2 h2
";

#[test]
fn a_server_that_bridges_for_its_guests_only_is_no_switch() {
    let found = discover(&format!("{KVM} fdb kvm1 eth0 h2 h3 s1\n fdb sw1 e1 k1 g1 g2"));
    assert_eq!([hangs(&found, "k1"), hangs(&found, "h2")], ["sw1:e1*", "sw1:e2*"]);
    assert_eq!(hangs(&found, "g1"), "sw1:e1");
    assert_eq!(links(&found), ["kvm1:eth0 - sw1:e1 [edge-port fdb]"]);
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
    // Something else is on that port.
    let found = discover(&format!("{KVM} fdb kvm1 eth0 h2\n fdb sw1 e1 k1 g1 x1"));
    assert_eq!(hangs(&found, "k1"), "sw1:e1");
}

#[test]
fn by_an_aggregate_and_a_vlan_too() {
    let found = discover(
        "switch sw1 s1\n port sw1 e1 lag=po1\n port sw1 e2 lag=po1\n port sw1 po1 lag
         other kvm1 k1\n port kvm1 eth0 mac=k1 lag=bond0\n port kvm1 eth1 mac=k2 lag=bond0
         port kvm1 bond0 lag mac=k1\n port kvm1 bond0.10 vlan mac=k1 bridge=br10\n port kvm1 vnet0 virtual bridge=br10
         fdb kvm1 vnet0 g1\n fdb kvm1 bond0.10 h2\n fdb kvm1 bond0 s1\n fdb sw1 po1 k1 g1\n fdb sw1 e5 h2",
    );
    assert_eq!([hangs(&found, "h2"), hangs(&found, "g1")], ["sw1:e5*", "sw1:po1"]);
}

#[test]
fn a_server_with_two_sockets_in_one_bridge_is_a_switch() {
    let found = discover(
        "switch sw1 s1\n other box b1\n port box eth0 mac=b1 bridge=br0\n port box eth1 mac=b2 bridge=br0
         fdb sw1 e1 b1 h1\n fdb sw1 e2 h2\n fdb box eth0 s1 h2\n fdb box eth1 h1",
    );
    assert_eq!([hangs(&found, "h1"), hangs(&found, "h2")], ["box:eth1*", "sw1:e2*"]);
    assert_eq!(links(&found), ["box:eth0 - sw1:e1 [fdb]"]);
}

#[test]
fn a_node_that_two_sources_read_hangs_on_its_port() {
    let text = "switch sw1 s1
        node pve1 k1 cluster=lab by=pve
        port pve1 eno1 mac=k1 bridge=vmbr0 by=pve
        guest pve lab/100 web pve1 g1
        other pve1 k1 by=lin
        port pve1 eno1 mac=k1 bridge=vmbr0 by=lin
        port pve1 tap100i0 virtual bridge=vmbr0 by=lin
        fdb pve1 tap100i0 g1 by=lin
        fdb pve1 eno1 h2 s1 by=lin
        fdb sw1 e2 h2\n";
    let found = discover(&format!("{text} fdb sw1 e1 k1 g1"));
    assert_eq!([hangs(&found, "k1"), hangs(&found, "g1")], ["sw1:e1*", "sw1:e1"]);
    assert_eq!(links(&found), ["pve1:eno1 - sw1:e1 [edge-port fdb]"]);
    // The guest was silent, and only the node's own bridge knows it.
    assert_eq!(hangs(&discover(&format!("{text} fdb sw1 e1 k1")), "g1"), "sw1:e1");
}

#[test]
fn a_guest_that_has_moved_is_where_its_hypervisor_says() {
    let text = "switch sw1 s1\n switch sw2 s2
        lldp sw1 up sw2 mac=s2 port=up caps=bridge
        lldp sw2 up sw1 mac=s1 port=up caps=bridge
        node pve1 n1 cluster=lab by=pve
        node pve2 n2 cluster=lab by=pve
        guest pve lab/100 web pve2 g1
        fdb sw2 e2 n2
        fdb sw1 up n2
        fdb sw2 up n1\n";
    let found = discover(&format!("{text} fdb sw1 e1 n1 g1"));
    assert_eq!(hangs(&found, "g1"), "sw2:e2 ? sw1:e1");
    let guest = candidate(&found, "g1");
    assert!(guest.conflicts.is_empty(), "{:?}", guest.conflicts);
    assert!(guest.reasons.iter().any(|reason| reason.contains("where node pve1 is: it has moved")));
    // Both ports have it: the hypervisor decides.
    let found = discover(&format!("{text} fdb sw1 e1 n1 g1\n fdb sw2 e2 g1"));
    assert_eq!(hangs(&found, "g1"), "sw2:e2 ? sw1:e1");
    assert!(found.conflicts.is_empty());
    // A port where no node is: an address that is used twice, or a card of the node that nobody knows.
    let found = discover(&format!("{text} fdb sw1 e1 n1\n fdb sw1 e9 g1\n fdb sw2 e2 g1"));
    assert_eq!(hangs(&found, "g1"), "sw1:e9 ? sw2:e2");
    assert_eq!(found.conflicts.len(), 1);
}
