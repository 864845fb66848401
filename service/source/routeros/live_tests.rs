//! A RouterOS device at the wire: everything it says, and everything that goes wrong with one.

use std::path::PathBuf;

use serde_json::json;

use super::{Config, TransportKind};
use crate::model::observation::{DeviceRole, LeaseState, PortKind};
use crate::model::{Collection, Fact, FactKind, SourceName};
use crate::source::peer::{Peer, collect, gap_kinds, networks};

fn start() -> Option<Peer> {
    Peer::start("routeros", "--password-file", &["--username", "surveyor"])
}

fn start_api() -> Option<Peer> {
    Peer::start_with("routeros_api", "routeros", "--password-file", &["--username", "surveyor"])
}

async fn read_api(peer: &Peer) -> Collection {
    let config = config(peer, peer.secret_file(), &peer.fingerprint);
    collect(Config { transport: TransportKind::Api, ..config }.build(&[]).unwrap()).await
}

fn config(peer: &Peer, password_file: PathBuf, tls: &str) -> Config {
    Config {
        name: SourceName::new("router1"),
        address: peer.address.clone(),
        transport: TransportKind::Rest,
        username: "surveyor".to_owned(),
        password_file,
        tls: tls.parse().unwrap(),
        ca_file: None,
        timeout_seconds: 1,
        concurrency: 4,
    }
}

async fn read(peer: &Peer) -> Collection {
    collect(config(peer, peer.secret_file(), &peer.fingerprint).build(&[]).unwrap()).await
}

#[tokio::test]
async fn everything_is_read() {
    let Some(peer) = start() else { return };
    let found = read(&peer).await;
    assert_eq!(found.gaps, []);

    let device =
        found.facts.iter().find_map(|f| if let Fact::Device(d) = f { Some(d) } else { None }).unwrap();
    assert_eq!(device.device, "router1");
    assert_eq!(device.role, DeviceRole::Router);
    assert_eq!(device.serial.as_deref(), Some("HF1093QW7KD"));
    assert_eq!(device.model.as_deref(), Some("RB5009UG+S+"));
    assert_eq!(device.address, Some("127.0.0.1".parse().unwrap()));
    assert_eq!(device.macs.len(), 9, "eight further ports, of which one shares the bridge's address");

    let rows: Vec<_> = found
        .fdb
        .rows()
        .map(|(mac, port, vlan)| (mac.to_string(), found.fdb.port(port).unwrap().port.clone().unwrap(), vlan))
        .collect();
    assert_eq!(rows.len(), 22);
    assert!(rows.contains(&("44:19:B6:8F:D3:25".to_owned(), "ether5".to_owned(), Some(10))));
    assert!(rows.contains(&("BC:24:11:0A:03:01".to_owned(), "ether2".to_owned(), Some(20))));
    assert!(!rows.iter().any(|(mac, ..)| mac.starts_with("D4:01:C3")), "its own addresses are no hosts");

    // The provider's network is not ours: ether1 is in the list WAN.
    assert_eq!(
        networks(&found),
        ["192.0.2.0/24 vlan10", "198.51.100.0/24 vlan20", "2001:db8:10::/64 vlan10"]
    );

    let leases: Vec<_> =
        found.facts.iter().filter_map(|f| if let Fact::DhcpLease(l) = f { Some(l) } else { None }).collect();
    assert_eq!(leases.len(), 17);
    let state = |mac: &str| leases.iter().find(|l| l.mac.to_string() == mac).unwrap();
    assert_eq!(state("3C:E9:F7:D0:52:1F").address, Some("192.0.2.113".parse().unwrap()), "not the pool");
    assert_eq!(state("00:1B:A9:E2:70:3D").state, LeaseState::NeverSeen);
    assert_eq!(state("00:26:AB:13:F9:58").state, LeaseState::Disabled);
    assert_eq!(leases.iter().filter(|l| l.state == LeaseState::Bound).count(), 15);
    let anna = state("3C:E9:F7:21:8A:04");
    assert_eq!(anna.host_name.as_deref(), Some("ws-anna"));
    assert_eq!(
        anna.expires_at.map(crate::model::Timestamp::millis),
        Some(1_700_000_000_000 + (23 * 60 + 41) * 1000)
    );

    let neighbors: Vec<String> = found
        .facts
        .iter()
        .filter_map(|f| if let Fact::Neighbor { address, .. } = f { Some(address.to_string()) } else { None })
        .collect();
    assert_eq!(neighbors.len(), 22 + 3, "ARP without the incomplete row, ND without link-local ones");
    assert!(!neighbors.contains(&"192.0.2.99".to_owned()));

    let heard: Vec<_> = found
        .facts
        .iter()
        .filter_map(|f| if let Fact::LldpNeighbor(n) = f { Some(n) } else { None })
        .map(|n| {
            (n.port.as_deref().unwrap(), n.system_name.as_deref().unwrap(), n.port_id.as_deref().unwrap())
        })
        .collect();
    assert!(heard.contains(&("ether2", "sw1", "GigabitEthernet1/0/1")), "{heard:?}");
    assert!(heard.contains(&("ether1", "isp-edge-7", "GigabitEthernet0/0/1")), "{heard:?}");

    let port = |name: &str| {
        found.facts.iter().find_map(|f| match f {
            Fact::Interface(i) if i.name == name => Some(i),
            _ => None,
        })
    };
    let ether5 = port("ether5").unwrap();
    assert_eq!(
        (ether5.kind, ether5.bridge.as_deref(), ether5.pvid),
        (PortKind::Physical, Some("bridge"), Some(10))
    );
    assert_eq!(port("vlan10").unwrap().kind, PortKind::Vlan);
    assert_eq!(port("lo").unwrap().kind, PortKind::Virtual);
}

#[tokio::test]
async fn what_fails_is_a_gap_and_the_rest_stays() {
    let Some(peer) = start() else { return };
    peer.write(
        "_faults.json",
        &json!({
            "interface/bridge/host": {"delay_ms": 3000},
            "ip/dhcp-server/lease": {"status": 500, "reason": "database is locked"},
            "ip/arp": {"cut_bytes": 100},
            "ip/neighbor": {"close": true},
            "system/routerboard": {"body": "<html>"},
        }),
    );
    let found = read(&peer).await;
    assert_eq!(
        gap_kinds(&found),
        [FactKind::Device, FactKind::Leases, FactKind::Neighbors, FactKind::Fdb, FactKind::Lldp]
    );
    let reason = |kind| found.gaps.iter().find(|gap| gap.facts == kind).unwrap().reason.as_str();
    assert_eq!(reason(FactKind::Fdb), "/interface/bridge/host: timed out after 1 s");
    assert_eq!(reason(FactKind::Leases), "/ip/dhcp-server/lease: the device answered: database is locked");
    assert_eq!(networks(&found).len(), 3);
    assert!(found.facts.iter().any(|f| matches!(f, Fact::Neighbor { .. })), "neighbour discovery answered");
    assert!(found.facts.iter().any(|f| matches!(f, Fact::Device(d) if d.model.is_some())));
    assert!(found.fdb.is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_one_gap() {
    let Some(peer) = start() else { return };
    let source = config(&peer, peer.wrong_secret_file(), &peer.fingerprint).build(&[]).unwrap();
    let checks = source.check().await;
    assert_eq!(checks.len(), 1);
    assert!(
        checks[0].outcome.as_ref().unwrap_err().starts_with("the user name or password is refused; hint")
    );
    let found = collect(source).await;
    assert_eq!(gap_kinds(&found), [FactKind::All]);
    assert!(found.facts.is_empty());
}

#[tokio::test]
async fn a_wrong_fingerprint_names_the_one_seen() {
    let Some(peer) = start() else { return };
    let pin = format!("sha256:{}", "ab".repeat(32));
    let found = collect(config(&peer, peer.secret_file(), &pin).build(&[]).unwrap()).await;
    assert_eq!(gap_kinds(&found), [FactKind::All]);
    assert!(found.gaps[0].reason.contains(&peer.fingerprint), "{}", found.gaps[0].reason);
}

#[tokio::test]
async fn a_device_without_rest_or_without_life_is_one_gap() {
    let Some(peer) = start() else { return };
    peer.write("_faults.json", &json!({"*": {"status": 404}}));
    let found = read(&peer).await;
    assert_eq!(gap_kinds(&found), [FactKind::All]);
    assert!(found.gaps[0].reason.contains("RouterOS 7.1 or newer"));

    let config = config(&peer, peer.secret_file(), &peer.fingerprint);
    let source = config.build(&[]).unwrap();
    drop(peer);
    let found = collect(source).await;
    assert_eq!(gap_kinds(&found), [FactKind::All]);
    assert!(found.gaps[0].reason.contains("connection refused"), "{}", found.gaps[0].reason);
}

#[tokio::test]
async fn doctor_says_what_it_found() {
    let Some(peer) = start() else { return };
    let source = config(&peer, peer.secret_file(), &peer.fingerprint).build(&[]).unwrap();
    let checks = source.check().await;
    assert!(checks.iter().all(|check| check.outcome.is_ok()), "{checks:?}");
    assert_eq!(checks[0].outcome.as_deref(), Ok("RB5009UG+S+, RouterOS 7.20.5 (stable)"));
}

#[tokio::test]
async fn the_binary_api_trusts_like_rest_and_tells_when_the_service_is_another() {
    let Some(peer) = start() else { return };
    let api = |tls: &str| {
        let config = Config { transport: TransportKind::Api, ..config(&peer, peer.secret_file(), tls) };
        config.build(&[]).unwrap()
    };
    let found = collect(api(&format!("sha256:{}", "ab".repeat(32)))).await;
    assert_eq!(gap_kinds(&found), [FactKind::All]);
    assert!(found.gaps[0].reason.contains(&peer.fingerprint), "{}", found.gaps[0].reason);
    // The peer is a web server: its answer is no sentence, or it waits for the rest of a request.
    let found = collect(api(&peer.fingerprint)).await;
    assert!(!found.gaps.is_empty());
    assert!(found.facts.iter().all(|fact| matches!(fact, Fact::Device(device) if device.model.is_none())));
}

#[tokio::test]
async fn the_binary_api_says_what_rest_says() {
    let (Some(rest), Some(api)) = (start(), start_api()) else { return };
    let said = |collection: &Collection| {
        let mut facts: Vec<String> =
            collection.observations().map(|observation| format!("{:?}", observation.fact)).collect();
        facts.sort();
        facts
    };
    let (over_rest, over_api) = tokio::join!(read(&rest), read_api(&api));
    assert_eq!(over_api.gaps, []);
    assert!(over_api.fdb.len() == 22, "a bridge host table");
    assert_eq!(said(&over_api), said(&over_rest));
}

#[tokio::test]
async fn a_host_table_that_hangs_on_a_shared_session_is_the_only_gap() {
    let Some(peer) = start_api() else { return };
    for fault in [json!({"delay_ms": 60_000}), json!({"rows": 3})] {
        peer.write("_faults.json", &json!({"interface/bridge/host": fault}));
        let found = read_api(&peer).await;
        assert_eq!(gap_kinds(&found), [FactKind::Fdb]);
        assert_eq!(found.gaps[0].reason, "/interface/bridge/host: timed out after 1 s");
        assert!(found.fdb.is_empty(), "half a table is none");
        assert_eq!(networks(&found).len(), 3);
        assert_eq!(found.facts.iter().filter(|fact| matches!(fact, Fact::DhcpLease(_))).count(), 17);
    }
}

#[tokio::test]
async fn what_fails_on_a_shared_session_is_a_gap_and_the_rest_stays() {
    let Some(peer) = start_api() else { return };
    peer.write(
        "_faults.json",
        &json!({
            "ip/dhcp-server/lease": {"status": 500, "reason": "database is locked"},
            "ip/neighbor": {"close": true},
            "interface/bonding": {"delay_ms": 60_000},
        }),
    );
    let found = read_api(&peer).await;
    assert_eq!(gap_kinds(&found), [FactKind::Interfaces, FactKind::Leases, FactKind::Lldp]);
    let reason = |kind| found.gaps.iter().find(|gap| gap.facts == kind).unwrap().reason.as_str();
    assert_eq!(reason(FactKind::Leases), "/ip/dhcp-server/lease: the device answered: database is locked");
    assert_eq!(reason(FactKind::Interfaces), "/interface/bonding: timed out after 1 s");
    assert_eq!(reason(FactKind::Lldp), "/ip/neighbor: the device closed the connection");
    assert_eq!((found.fdb.len(), networks(&found).len()), (22, 3));
}
