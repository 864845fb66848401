//! One sweep on a thread of its own: asks every target, the silent ones again and again, and says who answers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::icmp6::ALL_NODES;
use super::pace::Pace;
use super::targets6::Neighborhood;
use super::wire::Wire;
use crate::model::MacAddr;

/// How often everybody on a link is pinged at once: three lost packets in a row are no accident.
const CALLS: u32 = 3;

/// More strangers than this do not live on one link; who pretends to be more must not fill the memory.
const MOST_STRANGERS: usize = 65_536;

/// More machines than this do not share one address.
const MOST_CLAIMS: usize = 8;

/// `ENOBUFS` of errno(3): the queue of the interface is full. The next round asks again.
const NO_BUFFER_SPACE: i32 = 105;

/// Whom to ask, each from an address of ours.
pub(super) type Asked = BTreeMap<IpAddr, IpAddr>;

/// What a sweep does.
#[derive(Debug, Clone, Default)]
pub(super) struct Sweep {
    /// Whom to ask.
    pub(super) targets: Asked,
    /// Packets a second.
    pub(super) per_second: u32,
    /// How often the silent are asked.
    pub(super) rounds: u32,
    /// How often everybody is asked: a second machine with the same address is heard although its first answer was lost.
    pub(super) at_least: u32,
    /// A link where everybody is pinged first, and those that answer are asked for by name.
    pub(super) neighborhood: Option<Neighborhood>,
}

impl Sweep {
    /// The longest it can take.
    pub(super) fn longest(targets: u64, per_second: u32, rounds: u32) -> Duration {
        let round = Duration::from_millis(targets.saturating_mul(1000) / u64::from(per_second.max(1)))
            + pause(per_second);
        round.saturating_mul(rounds) + late(per_second)
    }

    /// The longest that it takes to ping everybody on a link.
    pub(super) fn longest_call(per_second: u32) -> Duration {
        pause(per_second).saturating_mul(CALLS) + late(per_second)
    }
}

/// Between two rounds: whoever is going to answer the last request of a round mostly has by then. 200 ms at the usual rate;
/// whoever raises it says that the network is quick.
fn pause(per_second: u32) -> Duration {
    packets(200, per_second).clamp(Duration::from_millis(10), Duration::from_millis(200))
}

/// After the last round: machines that sleep, and slow networks, answer late.
fn late(per_second: u32) -> Duration {
    packets(500, per_second).clamp(Duration::from_millis(100), Duration::from_millis(500))
}

/// The time of so many packets.
fn packets(count: u32, per_second: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(count) / per_second.max(1)
}

/// What a sweep says.
#[derive(Debug)]
pub(super) enum Event {
    /// Somebody has this address.
    Answer(IpAddr, Option<MacAddr>),
    /// A round is over: a good moment to keep what is there.
    Round,
    /// Something could not be asked.
    Failed(Failure),
    /// It is over.
    Done,
}

/// What could not be asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// This process may not open the socket.
    Denied,
    /// Anything else, in words.
    Broken(String),
}

/// Ends the sweeps that were given [`Stop::flag`] when it is dropped: nobody reads on after a time limit.
#[derive(Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts the thread. `what` names it in messages: `eth0`, `routed subnets`.
pub(super) fn start(
    what: &str,
    open: impl FnOnce() -> io::Result<Wire> + Send + 'static,
    sweep: Sweep,
    stop: Arc<AtomicBool>,
    events: UnboundedSender<Event>,
) -> io::Result<()> {
    let name = what.to_owned();
    std::thread::Builder::new().name(format!("scan {what}")).spawn(move || {
        let failure = match open() {
            Ok(wire) => Asking { wire, sweep, stop, events: events.clone(), claims: BTreeMap::new() }.run(),
            Err(error) => Err(error),
        };
        if let Err(error) = failure {
            let failure = match error.kind() {
                io::ErrorKind::PermissionDenied => Failure::Denied,
                _ => Failure::Broken(format!("{name}: {error}")),
            };
            say(&events, Event::Failed(failure));
        }
        say(&events, Event::Done);
    })?;
    Ok(())
}

/// Nobody listens any more once the reader was cut off, and then it does not matter.
fn say(events: &UnboundedSender<Event>, event: Event) {
    drop(events.send(event));
}

struct Asking {
    wire: Wire,
    sweep: Sweep,
    stop: Arc<AtomicBool>,
    events: UnboundedSender<Event>,
    claims: BTreeMap<IpAddr, BTreeSet<Option<MacAddr>>>,
}

impl Asking {
    fn run(mut self) -> io::Result<()> {
        let began = Instant::now();
        let mut pace = Pace::new(self.sweep.per_second);
        let mut unsent: BTreeMap<IpAddr, String> = BTreeMap::new();
        if let Some(here) = self.sweep.neighborhood.clone() {
            self.call(&here, began, &mut pace)?;
        }
        for round in 0..self.sweep.rounds {
            let targets = self.sweep.targets.iter();
            let asked: Vec<(IpAddr, IpAddr)> = targets
                .filter(|(target, _)| round < self.sweep.at_least || !self.has_answered(**target))
                .map(|(target, own)| (*target, *own))
                .collect();
            if asked.is_empty() {
                break;
            }
            for (target, own) in asked {
                if !self.wait(began, &mut pace)? {
                    return Ok(());
                }
                match self.wire.ask(target, own) {
                    Ok(()) => {
                        unsent.remove(&target);
                    }
                    Err(error) if is_fatal(&error) => return Err(error),
                    Err(error) if round == 0 && !is_congestion(&error) => {
                        unsent.insert(target, error.to_string());
                    }
                    Err(_) => {}
                }
            }
            self.listen_for(pause(self.sweep.per_second))?;
            say(&self.events, Event::Round);
        }
        self.listen_for(late(self.sweep.per_second))?;
        if let Some((first, error)) = unsent.first_key_value() {
            let more = unsent.len() - 1;
            let others = if more > 0 { format!(" and {more} others") } else { String::new() };
            let text = format!("{first}{others} could not be asked: {error}");
            say(&self.events, Event::Failed(Failure::Broken(text)));
        }
        Ok(())
    }

    /// Pings everybody from each address of ours; who answers is asked for by name, and so are the addresses it would have if it
    /// made them as it made the one it answered with.
    fn call(&mut self, here: &Neighborhood, began: Instant, pace: &mut Pace) -> io::Result<()> {
        if here.callers.is_empty() {
            return Ok(());
        }
        for _ in 0..CALLS {
            for own in &here.callers {
                if !self.wait(began, pace)? {
                    return Ok(());
                }
                match self.wire.ask(IpAddr::V6(ALL_NODES), IpAddr::V6(*own)) {
                    Err(error) if !is_congestion(&error) => return Err(error),
                    _ => {}
                }
            }
            self.listen_for(pause(self.sweep.per_second))?;
        }
        self.listen_for(late(self.sweep.per_second))?;
        say(&self.events, Event::Round);
        let Some(own) = here.own else { return Ok(()) };
        let mut suggested = BTreeSet::new();
        for (address, macs) in &self.claims {
            let IpAddr::V6(address) = address else { continue };
            suggested.insert(*address);
            let made = macs.iter().flatten().map(|mac| mac.interface_identifier());
            for identifier in made.chain([low_half(*address)]) {
                let networks = here.scopes.iter().filter(|scope| scope.prefix_len() <= 64);
                suggested.extend(networks.map(|scope| {
                    Ipv6Addr::from(u128::from(scope.network()) >> 64 << 64 | u128::from(identifier))
                }));
            }
        }
        for address in suggested.into_iter().filter(|address| here.has(*address)).take(MOST_STRANGERS) {
            self.sweep.targets.entry(IpAddr::V6(address)).or_insert(IpAddr::V6(own));
        }
        Ok(())
    }

    /// Listens until the next packet may go; whether it may.
    fn wait(&mut self, began: Instant, pace: &mut Pace) -> io::Result<bool> {
        while !pace.take(began.elapsed()) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.listen()?;
        }
        Ok(true)
    }

    fn listen_for(&mut self, how_long: Duration) -> io::Result<()> {
        let until = Instant::now() + how_long;
        while Instant::now() < until && !self.stop.load(Ordering::Relaxed) {
            self.listen()?;
        }
        Ok(())
    }

    fn listen(&mut self) -> io::Result<()> {
        let Some((address, mac)) = self.wire.listen()? else { return Ok(()) };
        if !self.is_wanted(address) {
            return Ok(());
        }
        let known = self.claims.entry(address).or_default();
        if known.len() < MOST_CLAIMS && known.insert(mac) {
            say(&self.events, Event::Answer(address, mac));
        }
        Ok(())
    }

    /// Whether the address was asked for, or is of a link on which everybody was.
    fn is_wanted(&self, address: IpAddr) -> bool {
        if self.sweep.targets.contains_key(&address) || self.claims.contains_key(&address) {
            return true;
        }
        let (Some(here), IpAddr::V6(address)) = (&self.sweep.neighborhood, address) else { return false };
        here.is_called && here.has(address) && self.claims.len() < MOST_STRANGERS
    }

    fn has_answered(&self, target: IpAddr) -> bool {
        let needs_more = self.wire.wants_link_address();
        self.claims.get(&target).is_some_and(|macs| macs.iter().any(|mac| mac.is_some() || !needs_more))
    }
}

/// The interface identifier of an address (RFC 4291 section 2.5.1).
fn low_half(address: Ipv6Addr) -> u64 {
    u64::try_from(u128::from(address) & u128::from(u64::MAX)).unwrap_or_default()
}

/// Whether nothing can be asked here any more.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NetworkDown | io::ErrorKind::NotFound)
        // `ENXIO` of errno(3): the interface is gone.
        || error.raw_os_error() == Some(6)
}

/// Whether the queue was full: this request is lost like one on the wire.
fn is_congestion(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
        || error.raw_os_error() == Some(NO_BUFFER_SPACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_rate_waits_as_long_as_sleepers_need_and_a_high_one_does_not() {
        let waits = |rate| (pause(rate).as_millis(), late(rate).as_millis());
        assert_eq!(waits(1), (200, 500));
        assert_eq!(waits(1000), (200, 500));
        assert_eq!(waits(4000), (50, 125));
        assert_eq!(waits(100_000), (10, 100));
    }

    #[test]
    fn identifiers_are_the_low_half() {
        assert_eq!(low_half("2001:db8::5054:ff:fe01:203".parse().unwrap()), 0x5054_00ff_fe01_0203);
    }
}
