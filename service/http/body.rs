//! What a webhook says: our minimal body, or NetBox's own. Pure. Only read after the signature was checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{ObjectKind, ObjectRef};

/// The Jinja template of the webhook body that `bootstrap` installs in NetBox. It renders a [`WebhookBody`].
///
/// NetBox renders it with `event`, `timestamp`, `object_type`, `data`, and if there are any `request`, `snapshots` and
/// `context` (`extras/webhooks.py`, 4.7); before 4.6 there is no `request` but `username` and `request_id`. What the body leaves
/// out matters: `data` holds the config context, which may hold secrets. `tojson` is Jinja's own; NetBox's environment is
/// sandboxed and not strict about undefined names, but an attribute of one is an error.
pub const BODY_TEMPLATE: &str = r#"{"event": {{ event | tojson }}, "object_type": {{ object_type | tojson }}, "id": {{ (data | default({}, true)).id | default(none) | tojson }}, "request": {"id": {{ (request | default({}, true)).id | default(request_id) | default("", true) | string | tojson }}, "user": {{ (request | default({}, true)).user | default(username) | default("", true) | string | tojson }}}, "timestamp": {{ timestamp | string | tojson }}, "branch": {{ (((context | default({}, true)).active_branch | default((data | default({}, true)).active_branch, true)) | default(none, true)) is not none | tojson }}}"#;

/// A webhook body as the template of `bootstrap` renders it. A hint: Surveyor asks NetBox what is true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookBody {
    /// `created`, `updated` or `deleted`.
    pub event: String,
    /// The model, `app.model`.
    pub object_type: String,
    /// The primary key of the object.
    pub id: Option<i64>,
    /// The request in NetBox that caused it.
    pub request: WebhookRequest,
    /// When it happened, RFC 3339.
    pub timestamp: String,
    /// Whether it happened inside a branch (plugin netbox-branching) and is not true yet.
    #[serde(default)]
    pub branch: bool,
}

/// The request in NetBox that caused a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookRequest {
    /// NetBox's id of it, the same as in its change log; may be empty.
    pub id: String,
    /// The name of the user; may be empty.
    pub user: String,
}

/// Why a signed body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Not JSON.
    #[error(
        "the body is not JSON: {0}\nhint: the body template of the webhook in NetBox is broken; `surveyor bootstrap` restores it"
    )]
    NotJson(#[from] serde_json::Error),
    /// JSON, but a list, a number..
    #[error(
        "the body is not a JSON object\nhint: the body template of the webhook in NetBox is broken; `surveyor bootstrap` restores it"
    )]
    NotAnObject,
}

impl WebhookBody {
    /// Reads our body or NetBox's own, of any version since 4.0. Only what is not a JSON object is refused: whatever an object
    /// lacks or has of another type is empty, because a hint without an object still wakes the worker.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let value: Value = serde_json::from_slice(body)?;
        if !value.is_object() {
            return Err(Malformed::NotAnObject);
        }
        let data = &value["data"];
        Ok(Self {
            event: text(&value["event"]),
            object_type: object_type(&value),
            id: number(&value["id"]).or_else(|| number(&data["id"])),
            request: WebhookRequest {
                id: first(&[&value["request"]["id"], &value["request_id"]]),
                user: first(&[&value["request"]["user"], &value["username"]]),
            },
            timestamp: text(&value["timestamp"]),
            branch: value["branch"] == Value::Bool(true)
                || !value["context"]["active_branch"].is_null()
                || !data["active_branch"].is_null(),
        })
    }

    /// The object, if it is of a kind Surveyor knows.
    pub fn object(&self) -> Option<ObjectRef> {
        ObjectKind::from_content_type(&self.object_type).zip(self.id).map(|(kind, id)| ObjectRef { kind, id })
    }
}

/// `object_type`, or before 4.5 `model`: the bare model name, made whole where it is one of ours.
fn object_type(value: &Value) -> String {
    let object_type = text(&value["object_type"]);
    if !object_type.is_empty() {
        return object_type;
    }
    let model = text(&value["model"]);
    ObjectKind::ALL
        .iter()
        .map(|kind| kind.content_type())
        .find(|content_type| content_type.rsplit('.').next() == Some(model.as_str()))
        .map_or(model, str::to_owned)
}

/// A text, or nothing.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The first text that is not empty.
fn first(values: &[&Value]) -> String {
    values
        .iter()
        .filter_map(|value| value.as_str())
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// A primary key, as a number or as its digits.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_its_own_body() {
        let body = WebhookBody {
            event: "updated".to_owned(),
            object_type: "dcim.device".to_owned(),
            id: Some(12),
            request: WebhookRequest { id: "0b0c".to_owned(), user: "alice".to_owned() },
            timestamp: "2026-11-20T10:52:00.000000+00:00".to_owned(),
            branch: false,
        };
        let json = serde_json::to_vec(&body).unwrap();
        assert_eq!(WebhookBody::parse(&json).unwrap(), body);
        assert_eq!(body.object(), Some(ObjectRef::new(ObjectKind::Device, 12)));
    }

    #[test]
    fn reads_what_the_template_rendered() {
        // Rendered by Jinja 3.1 (SandboxedEnvironment): with `request`; with `username` and `request_id` instead; in a branch.
        for (json, user, id, branch) in [
            (
                r#"{"event": "updated", "object_type": "dcim.device", "id": 7, "request": {"id": "abc", "user": "al\"ice\\"}, "timestamp": "2026-11-20T10:52:00+00:00", "branch": false}"#,
                "al\"ice\\",
                "abc",
                false,
            ),
            (
                r#"{"event": "updated", "object_type": "dcim.device", "id": 7, "request": {"id": "267833a0-62ac-4817-81c6-13829e56eaea", "user": "bob"}, "timestamp": "2026-11-20T10:52:00+00:00", "branch": false}"#,
                "bob",
                "267833a0-62ac-4817-81c6-13829e56eaea",
                false,
            ),
            (
                r#"{"event": "updated", "object_type": "dcim.device", "id": 7, "request": {"id": "", "user": ""}, "timestamp": "2026-11-20T10:52:00+00:00", "branch": true}"#,
                "",
                "",
                true,
            ),
        ] {
            let body = WebhookBody::parse(json.as_bytes()).unwrap();
            assert_eq!(serde_json::from_str::<WebhookBody>(json).unwrap(), body);
            assert_eq!(body.object(), Some(ObjectRef::new(ObjectKind::Device, 7)));
            assert_eq!(
                (body.request.user.as_str(), body.request.id.as_str(), body.branch),
                (user, id, branch)
            );
        }
    }

    #[test]
    fn reads_netbox_4_7() {
        let body = br#"{"event": "updated", "timestamp": "2026-11-20T10:52:00.123456+00:00", "object_type": "dcim.device",
            "data": {"id": 7, "name": "printer", "status": {"value": "active", "label": "Active"}},
            "request": {"id": "f3c1", "path": "/dcim/devices/7/edit/", "path_info": "/x", "method": "POST", "GET": {}, "user": "alice"},
            "snapshots": {"prechange": {"status": "staged"}, "postchange": {"status": "active"}}}"#;
        let body = WebhookBody::parse(body).unwrap();
        assert_eq!(body.object(), Some(ObjectRef::new(ObjectKind::Device, 7)));
        assert_eq!((body.event.as_str(), body.request.id.as_str()), ("updated", "f3c1"));
        assert_eq!((body.request.user.as_str(), body.branch), ("alice", false));
    }

    #[test]
    fn reads_older_netboxes() {
        let body = br#"{"event":"deleted","timestamp":"2025-01-01 00:00:00","model":"virtualmachine","username":"bob",
            "request_id":"r1","data":{"id":3},"snapshots":{"prechange":{},"postchange":null}}"#;
        let body = WebhookBody::parse(body).unwrap();
        assert_eq!(body.object(), Some(ObjectRef::new(ObjectKind::VirtualMachine, 3)));
        assert_eq!((body.request.id.as_str(), body.request.user.as_str()), ("r1", "bob"));
    }

    #[test]
    fn knows_a_branch() {
        for (json, expected) in [
            (r#"{"context": {"active_branch": {"id": 1, "name": "b"}}}"#, true),
            (r#"{"data": {"active_branch": "b"}}"#, true),
            (r#"{"branch": true}"#, true),
            (r#"{"branch": false, "context": {"active_branch": null}, "data": {}}"#, false),
            ("{}", false),
        ] {
            assert_eq!(WebhookBody::parse(json.as_bytes()).unwrap().branch, expected, "{json}");
        }
    }

    #[test]
    fn is_lenient_with_objects_and_strict_with_the_rest() {
        let odd =
            br#"{"event": 5, "object_type": ["x"], "id": "12", "data": [1], "request": "no", "context": 3}"#;
        let odd = WebhookBody::parse(odd).unwrap();
        assert_eq!((odd.id, odd.object()), (Some(12), None));
        for bad in
            ["", "[]", "null", "12", "event=updated", "{\"event\":", "\u{feff}{}", &"[".repeat(100_000)]
        {
            assert!(WebhookBody::parse(bad.as_bytes()).is_err(), "{bad:.20}");
        }
        assert!(WebhookBody::parse(b"{\"event\": \"\xff\"}").is_err());
    }

    proptest! {
        #[test]
        fn is_total(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _outcome = WebhookBody::parse(&body).is_ok();
        }
    }
}
