//! Attachment: on which switch port an address hangs. Rows are sorted, switches told apart by direction, what is left is the edge.

mod announced;
pub(super) mod edge;
mod inference;
mod lawful;
pub(super) mod reasons;
pub(super) mod rows;
mod shared;
pub(super) mod topology;
mod trees;
