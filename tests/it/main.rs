//! The program's suite: one binary, everything through the real code. `UPDATE_EXPECT=1` rewrites what is expected.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]
#![expect(clippy::let_underscore_must_use, reason = "writing to a String does not fail")]
#![expect(
    clippy::assigning_clones,
    clippy::doc_markdown,
    clippy::format_collect,
    clippy::nonminimal_bool,
    clippy::single_match_else,
    clippy::type_complexity,
    reason = "tests are read case by case"
)]

mod cli;
mod planning;
mod properties;
mod scenarios;
mod schemas;
mod support;
mod tidy;
