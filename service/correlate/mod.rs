//! Observations to candidates, links and conflicts. Pure.
