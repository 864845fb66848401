//! The text of the include file: written one way only, so that the same records are the same bytes, and read back with
//! a hash that shows whether somebody else touched it. Knows the grammar of unbound.conf(5) only as far as it writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::{Record, RecordValue};

/// The line that makes a file ours; the hash is of everything below it. `surveyor-unbound-apply` looks for it too.
const MARK: &str = "# surveyor-dns-file 1 sha256:";

/// What an include file turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileText {
    /// As Surveyor left it.
    Ours(BTreeSet<Record>),
    /// Written by Surveyor and changed since, by hand or by a broken disk: what can still be read, and what is wrong.
    Damaged {
        /// The records that can still be read.
        records: BTreeSet<Record>,
        /// What is wrong, in words.
        why: String,
    },
    /// Nothing but blanks and comments: a placeholder.
    Blank,
    /// Somebody else's.
    Foreign,
}

/// The text for these records.
pub fn render(records: &BTreeSet<Record>, server: &str) -> String {
    let mut body = String::from("server:\n");
    let is_reverse = |record: &&Record| matches!(record.value, RecordValue::Ptr { .. });
    for record in records.iter().filter(|record| !is_reverse(record)).chain(records.iter().filter(is_reverse))
    {
        // Writing into a `String` cannot fail.
        _ = writeln!(body, "{}", line(record));
    }
    // The name comes from the configuration and must stay inside its comment.
    let server: String = server.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!(
        "# DNS records of {server}, managed by Surveyor. Do not edit: the next change overwrites this file.\n\
         {MARK}{}\n{body}",
        hash(&body)
    )
}

fn line(Record { name, ttl, value }: &Record) -> String {
    match value {
        RecordValue::A(address) => format!("local-data: \"{name}. {ttl} IN A {address}\""),
        RecordValue::Aaaa(address) => format!("local-data: \"{name}. {ttl} IN AAAA {address}\""),
        RecordValue::Ptr { address } => format!("local-data-ptr: \"{address} {ttl} {name}.\""),
    }
}

/// SHA-256 of a text, in hex.
pub fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// Reads an include file.
pub fn parse(text: &str) -> FileText {
    let Some((recorded, body)) = marked(text) else {
        let blank = text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'));
        return if blank { FileText::Blank } else { FileText::Foreign };
    };
    let mut records = BTreeSet::new();
    let mut strange = None;
    for (number, text) in body.lines().enumerate() {
        match record(text) {
            Some(record) => _ = records.insert(record),
            None if number == 0 && text == "server:" => {}
            None => strange = strange.or(Some(number + 1)),
        }
    }
    let why = if hash(body) != recorded {
        "its hash is not the recorded one".to_owned()
    } else if let Some(number) = strange {
        format!("line {number} after the hash is not one that this version writes")
    } else {
        return FileText::Ours(records);
    };
    FileText::Damaged { records, why }
}

/// The recorded hash and the body. The mark must be one of the first two lines: further down it is somebody's copy.
fn marked(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    for _ in 0..2 {
        let (line, below) = rest.split_once('\n')?;
        if let Some(recorded) = line.strip_prefix(MARK) {
            return Some((recorded.trim_end(), below));
        }
        rest = below;
    }
    None
}

/// One line as [`line`] writes it.
fn record(text: &str) -> Option<Record> {
    let (keyword, quoted) = text.split_once(": ")?;
    let words: Vec<&str> = quoted.strip_prefix('"')?.strip_suffix('"')?.split(' ').collect();
    let (name, ttl, value) = match (keyword, words.as_slice()) {
        ("local-data", [name, ttl, "IN", "A", address]) => (name, ttl, RecordValue::A(address.parse().ok()?)),
        ("local-data", [name, ttl, "IN", "AAAA", address]) => {
            (name, ttl, RecordValue::Aaaa(address.parse().ok()?))
        }
        ("local-data-ptr", [address, ttl, name]) => {
            (name, ttl, RecordValue::Ptr { address: address.parse::<IpAddr>().ok()? })
        }
        _ => return None,
    };
    Some(Record { name: name.strip_suffix('.')?.parse().ok()?, ttl: ttl.parse().ok()?, value })
}
