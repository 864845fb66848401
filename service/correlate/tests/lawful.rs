//! Random lawful networks with known truth: switches that form a tree once spanning tree has blocked the redundant cables, with
//! aggregates, dumb switches, access points, telephones, hypervisors, hosts and VLANs, and the forwarding tables that such a network
//! has.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::model::observation::{
    Capability, DeviceFact, DeviceRole, GuestFact, GuestKind, GuestNic, InterfaceFact, LeaseFact, LeaseState,
    NeighborFact, NeighborProtocol, PortKind,
};
use crate::model::{Collection, Fact, FactKind, MacAddr, SourceName, Timestamp};

/// What hangs on an edge port.
#[derive(Debug, Clone)]
pub(crate) enum Edge {
    Host,
    Dumb(usize),
    AccessPoint(usize),
    Node(usize),
    /// A small switch that announces itself, and whether it says that it is one; its own address is in no table.
    Smart(usize, bool),
    /// A telephone with a computer behind it; whether it announces itself, else only its VLAN tells.
    Phone(bool),
}

/// The recipe of a network; every number is reduced to what fits.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// For each switch but the first: its parent.
    pub(crate) parents: Vec<usize>,
    /// Whether the cable to the parent is an aggregate of two.
    pub(crate) lags: Vec<bool>,
    /// Whether LLDP runs on the cable to the parent.
    pub(crate) lldp: Vec<bool>,
    /// Edge ports: switch and what hangs there.
    pub(crate) edges: Vec<(usize, Edge)>,
    /// Which rows are missing, by a stride (aged out); 0 for none.
    pub(crate) aged: usize,
    /// Stale rows: (host, switch).
    pub(crate) stale: Vec<(usize, usize)>,
    /// Switches that cannot be read.
    pub(crate) unreadable: BTreeSet<usize>,
    /// Switches whose own addresses are in no table.
    pub(crate) silent: BTreeSet<usize>,
    /// Redundant cables that spanning tree blocks at the second end, and whether LLDP runs on them.
    pub(crate) mesh: Vec<(usize, usize, bool)>,
    /// Whether tables of spanning tree can be read, and those of LACP.
    pub(crate) stp: bool,
    /// See `stp`.
    pub(crate) lacp: bool,
    /// Whether forwarding tables tell ages.
    pub(crate) ages: bool,
}

pub(crate) fn recipe(complete: bool) -> impl Strategy<Value = Recipe> {
    let edge = prop_oneof![
        4 => Just(Edge::Host),
        1 => (2..4_usize).prop_map(Edge::Dumb),
        1 => (1..4_usize).prop_map(Edge::AccessPoint),
        1 => (1..4_usize).prop_map(Edge::Node),
        1 => any::<bool>().prop_map(Edge::Phone),
        1 => (1..3_usize, any::<bool>()).prop_map(|(hosts, says)| Edge::Smart(hosts, says)),
    ];
    (1..8_usize).prop_flat_map(move |switches| {
        (
            proptest::collection::vec(any::<prop::sample::Index>(), switches - 1),
            proptest::collection::vec(any::<bool>(), switches - 1),
            proptest::collection::vec(any::<bool>(), switches - 1),
            proptest::collection::vec((0..switches, edge.clone()), 1..14),
            if complete { (0..1_usize).boxed() } else { (0..4_usize).boxed() },
            proptest::collection::vec((0..40_usize, 0..switches), 0..if complete { 1 } else { 3 }),
            proptest::collection::btree_set(0..switches, 0..if complete { 1 } else { switches }),
            proptest::collection::vec((0..switches, 0..switches, any::<bool>()), 0..4),
            any::<[bool; 3]>(),
        )
            .prop_map(
                |(parents, lags, lldp, edges, aged, stale, unreadable, mesh, [stp, lacp, ages])| Recipe {
                    parents: parents
                        .iter()
                        .enumerate()
                        .map(|(index, parent)| parent.index(index + 1))
                        .collect(),
                    lags,
                    lldp,
                    edges,
                    aged,
                    stale,
                    unreadable,
                    silent: BTreeSet::new(),
                    mesh: mesh.into_iter().filter(|(a, b, _)| a != b).collect(),
                    stp,
                    lacp,
                    ages,
                },
            )
    })
}

/// Where a machine really is.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) switch: usize,
    pub(crate) port: String,
    pub(crate) exclusive: bool,
}

/// The network a recipe makes: what sources say, and what is true.
pub(crate) struct Network {
    pub(crate) collections: Vec<Collection>,
    pub(crate) truth: BTreeMap<MacAddr, Truth>,
    pub(crate) cables: BTreeSet<[String; 2]>,
}

pub(crate) fn switch_name(index: usize) -> String {
    format!("sw{index}")
}

pub(crate) fn switch_mac(index: usize) -> MacAddr {
    MacAddr::new([0, 0x55, 0, 0, 0, u8::try_from(index).unwrap()])
}

/// The VLAN of telephones.
const VOICE: u16 = 20;
/// How long ago a host was last heard where it no longer is, in seconds: tables forget after 300.
const STALE: u32 = 250;

/// What a protocol between bridges shows of another switch.
fn betrayed(here: usize, port: &str, protocol: NeighborProtocol, there: usize) -> NeighborFact {
    NeighborFact {
        device: switch_name(here),
        port: Some(port.to_owned()),
        protocol,
        chassis_mac: Some(switch_mac(there)),
        ..NeighborFact::default()
    }
}

pub(crate) fn build(recipe: &Recipe) -> Network {
    let switches = recipe.parents.len() + 1;
    let mut ports: Vec<Vec<InterfaceFact>> = vec![Vec::new(); switches];
    let mut forwarding: Vec<BTreeMap<usize, String>> = vec![BTreeMap::new(); switches];
    let mut announced: Vec<NeighborFact> = Vec::new();
    let mut cables = BTreeSet::new();
    let port = |device: usize, name: String, lag: Option<&str>, kind: PortKind| InterfaceFact {
        device: switch_name(device),
        name,
        kind,
        lag: lag.map(str::to_owned),
        ..InterfaceFact::default()
    };
    // Trunks: the logical port of each side towards the other.
    for (index, &parent) in recipe.parents.iter().enumerate() {
        let child = index + 1;
        let members = if recipe.lags[index] { 2 } else { 1 };
        let (down, up) = (format!("down{child}"), "up".to_owned());
        let (mut down_port, mut up_port) = (down.clone(), up.clone());
        if members == 2 {
            (down_port, up_port) = (format!("po{child}"), "po0".to_owned());
            ports[parent].push(port(parent, down_port.clone(), None, PortKind::Lag));
            ports[child].push(port(child, up_port.clone(), None, PortKind::Lag));
        }
        for member in 0..members {
            let (down, up) = (format!("{down}.{member}"), format!("{up}.{member}"));
            if members == 1 {
                (down_port, up_port) = (down.clone(), up.clone());
            }
            ports[parent].push(port(
                parent,
                down.clone(),
                (members == 2).then_some(down_port.as_str()),
                PortKind::Physical,
            ));
            ports[child].push(port(
                child,
                up.clone(),
                (members == 2).then_some(up_port.as_str()),
                PortKind::Physical,
            ));
            let mut ends =
                [format!("{}:{down}", switch_name(parent)), format!("{}:{up}", switch_name(child))];
            ends.sort();
            cables.insert(ends);
            if recipe.lldp[index] {
                for (at, here, there, far) in [(parent, &down, child, &up), (child, &up, parent, &down)] {
                    announced.push(NeighborFact {
                        device: switch_name(at),
                        port: Some(here.clone()),
                        chassis_mac: Some(switch_mac(there)),
                        port_id: Some(far.clone()),
                        capabilities: vec![Capability::Bridge],
                        ..NeighborFact::default()
                    });
                }
            }
        }
        if recipe.stp {
            announced.push(betrayed(child, &up_port, NeighborProtocol::Stp, parent));
        }
        if recipe.lacp && members == 2 {
            for member in 0..members {
                announced.push(betrayed(parent, &format!("{down}.{member}"), NeighborProtocol::Lacp, child));
                announced.push(betrayed(child, &format!("{up}.{member}"), NeighborProtocol::Lacp, parent));
            }
        }
        forwarding[parent].insert(child, down_port);
        forwarding[child].insert(parent, up_port);
    }
    // Redundant cables forward nothing.
    for (number, (a, b, lldp)) in recipe.mesh.iter().enumerate() {
        let name = format!("x{number}");
        let mut ends = [format!("{}:{name}", switch_name(*a)), format!("{}:{name}", switch_name(*b))];
        ends.sort();
        cables.insert(ends);
        for (here, there) in [(*a, *b), (*b, *a)] {
            ports[here].push(port(here, name.clone(), None, PortKind::Physical));
            if *lldp {
                announced.push(NeighborFact {
                    device: switch_name(here),
                    port: Some(name.clone()),
                    chassis_mac: Some(switch_mac(there)),
                    port_id: Some(name.clone()),
                    capabilities: vec![Capability::Bridge],
                    ..NeighborFact::default()
                });
            }
        }
        if recipe.stp {
            announced.push(betrayed(*b, &name, NeighborProtocol::Stp, *a));
        }
    }
    // First step of the path from one switch to another.
    let next = |from: usize, to: usize| -> usize {
        let mut path = vec![to];
        while *path.last().unwrap() != 0 {
            path.push(recipe.parents[path.last().unwrap() - 1]);
        }
        match path.iter().position(|step| *step == from) {
            Some(at) => path[at - 1],
            None => recipe.parents[from - 1],
        }
    };
    let mut truth = BTreeMap::new();
    let mut stations: Vec<(MacAddr, usize, String)> = Vec::new();
    let mut node_facts = Vec::new();
    for (number, (switch, edge)) in recipe.edges.iter().enumerate() {
        let name = format!("e{number}");
        let voice_vlan = matches!(edge, Edge::Phone(false)).then_some(VOICE);
        ports[*switch]
            .push(InterfaceFact { voice_vlan, ..port(*switch, name.clone(), None, PortKind::Physical) });
        let mac = |kind: u8, index: usize| {
            MacAddr::new([0, 0x66, kind, 0, u8::try_from(number).unwrap(), u8::try_from(index).unwrap()])
        };
        let (own, behind) = match edge {
            Edge::Host => (Some(mac(1, 0)), 0),
            Edge::Dumb(hosts) | Edge::Smart(hosts, _) => (None, *hosts),
            Edge::AccessPoint(clients) => (Some(mac(3, 0)), *clients),
            Edge::Node(guests) => (Some(mac(4, 0)), *guests),
            Edge::Phone(_) => (Some(mac(5, 0)), 1),
        };
        let mut add = |mac: MacAddr, exclusive: bool| {
            truth.insert(mac, Truth { switch: *switch, port: name.clone(), exclusive });
            stations.push((mac, *switch, name.clone()));
        };
        if let Some(own) = own {
            add(own, true);
        }
        for index in 0..behind {
            add(mac(9, index), false);
        }
        match edge {
            Edge::AccessPoint(_) => announced.push(NeighborFact {
                device: switch_name(*switch),
                port: Some(name.clone()),
                chassis_mac: own,
                system_name: Some(format!("ap{number}")),
                capabilities: vec![Capability::Bridge, Capability::WlanAccessPoint],
                ..NeighborFact::default()
            }),
            Edge::Node(guests) => {
                let node = format!("pve{number}");
                node_facts.push(Fact::Device(DeviceFact {
                    device: node.clone(),
                    role: DeviceRole::Hypervisor,
                    macs: own.into_iter().collect(),
                    ..DeviceFact::default()
                }));
                node_facts.push(Fact::Interface(InterfaceFact {
                    device: node.clone(),
                    name: "eno1".to_owned(),
                    mac: own,
                    ..InterfaceFact::default()
                }));
                for index in 0..*guests {
                    node_facts.push(Fact::Guest(GuestFact {
                        cluster: "lab".to_owned(),
                        id: u32::try_from(number * 100 + index).unwrap(),
                        uuid: None,
                        kind: GuestKind::Qemu,
                        name: Some(format!("g{number}-{index}")),
                        node: node.clone(),
                        running: Some(true),
                        vcpus: None,
                        memory_mib: None,
                        disk_mib: None,
                        tags: Vec::new(),
                        nics: vec![GuestNic {
                            name: "net0".to_owned(),
                            mac: Some(mac(9, index)),
                            ..GuestNic::default()
                        }],
                    }));
                }
            }
            Edge::Smart(_, says) => announced.push(NeighborFact {
                device: switch_name(*switch),
                port: Some(name.clone()),
                chassis_mac: Some(mac(6, 0)),
                system_name: Some(format!("smart{number}")),
                port_id: Some("g1".to_owned()),
                capabilities: if *says { vec![Capability::Bridge] } else { Vec::new() },
                ..NeighborFact::default()
            }),
            Edge::Phone(true) => announced.push(NeighborFact {
                device: switch_name(*switch),
                port: Some(name.clone()),
                chassis_mac: own,
                system_name: Some(format!("tel{number}")),
                capabilities: vec![Capability::Bridge, Capability::Telephone],
                ..NeighborFact::default()
            }),
            Edge::Host | Edge::Dumb(_) | Edge::Phone(false) => {}
        }
    }
    for index in (0..switches).filter(|index| !recipe.silent.contains(index)) {
        stations.push((switch_mac(index), index, String::new()));
    }
    let mut collections = Vec::new();
    let mut row = 0;
    for switch in 0..switches {
        let mut collection = Collection::new(SourceName::new(&switch_name(switch)), Timestamp(0));
        collection.facts.push(Fact::Device(DeviceFact {
            device: switch_name(switch),
            macs: vec![switch_mac(switch)],
            ..DeviceFact::default()
        }));
        collection.facts.extend(ports[switch].iter().cloned().map(Fact::Interface));
        if recipe.unreadable.contains(&switch) {
            // It answers for what it is, but its tables time out.
            collection.gap(FactKind::Fdb, "timed out");
            collection.gap(FactKind::Lldp, "timed out");
            collections.push(collection);
            continue;
        }
        let own = announced.iter().filter(|fact| fact.device == switch_name(switch));
        collection.facts.extend(own.cloned().map(Fact::LldpNeighbor));
        for (number, (mac, at, edge)) in stations.iter().enumerate() {
            row += 1;
            // Switches' own addresses stay: they talk all the time. Of the hosts behind a dumb switch too, for one
            // of them alone cannot be told from a host on the port.
            let dumb = edge.strip_prefix('e').is_some_and(|number| {
                matches!(recipe.edges[number.parse::<usize>().unwrap()].1, Edge::Dumb(_) | Edge::Phone(_))
            });
            if recipe.aged != 0 && row % (recipe.aged + 2) == 0 && !edge.is_empty() && !dumb {
                continue;
            }
            let towards =
                if *at == switch { edge.clone() } else { forwarding[switch][&next(switch, *at)].clone() };
            let is_phone = mac.octets()[1..3] == [0x66, 5];
            let vlan = if is_phone { VOICE } else { u16::try_from(number % 3 + 1).unwrap() };
            if !towards.is_empty() {
                let age = recipe.ages.then(|| u32::try_from(row % 50).unwrap());
                collection.push_fdb_aged(&switch_name(switch), Ok(&towards), *mac, Some(vlan), age);
            }
        }
        collections.push(collection);
    }
    for (host, switch) in &recipe.stale {
        // A host that was on another port before and has been silent since: that switch did not hear it move.
        let Some((mac, at, _)) = stations.get(*host % stations.len()).filter(|(_, _, port)| !port.is_empty())
        else {
            continue;
        };
        if switch != at && !recipe.unreadable.contains(switch) {
            let name = switch_name(*switch);
            let mut fresh = Collection::new(SourceName::new(&name), Timestamp(0));
            let old = &collections[*switch];
            fresh.facts.clone_from(&old.facts);
            fresh.gaps.clone_from(&old.gaps);
            let known: Vec<Fact> = old.observations().map(|observation| observation.fact).collect();
            for fact in known {
                if matches!(&fact, Fact::FdbEntry { mac: known, .. } if known != mac) {
                    fresh.absorb(fact);
                }
            }
            fresh.push_fdb_aged(&name, Ok("old"), *mac, Some(1), recipe.ages.then_some(STALE));
            collections[*switch] = fresh;
        }
    }
    let mut pve = Collection::new(SourceName::new("pve"), Timestamp(0));
    pve.facts = node_facts;
    collections.push(pve);
    let mut router = Collection::new(SourceName::new("dhcp"), Timestamp(0));
    for (number, mac) in truth.keys().enumerate() {
        router.facts.push(Fact::DhcpLease(LeaseFact {
            mac: *mac,
            address: Some(std::net::IpAddr::V4(std::net::Ipv4Addr::from(
                0x0a00_0000 + u32::try_from(number + 1).unwrap(),
            ))),
            host_name: Some(format!("host{number}")),
            state: LeaseState::Bound,
            dynamic: true,
            server: None,
            comment: None,
            client_id: None,
            vendor_class: None,
            expires_at: None,
        }));
    }
    collections.push(router);
    Network { collections, truth, cables }
}

/// Collections, facts and rows in another order; ports are interned in another order by that.
pub(crate) fn shuffle(collections: &[Collection], seed: u64) -> Vec<Collection> {
    fn mix<T>(list: &mut [T], mut seed: u64) {
        for index in (1..list.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            list.swap(index, usize::try_from(seed >> 33).unwrap() % (index + 1));
        }
    }
    let mut all: Vec<Collection> = collections
        .iter()
        .map(|old| {
            let mut observations: Vec<Fact> =
                old.observations().map(|observation| observation.fact).collect();
            mix(&mut observations, seed);
            let mut new = Collection::new(old.source.clone(), Timestamp(99));
            for fact in observations {
                new.absorb(fact);
            }
            new.gaps.clone_from(&old.gaps);
            mix(&mut new.gaps, seed);
            new
        })
        .collect();
    mix(&mut all, seed);
    all
}
