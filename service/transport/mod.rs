//! HTTP, TLS and SSH clients and secrets from files: below the edges, knows no NetBox, no source and no DNS.

pub mod http;
pub mod secret;
pub mod ssh;
#[cfg(test)]
mod tests;
pub mod tls;

pub use secret::{Secret, SecretError, read_secret_file};
pub use tls::{TlsError, TlsMode};
