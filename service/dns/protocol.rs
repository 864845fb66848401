//! The document that `surveyor-unbound-apply` reads and the answer it prints. Pure.

use std::fmt::Write as _;

use serde::Deserialize;

use super::unbound::Check;
use crate::plan::dns::{Record, RecordValue, ReplaceFile, hash};

/// What is asked for.
pub(super) enum Verb<'a> {
    State,
    Check,
    Replace(&'a ReplaceFile),
    /// Puts back what was there before the push that made the file with this hash.
    Restore {
        from_hash: &'a str,
    },
}

/// What was answered.
#[derive(Debug)]
pub(super) enum Answer {
    State {
        version: String,
        content: Option<String>,
        /// Lines of `list_local_data`.
        data: String,
        /// Lines of `list_local_zones` of the types in which data is not answered.
        zones: String,
    },
    Checked(Vec<Check>),
    Replaced {
        still_served: String,
    },
    Restored,
}

/// A refusal or failure as the script words it.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) outcome: String,
}

/// Header lines, an empty line, the body. The values are validated types, hashes or checked paths: none has a line break.
pub(super) fn document(verb: &Verb<'_>, include: &str, conf: Option<&str>) -> Vec<u8> {
    let (word, body) = match verb {
        Verb::State => ("state", ""),
        Verb::Check => ("check", ""),
        Verb::Replace(change) => ("replace", change.content.as_str()),
        Verb::Restore { .. } => ("restore", ""),
    };
    let mut header = format!("surveyor-dns 1\nverb: {word}\ninclude: {include}\n");
    // Writing into a `String` cannot fail.
    if let Some(conf) = conf {
        _ = writeln!(header, "conf: {conf}");
    }
    match verb {
        Verb::Replace(change) => {
            let from = change.from_hash.as_deref().unwrap_or("absent");
            _ = writeln!(header, "from: {from}\nsha256: {}\nbytes: {}", hash(body), body.len());
            for record in &change.probes.added {
                _ = writeln!(header, "serve: {}", probe(record, true));
            }
            for record in &change.probes.removed {
                _ = writeln!(header, "gone: {}", probe(record, false));
            }
        }
        Verb::Restore { from_hash } => _ = writeln!(header, "from: {from_hash}"),
        Verb::State | Verb::Check => {}
    }
    header.push('\n');
    header.push_str(body);
    header.into_bytes()
}

/// `NAME TTL TYPE VALUE`. IPv6 addresses have several spellings, so there only the type is compared.
fn probe(record: &Record, exact: bool) -> String {
    let (name, ttl) = (&record.name, if exact { record.ttl.to_string() } else { "*".to_owned() });
    match record.value {
        RecordValue::A(address) if exact => format!("{name}. {ttl} A {address}"),
        RecordValue::A(_) => format!("{name}. {ttl} A *"),
        RecordValue::Aaaa(_) => format!("{name}. {ttl} AAAA *"),
        RecordValue::Ptr { .. } => format!("{name}. {ttl} PTR *"),
    }
}

#[derive(Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
enum Head {
    State { version: String, file: bool, file_bytes: usize, data_bytes: usize, zone_bytes: usize },
    Check { checks: Vec<Check> },
    Replaced { still_served: String },
    Restored {},
}

/// Reads an answer; `None` when it is not one.
pub(super) fn answer(output: &[u8]) -> Option<Result<Answer, Refusal>> {
    let end = output.iter().position(|byte| *byte == b'\n')?;
    let (head, mut rest) = (&output[..end], &output[end + 1..]);
    if let Ok(refusal) = serde_json::from_slice(head) {
        return Some(Err(refusal));
    }
    let mut take = |bytes: usize| -> Option<String> {
        let (text, after) = rest.split_at_checked(bytes)?;
        rest = after;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    Some(Ok(match serde_json::from_slice(head).ok()? {
        Head::State { version, file, file_bytes, data_bytes, zone_bytes } => {
            let content = take(file_bytes)?;
            let content = file.then_some(content);
            Answer::State { version, content, data: take(data_bytes)?, zones: take(zone_bytes)? }
        }
        Head::Check { checks } => Answer::Checked(checks),
        Head::Replaced { still_served } => Answer::Replaced { still_served },
        Head::Restored {} => Answer::Restored,
    }))
}
