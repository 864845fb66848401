//! Decides every write: what was found against what NetBox says. Pure.

pub mod dns;
