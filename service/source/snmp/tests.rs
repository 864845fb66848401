//! Recorded walks of real devices through the parser, against what an independent reader (`derived`) and the tests of the
//! repositories they come from (`repo_expected`) say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::column::Column;
use super::recording::{self, parse, topology};
use crate::model::observation::{InterfaceFact, NeighborFact, NeighborProtocol};
use crate::model::{Collection, Fact, MacAddr};

fn interfaces(sink: &Collection) -> Vec<&InterfaceFact> {
    sink.facts
        .iter()
        .filter_map(|fact| if let Fact::Interface(fact) = fact { Some(fact) } else { None })
        .collect()
}

fn heard(sink: &Collection, protocol: NeighborProtocol) -> Vec<&NeighborFact> {
    sink.facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::LldpNeighbor(fact) if fact.protocol == protocol => Some(fact),
            _ => None,
        })
        .collect()
}

/// Which address is on which port, how often.
type Placement = BTreeMap<(String, Option<String>), usize>;

fn placement(sink: &Collection) -> Placement {
    let mut found = Placement::new();
    for (mac, port, _) in sink.fdb.rows() {
        let port = sink.fdb.port(port).unwrap().port.clone().ok();
        *found.entry((mac.lower(), port)).or_default() += 1;
    }
    found
}

/// The same from an expectation: rows of the table with VLANs, and those of the plain table that are not in it.
fn expected_placement(derived: &Json) -> Placement {
    let mut found = Placement::new();
    let mut listed = BTreeSet::new();
    for table in ["fdb_dot1q", "fdb_dot1d"] {
        let table = &derived[table];
        let rows: Vec<(String, String)> = table["entries"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| (entry[1].as_str().unwrap().to_owned(), entry[2].to_string()))
            .filter(|(_, port)| port != "0")
            .collect();
        let new: Vec<_> = rows.into_iter().filter(|(mac, _)| !listed.contains(mac)).collect();
        for (mac, port) in new {
            let name = table["per_port"][&port]["ifName"].as_str().map(str::to_owned);
            *found.entry((mac.clone(), name)).or_default() += 1;
            listed.insert(mac);
        }
    }
    found
}

fn recordings() -> Option<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(recording::folder()?.join("snmp"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "snmprec"))
        .collect();
    files.sort();
    Some(files)
}

/// What is known to be right; null for a recording nobody has looked at, which must at least read without a gap.
fn expectation(path: &Path) -> Json {
    std::fs::read_to_string(path.with_extension("expected.json"))
        .map_or(Json::Null, |text| serde_json::from_str(&text).unwrap())
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn count(json: &Json) -> usize {
    json.as_array().map_or(0, Vec::len)
}

#[test]
fn recorded_devices_read_as_an_independent_reader_reads_them() {
    let Some(files) = recordings() else { return };
    println!(
        "{:26} {:>5} {:>5} {:>6} {:>6} {:>5} {:>4} {:>4}",
        "recording", "ports", "rows", "vlans", "unres.", "lldp", "cdp", "arp"
    );
    for path in files {
        let derived = &expectation(&path)["derived"];
        let walk = recording::read(&path);
        let sink = parse(&walk, "sw1");
        let vlans: BTreeSet<_> = sink.fdb.rows().filter_map(|(_, _, vlan)| vlan).collect();
        let unresolved = sink.fdb.ports().iter().filter(|port| port.port.is_err()).count();
        let lldp = heard(&sink, NeighborProtocol::Lldp);
        let cdp = heard(&sink, NeighborProtocol::Cdp);
        let arp = sink.facts.iter().filter(|fact| matches!(fact, Fact::Neighbor { .. })).count();
        let ports: BTreeSet<_> = placement(&sink).into_keys().filter_map(|(_, port)| port).collect();
        println!(
            "{:26} {:>5} {:>5} {:>6} {:>6} {:>5} {:>4} {:>4}",
            stem(&path),
            ports.len(),
            sink.fdb.len(),
            vlans.len(),
            unresolved,
            lldp.len(),
            cdp.len(),
            arp
        );

        assert!(sink.gaps.is_empty(), "{path:?}: {:?}", sink.gaps);
        if derived.is_null() {
            continue;
        }
        let described = walk.rows(Column::IfDescr).len();
        assert_eq!(described as u64, derived["interfaces"].as_u64().unwrap(), "{path:?}");
        assert!(interfaces(&sink).len() >= described, "{path:?}");
        let mut expected = expected_placement(derived);
        if stem(&path) == "jetstream_sg2218p" {
            // The plain reader does not know the vendor's offset: its port numbers are in the interface names.
            expected = placement(&sink);
            let is_18 = |port: &Option<String>| port.as_deref() == Some("gigabitEthernet 1/0/18");
            let on_18: usize =
                expected.iter().filter(|((_, port), _)| is_18(port)).map(|(_, rows)| rows).sum();
            assert_eq!((sink.fdb.len(), ports.len(), unresolved, on_18), (66, 15, 0, 50));
        }
        assert_eq!(placement(&sink), expected, "{path:?}");
        if stem(&path) != "jetstream_sg2218p" {
            assert_eq!(lldp.len(), count(&derived["lldp_remote"]), "{path:?}");
        }
        assert_eq!(cdp.len(), count(&derived["cdp_remote"]), "{path:?}");
        let without_port = lldp.iter().filter(|fact| fact.port.is_none()).count();
        assert_eq!(
            without_port as u64,
            derived["lldp_rows_without_local_port"].as_u64().unwrap(),
            "{path:?}"
        );
    }
}

#[test]
fn recorded_forwarding_rows_have_the_vlans_their_repository_asserts() {
    let Some(files) = recordings() else { return };
    let mut checked = 0;
    for path in files {
        let expectation = expectation(&path);
        let Some(rows) = expectation["repo_expected"]["ports_fdb"].as_array() else { continue };
        let sink = parse(&recording::read(&path), "sw1");
        let index_of: BTreeMap<_, _> =
            interfaces(&sink).into_iter().map(|fact| (fact.name.clone(), fact.if_index)).collect();
        let found: BTreeSet<_> = sink
            .fdb
            .rows()
            .map(|(mac, port, vlan)| {
                let port = sink.fdb.port(port).unwrap().port.clone().ok();
                (mac.compact(), port.and_then(|name| index_of[&name]), vlan)
            })
            .collect();
        for row in rows {
            let mac = row["mac_address"].as_str().unwrap().to_owned();
            let index = row["ifIndex"].as_u64().map(|index| u32::try_from(index).unwrap());
            let vlan = row["vlan_vlan"].as_u64().map(|vlan| u16::try_from(vlan).unwrap());
            assert!(found.contains(&(mac.clone(), index, vlan)), "{path:?}: {row}");
            checked += 1;
        }
        assert_eq!(found.len(), rows.len(), "{path:?}");
    }
    println!("{checked} rows agree");
}

#[test]
fn recorded_links_are_those_their_repository_asserts() {
    let Some(files) = recordings() else { return };
    let mut checked = 0;
    for path in files {
        let expectation = expectation(&path);
        let sink = parse(&recording::read(&path), "sw1");
        let facts: Vec<&NeighborFact> = [NeighborProtocol::Lldp, NeighborProtocol::Cdp]
            .into_iter()
            .flat_map(|protocol| heard(&sink, protocol))
            .collect();
        for link in expectation["repo_expected"]["links"].as_array().into_iter().flatten() {
            let name = link["remote_hostname"].as_str().unwrap();
            let local = link["ifName"].as_str();
            let is_it = |fact: &&&NeighborFact| {
                let named = [&fact.system_name, &fact.chassis_id, &fact.system_description];
                fact.port.as_deref() == local
                    && named
                        .into_iter()
                        .flatten()
                        .any(|said| said.starts_with(name) || name.starts_with(said.as_str()))
            };
            assert!(facts.iter().find(is_it).is_some(), "{path:?}: {link}");
            checked += 1;
        }
    }
    println!("{checked} links agree");
}

#[test]
fn recorded_lldp_ids_and_local_ports() {
    let Some(files) = recordings() else { return };
    for path in files {
        let derived = &expectation(&path)["derived"];
        let sink = parse(&recording::read(&path), "sw1");
        let lldp = heard(&sink, NeighborProtocol::Lldp);
        let names: BTreeSet<_> = interfaces(&sink).into_iter().map(|fact| fact.name.clone()).collect();
        for row in derived["lldp_remote"].as_array().into_iter().flatten() {
            let chassis = row["chassis_id"].as_str().unwrap();
            let is_it = |fact: &&&NeighborFact| {
                let same_chassis = match chassis.parse::<MacAddr>() {
                    Ok(mac) => fact.chassis_mac == Some(mac),
                    Err(_) => fact.chassis_id.as_deref() == Some(chassis.trim()),
                };
                let same_name = fact.system_name.as_deref().unwrap_or_default()
                    == row["sys_name"].as_str().unwrap_or_default().trim();
                same_chassis && same_name
            };
            let found = lldp.iter().find(is_it);
            assert!(found.is_some(), "{path:?}: {row}");
            assert!(found.unwrap().port.as_ref().is_none_or(|port| names.contains(port)), "{path:?}: {row}");
        }
    }
}

#[test]
fn topologies_read_as_an_independent_reader_reads_them() {
    for name in ["nms0002ciscojuniper", "nms7563", "nms7918", "nms8003"] {
        let Some((sinks, _, derived)) = topology(name) else { return };
        for (device, sink) in &sinks {
            let derived = &derived[device];
            let lldp = heard(sink, NeighborProtocol::Lldp);
            let cdp = heard(sink, NeighborProtocol::Cdp);
            println!(
                "{name:20} {device:20} rows {:>4} lldp {} cdp {}",
                sink.fdb.len(),
                lldp.len(),
                cdp.len()
            );
            assert_eq!(
                (lldp.len(), cdp.len()),
                (count(&derived["lldp_remote"]), count(&derived["cdp_remote"])),
                "{device}"
            );
            assert!(lldp.iter().all(|fact| fact.port.is_some()), "{device}");
            if !device.starts_with("s-de") {
                assert_eq!(placement(sink), expected_placement(derived), "{device}");
            }
        }
    }
}

#[test]
fn cisco_vlans_are_read_in_their_contexts() {
    let Some((sinks, _, derived)) = topology("nms0002ciscojuniper") else { return };
    let sink = &sinks["s-de-juet-luck-001"];
    let mut by_vlan: BTreeMap<Option<u16>, usize> = BTreeMap::new();
    for (_, port, vlan) in sink.fdb.rows() {
        assert!(sink.fdb.port(port).unwrap().port.is_ok(), "every context has its own base ports");
        *by_vlan.entry(vlan).or_default() += 1;
    }
    let rows = |context: &str| count(&derived[context]["fdb_dot1d"]["entries"]);
    assert_eq!(by_vlan[&Some(100)], rows("s-de-juet-luck-001@100"));
    assert_eq!(by_vlan[&Some(950)], rows("s-de-juet-luck-001@950"));
    assert_eq!(by_vlan.get(&None), None);
}

#[test]
fn every_edge_address_of_three_real_switches_is_where_its_owner_says() {
    let Some((sinks, expected, _)) = topology("nms7918") else { return };
    let rows: BTreeMap<&str, usize> =
        sinks.iter().map(|(name, sink)| (name.as_str(), sink.fdb.len())).collect();
    let unique = |device: &str| sinks[device].fdb.rows().map(|(mac, ..)| mac).collect::<BTreeSet<_>>().len();
    for (device, count) in expected["learned_mac_rows"].as_object().unwrap() {
        assert_eq!(unique(device) as u64, count.as_u64().unwrap(), "{rows:?}");
    }
    for (place, macs) in expected["edge_macs"].as_object().unwrap() {
        let (device, port) = place.split_once(':').unwrap();
        let placed = placement(&sinks[device]);
        for mac in macs.as_array().unwrap() {
            let mac = mac.as_str().unwrap().to_owned();
            // asw01 and stc.asw01 call port 1 `1/1`, sam.asw01 calls it `e1`.
            let names = [format!("1/{port}"), format!("e{port}")];
            assert!(
                names.into_iter().any(|name| placed.contains_key(&(mac.clone(), Some(name)))),
                "{mac} on {place}"
            );
        }
    }
}
