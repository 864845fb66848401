//! What came back, and what of it is believed. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::kernel::Neighbor;
use crate::model::{Fact, MacAddr};

/// Below this a machine with several addresses is more likely than a router that answers for others (RFC 1027, RFC 4389).
const FEW: usize = 16;

/// Addresses of a suspect that are pinged to see whether somebody is there.
const SAMPLE: usize = 32;

/// Who answered for which address.
pub(super) type Answers = BTreeMap<IpAddr, BTreeSet<MacAddr>>;

/// One link-layer address that answers for most of a subnet: a router with proxy ARP, or a machine with very many addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) subnet: IpNet,
    pub(super) mac: MacAddr,
    /// How many addresses it answers for.
    pub(super) claims: usize,
    /// Some of the addresses that only it answers for.
    pub(super) sample: Vec<IpAddr>,
}

/// Who answers for more than half of the addresses that nobody else answers for, and for more than a few.
pub(super) fn suspects(subnet: IpNet, asked: &BTreeSet<IpAddr>, answers: &Answers) -> Vec<Suspect> {
    let mut claims: BTreeMap<MacAddr, (usize, Vec<IpAddr>)> = BTreeMap::new();
    for (address, macs) in answers.iter().filter(|(address, _)| asked.contains(address)) {
        for mac in macs {
            let (all, alone) = claims.entry(*mac).or_default();
            *all += 1;
            if macs.len() == 1 {
                alone.push(*address);
            }
        }
    }
    let answered_by_others = |mac: MacAddr| {
        asked
            .iter()
            .filter(|address| answers.get(address).is_some_and(|macs| macs.iter().any(|other| *other != mac)))
            .count()
    };
    claims
        .into_iter()
        .filter(|(mac, (_, alone))| {
            alone.len() > FEW && alone.len() * 2 > asked.len().saturating_sub(answered_by_others(*mac))
        })
        .map(|(mac, (claims, alone))| {
            let step = alone.len().div_ceil(SAMPLE);
            Suspect { subnet, mac, claims, sample: alone.into_iter().step_by(step).collect() }
        })
        .collect()
}

/// Everything a scan knows so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Networks we are attached to.
    pub(super) networks: BTreeSet<(IpNet, String)>,
    /// Our own addresses.
    pub(super) own: BTreeMap<IpAddr, MacAddr>,
    /// What the kernel knew before.
    pub(super) neighbors: Vec<Neighbor>,
    /// Answers to ARP and to neighbour solicitations.
    pub(super) answers: Answers,
    /// Answers to ICMP echo.
    pub(super) echoes: BTreeSet<IpAddr>,
    /// Names by reverse DNS.
    pub(super) names: BTreeMap<IpAddr, String>,
    /// Who is not believed.
    pub(super) disbelieved: Vec<Suspect>,
}

impl Findings {
    fn believes(&self, address: IpAddr, mac: MacAddr) -> bool {
        !self.disbelieved.iter().any(|suspect| suspect.mac == mac && suspect.subnet.contains(&address))
    }

    /// Addresses that somebody has.
    pub(super) fn live(&self) -> BTreeSet<IpAddr> {
        let answered = self
            .answers
            .iter()
            .filter(|(address, macs)| macs.iter().any(|mac| self.believes(**address, *mac)));
        let addresses = answered.map(|(address, _)| *address).chain(self.own.keys().copied());
        addresses.chain(self.echoes.iter().copied()).collect()
    }

    /// All of it as facts.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let networks = self
            .networks
            .iter()
            .map(|(prefix, interface)| Fact::Network { prefix: *prefix, interface: Some(interface.clone()) });
        let believed = self.neighbors.iter().filter(|known| self.believes(known.address, known.mac));
        let neighbors = believed.map(|known| Fact::Neighbor {
            mac: known.mac,
            address: known.address,
            interface: Some(known.interface.clone()),
        });
        let reply = |address: IpAddr, mac: Option<MacAddr>| Fact::ScanReply {
            address,
            mac,
            name: self.names.get(&address).cloned(),
        };
        let own = self.own.iter().map(|(address, mac)| reply(*address, Some(*mac)));
        let answers = self.answers.iter().flat_map(|(address, macs)| {
            let believed = macs.iter().filter(|mac| self.believes(*address, **mac));
            believed.map(|mac| reply(*address, Some(*mac)))
        });
        // Who answered by name too has said more.
        let echoes = self.echoes.iter().filter(|address| !self.answers.contains_key(address));
        let echoes = echoes.map(|address| reply(*address, None));
        networks.chain(neighbors).chain(own).chain(answers).chain(echoes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddr {
        MacAddr::new([0x52, 0x54, 0, 0, 0, last])
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn subnet() -> IpNet {
        "192.0.2.0/24".parse().unwrap()
    }

    fn asked() -> BTreeSet<IpAddr> {
        (1..=254).map(ip).collect()
    }

    fn claim(answers: &mut Answers, by: u8, addresses: impl IntoIterator<Item = u8>) {
        for last in addresses {
            answers.entry(ip(last)).or_default().insert(mac(by));
        }
    }

    #[test]
    fn who_answers_for_all_that_is_free_is_suspected_and_those_that_live_there_are_not() {
        let mut answers = Answers::new();
        claim(&mut answers, 1, 1..=254);
        for host in 10..=40 {
            claim(&mut answers, host, [host]);
        }
        let found = suspects(subnet(), &asked(), &answers);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].mac, found[0].claims), (mac(1), 254));
        assert!((20..=SAMPLE).contains(&found[0].sample.len()));
        assert!(!found[0].sample.contains(&ip(20)), "an address that somebody else has proves nothing");

        let findings = Findings { answers, disbelieved: found, ..Findings::default() };
        assert_eq!(findings.live(), (10..=40).map(ip).collect());
        let replies: Vec<Fact> = findings.facts();
        assert_eq!(replies.len(), 31);
        assert!(replies.contains(&Fact::ScanReply { address: ip(10), mac: Some(mac(10)), name: None }));
    }

    #[test]
    fn half_of_the_free_addresses_is_the_limit() {
        for (count, is_suspected) in [(126, false), (127, true), (252, true)] {
            let mut answers = Answers::new();
            claim(&mut answers, 1, 1..=count);
            for host in 253..=254 {
                claim(&mut answers, host, [host]);
            }
            assert_eq!(!suspects(subnet(), &asked(), &answers).is_empty(), is_suspected, "{count}");
        }
    }

    #[test]
    fn a_small_network_and_a_machine_with_some_addresses_are_not_suspicious() {
        let mut answers = Answers::new();
        claim(&mut answers, 1, 1..=14);
        assert!(suspects("192.0.2.0/28".parse().unwrap(), &(1..=14).map(ip).collect(), &answers).is_empty());
        claim(&mut answers, 1, 15..=100);
        assert!(suspects(subnet(), &asked(), &answers).is_empty());
        assert!(suspects(subnet(), &BTreeSet::new(), &answers).is_empty());
    }

    #[test]
    fn two_that_claim_one_address_are_two_facts() {
        let mut answers = Answers::new();
        claim(&mut answers, 1, [7]);
        claim(&mut answers, 2, [7]);
        let findings = Findings {
            answers,
            names: BTreeMap::from([(ip(7), "printer.example.org".to_owned())]),
            echoes: BTreeSet::from([IpAddr::from([198, 51, 100, 1])]),
            own: BTreeMap::from([(ip(1), mac(9))]),
            networks: BTreeSet::from([(subnet(), "eth0".to_owned())]),
            ..Findings::default()
        };
        let name = Some("printer.example.org".to_owned());
        assert_eq!(
            findings.facts(),
            [
                Fact::Network { prefix: "192.0.2.0/24".parse().unwrap(), interface: Some("eth0".to_owned()) },
                Fact::ScanReply { address: ip(1), mac: Some(mac(9)), name: None },
                Fact::ScanReply { address: ip(7), mac: Some(mac(1)), name: name.clone() },
                Fact::ScanReply { address: ip(7), mac: Some(mac(2)), name },
                Fact::ScanReply { address: "198.51.100.1".parse().unwrap(), mac: None, name: None },
            ]
        );
    }
}
