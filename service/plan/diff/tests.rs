//! What changed, and what only looks changed because a source could not say.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::model::candidate::{Candidate, LinkEnd};
use crate::model::{FactKind, ObjectKind, SourceName};
use crate::plan::View;
use crate::plan::view::{Address, Defaults, Mac, Machine, Ours};

const A: &str = "00:1B:21:00:00:01";
const B: &str = "00:1B:21:00:00:02";

/// A host with one card, seen by `router1` and `sw1`.
fn host(mac: &str, name: Option<&str>, address: &[&str], port: Option<(&str, &str)>) -> Candidate {
    let fallback = format!("host-{}", mac.replace(':', "").to_lowercase());
    serde_json::from_value(json!({
        "identity": format!("mac:{}", mac.to_lowercase()),
        "kind": "device",
        "name": name.unwrap_or(&fallback),
        "name_origin": if name.is_some() { "dhcp" } else { "fallback" },
        "class": "unknown",
        "interfaces": [{
            "mac": mac, "name": null, "addresses": address,
            "attachment": port.map(|(switch, port)| json!({
                "switch": switch, "port": port, "vlan": null, "exclusive": true, "competing": [],
            })),
        }],
        "confidence": 90, "reasons": [], "sources": ["router1", "sw1"], "conflicts": [],
    }))
    .unwrap()
}

/// A switch, read by the source of its name.
fn switch(name: &str) -> Candidate {
    serde_json::from_value(json!({
        "identity": format!("lldp:{name}"), "kind": "device", "name": name, "name_origin": "device",
        "class": "network", "interfaces": [], "confidence": 98, "reasons": [], "sources": [name],
        "conflicts": [], "device": name,
    }))
    .unwrap()
}

fn run(hosts: Vec<Candidate>, gaps: &[&str]) -> Discovery {
    let gaps = gaps.iter().map(|source| Gap {
        source: SourceName::new(source),
        facts: FactKind::All,
        reason: "timed out".to_owned(),
    });
    let candidates = [switch("sw1"), switch("sw2")].into_iter().chain(hosts).collect();
    Discovery { candidates, gaps: gaps.collect(), ..Discovery::default() }
}

fn all() -> BTreeSet<String> {
    ["router1", "sw1", "sw2"].map(str::to_owned).into()
}

fn differ(before: &Discovery, after: &Discovery) -> Diff {
    between(Run { discovery: before, sources: &all() }, Run { discovery: after, sources: &all() })
}

fn nas() -> Candidate {
    host(A, Some("nas"), &["192.0.2.10"], Some(("sw1", "e1")))
}

#[test]
fn the_same_is_unchanged() {
    let found = differ(&run(vec![nas()], &[]), &run(vec![nas()], &[]));
    assert!(found.is_empty() && found.unknown.is_empty());
    assert_eq!(found.unchanged, 3);
}

#[test]
fn new_and_gone() {
    let tv = host(B, Some("tv"), &["192.0.2.11"], None);
    let found = differ(&run(vec![nas()], &[]), &run(vec![tv.clone()], &[]));
    assert_eq!(found.new.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["tv"]);
    assert_eq!(found.gone.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["nas"]);
    // A source that saw it had a gap, or was not read at all: nothing is gone.
    let found = differ(&run(vec![nas()], &[]), &run(vec![], &["router1"]));
    assert!(found.gone.is_empty());
    assert!(
        found.unknown[0].why.contains("whether it is gone: now, router1 has a gap"),
        "{:?}",
        found.unknown
    );
    let before = run(vec![nas()], &[]);
    let only = BTreeSet::from(["sw1".to_owned()]);
    let after = Run { discovery: &run(vec![], &[]), sources: &only };
    let found = between(Run { discovery: &before, sources: &all() }, after);
    assert!(found.gone.is_empty() && found.unknown[0].why.contains("router1 was not read"));
    // The other way round: what an incomplete run lacked is not new.
    let found = differ(&run(vec![], &["sw1"]), &run(vec![tv], &[]));
    assert!(found.new.is_empty() && found.unknown.len() == 1, "{found:#?}");
    // A gap of a source that has nothing to do with it changes nothing.
    let found = differ(&run(vec![nas()], &[]), &run(vec![], &["sw2"]));
    assert_eq!(found.gone.len(), 1);
}

#[test]
fn moved() {
    let at = |port| host(A, Some("nas"), &["192.0.2.10"], port);
    let found = differ(&run(vec![nas()], &[]), &run(vec![at(Some(("sw2", "e9")))], &[]));
    assert_eq!(found.moved.len(), 1);
    assert_eq!((found.moved[0].from.port.as_str(), found.moved[0].to.switch.as_str()), ("e1", "sw2"));
    // The old switch could not be read: the new place may be how its neighbour sees it.
    let found = differ(&run(vec![nas()], &[]), &run(vec![at(Some(("sw2", "e9")))], &["sw1"]));
    assert!(found.moved.is_empty() && found.unknown[0].why.contains("sw1 has a gap"), "{found:#?}");
    // And the other way round.
    let found = differ(&run(vec![at(Some(("sw2", "e9")))], &["sw1"]), &run(vec![nas()], &[]));
    assert!(found.moved.is_empty() && found.unknown.len() == 1);
    // Asleep: no table has it.
    let found = differ(&run(vec![nas()], &[]), &run(vec![at(None)], &[]));
    assert!(found.moved.is_empty() && found.unknown[0].why.contains("no port is known now"), "{found:#?}");
}

#[test]
fn renamed() {
    let called = |name| host(A, name, &["192.0.2.10"], Some(("sw1", "e1")));
    let found = differ(&run(vec![nas()], &[]), &run(vec![called(Some("storage"))], &[]));
    assert_eq!(
        (found.renamed[0].from.as_deref(), found.renamed[0].to.as_deref()),
        (Some("nas"), Some("storage"))
    );
    let found = differ(&run(vec![nas()], &[]), &run(vec![called(None)], &[]));
    assert_eq!(found.renamed[0].to, None);
    let found = differ(&run(vec![nas()], &[]), &run(vec![called(None)], &["router1"]));
    assert!(found.renamed.is_empty() && found.unknown.len() == 1, "the DHCP server could not say");
    let found = differ(&run(vec![called(Some("NAS"))], &[]), &run(vec![nas()], &[]));
    assert_eq!(found.unchanged, 3, "case is no difference");
}

#[test]
fn readdressed() {
    let at = |addresses: &[&str]| host(A, Some("nas"), addresses, Some(("sw1", "e1")));
    let found = differ(&run(vec![nas()], &[]), &run(vec![at(&["192.0.2.99"])], &[]));
    let [change] = found.readdressed.as_slice() else { panic!("{found:#?}") };
    assert_eq!(change.added, BTreeSet::from(["192.0.2.99".parse().unwrap()]));
    assert_eq!(change.removed, BTreeSet::from(["192.0.2.10".parse().unwrap()]));
    let found = differ(&run(vec![nas()], &[]), &run(vec![at(&[])], &["router1"]));
    assert!(found.readdressed.is_empty() && found.unknown.len() == 1, "{found:#?}");
}

#[test]
fn an_identity_that_grew_is_the_same_host() {
    let mut guest = nas();
    guest.identity = Identity("pve:lab/101/x".to_owned());
    guest.aliases = [Identity::of_mac(A.parse().unwrap())].into();
    let found = differ(&run(vec![nas()], &[]), &run(vec![guest], &[]));
    assert!(found.new.is_empty() && found.gone.is_empty());
    assert_eq!(found.unchanged, 3);
}

#[test]
fn links_come_and_go_where_both_ends_were_read() {
    let link = Link {
        a: LinkEnd { switch: "sw1".to_owned(), port: "up".to_owned() },
        b: LinkEnd { switch: "sw2".to_owned(), port: "down".to_owned() },
        evidence: vec!["lldp".to_owned()],
        confidence: 90,
    };
    let with = |gaps: &[&str]| Discovery { links: vec![link.clone()], ..run(vec![], gaps) };
    assert_eq!(differ(&run(vec![], &[]), &with(&[])).new_links.len(), 1);
    assert_eq!(differ(&with(&[]), &run(vec![], &[])).gone_links.len(), 1);
    assert!(differ(&with(&[]), &run(vec![], &["sw2"])).gone_links.is_empty());
    assert!(differ(&run(vec![], &["sw1"]), &with(&[])).new_links.is_empty());
}

#[test]
fn order_does_not_matter() {
    let hosts = |reverse: bool| {
        let mut hosts = vec![nas(), host(B, Some("tv"), &["192.0.2.11"], None)];
        if reverse {
            hosts.reverse();
        }
        hosts
    };
    let empty = run(vec![], &[]);
    assert_eq!(differ(&empty, &run(hosts(false), &[])), differ(&empty, &run(hosts(true), &[])));
}

fn machine(id: i64, name: &str, ours: Option<Ours>, tags: &[&str]) -> Machine {
    Machine {
        object: ObjectRef::new(ObjectKind::Device, id),
        name: Some(name.to_owned()),
        status: "active".to_owned(),
        site: Some(1),
        cluster: None,
        serial: String::new(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        primary_ip4: None,
        primary_ip6: None,
        ours,
    }
}

fn view(machines: Vec<Machine>, mac: Option<(i64, &str)>) -> View {
    let macs = mac.iter().map(|(id, mac)| Mac {
        id: *id,
        mac: mac.parse().unwrap(),
        interface: Some(ObjectRef::new(ObjectKind::Interface, *id)),
        machine: Some(ObjectRef::new(ObjectKind::Device, *id)),
    });
    let addresses = mac.iter().map(|(id, _)| Address {
        id: *id,
        address: "192.0.2.10/24".parse().unwrap(),
        vrf: None,
        status: "active".to_owned(),
        assigned: None,
        machine: Some(ObjectRef::new(ObjectKind::Device, *id)),
        assigned_to: None,
        dns_name: String::new(),
        tags: BTreeSet::new(),
    });
    let mut view = View::default();
    view.defaults = Defaults { site: 1, ..Defaults::default() };
    view.machines = machines;
    view.macs = macs.collect();
    view.addresses = addresses.collect();
    view.indexed()
}

fn documented(view: &View, discovery: &Discovery) -> Diff {
    against(view, Run { discovery, sources: &all() })
}

#[test]
fn netbox_is_what_was() {
    let view = view(vec![machine(7, "storage", None, &[])], Some((7, A)));
    let found = documented(&view, &run(vec![nas(), host(B, Some("tv"), &[], None)], &[]));
    assert_eq!(found.renamed[0].host.object, Some(ObjectRef::new(ObjectKind::Device, 7)));
    assert_eq!(found.renamed[0].from.as_deref(), Some("storage"));
    assert!(found.readdressed.is_empty() && found.moved.is_empty(), "NetBox has no cable: that is no news");
    assert_eq!(found.new.len(), 3, "the two switches and tv");
}

#[test]
fn only_what_a_run_ever_reported_can_be_gone_from_netbox() {
    let ledger = json!({ "v": 1, "claim": "x", "values": {}, "sources": ["router1"] });
    let ours = Ours { id: Some("mac:00:1b:21:00:00:01".to_owned()), ledger: Some(ledger), ..Ours::default() };
    let machines = vec![machine(7, "nas", Some(ours), &["surveyor"]), machine(8, "elsewhere", None, &[])];
    let view = view(machines, Some((7, A)));
    let found = documented(&view, &run(vec![], &[]));
    assert_eq!(found.gone.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["nas"]);
    assert_eq!(found.never_seen, 1);
    let found = documented(&view, &run(vec![], &["router1"]));
    assert!(found.gone.is_empty());
    assert_eq!(found.unknown.len(), 1);
}
