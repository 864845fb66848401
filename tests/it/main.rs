//! The program's suite: one binary, everything through the real code. `UPDATE_EXPECT=1` rewrites what is expected.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod cli;
mod properties;
mod scenarios;
mod schemas;
mod support;
mod tidy;
