//! Confidence, 0 to 99, by one monotone rule: every kind of evidence removes a share of the doubt that is left, so more agreeing
//! evidence never lowers it. Contradictions cap it instead.

/// How much of the remaining doubt a kind of evidence removes, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight(pub u32);

/// A bound lease: the machine spoke to a server that we read.
pub(super) const LEASE: Weight = Weight(70);
/// An ARP or neighbour discovery entry, or an answer to a scan.
pub(super) const SEEN: Weight = Weight(45);
/// Alone on an edge port.
pub(super) const OWN_PORT: Weight = Weight(80);
/// Behind an edge port together with others.
pub(super) const SHARED_PORT: Weight = Weight(35);
/// In a forwarding table, but on no edge port.
pub(super) const LEARNED: Weight = Weight(15);
/// It announces itself.
pub(super) const ANNOUNCED: Weight = Weight(60);
/// The hypervisor that runs it says so.
pub(super) const GUEST: Weight = Weight(90);
/// A source reads it.
pub(super) const READ: Weight = Weight(98);
/// What a contradiction leaves at most.
pub(super) const CONTRADICTED: u8 = 40;

/// The confidence that independent kinds of evidence give together.
pub(super) fn together(weights: impl Iterator<Item = Weight>) -> u8 {
    // In millionths; a decreasing function applied once more can only decrease it.
    let doubt = weights.fold(1_000_000_u64, |doubt, weight| doubt * u64::from(100 - weight.0.min(100)) / 100);
    u8::try_from((1_000_000 - doubt) / 10_000).unwrap_or(99).min(99)
}
