//! Plans in words, for terminals and logs: what `--dry-run` prints is what applying does.

use std::fmt::Write as _;

use super::{Phase, Plan, PlannedStep, Step};
use crate::model::ObjectKind;

/// One block a plan: who, the hash, one line a step in the order of execution, refusals, DNS records.
pub fn plan(plan: &Plan) -> String {
    let object = plan.netbox.map(|object| format!(" ({object})")).unwrap_or_default();
    let mut text = format!("{} {}{object}, plan {}\n", verb(plan), printable(&plan.title), plan.hash());
    let mut steps: Vec<&PlannedStep> = plan.steps.iter().collect();
    steps.sort_by_key(|step| (step.phase, turn(&step.step), step.credential, bulk_kind(&step.step)));
    for step in steps {
        let _infallible = writeln!(text, "  {} {}", sign(&step.step), printable(&step.label));
    }
    for record in &plan.records {
        let _infallible = writeln!(text, "  = DNS {record}");
    }
    for refusal in &plan.refused {
        let _infallible = writeln!(text, "  ! refused: {}", printable(&refusal.reason));
    }
    text
}

fn verb(plan: &Plan) -> &'static str {
    match plan.cause {
        super::Cause::Stage => "stage",
        super::Cause::Materialize => "apply",
        super::Cause::Rollback => "roll back",
        super::Cause::Reject => "reject",
        super::Cause::Withdraw => "withdraw",
        super::Cause::Tidy => "tidy",
        super::Cause::Bootstrap => "bootstrap",
    }
}

/// `+` makes, `~` changes, `-` removes, `#` writes to the journal.
pub const fn sign(step: &Step) -> char {
    match step {
        Step::Create { .. } => '+',
        Step::Change { .. } | Step::ReplaceFile { .. } => '~',
        Step::Delete { .. } => '-',
        Step::Note { .. } => '#',
    }
}

/// Within a phase: what is made, changes in bulk, the journal, then single writes (as `apply` groups them).
const fn turn(step: &Step) -> u8 {
    match step {
        Step::Create { .. } => 0,
        Step::Change { guard: false, .. } => 1,
        Step::Note { .. } => 2,
        Step::Change { .. } | Step::Delete { .. } | Step::ReplaceFile { .. } => 3,
    }
}

/// Bulk calls go kind by kind.
const fn bulk_kind(step: &Step) -> Option<ObjectKind> {
    match step {
        Step::Create { kind, .. } | Step::Change { kind, guard: false, .. } => Some(*kind),
        _ => None,
    }
}

/// How many steps of each sign, in words: `2 to make, 1 to change`.
pub fn summary(plans: &[&Plan]) -> String {
    let count = |wanted: char| {
        plans
            .iter()
            .flat_map(|plan| &plan.steps)
            .filter(|step| sign(&step.step) == wanted && step.phase != Phase::Dns)
            .count()
    };
    let parts: Vec<String> =
        [('+', "to make"), ('~', "to change"), ('-', "to remove"), ('#', "journal entries")]
            .iter()
            .map(|(sign, words)| (count(*sign), *words))
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}

/// Text of the network must not move a terminal's cursor or change its colours.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
