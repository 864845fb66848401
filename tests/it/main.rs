//! The program's suite: one binary, everything through the real code. `UPDATE_EXPECT=1` rewrites what is expected.

mod cli;
mod properties;
mod scenarios;
mod schemas;
mod support;
mod tidy;
