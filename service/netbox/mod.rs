//! NetBox over REST: the client, the view planners read, and bootstrap.

pub mod bootstrap;
pub mod client;
pub mod error;
mod page;
pub mod rejection;
pub mod value;
pub mod view;

#[cfg(test)]
mod live_tests;

pub use client::{Client, ClientConfig, Counts, Endpoint, User};
pub use error::Error;
pub use rejection::RowError;
