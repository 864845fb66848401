//! Random meshes of switches with a spanning tree for every VLAN, all with known truth.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::net::{discover, hangs};

/// The recipe; every number is reduced to what fits.
#[derive(Debug, Clone)]
struct Mesh {
    /// For each switch but the first, one that it has a cable to.
    parents: Vec<prop::sample::Index>,
    /// More cables.
    more: Vec<(prop::sample::Index, prop::sample::Index)>,
    /// Which end of a cable does not announce itself, by the cable's number; both do where there is no entry.
    quiet: Vec<(prop::sample::Index, bool)>,
    /// The root of each VLAN's tree, and by what order of cables it is found.
    roots: Vec<(prop::sample::Index, u64)>,
    /// Hosts, each on a port of its own: switch and VLAN.
    hosts: Vec<(prop::sample::Index, prop::sample::Index)>,
    /// Switches whose own addresses are in no table, as bits.
    silent: u8,
    /// Whether tables tell the VLAN.
    told: bool,
}

fn mesh() -> impl Strategy<Value = Mesh> {
    let index = any::<prop::sample::Index>;
    (
        proptest::collection::vec(index(), 1..5),
        proptest::collection::vec((index(), index()), 0..4),
        proptest::collection::vec((index(), any::<bool>()), 0..3),
        proptest::collection::vec((index(), any::<u64>()), 1..4),
        proptest::collection::vec((index(), index()), 1..16),
        any::<u8>(),
        any::<bool>(),
    )
        .prop_map(|(parents, more, quiet, roots, hosts, silent, told)| Mesh {
            parents,
            more,
            quiet,
            roots,
            hosts,
            silent,
            told,
        })
}

/// The network as text, and the port of each host.
fn drawn(mesh: &Mesh) -> (String, BTreeMap<String, String>) {
    let switches = mesh.parents.len() + 1;
    let mut cables: Vec<(usize, usize)> = mesh
        .parents
        .iter()
        .enumerate()
        .map(|(number, parent)| (parent.index(number + 1), number + 1))
        .collect();
    let more = mesh.more.iter().map(|(a, b)| (a.index(switches), b.index(switches)));
    cables.extend(more.filter(|(a, b)| a != b));
    let mut lines: Vec<String> = Vec::new();
    for switch in 0..switches {
        lines.push(format!("switch sw{switch} s{switch}"));
    }
    for (number, (a, b)) in cables.iter().enumerate() {
        for (at_a, here, there) in [(true, a, b), (false, b, a)] {
            let is_quiet = |(cable, end): &(prop::sample::Index, bool)| {
                cable.index(cables.len()) == number && *end == at_a
            };
            lines.push(format!("port sw{here} c{number}"));
            if !mesh.quiet.iter().any(is_quiet) {
                lines.push(format!(
                    "lldp sw{here} c{number} sw{there} mac=s{there} port=c{number} caps=bridge"
                ));
            }
        }
    }
    // Per VLAN and switch: the cable towards each other switch of the tree.
    let ways: Vec<Vec<BTreeMap<usize, usize>>> = mesh
        .roots
        .iter()
        .map(|(root, order)| {
            let mut tried: Vec<usize> = (0..cables.len()).collect();
            tried.sort_by_key(|number| (*number as u64 + 1).wrapping_mul(order | 1).rotate_left(17));
            let mut tree: Vec<usize> = Vec::new();
            let mut reached = vec![root.index(switches)];
            while reached.len() < switches {
                let fits = |number: &&usize| {
                    let (a, b) = cables[**number];
                    reached.contains(&a) != reached.contains(&b)
                };
                let number = *tried.iter().find(fits).unwrap();
                let (a, b) = cables[number];
                reached.push(if reached.contains(&a) { b } else { a });
                tree.push(number);
            }
            (0..switches).map(|from| towards(&cables, &tree, from)).collect()
        })
        .collect();
    let row = |switch: usize, port: &str, mac: &str, vlan: usize| {
        let vlan = if mesh.told { format!("@{}", vlan + 1) } else { String::new() };
        format!("fdb sw{switch} {port} {mac}{vlan}")
    };
    for own in (0..switches).filter(|own| mesh.silent & 1 << own == 0) {
        for switch in (0..switches).filter(|switch| *switch != own) {
            lines.push(row(switch, &format!("c{}", ways[0][switch][&own]), &format!("s{own}"), 0));
        }
    }
    let mut truth = BTreeMap::new();
    for (number, (home, vlan)) in mesh.hosts.iter().enumerate() {
        let (home, vlan, host) = (home.index(switches), vlan.index(mesh.roots.len()), format!("h{number}"));
        for (switch, way) in ways[vlan].iter().enumerate() {
            let port = match way.get(&home) {
                Some(cable) => format!("c{cable}"),
                None => format!("e{number}"),
            };
            lines.push(row(switch, &port, &host, vlan));
        }
        truth.insert(host, format!("sw{home}:e{number}*"));
    }
    (lines.join("\n"), truth)
}

/// The first cable from one switch to each other over a tree.
fn towards(cables: &[(usize, usize)], tree: &[usize], from: usize) -> BTreeMap<usize, usize> {
    let mut first: BTreeMap<usize, usize> = BTreeMap::new();
    let mut open = vec![(from, None)];
    while let Some((at, way)) = open.pop() {
        for number in tree {
            let (a, b) = cables[*number];
            let next = if a == at {
                b
            } else if b == at {
                a
            } else {
                continue;
            };
            if next != from && !first.contains_key(&next) {
                let way = way.unwrap_or(*number);
                first.insert(next, way);
                open.push((next, Some(way)));
            }
        }
    }
    first
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn with_a_tree_for_every_vlan_every_edge_port_is_found(mut mesh in mesh()) {
        mesh.told = true;
        mesh.quiet.clear();
        let (text, truth) = drawn(&mesh);
        let found = discover(&text);
        for (host, right) in truth {
            prop_assert_eq!(hangs(&found, &host), right, "{}\n{}", host, text);
        }
    }

    #[test]
    fn with_trees_that_are_half_seen_nothing_wrong_is_claimed(mesh in mesh()) {
        let (text, truth) = drawn(&mesh);
        let found = discover(&text);
        for (host, right) in truth {
            let said = hangs(&found, &host);
            prop_assert!(!said.ends_with('*') || said == right, "{host} is on {right}, said {said}\n{text}");
        }
    }
}
