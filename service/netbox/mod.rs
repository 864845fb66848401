//! NetBox over REST: the client, the view planners read, and bootstrap.

pub mod bootstrap;
pub mod client;
pub mod endpoint;
pub mod error;
mod page;
pub mod rejection;
pub mod value;
pub mod view;

#[cfg(test)]
mod live_tests;

pub use client::{Client, ClientConfig, Counts, User};
pub use endpoint::Endpoint;
pub use error::Error;
pub use rejection::RowError;
