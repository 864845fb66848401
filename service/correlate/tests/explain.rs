//! The reasoning for one host: nothing is left out, and it says what the answer says.

use proptest::prelude::*;

use super::lawful::{build, recipe};
use super::net::{collections, mac};
use crate::correlate::{correlate, explain, explain_each};
use crate::model::candidate::Known;
use crate::model::explanation::{Near, Verdict};
use crate::model::{Candidate, Explanation, NameOrigin};

const NETWORK: &str = "
    router r1 r1
    net r1 192.0.2.0/24
    switch sw1 s1
    switch sw2 s2
    lldp sw1 up sw2 mac=s2 port=down caps=bridge
    lldp sw2 down sw1 mac=s1 port=up caps=bridge
    fdb sw1 e5 h1@10
    fdb sw2 down h1@10
    lease r1 h1 192.0.2.10 nas class=android-dhcp-13
    reserved r1 h1 192.0.2.11 other
    arp r1 h1 192.0.2.10
    arp r1 h1 203.0.113.9
    arp r1 h1 fe80::1
    scan lan h1 192.0.2.10 nas.example.org
    lease r1 h2 192.0.2.20 bad_name
    fdb sw1 e6 h2 h3
    lease r1 h4 192.0.2.30 laptop
    lease r1 h5 192.0.2.31 laptop
    arp r1 h6 203.0.113.10
    arp r1 h5 192.0.2.30
";

fn all(asked: &str) -> Result<Vec<Explanation>, Vec<Near>> {
    explain(&collections(NETWORK), &Known::default(), asked)
}

fn one(asked: &str) -> Explanation {
    let mut found = all(asked).unwrap();
    assert_eq!(found.len(), 1, "{asked}: {found:#?}");
    found.remove(0)
}

fn lines(verdict: Verdict, explanation: &Explanation) -> Vec<String> {
    let ports = explanation.cards.iter().flat_map(|card| &card.ports);
    ports
        .filter(|port| port.verdict == verdict)
        .map(|port| format!("{} {}: {}", port.switch, port.port, port.why))
        .collect()
}

#[test]
fn every_port_is_told_with_its_reason() {
    let host = one(&mac("h1").to_string());
    assert_eq!(host.conclusion, "nas is a host, alone on sw1 e5");
    assert_eq!(lines(Verdict::Kept, &host), ["sw1 e5: no other machine is on that port"]);
    assert_eq!(
        lines(Verdict::Dropped, &host),
        ["sw2 down: a port between switches: it leads to sw1 (it announced itself there)"]
    );
    assert!(lines(Verdict::Competing, &host).is_empty());
}

#[test]
fn every_observation_is_told_also_those_that_do_not_count() {
    let host = one("nas");
    let told: Vec<String> = host
        .observations
        .iter()
        .map(|line| {
            let ignored = line.ignored.as_deref().map(|why| format!(" [{why}]")).unwrap_or_default();
            format!("{}: {}{ignored}", line.source, line.says)
        })
        .collect();
    let h1 = mac("h1");
    for wanted in [
        "lan: 192.0.2.10 answered the scan, reverse DNS \"nas.example.org\"".to_owned(),
        "r1: ARP entry 192.0.2.10".to_owned(),
        "r1: ARP entry 203.0.113.9 [203.0.113.9 is in no known network]".to_owned(),
        "r1: DHCP lease 192.0.2.10, host name \"nas\", vendor class \"android-dhcp-13\"".to_owned(),
        "r1: DHCP reservation that no client has used 192.0.2.11, host name \"other\" [a reservation does not show that there is a host]".to_owned(),
        "r1: neighbour discovery entry fe80::1 [fe80::1 is link-local, or no host's]".to_owned(),
        format!("sw1: learned {h1} on sw1 e5 in VLAN 10"),
        format!("sw2: learned {h1} on sw2 down in VLAN 10"),
    ] {
        assert!(told.contains(&wanted), "{wanted}\n{told:#?}");
    }
}

#[test]
fn every_name_is_told_with_its_origin() {
    let host = one("nas");
    let names: Vec<String> = host
        .names
        .iter()
        .map(|name| format!("{} {} {}: {}", name.verdict.as_str(), name.name, name.origin.as_str(), name.why))
        .collect();
    assert_eq!(
        names,
        [
            "kept nas dhcp: the best origin of a name that it can have",
            "dropped nas.example.org scan: dhcp counts more than scan"
        ]
    );
    assert_eq!(host.names[0].sources, ["r1"]);
    let invalid = one(&mac("h2").to_string());
    assert_eq!(invalid.names[0].origin, NameOrigin::Fallback);
    assert!(invalid.names[1].why.starts_with("no host name: "), "{:?}", invalid.names);
    let contested = all("laptop").unwrap();
    assert_eq!(contested.len(), 2, "a name that two want finds both");
    assert!(contested[0].names[1].why.contains("is called so too"), "{:?}", contested[0].names);
}

#[test]
fn addresses_and_classes_and_weights_are_told() {
    let host = one("192.0.2.10");
    let addresses: Vec<String> = host.cards[0]
        .addresses
        .iter()
        .map(|found| format!("{} {}", found.verdict.as_str(), found.address))
        .collect();
    assert_eq!(addresses, ["kept 192.0.2.10", "dropped 203.0.113.9", "dropped fe80::1"]);
    assert_eq!(host.classes[0].verdict, Verdict::Kept);
    let confidence = host.candidate.as_ref().unwrap().confidence;
    let doubt =
        host.weights.iter().fold(1.0, |doubt, weight| doubt * f64::from(100 - weight.percent) / 100.0);
    assert!((f64::from(confidence) - 100.0 * (1.0 - doubt)).abs() <= 1.0, "{:?}", host.weights);
    let disputed = all("192.0.2.30").unwrap();
    assert_eq!(disputed.len(), 2, "both sides of a contradiction");
    for host in disputed {
        let address: std::net::IpAddr = "192.0.2.30".parse().unwrap();
        let found = host.cards[0].addresses.iter().find(|found| found.address == address).unwrap();
        assert_eq!(found.verdict, Verdict::Competing, "{}", found.why);
    }
}

#[test]
fn it_is_found_by_whatever_it_is_called() {
    for asked in
        ["nas", "NAS", "00-1B-68-31-00-00", "001b.6831.0000", "192.0.2.10", "mac:00:1b:68:31:00:00", " nas "]
    {
        assert_eq!(one(asked).candidate.unwrap().name.as_str(), "nas", "{asked}");
    }
    assert_eq!(one("nas.example.org").candidate.unwrap().name.as_str(), "nas", "a name that lost");
    let switch = one("sw1");
    assert_eq!(switch.links.len(), 1);
    assert!(switch.observations.iter().any(|line| line.says == "reads sw1 as a switch"));
    assert!(
        switch.observations.iter().any(|line| line.source == "sw2" && line.says.contains("LLDP neighbour"))
    );
}

#[test]
fn what_makes_no_candidate_says_why() {
    let foreign = one(&mac("h6").to_string());
    assert!(foreign.candidate.is_none());
    assert!(foreign.conclusion.contains("no candidate"), "{}", foreign.conclusion);
    assert_eq!(foreign.observations.iter().filter(|line| line.source == "r1").count(), 1);
    assert_eq!(one("203.0.113.10").conclusion, foreign.conclusion);
    let group = one("01:00:5e:00:00:01");
    assert!(group.conclusion.contains("never one host's"), "{}", group.conclusion);
}

#[test]
fn what_nobody_saw_has_near_matches() {
    let near = |asked: &str| -> Vec<String> {
        all(asked).unwrap_err().into_iter().map(|near| near.called).collect()
    };
    assert_eq!(near("nsa").first().map(String::as_str), Some("nas"));
    assert_eq!(near("00:1b:68:31:00:01").first(), Some(&mac("h1").to_string()));
    assert_eq!(near("192.0.2.12").first().map(String::as_str), Some("192.0.2.10"));
    assert!(near("something-else-entirely").is_empty());
    assert!(near("").is_empty() && near("2001:db8::1").is_empty());
}

#[test]
fn ages_are_told_and_are_no_part_of_the_claim() {
    let text = |age| format!("switch sw1 s1\n switch sw2 s2\n fdb sw1 e5 h1!5\n fdb sw2 e7 h1!{age}");
    let told = explain(&collections(&text(290)), &Known::default(), &mac("h1").to_string()).unwrap();
    let dropped = lines(Verdict::Dropped, &told[0]);
    assert!(dropped[0].ends_with("it has moved from here (learned 290 s ago)"), "{dropped:?}");
    assert!(told[0].observations.iter().any(|line| line.says.ends_with("on sw2 e7, 290 s ago")));
    let candidate = |age| correlate(&collections(&text(age)), &Known::default()).candidates;
    assert_eq!(candidate(290), candidate(280));
}

/// What the explanation says of ports and names must be what the candidate says.
fn agrees(candidate: &Candidate, told: &Explanation) -> Result<(), TestCaseError> {
    prop_assert_eq!(told.candidate.as_ref(), Some(candidate));
    for card in &candidate.interfaces {
        let Some(mac) = card.mac else { continue };
        let Some(found) = told.cards.iter().find(|found| found.mac == mac) else {
            prop_assert!(candidate.device.is_some(), "{mac} is missing");
            continue;
        };
        let of = |verdict| -> Vec<(String, String)> {
            let ports = found.ports.iter().filter(|port| port.verdict == verdict);
            ports.map(|port| (port.switch.clone(), port.port.clone())).collect()
        };
        let (kept, competing) = (of(Verdict::Kept), of(Verdict::Competing));
        match &card.attachment {
            None => prop_assert!(kept.is_empty() || candidate.device.is_some(), "{kept:?}"),
            Some(place) => {
                prop_assert_eq!(&kept, &[(place.switch.clone(), place.port.clone())]);
                let mut others: Vec<(String, String)> =
                    place.competing.iter().map(|port| (port.switch.clone(), port.port.clone())).collect();
                others.sort();
                let mut competing = competing;
                competing.sort();
                prop_assert_eq!(competing, others);
            }
        }
    }
    let kept: Vec<&str> = told
        .names
        .iter()
        .filter(|name| name.verdict == Verdict::Kept)
        .map(|name| name.name.as_str())
        .collect();
    prop_assert!(
        kept.iter().any(|name| name.eq_ignore_ascii_case(candidate.name.as_str())),
        "{:?}",
        told.names
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn explanations_agree_with_the_candidates(recipe in recipe(false)) {
        let network = build(&recipe);
        let found = correlate(&network.collections, &Known::default());
        let identities = found.candidates.iter().map(|candidate| candidate.identity.clone()).collect();
        let told = explain_each(&network.collections, &Known::default(), &identities);
        prop_assert_eq!(told.len(), found.candidates.len());
        for candidate in &found.candidates {
            agrees(candidate, &told[&candidate.identity])?;
            let by_name = explain(&network.collections, &Known::default(), candidate.identity.as_str());
            prop_assert!(by_name.is_ok_and(|found| found.iter().any(|one| one.candidate.as_ref() == Some(candidate))));
        }
    }
}
