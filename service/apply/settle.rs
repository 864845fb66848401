//! Writes without an answer: what became of them is read from the world, not from memory.
//!
//! An intent without a receipt (the process was killed) and a write without an answer are the same: the effect may be there, may
//! come, or may never come. The object is planned again; if the step no longer appears, its effect is there. If it still
//! appears, the object waits until no server can still be working on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Timestamp;
use crate::plan::Plan;
use crate::store::{ReceiptRow, ReceiptState, Settlement};

/// What to do with plans, given the steps whose outcome is unknown.
#[derive(Debug, Default)]
pub struct Settled {
    /// Plans that may be executed.
    pub ready: Vec<Plan>,
    /// Plans that wait, with the step that has no answer yet and until when.
    pub waiting: Vec<(Plan, String, Timestamp)>,
    /// Receipts to settle.
    pub settlements: Vec<Settlement>,
}

/// What was sent and has no receipt yet.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// All of it.
    pub rows: &'a [ReceiptRow],
    /// Credentials that this run plans for.
    pub credentials: &'a BTreeSet<&'a str>,
    /// Credentials for which this run plans everything that is wanted: an object without a plan needs nothing more.
    pub closing: &'a BTreeSet<&'a str>,
}

/// Compares what is planned now with what was sent earlier by the same credentials.
pub fn settle(plans: Vec<Plan>, sent: &Sent<'_>, settle_after_ms: i64, now: Timestamp) -> Settled {
    let mut by_object: BTreeMap<&str, Vec<&ReceiptRow>> = BTreeMap::new();
    for row in sent.rows.iter().filter(|row| sent.credentials.contains(row.credential.as_str())) {
        by_object.entry(&row.object).or_default().push(row);
    }
    let mut settled = Settled::default();
    for plan in plans {
        let wanted: BTreeSet<String> = plan.steps.iter().map(|step| step.step.name()).collect();
        let mut waits: Option<(String, Timestamp)> = None;
        for row in by_object.remove(plan.object.as_str()).unwrap_or_default() {
            let until = Timestamp(row.updated_at).plus_millis(settle_after_ms);
            if !wanted.contains(&row.step) {
                settled.settlements.push(settlement(row, ReceiptState::Done, "its effect was found"));
            } else if until <= now {
                settled.settlements.push(settlement(
                    row,
                    ReceiptState::Failed,
                    "no effect was found in time",
                ));
            } else {
                waits = Some((row.step.clone(), until));
            }
        }
        match waits {
            Some((step, until)) => settled.waiting.push((plan, step, until)),
            None => settled.ready.push(plan),
        }
    }
    // Objects that need nothing more: whatever was sent for them is there, or no longer wanted.
    for rows in by_object.into_values() {
        for row in rows.into_iter().filter(|row| sent.closing.contains(row.credential.as_str())) {
            settled.settlements.push(settlement(row, ReceiptState::Done, "nothing is missing"));
        }
    }
    settled
}

fn settlement(row: &ReceiptRow, state: ReceiptState, reason: &str) -> Settlement {
    Settlement { id: row.id.clone(), state, effect: None, reason: Some(reason.to_owned()) }
}
