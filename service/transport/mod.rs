//! HTTP, TLS and SSH clients and secrets from files: below the edges, knows no NetBox, no source and no DNS.

pub mod http;
pub mod secret;
pub mod ssh;
#[cfg(test)]
mod tests;
pub mod tls;

pub use secret::{Secret, SecretError, read_secret_file};
pub use tls::{TlsError, TlsMode};

/// An error with its causes, each said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
