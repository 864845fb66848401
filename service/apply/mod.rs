//! Executes plans: intent, effect, receipt. It makes no choices.
//!
//! Steps of many plans are merged by phase into bulk calls. NetBox's bulk calls are all or none: the rows it names are dropped
//! with their objects and the rest is sent again; where it names none the call is halved. One object's trouble is never
//! another's. The intent is committed before the call and the receipt after it; a write without an answer is *unsettled*, and its
//! object gets no further write until its effect is seen or `netbox.settle_after_seconds` have passed.

mod body;
mod bulk;
pub mod settle;
mod single;

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::model::ObjectKind;
use crate::netbox::Client;
use crate::plan::{Credential, Key, Phase, Plan, PlannedStep, Step};
use crate::store::{self, NewPlan, ReceiptState, Settlement, Store};

/// Objects in one bulk call. NetBox takes about 50 ms a device: a call stays near five seconds.
const BULK: usize = 100;

/// The clients a step can be done as.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Writes staged objects.
    pub stager: Client,
    /// Writes approved objects.
    pub materializer: Client,
}

impl Clients {
    const fn of(&self, credential: Credential) -> &Client {
        match credential {
            Credential::Stager => &self.stager,
            Credential::Materializer | Credential::Admin => &self.materializer,
        }
    }
}

/// What executing needs.
pub struct Executor<'a> {
    /// As whom.
    pub clients: &'a Clients,
    /// Where intents and receipts are committed.
    pub store: &'a Store,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Names the run, in receipts and in NetBox's change log.
    pub run: String,
}

/// How a plan fared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Steps done.
    pub done: usize,
    /// Why the rest was not done.
    pub failed: Option<String>,
    /// A write had no answer; what was sent.
    pub unsettled: Option<String>,
    /// Why it failed is only that somebody changed an object between reading and writing it.
    pub overtaken: bool,
}

impl Outcome {
    /// Whether every step was done.
    pub const fn is_complete(&self) -> bool {
        self.failed.is_none() && self.unsettled.is_none()
    }

    const fn is_stopped(&self) -> bool {
        !self.is_complete()
    }
}

/// A run of many plans, phase by phase.
pub struct Execution<'a> {
    executor: &'a Executor<'a>,
    plans: Vec<Plan>,
    receipts: Vec<Vec<String>>,
    outcomes: Vec<Outcome>,
    made: HashMap<Key, i64>,
    next: Option<Phase>,
    /// NetBox itself is out of reach or refuses us: nothing more is tried.
    systemic: Option<String>,
}

/// One step of one plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    plan: usize,
    step: usize,
}

/// What can go together in one call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Create(Credential, ObjectKind),
    Change(Credential, ObjectKind),
    Note(Credential),
    /// Guarded changes and deletions: one by one.
    Single(Credential, At),
}

impl<'a> Executor<'a> {
    /// Commits every step as planned, in one transaction. Nothing is sent yet.
    pub async fn begin(&'a self, plans: Vec<Plan>) -> anyhow::Result<Execution<'a>> {
        let rows: Vec<NewPlan> = plans.iter().map(receipt_rows).collect();
        let now = self.clock.now();
        let objects: Vec<String> = rows.iter().map(|plan| plan.object.clone()).collect();
        self.store.drop_objects(&objects, now).await.context("cannot drop older plans")?;
        let receipts =
            self.store.plans_begin(&self.run, &rows, now).await.context("cannot commit the plans")?;
        Ok(Execution {
            executor: self,
            outcomes: vec![Outcome::default(); plans.len()],
            plans,
            receipts,
            made: HashMap::new(),
            next: None,
            systemic: None,
        })
    }
}

impl Execution<'_> {
    /// Runs every phase up to and including this one.
    pub async fn advance(&mut self, until: Phase) -> anyhow::Result<()> {
        let mut phases: BTreeMap<Phase, BTreeMap<Group, Vec<At>>> = BTreeMap::new();
        for (plan, steps) in self.plans.iter().enumerate() {
            for (step, planned) in steps.steps.iter().enumerate() {
                let is_due = planned.phase <= until && self.next.is_none_or(|next| planned.phase > next);
                if let Some(group) = group(planned, At { plan, step }).filter(|_| is_due) {
                    phases
                        .entry(planned.phase)
                        .or_default()
                        .entry(group)
                        .or_default()
                        .push(At { plan, step });
                }
            }
        }
        for groups in phases.into_values() {
            for (group, steps) in groups {
                self.run_group(&group, steps).await?;
            }
        }
        self.next = Some(until);
        Ok(())
    }

    /// Runs everything that is left.
    pub async fn finish(mut self) -> anyhow::Result<(Vec<Plan>, Vec<Outcome>)> {
        self.advance(Phase::State).await?;
        self.drop_rest().await?;
        Ok((self.plans, self.outcomes))
    }

    /// How each plan fared so far.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The plans, in the order given.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// Keeps a plan from going on: something outside it (a DNS server) failed.
    pub fn stop(&mut self, plan: usize, reason: String) {
        if let Some(outcome) = self.outcomes.get_mut(plan).filter(|outcome| !outcome.is_stopped()) {
            outcome.failed = Some(reason);
        }
    }

    /// Why nothing more can be done at all, if so.
    pub fn systemic(&self) -> Option<&str> {
        self.systemic.as_deref()
    }

    fn planned(&self, at: At) -> &PlannedStep {
        &self.plans[at.plan].steps[at.step]
    }

    async fn run_group(&mut self, group: &Group, steps: Vec<At>) -> anyhow::Result<()> {
        let alive: Vec<At> = steps.into_iter().filter(|at| !self.outcomes[at.plan].is_stopped()).collect();
        if let Some(reason) = self.systemic.clone() {
            for at in alive {
                self.outcomes[at.plan].failed.get_or_insert_with(|| reason.clone());
            }
            return Ok(());
        }
        match group {
            Group::Single(credential, at) => {
                if alive.contains(at) {
                    self.run_single(*credential, *at).await?;
                }
            }
            Group::Create(..) | Group::Change(..) | Group::Note(_) => {
                for chunk in self.chunks(alive) {
                    self.run_bulk(group, chunk).await?;
                }
            }
        }
        Ok(())
    }

    /// At most [`BULK`] rows, and no object twice in one call (NetBox 4.7 refuses repeated ids).
    fn chunks(&self, steps: Vec<At>) -> Vec<Vec<At>> {
        let mut chunks: Vec<(Vec<At>, std::collections::BTreeSet<String>)> = Vec::new();
        for at in steps {
            let target = match &self.planned(at).step {
                Step::Change { target, .. } => target.to_string(),
                _ => format!("{at:?}"),
            };
            let free =
                chunks.iter_mut().find(|(rows, targets)| rows.len() < BULK && !targets.contains(&target));
            match free {
                Some((rows, targets)) => {
                    rows.push(at);
                    targets.insert(target);
                }
                None => chunks.push((vec![at], std::collections::BTreeSet::from([target]))),
            }
        }
        chunks.into_iter().map(|(rows, _)| rows).collect()
    }

    fn receipt(&self, at: At) -> String {
        self.receipts[at.plan].get(at.step).cloned().unwrap_or_default()
    }

    /// Commits that these steps are about to be sent; those that a newer plan dropped are left out.
    async fn intend(&mut self, steps: Vec<At>) -> anyhow::Result<Vec<At>> {
        let ids: Vec<String> = steps.iter().map(|at| self.receipt(*at)).collect();
        let now = self.executor.clock.now();
        let allowed = self.executor.store.intend(&ids, now).await.context("cannot commit the intent")?;
        let mut kept = Vec::with_capacity(steps.len());
        for (at, id) in steps.into_iter().zip(ids) {
            if allowed.contains(&id) {
                kept.push(at);
            } else {
                self.outcomes[at.plan].failed.get_or_insert_with(|| "a newer plan took its place".to_owned());
            }
        }
        Ok(kept)
    }

    async fn settle(
        &mut self,
        settlements: Vec<(At, ReceiptState, Option<Value>, Option<String>)>,
    ) -> anyhow::Result<()> {
        let rows: Vec<Settlement> = settlements
            .iter()
            .map(|(at, state, effect, reason)| Settlement {
                id: self.receipt(*at),
                state: *state,
                effect: effect.as_ref().map(ToString::to_string),
                reason: reason.clone(),
            })
            .collect();
        let now = self.executor.clock.now();
        self.executor.store.settle(&rows, now).await.context("cannot commit the receipts")?;
        for (at, state, effect, reason) in settlements {
            let label = self.planned(at).label.clone();
            match state {
                ReceiptState::Done => {
                    self.outcomes[at.plan].done += 1;
                    let id = effect.as_ref().and_then(|effect| effect.get("id")).and_then(Value::as_i64);
                    if let (Step::Create { key, .. }, Some(id)) = (&self.planned(at).step, id) {
                        let key = key.clone();
                        self.made.insert(key, id);
                    }
                }
                ReceiptState::Unsettled => self.outcomes[at.plan].unsettled = Some(label),
                _ => {
                    let reason = reason.unwrap_or_default();
                    self.outcomes[at.plan].failed.get_or_insert(format!("{label}: {reason}"));
                }
            }
        }
        Ok(())
    }

    /// Steps of stopped plans that were never sent: they will be planned again if they are still wanted.
    async fn drop_rest(&self) -> anyhow::Result<()> {
        let stopped =
            |plan: &usize| self.outcomes[*plan].failed.is_some() && self.outcomes[*plan].unsettled.is_none();
        let ids: Vec<String> =
            (0..self.plans.len()).filter(stopped).flat_map(|plan| self.receipts[plan].clone()).collect();
        let now = self.executor.clock.now();
        self.executor.store.drop_planned(&ids, now).await.context("cannot commit the receipts")?;
        Ok(())
    }
}

/// Where a step belongs; none for what is not done here (DNS).
const fn group(planned: &PlannedStep, at: At) -> Option<Group> {
    let credential = planned.credential;
    match &planned.step {
        Step::Create { kind, .. } => Some(Group::Create(credential, *kind)),
        Step::Change { kind, guard: false, .. } => Some(Group::Change(credential, *kind)),
        Step::Change { .. } | Step::Delete { .. } => Some(Group::Single(credential, at)),
        Step::Note { .. } => Some(Group::Note(credential)),
        Step::ReplaceFile { .. } => None,
    }
}

/// The plan as the store keeps it.
fn receipt_rows(plan: &Plan) -> NewPlan {
    let steps = plan.steps.iter().enumerate().map(|(seq, planned)| {
        let (request, before) = match &planned.step {
            Step::Create { fields, .. } => (json!(fields), None),
            Step::Change { after, before, .. } => (json!(after), Some(json!(before))),
            Step::Delete { object, guard } => (json!(object), Some(json!(guard))),
            Step::Note { key, .. } => (json!({ "surveyor_key": key }), None),
            Step::ReplaceFile { from_hash, to_hash, .. } => {
                (json!({ "to": to_hash }), Some(json!({ "from": from_hash })))
            }
        };
        store::PlannedStep {
            step: planned.step.name(),
            seq: i64::try_from(seq).unwrap_or(i64::MAX),
            verb: planned.step.verb().to_owned(),
            kind: planned.step.kind().map_or_else(|| "dns".to_owned(), |kind| kind.content_type().to_owned()),
            credential: credential_name(planned.credential).to_owned(),
            request: request.to_string(),
            before: before.map(|before| before.to_string()),
        }
    });
    NewPlan { plan: plan.hash(), object: plan.object.clone(), steps: steps.collect() }
}

/// The credential as receipts name it.
pub(crate) const fn credential_name(credential: Credential) -> &'static str {
    match credential {
        Credential::Stager => "stager",
        Credential::Materializer => "materializer",
        Credential::Admin => "admin",
    }
}
