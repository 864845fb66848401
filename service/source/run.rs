//! Runs sources: concurrently, bounded, each with its own time limit. Knows no kind of source.
//!
//! One source never takes another down: what hangs is cut, what panics is caught, and both keep what they had read.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::{Check, Source};
use crate::model::{Collection, FactKind, Timestamp};

/// How many sources are read at once, and how long each may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sources read at the same time. They mostly wait for the network.
    pub concurrency: usize,
    /// Longest time one source may take as a whole.
    pub timeout: Duration,
}

/// Enough for a campus of switches to be read in a few rounds, and few enough sockets for any file limit.
const DEFAULT_CONCURRENCY: usize = 32;

/// RouterOS cuts every REST request at 60 s itself; a source that needs longer is broken or far too big for one go.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: DEFAULT_CONCURRENCY, timeout: DEFAULT_TIMEOUT }
    }
}

/// Reads all sources; the result has their order. Never fails: what failed is a gap.
pub async fn collect_all(sources: &[Box<dyn Source>], now: Timestamp, limits: Limits) -> Vec<Collection> {
    let reading = sources.iter().map(|source| collect_one(source.as_ref(), now, limits.timeout).boxed());
    in_order(reading.collect(), limits.concurrency).await
}

/// Checks all sources, for `doctor`; the result has their order.
pub async fn check_all(sources: &[Box<dyn Source>], limits: Limits) -> Vec<Check> {
    let checking = sources.iter().map(|source| check_one(source.as_ref(), limits.timeout).boxed());
    in_order(checking.collect(), limits.concurrency).await.concat()
}

/// The reason of a gap that stands for something which is yet to be read.
const NOT_READ: &str = "not read";

/// Declares what a source is about to read, so that a time limit names what is missing instead of everything.
/// Each kind is a gap until [`read`] takes it back.
pub fn expect(sink: &mut Collection, kinds: &[FactKind]) {
    for kind in kinds {
        sink.gap(*kind, NOT_READ);
    }
}

/// Takes back what [`expect`] declared: this kind was read, or its own gap says why not.
pub fn read(sink: &mut Collection, kind: FactKind) {
    sink.gaps.retain(|gap| gap.facts != kind || gap.reason != NOT_READ);
}

/// A duration for a person: `60 s`, `0.5 s`.
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// Runs at most `concurrency` of these at once; the result has their order.
async fn in_order<T: Send>(reading: Vec<BoxFuture<'_, T>>, concurrency: usize) -> Vec<T> {
    let numbered: Vec<BoxFuture<'_, (usize, T)>> = reading
        .into_iter()
        .enumerate()
        .map(|(index, one)| one.map(move |result| (index, result)).boxed())
        .collect();
    // Not `buffered`: it would hold places for what is done but waits for its turn behind a slow source.
    let mut done: Vec<(usize, T)> =
        stream::iter(numbered).buffer_unordered(concurrency.max(1)).collect().await;
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

async fn collect_one(source: &dyn Source, now: Timestamp, limit: Duration) -> Collection {
    let mut sink = Collection::new(source.name().clone(), now);
    let limit = source.longest().map_or(limit, |longest| longest.max(limit));
    let reading = AssertUnwindSafe(source.collect(&mut sink)).catch_unwind();
    match tokio::time::timeout(limit, reading).await {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => {
            let reason = internal_error(panic.as_ref());
            tracing::error!(source.name = %source.name(), reason, "a source panicked");
            cut(&mut sink, &reason);
        }
        Err(_) => cut(&mut sink, &format!("timed out after {}", seconds(limit))),
    }
    for gap in &sink.gaps {
        tracing::warn!(source.name = %sink.source, facts = gap.facts.as_str(), reason = gap.reason, "not read");
    }
    sink
}

async fn check_one(source: &dyn Source, limit: Duration) -> Vec<Check> {
    let checking = AssertUnwindSafe(source.check()).catch_unwind();
    let why = match tokio::time::timeout(limit, checking).await {
        Ok(Ok(checks)) => return checks,
        Ok(Err(panic)) => internal_error(panic.as_ref()),
        Err(_) => format!("timed out after {}", seconds(limit)),
    };
    vec![Check::failed(source.name().as_str(), why)]
}

/// Names what is missing after an end that the source did not choose: what it had declared and not read, else everything.
pub fn cut(sink: &mut Collection, reason: &str) {
    let mut named = false;
    for gap in sink.gaps.iter_mut().filter(|gap| gap.reason == NOT_READ) {
        reason.clone_into(&mut gap.reason);
        named = true;
    }
    if !named {
        sink.gap(FactKind::All, reason);
    }
}

fn internal_error(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    format!("stopped by an internal error: {text}")
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use tokio::sync::Barrier;

    use super::*;
    use crate::model::{Fact, SourceName};

    enum Behaviour {
        Fine,
        Hangs { declared: bool },
        Panics,
    }

    struct Scripted(SourceName, Behaviour);

    #[async_trait]
    impl Source for Scripted {
        fn name(&self) -> &SourceName {
            &self.0
        }

        async fn check(&self) -> Vec<Check> {
            match self.1 {
                Behaviour::Fine => vec![Check::passed("log in", "fine")],
                Behaviour::Hangs { .. } => pending().await,
                Behaviour::Panics => panic!("in check"),
            }
        }

        async fn collect(&self, sink: &mut Collection) {
            if matches!(self.1, Behaviour::Hangs { declared: true }) {
                expect(sink, &[FactKind::Scan, FactKind::Fdb]);
            }
            sink.facts.push(Fact::ScanReply { address: "192.0.2.1".parse().unwrap(), mac: None, name: None });
            read(sink, FactKind::Scan);
            match self.1 {
                Behaviour::Fine => {}
                Behaviour::Hangs { .. } => pending().await,
                Behaviour::Panics => panic!("index {}", 7),
            }
        }
    }

    fn sources(behaviours: Vec<Behaviour>) -> Vec<Box<dyn Source>> {
        behaviours
            .into_iter()
            .enumerate()
            .map(|(i, b)| Box::new(Scripted(SourceName::new(&format!("s{i}")), b)) as Box<dyn Source>)
            .collect()
    }

    const SHORT: Limits = Limits { concurrency: 2, timeout: Duration::from_millis(50) };

    #[tokio::test]
    async fn a_broken_source_takes_no_other_down() {
        let sources = sources(vec![
            Behaviour::Hangs { declared: false },
            Behaviour::Panics,
            Behaviour::Fine,
            Behaviour::Hangs { declared: true },
        ]);
        let collections = collect_all(&sources, Timestamp(7), SHORT).await;
        let names: Vec<_> = collections.iter().map(|c| c.source.as_str()).collect();
        assert_eq!(names, ["s0", "s1", "s2", "s3"]);
        assert!(collections.iter().all(|c| c.facts.len() == 1 && c.observed_at == Timestamp(7)));
        let gaps: Vec<Vec<_>> = collections
            .iter()
            .map(|c| c.gaps.iter().map(|g| (g.facts, g.reason.as_str())).collect())
            .collect();
        assert_eq!(gaps[0], [(FactKind::All, "timed out after 0.05 s")]);
        assert_eq!(gaps[1], [(FactKind::All, "stopped by an internal error: index 7")]);
        assert_eq!(gaps[2], []);
        assert_eq!(gaps[3], [(FactKind::Fdb, "timed out after 0.05 s")]);
    }

    #[tokio::test]
    async fn checks_are_cut_and_caught_too() {
        let sources = sources(vec![Behaviour::Panics, Behaviour::Fine, Behaviour::Hangs { declared: false }]);
        let checks = check_all(&sources, SHORT).await;
        let outcomes: Vec<_> = checks.iter().map(|c| (c.what.as_str(), c.outcome.is_ok())).collect();
        assert_eq!(outcomes, [("s0", false), ("log in", true), ("s2", false)]);
    }

    struct Meets<'a>(SourceName, &'a Barrier, &'a AtomicUsize, &'a AtomicUsize);

    #[async_trait]
    impl Source for Meets<'_> {
        fn name(&self) -> &SourceName {
            &self.0
        }

        async fn check(&self) -> Vec<Check> {
            Vec::new()
        }

        async fn collect(&self, _sink: &mut Collection) {
            self.3.fetch_max(self.2.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            self.1.wait().await;
            self.2.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn sources_run_at_the_same_time_but_not_too_many() {
        // Two that wait for each other end only if both run; `'static` because the runner takes boxed sources.
        let barrier: &'static Barrier = Box::leak(Box::new(Barrier::new(2)));
        let running: &'static AtomicUsize = Box::leak(Box::default());
        let most: &'static AtomicUsize = Box::leak(Box::default());
        let sources: Vec<Box<dyn Source>> = (0..6)
            .map(|i| {
                Box::new(Meets(SourceName::new(&format!("s{i}")), barrier, running, most)) as Box<dyn Source>
            })
            .collect();
        let limits = Limits { concurrency: 2, timeout: Duration::from_secs(30) };
        let collections = collect_all(&sources, Timestamp(0), limits).await;
        assert!(collections.iter().all(|c| c.gaps.is_empty()));
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_run_can_move_between_threads() {
        fn is_send<T: Send>(_: T) {}
        let none: Vec<Box<dyn Source>> = Vec::new();
        is_send(collect_all(&none, Timestamp(0), Limits::default()));
        is_send(check_all(&none, Limits::default()));
    }
}
