//! The keys that a `known_hosts` file records for one host (sshd(8)): patterns, hashed
//! names, several keys, `@revoked`. Certificate authorities are not supported and count as nothing recorded.

use std::io;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{Algorithm, PublicKey};
use sha1::Sha1;

use super::{KEY_ALGORITHMS, SshTarget};

/// What is recorded for one host.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    keys: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
    unsupported: bool,
}

impl Recorded {
    /// Reads the file; one that does not exist yet records nothing.
    pub(super) async fn read(path: &Path, target: &SshTarget) -> io::Result<Self> {
        match tokio::fs::read(path).await {
            Ok(bytes) => Ok(Self::parse(&String::from_utf8_lossy(&bytes), target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Total: a line that cannot be read records nothing.
    pub(super) fn parse(text: &str, target: &SshTarget) -> Self {
        let name = target.known_hosts_name();
        let mut recorded = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace().peekable();
            let marker = words.next_if(|word| word.starts_with('@'));
            let (Some(hosts), Some(kind), Some(key)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if hosts.starts_with('#') || !hosts.parse().is_ok_and(|patterns| matches(&patterns, &name)) {
                continue;
            }
            let key = format!("{kind} {key}").parse::<PublicKey>().ok();
            match (marker, key) {
                (None, Some(key)) if KEY_ALGORITHMS.contains(&key.algorithm()) => recorded.keys.push(key),
                (None, _) => recorded.unsupported = true,
                (Some("@revoked"), Some(key)) => recorded.revoked.push(key),
                _ => {}
            }
        }
        recorded
    }

    pub(super) fn accepts(&self, key: &PublicKey) -> bool {
        !self.revokes(key) && self.keys.iter().any(|known| known.key_data() == key.key_data())
    }

    pub(super) fn revokes(&self, key: &PublicKey) -> bool {
        self.revoked.iter().any(|known| known.key_data() == key.key_data())
    }

    /// Whether there are keys for this host of which none can be used here.
    pub(super) fn has_unsupported(&self) -> bool {
        self.unsupported
    }

    /// The algorithms of the recorded keys, most preferred first.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let recorded = |algorithm: &Algorithm| self.keys.iter().any(|key| key.algorithm() == *algorithm);
        KEY_ALGORITHMS.into_iter().filter(recorded).collect()
    }
}

fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
            .is_ok_and(|mac| mac.chain_update(name).verify_slice(hash).is_ok()),
        HostPatterns::Patterns(patterns) => {
            let fits = |pattern: &str| glob(pattern.to_lowercase().as_bytes(), name.as_bytes());
            let mut found = false;
            for pattern in patterns {
                match pattern.strip_prefix('!') {
                    Some(negated) if fits(negated) => return false,
                    Some(_) => {}
                    None => found |= fits(pattern),
                }
            }
            found
        }
    }
}

/// `*` and `?`, without recursion: a hostile pattern costs at most the product of the lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
