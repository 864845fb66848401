//! Counters of the receiver and the store's figures, as Prometheus text (version 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::{Counts, SourceFreshness};

/// The content type of the text format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What happened to webhooks since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    too_large: AtomicU64,
    branch: AtomicU64,
    failed: AtomicU64,
    commits: AtomicU64,
}

/// How a webhook ended before it reached the store.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// No signature or a wrong one.
    Refused,
    /// Signed, but not JSON; or cut short.
    Malformed,
    /// Over the body limit.
    TooLarge,
    /// Inside a branch: not true yet.
    Branch,
}

impl Metrics {
    /// Counts a webhook that did not reach the store.
    pub(super) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Refused => &self.refused,
            Outcome::Malformed => &self.malformed,
            Outcome::TooLarge => &self.too_large,
            Outcome::Branch => &self.branch,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a commit of so many hints, of which so many were new.
    pub(super) fn committed(&self, new: usize, hints: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(new as u64, Ordering::Relaxed);
        self.duplicate.fetch_add(hints.saturating_sub(new) as u64, Ordering::Relaxed);
    }

    /// Counts hints that the store did not take.
    pub(super) fn not_committed(&self, hints: usize) {
        self.failed.fetch_add(hints as u64, Ordering::Relaxed);
    }

    /// Everything as text. Without the store's figures if it does not answer.
    pub(super) fn render(&self, store: Option<(&Counts, &[SourceFreshness])>) -> String {
        let mut text = Text::default();
        text.family("surveyor_webhooks_total", "counter", "Webhooks by what became of them.");
        for (result, counter) in [
            ("accepted", &self.accepted),
            ("duplicate", &self.duplicate),
            ("refused", &self.refused),
            ("malformed", &self.malformed),
            ("too_large", &self.too_large),
            ("branch", &self.branch),
            ("failed", &self.failed),
        ] {
            text.sample("surveyor_webhooks_total", Some(("result", result)), counter.load(Ordering::Relaxed));
        }
        text.family(
            "surveyor_webhook_commits_total",
            "counter",
            "Transactions that webhooks were committed in.",
        );
        text.sample("surveyor_webhook_commits_total", None, self.commits.load(Ordering::Relaxed));
        text.family("surveyor_store_up", "gauge", "Whether the store answers.");
        text.sample("surveyor_store_up", None, u64::from(store.is_some()));
        let Some((counts, sources)) = store else { return text.0 };

        text.family("surveyor_inbox_backlog", "gauge", "Hints that are not finished.");
        text.sample("surveyor_inbox_backlog", None, counts.backlog);
        if let Some(oldest) = counts.oldest_hint {
            text.family(
                "surveyor_inbox_oldest_timestamp_seconds",
                "gauge",
                "When the oldest unfinished hint arrived.",
            );
            text.sample("surveyor_inbox_oldest_timestamp_seconds", None, seconds(oldest.millis()));
        }
        text.family("surveyor_receipts", "gauge", "Steps by how far they have got.");
        for (state, count) in &counts.receipts {
            text.sample("surveyor_receipts", Some(("state", state)), *count);
        }
        text.family(
            "surveyor_source_complete_timestamp_seconds",
            "gauge",
            "When a source was last read without a gap.",
        );
        for source in sources {
            if let Some(complete) = source.last_complete {
                let label = Some(("source", source.source.as_str()));
                text.sample("surveyor_source_complete_timestamp_seconds", label, seconds(complete.millis()));
            }
        }
        text.family("surveyor_source_gaps", "gauge", "What the last collection of a source could not read.");
        for source in sources {
            text.sample("surveyor_source_gaps", Some(("source", &source.source)), source.gaps);
        }
        text.0
    }
}

/// Whole seconds; a moment before 1970 is none.
fn seconds(millis: i64) -> u64 {
    u64::try_from(millis / 1000).unwrap_or(0)
}

/// Prometheus text in the making.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a metric.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail; here and below.
        let _written = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One line.
    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: u64) {
        let _written = match label {
            Some((key, text)) => {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                writeln!(self.0, "{name}{{{key}=\"{text}\"}} {value}")
            }
            None => writeln!(self.0, "{name} {value}"),
        };
    }
}
