//! Observations to candidates, links and conflicts. Pure.

use crate::model::{Collection, Discovery, Known};

/// Observations to candidates.
pub fn correlate(_collections: &[Collection], _known: &Known) -> Discovery {
    Discovery::default()
}
