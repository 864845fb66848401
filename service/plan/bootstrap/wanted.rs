//! The objects of `schemas/netbox/*.json`, with the installation's names filled in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::ObjectKind;
use crate::plan::view::{TAG, TAG_IGNORED, TAG_MANAGED};
use crate::plan::{Fields, Key};

/// The lists in the order in which their objects can be made: what others refer to comes first.
const LISTS: [&str; 16] = [
    include_str!("../../../schemas/netbox/tags.json"),
    include_str!("../../../schemas/netbox/choice_sets.json"),
    include_str!("../../../schemas/netbox/custom_fields.json"),
    include_str!("../../../schemas/netbox/manufacturers.json"),
    include_str!("../../../schemas/netbox/device_types.json"),
    include_str!("../../../schemas/netbox/device_roles.json"),
    include_str!("../../../schemas/netbox/cluster_types.json"),
    include_str!("../../../schemas/netbox/clusters.json"),
    include_str!("../../../schemas/netbox/users.json"),
    include_str!("../../../schemas/netbox/groups.json"),
    include_str!("../../../schemas/netbox/permissions.json"),
    include_str!("../../../schemas/netbox/saved_filters.json"),
    include_str!("../../../schemas/netbox/table_configs.json"),
    include_str!("../../../schemas/netbox/custom_links.json"),
    include_str!("../../../schemas/netbox/webhooks.json"),
    include_str!("../../../schemas/netbox/event_rules.json"),
];
/// Wanted only where there are scripts.
const SCRIPT_PERMISSIONS: &str = include_str!("../../../schemas/netbox/script_permissions.json");

/// One object that should be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What references call it.
    pub key: Key,
    /// Its model.
    pub kind: ObjectKind,
    /// The field it is found by.
    pub key_field: String,
    /// A second unique field it is found by, if not by the first.
    pub also: Option<String>,
    /// Its fields when it is made.
    pub fields: Fields,
    /// Fields that are set back when they differ.
    pub exact: Vec<String>,
    /// Lists that must have these members, and may have more.
    pub contains: Vec<String>,
    /// Fields that NetBox cannot change: an object that differs cannot be used.
    pub fixed: Vec<String>,
    /// The permission that stands for the uploaded scripts.
    pub runs_scripts: bool,
}

impl Wanted {
    /// The value of its key field.
    pub fn name(&self) -> &str {
        self.fields.get(&self.key_field).and_then(Value::as_str).unwrap_or_default()
    }

    /// For people: ``custom field `surveyor_id` ``.
    pub fn label(&self) -> String {
        format!("{} `{}`", noun(self.kind), self.name())
    }

    /// Whether it only stands in until a person chooses the real one.
    pub const fn is_placeholder(&self) -> bool {
        matches!(
            self.kind,
            ObjectKind::Manufacturer
                | ObjectKind::DeviceType
                | ObjectKind::DeviceRole
                | ObjectKind::ClusterType
                | ObjectKind::Cluster
        )
    }
}

/// What differs between installations.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    /// Status of what waits for approval.
    pub staged_status: String,
    /// All other statuses of devices.
    pub device_statuses: Vec<String>,
    /// All other statuses of virtual machines.
    pub vm_statuses: Vec<String>,
    /// Clusters that sources report guests in.
    pub clusters: Vec<String>,
    /// How NetBox reaches us; none without a webhook.
    pub webhook: Option<WebhookParameters>,
    /// Whether conditions of event rules can look at snapshots (NetBox 4.7).
    pub snapshot_conditions: bool,
    /// Custom scripts to upload.
    pub scripts: Vec<Script>,
}

/// The webhook.
#[derive(Debug, Clone)]
pub struct WebhookParameters {
    /// Where NetBox sends it.
    pub url: String,
    /// Jinja template of the body; empty for NetBox's own.
    pub body_template: String,
    /// Whether NetBox checks our certificate.
    pub verify: bool,
}

/// A custom script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// File name, `surveyor_approve.py`.
    pub file: String,
    /// SHA-256 of the content, hexadecimal.
    pub hash: String,
    /// Python.
    pub content: String,
}

/// One file of `schemas/netbox`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    kind: String,
    key: String,
    #[serde(default)]
    also: Option<String>,
    #[serde(default)]
    exact: Vec<String>,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    fixed: Vec<String>,
    #[serde(default)]
    each: Option<String>,
    objects: Vec<Fields>,
}

/// Everything that should be there. An error is a fault in the embedded lists, which a test rules out.
pub fn wanted(parameters: &Parameters) -> Result<Vec<Wanted>, String> {
    let names = names(parameters);
    let mut wanted = Vec::new();
    for text in LISTS {
        let list = parse(text)?;
        let kind = kind(&list)?;
        let unused = match kind {
            ObjectKind::Webhook | ObjectKind::EventRule => parameters.webhook.is_none(),
            ObjectKind::ClusterType => parameters.clusters.is_empty(),
            _ => false,
        };
        if unused {
            continue;
        }
        if list.each.is_some() {
            for cluster in &parameters.clusters {
                let mut names = names.clone();
                names.insert("$cluster".to_owned(), json!(cluster));
                collect(&list, kind, &names, false, &mut wanted);
            }
        } else {
            collect(&list, kind, &names, false, &mut wanted);
        }
    }
    if !parameters.scripts.is_empty() {
        let list = parse(SCRIPT_PERMISSIONS)?;
        collect(&list, kind(&list)?, &names, true, &mut wanted);
    }
    Ok(wanted)
}

fn parse(text: &str) -> Result<List, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn kind(list: &List) -> Result<ObjectKind, String> {
    ObjectKind::from_content_type(&list.kind).ok_or_else(|| format!("no kind `{}`", list.kind))
}

fn collect(
    list: &List,
    kind: ObjectKind,
    names: &BTreeMap<String, Value>,
    runs_scripts: bool,
    into: &mut Vec<Wanted>,
) {
    for object in &list.objects {
        let fields: Fields = object.iter().map(|(name, value)| (name.clone(), fill(value, names))).collect();
        let name = fields.get(&list.key).and_then(Value::as_str).unwrap_or_default();
        into.push(Wanted {
            key: Key::new(kind, name),
            kind,
            key_field: list.key.clone(),
            also: list.also.clone(),
            exact: list.exact.clone(),
            contains: list.contains.clone(),
            fixed: list.fixed.clone(),
            fields,
            runs_scripts,
        });
    }
}

/// What the names with a dollar sign in the lists stand for.
fn names(parameters: &Parameters) -> BTreeMap<String, Value> {
    let files: Vec<&str> = parameters.scripts.iter().map(|script| script.file.as_str()).collect();
    let hashes: Vec<String> =
        parameters.scripts.iter().map(|script| format!("{:.12}", script.hash)).collect();
    let mut names = BTreeMap::from([
        ("$staged".to_owned(), json!(parameters.staged_status)),
        ("$device_statuses".to_owned(), json!(parameters.device_statuses)),
        ("$vm_statuses".to_owned(), json!(parameters.vm_statuses)),
        ("$script_files".to_owned(), json!(files)),
        ("$script_hash".to_owned(), json!(hashes.join(" "))),
        ("$conditions".to_owned(), conditions(parameters.snapshot_conditions)),
    ]);
    if let Some(webhook) = &parameters.webhook {
        names.insert("$webhook_url".to_owned(), json!(webhook.url));
        names.insert("$webhook_body".to_owned(), json!(webhook.body_template));
        names.insert("$webhook_verify".to_owned(), json!(webhook.verify));
    }
    names
}

/// Only what carries a tag of ours wakes us; where snapshots can be asked, what has just lost it, too (tags are names there).
fn conditions(snapshots: bool) -> Value {
    let slugs = [TAG, TAG_MANAGED, TAG_IGNORED];
    let mut any: Vec<Value> =
        slugs.iter().map(|slug| json!({"attr": "tags.slug", "op": "contains", "value": slug})).collect();
    if snapshots {
        let names = ["Surveyor", "Surveyor managed"];
        any.extend(
            names
                .iter()
                .map(|name| json!({"attr": "snapshots.prechange.tags", "op": "contains", "value": name})),
        );
    }
    json!({ "or": any })
}

/// Fills names in: a text that is one becomes its value, a name within a text becomes its text.
fn fill(value: &Value, names: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => names.get(text).cloned().unwrap_or_else(|| {
            let filled = names.iter().fold(text.clone(), |text, (name, value)| match value {
                Value::String(value) => text.replace(name, value),
                _ => text,
            });
            Value::from(filled)
        }),
        Value::Array(values) => {
            Value::from(values.iter().map(|value| fill(value, names)).collect::<Vec<_>>())
        }
        Value::Object(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.clone(), fill(value, names))).collect())
        }
        other => other.clone(),
    }
}

/// NetBox's word for a model.
pub(super) const fn noun(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Tag => "tag",
        ObjectKind::CustomFieldChoiceSet => "choice set",
        ObjectKind::CustomField => "custom field",
        ObjectKind::CustomLink => "custom link",
        ObjectKind::SavedFilter => "saved filter",
        ObjectKind::TableConfig => "table configuration",
        ObjectKind::Webhook => "webhook",
        ObjectKind::EventRule => "event rule",
        ObjectKind::Manufacturer => "manufacturer",
        ObjectKind::DeviceType => "device type",
        ObjectKind::DeviceRole => "device role",
        ObjectKind::ClusterType => "cluster type",
        ObjectKind::Cluster => "cluster",
        ObjectKind::User => "user",
        ObjectKind::Group => "group",
        ObjectKind::Permission => "permission",
        ObjectKind::Token => "token",
        other => other.content_type(),
    }
}
