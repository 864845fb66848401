//! Random lawful networks with known truth ([`super::lawful`]): what correlation says must be true, and what it can know it must say.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::lawful::{Edge, Network, Recipe, build, recipe, shuffle, switch_name};
use super::net::{hangs, one_by_one};
use crate::correlate::correlate;
use crate::model::candidate::Known;
use crate::model::observation::{Capability, LeaseFact, LeaseState, NeighborFact};
use crate::model::{Collection, Discovery, Fact, MacAddr, SourceName, Timestamp};
use crate::plan::stage::DEFAULT_CABLE_THRESHOLD;

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
        let is_node = link.a.switch.starts_with("pve") || link.b.switch.starts_with("pve");
        // Below the threshold no cable is planned: tables alone cannot tell that nothing silent is in between.
        if is_node || link.confidence < DEFAULT_CABLE_THRESHOLD {
            continue;
        }
        let mut ends =
            [format!("{}:{}", link.a.switch, link.a.port), format!("{}:{}", link.b.switch, link.b.port)];
        ends.sort();
        prop_assert!(network.cables.contains(&ends), "no such cable: {:?}\n{:#?}", link, recipe);
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
        let redundant = recipe.mesh.iter().filter(|(_, _, lldp)| *lldp).count();
        let links = found.links.iter().filter(|link| !link.a.switch.starts_with("pve")).count();
        prop_assert!(links >= single.len() - aggregates + redundant, "{:?}\n{:#?}", found.links, recipe);
    }

    #[test]
    fn unread_switches_hide_only_what_is_behind_them(mut recipe in recipe(true), unread in any::<u8>()) {
        recipe.unreadable = (0..=recipe.parents.len()).filter(|index| unread & 1 << index != 0).collect();
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
        for (mac, truth) in &network.truth {
            if !recipe.unreadable.contains(&truth.switch) {
                let star = if truth.exclusive { "*" } else { "" };
                let right = format!("{}:{}{star}", switch_name(truth.switch), truth.port);
                prop_assert_eq!(hangs(&found, &mac.to_string()), right, "{}\n{:#?}", mac, recipe);
            }
        }
    }

    #[test]
    fn where_tables_tell_ages_stale_rows_do_no_harm(mut recipe in recipe(false)) {
        recipe.ages = true;
        recipe.aged = 0;
        recipe.unreadable.clear();
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
        for (mac, truth) in network.truth.iter().filter(|(_, truth)| truth.exclusive) {
            let right = format!("{}:{}*", switch_name(truth.switch), truth.port);
            prop_assert_eq!(hangs(&found, &mac.to_string()), right, "{}\n{:#?}", mac, recipe);
        }
    }

    #[test]
    fn with_aged_stale_and_unread_tables_nothing_wrong_is_claimed(recipe in recipe(false)) {
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
    }

    #[test]
    fn with_silent_switches_nothing_wrong_is_claimed(mut recipe in recipe(true), silent in any::<u8>()) {
        // Own addresses in no table, announcements at most over cables that forward nothing: hosts tell where these switches are.
        recipe.silent = (0..8).filter(|index| silent & 1 << index != 0).collect();
        (recipe.stp, recipe.lacp) = (false, false);
        for (index, lldp) in recipe.lldp.iter_mut().enumerate() {
            *lldp &= !recipe.silent.contains(&(index + 1)) && !recipe.silent.contains(&recipe.parents[index]);
        }
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
    }

    #[test]
    fn blocked_cables_that_are_announced_do_no_harm(mut recipe in recipe(true), silent in any::<u8>()) {
        // Nothing but the hosts tells over which of the announced cables frames go.
        recipe.silent = (0..8).filter(|index| silent & 1 << index != 0).collect();
        recipe.lldp.iter_mut().for_each(|lldp| *lldp = true);
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
        for (mac, truth) in &network.truth {
            let star = if truth.exclusive { "*" } else { "" };
            let right = format!("{}:{}{star}", switch_name(truth.switch), truth.port);
            prop_assert_eq!(hangs(&found, &mac.to_string()), right, "{}\n{:#?}", mac, recipe);
        }
    }

    #[test]
    fn one_unread_switch_is_no_contradiction(mut recipe in recipe(true), unread in any::<prop::sample::Index>(), silent in any::<u8>()) {
        recipe.unreadable = [unread.index(recipe.parents.len() + 1)].into();
        recipe.silent = (0..8).filter(|index| silent & 1 << index != 0).collect();
        recipe.lldp.iter_mut().for_each(|lldp| *lldp = true);
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        nothing_wrong_is_claimed(&network, &recipe, &found)?;
        prop_assert!(found.conflicts.is_empty(), "{:?}\n{:#?}", found.conflicts, recipe);
    }

    #[test]
    fn order_does_not_matter(recipe in recipe(false), seed in any::<u64>()) {
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        let shuffled = shuffle(&network.collections, seed);
        prop_assert_eq!(&found, &correlate(&shuffled, &Known::default()));
        prop_assert_eq!(&found, &one_by_one(&shuffled, &Known::default()));
        prop_assert_eq!(&found, &correlate(&network.collections, &Known::default()));
    }

    #[test]
    fn an_unrelated_observation_changes_nothing_else(recipe in recipe(false), kind in 0..5_u8) {
        let mut network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        let mac = MacAddr::new([0, 0x77, 0, 0, 0, 1]);
        let mut other = Collection::new(SourceName::new("far"), Timestamp(7));
        match kind {
            0 => other.push_fdb("far", Ok("ether1"), mac, None),
            1 => other.facts.push(lease(mac, Ipv4Addr::new(172, 16, 0, 9), Some("stranger"))),
            2 => other.facts.push(Fact::ScanReply {
                address: Ipv4Addr::new(172, 16, 0, 9).into(),
                mac: Some(mac),
                name: Some("stranger.example.org".to_owned()),
            }),
            3 => other.facts.push(Fact::LldpNeighbor(NeighborFact {
                device: "far".to_owned(),
                port: Some("ether1".to_owned()),
                chassis_mac: Some(mac),
                system_name: Some("stranger".to_owned()),
                ..NeighborFact::default()
            })),
            // A host more on a port of its own of a switch that is there.
            _ => {
                let first = network.collections.iter_mut().find(|one| one.source.as_str() == "sw0");
                if let Some(switch) = first.filter(|switch| !switch.fdb.is_empty()) {
                    switch.push_fdb("sw0", Ok("e999"), mac, None);
                }
            }
        }
        network.collections.push(other);
        let mut more = correlate(&network.collections, &Known::default());
        more.candidates.retain(|candidate| candidate.identity.as_str() != "mac:00:77:00:00:00:01");
        prop_assert_eq!(found, more);
    }

    #[test]
    fn more_agreeing_evidence_never_lowers_confidence(recipe in recipe(true), kinds in any::<u8>()) {
        let mut network = build(&recipe);
        let mut before = correlate(&network.collections, &Known::default());
        for kind in (0..5_u8).filter(|kind| kinds & 1 << kind != 0) {
            agree(&mut network, &recipe, kind);
            let after = correlate(&network.collections, &Known::default());
            for candidate in &before.candidates {
                let again = after.candidates.iter().find(|other| other.identity == candidate.identity);
                let again = again.unwrap_or_else(|| panic!("{} is gone", candidate.identity));
                prop_assert!(again.confidence >= candidate.confidence, "{kind}: {candidate:#?}\n{again:#?}");
            }
            for link in &before.links {
                let again = after.links.iter().find(|other| (&other.a, &other.b) == (&link.a, &link.b));
                prop_assert!(again.is_some_and(|again| again.confidence >= link.confidence), "{kind}: {link:?}");
            }
            before = after;
        }
    }
}

fn lease(mac: MacAddr, address: Ipv4Addr, name: Option<&str>) -> Fact {
    Fact::DhcpLease(LeaseFact {
        mac,
        address: Some(address.into()),
        host_name: name.map(str::to_owned),
        state: LeaseState::Bound,
        dynamic: true,
        server: None,
        comment: None,
        client_id: None,
        vendor_class: None,
        expires_at: None,
    })
}

/// One more kind of evidence that says what is true of every host.
fn agree(network: &mut Network, recipe: &Recipe, kind: u8) {
    let mut more = Collection::new(SourceName::new(&format!("more{kind}")), Timestamp(0));
    more.facts.push(Fact::Network { prefix: "10.0.0.0/8".parse().unwrap(), interface: None });
    let mut announced = Vec::new();
    for (number, (mac, truth)) in network.truth.iter().enumerate() {
        let address = Ipv4Addr::from(0x0a00_0000 + u32::try_from(number + 1).unwrap());
        match kind {
            0 => more.facts.push(Fact::Neighbor { mac: *mac, address: address.into(), interface: None }),
            1 => more.facts.push(Fact::ScanReply { address: address.into(), mac: Some(*mac), name: None }),
            2 => more.facts.push(lease(*mac, address, None)),
            3 => more.push_fdb(&switch_name(truth.switch), Ok(&truth.port), *mac, None),
            _ => {
                let edge = truth.port.strip_prefix('e').and_then(|number| number.parse::<usize>().ok());
                if edge.is_some_and(|edge| matches!(recipe.edges[edge].1, Edge::Host)) {
                    announced.push((
                        truth.switch,
                        NeighborFact {
                            device: switch_name(truth.switch),
                            port: Some(truth.port.clone()),
                            chassis_mac: Some(*mac),
                            system_name: Some(format!("host{number}")),
                            capabilities: vec![Capability::Station],
                            ..NeighborFact::default()
                        },
                    ));
                }
            }
        }
    }
    for (switch, fact) in announced {
        let name = switch_name(switch);
        let collection = network.collections.iter_mut().find(|one| one.source.as_str() == name).unwrap();
        collection.facts.push(Fact::LldpNeighbor(fact));
    }
    network.collections.push(more);
}
