//! Planning, case by case: what people did to a proposal, and what approval makes of it.

use serde_json::{Value, json};
use surveyor::model::{Candidate, Discovery, FactKind, Gap, Link, ObjectKind, SourceName};
use surveyor::plan::rollback::rollback;
use surveyor::plan::{Plan, RefusalKind, Step};

use crate::support::acts;
use crate::support::shown::{self, Depth};
use crate::support::world::World;

/// A host with these network cards: address, IP, port of sw1.
fn host(name: &str, cards: &[(&str, &str, Option<&str>)]) -> Candidate {
    let interfaces: Vec<Value> = cards
        .iter()
        .map(|(mac, address, port)| {
            let attachment = port.map(|port| {
                json!({ "switch": "sw1", "port": port, "vlan": null, "exclusive": true, "competing": [] })
            });
            json!({ "mac": mac, "name": null, "addresses": [address], "attachment": attachment })
        })
        .collect();
    let mac = cards[cards.len() - 1].0.to_lowercase();
    serde_json::from_value(json!({
        "identity": format!("mac:{mac}"), "kind": "device", "name": name, "name_origin": "dhcp", "class": "unknown",
        "interfaces": interfaces, "confidence": 90, "reasons": [], "sources": ["router1"], "conflicts": [],
    }))
    .unwrap()
}

/// The switch as a source reads it.
fn switch(ports: &[&str]) -> Candidate {
    let interfaces: Vec<Value> = ports
        .iter()
        .map(|port| json!({ "mac": null, "name": port, "addresses": [], "attachment": null, "kind": "physical" }))
        .collect();
    serde_json::from_value(json!({
        "identity": "mac:00:1b:21:00:00:e1", "kind": "device", "name": "sw1", "name_origin": "device", "class": "network",
        "interfaces": interfaces, "confidence": 98, "reasons": [], "sources": ["sw1"], "conflicts": [], "device": "sw1",
    }))
    .unwrap()
}

const PORTS: [&str; 3] = ["ether1", "ether2", "ether3"];
const A: &str = "00:1B:21:00:00:0A";
const B: &str = "00:1B:21:00:00:0B";

/// Proposes these hosts; the switch is always found.
fn stage(world: &mut World, mut candidates: Vec<Candidate>) -> Vec<Plan> {
    candidates.push(switch(&PORTS));
    let discovery = Discovery { candidates, ..Discovery::default() };
    let plans = acts::staging(world, &discovery).plans;
    for (plan, outcome) in plans.iter().zip(world.apply(&plans)) {
        assert_eq!(outcome, None, "{plan:#?}");
    }
    let again = acts::staging(world, &discovery).plans;
    assert!(again.is_empty(), "{again:#?}");
    plans
}

/// A NetBox that documents the switch.
fn documented() -> World {
    let mut world = World::new();
    acts::act(&mut world, r#"document ipam.prefix {"prefix": "192.0.2.0/24"}"#);
    acts::act(&mut world, r#"document dcim.device {"id": 1, "name": "sw1", "site": 1}"#);
    for port in PORTS {
        let line =
            format!(r#"document dcim.interface {{"device": 1, "name": "{port}", "type": "1000base-t"}}"#);
        acts::act(&mut world, &line);
    }
    world
}

fn text(world: &World) -> String {
    shown::world(world, Depth::Substance)
}

fn sweep(world: &mut World) -> Vec<Plan> {
    let done = acts::sweep(world);
    for (plan, outcome) in &done {
        assert_eq!(*outcome, None, "{plan:#?}");
    }
    done.into_iter().map(|(plan, _)| plan).collect()
}

#[test]
fn a_switch_that_a_person_chose_stays_though_it_was_proposed_in_the_same_run() {
    let mut world = World::new();
    let found = |port: &str| vec![host("desk", &[(A, "192.0.2.10", Some(port))])];
    stage(&mut world, found("ether1"));
    acts::act(&mut world, r#"document dcim.device {"id": 90, "name": "other", "site": 1}"#);
    acts::act(&mut world, "set desk switch 90");
    stage(&mut world, found("ether2"));
    assert!(text(&world).contains("switch = other"), "{}", text(&world));

    // Cleared is a choice too.
    acts::act(&mut world, "set desk switch null");
    acts::act(&mut world, "set desk port null");
    stage(&mut world, found("ether3"));
    assert!(!text(&world).contains("switch ="), "{}", text(&world));
    assert!(!text(&world).contains("port ="), "{}", text(&world));
}

#[test]
fn line_breaks_of_a_form_are_no_decision() {
    let mut world = documented();
    let mut both = host("desk", &[(A, "192.0.2.10", None)]);
    both.interfaces[0].addresses.push("192.0.2.11".parse().unwrap());
    stage(&mut world, vec![both]);
    acts::act(&mut world, r#"set desk addresses "192.0.2.10 eth0\r\n192.0.2.11 eth0""#);
    stage(&mut world, vec![host("desk", &[(A, "192.0.2.12", None)])]);
    assert!(text(&world).contains("addresses = 192.0.2.12 eth0"), "{}", text(&world));
}

#[test]
fn a_network_card_with_a_lower_address_does_not_take_the_place_of_another() {
    let mut world = documented();
    stage(&mut world, vec![host("desk", &[(B, "192.0.2.11", Some("ether1"))])]);
    acts::act(&mut world, "set desk port \"ether3\"");
    stage(
        &mut world,
        vec![host("desk", &[(A, "192.0.2.10", Some("ether2")), (B, "192.0.2.11", Some("ether1"))])],
    );
    let shown = text(&world);
    assert!(shown.contains(&format!("eth0 other {B}")), "{shown}");
    assert!(shown.contains(&format!("eth0-2 other {A}")), "{shown}");
    assert!(shown.contains("addresses = 192.0.2.10 eth0-2"), "{shown}");
    assert!(shown.contains("port = ether3"), "what a person set on the device stays: {shown}");
}

#[test]
fn a_renamed_interface_is_the_same() {
    let mut world = documented();
    let cards = |address| [(A, "192.0.2.10", Some("ether1")), (B, address, Some("ether2"))];
    stage(&mut world, vec![host("desk", &cards("192.0.2.11"))]);
    let found = world.view.interfaces.iter_mut().find(|interface| interface.name == "eth1").unwrap();
    "lan".clone_into(&mut found.name);
    stage(&mut world, vec![host("desk", &cards("192.0.2.12"))]);
    let shown = text(&world);
    assert!(shown.contains("addresses = 192.0.2.12 lan"), "{shown}");
    assert_eq!(shown.matches("\n  eth").count() + shown.matches("\n  lan").count(), 5, "{shown}");

    // One card is left: the other's fields are emptied, and nothing is proposed twice.
    stage(&mut world, vec![host("desk", &[cards("192.0.2.12")[1]])]);
    acts::approve_all(&mut world);
    sweep(&mut world);
    let shown = text(&world);
    assert_eq!(shown.matches("ipam.ipaddress").count(), 1, "{shown}");
    assert!(shown.contains("192.0.2.12/24 active on desk lan"), "{shown}");
}

#[test]
fn a_name_follows_the_evidence_until_a_person_gives_one() {
    let mut world = documented();
    let found = |name| vec![host(name, &[(A, "192.0.2.10", None)])];
    stage(&mut world, found("desk"));
    stage(&mut world, found("table"));
    assert!(text(&world).contains("dcim.device table:"), "{}", text(&world));
    acts::act(&mut world, r#"document dcim.device {"name": "Chair", "site": 1}"#);
    stage(&mut world, found("chair"));
    let shown = text(&world);
    assert!(shown.contains("dcim.device host-001b2100000a:"), "{shown}");
    assert!(!shown.contains("dns_name"), "a name that is taken is not published: {shown}");
    acts::act(&mut world, "set host-001b2100000a name \"desk of Alice\"");
    stage(&mut world, found("shelf"));
    let shown = text(&world);
    assert!(shown.contains("dcim.device desk of Alice:"), "{shown}");
    assert!(shown.contains("dns_name = shelf.lan.example.org"), "{shown}");
}

#[test]
fn evidence_that_does_not_suffice_changes_no_proposal() {
    let mut world = documented();
    stage(&mut world, vec![host("desk", &[(A, "192.0.2.10", Some("ether1"))])]);
    let before = shown::world(&world, Depth::All);
    let mut doubtful = host("table", &[(A, "192.0.2.20", None)]);
    doubtful.evidence_only = Some("the hypervisor did not answer".to_owned());
    stage(&mut world, vec![doubtful]);
    assert_eq!(before, shown::world(&world, Depth::All));
}

#[test]
fn an_address_or_a_port_is_taken_once() {
    let mut world = documented();
    let cards = [(A, "192.0.2.10", Some("ether1")), (B, "192.0.2.11", Some("ether2"))];
    stage(&mut world, vec![host("desk", &cards)]);
    acts::act(&mut world, "set desk/eth1 port \"ether1\"");
    acts::act(&mut world, "set desk/eth1 addresses \"192.0.2.10\\n192.0.2.11\\n192.0.2.11\"");
    acts::approve_all(&mut world);
    let plans = sweep(&mut world);
    let refused: Vec<RefusalKind> = plans[0].refused.iter().map(|refusal| refusal.kind).collect();
    assert_eq!(refused, [RefusalKind::Interface, RefusalKind::Cable], "{:?}", plans[0].refused);
    let shown = text(&world);
    assert_eq!(shown.matches("ipam.ipaddress").count(), 2, "{shown}");
    assert_eq!(shown.matches("dcim.cable").count(), 1, "{shown}");
}

#[test]
fn a_line_that_cannot_be_followed_is_not_forgotten() {
    let mut world = documented();
    stage(&mut world, vec![host("desk", &[(A, "192.0.2.10", None)])]);
    acts::act(&mut world, "set desk addresses \"192.0.2.10 eth0\\n192.0.2.11 wlan0\"");
    acts::approve_all(&mut world);
    sweep(&mut world);
    assert!(sweep(&mut world).is_empty());
    let device = world.view.machines.iter().find(|machine| machine.name.as_deref() == Some("desk")).unwrap();
    let ours = device.ours.as_ref().unwrap();
    assert_eq!(ours.state.as_deref(), Some("partial"));
    assert!(ours.addresses.as_deref().is_some_and(|text| text.contains("wlan0")));
}

#[test]
fn an_interface_that_approval_makes_goes_with_it() {
    let mut world = documented();
    stage(&mut world, vec![host("desk", &[(A, "192.0.2.10", Some("ether1"))])]);
    acts::act(
        &mut world,
        r#"document ipam.ipaddress {"address": "192.0.2.10/24", "tags": [{"slug": "kept"}]}"#,
    );
    let interface = world.view.interfaces.iter().find(|interface| interface.name == "eth0").unwrap().object;
    world.delete(interface);
    acts::approve_all(&mut world);
    let before = text(&world);
    // Wherever approval is cut short, by a crash or an answer that never came.
    for limit in 0..acts::decided(&world)[0].steps.len() {
        let mut cut = world.clone();
        let plans = acts::decided(&cut);
        cut.apply_some(&plans, limit);
        let plans = acts::undone(&cut);
        assert!(cut.apply(&plans).iter().all(Option::is_none), "{plans:#?}");
        assert_eq!(before, text(&cut), "after {limit} steps");
    }
    sweep(&mut world);
    assert!(text(&world).contains("192.0.2.10/24 active on desk eth0"), "{}", text(&world));

    // A person's tag outlives the roll back.
    let address = world.view.addresses.iter_mut().find(|address| address.tags.contains("kept")).unwrap();
    address.tags.insert("later".to_owned());
    let plans = acts::undone(&world);
    for (plan, outcome) in plans.iter().zip(world.apply(&plans)) {
        assert_eq!(outcome, None, "{plan:#?}");
    }
    let kept = |text: &str| text.replace(", \"later\"", "");
    assert_eq!(before, kept(&text(&world)));
    assert!(text(&world).contains("\"later\""));
}

#[test]
fn a_host_that_becomes_a_guest_keeps_what_a_person_chose() {
    let mut world = documented();
    stage(&mut world, vec![host("build", &[(A, "192.0.2.10", Some("ether1"))])]);
    acts::act(&mut world, "set build class \"server\"");
    let mut guest = host("build", &[(A, "192.0.2.10", None)]);
    guest.kind = surveyor::model::CandidateKind::VirtualMachine;
    guest.aliases.insert(guest.identity.clone());
    guest.identity = surveyor::model::Identity("pve:lab/101/x".to_owned());

    // Without its cluster it cannot be made: nothing is removed then.
    guest.cluster = Some("elsewhere".to_owned());
    assert!(stage(&mut world, vec![guest.clone()]).is_empty());
    guest.cluster = Some("lab".to_owned());
    stage(&mut world, vec![guest]);
    let shown = text(&world);
    assert!(!shown.contains("dcim.device build"), "{shown}");
    assert!(shown.contains("virtualization.virtualmachine build"), "{shown}");
    assert!(shown.contains("class = server"), "{shown}");
}

#[test]
fn a_tombstone_has_the_same_hash_at_any_time() {
    let mut world = documented();
    stage(&mut world, vec![host("desk", &[(A, "192.0.2.10", None)])]);
    acts::act(&mut world, "set desk decision \"reject\"");
    let first: Vec<String> = acts::decided(&world).iter().map(Plan::hash).collect();
    acts::act(&mut world, "later 1");
    assert_eq!(first, acts::decided(&world).iter().map(Plan::hash).collect::<Vec<_>>());
}

#[test]
fn what_is_printed_is_in_the_order_of_execution() {
    let mut world = documented();
    world.view.features.inline_mac = false;
    let discovery = Discovery {
        candidates: vec![host("desk", &[(A, "192.0.2.10", Some("ether1")), (B, "192.0.2.11", None)])],
        ..Discovery::default()
    };
    let plan = acts::staging(&world, &discovery).plans.remove(0);
    let printed = surveyor::plan::render::plan(&plan);
    let order = crate::support::world::in_order(std::slice::from_ref(&plan));
    let labels: Vec<&str> = order.iter().map(|(_, step)| plan.steps[*step].label.as_str()).collect();
    let lines: Vec<&str> = printed.lines().skip(1).map(|line| &line[4..]).collect();
    assert_eq!(lines, labels);
    assert!(matches!(plan.steps[0].step, Step::Create { kind: ObjectKind::Device, .. }));
}

#[test]
fn what_is_staged_again_is_rolled_back_with_the_rights_for_it() {
    let mut world = documented();
    stage(&mut world, vec![host("desk", &[(A, "192.0.2.10", Some("ether1"))])]);
    let before = text(&world);
    acts::approve_all(&mut world);
    sweep(&mut world);
    assert_ne!(before, text(&world));
    acts::act(&mut world, "status desk staged");
    let view = world.view();
    let desk = view.machines.iter().find(|machine| machine.name.as_deref() == Some("desk")).unwrap();
    let plans = vec![rollback(desk, &view, world.now)];
    assert!(world.apply(&plans).iter().all(Option::is_none), "{plans:#?}");
    assert_eq!(before, text(&world));
}

#[test]
fn a_planned_cable_goes_when_nothing_shows_it_any_more() {
    let mut world = World::new();
    let named = |name: &str, mac: &str| {
        let mut found = switch(&PORTS);
        found.identity = surveyor::model::Identity(format!("mac:{mac}"));
        found.name = name.parse().unwrap();
        found.device = Some(name.to_owned());
        found.sources = [name.to_owned()].into();
        found
    };
    let switches = || vec![named("sw1", "00:1b:21:00:00:e1"), named("sw2", "00:1b:21:00:00:e2")];
    let link = |port: &str| -> Link {
        serde_json::from_value(json!({
            "a": { "switch": "sw1", "port": port }, "b": { "switch": "sw2", "port": "ether3" },
            "evidence": ["lldp", "lldp-reverse"], "confidence": 99,
        }))
        .unwrap()
    };
    let seen = |links: Vec<Link>| Discovery { candidates: switches(), links, ..Discovery::default() };
    let run = |world: &mut World, discovery: &Discovery| {
        let plans = acts::staging(world, discovery).plans;
        assert!(world.apply(&plans).iter().all(Option::is_none), "{plans:#?}");
        plans.len()
    };
    run(&mut world, &seen(vec![link("ether1")]));
    assert!(text(&world).contains("sw1 ether1 - sw2 ether3"), "{}", text(&world));
    assert_eq!(run(&mut world, &seen(vec![link("ether1")])), 0);

    // A switch that could not be read in full says nothing about what is gone.
    let mut silent = seen(Vec::new());
    silent.gaps.push(Gap {
        source: SourceName::new("sw2"),
        facts: FactKind::Neighbors,
        reason: "timed out".to_owned(),
    });
    assert_eq!(run(&mut world, &silent), 0);
    // Nor does a run that did not look at it.
    let elsewhere = Discovery { candidates: switches().split_off(1), ..Discovery::default() };
    assert_eq!(run(&mut world, &elsewhere), 0);

    // Moved to another port: the old one goes, then the new one has room.
    run(&mut world, &seen(vec![link("ether2")]));
    run(&mut world, &seen(vec![link("ether2")]));
    assert!(text(&world).contains("sw1 ether2 - sw2 ether3"), "{}", text(&world));
    assert_eq!(text(&world).matches("dcim.cable").count(), 1, "{}", text(&world));

    // What a person connected stays.
    world.view.cables[0].status = "connected".to_owned();
    assert_eq!(run(&mut world, &seen(Vec::new())), 0);
    world.view.cables[0].status = "planned".to_owned();
    assert_eq!(run(&mut world, &seen(Vec::new())), 1);
    assert!(!text(&world).contains("dcim.cable"), "{}", text(&world));
}

#[test]
fn below_the_threshold_a_host_is_proposed_without_a_cable() {
    for (confidence, port) in [(49, None), (50, Some("ether1"))] {
        let mut world = documented();
        let unsure = Candidate { confidence, ..host("desk", &[(A, "192.0.2.10", Some("ether1"))]) };
        let plans = stage(&mut world, vec![unsure]);
        assert!(plans.iter().any(|plan| plan.title == "desk"), "it is proposed: {plans:#?}");
        let desk = world.view().machines.into_iter().find(|machine| machine.name.as_deref() == Some("desk"));
        assert_eq!(
            desk.and_then(|desk| desk.ours).and_then(|ours| ours.port).as_deref(),
            port,
            "{confidence}"
        );
    }
}

#[test]
fn below_the_threshold_a_link_is_only_reported() {
    for (confidence, staged) in [(45, 0), (50, 1)] {
        let mut world = documented();
        let mut other = switch(&["up"]);
        other.identity = surveyor::model::Identity("mac:00:1b:21:00:00:e2".to_owned());
        other.name = "sw2".parse().unwrap();
        other.device = Some("sw2".to_owned());
        stage(&mut world, vec![other.clone()]);
        let end = |switch: &str, port: &str| json!({ "switch": switch, "port": port });
        let link = json!({ "a": end("sw1", "ether1"), "b": end("sw2", "up"), "evidence": ["fdb"], "confidence": confidence });
        let discovery = Discovery {
            candidates: vec![switch(&PORTS), other],
            links: vec![serde_json::from_value(link).unwrap()],
            ..Discovery::default()
        };
        let staging = acts::staging(&world, &discovery);
        let cables = staging.plans.iter().filter(|plan| plan.object.starts_with("link:")).count();
        assert_eq!(cables, staged, "{:?}", staging.held_back);
        let is_told =
            staging.held_back.iter().any(|(_, _, why)| why.contains("below `stage.cable_threshold`"));
        assert_eq!(is_told, staged == 0);
    }
}
