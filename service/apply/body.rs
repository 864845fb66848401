//! Request bodies: references become ids, and what NetBox answers is compared with what was planned.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::plan::step::REFERENCE;
use crate::plan::{Fields, Key};

/// Replaces every reference by the id of what was made; the key that is missing if one was not.
pub(super) fn resolve(value: &Value, made: &HashMap<Key, i64>) -> Result<Value, String> {
    match value {
        Value::Object(object) => {
            if let Some(key) = object.get(REFERENCE).and_then(Value::as_str) {
                let id = made.get(&Key(key.to_owned())).ok_or_else(|| key.to_owned())?;
                return Ok(Value::from(*id));
            }
            let resolved: Result<Map<String, Value>, String> =
                object.iter().map(|(name, value)| Ok((name.clone(), resolve(value, made)?))).collect();
            Ok(Value::Object(resolved?))
        }
        Value::Array(items) => items.iter().map(|item| resolve(item, made)).collect(),
        plain => Ok(plain.clone()),
    }
}

/// All fields, resolved.
pub(super) fn fields(fields: &Fields, made: &HashMap<Key, i64>) -> Result<Map<String, Value>, String> {
    fields.iter().map(|(name, value)| Ok((name.clone(), resolve(value, made)?))).collect()
}

/// The first field that no longer is what it was when the step was planned.
pub(super) fn differs(before: &Fields, present: &Value) -> Option<String> {
    before
        .iter()
        .find(|(name, expected)| !same(name, expected, present.get(name.as_str()).unwrap_or(&Value::Null)))
        .map(|(name, _)| name.clone())
}

/// Whether NetBox's representation says the same as the value that would be written: choices read as `{value, label}`, related
/// objects as nested objects, tags as objects of which those wanted must be there, custom fields in part.
fn same(name: &str, expected: &Value, present: &Value) -> bool {
    match (name, expected, present) {
        ("tags", Value::Array(wanted), Value::Array(present)) => wanted.iter().all(|tag| {
            let slug = tag.get("slug");
            present.iter().any(|known| known.get("slug") == slug)
        }),
        ("custom_fields", Value::Object(wanted), Value::Object(present)) => wanted
            .iter()
            .all(|(field, expected)| same(field, expected, present.get(field).unwrap_or(&Value::Null))),
        (_, expected, Value::Object(object)) => {
            object.get("value").is_some_and(|value| value == expected)
                || object.get("id").is_some_and(|id| id == expected)
                || Value::Object(object.clone()) == *expected
        }
        (_, expected, present) => expected == present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_become_ids() {
        let made = HashMap::from([(Key("dcim.device:x".to_owned()), 7)]);
        let body = json!({ "device": { "$ref": "dcim.device:x" }, "ends": [{ "object_id": { "$ref": "dcim.device:x" } }] });
        assert_eq!(resolve(&body, &made), Ok(json!({ "device": 7, "ends": [{ "object_id": 7 }] })));
        assert_eq!(resolve(&json!({ "$ref": "nothing" }), &made), Err("nothing".to_owned()));
    }

    #[test]
    fn netbox_representations_compare() {
        let present = json!({
            "status": { "value": "staged", "label": "Staged" },
            "tags": [{ "id": 1, "slug": "surveyor", "name": "Surveyor" }, { "id": 2, "slug": "more" }],
            "primary_ip4": { "id": 5, "address": "192.0.2.1/24" },
            "name": "printer",
            "assigned_object_id": null,
            "custom_fields": { "surveyor_state": { "value": "candidate", "label": "candidate" }, "other": 1 },
        });
        let before = |value: Value| serde_json::from_value::<Fields>(value).unwrap();
        let fits = json!({
            "status": "staged",
            "tags": [{ "slug": "surveyor" }],
            "primary_ip4": 5,
            "name": "printer",
            "assigned_object_id": null,
            "custom_fields": { "surveyor_state": "candidate" },
        });
        assert_eq!(differs(&before(fits), &present), None);
        assert_eq!(differs(&before(json!({ "status": "active" })), &present).as_deref(), Some("status"));
        assert_eq!(
            differs(&before(json!({ "primary_ip4": null })), &present).as_deref(),
            Some("primary_ip4")
        );
        assert_eq!(differs(&before(json!({ "tags": [{ "slug": "x" }] })), &present).as_deref(), Some("tags"));
    }
}
