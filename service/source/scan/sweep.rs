//! One sweep on a thread of its own: asks every target, the silent ones again and again, and says who answers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::pace::Pace;
use super::wire::Wire;
use crate::model::MacAddr;

/// Between two rounds: whoever is going to answer the last request of a round mostly has by then.
const PAUSE: Duration = Duration::from_millis(200);

/// After the last round: machines that sleep, and slow networks, answer late.
const LATE: Duration = Duration::from_millis(500);

/// More machines than this do not share one address; who pretends to be more must not fill the memory.
const MOST_CLAIMS: usize = 8;

/// `ENOBUFS` of errno(3): the queue of the interface is full. The next round asks again.
const NO_BUFFER_SPACE: i32 = 105;

/// What a sweep does.
#[derive(Debug, Clone)]
pub(super) struct Sweep {
    /// Whom to ask, with our own address in that network.
    pub(super) targets: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// Packets a second.
    pub(super) per_second: u32,
    /// How often the silent are asked.
    pub(super) rounds: u32,
    /// How often everybody is asked: a second machine with the same address is heard although its first answer was lost.
    pub(super) at_least: u32,
}

impl Sweep {
    /// The longest it can take.
    pub(super) fn longest(targets: u64, per_second: u32, rounds: u32) -> Duration {
        let round =
            Duration::from_millis(targets.saturating_mul(1000) / u64::from(per_second.max(1))) + PAUSE;
        round.saturating_mul(rounds) + LATE
    }
}

/// What a sweep says.
#[derive(Debug)]
pub(super) enum Event {
    /// Somebody has this address.
    Answer(Ipv4Addr, Option<MacAddr>),
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
    claims: BTreeMap<Ipv4Addr, BTreeSet<Option<MacAddr>>>,
}

impl Asking {
    fn run(mut self) -> io::Result<()> {
        let began = Instant::now();
        let mut pace = Pace::new(self.sweep.per_second);
        let mut unsent: BTreeMap<Ipv4Addr, String> = BTreeMap::new();
        for round in 0..self.sweep.rounds {
            let asked: Vec<(Ipv4Addr, Ipv4Addr)> = self
                .sweep
                .targets
                .iter()
                .filter(|(target, _)| round < self.sweep.at_least || !self.claims.contains_key(target))
                .map(|(target, own)| (*target, *own))
                .collect();
            if asked.is_empty() {
                break;
            }
            for (target, own) in asked {
                while !pace.take(began.elapsed()) {
                    if self.stop.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    self.listen()?;
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
            self.listen_for(PAUSE)?;
            say(&self.events, Event::Round);
        }
        self.listen_for(LATE)?;
        if let Some((first, error)) = unsent.first_key_value() {
            let more = unsent.len() - 1;
            let others = if more > 0 { format!(" and {more} others") } else { String::new() };
            let text = format!("{first}{others} could not be asked: {error}");
            say(&self.events, Event::Failed(Failure::Broken(text)));
        }
        Ok(())
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
        if !self.sweep.targets.contains_key(&address) {
            return Ok(());
        }
        let known = self.claims.entry(address).or_default();
        if known.len() < MOST_CLAIMS && known.insert(mac) {
            say(&self.events, Event::Answer(address, mac));
        }
        Ok(())
    }
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
