//! One staging run: what was found becomes proposals in NetBox.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use super::{Done, Service, discovery};
use crate::correlate;
use crate::model::{Collection, Discovery, Known, Timestamp};
use crate::netbox::view;
use crate::plan::stage::{Context, Staging, claim_hash, stage, to_explain};
use crate::plan::{Plan, View};

/// What a staging run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageMode {
    /// Only say what would be done.
    DryRun,
    /// A person asked for it: everything found is proposed now.
    Now,
    /// On schedule: a claim has to hold for two runs before it is proposed.
    Scheduled,
}

/// Runs in a row that a claim has to hold before the scheduler stages it.
const STEADY_RUNS: u64 = 2;

/// What a staging run found and did.
#[derive(Debug, Default)]
pub struct Staged {
    /// Candidates, links, conflicts, gaps.
    pub discovery: Discovery,
    /// What became of each; plans are moved to `done`.
    pub staging: Staging,
    /// Plans and how they fared; with a dry run, nothing was done.
    pub done: Vec<Done>,
    /// Plans that wait for the answer to an earlier write: the step and until when.
    pub waiting: Vec<(Plan, String, Timestamp)>,
    /// Requests and writes sent.
    pub requests: usize,
    /// Writes among them.
    pub writes: usize,
}

impl Staged {
    /// Whether everything went through.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty()
            && self.discovery.gaps.is_empty()
            && self.done.iter().all(|done| done.failed.is_none() && done.unsettled.is_none())
    }
}

/// What was found, beside what NetBox knows.
#[derive(Debug)]
pub struct Discovered {
    /// Candidates, links, conflicts, gaps.
    pub discovery: Discovery,
    /// NetBox, with the interfaces that planners need.
    pub view: View,
    /// What correlation was told of NetBox.
    pub known: Known,
}

/// Plans what was found, with the reasoning in the journal entries: worked out for those alone that get one.
pub fn plan(collections: &[Collection], found: &Discovered, context: &Context<'_>) -> Staging {
    let staging = stage(&found.discovery, context);
    let explanations = correlate::explain_each(collections, &found.known, &to_explain(&staging));
    if explanations.is_empty() {
        return staging;
    }
    stage(&found.discovery, &Context { explanations: &explanations, ..*context })
}

impl Service {
    /// Correlates these collections with what NetBox knows.
    pub async fn discover(&self, collections: &[Collection]) -> anyhow::Result<Discovered> {
        let view = view::read(&self.clients.stager, &self.settings.wishes)
            .await
            .context("cannot read what NetBox knows")?;
        let mut known = discovery::known(&view, self.settings.stage_random_macs);
        let mut discovery = discovery::correlate(collections, &known);
        let view = self.with_interfaces(view.clone(), &discovery::of_interest(&discovery, &view)).await?;
        let devices = discovery::devices(&discovery, &view);
        known.uplinks = discovery::uplinks(&devices, &view);
        if !known.uplinks.is_empty() {
            discovery = discovery::correlate(collections, &known);
        }
        Ok(Discovered { discovery, view, known })
    }

    /// What staging would make of it, in this moment, whatever was planned earlier.
    pub fn preview(&self, found: &Discovered) -> Staging {
        let context = Context {
            view: &found.view,
            policy: &self.settings.policy,
            now: self.now(),
            open_steps: &BTreeSet::new(),
            explanations: &BTreeMap::new(),
        };
        stage(&found.discovery, &context)
    }

    /// Plans what these collections show and, unless it is a dry run, proposes it in NetBox.
    pub async fn stage(&self, collections: &[Collection], mode: StageMode) -> anyhow::Result<Staged> {
        let before = self.counts();
        let now = self.now();
        let mut found = self.discover(collections).await?;
        if mode != StageMode::DryRun {
            self.hold_unsteady(&mut found.discovery, mode, now).await?;
        }
        let open_steps: BTreeSet<String> = self
            .store
            .open_steps("note")
            .await
            .context("cannot read receipts")?
            .into_iter()
            .chain(self.store.open_steps("create").await.context("cannot read receipts")?)
            .chain(self.store.open_steps("change").await.context("cannot read receipts")?)
            .map(|row| row.step)
            .collect();
        let context = Context {
            view: &found.view,
            policy: &self.settings.policy,
            now,
            open_steps: &open_steps,
            explanations: &BTreeMap::new(),
        };
        let mut staging = plan(collections, &found, &context);
        let plans = std::mem::take(&mut staging.plans);
        let mut staged = Staged { discovery: found.discovery, staging, ..Staged::default() };
        if mode == StageMode::DryRun {
            staged.done = plans.into_iter().map(Done::nothing_of).collect();
        } else {
            let (ready, waiting) = self.settled(plans, &["stager"], &["stager"]).await?;
            staged.waiting = waiting;
            staged.done = self.execute("stage", ready).await?;
        }
        let after = self.counts();
        staged.requests = after.requests - before.requests;
        staged.writes = after.writes - before.writes;
        Ok(staged)
    }

    /// Executes plans that touch no DNS.
    pub(super) async fn execute(&self, kind: &str, plans: Vec<Plan>) -> anyhow::Result<Vec<Done>> {
        if plans.is_empty() {
            return Ok(Vec::new());
        }
        let executor = self.executor(kind);
        let execution = executor.begin(plans).await?;
        let (plans, outcomes) = execution.finish().await?;
        Ok(plans.into_iter().zip(outcomes).map(|(plan, outcome)| Done::of(plan, outcome)).collect())
    }

    /// Notes every claim; on schedule, new ones that did not hold yet are kept back.
    async fn hold_unsteady(
        &self,
        discovery: &mut Discovery,
        mode: StageMode,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let claims: Vec<(String, String)> = discovery
            .candidates
            .iter()
            .map(|candidate| (candidate.identity.to_string(), claim_hash(candidate)))
            .collect();
        let run = self.run_name("claims");
        let streaks = self.store.seen(&claims, &run, now).await.context("cannot note what was seen")?;
        if mode == StageMode::Scheduled {
            for candidate in &mut discovery.candidates {
                let streak = streaks.get(candidate.identity.as_str()).copied().unwrap_or_default();
                if streak < STEADY_RUNS && candidate.evidence_only.is_none() {
                    candidate.evidence_only = Some(
                        "seen like this for the first time: proposed when the next run agrees".to_owned(),
                    );
                }
            }
        }
        Ok(())
    }
}
