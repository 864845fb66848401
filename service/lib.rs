//! Surveyor: a companion service for NetBox.

pub mod apply;
pub mod cli;
pub mod clock;
pub mod config;
pub mod correlate;
pub mod dns;
pub mod http;
pub mod model;
pub mod netbox;
pub mod plan;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod worker;
