//! Attachment: on which switch port an address hangs. Rows are sorted, switches told apart by direction, what is left is the edge.

mod announced;
pub(super) mod edge;
pub(super) mod reasons;
pub(super) mod rows;
pub(super) mod topology;
