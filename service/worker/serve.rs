//! The loops of `surveyor serve`: woken by webhooks, sweeping in between, discovering on schedule.
//!
//! A webhook is a hint: it only says that now is a good moment to look. The sweep looks anyway, so nothing depends on one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::approval::{Approvals, Held, Scope};
use super::changes::{self, Cursor};
use super::names::Push;
use super::{Entries, Service, StageMode, Staged};
use crate::model::Collection;
use crate::source::{Limits, collect_all};

/// Webhooks of one bulk edit arrive over some moments; one run takes them all.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Hints taken from the inbox at once.
const HINTS: usize = 1000;
/// How long taken hints are ours.
const HINT_LEASE_MS: i64 = 60_000;
/// How long hints and settled receipts are kept.
const HISTORY_MS: i64 = 90 * 24 * 3_600_000;

/// An error that stays the same is logged again after this long.
const REMIND: Duration = Duration::from_mins(10);

/// How often what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// NetBox's change log is looked at this often.
    pub sweep: Duration,
    /// Everything is compared this often, whatever the change log says.
    pub full_sweep: Duration,
    /// Sources are read this often; never if none.
    pub discover: Option<Duration>,
}

/// Runs until cancelled. Errors are logged and the next round tries again.
pub async fn serve(
    service: Arc<Service>,
    entries: Entries,
    limits: Limits,
    schedule: Schedule,
    wake: Arc<Notify>,
    stop: CancellationToken,
) {
    let approving = approve_loop(Arc::clone(&service), schedule, wake, stop.clone());
    let discovering = async {
        let Some(every) = schedule.discover.filter(|_| !entries.is_empty()) else { return };
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let collections = tokio::select! {
                () = stop.cancelled() => return,
                collections = read(&service, &entries, limits) => collections,
            };
            for collection in &collections {
                let error = collection.gaps.first().map(|gap| gap.reason.as_str());
                if let Err(error) = service.note_collection(collection, error).await {
                    tracing::warn!(error = format!("{error:#}"), "cannot note a source");
                }
            }
            match service.stage_exclusively(&collections, StageMode::Scheduled).await {
                Ok(staged) => log_staged(&staged),
                Err(error) => tracing::error!(error = format!("{error:#}"), "discovery run failed"),
            }
        }
    };
    tokio::join!(approving, discovering);
}

/// Reads everything there is now: devices that NetBox has got since the last time are sources this time.
async fn read(service: &Service, entries: &Entries, limits: Limits) -> Vec<Collection> {
    let expanded = entries.expanded(Ok(&service.clients.stager)).await;
    let readable = entries.build(&expanded, &[]);
    for fault in &readable.faults {
        tracing::error!(error = fault, "a source cannot be read");
    }
    collect_all(&readable.sources, service.now(), limits).await
}

async fn approve_loop(service: Arc<Service>, schedule: Schedule, wake: Arc<Notify>, stop: CancellationToken) {
    let holder = format!("serve-{}", std::process::id());
    let mut ticks = interval(schedule.sweep);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cursor = Cursor::default();
    let mut last_full: Option<Instant> = None;
    let mut trouble = Trouble::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = wake.notified() => sleep(DEBOUNCE).await,
            _ = ticks.tick() => {}
        }
        let is_full = last_full.is_none_or(|at| at.elapsed() >= schedule.full_sweep);
        match round(&service, &mut cursor, is_full, &holder).await {
            Ok(()) => {
                if is_full {
                    last_full = Some(Instant::now());
                }
                trouble.is_over();
            }
            Err(error) => trouble.is(format!("{error:#}")),
        }
    }
}

/// What went wrong in the last round: said once, and again from time to time while it stays the same.
#[derive(Debug, Default)]
struct Trouble(Option<(String, Instant)>);

impl Trouble {
    fn is(&mut self, error: String) {
        let is_known = self.0.as_ref().is_some_and(|(said, at)| *said == error && at.elapsed() < REMIND);
        if !is_known {
            tracing::error!(error, "approval run failed; it is tried again");
            self.0 = Some((error, Instant::now()));
        }
    }

    fn is_over(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("approval runs work again");
        }
    }
}

/// One look: the inbox is emptied, and if anything may have changed, everything that was decided is done.
async fn round(service: &Service, cursor: &mut Cursor, force: bool, holder: &str) -> anyhow::Result<()> {
    let now = service.now();
    let hints =
        service.store.take(holder, HINTS, HINT_LEASE_MS, now).await.context("cannot read the inbox")?;
    let own = service.own_users_cached().await.context("cannot ask NetBox who we are")?;
    let news =
        changes::since(&service.clients.stager, cursor, &own).await.context("cannot read the change log")?;
    // NetBox calls back for our own writes too: those are no news.
    let is_called = hints.iter().any(|hint| hint.user.as_ref().is_none_or(|user| !own.contains(user)));
    if force || news.anything || is_called || service.has_due_failures(now) || service.has_waiting() {
        let held = service.approve_exclusively(&everything()).await?;
        log_held(&held);
    }
    // Only now: a run that failed sees the same news and hints again.
    cursor.advance(&news);
    service.store.done(&hints, service.now()).await.context("cannot empty the inbox")?;
    if force {
        let before = now.plus_millis(-HISTORY_MS);
        service.store.prune_inbox(before).await.context("cannot prune the inbox")?;
        service.store.prune_history(before).await.context("cannot prune receipts")?;
    }
    Ok(())
}

/// All decisions, NetBox and DNS.
pub(super) fn everything() -> Approvals {
    Approvals { scope: Scope::All, write: true, push: Push::Now, undo: false, expect: None, suppose: false }
}

fn log_staged(staged: &Staged) {
    tracing::info!(
        candidates = staged.discovery.candidates.len(),
        proposed = staged.done.iter().filter(|done| done.failed.is_none()).count(),
        unchanged = staged.staging.unchanged.len(),
        gaps = staged.discovery.gaps.len(),
        writes = staged.writes,
        "discovery run done"
    );
    for gap in &staged.discovery.gaps {
        tracing::warn!(
            source.name = gap.source.as_str(),
            facts = gap.facts.as_str(),
            reason = gap.reason,
            "gap"
        );
    }
    for done in staged.done.iter().filter(|done| done.failed.is_some()) {
        tracing::warn!(plan.object = done.plan.object, error = done.failed, "not staged");
    }
}

fn log_held(held: &Held) {
    for done in &held.done {
        let reasons: Vec<&str> = done.plan.refused.iter().map(|refusal| refusal.reason.as_str()).collect();
        if let Some(error) = &done.failed {
            tracing::warn!(
                plan.object = done.plan.object,
                plan.title = done.plan.title,
                error,
                "plan failed"
            );
            continue;
        }
        if let Some(reason) = &done.overtaken {
            tracing::info!(
                plan.object = done.plan.object,
                plan.title = done.plan.title,
                reason,
                "planned again"
            );
            continue;
        }
        tracing::info!(
            plan.object = done.plan.object,
            plan.title = done.plan.title,
            plan.cause = ?done.plan.cause,
            steps = done.done,
            refused = reasons.join("; "),
            "plan done"
        );
    }
    for server in &held.servers {
        match &server.error {
            Some(error) => tracing::warn!(
                dns.server = server.name,
                error,
                "DNS push failed; the server keeps what it had"
            ),
            None if server.pushed => {
                tracing::info!(dns.server = server.name, changes = server.changes.len(), "DNS push done");
            }
            None => {}
        }
    }
    for reason in &held.disregarded {
        tracing::warn!(reason, "decision disregarded");
    }
}
