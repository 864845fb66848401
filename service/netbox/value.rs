//! NetBox's JSON, read the same way on every version. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

/// A choice as its bare value: `"active"` from `{"value": "active", "label": "Active"}` or from itself (selection custom
/// fields were bare before 4.7).
pub fn choice(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("value").and_then(Value::as_str)).filter(|text| !text.is_empty())
}

/// The id of a related object, nested or bare.
pub fn related(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.get("id").and_then(Value::as_i64))
}

/// The choice in this field.
pub fn choice_of<'a>(row: &'a Value, field: &str) -> Option<&'a str> {
    row.get(field).and_then(choice)
}

/// The id of the object in this field.
pub fn related_of(row: &Value, field: &str) -> Option<i64> {
    row.get(field).and_then(related)
}

/// The text in this field; none if empty or absent.
pub fn text_of<'a>(row: &'a Value, field: &str) -> Option<&'a str> {
    row.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The primary key of a row.
pub fn id_of(row: &Value) -> Option<i64> {
    row.get("id").and_then(Value::as_i64)
}

/// Slugs of the tags of a row.
pub fn tags_of(row: &Value) -> BTreeSet<String> {
    let tags = row.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    tags.iter()
        .filter_map(|tag| tag.as_str().or_else(|| tag.get("slug").and_then(Value::as_str)))
        .map(str::to_owned)
        .collect()
}

/// A custom field of a row, as written: selections bare, objects as ids, several of them as lists of those.
pub fn custom_field(row: &Value, name: &str) -> Option<Value> {
    row.get("custom_fields").and_then(|fields| fields.get(name)).map(written).filter(|value| !value.is_null())
}

/// The form in which a value that was read can be written back.
pub fn written(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("value") && map.contains_key("label") => {
            map.get("value").cloned().unwrap_or_default()
        }
        Value::Object(map) if map.contains_key("id") && map.contains_key("url") => {
            map.get("id").cloned().unwrap_or_default()
        }
        Value::Array(values) => Value::from(values.iter().map(written).collect::<Vec<_>>()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_both_forms() {
        let new = json!({"status": {"value": "active", "label": "Active"}, "site": {"id": 4, "url": "/x/"},
            "custom_fields": {"a": {"value": "x", "label": "X"}, "b": {"id": 3, "url": "/y/", "name": "n"}, "c": null,
                "d": {"any": "json"}, "e": [{"id": 1, "url": "/z/"}]},
            "tags": [{"slug": "surveyor", "name": "Surveyor"}]});
        let old =
            json!({"status": "active", "site": 4, "custom_fields": {"a": "x", "b": 3}, "tags": ["surveyor"]});
        for row in [&new, &old] {
            assert_eq!(choice_of(row, "status"), Some("active"));
            assert_eq!(related_of(row, "site"), Some(4));
            assert_eq!(custom_field(row, "a"), Some(json!("x")));
            assert_eq!(custom_field(row, "b"), Some(json!(3)));
            assert_eq!(custom_field(row, "c"), None);
            assert!(tags_of(row).contains("surveyor"));
        }
        assert_eq!(custom_field(&new, "d"), Some(json!({"any": "json"})));
        assert_eq!(custom_field(&new, "e"), Some(json!([1])));
        assert_eq!(choice(&json!(null)), None);
        assert_eq!(choice(&json!("")), None);
    }
}
