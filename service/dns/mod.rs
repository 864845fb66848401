//! Unbound servers, over SSH: what they serve, and the one include file that Surveyor owns on each. Knows no NetBox.

pub mod config;
pub mod error;
mod protocol;
mod query;
mod served;
#[cfg(test)]
mod tests;
pub mod unbound;

pub use config::{Mode, UnboundConfig};
pub use error::DnsError;
pub use unbound::{Check, Replaced, ServerState, Unbound};
