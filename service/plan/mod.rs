//! Decides every write: what was found against what NetBox says. Pure.
