//! Kea's own lease files (`"type": "memfile"`). Pure.
//!
//! A log: each change of a lease is a row at the end, and a row with a lifetime of 0 takes the lease away. From time to time Kea
//! tidies up: it renames the file to `.1`, and merges that with what it merged before (`.2`) into `.completed`, which takes
//! the place of `.2`. Kea loads `.completed`, or else `.2` and `.1`, and then the file itself (`Memfile_LeaseMgr::loadLeasesFromFiles`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::lease::{INFINITE, Row, hardware};

/// Columns without which a row says nothing.
const NEEDED: [&str; 3] = ["address", "valid_lifetime", "expire"];

/// What is in lease files, in the order in which they were read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct LeaseFile {
    rows: BTreeMap<(IpAddr, bool), Row>,
    malformed: usize,
    /// The first row that could not be read: file and line, from 1.
    first: Option<(String, usize)>,
    is_unfinished: bool,
}

/// A file that is no lease file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no lease file of Kea (line 1); hint: \"lease-database\" of the server names it, if its type is memfile"
)]
pub(in super::super) struct FileFault(String);

/// Reads files in the order in which Kea would load them: names for messages, and contents. A last line without its line break is
/// being written, and left out.
pub(in super::super) fn lease_files(files: &[(String, Vec<u8>)]) -> Result<LeaseFile, FileFault> {
    let mut found = LeaseFile::default();
    for (name, bytes) in files {
        let text = String::from_utf8_lossy(bytes);
        let mut columns: Option<Vec<&str>> = None;
        let mut rest: &str = &text;
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let Some((line, after)) = rest.split_once('\n') else {
                found.is_unfinished = true;
                break;
            };
            rest = after;
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                continue;
            }
            let cells: Vec<&str> = line.split(',').collect();
            // Files may come one behind the other, each with its header.
            if NEEDED.iter().all(|name| cells.contains(name)) {
                columns = Some(cells);
                continue;
            }
            let Some(columns) = &columns else { return Err(FileFault(name.clone())) };
            match change(columns, &cells) {
                Some(Change::Set(row)) => {
                    found.rows.insert((row.address, row.is_prefix), row);
                }
                Some(Change::Take(key)) => {
                    found.rows.remove(&key);
                }
                None => {
                    found.malformed += 1;
                    found.first.get_or_insert_with(|| (name.clone(), number));
                }
            }
        }
        if columns.is_none() && !bytes.is_empty() {
            return Err(FileFault(name.clone()));
        }
    }
    Ok(found)
}

enum Change {
    Set(Row),
    Take((IpAddr, bool)),
}

/// A row. Files of older versions have fewer columns, and Kea itself reads rows that lack the last ones.
fn change(columns: &[&str], cells: &[&str]) -> Option<Change> {
    if cells.len() > columns.len() {
        return None;
    }
    let cell = |name: &str| {
        let at = columns.iter().position(|column| *column == name)?;
        cells.get(at).copied().filter(|text| !text.is_empty())
    };
    let number = |name: &str| cell(name).map(|text| text.parse::<i64>().ok());
    let address: IpAddr = cell("address")?.parse().ok()?;
    let lifetime = number("valid_lifetime")??;
    // 0 is an address, 1 a temporary one, 2 a prefix.
    let is_prefix = number("lease_type").unwrap_or(Some(0))? == 2;
    if lifetime == 0 {
        return Some(Change::Take((address, is_prefix)));
    }
    let expires = number("expire")??;
    Some(Change::Set(Row {
        address,
        is_prefix,
        mac: cell("hwaddr").and_then(hardware),
        duid: cell("duid").map(unescaped),
        iaid: number("iaid").flatten().and_then(|iaid| u32::try_from(iaid).ok()),
        client_id: cell("client_id").map(unescaped),
        host_name: cell("hostname").map(unescaped),
        state: number("state").unwrap_or(Some(0))?,
        expires: (lifetime != INFINITE).then_some(expires),
        subnet: number("subnet_id").flatten(),
        comment: cell("user_context").map(unescaped).and_then(|text| comment(&text)),
    }))
}

fn comment(context: &str) -> Option<String> {
    let context: serde_json::Value = serde_json::from_str(context).ok()?;
    context.get("comment")?.as_str().map(str::to_owned)
}

/// Kea writes a comma inside a value as `&#x2c` (`CSVRow::escapeCharacters`).
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("&#x") {
        bytes.extend_from_slice(before.as_bytes());
        if let Some(byte) = after.get(..2).and_then(|digits| hex::decode(digits).ok()) {
            bytes.extend(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.extend_from_slice(b"&#x");
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

impl LeaseFile {
    /// The rows that hold.
    pub(in super::super) fn into_rows(self) -> Vec<Row> {
        self.rows.into_values().collect()
    }

    /// What is wrong with the files, if something is.
    pub(in super::super) fn fault(&self) -> Option<String> {
        let (name, line) = self.first.as_ref()?;
        let what = if self.malformed == 1 { "row cannot" } else { "rows cannot" };
        Some(format!("{} {what} be read, the first is line {line} of {name}", self.malformed))
    }

    /// What is in them, in words.
    pub(in super::super) fn summary(&self) -> String {
        let unfinished = if self.is_unfinished { ", the last row is being written" } else { "" };
        format!("{} leases{unfinished}", self.rows.len())
    }
}
