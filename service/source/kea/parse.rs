//! Answers and files of Kea to leases. Pure: knows neither HTTP nor sockets.
//!
//! What commands answer: Kea Administrator Reference Manual, chapters "Management API" and "`lease_cmds`"; shapes from Kea 2.2.

mod csv;
mod lease;
mod settings;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub(super) use csv::{LeaseFile, lease_files};
pub(super) use lease::{Row, leases, page};
pub(super) use settings::{Settings, agent_services, is_agent, settings};

/// Longest part of the server's own words that goes into a message.
const MAX_TEXT_CHARS: usize = 200;

/// What a server answered to one command.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Answer {
    /// 0 is success, 1 an error, 2 not supported, 3 success with nothing found; an agent sends HTTP's numbers too.
    pub(super) result: i64,
    /// In words, cut.
    pub(super) text: String,
    /// What it gives. May hold passwords (`config-get`): never to be printed.
    pub(super) arguments: Map<String, Value>,
}

/// The answer in a body: an object from a server's socket, a list of one from an agent or by HTTP. Bytes that are no UTF-8 (names
/// of clients) are replaced, and so are raw control characters, which JSON forbids inside strings.
pub(super) fn answer(body: &[u8]) -> Result<Answer, String> {
    let printable: Vec<u8> = body.iter().map(|byte| if *byte < b' ' { b' ' } else { *byte }).collect();
    let value: Value = serde_json::from_str(&String::from_utf8_lossy(&printable))
        .map_err(|error| format!("the answer is not what Kea sends: {error}"))?;
    let single = match value {
        Value::Array(mut answers) if answers.len() == 1 => answers.remove(0),
        Value::Array(answers) => return Err(format!("the answer is {} answers", answers.len())),
        single => single,
    };
    let Value::Object(mut members) = single else {
        return Err("the answer is not what Kea sends: it is no object".to_owned());
    };
    let result = members
        .get("result")
        .and_then(Value::as_i64)
        .ok_or_else(|| "the answer is not what Kea sends: it has no result".to_owned())?;
    let text = members.get("text").and_then(Value::as_str).unwrap_or_default();
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT_CHARS).collect();
    let arguments = match members.remove("arguments") {
        Some(Value::Object(arguments)) => arguments,
        // `list-commands` gives a list.
        Some(Value::Array(list)) => Map::from_iter([("list".to_owned(), Value::Array(list))]),
        _ => Map::new(),
    };
    Ok(Answer { result, text, arguments })
}

/// A member that is a text and not empty.
fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The comment that an administrator gave: Kea turns `"comment": ".."` into a user context.
fn comment(members: &Map<String, Value>) -> Option<String> {
    let context = members.get("user-context").and_then(Value::as_object)?;
    text(context, "comment").map(str::to_owned)
}
