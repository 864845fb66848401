//! Real tables and announcements of real networks (`SURVEYOR_RECORDINGS`), with the answers their owners assert.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use super::net::{hangs, links};
use crate::correlate::correlate;
use crate::model::candidate::Known;
use crate::model::observation::{
    DeviceFact, DeviceRole, InterfaceFact, NeighborFact, NeighborProtocol, PortKind,
};
use crate::model::{Collection, Discovery, Fact, MacAddr, SourceName, Timestamp};

/// The folder of a recorded topology, if recordings are there.
fn topology(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SURVEYOR_RECORDINGS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings"),
        PathBuf::from,
    );
    let folder = root.join("topology").join(name);
    if folder.join("derived.json").exists() {
        return Some(folder);
    }
    println!("skipped: no recordings at {}", folder.display());
    None
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Values of one column of a net-snmp walk, by index.
fn column(walk: &str, oid: &str) -> BTreeMap<String, String> {
    let rows = walk.lines().filter_map(|line| line.strip_prefix(oid)?.split_once(" = "));
    rows.map(|(index, value)| {
        let value = value.split_once(": ").map_or("", |(_, value)| value);
        (index.to_owned(), value.trim().trim_matches('"').to_owned())
    })
    .collect()
}

/// One collection per walked device, from its decoded rows.
fn collections(folder: &std::path::Path, only: &[&str]) -> Vec<Collection> {
    let derived = json(folder.join("derived.json"));
    let mut collections = Vec::new();
    for (name, device) in derived.as_object().unwrap() {
        if !only.is_empty() && !only.contains(&name.as_str()) {
            continue;
        }
        let walk = String::from_utf8_lossy(&std::fs::read(folder.join(format!("{name}.snmpwalk"))).unwrap())
            .into_owned();
        let mut collection = Collection::new(SourceName::new(name), Timestamp(0));
        let base = column(&walk, ".1.3.6.1.2.1.17.1.1.").into_values();
        let macs = column(&walk, ".1.3.6.1.2.1.2.2.1.6.");
        let chassis = column(&walk, ".1.0.8802.1.1.2.1.3.2.").into_values().next();
        collection.facts.push(Fact::Device(DeviceFact {
            device: name.clone(),
            role: if device["fdb_dot1d"].is_null() { DeviceRole::Other } else { DeviceRole::Switch },
            own_name: device["sysName"].as_str().map(str::to_owned),
            chassis_id: chassis.and_then(|text| text.parse::<MacAddr>().ok()).map(MacAddr::lower),
            macs: base.chain(macs.values().cloned()).filter_map(|text| text.parse().ok()).collect(),
            ..DeviceFact::default()
        }));
        for (index, interface) in column(&walk, ".1.3.6.1.2.1.31.1.1.1.1.") {
            collection.facts.push(Fact::Interface(InterfaceFact {
                device: name.clone(),
                name: interface,
                if_index: index.parse().ok(),
                kind: PortKind::Physical,
                mac: macs.get(&index).and_then(|text| text.parse().ok()),
                ..InterfaceFact::default()
            }));
        }
        for table in ["fdb_dot1d", "fdb_dot1q"] {
            for row in device[table]["entries"].as_array().into_iter().flatten() {
                let port = &device[table]["per_port"][row[2].to_string()]["ifName"];
                let vlan =
                    row[0].as_str().and_then(|text| text.parse().ok()).filter(|_| table == "fdb_dot1q");
                collection.push_fdb(
                    name,
                    Ok(port.as_str().unwrap()),
                    row[1].as_str().unwrap().parse().unwrap(),
                    vlan,
                );
            }
        }
        neighbors(name, device, &mut collection);
        collections.push(collection);
    }
    collections
}

fn neighbors(name: &str, device: &Value, collection: &mut Collection) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for row in device["lldp_remote"].as_array().into_iter().flatten() {
        let port = text(&row["port_id"]).unwrap_or_default();
        let is_mac = row["port_subtype"] == 3;
        collection.facts.push(Fact::LldpNeighbor(NeighborFact {
            device: name.to_owned(),
            port: if row["local_port_id"].as_str().is_some_and(|id| id.contains(':')) {
                text(&row["local_port_desc"])
            } else {
                text(&row["local_port_id"])
            },
            chassis_mac: row["chassis_id"].as_str().and_then(|id| id.parse().ok()),
            port_mac: port.parse().ok().filter(|_| is_mac),
            port_id: Some(port).filter(|_| !is_mac),
            port_description: text(&row["port_desc"]),
            system_name: text(&row["sys_name"]),
            ..NeighborFact::default()
        }));
    }
    for row in device["cdp_remote"].as_array().into_iter().flatten() {
        collection.facts.push(Fact::LldpNeighbor(NeighborFact {
            device: name.to_owned(),
            port: text(&row["ifName"]).or_else(|| Some(row["ifIndex"].to_string())),
            protocol: NeighborProtocol::Cdp,
            chassis_id: text(&row["device_id"]),
            port_id: text(&row["device_port"]),
            addresses: row["address"].as_str().and_then(|text| text.parse().ok()).into_iter().collect(),
            ..NeighborFact::default()
        }));
    }
}

/// How the addresses of a recording came out: right, wrong, and not placed.
fn score(found: &Discovery, expected: &BTreeMap<String, Option<String>>) -> (usize, usize, usize) {
    let (mut right, mut wrong, mut unknown) = (0, 0, 0);
    for (mac, port) in expected {
        let hangs = hangs(found, mac);
        let hangs = hangs.trim_end_matches('*');
        match port {
            Some(port) if hangs == port => right += 1,
            None if hangs == "-" => right += 1,
            Some(_) if hangs == "-" => unknown += 1,
            _ => {
                println!("{mac}: is {port:?}, said {hangs}");
                wrong += 1;
            }
        }
    }
    (right, wrong, unknown)
}

/// Three switches on one shared segment, no announcements: OpenNMS asserts where each address is.
#[test]
fn nms7918_edge_ports_and_bridge_links() {
    let Some(folder) = topology("nms7918") else { return };
    let expected = json(folder.join("expected.json"));
    let derived = json(folder.join("derived.json"));
    let port_name = |device: &str, port: &str| -> String {
        let per_port = &derived[device]["fdb_dot1d"]["per_port"][port]["ifName"];
        let per_port =
            per_port.as_str().or(derived[device]["fdb_dot1q"]["per_port"][port]["ifName"].as_str());
        format!("{device}:{}", per_port.unwrap())
    };
    let mut macs: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (place, list) in expected["edge_macs"].as_object().unwrap() {
        let (device, port) = place.split_once(':').unwrap();
        for mac in list.as_array().unwrap() {
            macs.insert(mac.as_str().unwrap().to_owned(), Some(port_name(device, port)));
        }
    }
    for list in [
        "on_shared_segment_seen_by_all_three",
        "seen_on_segment_by_asw01_and_sam",
        "seen_on_segment_by_asw01_and_stc",
        "seen_on_segment_by_stc_and_sam",
        "seen_only_asw01_port2",
        "seen_only_stc_port11",
    ] {
        for mac in expected[list].as_array().unwrap() {
            macs.insert(mac.as_str().unwrap().to_owned(), None);
        }
    }
    let found = correlate(&collections(&folder, &["asw01", "stc.asw01", "sam.asw01"]), &Known::default());
    let (right, wrong, unknown) = score(&found, &macs);
    println!("nms7918: {right} right, {wrong} wrong, {unknown} unknown of {}", macs.len());
    assert_eq!((wrong, unknown), (0, 0));
    let pairs: BTreeSet<[String; 2]> = found
        .links
        .iter()
        .map(|link| {
            let mut pair =
                [format!("{}:{}", link.a.switch, link.a.port), format!("{}:{}", link.b.switch, link.b.port)];
            pair.sort();
            pair
        })
        .collect();
    let asserted: BTreeSet<[String; 2]> = expected["bridge_links"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| {
            let end = |at: usize| port_name(link[at].as_str().unwrap(), &link[at + 1].to_string());
            let mut pair = [end(0), end(2)];
            pair.sort();
            pair
        })
        .collect();
    assert_eq!(pairs, asserted);
    assert!(found.links.iter().all(|link| link.confidence <= 40), "a shared segment is no cable");

    // With the two hosts that are read too: they are devices now, but no address moves to a wrong port.
    let all = correlate(&collections(&folder, &[]), &Known::default());
    let (_, wrong, _) = score(&all, &macs);
    assert_eq!(wrong, 0);
}

#[test]
fn nms8003_six_links_seen_from_both_ends() {
    let Some(folder) = topology("nms8003") else { return };
    let found = correlate(&collections(&folder, &[]), &Known::default());
    assert_eq!(
        links(&found),
        [
            "NMM-R1:Gi0/0 - NMM-R3:Gi0/1 [cdp cdp-reverse lldp lldp-reverse]",
            "NMM-R1:Gi0/1 - NMM-SW1:Fa0/1 [cdp cdp-reverse fdb lldp lldp-reverse]",
            "NMM-R1:Gi0/2 - NMM-SW2:Fa0/2 [cdp cdp-reverse fdb lldp lldp-reverse]",
            "NMM-R2:Gi0/0 - NMM-R3:Gi0/2 [cdp cdp-reverse lldp lldp-reverse]",
            "NMM-R2:Gi0/1 - NMM-SW2:Fa0/1 [cdp cdp-reverse fdb lldp lldp-reverse]",
            "NMM-R2:Gi0/2 - NMM-SW1:Fa0/2 [cdp cdp-reverse fdb lldp lldp-reverse]",
        ]
    );
    assert!(found.conflicts.is_empty(), "{:?}", found.conflicts);
}

/// A switch that answers with nothing but its CDP rows is known by its neighbours' LLDP rows about the same cables.
#[test]
fn nms7563_two_links_with_a_switch_that_says_little() {
    let Some(folder) = topology("nms7563") else { return };
    let found = correlate(&collections(&folder, &[]), &Known::default());
    assert_eq!(
        links(&found),
        ["cisco01:Fa0/8 - switch02:24 [cdp-reverse lldp]", "homeserver:eth0 - switch02:7 [cdp-reverse lldp]"]
    );
}
