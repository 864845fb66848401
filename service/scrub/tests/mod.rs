//! The candidates of a scrubbed recording are those of the original under other names, and nothing of the original is left.

mod network;
mod renamed;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use proptest::prelude::*;

use network::any_collections;
use renamed::Renamed;

use super::lexicon::Mode;
use super::*;
use crate::correlate::correlate;
use crate::correlate::tests::lawful;
use crate::model::candidate::Known;
use crate::model::observation::{
    Capability, DeviceFact, GuestFact, GuestKind, GuestNic, InterfaceFact, LeaseFact, LeaseState,
    NeighborFact, NeighborProtocol,
};
use crate::model::{Fact, FactKind, MacAddr, SourceName, Timestamp};
use crate::source::record;

fn check(collections: &[Collection], key: [u8; 32]) -> Result<Vec<Collection>, TestCaseError> {
    let (new, mut lexicon) = scrubbed(collections, &Key(key));
    let expected = Renamed(Some(&mut lexicon)).discovery(&correlate(collections, &Known::default()));
    let found = Renamed(None).discovery(&correlate(&new, &Known::default()));
    for (expected, found) in expected.iter().zip(&found) {
        prop_assert_eq!(expected, found);
    }
    prop_assert_eq!(expected.len(), found.len());
    let again = scrub(collections, &Key(key));
    prop_assert_eq!(text(&again), text(&new), "the key decides all of it");
    Ok(new)
}

fn text(collections: &[Collection]) -> String {
    let lines = collections.iter().flat_map(|collection| {
        let facts = collection.observations().map(|one| serde_json::to_string(&one).unwrap());
        let gaps = collection.gaps.iter().map(|gap| serde_json::to_string(gap).unwrap());
        facts.chain(gaps).collect::<Vec<_>>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every form in which these may be written.
fn forms(macs: &BTreeSet<MacAddr>, addresses: &BTreeSet<IpAddr>) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = addresses.iter().map(ToString::to_string).collect();
    for mac in macs {
        let compact = mac.compact();
        found.extend([mac.lower(), mac.lower().replace(':', "-"), compact.clone()]);
        found.insert(format!("{}.{}.{}", &compact[..4], &compact[4..8], &compact[8..]));
    }
    found
}

/// Whether a text is somewhere in another, not as part of a longer word.
fn occurs(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !joins(text[..at].chars().next_back()) && !joins(text[at + word.len()..].chars().next())
    })
}

/// Nothing that was in the original is in the text.
fn nothing_left(new: &[Collection], macs: &BTreeSet<MacAddr>, addresses: &BTreeSet<IpAddr>, names: &[&str]) {
    let text = text(new).to_lowercase();
    let names = names.iter().map(|name| name.to_lowercase());
    for form in forms(macs, addresses).into_iter().chain(names) {
        assert!(!occurs(&text, &form), "{form} is left in\n{text}");
    }
}

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

fn lease(at: &str, address: &str, name: Option<&str>) -> LeaseFact {
    LeaseFact {
        mac: mac(at),
        address: address.parse().ok(),
        host_name: name.map(str::to_owned),
        state: LeaseState::Bound,
        dynamic: true,
        server: Some("dhcp-acme".to_owned()),
        comment: Some("Bob's laptop, 52-54-00-12-34-56, call 5551234".to_owned()),
        client_id: Some("1:52:54:0:12:34:56".to_owned()),
        vendor_class: Some("MSFT 5.0 acme".to_owned()),
        expires_at: None,
    }
}

/// One of everything, with the same things in every field that can have them.
fn everything() -> Vec<Collection> {
    let mut gw = Collection::new(SourceName::new("gw-acme"), Timestamp(7));
    gw.facts = vec![
        Fact::Device(DeviceFact {
            device: "gw-acme".to_owned(),
            own_name: Some("GW-Acme.corp.example".to_owned()),
            address: "192.0.2.1".parse().ok(),
            description: Some("RouterOS 7.20.5 on gw-acme, serial FOX1234567".to_owned()),
            manufacturer: Some("MikroTik".to_owned()),
            model: Some("hAP ax2".to_owned()),
            serial: Some("FOX1234567".to_owned()),
            chassis_id: Some("52:54:00:aa:00:01".to_owned()),
            macs: vec![mac("52:54:00:aa:00:01")],
            cluster: Some("acme-cluster".to_owned()),
            ..DeviceFact::default()
        }),
        Fact::Interface(InterfaceFact {
            device: "gw-acme".to_owned(),
            name: "ether5".to_owned(),
            alias: Some("to printer-acme 2001:db8::5054:ff:fe12:3456".to_owned()),
            bridge: Some("bridge-acme".to_owned()),
            ..InterfaceFact::default()
        }),
        Fact::Interface(InterfaceFact {
            device: "gw-acme".to_owned(),
            name: "enx525400123456".to_owned(),
            ..InterfaceFact::default()
        }),
        Fact::Network { prefix: "192.0.2.0/24".parse().unwrap(), interface: Some("bridge-acme".to_owned()) },
        Fact::Network { prefix: "2001:db8::/64".parse().unwrap(), interface: Some("bridge-acme".to_owned()) },
        Fact::DhcpLease(lease("52:54:00:12:34:56", "192.0.2.77", Some("Printer-Acme"))),
        Fact::DhcpLease(lease("52:54:00:12:34:57", "192.0.2.78", Some("ip-192-0-2-77.acme; rm -rf"))),
        Fact::Neighbor {
            mac: mac("52:54:00:12:34:56"),
            address: "2001:db8::5054:ff:fe12:3456".parse().unwrap(),
            interface: Some("bridge-acme".to_owned()),
        },
        Fact::Neighbor {
            mac: mac("52:54:00:12:34:58"),
            address: "8.8.4.4".parse().unwrap(),
            interface: None,
        },
        Fact::ScanReply {
            address: "192.0.2.77".parse().unwrap(),
            mac: None,
            name: Some("77.2.0.192.in-addr.arpa".to_owned()),
        },
        Fact::LldpNeighbor(NeighborFact {
            device: "gw-acme".to_owned(),
            port: Some("ether5".to_owned()),
            protocol: NeighborProtocol::Cdp,
            chassis_id: Some("core(FOX1234567)".to_owned()),
            port_id: Some("Gi1/0/7".to_owned()),
            port_description: Some("to gw-acme".to_owned()),
            system_name: Some("core.corp.example".to_owned()),
            system_description: Some("Cisco IOS Software, Version 15.2(7)E, core by acme".to_owned()),
            addresses: vec!["192.0.2.3".parse().unwrap()],
            capabilities: vec![Capability::Bridge],
            ..NeighborFact::default()
        }),
        Fact::Guest(GuestFact {
            cluster: "acme-cluster".to_owned(),
            id: 101,
            uuid: Some("4c4c4544-0043-3010-8052-b4c04f564231".to_owned()),
            kind: GuestKind::Qemu,
            name: Some("payroll".to_owned()),
            node: "gw-acme".to_owned(),
            running: Some(true),
            vcpus: Some(2),
            memory_mib: None,
            disk_mib: None,
            tags: vec!["acme".to_owned()],
            nics: vec![GuestNic {
                name: "net0".to_owned(),
                mac: Some(mac("bc:24:11:12:34:56")),
                bridge: Some("vmbr0".to_owned()),
                vlan: Some(10),
                addresses: vec!["192.0.2.99/24".parse().unwrap()],
            }],
        }),
    ];
    gw.push_fdb("gw-acme", Ok("ether5"), mac("52:54:00:12:34:56"), Some(10));
    gw.gap(
        FactKind::Leases,
        "cannot reach `bob@nas.acme.example:22`: 192.0.2.9 refused payroll; hint: see `/etc/acme/key`",
    );
    vec![gw]
}

#[test]
fn nothing_of_the_original_is_left_anywhere() {
    let old = everything();
    let new = check(&old, [9; 32]).unwrap();
    let texts = [
        "52:54:00:aa:00:01",
        "52:54:00:12:34:56",
        "52:54:00:12:34:57",
        "52:54:00:12:34:58",
        "bc:24:11:12:34:56",
    ];
    let macs = texts.into_iter().map(mac).collect();
    let addresses = [
        "192.0.2.1",
        "192.0.2.3",
        "192.0.2.77",
        "192.0.2.78",
        "192.0.2.9",
        "192.0.2.99",
        "8.8.4.4",
        "192.0.2.0",
        "2001:db8::5054:ff:fe12:3456",
        "2001:db8::",
    ];
    let addresses = addresses.into_iter().map(|text| text.parse().unwrap()).collect();
    let names = [
        "acme",
        "corp",
        "example",
        "core",
        "payroll",
        "printer",
        "laptop",
        "bob",
        "nas",
        "fox1234567",
        "5551234",
        "4c4c4544",
        "77.2.0.192",
        "192-0-2-77",
        "call",
        "gw",
    ];
    nothing_left(&new, &macs, &addresses, &names);
    let text = text(&new);
    for kept in [
        "ether5",
        "Gi1/0/7",
        "vmbr0",
        "net0",
        "RouterOS 7.20.5",
        "MikroTik",
        "hAP ax2",
        "MSFT 5.0",
        "Cisco IOS Software, Version 15.2(7)E",
        "\"vlan\":10",
        "refused",
        "bridge-",
    ] {
        assert!(text.contains(kept), "{kept} is gone from\n{text}");
    }
}

#[test]
fn the_same_thing_is_the_same_wherever_it_stands() {
    let (new, lexicon) = scrubbed(&everything(), &Key([5; 32]));
    let mut lexicon = lexicon;
    let card = lexicon.mac(mac("52:54:00:12:34:56"));
    let text = text(&new);
    for form in [card.to_string(), card.lower().replace(':', "-"), format!("enx{}", card.compact())] {
        assert!(text.contains(&form), "{form} is not in\n{text}");
    }
    let six = lexicon.address("2001:db8::5054:ff:fe12:3456".parse().unwrap());
    let IpAddr::V6(made) = six else { panic!("{six}") };
    assert_eq!(
        made.to_bits() & u128::from(u64::MAX),
        u128::from(card.interface_identifier()),
        "made from the same card"
    );
    let four = lexicon.address("192.0.2.77".parse().unwrap()).to_string();
    assert!(text.contains(&four.replace('.', "-")));
    let turned: Vec<&str> = four.split('.').rev().collect();
    assert!(text.contains(&format!("{}.", turned.join("."))));
    assert!(
        lexicon
            .network("192.0.2.0/24".parse().unwrap())
            .contains(&lexicon.address("192.0.2.77".parse().unwrap()))
    );
    let serial = lexicon.text(Mode::Serial, "FOX1234567");
    assert_eq!(text.matches(&serial).count(), 3, "in three fields");
    assert_eq!(
        lexicon.text(Mode::Name, "PRINTER-ACME").to_lowercase(),
        lexicon.text(Mode::Name, "printer-acme"),
    );
}

#[test]
fn another_key_gives_other_pseudonyms() {
    let texts: BTreeSet<String> = (0..4).map(|key| text(&scrub(&everything(), &Key([key; 32])))).collect();
    assert_eq!(texts.len(), 4);
}

#[test]
fn special_addresses_stay_what_they_are() {
    let specials = [
        "0.0.0.0",
        "127.0.0.1",
        "169.254.3.4",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
    ];
    let all = [
        "10.1.2.3",
        "172.16.5.5",
        "192.168.1.1",
        "100.64.1.1",
        "198.51.100.7",
        "8.8.8.8",
        "192.0.0.8",
        "2001:db8::7",
        "fd00:1::7",
        "fe80::5054:ff:fe12:3456",
        "::ffff:10.1.2.3",
    ];
    let mut one = Collection::new(SourceName::new("x"), Timestamp(0));
    let card = mac("52:54:00:12:34:56");
    for address in specials.iter().chain(&all) {
        one.facts.push(Fact::Neighbor { mac: card, address: address.parse().unwrap(), interface: None });
    }
    for key in 0..16 {
        let (_, mut lexicon) = scrubbed(&[one.clone()], &Key([key; 32]));
        let mut new = |text: &str| lexicon.address(text.parse().unwrap());
        for special in specials {
            assert_eq!(new(special).to_string(), special);
        }
        for text in all {
            assert_ne!(new(text).to_string(), text);
        }
        let four = |address| if let IpAddr::V4(v4) = address { v4 } else { panic!("{address}") };
        let six = |address| if let IpAddr::V6(v6) = address { v6 } else { panic!("{address}") };
        for text in ["10.1.2.3", "172.16.5.5", "192.168.1.1", "198.51.100.7"] {
            assert!(four(new(text)).is_private(), "{text} {}", new(text));
        }
        assert_eq!(four(new("10.1.2.3")).octets()[0], 10);
        assert!(!four(new("8.8.8.8")).is_private() && !four(new("192.0.0.8")).is_private());
        assert!(six(new("fd00:1::7")).is_unique_local());
        assert_eq!(six(new("2001:db8::7")).segments()[0] >> 13, 1, "global unicast");
        assert!(six(new("fe80::5054:ff:fe12:3456")).is_unicast_link_local());
        let mapped = six(new("::ffff:10.1.2.3")).to_ipv4_mapped().map(IpAddr::V4);
        assert_eq!(mapped, Some(new("10.1.2.3")));
    }
}

#[test]
fn prefixes_are_shared_as_before() {
    let texts = [
        "10.0.0.1",
        "10.0.0.2",
        "10.0.1.1",
        "10.9.1.1",
        "203.0.114.5",
        "203.0.114.9",
        "192.0.2.4",
        "192.0.2.5",
        "2001:db8:1::1",
        "2001:db8:1::2",
        "2001:db8:2::1",
    ];
    let mut one = Collection::new(SourceName::new("x"), Timestamp(0));
    let addresses: Vec<IpAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
    for address in &addresses {
        one.facts.push(Fact::ScanReply { address: *address, mac: None, name: None });
    }
    let (_, mut lexicon) = scrubbed(&[one], &Key([2; 32]));
    let shared = |a: IpAddr, b: IpAddr| match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        _ => None,
    };
    for a in &addresses {
        for b in &addresses {
            let documented = |address: &IpAddr| matches!(address, IpAddr::V4(v4) if v4.is_documentation());
            if documented(a) == documented(b) {
                assert_eq!(shared(*a, *b), shared(lexicon.address(*a), lexicon.address(*b)), "{a} {b}");
            }
        }
    }
}

#[test]
fn the_scenarios_come_out_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut count: u8 = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        if let Ok(collections) = record::replay(&entry.unwrap().path()) {
            count += 1;
            check(&collections, [count; 32]).unwrap();
        }
    }
    assert!(count >= 13, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn candidates_are_the_same_under_other_names(collections in any_collections(), key: [u8; 32]) {
        let new = check(&collections, key)?;
        let (macs, addresses) = all_of(&collections);
        nothing_left(&new, &macs, &addresses, &["printer", "core", "guests", "script", "example", "FOX1234567", "rack", "alert"]);
    }

    #[test]
    fn networks_of_switches_come_out_the_same(recipe in lawful::recipe(false), key: [u8; 32]) {
        check(&lawful::build(&recipe).collections, key)?;
    }

    #[test]
    fn any_text_is_rewritten_without_harm(texts in prop::collection::vec("\\PC{0,40}|[0-9a-f:.\\-]{0,40}|[a-z`\"/@. ]{0,40}", 1..6), key: [u8; 32]) {
        let mut one = Collection::new(SourceName::new("x"), Timestamp(0));
        for text in &texts {
            one.facts.push(Fact::ScanReply { address: "192.0.2.1".parse().unwrap(), mac: None, name: Some(text.clone()) });
            one.gap(FactKind::Scan, text.clone());
        }
        let new = scrub(&[one], &Key(key)).remove(0);
        for (old, fact) in texts.iter().zip(&new.facts) {
            let Fact::ScanReply { name: Some(name), .. } = fact else { panic!("{fact:?}") };
            let parses = |text: &str| text.parse::<crate::model::HostName>().is_ok();
            prop_assert!(parses(old) == parses(name) || name.len() > 63, "{:?} {:?}", old, name);
        }
    }
}

/// The addresses in fields of their own that are somebody's.
fn all_of(collections: &[Collection]) -> (BTreeSet<MacAddr>, BTreeSet<IpAddr>) {
    let (mut macs, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for fact in collections.iter().flat_map(Collection::observations).map(|one| one.fact) {
        match fact {
            Fact::Device(fact) => {
                macs.extend(fact.macs);
                addresses.extend(fact.address);
            }
            Fact::Neighbor { mac, address, .. } => {
                macs.insert(mac);
                addresses.insert(address);
            }
            Fact::DhcpLease(fact) => {
                macs.insert(fact.mac);
                addresses.extend(fact.address);
            }
            Fact::ScanReply { address, mac, .. } => {
                macs.extend(mac);
                addresses.insert(address);
            }
            Fact::FdbEntry { mac, .. } => {
                macs.insert(mac);
            }
            _ => {}
        }
    }
    macs.retain(|mac| mac.is_host());
    addresses.retain(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    (macs, addresses)
}
