//! Answers to facts: recordings, the published API schema, and what is odd about both.

use proptest::prelude::*;
use serde_json::json;

use super::guest::{MODELS, nic};
use super::*;
use crate::model::Fact;
use crate::model::observation::{GuestKind, GuestNic, PortKind};
use crate::source::peer::recording;

fn recorded(name: &str) -> Option<Value> {
    Some(recording(&format!("proxmox-pve8x/{name}.json"))?["data"].take())
}

fn row(kind: GuestKind) -> GuestRow {
    GuestRow {
        id: 100,
        kind,
        node: "node1".to_owned(),
        name: Some("listed".to_owned()),
        running: Some(true),
        vcpus: None,
        memory_mib: None,
        disk_mib: None,
        tags: Vec::new(),
    }
}

fn qemu(card: &str) -> GuestNic {
    nic("net0", card, GuestKind::Qemu)
}

const MAC: &str = "BC:24:11:2E:C5:4A";

#[test]
fn recorded_guests_without_the_template() {
    let Some(data) = recorded("cluster__resources") else { return };
    let found = guest_rows(&data);
    let ids: Vec<u32> = found.iter().map(|guest| guest.id).collect();
    assert_eq!(ids, [100, 102, 200], "neither the template nor nodes nor storage");
    assert_eq!((found[0].running, found[1].running), (Some(true), Some(false)));
    assert_eq!((found[0].vcpus, found[0].memory_mib, found[0].disk_mib), (Some(1), Some(1024), Some(32768)));
}

#[test]
fn guests_that_look_odd() {
    let data = json!([
        {"id": "qemu/7", "vmid": "7", "node": "n", "type": "qemu", "status": "unknown", "tags": " ", "maxmem": 0},
        {"id": "qemu/8", "vmid": 8, "node": "n", "type": "qemu", "status": "paused", "template": "1"},
        {"id": "qemu/9", "vmid": 9, "type": "qemu", "status": "running"},
        {"id": "lxc/5", "vmid": 5, "node": "n", "type": "lxc", "status": "stopped", "tags": "a;b, c", "maxmem": "1048576"},
        {"id": "qemu/5", "vmid": 5, "node": "n", "type": "qemu"},
        null, 3, {"type": "qemu"},
    ]);
    let found = guest_rows(&data);
    assert_eq!(found.iter().map(|guest| guest.id).collect::<Vec<_>>(), [5, 7]);
    assert_eq!((found[0].running, found[0].memory_mib), (Some(false), Some(1)));
    assert_eq!(found[0].tags, ["a", "b", "c"]);
    assert_eq!((found[1].running, found[1].memory_mib, found[1].tags.len()), (None, None, 0));
}

#[test]
fn recorded_configurations() {
    let (Some(machine), Some(container)) =
        (recorded("nodes__node1__qemu__100__config"), recorded("nodes__node1__lxc__101__config"))
    else {
        return;
    };
    let machine = guest_fact("lab", &row(GuestKind::Qemu), Some(&machine));
    assert_eq!(machine.name.as_deref(), Some("test-vm"));
    assert_eq!((machine.nics.len(), machine.nics[0].bridge.as_deref()), (1, Some("vmbr0")));
    let container = guest_fact("lab", &row(GuestKind::Lxc), Some(&container));
    assert_eq!(container.name.as_deref(), Some("ct-test-2"));
    assert_eq!(container.nics[0].name, "eth0");
    assert_eq!(container.nics[0].addresses, [], "dhcp is no address");
    let unread = guest_fact("lab", &row(GuestKind::Qemu), None);
    assert_eq!((unread.name.as_deref(), unread.nics.len()), (Some("listed"), 0));
}

#[test]
fn every_form_of_a_network_card() {
    for card in [
        "virtio=BC:24:11:2E:C5:4A,bridge=vmbr0,tag=20,firewall=1,trunks=10;20-30,link_down=1,mtu=1,rate=12.5,queues=8",
        "bridge=vmbr0,tag=20,e1000-82540em=BC:24:11:2E:C5:4A",
        "model=virtio,macaddr=BC:24:11:2E:C5:4A,bridge=vmbr0,tag=20",
        "macaddr=bc:24:11:2e:c5:4a,model=vmxnet3,tag=20,bridge=vmbr0",
        "virtio,macaddr=BC:24:11:2E:C5:4A,bridge=vmbr0,tag=20",
        "igb-of-the-future=BC:24:11:2E:C5:4A,bridge=vmbr0,tag=20",
    ] {
        let found = qemu(card);
        assert_eq!(found.mac.map(|mac| mac.to_string()).as_deref(), Some(MAC), "{card}");
        assert_eq!((found.bridge.as_deref(), found.vlan), (Some("vmbr0"), Some(20)), "{card}");
    }
    let nat = qemu("virtio=BC:24:11:2E:C5:4A");
    assert_eq!((nat.bridge, nat.vlan), (None, None));
    assert_eq!(qemu("virtio,bridge=vmbr0").mac, None, "an address is given when it is saved");
    assert_eq!(qemu("virtio=FF:FF:FF:FF:FF:FF").mac, None);
    assert_eq!(qemu("virtio=BC:24:11:2E:C5:4A,tag=0").vlan, None);
    assert_eq!(qemu("rate=112233445566").mac, None, "a number is no address");
}

#[test]
fn a_container_card_has_its_addresses() {
    let found = nic(
        "net0",
        "name=lan,bridge=vmbr0,gw=192.0.2.1,hwaddr=BC:24:11:2E:C5:7E,ip=192.0.2.9/24,ip6=2001:db8::9/64,tag=30,type=veth",
        GuestKind::Lxc,
    );
    assert_eq!((found.name.as_str(), found.vlan), ("lan", Some(30)));
    assert_eq!(
        found.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["192.0.2.9/24", "2001:db8::9/64"]
    );
    let auto = nic("net3", "bridge=vmbr0,hwaddr=BC:24:11:2E:C5:7E,ip=manual,ip6=auto", GuestKind::Lxc);
    assert_eq!((auto.name.as_str(), auto.addresses.len()), ("net3", 0));
}

#[test]
fn cards_come_in_the_order_of_their_numbers() {
    let config = json!({
        "net10": format!("virtio={MAC}"), "net2": "e1000=BC:24:11:00:00:02,bridge=vmbr1", "net31": "rtl8139=BC:24:11:00:00:31",
        "netx": "virtio=BC:24:11:00:00:99", "net": "x", "network": 1, "nameserver": "192.0.2.1",
        "ipconfig2": "gw=192.0.2.1,ip=192.0.2.5/24,ip6=dhcp", "ipconfig10": "ip=dhcp",
        "smbios1": "uuid=6F1C2A34-8D0E-4B57-9A61-3E2F7C90D101,manufacturer=QUNNRQ==,base64=1",
    });
    let found = guest_fact("lab", &row(GuestKind::Qemu), Some(&config));
    let names: Vec<&str> = found.nics.iter().map(|nic| nic.name.as_str()).collect();
    assert_eq!(names, ["net2", "net10", "net31"]);
    assert_eq!(found.nics[0].addresses.len(), 1);
    assert_eq!(found.nics[1].addresses.len(), 0);
    assert_eq!(found.uuid.as_deref(), Some("6f1c2a34-8d0e-4b57-9a61-3e2f7c90d101"));
}

#[test]
fn an_agent_is_on_or_off() {
    for (agent, expected) in [
        (json!(1), true),
        (json!("1"), true),
        (json!("enabled=1,fstrim_cloned_disks=1"), true),
        (json!("fstrim_cloned_disks=1,enabled=1,type=isa"), true),
        (json!("0"), false),
        (json!("enabled=0"), false),
        (json!("type=virtio"), false),
        (json!(null), false),
    ] {
        assert_eq!(agent_enabled(&json!({"agent": agent.clone()})), expected, "{agent}");
    }
}

#[test]
fn addresses_inside_are_joined_by_mac() {
    let mut guest = guest_fact(
        "lab",
        &row(GuestKind::Qemu),
        Some(
            &json!({"net0": format!("virtio={MAC}"), "net1": "virtio=BC:24:11:00:00:02", "ipconfig0": "ip=192.0.2.5/24,ip6=2001:db8::5/64"}),
        ),
    );
    let data = json!({"result": [
        {"name": "Loopback Pseudo-Interface 1", "ip-addresses": [{"ip-address": "127.0.0.1", "prefix": 8}]},
        {"name": "Ethernet 2", "hardware-address": "bc-24-11-2e-c5-4a", "ip-addresses": [
            {"ip-address": "192.0.2.77", "ip-address-type": "ipv4", "prefix": "25"},
            {"ip-address": "fe80::1%7", "ip-address-type": "ipv6", "prefix": 64},
            {"ip-address": "169.254.3.4", "prefix": 16}, {"ip-address": "192.0.2.78"}, {"ip-address": "junk"}]},
        {"name": "eth0.10", "hardware-address": MAC, "ip-addresses": [{"ip-address": "192.0.2.77", "prefix": 25}]},
        {"name": "docker0", "hardware-address": "02:42:00:00:00:01", "ip-addresses": [{"ip-address": "172.17.0.1", "prefix": 16}]},
        {"name": "tun0"},
    ]});
    join(&mut guest, &inside(&data).unwrap());
    let first: Vec<String> = guest.nics[0].addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        first,
        ["192.0.2.77/25", "192.0.2.78/32", "2001:db8::5/64"],
        "what is seen replaces what is configured"
    );
    assert_eq!(guest.nics[1].addresses, []);
}

#[test]
fn both_shapes_of_container_interfaces() {
    let Some(old) = recorded("nodes__node1__lxc__101__interfaces") else { return };
    let found = inside(&old).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].mac.to_string(), found[0].address.to_string()),
        ("BC:24:11:89:67:07".into(), "192.168.3.95/22".into())
    );
    let new = json!([{"name": "eth0", "hwaddr": MAC, "hardware-address": MAC, "inet": "192.0.2.9/24",
        "ip-addresses": [{"ip-address": "192.0.2.9", "ip-address-type": "inet", "prefix": "24"}, {"ip-address": "2001:db8::9", "prefix": 64}]}]);
    assert_eq!(inside(&new).unwrap().len(), 2, "the same address in both shapes is one");
    assert_eq!(inside(&Value::Null), Some(Vec::new()));
    assert_eq!(inside(&json!({"result": {"error": {"class": "CommandNotFound"}}})), None);
}

#[test]
fn recorded_networks_lead_from_bridge_to_card() {
    let (Some(first), Some(second)) = (recorded("nodes__node1__network"), recorded("nodes__node2__network"))
    else {
        return;
    };
    let node = |name: &str| NodeRow { name: name.to_owned(), online: true, address: None };
    let shown = |facts: &[Fact]| -> Vec<String> {
        facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Interface(i) => {
                    Some(format!("{} {:?} {}", i.name, i.kind, i.bridge.as_deref().unwrap_or("-")))
                }
                _ => None,
            })
            .collect()
    };
    let facts = node_facts(&node("node2"), "lab", Some("8.4-1"), &second);
    assert_eq!(shown(&facts), ["eno1 Physical vmbr0", "vmbr0 Bridge -"]);
    let Fact::Device(device) = &facts[0] else { panic!("the node comes first") };
    assert_eq!(device.address, Some("192.168.1.101".parse().unwrap()), "the one with the gateway");
    assert_eq!(device.description.as_deref(), Some("Proxmox VE 8.4-1"));
    let facts = node_facts(&node("node1"), "lab", None, &first);
    assert_eq!(
        shown(&facts),
        [
            "eno1 Physical -",
            "eno1.2 Vlan vmbr1",
            "vmbr1 Bridge -",
            "vmbr2.10 Vlan vmbr1",
            "vmbr2.2 Vlan -",
            "vmbr2.8 Vlan -"
        ]
    );
    let networks: Vec<String> = facts
        .iter()
        .filter_map(
            |fact| if let Fact::Network { prefix, .. } = fact { Some(prefix.to_string()) } else { None },
        )
        .collect();
    assert_eq!(networks, ["172.16.20.0/24", "192.168.22.0/24"], "a single address is no network");
}

#[test]
fn bonds_switches_and_names_with_addresses() {
    let data = json!([
        {"iface": "enp3s0", "type": "eth", "altnames": ["enp3s0f0", "enx3cecef42b0d6"], "active": 1},
        {"iface": "enx3cecef42b0d7", "type": "eth"},
        {"iface": "bond0", "type": "bond", "slaves": "enp3s0 enx3cecef42b0d7"},
        {"iface": "vmbr0", "type": "OVSBridge", "ovs_ports": "bond0 mgmt"},
        {"iface": "mgmt", "type": "OVSIntPort", "ovs_bridge": "vmbr0"},
        {"iface": "vmbr9", "type": "bridge", "bridge_ports": "none"},
        {"iface": "wlp4s0", "type": "eth"},
    ]);
    let node = NodeRow { name: "n".to_owned(), online: true, address: None };
    let facts = node_facts(&node, "lab", None, &data);
    let port = |name: &str| {
        facts.iter().find_map(|fact| match fact {
            Fact::Interface(i) if i.name == name => Some(i),
            _ => None,
        })
    };
    let card = port("enp3s0").unwrap();
    assert_eq!((card.lag.as_deref(), card.up), (Some("bond0"), Some(true)));
    assert_eq!(card.mac.map(|mac| mac.to_string()).as_deref(), Some("3C:EC:EF:42:B0:D6"));
    assert_eq!(
        (port("bond0").unwrap().kind, port("bond0").unwrap().bridge.as_deref()),
        (PortKind::Lag, Some("vmbr0"))
    );
    assert_eq!(port("mgmt").unwrap().bridge.as_deref(), Some("vmbr0"));
    assert_eq!(port("wlp4s0").unwrap().kind, PortKind::Wireless);
    assert!(port("none").is_none());
    let Fact::Device(device) = &facts[0] else { panic!("the node comes first") };
    assert_eq!(device.macs.len(), 2);
}

#[test]
fn nodes_and_the_name_of_the_cluster() {
    let Some(nodes) = recorded("nodes") else { return };
    let status = json!([
        {"type": "cluster", "name": "lab", "nodes": 4},
        {"type": "node", "name": "node2", "ip": "192.0.2.12", "online": 1},
        {"type": "node", "name": "node5", "ip": "192.0.2.15", "online": 0},
    ]);
    let found = node_rows(&nodes, &status);
    let shown: Vec<_> =
        found.iter().map(|node| (node.name.as_str(), node.online, node.address.is_some())).collect();
    assert_eq!(
        shown,
        [
            ("node1", true, false),
            ("node2", true, true),
            ("node3", true, false),
            ("node4", true, false),
            ("node5", false, true)
        ]
    );
    assert_eq!(cluster_name(&status).as_deref(), Some("lab"));
    assert_eq!(cluster_name(&json!([{"type": "node", "name": "alone"}])).as_deref(), Some("alone"));
    assert_eq!(cluster_name(&json!([])), None);
}

#[test]
fn a_token_that_sees_all_guests() {
    for (granted, expected) in [
        (json!({"/": {"VM.Audit": 1}}), true),
        (json!({"/": {"VM.Audit": 1}, "/vms": {"VM.Audit": 1}}), true),
        (json!({"/vms": {"VM.Audit": "1"}}), true),
        (json!({"/vms": {"VM.Audit": 0}}), false),
        (json!({"/": {"VM.Audit": 1}, "/vms": {"VM.Monitor": 1}}), false),
        (json!({"/": {"VM.Audit": 1}, "/vms/105": {"VM.Console": 1}}), false),
        (json!({"/vms/100": {"VM.Audit": 1}, "/": {"Sys.Audit": 1}}), false),
        (json!({"/pool/a": {"VM.Audit": 1}}), false),
        (json!({}), false),
        (json!(null), false),
    ] {
        assert_eq!(sees_all_guests(&granted), expected, "{granted}");
    }
}

#[test]
fn the_right_to_ask_guest_agents_depends_on_the_version() {
    let monitor = json!({"/vms": {"VM.Audit": 1, "VM.Monitor": 1}});
    let agent = json!({"/": {"VM.Audit": 1, "VM.GuestAgent.Audit": 1}});
    let audit = json!({"/": {"VM.Audit": 1}});
    for (version, granted, expected) in [
        ("8.4.1", &monitor, true),
        ("8.4.1", &agent, false),
        ("9.0.3", &monitor, false),
        ("9.0.3", &agent, true),
        ("10.1", &agent, true),
        ("of unknown version", &monitor, true),
        ("8.4.1", &audit, false),
        ("9.0.3", &audit, false),
    ] {
        assert_eq!(on_all_guests(granted, agent_privileges(version)), expected, "{version} {granted}");
    }
}

/// The schema that Proxmox publishes: every model is known, and every property of a card may be there.
#[test]
fn network_cards_keep_to_the_published_schema() {
    let Some(schema) = recording("proxmox-api-schema.json") else { return };
    let get = &schema["GET"];
    let card = |path: &str| get[path]["returns"]["properties"]["net[n]"]["format"].clone();
    let machine = card("/nodes/{node}/qemu/{vmid}/config");
    let models: Vec<&str> =
        machine["model"]["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(models, MODELS);
    let value = |property: &Value| match property["type"].as_str() {
        Some("integer" | "number") => "7".to_owned(),
        Some("boolean") => "1".to_owned(),
        _ => "word".to_owned(),
    };
    for (kind, format, address) in [
        (GuestKind::Qemu, &machine, "macaddr"),
        (GuestKind::Lxc, &card("/nodes/{node}/lxc/{vmid}/config"), "hwaddr"),
    ] {
        let others: Vec<String> = format
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, property)| property.get("alias").is_none() && *name != address)
            .map(|(name, property)| format!("{name}={}", value(property)))
            .collect();
        let found = nic("net0", &format!("{},{address}={MAC}", others.join(",")), kind);
        assert_eq!(found.mac.map(|mac| mac.to_string()).as_deref(), Some(MAC));
        assert_eq!((found.bridge.as_deref(), found.vlan), (Some("word"), Some(7)));
    }
    for (name, property) in machine.as_object().unwrap() {
        if property.get("alias").is_some() {
            let found = qemu(&format!("bridge=vmbr0,{name}={MAC}"));
            assert!(found.mac.is_some(), "{name}");
        }
    }
    for (path, keys) in [
        (
            "/cluster/resources",
            vec!["vmid", "node", "type", "status", "name", "template", "tags", "maxcpu", "maxmem", "maxdisk"],
        ),
        ("/cluster/status", vec!["type", "name", "ip", "online"]),
        ("/nodes", vec!["node", "status"]),
        (
            "/nodes/{node}/network",
            vec![
                "iface",
                "type",
                "cidr",
                "cidr6",
                "gateway",
                "bridge_ports",
                "slaves",
                "ovs_ports",
                "ovs_bonds",
                "ovs_bridge",
                "active",
                "comments",
            ],
        ),
        (
            "/nodes/{node}/lxc/{vmid}/interfaces",
            vec!["hwaddr", "hardware-address", "inet", "inet6", "ip-addresses"],
        ),
    ] {
        for key in keys {
            assert!(get[path]["returns"]["items"]["properties"].get(key).is_some(), "{path} has {key}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "data",
        "result",
        "type",
        "vmid",
        "node",
        "name",
        "status",
        "tags",
        "net0",
        "net1",
        "ipconfig0",
        "smbios1",
        "agent",
        "iface",
        "cidr",
        "bridge_ports",
        "slaves",
        "altnames",
        "hwaddr",
        "hardware-address",
        "inet",
        "ip-addresses",
        "ip-address",
        "prefix",
        "/vms",
        "VM.Audit",
        "active",
        "template",
        "ip",
        "online",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![
            "\\PC{0,24}",
            "[a-z0-9]{1,6}=[0-9a-fA-F:./]{0,20}(,[a-z0-9]{1,6}=[^,]{0,20}){0,3}",
            Just(MAC.to_owned())
        ]
        .prop_map(Value::from),
        prop::sample::select(vec!["qemu", "lxc", "node", "cluster", "bridge", "192.0.2.1/24"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..8).prop_map(|map| map
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_answer_is_read(first in any_json(), second in any_json()) {
        let nodes = node_rows(&first, &second);
        let mut guests: Vec<_> = guest_rows(&first).iter().map(|row| guest_fact("c", row, Some(&second))).collect();
        guests.push(guest_fact("c", &row(GuestKind::Qemu), Some(&first)));
        guests.push(guest_fact("c", &row(GuestKind::Lxc), Some(&first)));
        if let Some(seen) = inside(&second) {
            for guest in &mut guests {
                join(guest, &seen);
            }
        }
        let _facts = (
            cluster_name(&first),
            sees_all_guests(&second),
            agent_enabled(&first),
            nodes.iter().map(|node| node_facts(node, "c", None, &first)).collect::<Vec<_>>(),
        );
    }
}
