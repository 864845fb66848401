//! What is done in which order: the kernel's tables, all sweeps at once, a check of who answers for too many, names.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::findings::{Findings, Suspect, suspects};
use super::interfaces::Interface;
use super::kernel::Neighbor;
use super::sweep::{Asked, Event, Failure, Stop, Sweep, start};
use super::targets::{Targets, divide};
use super::targets6::{Targets6, divide6};
use super::wire::Wire;
use super::{Config, NAMES_TIME, interfaces, kernel, names, netlink};
use crate::model::{Collection, FactKind};
use crate::source::run::{expect, read};

/// Rounds of the check of who answers for too many: three lost packets in a row are no accident.
pub(super) const CHECK_ROUNDS: u32 = 3;

/// Pings of that check at most.
pub(super) const MOST_CHECKED: u64 = 1024;

/// Everything that is going to be asked.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) four: Targets,
    pub(super) six: Targets6,
}

impl Plan {
    /// Divides the subnets of a configuration.
    pub(super) fn new(config: &Config, interfaces: &[Interface]) -> Self {
        let four = divide(config.wanted(), interfaces);
        let mut links: BTreeSet<String> = BTreeSet::new();
        if config.ipv6 {
            links.extend(four.networks.iter().map(|(_, name)| name.clone()));
            links.extend(config.interface.clone());
        }
        let is_known =
            |name: &String| interfaces.iter().any(|one| one.name == *name && one.silence().is_none());
        let is_mistaken = config.interface.as_ref().is_some_and(|name| !is_known(name));
        // What is wrong with the interface has been said.
        let six =
            if is_mistaken { Targets6::default() } else { divide6(config.wanted(), &links, interfaces) };
        Self { four, six }
    }

    /// Why parts of it are not scanned.
    pub(super) fn refused(&self) -> impl Iterator<Item = &String> {
        self.four.refused.iter().chain(&self.six.refused)
    }

    /// Packets of the largest sweep, without those that answers will suggest.
    pub(super) fn most(&self) -> u64 {
        let counts = self.four.attached.values().map(BTreeMap::len);
        let counts = counts.chain(self.six.attached.values().map(|here| here.listed.len()));
        let most = counts.chain([self.four.routed.len(), self.six.routed.len()]).max().unwrap_or_default();
        u64::try_from(most).unwrap_or(u64::MAX)
    }

    /// The addresses asked for one by one, by subnet of the configuration.
    fn by_subnet(&self, config: &Config) -> Vec<(IpNet, BTreeSet<IpAddr>)> {
        let four = self.four.attached.values().flat_map(|asked| asked.keys().copied().map(IpAddr::V4));
        let six = self.six.attached.values().flat_map(|here| here.listed.iter().copied().map(IpAddr::V6));
        let asked: BTreeSet<IpAddr> = four.chain(six).collect();
        let subnets: BTreeSet<IpNet> = config.subnets.iter().map(IpNet::trunc).collect();
        let of = |subnet: IpNet| asked.range(subnet.network()..=subnet.broadcast()).copied().collect();
        subnets.into_iter().map(|subnet| (subnet, of(subnet))).collect()
    }

    /// The interface on which an address is asked for.
    fn asked_on(&self, address: IpAddr) -> Option<&str> {
        let name = match address {
            IpAddr::V4(address) => {
                self.four.attached.iter().find(|(_, asked)| asked.contains_key(&address))?.0
            }
            IpAddr::V6(address) => {
                self.six.attached.iter().find(|(_, here)| here.listed.contains(&address))?.0
            }
        };
        Some(name)
    }
}

/// Reads everything into the sink. What is known after each round is kept if the time runs out.
pub(super) async fn run(config: &Config, sink: &mut Collection) {
    expect(sink, &[FactKind::Networks, FactKind::Neighbors, FactKind::Scan]);
    let found = interfaces::read();
    let plan = Plan::new(config, &found);
    for reason in plan.refused() {
        sink.gap(FactKind::Scan, reason.clone());
    }
    let mac_of = |name: &String| found.iter().find(|one| one.name == *name)?.mac;
    let own = plan.four.own.iter().map(|(address, name)| (IpAddr::V4(*address), name));
    let own = own.chain(plan.six.own.iter().map(|(address, name)| (IpAddr::V6(*address), name)));
    let networks = plan.four.networks.iter().map(|(network, name)| (IpNet::V4(*network), name.clone()));
    let networks6 = plan.six.networks.iter().map(|(network, name)| (IpNet::V6(*network), name.clone()));
    let mut findings = Findings {
        networks: networks.chain(networks6).collect(),
        own: own.filter_map(|(address, name)| Some((address, mac_of(name)?))).collect(),
        ..Findings::default()
    };
    read(sink, FactKind::Networks);
    match kernel::neighbors() {
        Ok(neighbors) => {
            let is_wanted =
                |known: &Neighbor| config.subnets.iter().any(|subnet| subnet.contains(&known.address));
            findings.neighbors.extend(neighbors.into_iter().filter(is_wanted));
        }
        Err(error) => sink.gap(FactKind::Neighbors, format!("the kernel's ARP table: {error}")),
    }
    let suggested = if plan.six.attached.is_empty() {
        BTreeMap::new()
    } else {
        known6(&plan.six, &found, sink, &mut findings)
    };
    read(sink, FactKind::Neighbors);
    sink.facts = findings.facts();

    let mut scanning = Scanning { config, sink, findings };
    scanning.sweep(&plan, &suggested, &found).await;
    scanning.check_suspects(&plan).await;
    if config.reverse_dns {
        scanning.name().await;
    }
    read(scanning.sink, FactKind::Scan);
}

/// What the kernel knows of the links that are asked: neighbours, and by interface the addresses to ask for.
fn known6(
    targets: &Targets6,
    interfaces: &[Interface],
    sink: &mut Collection,
    findings: &mut Findings,
) -> BTreeMap<String, BTreeSet<Ipv6Addr>> {
    let entries = match netlink::neighbors() {
        Ok(entries) => entries,
        Err(error) => {
            sink.gap(FactKind::Neighbors, format!("the kernel's table of IPv6 neighbours: {error}"));
            return BTreeMap::new();
        }
    };
    let mut suggested: BTreeMap<String, BTreeSet<Ipv6Addr>> = BTreeMap::new();
    for entry in entries {
        let Some(interface) = interfaces.iter().find(|one| one.index == entry.interface) else { continue };
        let Some(here) = targets.attached.get(&interface.name).filter(|here| here.has(entry.address)) else {
            continue;
        };
        if targets.own.contains_key(&entry.address) || here.callers.contains(&entry.address) {
            continue;
        }
        suggested.entry(interface.name.clone()).or_default().insert(entry.address);
        if let Some(mac) = entry.mac.filter(|_| !entry.address.is_unicast_link_local()) {
            let (address, interface) = (IpAddr::V6(entry.address), interface.name.clone());
            findings.neighbors.push(Neighbor { address, mac, interface });
        }
    }
    suggested
}

struct Scanning<'a> {
    config: &'a Config,
    sink: &'a mut Collection,
    findings: Findings,
}

impl Scanning<'_> {
    /// All sweeps at once: each interface is a network of its own, with its own rate.
    async fn sweep(
        &mut self,
        plan: &Plan,
        suggested: &BTreeMap<String, BTreeSet<Ipv6Addr>>,
        found: &[Interface],
    ) {
        let (events, answers) = mpsc::unbounded_channel();
        let stop = Stop::default();
        let mut running = 0;
        let card = |name: &str| found.iter().find(|one| one.name == name).cloned();
        for (name, asked) in &plan.four.attached {
            let Some(interface) = card(name) else { continue };
            let targets = asked.iter().map(|(target, own)| (IpAddr::V4(*target), IpAddr::V4(*own))).collect();
            let sweep = Sweep { targets, at_least: 2, ..self.usual() };
            running += self.start(name, move || Wire::arp(&interface), sweep, &stop, &events);
        }
        for (name, here) in &plan.six.attached {
            let (Some(interface), Some(own)) = (card(name), here.own) else { continue };
            let known = suggested.get(name).into_iter().flatten().chain(&here.listed);
            let targets = known.map(|target| (IpAddr::V6(*target), IpAddr::V6(own))).collect();
            let sweep = Sweep { targets, neighborhood: Some(here.clone()), ..self.usual() };
            let mark = mark();
            running += self.start(name, move || Wire::nd(&interface, mark), sweep, &stop, &events);
        }
        let routed = plan.four.routed.iter().copied().map(IpAddr::V4);
        let routed: BTreeSet<IpAddr> =
            routed.chain(plan.six.routed.iter().copied().map(IpAddr::V6)).collect();
        running += self.start_echo("routed subnets", &routed, self.config.rounds, &stop, &events);
        drop(events);
        self.follow(answers, running, &plan.by_subnet(self.config)).await;
    }

    /// A sweep as configured, of nobody yet.
    fn usual(&self) -> Sweep {
        Sweep {
            per_second: self.config.packets_per_second,
            rounds: self.config.rounds,
            at_least: 1,
            ..Sweep::default()
        }
    }

    /// Starts a sweep; the number of sweeps that run because of it.
    fn start(
        &mut self,
        what: &str,
        open: impl FnOnce() -> std::io::Result<Wire> + Send + 'static,
        sweep: Sweep,
        stop: &Stop,
        events: &mpsc::UnboundedSender<Event>,
    ) -> usize {
        match start(what, open, sweep, stop.flag(), events.clone()) {
            Ok(()) => 1,
            Err(error) => {
                self.sink.gap(FactKind::Scan, format!("{what}: {error}"));
                0
            }
        }
    }

    /// Starts ICMP sweeps, one a family; the number of sweeps that run because of it.
    fn start_echo(
        &mut self,
        what: &str,
        addresses: &BTreeSet<IpAddr>,
        rounds: u32,
        stop: &Stop,
        events: &mpsc::UnboundedSender<Event>,
    ) -> usize {
        let mut running = 0;
        for (six, any) in
            [(false, IpAddr::V4(Ipv4Addr::UNSPECIFIED)), (true, IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
        {
            let of_family = addresses.iter().filter(|address| address.is_ipv6() == six);
            let targets: Asked = of_family.map(|address| (*address, any)).collect();
            if targets.is_empty() {
                continue;
            }
            let sweep = Sweep { targets, rounds, ..self.usual() };
            let mark = mark();
            running += self.start(what, move || Wire::echo(mark, six), sweep, stop, events);
        }
        running
    }

    /// Takes what the sweeps say until all are done.
    async fn follow(
        &mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut running: usize,
        subnets: &[(IpNet, BTreeSet<IpAddr>)],
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
    fn keep(&mut self, subnets: &[(IpNet, BTreeSet<IpAddr>)]) {
        let answers = &self.findings.answers;
        let found = subnets.iter().flat_map(|(subnet, asked)| suspects(*subnet, asked, answers));
        self.findings.disbelieved = found.collect();
        self.sink.facts = self.findings.facts();
    }

    /// A machine with very many addresses answers pings on them; a router that answers ARP for others does not.
    async fn check_suspects(&mut self, plan: &Plan) {
        let all = std::mem::take(&mut self.findings.disbelieved);
        if all.is_empty() {
            return;
        }
        let most = usize::try_from(MOST_CHECKED).unwrap_or(usize::MAX);
        let asked: BTreeSet<IpAddr> =
            all.iter().flat_map(|one| one.sample.iter().copied()).take(most).collect();
        let (events, mut answers) = mpsc::unbounded_channel();
        let stop = Stop::default();
        self.findings.disbelieved.clone_from(&all);
        self.start_echo("check of proxy ARP", &asked, CHECK_ROUNDS, &stop, &events);
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
            let on = one.sample.first().and_then(|address| plan.asked_on(*address)).unwrap_or("?");
            self.sink.gap(
                FactKind::Scan,
                format!(
                    "{} answers {} for {} addresses of {} on {on}, which do not answer pings: proxy ARP; its answers are not \
                     believed",
                    one.mac,
                    if one.subnet.network().is_ipv4() { "ARP" } else { "neighbour solicitations" },
                    one.claims,
                    one.subnet
                ),
            );
        }
        self.sink.facts = self.findings.facts();
    }

    /// Asks for names.
    async fn name(&mut self) {
        let mut live = self.findings.live();
        live.retain(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
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

/// Answers to other programs, and to an earlier scan, are not ours.
fn mark() -> [u8; 8] {
    RandomState::new().build_hasher().finish().to_be_bytes()
}
