//! The claim: what is said about a host, without when, how often or how sure. A run with the same claim writes nothing.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::model::Candidate;

/// Sixteen hexadecimal digits over names, addresses, attachments, kind and the sources that say so.
pub fn claim_hash(candidate: &Candidate) -> String {
    let interfaces: Vec<_> = candidate
        .interfaces
        .iter()
        .map(|interface| {
            json!([
                interface.mac,
                interface.name,
                interface.addresses,
                interface.attachment.as_ref().map(|attachment| json!([
                    attachment.switch,
                    attachment.port,
                    attachment.vlan,
                    attachment.exclusive,
                    attachment.competing,
                ])),
            ])
        })
        .collect();
    short_hash(
        &json!([
            candidate.identity,
            candidate.kind,
            candidate.name,
            candidate.other_names,
            interfaces,
            candidate.sources,
            candidate.conflicts,
        ])
        .to_string(),
    )
}

/// Sixteen hexadecimal digits of SHA-256.
pub(crate) fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}
