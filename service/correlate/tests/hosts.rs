//! Hosts, guests, names and addresses on small networks.

use super::net::{addresses, candidate, collections, discover, find, hangs, mac};
use crate::correlate::correlate;
use crate::model::candidate::Known;
use crate::model::{CandidateKind, Class, Conflict, Discovery, NameOrigin};

fn name<'d>(found: &'d Discovery, word: &str) -> &'d str {
    candidate(found, word).name.as_str()
}

#[test]
fn a_bound_lease_makes_a_host_and_names_it() {
    let found = discover(
        "router r1 r1\n lease r1 h1 192.0.2.10 Printer class=MSFT\n switch sw1 s1\n fdb sw1 ether5 h1@10",
    );
    let host = candidate(&found, "h1");
    assert_eq!((name(&found, "h1"), host.name_origin), ("printer", NameOrigin::Dhcp));
    assert_eq!(addresses(&found, "h1"), ["192.0.2.10".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(host.interfaces[0].dhcp.len(), 1);
    assert_eq!(host.sources, ["r1", "sw1"]);
    assert!(host.confidence >= 90 && host.evidence_only.is_none(), "{host:#?}");
}

#[test]
fn reservations_and_old_leases_are_no_hosts() {
    let found = discover(
        "router r1 r1\n reserved r1 h1 192.0.2.10\n waiting r1 h2 192.0.2.11 old\n waiting r1 h3 192.0.2.12 quiet\n switch sw1 s1\n fdb sw1 ether1 h3",
    );
    assert!(find(&found, "h1").is_none() && find(&found, "h2").is_none());
    assert_eq!(name(&found, "h3"), "quiet");
    assert!(addresses(&found, "h3").is_empty(), "nobody holds the lease now");
}

#[test]
fn arp_counts_only_in_known_networks() {
    let text = "router r1 r1
        net r1 192.0.2.0/24 bridge
        net r1 8.8.8.0/24 wan
        net r1 198.51.100.0/31 p2p
        arp r1 h1 192.0.2.10
        arp r1 h2 8.8.8.1
        arp r1 h3 198.51.100.1
        arp r1 h4 203.0.113.9";
    let found = discover(text);
    assert!(find(&found, "h1").is_some());
    assert!(["h2", "h3", "h4"].iter().all(|word| find(&found, word).is_none()));
    // NetBox's prefixes replace the router's own view.
    let known = Known { prefixes: vec!["203.0.113.0/24".parse().unwrap()], ..Known::default() };
    let found = correlate(&collections(text), &known);
    assert!(find(&found, "h4").is_some() && find(&found, "h1").is_none());
}

#[test]
fn link_local_addresses_are_dropped() {
    let found = discover(
        "router r1 r1\n net r1 fe80::/64\n net r1 2001:db8::/64\n arp r1 h1 fe80::1\n arp r1 h2 fe80::2\n arp r1 h2 2001:db8::2",
    );
    assert!(find(&found, "h1").is_none());
    assert_eq!(addresses(&found, "h2").len(), 1);
}

#[test]
fn two_machines_on_one_address_get_neither() {
    let found =
        discover("router r1 r1\n net r1 192.0.2.0/24\n lease r1 h1 192.0.2.10 a1\n arp r1 h2 192.0.2.10");
    assert!(addresses(&found, "h1").is_empty() && addresses(&found, "h2").is_empty());
    let conflict = Conflict::DuplicateAddress {
        address: "192.0.2.10".parse().unwrap(),
        macs: vec![mac("h1"), mac("h2")],
    };
    assert_eq!(candidate(&found, "h1").conflicts, found.conflicts);
    assert_eq!(candidate(&found, "h2").conflicts, found.conflicts);
    assert_eq!(found.conflicts, [conflict]);
}

#[test]
fn names_must_be_host_names_and_the_best_origin_wins() {
    let found = discover(
        "router r1 r1
         lease r1 h1 192.0.2.10 bad_name;x
         scan lan h1 192.0.2.10 good.example.org
         lease r1 h2 192.0.2.11 dhcp-name
         scan lan h2 192.0.2.11 scan-name
         lease r1 h3 192.0.2.12 localhost
         lease r1 h4 192.0.2.13 x123456789012345678901234567890.x123456789012345678901234567890.long",
    );
    assert_eq!(name(&found, "h1"), "good.example.org");
    assert_eq!(candidate(&found, "h1").other_names, ["bad_name;x"]);
    assert_eq!(name(&found, "h2"), "dhcp-name");
    assert_eq!(candidate(&found, "h2").other_names, ["scan-name"]);
    assert_eq!(name(&found, "h3"), "host-001b68330000");
    assert_eq!(name(&found, "h4"), "host-001b68340000", "NetBox takes 64 characters");
}

#[test]
fn a_name_two_want_goes_to_neither() {
    let found = discover("router r1 r1\n lease r1 h1 192.0.2.10 laptop\n lease r1 h2 192.0.2.11 laptop");
    assert_eq!([name(&found, "h1"), name(&found, "h2")], ["host-001b68310000", "host-001b68320000"]);
    assert_eq!(candidate(&found, "h1").other_names, ["laptop"]);
    assert!(matches!(candidate(&found, "h1").conflicts[0], Conflict::DuplicateName { .. }));
}

#[test]
fn nobody_takes_a_guests_name_by_calling_itself_so() {
    let found = discover(
        "router r1 r1
         node pve n1 by=pve
         guest pve lab/101 web pve g1 uuid=AB-1
         lease r1 g1 192.0.2.20 web
         lease r1 h1 192.0.2.21 web",
    );
    assert_eq!(name(&found, "g1"), "web");
    assert_eq!(candidate(&found, "h1").name_origin, NameOrigin::Fallback);
}

#[test]
fn a_guest_is_a_virtual_machine_whatever_dhcp_says() {
    let found = discover(
        "router r1 r1
         switch sw1 s1
         node pve1 n1 by=pve
         port pve1 eno1 mac=n1 by=pve
         port pve1 vmbr0 bridge mac=n1 by=pve
         guest pve lab/101 web pve1 g1,g2 uuid=AB-1 ip=192.0.2.20/24
         lease r1 g1 192.0.2.20 other-name
         fdb sw1 ether9 n1 g1",
    );
    let guest = candidate(&found, "g1");
    assert_eq!(guest.kind, CandidateKind::VirtualMachine);
    assert_eq!(guest.identity.as_str(), "pve:lab/101/ab-1");
    assert_eq!((guest.name.as_str(), guest.name_origin), ("other-name", NameOrigin::Dhcp));
    assert_eq!(guest.interfaces.len(), 2, "all cards of one guest are one machine");
    assert_eq!(guest.aliases.len(), 2);
    assert_eq!([hangs(&found, "g1"), hangs(&found, "g2")], ["sw1:ether9", "sw1:ether9"]);
    assert_eq!(hangs(&found, "n1"), "sw1:ether9*", "the node is alone with its guests");
    let node = candidate(&found, "n1");
    assert_eq!((node.class, node.device.as_deref()), (Class::Server, Some("pve1")));
    assert_eq!(guest.interfaces[0].masks.values().copied().collect::<Vec<_>>(), [24]);
}

#[test]
fn while_a_hypervisor_is_silent_what_may_be_its_guest_is_evidence_only() {
    let found = discover(
        "router r1 r1
         switch sw1 s1
         node pve1 n1 by=pve
         gap pve guests
         fdb sw1 ether9 n1 h1
         fdb sw1 ether3 h2
         lease r1 h1 192.0.2.20 a1
         lease r1 h2 192.0.2.21 a2
         lease r1 BC:24:11:00:00:01 192.0.2.22 a3",
    );
    assert!(candidate(&found, "h1").evidence_only.is_some());
    assert!(candidate(&found, "h2").evidence_only.is_none());
    assert!(candidate(&found, "BC:24:11:00:00:01").evidence_only.is_some());
}

#[test]
fn a_guest_of_an_offline_node_is_kept_as_evidence() {
    let found = discover("node pve1 n1 by=pve\n guest pve lab/7 - pve2 g1 state=unknown");
    let guest = candidate(&found, "g1");
    assert!(guest.evidence_only.is_some());
    assert_eq!(guest.identity.as_str(), "pve:lab/7/00:1b:67:31:00:00");
}

#[test]
fn randomised_addresses_are_evidence_unless_something_names_them() {
    let text = "router r1 r1\n net r1 192.0.2.0/24\n arp r1 ~p1 192.0.2.30\n lease r1 ~p2 192.0.2.31 phone\n arp r1 ~p3 192.0.2.32";
    let found = discover(text);
    assert!(candidate(&found, "~p1").evidence_only.is_some());
    assert!(candidate(&found, "~p2").evidence_only.is_none());
    let known = Known { documented_macs: [mac("~p3")].into(), ..Known::default() };
    assert!(candidate(&correlate(&collections(text), &known), "~p3").evidence_only.is_none());
    let known = Known { stage_random_macs: true, ..Known::default() };
    assert!(candidate(&correlate(&collections(text), &known), "~p1").evidence_only.is_none());
}

#[test]
fn an_address_that_only_tables_know_is_staged_only_alone_on_its_port() {
    let found = discover("switch sw1 s1\n fdb sw1 ether1 h1\n fdb sw1 ether2 h2 h3");
    assert!(candidate(&found, "h1").evidence_only.is_none());
    assert!(candidate(&found, "h2").evidence_only.is_some());
}

#[test]
fn group_and_virtual_router_addresses_are_nothing() {
    let found = discover(
        "switch sw1 s1\n net sw1 192.0.2.0/24\n fdb sw1 ether1 01:00:5e:00:00:01 00:00:5e:00:01:0a h1\n arp sw1 00:00:0c:07:ac:01 192.0.2.1",
    );
    assert_eq!(found.candidates.len(), 2);
    assert_eq!(hangs(&found, "h1"), "sw1:ether1*");
}

#[test]
fn one_lldp_chassis_is_one_machine() {
    let found = discover(
        "switch sw1 s1\n lldp sw1 ether1 nas mac=n1 portmac=n1 caps=station\n lldp sw1 ether2 nas mac=n1 portmac=n2 caps=station\n fdb sw1 ether1 n1\n fdb sw1 ether2 n2",
    );
    let nas = candidate(&found, "n2");
    assert_eq!(
        (nas.interfaces.len(), nas.identity.as_str(), nas.name.as_str()),
        (2, "mac:00:1b:6e:31:00:00", "nas")
    );
    assert_eq!([hangs(&found, "n1"), hangs(&found, "n2")], ["sw1:ether1*", "sw1:ether2*"]);
}

#[test]
fn one_device_read_twice_is_one_candidate() {
    let found = discover(
        "router r1 r1 serial=ABC12345 chassis=r1\n switch r1-snmp r1 serial=ABC12345\n fdb r1-snmp ether1 h1\n fdb r1 ether1 h1",
    );
    assert_eq!(found.candidates.iter().filter(|candidate| candidate.device.is_some()).count(), 1);
    assert_eq!(hangs(&found, "h1"), "r1:ether1*");
    // Cloned addresses with other serial numbers are two devices.
    let found = discover("router r1 r1 serial=ABC12345\n router r2 r1 serial=ABC99999");
    assert_eq!(found.candidates.len(), 2);
}

#[test]
fn a_router_that_is_a_guest_is_a_virtual_machine() {
    let found = discover(
        "router chr g1\n port chr ether1 mac=g1\n node pve n1 by=pve\n guest pve lab/9 chr pve g1 uuid=u-9",
    );
    let chr = candidate(&found, "g1");
    assert_eq!((chr.kind, chr.device.as_deref()), (CandidateKind::VirtualMachine, Some("chr")));
    assert_eq!(found.candidates.len(), 2);
}

#[test]
fn a_name_found_behind_a_router_joins_by_address() {
    let found = discover("router r1 r1\n lease r1 h1 192.0.2.10\n scan lan - 192.0.2.10 web.example.org");
    assert_eq!(name(&found, "h1"), "web.example.org");
}

#[test]
fn a_device_is_managed_on_the_interface_of_its_network() {
    let found = discover(
        "router r1 r1 address=192.0.2.1\n port r1 bridge bridge mac=r1\n port r1 ether1 mac=r2\n net r1 192.0.2.0/24 bridge",
    );
    let router = found.candidates.iter().find(|candidate| candidate.device.is_some()).unwrap();
    let bridge = router.interfaces.iter().find(|card| card.name.as_deref() == Some("bridge")).unwrap();
    assert_eq!(bridge.addresses.len(), 1);
    assert_eq!(bridge.masks.values().copied().collect::<Vec<_>>(), [24]);
}

/// Proxmox's API does not tell the addresses of a node's sockets.
#[test]
fn a_mute_node_is_found_by_its_guests_or_by_the_address_it_is_read_at() {
    let text = "switch sw1 s1
        node pve1 by=pve
        port pve1 eno1 by=pve
        guest pve lab/1 web pve1 g1
        guest pve lab/2 db pve1 g2
        fdb sw1 ether9 g1 g2";
    let socket = |found: &Discovery| {
        let node =
            found.candidates.iter().find(|candidate| candidate.device.as_deref() == Some("pve1")).unwrap();
        let place = node.interfaces[0].attachment.clone().unwrap();
        format!("{}:{}{}", place.switch, place.port, if place.exclusive { "*" } else { "" })
    };
    assert_eq!(socket(&discover(text)), "sw1:ether9*");
    // Something else is there too: the node's own address, which only ARP can tell.
    assert_eq!(socket(&discover(&format!("{text} n1"))), "sw1:ether9");
    let read = text.replace("node pve1", "node pve1 address=192.0.2.5");
    let found = discover(&format!("{read} n1\n net sw1 192.0.2.0/24\n arp sw1 n1 192.0.2.5"));
    assert_eq!(socket(&found), "sw1:ether9*");
    let owner = find(&found, "n1").unwrap();
    assert_eq!(owner.device.as_deref(), Some("pve1"), "the node's address is the node's, and no host");
}

#[test]
fn a_client_that_takes_the_name_of_a_silent_address_does_not_get_it() {
    let silent = mac("h2").compact();
    let found = discover(&format!(
        "router r1 r1\n lease r1 h1 192.0.2.10 host-{silent}\n switch sw1 s1\n fdb sw1 ether5 h1\n fdb sw1 ether6 h2"
    ));
    assert_eq!(name(&found, "h1"), format!("host-{}", mac("h1").compact()));
    assert_eq!(name(&found, "h2"), format!("host-{silent}"));
    assert_eq!(candidate(&found, "h2").conflicts, candidate(&found, "h1").conflicts);
    assert_eq!(candidate(&found, "h2").conflicts.len(), 1);
}
