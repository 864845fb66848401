//! Random lawful networks with known truth: a tree of switches with aggregates, dumb switches, access points, hypervisors, hosts
//! and VLANs, and the forwarding tables such a network has. What correlation says must be true; what it can know it must say.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::net::hangs;
use crate::correlate::correlate;
use crate::model::candidate::Known;
use crate::model::observation::{
    Capability, DeviceFact, DeviceRole, GuestFact, GuestKind, GuestNic, InterfaceFact, LeaseFact, LeaseState,
    NeighborFact, PortKind,
};
use crate::model::{Collection, Discovery, Fact, FactKind, MacAddr, SourceName, Timestamp};

/// What hangs on an edge port.
#[derive(Debug, Clone)]
pub(crate) enum Edge {
    Host,
    Dumb(usize),
    AccessPoint(usize),
    Node(usize),
}

/// The recipe of a network; every number is reduced to what fits.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// For each switch but the first: its parent.
    parents: Vec<usize>,
    /// Whether the cable to the parent is an aggregate of two.
    lags: Vec<bool>,
    /// Whether LLDP runs on the cable to the parent.
    lldp: Vec<bool>,
    /// Edge ports: switch and what hangs there.
    edges: Vec<(usize, Edge)>,
    /// Which rows are missing, by a stride (aged out); 0 for none.
    aged: usize,
    /// Stale rows: (host, switch).
    stale: Vec<(usize, usize)>,
    /// Switches that cannot be read.
    unreadable: BTreeSet<usize>,
    /// Switches whose own addresses are in no table.
    silent: BTreeSet<usize>,
}

pub(crate) fn recipe(complete: bool) -> impl Strategy<Value = Recipe> {
    let edge = prop_oneof![
        4 => Just(Edge::Host),
        1 => (2..4_usize).prop_map(Edge::Dumb),
        1 => (1..4_usize).prop_map(Edge::AccessPoint),
        1 => (1..4_usize).prop_map(Edge::Node),
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
        )
            .prop_map(|(parents, lags, lldp, edges, aged, stale, unreadable)| Recipe {
                parents: parents.iter().enumerate().map(|(index, parent)| parent.index(index + 1)).collect(),
                lags,
                lldp,
                edges,
                aged,
                stale,
                unreadable,
                silent: BTreeSet::new(),
            })
    })
}

/// Where a machine really is.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    switch: usize,
    port: String,
    exclusive: bool,
}

/// The network a recipe makes: what sources say, and what is true.
pub(crate) struct Network {
    pub(crate) collections: Vec<Collection>,
    truth: BTreeMap<MacAddr, Truth>,
    cables: BTreeSet<[String; 2]>,
}

fn switch_name(index: usize) -> String {
    format!("sw{index}")
}

fn switch_mac(index: usize) -> MacAddr {
    MacAddr::new([0, 0x55, 0, 0, 0, u8::try_from(index).unwrap()])
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
        forwarding[parent].insert(child, down_port);
        forwarding[child].insert(parent, up_port);
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
        ports[*switch].push(port(*switch, name.clone(), None, PortKind::Physical));
        let mac = |kind: u8, index: usize| {
            MacAddr::new([0, 0x66, kind, 0, u8::try_from(number).unwrap(), u8::try_from(index).unwrap()])
        };
        let (own, behind) = match edge {
            Edge::Host => (Some(mac(1, 0)), 0),
            Edge::Dumb(hosts) => (None, *hosts),
            Edge::AccessPoint(clients) => (Some(mac(3, 0)), *clients),
            Edge::Node(guests) => (Some(mac(4, 0)), *guests),
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
            Edge::Host | Edge::Dumb(_) => {}
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
                matches!(recipe.edges[number.parse::<usize>().unwrap()].1, Edge::Dumb(_))
            });
            if recipe.aged != 0 && row % (recipe.aged + 2) == 0 && !edge.is_empty() && !dumb {
                continue;
            }
            let towards =
                if *at == switch { edge.clone() } else { forwarding[switch][&next(switch, *at)].clone() };
            let vlan = u16::try_from(number % 3 + 1).unwrap();
            if !towards.is_empty() {
                collection.push_fdb(&switch_name(switch), Ok(&towards), *mac, Some(vlan));
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
            for (known, port, vlan) in old.fdb.rows() {
                let port = old.fdb.port(port).unwrap().port.clone().unwrap();
                if known != *mac {
                    fresh.push_fdb(&name, Ok(&port), known, vlan);
                }
            }
            fresh.push_fdb(&name, Ok("old"), *mac, Some(1));
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

/// Every cable end claimed must be the truth, and so must every undisputed place on a port of a switch that was read.
fn nothing_wrong_is_claimed(
    network: &Network,
    recipe: &Recipe,
    found: &Discovery,
) -> Result<(), TestCaseError> {
    for (mac, truth) in &network.truth {
        let said = hangs(found, &mac.to_string());
        let right = format!("{}:{}", switch_name(truth.switch), truth.port);
        if said.contains('?') || said == "-" {
            continue;
        }
        let place = said.trim_end_matches('*');
        // A stale row that no other row contradicts is all there is to see.
        let gone = recipe.unreadable.contains(&truth.switch) || recipe.aged != 0;
        if place.ends_with(":old") && gone {
            continue;
        }
        if said.ends_with('*') {
            prop_assert!(
                truth.exclusive && place == right,
                "{mac} is on {right}, but alone on {said}\n{recipe:#?}"
            );
        } else if !recipe.unreadable.contains(&truth.switch) && recipe.stale.is_empty() && recipe.aged == 0 {
            prop_assert_eq!(place, &right, "{} is elsewhere\n{:#?}", mac, recipe);
        }
    }
    for link in &found.links {
        if link.a.switch.starts_with("pve") || link.b.switch.starts_with("pve") || link.confidence <= 40 {
            continue;
        }
        let mut ends =
            [format!("{}:{}", link.a.switch, link.a.port), format!("{}:{}", link.b.switch, link.b.port)];
        ends.sort();
        let unread_between =
            !recipe.unreadable.is_empty() && !link.evidence.iter().any(|word| word.starts_with("lldp"));
        prop_assert!(
            unread_between || network.cables.contains(&ends),
            "no such cable: {:?}\n{:#?}",
            link,
            recipe
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn with_complete_tables_every_edge_port_is_found(recipe in recipe(true)) {
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        for (mac, truth) in &network.truth {
            let star = if truth.exclusive { "*" } else { "" };
            let right = format!("{}:{}{star}", switch_name(truth.switch), truth.port);
            prop_assert_eq!(hangs(&found, &mac.to_string()), right, "{}\n{:#?}", mac, recipe);
        }
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
        // Cables are found from tables too, except those of aggregates, whose members tables do not tell apart.
        let single: Vec<_> = network.cables.iter().filter(|ends| ends.iter().any(|end| end.ends_with(":up.0"))).collect();
        let aggregates = recipe.lags.iter().zip(&recipe.lldp).filter(|(lag, lldp)| **lag && !**lldp).count();
        let links = found.links.iter().filter(|link| !link.a.switch.starts_with("pve")).count();
        prop_assert!(links >= single.len() - aggregates, "{:?}\n{:#?}", found.links, recipe);
    }

    #[test]
    fn with_aged_stale_and_unread_tables_nothing_wrong_is_claimed(recipe in recipe(false)) {
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
    }

    #[test]
    fn with_silent_switches_nothing_wrong_is_claimed(mut recipe in recipe(true), silent in any::<u8>()) {
        // Neither announcements nor own addresses: only hosts tell where these switches are.
        recipe.silent = (0..8).filter(|index| silent & 1 << index != 0).collect();
        for (index, lldp) in recipe.lldp.iter_mut().enumerate() {
            *lldp &= !recipe.silent.contains(&(index + 1)) && !recipe.silent.contains(&recipe.parents[index]);
        }
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
    }

    #[test]
    fn order_does_not_matter(recipe in recipe(false), seed in any::<u64>()) {
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        let shuffled = shuffle(&network.collections, seed);
        prop_assert_eq!(&found, &correlate(&shuffled, &Known::default()));
        prop_assert_eq!(&found, &correlate(&network.collections, &Known::default()));
    }

    #[test]
    fn an_unrelated_network_changes_nothing(recipe in recipe(false)) {
        let mut network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        let mut other = Collection::new(SourceName::new("far"), Timestamp(7));
        let mac = MacAddr::new([0, 0x77, 0, 0, 0, 1]);
        other.push_fdb("far", Ok("ether1"), mac, None);
        network.collections.push(other);
        let mut more = correlate(&network.collections, &Known::default());
        more.candidates.retain(|candidate| candidate.identity.as_str() != "mac:00:77:00:00:00:01");
        prop_assert_eq!(found, more);
    }

    #[test]
    fn more_agreeing_evidence_never_lowers_confidence(recipe in recipe(true)) {
        let mut network = build(&recipe);
        let before = correlate(&network.collections, &Known::default());
        let mut arp = Collection::new(SourceName::new("core"), Timestamp(0));
        arp.facts.push(Fact::Network { prefix: "10.0.0.0/8".parse().unwrap(), interface: None });
        for (number, mac) in network.truth.keys().enumerate() {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + u32::try_from(number + 1).unwrap());
            arp.facts.push(Fact::Neighbor { mac: *mac, address: address.into(), interface: None });
        }
        network.collections.push(arp);
        let after = correlate(&network.collections, &Known::default());
        for candidate in &before.candidates {
            let again = after.candidates.iter().find(|other| other.identity == candidate.identity).unwrap();
            prop_assert!(again.confidence >= candidate.confidence);
        }
    }
}

/// Collections, facts and rows in another order; ports are interned in another order by that.
fn shuffle(collections: &[Collection], seed: u64) -> Vec<Collection> {
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
