//! Paging and query strings. Pure: what to ask next, given what came.
//!
//! NetBox 4.6 and later page by primary key (`start`, `count` is null); before, `start` is ignored and the answer has a
//! `count`: then pages go by offset, in order of id, and rows that moved between two pages are dropped once.

use std::collections::HashSet;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Characters a query value keeps as they are (RFC 3986, unreserved).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Position {
    /// At this primary key.
    Start(u64),
    /// After this many rows.
    Offset(usize),
}

impl Position {
    /// As query parameters.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Start(key) => vec![("start", key.to_string())],
            Self::Offset(rows) => vec![("offset", rows.to_string()), ("ordering", "id".to_owned())],
        }
    }
}

/// One answer to a list request.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) results: Vec<Value>,
    /// Null with a cursor.
    count: Option<u64>,
    /// The cursor of the next page, from the `next` link. Only its number is used: a proxy may have another host name.
    next_start: Option<u64>,
    more: bool,
}

impl Page {
    /// Reads `{"count", "next", "previous", "results"}`.
    pub(super) fn parse(mut body: Value) -> Option<Self> {
        let Some(Value::Array(results)) = body.get_mut("results").map(Value::take) else { return None };
        let next = body.get("next").and_then(Value::as_str);
        let next_start = next.and_then(|link| {
            let query = link.split_once('?')?.1;
            query.split('&').find_map(|pair| pair.strip_prefix("start="))?.parse().ok()
        });
        Some(Self {
            results,
            count: body.get("count").and_then(Value::as_u64),
            next_start,
            more: next.is_some(),
        })
    }
}

/// Before anything was read.
pub(super) const fn first() -> Position {
    Position::Start(0)
}

/// Takes the page's rows; where to go on, if there is more.
pub(super) fn advance(at: &Position, page: Page, rows: &mut Vec<Value>) -> Option<Position> {
    match (at, page.count) {
        (Position::Start(here), None) => {
            rows.extend(page.results);
            // A cursor that does not move forward would never end.
            page.next_start.filter(|next| next > here).map(Position::Start)
        }
        (Position::Start(_), Some(_)) if page.more => Some(Position::Offset(0)),
        (Position::Start(_), Some(_)) => {
            rows.extend(page.results);
            None
        }
        (Position::Offset(before), _) => {
            let next = before + page.results.len();
            let ended = page.results.is_empty() || !page.more;
            rows.extend(page.results);
            if ended {
                drop_repeated(rows);
            }
            (!ended).then_some(Position::Offset(next))
        }
    }
}

/// Rows created while pages are read shift the later ones: the last of a page is the first of the next.
fn drop_repeated(rows: &mut Vec<Value>) {
    let mut seen = HashSet::new();
    rows.retain(|row| row.get("id").and_then(Value::as_i64).is_none_or(|id| seen.insert(id)));
}

/// The path with the pairs as query string.
pub(super) fn with_query<K: AsRef<str>, V: AsRef<str>>(path: &str, query: &[(K, V)]) -> String {
    let mut text = path.to_owned();
    for (at, (key, value)) in query.iter().enumerate() {
        let separator = if at == 0 { '?' } else { '&' };
        let value = utf8_percent_encode(value.as_ref(), KEPT);
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{separator}{}={value}", key.as_ref());
    }
    text
}

/// The values in runs whose `key=value&` stay below `budget` bytes; no run is empty.
pub(super) fn chunks<'a>(key: &str, values: &'a [String], budget: usize) -> Vec<&'a [String]> {
    let mut chunks = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, value) in values.iter().enumerate() {
        // Every byte may take three when encoded.
        let cost = key.len() + 2 + 3 * value.len();
        if bytes + cost > budget && at > from {
            chunks.extend(values.get(from..at));
            (from, bytes) = (at, 0);
        }
        bytes += cost;
    }
    if from < values.len() {
        chunks.extend(values.get(from..));
    }
    chunks
}

/// A form with one file (RFC 7578). The boundary is lengthened until the content does not contain it.
pub(super) fn multipart(
    request: reqwest::RequestBuilder,
    file_name: &str,
    content: &str,
) -> reqwest::RequestBuilder {
    let mut boundary = "surveyor-boundary".to_owned();
    while content.contains(&boundary) {
        boundary.push_str("-x");
    }
    let name: String = file_name.chars().filter(|c| !matches!(c, '"' | '\r' | '\n')).collect();
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/x-python\r\n\r\n{content}\r\n--{boundary}--\r\n"
    );
    request
        .header(reqwest::header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
        .body(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn page(body: Value) -> Page {
        Page::parse(body).unwrap()
    }

    #[test]
    fn follows_the_cursor_to_its_end() {
        let mut rows = Vec::new();
        let next = "http://inside:8001/api/dcim/devices/?fields=name&limit=2&start=31";
        let first_page =
            page(json!({"count": null, "next": next, "results": [{"name": "a"}, {"name": "b"}]}));
        let at = advance(&first(), first_page, &mut rows).unwrap();
        assert_eq!(at.pairs(), [("start", "31".to_owned())]);
        let last = page(json!({"count": null, "next": null, "results": [{"name": "c"}]}));
        assert_eq!(advance(&at, last, &mut rows), None);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn a_cursor_that_stands_still_ends_the_list() {
        let stuck = page(json!({"count": null, "next": "http://x/?start=5", "results": []}));
        assert_eq!(advance(&Position::Start(5), stuck, &mut Vec::new()), None);
    }

    #[test]
    fn starts_again_by_offset_where_there_is_no_cursor() {
        let mut rows = Vec::new();
        let unordered = page(
            json!({"count": 3, "next": "http://x/?limit=2&offset=2", "results": [{"id": 9}, {"id": 1}]}),
        );
        let at = advance(&first(), unordered, &mut rows).unwrap();
        assert_eq!(at.pairs(), [("offset", "0".to_owned()), ("ordering", "id".to_owned())]);
        assert!(rows.is_empty());
        let one = page(
            json!({"count": 3, "next": "http://x/?limit=2&offset=2", "results": [{"id": 1}, {"id": 2}]}),
        );
        let at = advance(&at, one, &mut rows).unwrap();
        let two = page(json!({"count": 3, "next": null, "results": [{"id": 2}, {"id": 9}]}));
        assert_eq!(advance(&at, two, &mut rows), None);
        assert_eq!(rows, [json!({"id": 1}), json!({"id": 2}), json!({"id": 9})]);
    }

    #[test]
    fn a_short_list_without_cursor_is_one_request() {
        let mut rows = Vec::new();
        assert_eq!(
            advance(&first(), page(json!({"count": 1, "next": null, "results": [{"id": 1}]})), &mut rows),
            None
        );
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn what_is_no_list_is_no_page() {
        assert!(Page::parse(json!({"detail": "x"})).is_none());
        assert!(Page::parse(json!([])).is_none());
    }

    #[test]
    fn encodes_queries() {
        let query = [("name", "a b&c=ü"), ("fields", "id,name")];
        assert_eq!(
            with_query("dcim/devices/", &query),
            "dcim/devices/?name=a%20b%26c%3D%C3%BC&fields=id%2Cname"
        );
    }

    proptest! {
        #[test]
        fn chunks_lose_nothing_and_fit(values in prop::collection::vec("[a-z]{1,30}", 0..50)) {
            let chunks = chunks("id", &values, 100);
            let joined: Vec<String> = chunks.iter().flat_map(|chunk| chunk.iter().cloned()).collect();
            prop_assert_eq!(&joined, &values);
            for chunk in chunks {
                let bytes: usize = chunk.iter().map(|value| value.len() * 3 + 4).sum();
                prop_assert!(!chunk.is_empty() && (chunk.len() == 1 || bytes <= 100));
            }
        }
    }
}
