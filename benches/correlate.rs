//! What the pure code costs: correlation from a hundred thousand to ten million forwarding rows, merging five thousand hosts,
//! comparing six thousand with as many objects of NetBox, comparing two runs. `cargo bench --bench correlate`.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use surveyor::correlate::{correlate, explain};
use surveyor::model::candidate::Known;
use surveyor::model::observation::{DeviceFact, DeviceRole, InterfaceFact, LeaseFact, LeaseState};
use surveyor::model::{Collection, Discovery, Fact, MacAddr, ObjectKind, ObjectRef, SourceName, Timestamp};
use surveyor::plan::diff::{self, Run};
use surveyor::plan::ledger::Ledger;
use surveyor::plan::stage::{Context, Policy, claim_hash, stage};
use surveyor::plan::view::{Address, Defaults, Interface, Mac, Machine, Ours, Prefix, TAG, View};

/// Switches in one building: one in the middle, the others around it. Every one sees every host of the building.
const SWITCHES: u32 = 50;
/// The predecessor merges so many hosts in 1.0 to 1.4 s, and compares so many with NetBox in 3.2 s.
const MERGED: u32 = 5_000;
const COMPARED: u32 = 6_000;
/// Times a short measurement is repeated; the best counts, for the others measure the machine.
const ROUNDS: usize = 5;

fn main() {
    // `cargo test --benches` passes its own arguments and only wants to know that it runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    println!("{:44} {:>12} {:>10} {:>9} {:>12}  target", "what", "time", "ns a row", "factor", "peak memory");
    let sizes: &[(u32, u32)] = if is_test { &[(1, 100)] } else { &[(1, 2_000), (2, 10_000), (20, 10_000)] };
    let mut first = None;
    for (buildings, hosts) in sizes {
        let per_row = rows(*buildings, *hosts, first);
        first.get_or_insert(per_row);
    }
    let share = if is_test { 100 } else { 1 };
    merge(MERGED / share);
    compare(COMPARED / share);
}

fn line(what: &str, took: Duration, more: &str, is_met: bool, target: &str) {
    let verdict = if is_met { "ok" } else { "MISS" };
    println!("{what:44} {:>12} {more:33}  {target} {verdict}", format!("{took:.2?}"));
}

/// The best of several rounds.
fn best<T>(mut act: impl FnMut() -> T) -> (Duration, T) {
    let mut found: Option<(Duration, T)> = None;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let value = black_box(act());
        let took = start.elapsed();
        if found.as_ref().is_none_or(|(best, _)| took < *best) {
            found = Some((took, value));
        }
    }
    found.unwrap_or_else(|| (Duration::MAX, act()))
}

/// Correlates whole buildings; nanoseconds a row.
fn rows(buildings: u32, hosts: u32, first: Option<f64>) -> f64 {
    let collections: Vec<Collection> = (0..buildings).flat_map(|building| network(building, hosts)).collect();
    let rows: usize = collections.iter().map(|collection| collection.fdb.len()).sum();
    forget_peak();
    let (took, found) = if rows > 5_000_000 {
        let start = Instant::now();
        let found = black_box(correlate(&collections, &Known::default()));
        (start.elapsed(), found)
    } else {
        best(|| correlate(&collections, &Known::default()))
    };
    let peak = peak_mib();
    let attached = found.candidates.iter().flat_map(|candidate| &candidate.interfaces);
    let attached =
        attached.filter(|card| card.attachment.as_ref().is_some_and(|place| place.exclusive)).count();
    assert_eq!(attached, (buildings * hosts) as usize, "every host is alone on its port");
    let per_row = took.as_secs_f64() * 1e9 / f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
    let factor = first.map_or(1.0, |first| per_row / first);
    let (limit, target) = match rows {
        0..=100_000 => (0.1, "<= 0.1 s"),
        100_001..=5_000_000 => (1.0, "factor <= 4"),
        _ => (10.0, "<= 10 s, <= 2048 MiB, factor <= 4"),
    };
    let is_met = took.as_secs_f64() <= limit && peak <= 2048 && (1.0 / factor..=4.0).contains(&factor);
    let what = format!("{} switches, {} hosts, {rows} rows", buildings * SWITCHES, buildings * hosts);
    let more = format!("{per_row:>10.0} {factor:>9.2} {:>12}", format!("{peak} MiB"));
    line(&what, took, &more, is_met, target);
    if rows > 5_000_000 {
        after_ten_million(&collections, &found);
    }
    per_row
}

/// What people ask afterwards.
fn after_ten_million(collections: &[Collection], found: &Discovery) {
    let start = Instant::now();
    let told = black_box(explain(collections, &Known::default(), "host-3-777"));
    assert_eq!(told.map_or(0, |told| told.len()), 1);
    line("explain one of them", start.elapsed(), "", true, "told");
    let sources = diff::sources_of(collections);
    let run = Run { discovery: found, sources: &sources };
    let start = Instant::now();
    let same = black_box(diff::between(run, run));
    assert_eq!(same.unchanged, found.candidates.len());
    line("compare two such runs", start.elapsed(), "", true, "told");
}

fn mac(building: u32, kind: u8, number: u32) -> MacAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    MacAddr::new([0, kind, u8::try_from(building).unwrap_or(0), high, middle, low])
}

fn lease(mac: MacAddr, address: Ipv4Addr, name: String) -> Fact {
    Fact::DhcpLease(LeaseFact {
        mac,
        address: Some(address.into()),
        host_name: Some(name),
        state: LeaseState::Bound,
        dynamic: true,
        server: None,
        comment: None,
        client_id: None,
        vendor_class: None,
        expires_at: None,
    })
}

/// One building: hosts spread over the outer switches, one a port.
fn network(building: u32, hosts: u32) -> Vec<Collection> {
    let mut collections = Vec::new();
    for switch in 0..SWITCHES {
        let name = format!("b{building}-sw{switch}");
        let mut collection = Collection::new(SourceName::new(&name), Timestamp(0));
        collection.facts.push(Fact::Device(DeviceFact {
            device: name.clone(),
            macs: vec![mac(building, 1, switch)],
            ..DeviceFact::default()
        }));
        for other in (0..SWITCHES).filter(|other| *other != switch) {
            let towards = if switch == 0 { format!("down{other}") } else { "up".to_owned() };
            collection.push_fdb(&name, Ok(&towards), mac(building, 1, other), Some(1));
        }
        for host in 0..hosts {
            let home = host % (SWITCHES - 1) + 1;
            let port = match (switch, home) {
                (0, _) => format!("down{home}"),
                _ if switch == home => format!("e{}", host / (SWITCHES - 1)),
                _ => "up".to_owned(),
            };
            let vlan = u16::try_from(host % 40 + 1).ok();
            collection.push_fdb(&name, Ok(&port), mac(building, 2, host), vlan);
            if switch == home {
                collection.facts.push(Fact::Interface(InterfaceFact {
                    device: name.clone(),
                    name: port,
                    ..InterfaceFact::default()
                }));
            }
        }
        if switch == 0 {
            for host in 0..hosts {
                let address = Ipv4Addr::from(0x0a00_0000 + building * 65_536 + host);
                let name = format!("host-{building}-{host}");
                collection.facts.push(lease(mac(building, 2, host), address, name));
            }
        }
        collections.push(collection);
    }
    collections
}

/// Hosts as a router, a scan and ten switches see them.
fn hosts(count: u32) -> Vec<Collection> {
    let collection = |name: &str| Collection::new(SourceName::new(name), Timestamp(0));
    let mut router = collection("router1");
    router.facts.push(Fact::Device(DeviceFact {
        device: "router1".to_owned(),
        role: DeviceRole::Router,
        macs: vec![mac(0, 3, 0)],
        ..DeviceFact::default()
    }));
    let prefix = "10.0.0.0/8".parse().unwrap_or_else(|_| unreachable!("a prefix"));
    router.facts.push(Fact::Network { prefix, interface: None });
    let mut scan = collection("scan");
    let mut switches: Vec<Collection> = (0..10).map(|number| collection(&format!("sw{number}"))).collect();
    for (number, switch) in (0..).zip(&mut switches) {
        let device = switch.source.to_string();
        switch.facts.push(Fact::Device(DeviceFact {
            device: device.clone(),
            macs: vec![mac(0, 1, number)],
            ..DeviceFact::default()
        }));
        for other in (0..10).filter(|other| *other != number) {
            let port = if number == 0 { format!("down{other}") } else { "up".to_owned() };
            switch.push_fdb(&device, Ok(&port), mac(0, 1, other), None);
        }
    }
    for host in 0..count {
        let (card, address) = (mac(0, 2, host), Ipv4Addr::from(0x0a00_0100 + host));
        router.facts.push(lease(card, address, format!("host{host}")));
        router.facts.push(Fact::Neighbor { mac: card, address: address.into(), interface: None });
        let name = Some(format!("host{host}.example.org"));
        scan.facts.push(Fact::ScanReply { address: address.into(), mac: Some(card), name });
        let home = host % 9 + 1;
        switches[0].push_fdb("sw0", Ok(&format!("down{home}")), card, Some(10));
        let device = format!("sw{home}");
        switches[home as usize].push_fdb(&device, Ok(&format!("e{}", host / 9)), card, Some(10));
    }
    switches.push(router);
    switches.push(scan);
    switches
}

fn merge(count: u32) {
    let collections = hosts(count);
    let (took, found) = best(|| correlate(&collections, &Known::default()));
    assert!(found.candidates.len() >= count as usize);
    line(&format!("merge {count} hosts"), took, "", took.as_secs_f64() <= 0.05, "<= 0.05 s");
}

/// Plans for hosts that NetBox documents, and for the same while they are proposals: nothing is to do.
fn compare(count: u32) {
    let found = correlate(&hosts(count), &Known::default());
    for is_proposed in [false, true] {
        let view = documented(&found, is_proposed);
        let policy = Policy::default();
        let context = Context {
            view: &view,
            policy: &policy,
            now: Timestamp(0),
            open_steps: &BTreeSet::new(),
            explanations: &BTreeMap::new(),
        };
        let (took, staging) = best(|| stage(&found, &context));
        let known = if is_proposed { staging.unchanged.len() } else { staging.documented.len() };
        assert_eq!(known, found.candidates.len(), "{:?}", staging.held_back.first());
        let what = if is_proposed { "proposals" } else { "documented objects" };
        let what = format!("compare {count} hosts with {count} {what}");
        line(&what, took, "", took.as_secs_f64() <= 0.05, "<= 0.05 s");
    }
    let view = documented(&found, false);
    let sources = found.candidates.iter().flat_map(|candidate| candidate.sources.iter().cloned()).collect();
    let (took, same) = best(|| diff::against(&view, Run { discovery: &found, sources: &sources }));
    assert_eq!(same.unchanged, found.candidates.len(), "{:?}", same.unknown.first());
    line(&format!("diff {count} hosts with NetBox"), took, "", took.as_secs_f64() <= 0.05, "<= 0.05 s");
}

/// A NetBox that has every candidate as it was found.
fn documented(found: &Discovery, is_proposed: bool) -> View {
    let mut view = View::default();
    view.defaults = Defaults { site: 1, staged: "staged".to_owned(), ..Defaults::default() };
    let prefix = "10.0.0.0/8".parse().unwrap_or_else(|_| unreachable!("a prefix"));
    view.prefixes.push(Prefix { id: 1, prefix, vrf: None, status: "active".to_owned(), site: None });
    for (id, candidate) in (1_i64..).zip(&found.candidates) {
        let machine = ObjectRef::new(ObjectKind::Device, id);
        let ledger = Ledger { claim: claim_hash(candidate), ..Ledger::default() };
        let ours = Ours {
            id: Some(candidate.identity.to_string()),
            ledger: Some(ledger.to_value()),
            ..Ours::default()
        };
        view.machines.push(Machine {
            object: machine,
            name: Some(candidate.name.to_string()),
            status: if is_proposed { "staged" } else { "active" }.to_owned(),
            site: Some(1),
            cluster: None,
            serial: String::new(),
            tags: if is_proposed { BTreeSet::from([TAG.to_owned()]) } else { BTreeSet::new() },
            primary_ip4: None,
            primary_ip6: None,
            ours: is_proposed.then_some(ours),
        });
        let object = ObjectRef::new(ObjectKind::Interface, id);
        let card = candidate.interfaces.first();
        let mac = card
            .and_then(|card| card.mac)
            .or_else(|| candidate.identity.as_str().strip_prefix("mac:").and_then(|mac| mac.parse().ok()));
        view.interfaces.push(Interface {
            object,
            machine,
            name: "eth0".to_owned(),
            kind: "other".to_owned(),
            cable: None,
            mark_connected: false,
            mac,
            tags: BTreeSet::new(),
            connected_to: Vec::new(),
            peers: BTreeSet::new(),
            ours: Ours::default(),
        });
        view.macs.extend(mac.map(|mac| Mac { id, mac, interface: Some(object), machine: Some(machine) }));
        let addresses = card.iter().flat_map(|card| card.addresses.iter());
        view.addresses.extend(addresses.map(|address: &IpAddr| Address {
            id,
            address: (*address).into(),
            vrf: None,
            status: "active".to_owned(),
            assigned: None,
            machine: Some(machine),
            assigned_to: None,
            dns_name: String::new(),
            tags: BTreeSet::new(),
        }));
    }
    view.indexed()
}

/// Begins to measure the peak anew, where the system lets us.
fn forget_peak() {
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        println!("(the peak memory includes what was measured before)");
    }
}

/// Peak resident memory of this program, input included, where the system tells.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|text| text.trim().trim_end_matches("kB").trim().parse().ok());
    kib.unwrap_or(0) / 1024
}
