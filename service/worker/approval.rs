//! One approval run: what people decided is found in NetBox and made true.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::names::{Push, Server};
use super::{Done, Service, changes};
use crate::apply::Outcome;
use crate::model::{ObjectKind, ObjectRef, Timestamp};
use crate::netbox::view;
use crate::plan::lookup;
use crate::plan::materialize::{self, failure, materialize};
use crate::plan::rollback::rollback;
use crate::plan::view::{Machine, Ours, TAG};
use crate::plan::{Cause, Credential, Fields, Level, Phase, Plan, Step, Target, View, clash, reject};

/// Which objects a run looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything that was decided.
    All,
    /// Only what a person calls so: see [`lookup::find`].
    Named(String),
}

/// What a scope names.
type Objects = BTreeSet<ObjectRef>;

/// How often what was decided is planned, in one run.
const ROUNDS: usize = 4;

/// How long a failed object is left alone before it is tried again, by how often it failed.
const BACK_OFF_MS: [i64; 5] = [15_000, 60_000, 5 * 60_000, 15 * 60_000, 60 * 60_000];

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// Which objects.
    pub scope: Scope,
    /// Whether NetBox is written to.
    pub write: bool,
    /// What happens with DNS.
    pub push: Push,
    /// Undo instead: plan the roll back of the objects in scope.
    pub undo: bool,
    /// Only go on if the plans together have this hash.
    pub expect: Option<String>,
    /// Plan as if what is staged were approved; only without `write`.
    pub suppose: bool,
}

/// What an approval run found and did.
#[derive(Debug, Default)]
pub struct Held {
    /// Plans and how they fared; in a dry run nothing was done.
    pub done: Vec<Done>,
    /// Plans that wait for the answer to an earlier write.
    pub waiting: Vec<(Plan, String, Timestamp)>,
    /// DNS servers.
    pub servers: Vec<Server>,
    /// Decisions that do not count, and why.
    pub disregarded: Vec<String>,
    /// Hash over all plans.
    pub hash: String,
    /// Requests sent.
    pub requests: usize,
    /// Writes among them.
    pub writes: usize,
}

impl Held {
    /// Whether everything went through and nothing was refused.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty()
            && self.servers.iter().all(|server| server.error.is_none() && server.refused.is_empty())
            && self
                .done
                .iter()
                .all(|done| done.failed.is_none() && done.unsettled.is_none() && done.plan.refused.is_empty())
    }
}

/// The plans are not the ones that were expected.
#[derive(Debug, thiserror::Error)]
#[error(
    "the plan is now `{found}`, not `{expected}`: something changed since it was printed; nothing was written"
)]
pub struct Unexpected {
    /// Hash given.
    pub expected: String,
    /// Hash found.
    pub found: String,
}

impl Service {
    /// Finds what was decided, makes it true and says how it went.
    pub async fn approve(&self, approvals: &Approvals) -> anyhow::Result<Held> {
        let before = self.counts();
        let mut held = Held::default();
        // Two approvals wanted the same port or name: the second is planned again with the first in place. And what somebody
        // changed while it was written is planned again as it is now.
        for round in 0..ROUNDS {
            let deferred = self.round(approvals, &mut held, round).await?;
            if deferred == 0 || !approvals.write {
                break;
            }
        }
        let after = self.counts();
        held.requests = after.requests - before.requests;
        held.writes = after.writes - before.writes;
        Ok(held)
    }

    /// One pass; how many plans were put off to the next.
    async fn round(&self, approvals: &Approvals, held: &mut Held, round: usize) -> anyhow::Result<usize> {
        let own = self.own_users_cached().await.context("cannot ask NetBox who we are")?;
        let view = view::read_objects(&self.clients.stager, &self.settings.wishes)
            .await
            .context("cannot read what NetBox knows")?;
        let objects = match &approvals.scope {
            Scope::All => None,
            Scope::Named(text) => Some(BTreeSet::from([lookup::find(text, &view)?])),
        };
        let view = self.with_switches(view, objects.as_ref()).await?;
        let mut plans = self.plans(&view, approvals, objects.as_ref(), &own, held).await?;
        let deferred = clash::put_off(&mut plans);
        plans.retain(|plan| !plan.is_empty());
        let overall: Vec<String> = plans.iter().map(Plan::hash).collect();
        if round == 0 {
            held.hash = if let [one] = overall.as_slice() {
                one.clone()
            } else {
                crate::plan::stage::short_hash(&overall.join("\n"))
            };
            if let Some(expected) = approvals.expect.as_ref().filter(|expected| **expected != held.hash) {
                let found = held.hash.clone();
                return Err(Unexpected { expected: expected.clone(), found }.into());
            }
        }
        if !approvals.write {
            let push = if approvals.push == Push::Skip { Push::Skip } else { Push::DryRun };
            let next = materialize::after(&plans.iter().collect::<Vec<_>>(), &view);
            held.servers = self.push_names(&next, push).await;
            held.done.extend(plans.into_iter().map(Done::nothing_of));
            return Ok(deferred);
        }
        // Only a look at everything shows that nothing more is wanted for an object without a plan.
        let closing: &[&str] = if approvals.scope == Scope::All { &["materializer"] } else { &[] };
        let (ready, waiting) = self.settled(plans, &["stager", "materializer"], closing).await?;
        held.waiting = waiting;
        let again = self.run(ready, &view, approvals, held, round + 1 == ROUNDS).await?;
        Ok(deferred + again)
    }

    /// Executes: effects, then DNS, then the journal and the state; what failed is written down too. How many plans are to be
    /// made again, which in the last round have failed.
    async fn run(
        &self,
        plans: Vec<Plan>,
        view: &View,
        approvals: &Approvals,
        held: &mut Held,
        is_last: bool,
    ) -> anyhow::Result<usize> {
        let executor = self.executor("apply");
        let mut execution = executor.begin(plans).await?;
        execution.advance(Phase::Attributes).await?;
        if matches!(approvals.push, Push::Now | Push::Force) && !self.servers.is_empty() {
            let fresh = if execution.plans().is_empty() {
                view.clone()
            } else {
                view::read_addresses(&self.clients.stager, view.clone())
                    .await
                    .context("cannot read addresses")?
            };
            held.servers = self.push_names(&fresh, approvals.push).await;
            let failed: Vec<String> = held
                .servers
                .iter()
                .filter_map(|server| Some(format!("DNS server {}: {}", server.name, server.error.as_ref()?)))
                .collect();
            if !failed.is_empty() {
                let concerned: Vec<usize> = (0..execution.plans().len())
                    .filter(|position| {
                        let plan = &execution.plans()[*position];
                        plan.cause == Cause::Materialize && !plan.records.is_empty()
                    })
                    .collect();
                for position in concerned {
                    execution.stop(position, failed.join("; "));
                }
            }
        }
        let (plans, outcomes) = execution.finish().await?;
        let now = self.now();
        let mut reports = Vec::new();
        let is_again = |outcome: &Outcome| outcome.overtaken && !is_last;
        let again = outcomes.iter().filter(|outcome| is_again(outcome)).count();
        for (plan, outcome) in plans.iter().zip(&outcomes).filter(|(_, outcome)| !is_again(outcome)) {
            let machine = plan.netbox.and_then(|object| view.machine(object));
            if let (Cause::Materialize, Some(machine), Some(reason), None) =
                (plan.cause, machine, &outcome.failed, &outcome.unsettled)
            {
                self.note_failure(machine.object, now);
                let report = failure(machine, reason, now);
                if !report.is_empty() {
                    reports.push(report);
                }
            } else if let (Some(machine), true) = (machine, outcome.is_complete()) {
                self.forget_failure(machine.object);
            }
        }
        held.done.extend(plans.into_iter().zip(outcomes).map(|(plan, outcome)| {
            let is_again = is_again(&outcome);
            let mut done = Done::of(plan, outcome);
            if is_again {
                done.overtaken = done.failed.take();
            }
            done
        }));
        for report in self.execute("report", reports).await? {
            if let Some(error) = report.failed {
                tracing::warn!(plan.object = report.plan.object, %error, "cannot write down a failure in NetBox");
            }
        }
        Ok(again)
    }

    /// Everything that was decided, as plans.
    async fn plans(
        &self,
        view: &View,
        approvals: &Approvals,
        objects: Option<&Objects>,
        own: &BTreeSet<String>,
        held: &mut Held,
    ) -> anyhow::Result<Vec<Plan>> {
        let now = self.now();
        let seen = self.last_seen().await?;
        let foreign = if approvals.push == Push::Skip { Vec::new() } else { self.foreign_records().await };
        let context = materialize::Context { view, now, seen: &seen, foreign: &foreign };
        let mut plans = Vec::new();
        for machine in view.machines.iter().filter(|machine| in_scope(objects, machine.object)) {
            let Some(ours) = machine.ours.as_ref().filter(|_| machine.has_tag(TAG)) else { continue };
            let decision = ours.decision.as_deref().unwrap_or_default();
            let is_staged = machine.status == view.defaults.staged;
            let state = ours.state.as_deref().unwrap_or_default();
            let decider = match decision {
                "" => None,
                decision => self.decided_by(machine.object, "surveyor_decision", decision, own).await?,
            };
            if !decision.is_empty() && decider.is_none() {
                held.disregarded.push(format!(
                    "{} `{}`: nobody but Surveyor itself set the decision `{decision}`",
                    machine.object,
                    machine.title()
                ));
            }
            let decision = decider.as_ref().map_or("", |_| decision);
            if approvals.undo {
                plans.push(rollback(machine, view, now));
                continue;
            }
            match (decision, is_staged) {
                ("reject" | "ignore", true) => {
                    plans.push(reject::reject(machine, decider.as_deref().unwrap_or_default(), view, now));
                }
                ("undo", false) => plans.push(rollback(machine, view, now)),
                (_, true) if approvals.suppose && !approvals.write => {
                    plans.push(materialize(machine, &context));
                }
                (_, true) if state == "rolled-back" => plans.push(again(machine, ours)),
                (_, true) => {}
                (decision, false) => {
                    let is_open =
                        !matches!(state, "applied" | "rolled-back" | "retired" | "drifted" | "stale");
                    let is_wanted = is_open || decision == "accept";
                    let is_due = objects.is_some() || state != "failed" || self.is_due(machine.object, now);
                    if machine.status == "active" && ours.id.is_some() && is_wanted && is_due {
                        plans.push(materialize(machine, &context));
                    }
                }
            }
        }
        if objects.is_none() && !approvals.undo {
            self.push_cables(view, own, &mut plans, held).await?;
            plans.extend(reject::half_cables(view));
            plans.extend(self.snoozed(view, own).await?);
        } else if let Some(objects) = objects
            && objects.iter().any(|object| object.kind == ObjectKind::Cable)
        {
            if approvals.undo {
                let undone = view.cables.iter().filter(|cable| {
                    let object = ObjectRef::new(ObjectKind::Cable, cable.id);
                    objects.contains(&object) && cable.tags.contains(TAG) && cable.status == "connected"
                });
                plans.extend(undone.map(|cable| reject::undo_cable(cable, "surveyor rollback", view, now)));
            } else {
                self.push_cables(view, own, &mut plans, held).await?;
            }
            plans.retain(|plan| plan.netbox.is_some_and(|object| objects.contains(&object)));
        }
        Ok(plans)
    }

    /// Links: a planned cable that a person connected or rejected.
    async fn push_cables(
        &self,
        view: &View,
        own: &BTreeSet<String>,
        plans: &mut Vec<Plan>,
        held: &mut Held,
    ) -> anyhow::Result<()> {
        let now = self.now();
        for cable in view.cables.iter().filter(|cable| cable.tags.contains(TAG) && cable.ours.id.is_some()) {
            let object = ObjectRef::new(ObjectKind::Cable, cable.id);
            let decision = cable.ours.decision.as_deref().unwrap_or_default();
            if cable.status == "planned" && matches!(decision, "reject" | "ignore") {
                match self.decided_by(object, "surveyor_decision", decision, own).await? {
                    Some(by) => plans.push(reject::reject_cable(cable, &by, view, now)),
                    None => held
                        .disregarded
                        .push(format!("{object}: nobody but Surveyor itself set the decision")),
                }
            }
            if cable.status == "connected" && decision == "undo" {
                match self.decided_by(object, "surveyor_decision", decision, own).await? {
                    Some(by) => plans.push(reject::undo_cable(cable, &by, view, now)),
                    None => {
                        held.disregarded
                            .push(format!("{object}: nobody but Surveyor itself set the decision"));
                    }
                }
                continue;
            }
            let state = cable.ours.state.as_deref().unwrap_or_default();
            if cable.status == "connected" && state != "applied" && !cable.a.is_empty() && !cable.b.is_empty()
            {
                match self.decided_by(object, "status", "connected", own).await? {
                    Some(by) => plans.push(connected(object, &cable.ours, &cable.label, &by, now)),
                    None => {
                        held.disregarded.push(format!("{object}: nobody but Surveyor itself connected it"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Candidates that people deleted since the last look: not proposed again for a while.
    async fn snoozed(&self, view: &View, own: &BTreeSet<String>) -> anyhow::Result<Vec<Plan>> {
        let stored = self.store.cursor(DELETIONS).await.context("cannot read the place in the change log")?;
        let now = self.now();
        // The first look goes back as far as a deletion would still count.
        let mut cursor = match stored {
            Some(stored) => changes::Cursor::from_text(Some(&stored)),
            None => changes::Cursor::at(now.plus_millis(-self.settings.snooze_days * 24 * 3_600_000)),
        };
        let news = changes::since(&self.clients.stager, &cursor, own).await?;
        let until = now.plus_millis(self.settings.snooze_days * 24 * 3_600_000).day();
        let mut plans = Vec::new();
        for (_, by, row) in &news.deleted {
            if let Some((memory, title)) = self.memory_of(*row, by, until.clone(), now).await? {
                let is_back = !view.by_identity(&memory.identity).is_empty();
                let is_known = view
                    .tombstones
                    .iter()
                    .any(|tombstone| tombstone.identity.as_deref() == Some(&memory.identity));
                if !is_back && !is_known {
                    plans.push(reject::snooze(&memory, &title, view));
                }
            }
        }
        cursor.advance(&news);
        // The place is kept one look behind: if this run is cut short, the next one sees the same deletions.
        if let Some(place) = cursor.to_text().filter(|_| plans.is_empty()) {
            self.store
                .set_cursor(DELETIONS, &place)
                .await
                .context("cannot keep the place in the change log")?;
        }
        Ok(plans)
    }

    /// Adds the interfaces of what was decided, and of the switches they are proposed on.
    async fn with_switches(&self, view: View, wanted: Option<&Objects>) -> anyhow::Result<View> {
        let mut objects: BTreeSet<ObjectRef> = view
            .machines
            .iter()
            .filter(|machine| {
                in_scope(wanted, machine.object) && is_interesting(machine, &view, wanted.is_some())
            })
            .map(|machine| machine.object)
            .collect();
        let device = |id: i64| ObjectRef::new(ObjectKind::Device, id);
        let named: Vec<ObjectRef> = view
            .machines
            .iter()
            .filter(|machine| objects.contains(&machine.object))
            .filter_map(|machine| machine.ours.as_ref()?.switch.map(device))
            .collect();
        objects.extend(named);
        if objects.is_empty() {
            return Ok(view);
        }
        let view = self.with_interfaces(view, &objects).await?;
        let more: BTreeSet<ObjectRef> =
            view.interfaces.iter().filter_map(|interface| interface.ours.switch.map(device)).collect();
        if more.iter().all(|object| objects.contains(object)) {
            return Ok(view);
        }
        objects.extend(more);
        self.with_interfaces(view, &objects).await
    }

    fn note_failure(&self, object: ObjectRef, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (count, next) = failures.entry(object).or_insert((0, now));
        let wait = BACK_OFF_MS.get(*count).or(BACK_OFF_MS.last()).copied().unwrap_or_default();
        *next = now.plus_millis(wait);
        *count += 1;
    }

    fn forget_failure(&self, object: ObjectRef) {
        self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&object);
    }

    fn is_due(&self, object: ObjectRef, now: Timestamp) -> bool {
        let failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        failures.get(&object).is_none_or(|(_, next)| *next <= now)
    }

    /// Whether anything waits to be tried again.
    pub(super) fn has_due_failures(&self, now: Timestamp) -> bool {
        let failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        failures.values().any(|(_, next)| *next <= now)
    }
}

/// Bookmark of the last look for deleted candidates.
const DELETIONS: &str = "changes.deletions";

fn in_scope(objects: Option<&Objects>, object: ObjectRef) -> bool {
    objects.is_none_or(|objects| objects.contains(&object))
}

/// Whether the planner may have to do something about it.
fn is_interesting(machine: &Machine, view: &View, is_named: bool) -> bool {
    if is_named {
        return true;
    }
    let Some(ours) = machine.ours.as_ref().filter(|_| machine.has_tag(TAG)) else { return false };
    let decided = ours.decision.as_deref().is_some_and(|decision| !decision.is_empty());
    let open =
        machine.status == "active" && !matches!(ours.state.as_deref(), Some("applied" | "rolled-back"));
    let again = machine.status == view.defaults.staged && ours.state.as_deref() == Some("rolled-back");
    decided || open || again
}

/// A rolled back object that a person set to staged again: it is a candidate like any other.
fn again(machine: &Machine, ours: &Ours) -> Plan {
    let mut plan = Plan::new(materialize::title_identity(machine), machine.title(), Cause::Stage);
    plan.netbox = Some(machine.object);
    let custom =
        |state: &str| Fields::from([("custom_fields".to_owned(), json!({ "surveyor_state": state }))]);
    let step = Step::Change {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        before: custom(ours.state.as_deref().unwrap_or_default()),
        after: custom("candidate"),
        guard: false,
    };
    plan.push(Phase::State, Credential::Stager, step, "state candidate: it was staged again");
    plan
}

/// A link that a person approved: nothing else changes, and it says so.
fn connected(object: ObjectRef, ours: &Ours, label: &str, by: &str, now: Timestamp) -> Plan {
    let identity = ours.id.clone().unwrap_or_else(|| object.to_string());
    let mut plan = Plan::new(identity.clone(), label, Cause::Materialize);
    plan.netbox = Some(object);
    let step = Step::Note {
        kind: object.kind,
        target: Target::Id(object.id),
        key: format!("{identity}|connected|{}", object.id),
        level: Level::Success,
        text: format!("**Connected** by {}.\n\nAt {now}", crate::model::name::escape_markdown(by, 64)),
    };
    plan.push(Phase::Journal, Credential::Materializer, step, "journal entry: connected");
    let custom = serde_json::Map::from_iter([
        ("surveyor_state".to_owned(), json!("applied")),
        ("surveyor_proposal".to_owned(), Value::Null),
    ]);
    materialize::push_state(object, ours, custom, &mut plan, "state applied");
    plan
}
