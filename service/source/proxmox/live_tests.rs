//! A Proxmox VE cluster at the wire: everything it says, and everything that goes wrong with one.

use std::path::PathBuf;

use serde_json::json;

use super::Config;
use crate::model::observation::{DeviceRole, GuestFact, GuestKind, PortKind};
use crate::model::{Collection, Fact, FactKind, SourceName};
use crate::source::peer::{Peer, collect, gap_kinds, networks};

fn start() -> Option<Peer> {
    Peer::start("proxmox", "--token-secret-file", &["--token-id", "surveyor@pve!ro"])
}

fn config(peer: &Peer, token_secret_file: PathBuf, tls: &str) -> Config {
    Config {
        name: SourceName::new("pve"),
        url: format!("https://{}", peer.address),
        token_id: "surveyor@pve!ro".to_owned(),
        token_secret_file,
        tls: tls.parse().unwrap(),
        ca_file: None,
        cluster: None,
        timeout_seconds: 2,
        concurrency: 16,
    }
}

async fn read(peer: &Peer) -> Collection {
    collect(config(peer, peer.secret_file(), &peer.fingerprint).build(&[]).unwrap()).await
}

fn guests(found: &Collection) -> Vec<&GuestFact> {
    found.facts.iter().filter_map(|f| if let Fact::Guest(g) = f { Some(g) } else { None }).collect()
}

/// `101 web: net0 BC:.. vmbr0.20 198.51.100.21/24`, one line a card.
fn cards(found: &Collection) -> Vec<String> {
    guests(found)
        .into_iter()
        .flat_map(|guest| {
            guest.nics.iter().map(|nic| {
                let addresses: Vec<String> = nic.addresses.iter().map(ToString::to_string).collect();
                format!(
                    "{} {}: {} {} {}.{} {}",
                    guest.id,
                    guest.name.as_deref().unwrap_or("-"),
                    nic.name,
                    nic.mac.map(|mac| mac.to_string()).unwrap_or_default(),
                    nic.bridge.as_deref().unwrap_or("-"),
                    nic.vlan.unwrap_or_default(),
                    addresses.join(" ")
                )
            })
        })
        .collect()
}

#[tokio::test]
async fn everything_is_read() {
    let Some(peer) = start() else { return };
    let found = read(&peer).await;
    assert_eq!(found.gaps, []);
    assert_eq!(
        cards(&found),
        [
            "101 web: net0 BC:24:11:0A:01:01 vmbr0.20 198.51.100.21/24",
            "101 web: net1 BC:24:11:0A:01:02 vmbr0.0 192.0.2.61/24 2001:db8:10::61/64",
            "102 db: net0 BC:24:11:0A:02:01 vmbr0.20 ",
            "103 dns1: eth0 BC:24:11:0A:03:01 vmbr0.20 198.51.100.23/24",
            "104 win-test: net0 BC:24:11:0A:04:01 vmbr0.0 ",
        ]
    );
    let web = guests(&found)[0];
    assert_eq!((web.cluster.as_str(), web.node.as_str(), web.kind), ("lab", "pve1", GuestKind::Qemu));
    assert_eq!(web.uuid.as_deref(), Some("6f1c2a34-8d0e-4b57-9a61-3e2f7c90d101"));
    assert_eq!((web.vcpus, web.memory_mib, web.disk_mib), (Some(4), Some(8192), Some(65536)));
    assert_eq!(web.tags, ["prod", "web"]);
    assert_eq!(guests(&found)[3].running, Some(false));

    let node = found.facts.iter().find_map(|f| if let Fact::Device(d) = f { Some(d) } else { None }).unwrap();
    assert_eq!((node.device.as_str(), node.role), ("pve1", DeviceRole::Hypervisor));
    assert_eq!(node.address, Some("192.0.2.5".parse().unwrap()));
    assert_eq!(node.cluster.as_deref(), Some("lab"));
    let uplink = found
        .facts
        .iter()
        .find_map(|f| match f {
            Fact::Interface(i) if i.name == "eno1" => Some(i),
            _ => None,
        })
        .unwrap();
    assert_eq!((uplink.kind, uplink.bridge.as_deref()), (PortKind::Physical, Some("vmbr0")));
    assert_eq!(networks(&found), ["192.0.2.0/24 vmbr0"]);
}

#[tokio::test]
async fn what_fails_is_a_gap_and_the_rest_stays() {
    let Some(peer) = start() else { return };
    peer.write(
        "_faults.json",
        &json!({
            "nodes/pve1/network": {"status": 595, "reason": "Connection refused"},
            "nodes/pve1/qemu/104/config": {"status": 403, "reason": "Permission check failed (/vms/104, VM.Audit)"},
            "nodes/pve1/qemu/101/agent/network-get-interfaces":
                {"status": 500, "reason": "VM 101 qmp command 'guest-network-get-interfaces' failed - got timeout"},
            "nodes/pve1/lxc/103/interfaces": {"cut_bytes": 20},
        }),
    );
    let found = read(&peer).await;
    assert_eq!(
        gap_kinds(&found),
        [FactKind::Interfaces, FactKind::Guests, FactKind::GuestAddresses, FactKind::GuestAddresses]
    );
    let reasons: Vec<&str> = found.gaps.iter().map(|gap| gap.reason.as_str()).collect();
    assert_eq!(reasons[0], "nodes/pve1/network: 595 Connection refused");
    assert!(reasons[1].starts_with("guest 104: the API token may not read the configuration"), "{reasons:?}");
    assert!(
        reasons
            .contains(&"guest 101: 500 VM N qmp command 'guest-network-get-interfaces' failed - got timeout"),
        "{reasons:?}"
    );
    assert_eq!(guests(&found).len(), 4, "what may not be read is still there");
    // Without an answer from inside, what is configured stands.
    assert_eq!(cards(&found)[0], "101 web: net0 BC:24:11:0A:01:01 vmbr0.20 198.51.100.21/24");
    assert!(found.facts.iter().any(|f| matches!(f, Fact::Device(d) if d.device == "pve1")));
}

#[tokio::test]
async fn a_hanging_agent_costs_five_seconds_and_one_gap() {
    let Some(peer) = start() else { return };
    peer.write(
        "_faults.json",
        &json!({"nodes/pve1/qemu/101/agent/network-get-interfaces": {"delay_ms": 8000}}),
    );
    let found = read(&peer).await;
    assert_eq!(gap_kinds(&found), [FactKind::GuestAddresses]);
    assert_eq!(found.gaps[0].reason, "guest 101: timed out after 5 s");
    assert_eq!(cards(&found).len(), 5);
}

#[tokio::test]
async fn a_token_that_may_not_see_all_guests_is_not_believed() {
    let Some(peer) = start() else { return };
    peer.write("access__permissions.json", &json!({"data": {"/vms/101": {"VM.Audit": 1}}}));
    peer.write("cluster__resources.json", &json!({"data": []}));
    let found = read(&peer).await;
    assert_eq!(gap_kinds(&found), [FactKind::Guests]);
    assert!(found.gaps[0].reason.contains("pveum acl modify / --tokens 'surveyor@pve!ro'"));
}

#[tokio::test]
async fn guests_of_a_node_that_is_down_are_kept_and_gone_ones_are_not() {
    let Some(peer) = start() else { return };
    let mut resources = peer.read("cluster__resources.json");
    let rows = resources["data"].as_array_mut().unwrap();
    rows.push(json!({"id": "qemu/200", "vmid": 200, "node": "pve2", "type": "qemu", "status": "unknown", "tags": " "}));
    peer.write("cluster__resources.json", &resources);
    let mut nodes = peer.read("nodes.json");
    nodes["data"].as_array_mut().unwrap().push(json!({"node": "pve2", "status": "offline", "type": "node"}));
    peer.write("nodes.json", &nodes);
    let found = read(&peer).await;
    assert_eq!(gap_kinds(&found), [FactKind::Interfaces, FactKind::Guests]);
    let lost = *guests(&found).last().unwrap();
    assert_eq!((lost.id, lost.running, lost.nics.len(), lost.tags.len()), (200, None, 0, 0));
    assert!(found.gaps.iter().any(|gap| gap.reason == "guest 200 could not be read: their node is offline"));
}

#[tokio::test]
async fn a_wrong_secret_and_a_wrong_fingerprint_are_one_gap_each() {
    let Some(peer) = start() else { return };
    let source = config(&peer, peer.wrong_secret_file(), &peer.fingerprint).build(&[]).unwrap();
    assert!(source.check().await[0].outcome.is_err());
    let found = collect(source).await;
    assert_eq!(gap_kinds(&found), [FactKind::All]);
    assert!(found.gaps[0].reason.starts_with("the API token is refused (invalid token value!); hint: "));

    let pin = format!("sha256:{}", "ab".repeat(32));
    let found = collect(config(&peer, peer.secret_file(), &pin).build(&[]).unwrap()).await;
    assert_eq!(gap_kinds(&found), [FactKind::All]);
    assert!(found.gaps[0].reason.contains(&peer.fingerprint));
}

#[tokio::test]
async fn doctor_says_what_it_found() {
    let Some(peer) = start() else { return };
    let source = config(&peer, peer.secret_file(), &peer.fingerprint).build(&[]).unwrap();
    let found: Vec<_> = source.check().await.into_iter().map(|check| check.outcome.unwrap()).collect();
    assert_eq!(
        found,
        ["Proxmox VE 8.4.1", "VM.Audit on all guests", "the guest agents may be asked", "4 guests"]
    );
    peer.write("access__permissions.json", &json!({"data": {"/": {"VM.Audit": 1}}}));
    let refused: Vec<_> = source.check().await.into_iter().filter_map(|check| check.outcome.err()).collect();
    let [said] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(said.contains("no VM.Monitor on all of /vms") && said.contains("'surveyor@pve!ro'"), "{said}");
}
