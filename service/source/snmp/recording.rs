//! Recorded walks as [`Walk`]s, for tests: snmpsim's `.snmprec` and net-snmp's text (`.snmpwalk`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::column::Column;
use super::parse::Device;
use super::walk::{Value, Walk};
use crate::model::{Collection, SourceName, Timestamp};

/// Where the recordings are: `SURVEYOR_RECORDINGS`, else beside the package's parent.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("SURVEYOR_RECORDINGS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no recordings in {}", folder.display());
    None
}

/// Parses a walk as a device of this name.
pub(crate) fn parse(walk: &Walk, name: &str) -> Collection {
    let mut sink = Collection::new(SourceName::new(name), Timestamp(0));
    let device = Device::push(walk, name, None, &mut sink);
    device.push_neighbors(walk, &mut sink);
    device.push_forwarding(walk, &mut sink);
    sink
}

/// Walks of one topology by device, what its owner asserts, and what an independent reader makes of it; `name@vlan` files are
/// contexts of `name`.
pub(crate) fn topology(name: &str) -> Option<(BTreeMap<String, Collection>, Json, Json)> {
    let folder = folder()?.join("topology").join(name);
    let json =
        |file: &str| serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
    let mut walks: BTreeMap<String, Walk> = BTreeMap::new();
    let mut contexts = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "snmpwalk") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        match stem.rsplit_once('@') {
            Some((device, vlan)) => {
                contexts.push((device.to_owned(), vlan.parse().unwrap(), read(&path)));
            }
            None => {
                walks.insert(stem.clone(), read(&path));
            }
        }
    }
    for (device, vlan, walk) in contexts {
        walks.get_mut(&device).unwrap().vlans.insert(vlan, walk);
    }
    let sinks = walks.iter().map(|(name, walk)| (name.clone(), parse(walk, name))).collect();
    Some((sinks, json("expected.json"), json("derived.json")))
}

/// Reads a recording by its extension.
pub(crate) fn read(path: &Path) -> Walk {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let columns: BTreeMap<&[u32], Column> =
        Column::ALL.iter().map(|column| (column.oid(), *column)).collect();
    let rows = match path.extension().and_then(|extension| extension.to_str()) {
        Some("snmprec") => snmprec(&text),
        _ => snmpwalk(&text),
    };
    let mut walk = Walk::default();
    for (oid, value) in rows {
        let column = columns.range(..=oid.as_slice()).next_back().map(|(_, column)| *column);
        if let Some(column) = column.filter(|column| oid.starts_with(column.oid())) {
            walk.push(column, oid[column.oid().len()..].to_vec(), value);
        }
    }
    walk
}

fn oid(text: &str) -> Option<Vec<u32>> {
    let text = text.trim().trim_start_matches('.');
    let text = text.strip_prefix("iso").map_or_else(|| text.to_owned(), |rest| format!("1{rest}"));
    text.split('.').map(|arc| arc.parse().ok()).collect()
}

/// `OID|TAG|VALUE` with a tag of ASN.1 numbers, `x` behind it for hexadecimal.
fn snmprec(text: &str) -> Vec<(Vec<u32>, Value)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.splitn(3, '|');
            let (name, tag, value) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
            let tag_number = tag.trim_end_matches(|c: char| !c.is_ascii_digit());
            let value = match (tag_number, tag.ends_with('x')) {
                ("4" | "68", true) => Value::Bytes(hex::decode(value.trim()).ok()?),
                // snmpsim drops blanks at the end of a line, and so it serves them.
                ("4" | "68", false) => Value::Bytes(value.trim_end().as_bytes().to_vec()),
                ("6", _) => Value::Oid(oid(value)?),
                ("64", true) => Value::Address(<[u8; 4]>::try_from(hex::decode(value).ok()?).ok()?.into()),
                ("64", false) => Value::Address(value.trim().parse().ok()?),
                ("2" | "65" | "66" | "67" | "70", _) => Value::Number(value.trim().parse().ok()?),
                _ => return None,
            };
            Some((oid(name)?, value))
        })
        .collect()
}

/// `.OID = TYPE: VALUE`, where a string may go on over several lines.
fn snmpwalk(text: &str) -> Vec<(Vec<u32>, Value)> {
    let mut rows: Vec<(Vec<u32>, String)> = Vec::new();
    for line in text.lines() {
        match line.split_once(" = ").and_then(|(name, value)| Some((oid(name)?, value))) {
            Some((oid, value)) => rows.push((oid, value.to_owned())),
            None => {
                if let Some((_, value)) = rows.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
            }
        }
    }
    rows.into_iter().filter_map(|(oid, text)| Some((oid, typed(&text)?))).collect()
}

fn typed(text: &str) -> Option<Value> {
    let (kind, value) = text.split_once(':').unwrap_or((text, ""));
    let value = value.trim();
    let number = |value: &str| {
        let inner = value.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inner, _)| inner);
        let digits: String =
            inner.unwrap_or(value).chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
        digits.parse().ok().map(Value::Number)
    };
    match kind.trim() {
        "INTEGER" | "Gauge32" | "Counter32" | "Counter64" | "Timeticks" | "UInteger32" => number(value),
        "IpAddress" => Some(Value::Address(value.parse().ok()?)),
        "Network Address" => {
            Some(Value::Address(<[u8; 4]>::try_from(hex::decode(value.replace(':', "")).ok()?).ok()?.into()))
        }
        "OID" => Some(Value::Oid(oid(value)?)),
        "Hex-STRING" | "BITS" => {
            let digits: String = value.chars().filter(char::is_ascii_hexdigit).collect();
            Some(Value::Bytes(hex::decode(digits).ok()?))
        }
        "STRING" => Some(Value::Bytes(string(value))),
        _ if text.starts_with('"') => Some(Value::Bytes(string(text))),
        _ => None,
    }
}

/// A quoted text, a bare one, or a MAC as net-snmp prints it when it knows the MIB.
fn string(text: &str) -> Vec<u8> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.strip_suffix('"').unwrap_or(quoted).as_bytes().to_vec();
    }
    let parts: Vec<&str> = text.split(':').collect();
    let octet =
        |part: &&str| if (1..=2).contains(&part.len()) { u8::from_str_radix(part, 16).ok() } else { None };
    match parts.iter().map(octet).collect::<Option<Vec<u8>>>() {
        Some(octets) if octets.len() == 6 => octets,
        _ => text.as_bytes().to_vec(),
    }
}

/// Any recording as `.snmprec`, sorted as snmpsim wants it: for serving net-snmp's text.
pub(crate) fn to_snmprec(path: &Path) -> Vec<u8> {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let rows: BTreeMap<Vec<u32>, Value> = snmpwalk(&text).into_iter().collect();
    let dotted = |oid: &[u32]| oid.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    let mut out = String::new();
    for (oid, value) in rows {
        let (tag, shown) = match value {
            // Gauge32 and TimeTicks are numbers like any other to the reader; INTEGER does not hold them all.
            Value::Number(number) if i32::try_from(number).is_ok() => ("2", number.to_string()),
            Value::Number(number) => ("70", number.to_string()),
            Value::Bytes(bytes) => ("4x", hex::encode(bytes)),
            Value::Oid(value) => ("6", dotted(&value)),
            Value::Address(address) => ("64", address.to_string()),
        };
        out.extend([dotted(&oid).as_str(), "|", tag, "|", shown.as_str(), "\n"]);
    }
    out.into_bytes()
}
