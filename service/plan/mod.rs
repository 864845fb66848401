//! Decides every write: what was found, and what people decided, against what NetBox says.
//!
//! Everything that writes is a [`Step`] of a [`Plan`]. Planners are pure: they read a [`View`] and return plans; they know no
//! clock, no network and no database. Executing makes no choices.

pub mod bootstrap;
pub mod clash;
pub mod diff;
pub mod dns;
pub mod explain;
pub mod ledger;
pub mod lookup;
pub mod materialize;
pub mod reject;
pub mod render;
pub mod rollback;
pub mod stage;
pub mod step;
pub mod view;

pub use step::{
    Cause, Credential, Fields, Key, Level, Phase, Plan, PlannedStep, Refusal, RefusalKind, Step, Target,
};
pub use view::View;
