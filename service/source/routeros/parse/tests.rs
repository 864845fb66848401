//! Rows to facts.
