//! What `ip -j`, `bridge -j` and `lldpctl -f json` print, to facts. Pure and total. Knows no SSH.
//!
//! Fields and their meaning: iproute2's `ip/ipaddress.c`, `ip/ipneigh.c`, `bridge/fdb.c`, `bridge/vlan.c`; shapes from 5.x and 6.x.

mod about;
mod addresses;
mod forwarding;
mod links;
mod lldp;
#[cfg(test)]
mod tests;

use serde_json::{Deserializer, Map, Value};

use crate::model::MacAddr;

pub(super) use about::{About, about, first_line};
pub(super) use addresses::{Address, addresses, gateways, neighbors, networks};
pub(super) use forwarding::forwarding;
pub(super) use links::{Links, Pvids, pvids, radios};
pub(super) use lldp::lldp_neighbors;

/// One object of a list.
pub(super) type Row = Map<String, Value>;

/// How much of a text that is no JSON is shown.
const SHOWN: usize = 120;

/// The objects in what a tool printed, and what is wrong with it. Old versions print nothing for an empty list, two lists one
/// after the other, empty objects for what a filter left out, and text after the list. What was cut short keeps its whole
/// objects, and is a fault.
pub(super) fn rows(printed: &[u8]) -> (Vec<Row>, Option<String>) {
    let text = readable(printed);
    let mut found = Vec::new();
    let mut values = Deserializer::from_str(&text).into_iter::<Value>();
    let mut is_read = false;
    loop {
        let before = values.byte_offset();
        match values.next() {
            None => return (found, None),
            Some(Ok(value)) => {
                is_read |= value.is_array() || value.is_object();
                absorb(value, &mut found);
            }
            Some(Err(error)) => {
                let rest = text.get(before..).unwrap_or_default().trim_start();
                if let Some(inside) = rest.strip_prefix('[') {
                    salvage(inside, &mut found);
                    return (found, Some(format!("its answer is cut short: {error}")));
                }
                if rest.starts_with('{') {
                    return (found, Some(format!("its answer is cut short: {error}")));
                }
                let shown: String = text.trim().chars().take(SHOWN).collect();
                let fault = (!is_read).then(|| format!("it printed no JSON: {shown}"));
                return (found, fault);
            }
        }
    }
}

/// One value of any shape, for `lldpctl`.
pub(super) fn value(printed: &[u8]) -> Result<Value, String> {
    let text = readable(printed);
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let first = Deserializer::from_str(&text).into_iter::<Value>().next();
    first.unwrap_or(Ok(Value::Null)).map_err(|error| format!("it printed no JSON: {error}"))
}

fn absorb(value: Value, into: &mut Vec<Row>) {
    match value {
        Value::Array(values) => {
            for value in values {
                absorb(value, into);
            }
        }
        Value::Object(row) if !row.is_empty() => into.push(row),
        _ => {}
    }
}

/// The objects before the place where a list ends too early.
fn salvage(mut inside: &str, into: &mut Vec<Row>) {
    loop {
        inside = inside.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        let mut values = Deserializer::from_str(inside).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else { return };
        let end = values.byte_offset();
        absorb(value, into);
        inside = inside.get(end..).unwrap_or_default();
    }
}

/// Texts that people set (aliases) are bytes: what is no UTF-8 is replaced, control characters that JSON forbids become blanks,
/// and escapes that it does not have (`\'`, of older iproute2) are read as the character.
fn readable(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some(escaped) if "\"\\/bfnrtu".contains(escaped) => out.extend(['\\', escaped]),
                Some(other) => out.push(if other.is_control() { ' ' } else { other }),
                None => {}
            },
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A text that is set and not empty.
fn text<'a>(row: &'a Row, key: &str) -> Option<&'a str> {
    row.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn object<'a>(row: &'a Row, key: &str) -> Option<&'a Row> {
    row.get(key).and_then(Value::as_object)
}

/// A number, however it is written.
fn number(row: &Row, key: &str) -> Option<u64> {
    let value = row.get(key)?;
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Whether a list of words has this one; a single word is a list of one.
fn has(row: &Row, key: &str, word: &str) -> bool {
    match row.get(key) {
        Some(Value::Array(words)) => {
            words.iter().filter_map(Value::as_str).any(|known| known.eq_ignore_ascii_case(word))
        }
        Some(Value::String(known)) => known.split_whitespace().any(|known| known.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// Whether a flag is there: `"router": null` in newer versions, `true` in others.
fn flagged(row: &Row, key: &str) -> bool {
    row.get(key).is_some_and(|value| !matches!(value, Value::Bool(false)))
}

fn mac(row: &Row, key: &str) -> Option<MacAddr> {
    text(row, key)?.parse().ok().filter(|mac: &MacAddr| !mac.is_zero() && !mac.is_multicast())
}

fn vlan(row: &Row, key: &str) -> Option<u16> {
    u16::try_from(number(row, key)?).ok().filter(|vid| (1..=4094).contains(vid))
}
