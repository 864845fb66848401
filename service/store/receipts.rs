//! What was planned, begun and done, one row a step: committed as planned with its plan, as intended before the call and with its
//! effect after it. Knows nothing of what the steps mean, except that a note comes last.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use super::pool::{clean, in_transaction, list, rows, with_pool};
use super::{Store, StoreError};
use crate::model::Timestamp;

/// Columns of a new row.
const COLUMNS: usize = 13;

/// How far a step has got.
///
/// ```text
/// planned -> intended -> done
///    |          |  \---> unsettled -> done | failed
///    |          \------> failed
///    \-----> dropped
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// Decided, nothing sent.
    Planned,
    /// About to be sent, or sent and not answered when the process ended.
    Intended,
    /// Took effect.
    Done,
    /// Sent, no answer: it may still take effect.
    Unsettled,
    /// Refused or failed; had no effect.
    Failed,
    /// Never sent: a newer plan, or a trouble of its object, came first.
    Dropped,
}

impl ReceiptState {
    /// The text in the column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Unsettled => "unsettled",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for ReceiptState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for ReceiptState {
    type Error = UnknownState;

    fn try_from(text: String) -> Result<Self, UnknownState> {
        [Self::Planned, Self::Intended, Self::Done, Self::Unsettled, Self::Failed, Self::Dropped]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState(text))
    }
}

/// A state in the database that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown receipt state `{0}`")]
pub struct UnknownState(String);

/// A step as it is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// Names the step across runs: the same write planned again has the same name.
    pub step: String,
    /// Its place in the plan.
    pub seq: i64,
    /// `create`, `change`, `delete`, `note`, `replace_file`.
    pub verb: String,
    /// The NetBox model it writes, or what else.
    pub kind: String,
    /// As whom.
    pub credential: String,
    /// What will be sent, as JSON.
    pub request: String,
    /// What is there now, as JSON: what an undo restores.
    pub before: Option<String>,
}

/// A plan as it is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlan {
    /// Names the plan: its hash.
    pub plan: String,
    /// The object it is for.
    pub object: String,
    /// Its steps.
    pub steps: Vec<PlannedStep>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The receipt.
    pub id: String,
    /// `done`, `failed`, `unsettled` or `dropped`.
    pub state: ReceiptState,
    /// What came of it, as JSON: the id of what was made, the tag of what was changed.
    pub effect: Option<String>,
    /// Why not, in words.
    pub reason: Option<String>,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReceiptRow {
    /// Names the row.
    pub id: String,
    /// The run it was planned in.
    pub run: String,
    /// The plan's hash.
    pub plan: String,
    /// The object the plan is for.
    pub object: String,
    /// Names the step across runs.
    pub step: String,
    /// Its place in the plan.
    pub seq: i64,
    /// What kind of write.
    pub verb: String,
    /// What it writes to.
    pub kind: String,
    /// As whom.
    pub credential: String,
    /// What was to be sent, as JSON.
    pub request: String,
    /// What was there before, as JSON.
    #[sqlx(rename = "before_json")]
    pub before: Option<String>,
    /// How far it has got.
    #[sqlx(try_from = "String")]
    pub state: ReceiptState,
    /// What came of it, as JSON.
    pub effect: Option<String>,
    /// Why not, in words.
    pub reason: Option<String>,
    /// When it was planned, in Unix milliseconds.
    pub planned_at: i64,
    /// When its state last changed, in Unix milliseconds.
    pub updated_at: i64,
}

/// Every column of a receipt.
const SELECT: &str = "select id, run, plan, object, step, seq, verb, kind, credential, request, before_json, state, \
                      effect, reason, planned_at, updated_at from receipt";

impl Store {
    /// Commits one plan as planned; the ids of its receipts, in the order of its steps.
    pub async fn plan_begin(
        &self,
        run: &str,
        plan: &NewPlan,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let ids = self.plans_begin(run, std::slice::from_ref(plan), now).await?;
        Ok(ids.into_iter().next().unwrap_or_default())
    }

    /// Commits many plans as planned, in one transaction; for each the ids of its receipts, in the order of its steps.
    pub async fn plans_begin(
        &self,
        run: &str,
        plans: &[NewPlan],
        now: Timestamp,
    ) -> Result<Vec<Vec<String>>, StoreError> {
        let ids: Vec<Vec<String>> = plans
            .iter()
            .map(|plan| plan.steps.iter().map(|step| receipt_id(run, plan, step, now)).collect())
            .collect();
        let steps: Vec<(&String, &NewPlan, &PlannedStep)> = plans
            .iter()
            .zip(&ids)
            .flat_map(|(plan, ids)| ids.iter().zip(&plan.steps).map(move |(id, step)| (id, plan, step)))
            .collect();
        let per_statement = self.pool().rows_per_statement(COLUMNS);
        in_transaction!(self, "commit plans", |tx| {
            for chunk in steps.chunks(per_statement) {
                // The same plan begun twice in one millisecond is the same rows: a repeated call after a lost answer.
                let sql = format!(
                    "insert into receipt (id, run, plan, object, step, seq, verb, kind, credential, request, before_json, \
                         planned_at, updated_at, state) \
                     select v.*, 'planned' from (values {}) as v where true on conflict (id) do nothing",
                    rows(chunk.len(), COLUMNS)
                );
                let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(chunk.len() == per_statement);
                for (id, plan, step) in chunk {
                    query = query
                        .bind(*id)
                        .bind(run)
                        .bind(&plan.plan)
                        .bind(&plan.object)
                        .bind(&step.step)
                        .bind(step.seq)
                        .bind(&step.verb)
                        .bind(&step.kind)
                        .bind(&step.credential)
                        .bind(&step.request)
                        .bind(&step.before)
                        .bind(now.millis())
                        .bind(now.millis());
                }
                query.execute(&mut *tx).await?;
            }
        })?;
        Ok(ids)
    }

    /// Commits that these steps are about to be sent. Returns those that may be: one that a newer plan dropped, or that is
    /// already settled, is missing and must not be sent.
    pub async fn intend(&self, ids: &[String], now: Timestamp) -> Result<Vec<String>, StoreError> {
        let per_statement = self.pool().rows_per_statement(1);
        in_transaction!(self, "commit intents", |tx| {
            let mut intended: Vec<String> = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(per_statement) {
                let sql = format!(
                    "update receipt set state = 'intended', updated_at = $1 \
                     where id in ({}) and state in ('planned', 'intended') returning id",
                    list(2, chunk.len())
                );
                let mut query = sqlx::query_scalar(AssertSqlSafe(sql))
                    .persistent(chunk.len() == per_statement)
                    .bind(now.millis());
                for id in chunk {
                    query = query.bind(id);
                }
                intended.extend(query.fetch_all(&mut *tx).await?);
            }
            intended
        })
    }

    /// Commits how steps ended; how many changed. What is done stays done.
    pub async fn settle(&self, settlements: &[Settlement], now: Timestamp) -> Result<u64, StoreError> {
        // One row a receipt, the last word counts; in one order for all.
        let settlements: BTreeMap<&str, &Settlement> =
            settlements.iter().map(|settlement| (settlement.id.as_str(), settlement)).collect();
        let settlements: Vec<&Settlement> = settlements.into_values().collect();
        let per_statement = self.pool().rows_per_statement(4);
        in_transaction!(self, "commit receipts", |tx| {
            let mut settled = 0;
            for chunk in settlements.chunks(per_statement) {
                let sql = format!(
                    "with settled (id, state, effect, reason) as (values {}) \
                     update receipt set state = settled.state, effect = coalesce(settled.effect, receipt.effect), \
                         reason = settled.reason, updated_at = ${} \
                     from settled where receipt.id = settled.id and receipt.state <> 'done'",
                    rows(chunk.len(), 4),
                    chunk.len() * 4 + 1
                );
                let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(chunk.len() == per_statement);
                for settlement in chunk {
                    query = query
                        .bind(&settlement.id)
                        .bind(settlement.state.as_str())
                        .bind(settlement.effect.as_deref().map(clean))
                        .bind(settlement.reason.as_deref().map(clean));
                }
                settled += query.bind(now.millis()).execute(&mut *tx).await?.rows_affected();
            }
            settled
        })
    }

    /// Steps that were sent, or about to be, and whose effect is not known; of these objects, or of all. Oldest first.
    pub async fn unsettled(&self, objects: Option<&[String]>) -> Result<Vec<ReceiptRow>, StoreError> {
        let per_statement = self.pool().rows_per_statement(1);
        let mut found = Vec::new();
        let all = [String::new()];
        for chunk in objects.unwrap_or(&all).chunks(per_statement) {
            let of = match objects {
                Some(_) => format!("and object in ({})", list(1, chunk.len())),
                None => String::new(),
            };
            let sql = format!(
                "{SELECT} where state in ('intended', 'unsettled') {of} order by planned_at, object, run, plan, seq"
            );
            let rows: Vec<ReceiptRow> = with_pool!(self, "list unsettled steps", |db| {
                let mut query = sqlx::query_as(AssertSqlSafe(sql)).persistent(chunk.len() == per_statement);
                for object in chunk.iter().filter(|_| objects.is_some()) {
                    query = query.bind(object);
                }
                query.fetch_all(db)
            })?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Steps with this verb that are not settled: journal entries that were never written. Oldest first.
    pub async fn open_steps(&self, verb: &str) -> Result<Vec<ReceiptRow>, StoreError> {
        with_pool!(self, "list open steps", |db| {
            sqlx::query_as(AssertSqlSafe(format!(
                "{SELECT} where state in ('planned', 'intended', 'unsettled') and verb = $1 \
                 order by planned_at, object, run, plan, seq"
            )))
            .bind(verb)
            .fetch_all(db)
        })
    }

    /// Every receipt of an object, newest plan first, each plan in its own order.
    pub async fn receipts_of(&self, object: &str) -> Result<Vec<ReceiptRow>, StoreError> {
        with_pool!(self, "list receipts", |db| {
            sqlx::query_as(AssertSqlSafe(format!(
                "{SELECT} where object = $1 order by planned_at desc, run desc, plan desc, seq"
            )))
            .bind(object)
            .fetch_all(db)
        })
    }

    /// Drops what older plans of an object still had to do; how many steps. The note of a plan that has begun stays: it is owed
    /// for what took effect, and the newer plan does not know of it.
    pub async fn supersede(&self, object: &str, plan: &str, now: Timestamp) -> Result<u64, StoreError> {
        in_transaction!(self, "drop older plans", |tx| {
            // The same plan may have been planned before: its older rows go, too.
            let newest: Option<i64> =
                sqlx::query_scalar("select max(planned_at) from receipt where object = $1 and plan = $2")
                    .bind(object)
                    .bind(plan)
                    .fetch_one(&mut *tx)
                    .await?;
            sqlx::query(
                "update receipt set state = 'dropped', reason = $3, updated_at = $4 \
                 where object = $1 and state = 'planned' \
                   and ((plan <> $2 and planned_at <= $5) or planned_at < $5) \
                   and not (verb = 'note' and exists ( \
                       select 1 from receipt begun where begun.object = receipt.object and begun.run = receipt.run \
                           and begun.plan = receipt.plan and begun.planned_at = receipt.planned_at \
                           and begun.state in ('intended', 'done', 'unsettled')))",
            )
            .bind(object)
            .bind(plan)
            .bind(format!("superseded by plan {plan}"))
            .bind(now.millis())
            .bind(newest.unwrap_or_else(|| now.millis()))
            .execute(&mut *tx)
            .await?
            .rows_affected()
        })
    }
}

/// Names a receipt: 32 hexadecimal digits over what makes it unique. The moment is part of it because the same plan may
/// be planned again.
fn receipt_id(run: &str, plan: &NewPlan, step: &PlannedStep, now: Timestamp) -> String {
    let mut digest = Sha256::new();
    for part in [run, &plan.plan, &plan.object, &step.step] {
        // Lengths keep `a`, `bc` apart from `ab`, `c`.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.update(step.seq.to_be_bytes());
    digest.update(now.millis().to_be_bytes());
    hex::encode(&digest.finalize()[..16])
}
