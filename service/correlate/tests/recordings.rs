//! Real walks of real networks (`SURVEYOR_RECORDINGS`), read as the SNMP source reads them, with the answers that the tests of the
//! repository they come from assert.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::net::{hangs, links};
use crate::correlate::correlate;
use crate::model::candidate::Known;
use crate::model::{Collection, Discovery};
use crate::source::snmp::recording::topology;

/// One recorded network: what its devices say, what is right, and how an independent reader names ports.
struct Recorded {
    collections: BTreeMap<String, Collection>,
    expected: Value,
    derived: Value,
}

fn recorded(name: &str) -> Option<Recorded> {
    let (collections, expected, derived) = topology(name)?;
    Some(Recorded { collections, expected, derived })
}

impl Recorded {
    fn discover(&self, only: &[&str]) -> Discovery {
        let wanted =
            self.collections.iter().filter(|(name, _)| only.is_empty() || only.contains(&name.as_str()));
        let collections: Vec<Collection> = wanted.map(|(_, collection)| collection.clone()).collect();
        correlate(&collections, &Known::default())
    }

    /// `asw01:1/2` for bridge port 2 of `asw01`.
    fn port(&self, device: &str, port: &str) -> String {
        let tables = ["fdb_dot1d", "fdb_dot1q"].map(|table| &self.derived[device][table]["per_port"][port]);
        let name = tables.into_iter().find_map(|port| port["ifName"].as_str());
        format!("{device}:{}", name.unwrap())
    }

    /// Every address that somebody has an opinion on: its port, or that it is on none.
    fn addresses(&self) -> BTreeMap<String, Option<String>> {
        let mut addresses = BTreeMap::new();
        for (key, value) in self.expected.as_object().unwrap() {
            for mac in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
                if key.starts_with("seen_") || key.starts_with("on_shared") {
                    addresses.insert(mac.to_owned(), None);
                }
            }
        }
        for (place, macs) in self.expected["edge_macs"].as_object().into_iter().flatten() {
            let (device, port) = place.split_once(':').unwrap();
            for mac in macs.as_array().unwrap() {
                addresses.insert(mac.as_str().unwrap().to_owned(), Some(self.port(device, port)));
            }
        }
        addresses
    }
}

/// How addresses came out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    right: usize,
    wrong: usize,
    unknown: usize,
}

fn score(found: &Discovery, expected: &BTreeMap<String, Option<String>>) -> Score {
    let mut score = Score::default();
    for (mac, port) in expected {
        let said = hangs(found, mac);
        match (port, said.trim_end_matches('*')) {
            (Some(port), said) if said == port => score.right += 1,
            (None, "-") => score.right += 1,
            (Some(_), "-") => score.unknown += 1,
            (_, said) if said.contains('?') => score.unknown += 1,
            (_, said) => {
                println!("{mac}: is {port:?}, said {said}");
                score.wrong += 1;
            }
        }
    }
    score
}

/// The switch-to-switch links without evidence words, as sets of ends.
fn cables(found: &Discovery) -> BTreeSet<[String; 2]> {
    let ends = found.links.iter().map(|link| {
        let mut ends = [&link.a, &link.b].map(|end| format!("{}:{}", end.switch, end.port));
        ends.sort();
        ends
    });
    ends.collect()
}

const ALL: [&str; 4] = ["nms0002ciscojuniper", "nms7563", "nms7918", "nms8003"];

#[test]
fn the_table_of_all_recorded_networks() {
    println!(
        "{:22} {:>5} {:>6} {:>6} {:>8} {:>6} {:>10}",
        "network", "MACs", "right", "wrong", "unknown", "links", "conflicts"
    );
    for name in ALL {
        let Some(network) = recorded(name) else { return };
        let found = network.discover(&[]);
        let expected = network.addresses();
        let score = score(&found, &expected);
        println!(
            "{name:22} {:>5} {:>6} {:>6} {:>8} {:>6} {:>10}",
            expected.len(),
            score.right,
            score.wrong,
            score.unknown,
            found.links.len(),
            found.conflicts.len()
        );
        for link in links(&found) {
            println!("    {link}");
        }
        assert_eq!(score.wrong, 0, "{name}");
        let twice = found.links.len() - cables(&found).len();
        assert_eq!(twice, 0, "{name}: each cable once");
    }
}

/// Three switches on one shared segment, no announcements: OpenNMS asserts where each address is.
#[test]
fn nms7918_edge_ports_and_bridge_links() {
    let Some(network) = recorded("nms7918") else { return };
    let switches = ["asw01", "stc.asw01", "sam.asw01"];
    let found = network.discover(&switches);
    let expected = network.addresses();
    let all = Score { right: expected.len(), wrong: 0, unknown: 0 };
    assert_eq!(score(&found, &expected), all);
    let asserted: BTreeSet<[String; 2]> = network.expected["bridge_links"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| {
            let end = |at: usize| network.port(link[at].as_str().unwrap(), &link[at + 1].to_string());
            let mut ends = [end(0), end(2)];
            ends.sort();
            ends
        })
        .collect();
    assert_eq!(cables(&found), asserted);
    assert!(found.links.iter().all(|link| link.confidence <= 40), "a shared segment is no cable");

    // With the two routers that are read too: they are devices now, but no address moves to a wrong port, and both links stay.
    let found = network.discover(&[]);
    assert_eq!(score(&found, &expected).wrong, 0);
    let between: BTreeSet<[String; 2]> = cables(&found)
        .into_iter()
        .filter(|ends| {
            ends.iter().all(|end| switches.iter().any(|name| end.starts_with(&format!("{name}:"))))
        })
        .collect();
    assert_eq!(between, asserted);
}

#[test]
fn nms8003_six_links_seen_from_both_ends() {
    let Some(network) = recorded("nms8003") else { return };
    let found = network.discover(&[]);
    assert_eq!(
        cables(&found),
        [
            ["NMM-R1:Gi0/0", "NMM-R3:Gi0/1"],
            ["NMM-R1:Gi0/1", "NMM-SW1:Fa0/1"],
            ["NMM-R1:Gi0/2", "NMM-SW2:Fa0/2"],
            ["NMM-R2:Gi0/0", "NMM-R3:Gi0/2"],
            ["NMM-R2:Gi0/1", "NMM-SW2:Fa0/1"],
            ["NMM-R2:Gi0/2", "NMM-SW1:Fa0/2"],
        ]
        .map(|ends| ends.map(str::to_owned))
        .into()
    );
    for link in &found.links {
        assert!(["lldp", "lldp-reverse"].iter().all(|word| link.evidence.iter().any(|said| said == word)));
    }
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
}

/// A switch that answers with nothing but its CDP rows is known by its neighbours' LLDP rows about the same cables.
#[test]
fn nms7563_two_links_with_a_switch_that_says_little() {
    let Some(network) = recorded("nms7563") else { return };
    assert_eq!(
        links(&network.discover(&[])),
        ["cisco01:Fa0/8 - switch02:24 [cdp-reverse lldp]", "homeserver:eth0 - switch02:7 [cdp-reverse lldp]"]
    );
}

/// Both LLDP rows name devices that nobody read; the one cable between the two that were is seen by the switch's table alone, in two
/// VLANs whose interfaces on the router have the socket's address.
#[test]
fn nms0002_the_cable_that_only_the_table_shows() {
    let Some(network) = recorded("nms0002ciscojuniper") else { return };
    assert_eq!(
        links(&network.discover(&[])),
        ["r-de-juet-luck-001:ge-0/0/2 - s-de-juet-luck-001:Fa0/1 [edge-port fdb]"]
    );
}
