//! What Surveyor does, over and over: discover and stage, find what people decided and make it true.
//!
//! Every command that writes goes through here, and so does `serve`: there is one path, taken by hand or on a schedule.

mod approval;
mod changes;
mod discovery;
mod names;
mod serve;
mod sources;
mod staging;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;

use crate::apply::{Clients, Executor, Outcome, settle};
use crate::clock::Clock;
use crate::dns::Unbound;
use crate::model::{Collection, ObjectRef, Timestamp};
use crate::netbox::{self, view};
use crate::plan::stage::Policy;
use crate::plan::{Plan, View};
use crate::store::{NewCollection, Store};

pub use approval::{Approvals, Held, Scope, Unexpected};
pub use discovery::{correlate, correlate_each, devices, known, uplinks};
pub use names::{Push, Server};
pub use serve::{Schedule, serve};
pub use sources::{Entries, Readable};
pub use staging::{Discovered, StageMode, Staged, plan};

/// What the worker is told by the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Slugs of what new objects need.
    pub wishes: view::Wishes,
    /// How far staging goes.
    pub policy: Policy,
    /// After this long no NetBox can still be working on a write that had no answer, in milliseconds.
    pub settle_after_ms: i64,
    /// TTL of DNS records, seconds.
    pub dns_ttl: u32,
    /// Days a deleted candidate is not proposed again.
    pub snooze_days: i64,
    /// Whether randomised MAC addresses are staged.
    pub stage_random_macs: bool,
}

/// Everything that acts: two NetBox clients, the local store, the DNS servers, the clock.
pub struct Service {
    /// NetBox, as the stager and as the materializer.
    pub clients: Clients,
    /// The local database.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What the configuration says.
    pub settings: Settings,
    /// DNS servers; none without `[dns]`.
    pub servers: Vec<Unbound>,
    /// Objects that failed: how often, and when they are tried again.
    failures: Mutex<BTreeMap<ObjectRef, (usize, Timestamp)>>,
    /// Our users, once NetBox was asked.
    own: tokio::sync::OnceCell<BTreeSet<String>>,
    /// Whether the last run left plans that wait for an answer.
    waiting: AtomicBool,
}

/// How one plan fared, for people and for `--json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Done {
    /// The plan.
    pub plan: Plan,
    /// Steps that were done.
    pub done: usize,
    /// Why the rest was not.
    pub failed: Option<String>,
    /// A write had no answer.
    pub unsettled: Option<String>,
    /// Somebody changed an object meanwhile: what was left was planned again, right away.
    pub overtaken: Option<String>,
}

impl Done {
    /// A plan of which nothing was done.
    const fn nothing_of(plan: Plan) -> Self {
        Self { plan, done: 0, failed: None, unsettled: None, overtaken: None }
    }

    /// A plan and how it ended.
    fn of(plan: Plan, outcome: Outcome) -> Self {
        let Outcome { done, failed, unsettled, .. } = outcome;
        Self { plan, done, failed, unsettled, overtaken: None }
    }
}

impl Service {
    /// Everything that acts, together.
    pub fn new(
        clients: Clients,
        store: Store,
        clock: Arc<dyn Clock>,
        settings: Settings,
        servers: Vec<Unbound>,
    ) -> Self {
        Self {
            clients,
            store,
            clock,
            settings,
            servers,
            failures: Mutex::default(),
            own: tokio::sync::OnceCell::new(),
            waiting: AtomicBool::new(false),
        }
    }

    /// [`Self::stage`], while nothing else writes.
    pub async fn stage_exclusively(
        &self,
        collections: &[Collection],
        mode: StageMode,
    ) -> anyhow::Result<Staged> {
        let _claim = self.store.claim_writing().await.context("cannot get the right to write")?;
        let run = self.run_name("stage");
        self.store.run_begin(&run, "stage", self.now()).await.context("cannot note the run")?;
        let staged = self.stage(collections, mode).await?;
        let summary = serde_json::json!({
            "candidates": staged.discovery.candidates.len(),
            "plans": staged.done.len(),
            "failed": staged.done.iter().filter(|done| done.failed.is_some()).count(),
            "gaps": staged.discovery.gaps.len(),
            "writes": staged.writes,
        });
        self.store.run_end(&run, &summary.to_string(), self.now()).await.context("cannot note the run")?;
        Ok(staged)
    }

    /// [`Self::approve`], while nothing else writes.
    pub async fn approve_exclusively(&self, approvals: &Approvals) -> anyhow::Result<Held> {
        let _claim = self.store.claim_writing().await.context("cannot get the right to write")?;
        let held = self.approve(approvals).await?;
        self.waiting.store(!held.waiting.is_empty(), Ordering::Relaxed);
        Ok(held)
    }

    /// Whether the last approval run left plans that wait for an answer.
    fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// [`Self::own_users`], asked once.
    async fn own_users_cached(&self) -> Result<BTreeSet<String>, netbox::Error> {
        self.own.get_or_try_init(|| self.own_users()).await.cloned()
    }

    /// Notes how fresh a source is.
    pub async fn note_collection(&self, collection: &Collection, error: Option<&str>) -> anyhow::Result<()> {
        let complete = collection.gaps.is_empty();
        let gaps = u64::try_from(collection.gaps.len()).unwrap_or(u64::MAX);
        let observed_at = collection.observed_at;
        let source = collection.source.as_str();
        let noted = NewCollection { source, blob: &[], observed_at, complete, gaps, error };
        self.store.save_collection(&noted, self.now()).await.context("cannot note how fresh a source is")?;
        Ok(())
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A name for a run, unique enough: what it is and when it began.
    fn run_name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.now().millis())
    }

    /// NetBox's user names of our two credentials: their writes are never a person's decision.
    pub(crate) async fn own_users(&self) -> Result<BTreeSet<String>, netbox::Error> {
        let (stager, materializer) =
            futures_util::future::try_join(self.clients.stager.me(), self.clients.materializer.me()).await?;
        Ok(BTreeSet::from([stager.username, materializer.username]))
    }

    /// Requests and writes sent to NetBox so far.
    pub fn counts(&self) -> netbox::Counts {
        let (a, b) = (self.clients.stager.counts(), self.clients.materializer.counts());
        if self.clients.stager.shares_counts(&self.clients.materializer) {
            return a;
        }
        netbox::Counts { requests: a.requests + b.requests, writes: a.writes + b.writes }
    }

    /// Adds the interfaces of these machines to the view.
    async fn with_interfaces(&self, view: View, machines: &BTreeSet<ObjectRef>) -> anyhow::Result<View> {
        view::read_interfaces(&self.clients.stager, view, machines)
            .await
            .context("cannot read interfaces from NetBox")
    }

    /// Leaves out plans whose last write has no answer yet, and settles those whose effect is there.
    async fn settled(
        &self,
        plans: Vec<Plan>,
        credentials: &[&str],
        closing: &[&str],
    ) -> anyhow::Result<(Vec<Plan>, Vec<(Plan, String, Timestamp)>)> {
        let unsettled = self.store.unsettled(None).await.context("cannot read receipts")?;
        let credentials: BTreeSet<&str> = credentials.iter().copied().collect();
        let now = self.now();
        let closing: BTreeSet<&str> = closing.iter().copied().collect();
        let sent = settle::Sent { rows: &unsettled, credentials: &credentials, closing: &closing };
        let settled = settle::settle(plans, &sent, self.settings.settle_after_ms, now);
        self.store.settle(&settled.settlements, now).await.context("cannot commit receipts")?;
        Ok((settled.ready, settled.waiting))
    }

    fn executor(&self, kind: &str) -> Executor<'_> {
        Executor {
            clients: &self.clients,
            store: &self.store,
            clock: self.clock.as_ref(),
            run: self.run_name(kind),
        }
    }

    /// When identities were last seen, as far as the store knows.
    async fn last_seen(&self) -> anyhow::Result<BTreeMap<String, Timestamp>> {
        self.store.claims_seen_at().await.context("cannot read when hosts were last seen")
    }
}
