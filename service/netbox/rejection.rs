//! NetBox's 400s, read into rows and fields. Pure: bytes of JSON in, rows out; it never fails.
//!
//! Shapes: 4.7 bulk `{"detail", "errors": [{"index" | "id", "errors"}]}` (`netbox/api/viewsets/mixins.py`); 4.5 and 4.6
//! bulk create a list of dicts in request order, empty where a row is fine; a single object one dict; `AbortRequest` and
//! protected deletes `{"detail": ".."}`; Django's `ValidationError` a list of strings.

use serde_json::{Map, Value};

/// NetBox's key for what belongs to no field.
pub const WHOLE_OBJECT: &str = "__all__";
/// How many rows a message names.
const NAMED_ROWS: usize = 3;

/// What is wrong with one row of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Its position in the request (creates).
    pub index: Option<usize>,
    /// Its primary key (updates and deletes).
    pub id: Option<i64>,
    /// Field (nested ones as `custom_fields.surveyor_id`, `a_terminations[0].object_id`) and NetBox's message.
    pub field_errors: Vec<(String, String)>,
}

impl std::fmt::Display for RowError {
    /// What is wrong, without which row: `name: taken; site: required`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, (field, message)) in self.field_errors.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            if field == WHOLE_OBJECT {
                write!(f, "{separator}{message}")?;
            } else {
                write!(f, "{separator}{field}: {message}")?;
            }
        }
        Ok(())
    }
}

/// The rows an error body names; one without index and id where it is about the request as a whole.
pub fn rows(body: &Value) -> Vec<RowError> {
    match body {
        Value::Object(map) => match map.get("errors") {
            Some(Value::Array(entries)) => entries.iter().map(entry).collect(),
            _ => row(None, None, body).into_iter().collect(),
        },
        Value::Array(entries) if entries.iter().all(Value::is_object) => {
            entries.iter().enumerate().filter_map(|(index, errors)| row(Some(index), None, errors)).collect()
        }
        other => row(None, None, other).into_iter().collect(),
    }
}

/// One of 4.7's entries.
fn entry(entry: &Value) -> RowError {
    let index = entry.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok());
    let id = entry.get("id").and_then(Value::as_i64);
    let errors = entry.get("errors").unwrap_or(entry);
    row(index, id, errors).unwrap_or(RowError { index, id, field_errors: Vec::new() })
}

/// The row with these errors; none if there are none.
fn row(index: Option<usize>, id: Option<i64>, errors: &Value) -> Option<RowError> {
    let mut field_errors = Vec::new();
    flatten(String::new(), errors, &mut field_errors);
    (!field_errors.is_empty()).then_some(RowError { index, id, field_errors })
}

/// Collects messages with the path of the field they belong to.
fn flatten(path: String, value: &Value, into: &mut Vec<(String, String)>) {
    let field = |path: String| if path.is_empty() { WHOLE_OBJECT.to_owned() } else { path };
    match value {
        Value::Null => {}
        Value::String(message) => into.push((field(path), message.clone())),
        Value::Bool(_) | Value::Number(_) => into.push((field(path), value.to_string())),
        Value::Array(values) => {
            for (at, inner) in values.iter().enumerate() {
                let nested = inner.is_object() || inner.is_array();
                flatten(if nested { format!("{path}[{at}]") } else { path.clone() }, inner, into);
            }
        }
        Value::Object(map) => flatten_map(&path, map, into),
    }
}

fn flatten_map(path: &str, map: &Map<String, Value>, into: &mut Vec<(String, String)>) {
    for (key, inner) in map {
        let whole = matches!(key.as_str(), WHOLE_OBJECT | "non_field_errors" | "detail");
        let inner_path = match (path.is_empty(), whole) {
            (true, true) => String::new(),
            (false, true) => path.to_owned(),
            (true, false) => key.clone(),
            (false, false) => format!("{path}.{key}"),
        };
        flatten(inner_path, inner, into);
    }
}

/// One line for a message: `row 3: name: must be unique; 2 more rows`.
pub(super) fn describe(rows: &[RowError], body: &str) -> String {
    if rows.is_empty() {
        return super::error::snippet(body);
    }
    let mut parts: Vec<String> = rows.iter().take(NAMED_ROWS).map(describe_row).collect();
    if rows.len() > NAMED_ROWS {
        parts.push(format!("{} more rows", rows.len() - NAMED_ROWS));
    }
    parts.join("; ")
}

fn describe_row(row: &RowError) -> String {
    let fields: Vec<String> = row
        .field_errors
        .iter()
        .map(
            |(field, message)| {
                if field == WHOLE_OBJECT { message.clone() } else { format!("{field}: {message}") }
            },
        )
        .collect();
    let fields = fields.join(", ");
    match (row.index, row.id) {
        (Some(index), _) => format!("row {index}: {fields}"),
        (None, Some(id)) => format!("id {id}: {fields}"),
        (None, None) => fields,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fields(row: &RowError) -> Vec<(&str, &str)> {
        row.field_errors.iter().map(|(field, message)| (field.as_str(), message.as_str())).collect()
    }

    #[test]
    fn reads_the_bulk_shape_of_4_7() {
        let rows = rows(&json!({"detail": "2 of 3 objects could not be created.", "errors": [
            {"index": 0, "errors": {"name": ["Taken."]}},
            {"index": 2, "errors": {"__all__": ["You do not have permission."]}},
        ]}));
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].index, rows[0].id), (Some(0), None));
        assert_eq!(fields(&rows[0]), [("name", "Taken.")]);
        assert_eq!(rows[1].index, Some(2));
        assert_eq!(fields(&rows[1]), [(WHOLE_OBJECT, "You do not have permission.")]);
    }

    #[test]
    fn reads_updates_by_id() {
        let rows = rows(
            &json!({"detail": "..", "errors": [{"id": 7, "errors": {"id": ["Object with ID 7 does not exist"]}}]}),
        );
        assert_eq!(rows[0].id, Some(7));
    }

    #[test]
    fn reads_the_list_of_4_5_and_4_6_and_skips_rows_that_are_fine() {
        let rows = rows(&json!([{}, {"name": ["Taken.", "Too long."]}, {}]));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].index, Some(1));
        assert_eq!(fields(&rows[0]), [("name", "Taken."), ("name", "Too long.")]);
    }

    #[test]
    fn reads_one_object_with_nested_fields() {
        let rows = rows(&json!({
            "a_terminations": [{"object_id": ["Invalid pk."]}],
            "custom_fields": {"surveyor_id": ["Must be unique."]},
            "non_field_errors": ["No."],
        }));
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].index, rows[0].id), (None, None));
        assert_eq!(
            fields(&rows[0]),
            [
                ("a_terminations[0].object_id", "Invalid pk."),
                ("custom_fields.surveyor_id", "Must be unique."),
                (WHOLE_OBJECT, "No."),
            ]
        );
    }

    #[test]
    fn reads_details_and_bare_strings() {
        assert_eq!(
            fields(&rows(&json!({"detail": "Unable to delete object."}))[0]),
            [(WHOLE_OBJECT, "Unable to delete object.")]
        );
        assert_eq!(
            fields(&rows(&json!(["Duplicate termination found."]))[0]),
            [(WHOLE_OBJECT, "Duplicate termination found.")]
        );
        assert_eq!(fields(&rows(&json!("no"))[0]), [(WHOLE_OBJECT, "no")]);
        assert!(rows(&Value::Null).is_empty());
    }

    #[test]
    fn describes_in_one_line() {
        let many: Vec<RowError> = (0..5)
            .map(|index| RowError {
                index: Some(index),
                id: None,
                field_errors: vec![("name".into(), "taken".into())],
            })
            .collect();
        assert_eq!(
            describe(&many, ""),
            "row 0: name: taken; row 1: name: taken; row 2: name: taken; 2 more rows"
        );
        assert_eq!(describe(&[], "<html><h1>Bad  Request</h1></html>"), "Bad Request");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("(errors|index|id|detail|[a-z]{1,3})", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn is_total(body in any_json()) {
            let rows = rows(&body);
            let _line = describe(&rows, "");
        }
    }
}
