//! What is done in which order: the kernel's table, all sweeps at once, a check of who answers for too many, names.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::findings::{Findings, Suspect, suspects};
use super::sweep::{Event, Failure, Stop, Sweep, start};
use super::targets::{Targets, divide};
use super::wire::Wire;
use super::{Config, NAMES_TIME, interfaces, kernel, names};
use crate::model::{Collection, FactKind};
use crate::source::run::{expect, read};

/// Rounds of the check of who answers for too many: three lost packets in a row are no accident.
pub(super) const CHECK_ROUNDS: u32 = 3;

/// Pings of that check at most.
pub(super) const MOST_CHECKED: u64 = 1024;

/// Reads everything into the sink. What is known after each round is kept if the time runs out.
pub(super) async fn run(config: &Config, sink: &mut Collection) {
    expect(sink, &[FactKind::Networks, FactKind::Neighbors, FactKind::Scan]);
    let found = interfaces::read();
    let targets = divide(config.wanted(), &found);
    for reason in &targets.refused {
        sink.gap(FactKind::Scan, reason.clone());
    }
    let mac_of = |name: &str| found.iter().find(|one| one.name == name)?.mac;
    let mut findings = Findings {
        networks: targets.networks.clone(),
        own: targets.own.iter().filter_map(|(address, name)| Some((*address, mac_of(name)?))).collect(),
        ..Findings::default()
    };
    read(sink, FactKind::Networks);
    match kernel::neighbors() {
        Ok(mut neighbors) => {
            let is_wanted =
                |address| config.subnets.iter().any(|subnet| subnet.contains(&IpAddr::V4(address)));
            neighbors.retain(|known| is_wanted(known.address));
            findings.neighbors = neighbors;
        }
        Err(error) => sink.gap(FactKind::Neighbors, format!("the kernel's ARP table: {error}")),
    }
    read(sink, FactKind::Neighbors);
    sink.facts = findings.facts();

    let mut scanning = Scanning { config, sink, findings };
    scanning.sweep(&targets, &found).await;
    scanning.check_suspects(&targets).await;
    if config.reverse_dns {
        scanning.name().await;
    }
    read(scanning.sink, FactKind::Scan);
}

struct Scanning<'a> {
    config: &'a Config,
    sink: &'a mut Collection,
    findings: Findings,
}

impl Scanning<'_> {
    /// All sweeps at once: each interface is a network of its own, with its own rate.
    async fn sweep(&mut self, targets: &Targets, found: &[interfaces::Interface]) {
        let (events, answers) = mpsc::unbounded_channel();
        let stop = Stop::default();
        let mut running = 0;
        for (name, asked) in &targets.attached {
            let Some(interface) = found.iter().find(|one| one.name == *name).cloned() else { continue };
            let sweep = Sweep {
                targets: asked.clone(),
                per_second: self.config.packets_per_second,
                rounds: self.config.rounds,
                at_least: 2,
            };
            match start(name, move || Wire::arp(&interface), sweep, stop.flag(), events.clone()) {
                Ok(()) => running += 1,
                Err(error) => self.sink.gap(FactKind::Scan, format!("{name}: {error}")),
            }
        }
        if !targets.routed.is_empty() {
            let routed = targets.routed.iter().copied();
            running += self.start_echo("routed subnets", routed, self.config.rounds, &stop, &events);
        }
        drop(events);
        self.follow(answers, running, &targets_by_subnet(self.config, targets)).await;
    }

    /// Starts an ICMP sweep; the number of sweeps that run because of it.
    fn start_echo(
        &mut self,
        what: &str,
        addresses: impl Iterator<Item = Ipv4Addr>,
        rounds: u32,
        stop: &Stop,
        events: &mpsc::UnboundedSender<Event>,
    ) -> usize {
        // Answers to other programs, and to an earlier scan, are not ours.
        let mark = RandomState::new().build_hasher().finish().to_be_bytes();
        let sweep = Sweep {
            targets: addresses.map(|address| (address, Ipv4Addr::UNSPECIFIED)).collect(),
            per_second: self.config.packets_per_second,
            rounds,
            at_least: 1,
        };
        match start(what, move || Wire::echo(mark), sweep, stop.flag(), events.clone()) {
            Ok(()) => 1,
            Err(error) => {
                self.sink.gap(FactKind::Scan, format!("{what}: {error}"));
                0
            }
        }
    }

    /// Takes what the sweeps say until all are done.
    async fn follow(
        &mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut running: usize,
        subnets: &[(Ipv4Net, BTreeSet<Ipv4Addr>)],
    ) {
        let mut is_denied = false;
        while let Some(event) = events.recv().await {
            match event {
                Event::Answer(address, Some(mac)) => {
                    self.findings.answers.entry(address).or_default().insert(mac);
                }
                Event::Answer(address, None) => {
                    self.findings.echoes.insert(address);
                }
                Event::Round => self.keep(subnets),
                Event::Failed(Failure::Denied) if is_denied => {}
                Event::Failed(Failure::Denied) => {
                    is_denied = true;
                    self.sink.gap(
                        FactKind::Scan,
                        format!("CAP_NET_RAW is missing: nobody was asked; {}", kernel::HOW_TO_GRANT),
                    );
                }
                Event::Failed(Failure::Broken(reason)) => self.sink.gap(FactKind::Scan, reason),
                Event::Done => running = running.saturating_sub(1),
            }
        }
        if running > 0 {
            self.sink.gap(FactKind::Scan, "a sweep was stopped by an internal error");
        }
        self.keep(subnets);
    }

    /// Writes down what is known; who answers for too many is not believed until it is checked.
    fn keep(&mut self, subnets: &[(Ipv4Net, BTreeSet<Ipv4Addr>)]) {
        let answers = &self.findings.answers;
        let found = subnets.iter().flat_map(|(subnet, asked)| suspects(*subnet, asked, answers));
        self.findings.disbelieved = found.collect();
        self.sink.facts = self.findings.facts();
    }

    /// A machine with very many addresses answers pings on them; a router that answers ARP for others does not.
    async fn check_suspects(&mut self, targets: &Targets) {
        let all = std::mem::take(&mut self.findings.disbelieved);
        if all.is_empty() {
            return;
        }
        let most = usize::try_from(MOST_CHECKED).unwrap_or(usize::MAX);
        let asked: BTreeSet<Ipv4Addr> =
            all.iter().flat_map(|one| one.sample.iter().copied()).take(most).collect();
        let (events, mut answers) = mpsc::unbounded_channel();
        let stop = Stop::default();
        self.findings.disbelieved = all.clone();
        self.start_echo("check of proxy ARP", asked.into_iter(), CHECK_ROUNDS, &stop, &events);
        drop(events);
        let mut present = BTreeSet::new();
        while let Some(event) = answers.recv().await {
            if let Event::Answer(address, _) = event {
                present.insert(address);
            }
        }
        let is_there = |one: &Suspect| {
            let there = one.sample.iter().filter(|address| present.contains(address)).count();
            there * 2 > one.sample.len()
        };
        self.findings.disbelieved = all.into_iter().filter(|one| !is_there(one)).collect();
        for one in &self.findings.disbelieved {
            let on = targets
                .attached
                .iter()
                .find(|(_, asked)| one.sample.first().is_some_and(|address| asked.contains_key(address)));
            let on = on.map_or("?", |(name, _)| name.as_str());
            self.sink.gap(
                FactKind::Scan,
                format!(
                    "{} answers ARP for {} addresses of {} on {on}, which do not answer pings: proxy ARP; its answers are not \
                     believed",
                    one.mac, one.claims, one.subnet
                ),
            );
        }
        self.sink.facts = self.findings.facts();
    }

    /// Asks for names.
    async fn name(&mut self) {
        let live = self.findings.live();
        match timeout(NAMES_TIME, names::of(&live)).await {
            Ok((found, trouble)) => {
                self.findings.names = found;
                if let Some(trouble) = trouble {
                    self.sink.gap(FactKind::Scan, trouble);
                }
            }
            Err(_) => self.sink.gap(FactKind::Scan, timed_out(NAMES_TIME)),
        }
        self.sink.facts = self.findings.facts();
    }
}

fn timed_out(limit: Duration) -> String {
    format!("reverse DNS: timed out after {}", crate::source::run::seconds(limit))
}

/// The addresses asked by ARP, by subnet of the configuration.
fn targets_by_subnet(config: &Config, targets: &Targets) -> Vec<(Ipv4Net, BTreeSet<Ipv4Addr>)> {
    let asked: BTreeSet<Ipv4Addr> =
        targets.attached.values().flat_map(|asked| asked.keys().copied()).collect();
    let subnets: BTreeSet<Ipv4Net> = config
        .subnets
        .iter()
        .filter_map(|subnet| match subnet.trunc() {
            IpNet::V4(subnet) => Some(subnet),
            IpNet::V6(_) => None,
        })
        .collect();
    subnets
        .into_iter()
        .map(|subnet| (subnet, asked.range(subnet.network()..=subnet.broadcast()).copied().collect()))
        .collect()
}
