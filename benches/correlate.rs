//! How long correlation of a large network takes, and how much memory: a thousand switches, two hundred thousand hosts, ten
//! million forwarding rows; and a hundredth of it. `cargo bench --bench correlate`.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use surveyor::correlate::correlate;
use surveyor::model::candidate::Known;
use surveyor::model::observation::{DeviceFact, InterfaceFact, LeaseFact, LeaseState};
use surveyor::model::{Collection, Fact, MacAddr, SourceName, Timestamp};

/// Switches in one building: one in the middle, the others around it. Every one sees every host of the building.
const SWITCHES: u32 = 50;

fn main() {
    // `cargo test --benches` passes its own arguments and only wants to know that it runs.
    if std::env::args().any(|argument| argument == "--test") {
        run(1, 100);
        return;
    }
    run(1, 2_000);
    run(20, 10_000);
}

fn run(buildings: u32, hosts: u32) {
    let collections: Vec<Collection> = (0..buildings).flat_map(|building| network(building, hosts)).collect();
    let rows: usize = collections.iter().map(|collection| collection.fdb.len()).sum();
    let before = peak_kib();
    let start = Instant::now();
    let found = black_box(correlate(&collections, &Known::default()));
    let took = start.elapsed();
    let attached = found.candidates.iter().flat_map(|candidate| &candidate.interfaces);
    let attached =
        attached.filter(|card| card.attachment.as_ref().is_some_and(|place| place.exclusive)).count();
    println!(
        "{} switches, {} hosts, {rows} rows: {took:.2?}; {} candidates, {attached} on a port of their own, {} links; peak {} MiB (input {} MiB)",
        buildings * SWITCHES,
        buildings * hosts,
        found.candidates.len(),
        found.links.len(),
        peak_kib() / 1024,
        before / 1024,
    );
    assert_eq!(attached, (buildings * hosts) as usize, "every host is alone on its port");
}

/// One building: hosts spread over the outer switches, one a port.
fn network(building: u32, hosts: u32) -> Vec<Collection> {
    let mac = |kind: u8, number: u32| {
        let [_, high, middle, low] = number.to_be_bytes();
        MacAddr::new([0, kind, u8::try_from(building).unwrap_or(0), high, middle, low])
    };
    let mut collections = Vec::new();
    for switch in 0..SWITCHES {
        let name = format!("b{building}-sw{switch}");
        let mut collection = Collection::new(SourceName::new(&name), Timestamp(0));
        collection.facts.push(Fact::Device(DeviceFact {
            device: name.clone(),
            macs: vec![mac(1, switch)],
            ..DeviceFact::default()
        }));
        for other in (0..SWITCHES).filter(|other| *other != switch) {
            let towards = if switch == 0 { format!("down{other}") } else { "up".to_owned() };
            collection.push_fdb(&name, Ok(&towards), mac(1, other), Some(1));
        }
        for host in 0..hosts {
            let home = host % (SWITCHES - 1) + 1;
            let port = match (switch, home) {
                (0, _) => format!("down{home}"),
                _ if switch == home => format!("e{}", host / (SWITCHES - 1)),
                _ => "up".to_owned(),
            };
            let vlan = u16::try_from(host % 40 + 1).ok();
            collection.push_fdb(&name, Ok(&port), mac(2, host), vlan);
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
                let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + building * 65_536 + host));
                collection.facts.push(Fact::DhcpLease(LeaseFact {
                    mac: mac(2, host),
                    address: Some(address),
                    host_name: Some(format!("host-{building}-{host}")),
                    state: LeaseState::Bound,
                    dynamic: true,
                    server: None,
                    comment: None,
                    client_id: None,
                    vendor_class: None,
                    expires_at: None,
                }));
            }
        }
        collections.push(collection);
    }
    collections
}

/// Peak resident memory of this program, where the system tells.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
