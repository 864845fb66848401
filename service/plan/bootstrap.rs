//! What Surveyor needs inside NetBox, against what is there: the plan of `surveyor bootstrap`.
//!
//! Objects are found by name or slug and adopted; only fields that Surveyor's working depends on are held, and what a person
//! chose otherwise (colours, weights, columns, texts) stays. It knows no HTTP; secrets appear as markers only.

mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use wanted::{Parameters, Script, Wanted, WebhookParameters, wanted};

use super::step::REFERENCE;
use super::{Cause, Credential, Fields, Key, Phase, Plan, RefusalKind, Step, Target};
use crate::model::{ObjectKind, ObjectRef};

/// The member that stands for a secret in a step: `{"$secret": "webhook"}`.
pub const SECRET: &str = "$secret";
/// Permissions whose names begin so are Surveyor's alone: what is no longer wanted goes.
const OWN_PERMISSIONS: [&str; 3] = ["Surveyor services: ", "Surveyor stager: ", "Surveyor materializer: "];
/// Marks a placeholder as made here: without it a role or type is a person's, and `--remove` leaves it.
const PLACEHOLDER: &str = "made by Surveyor";
/// `ReplaceFile` names a custom script by this and its file name.
pub const SCRIPTS: &str = "netbox-scripts/";

/// An object as NetBox has it: choices bare, related objects as ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Existing {
    /// Its primary key.
    pub id: i64,
    /// Its fields.
    pub fields: Value,
}

/// What NetBox has of the wanted objects, and obsolete ones of ours.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// By the key of the wanted object.
    pub objects: BTreeMap<Key, Existing>,
    /// All permissions whose name begins with `Surveyor `: name and primary key.
    pub permissions: BTreeMap<String, i64>,
    /// Kinds that the token may not read: nothing is said about them.
    pub unreadable: BTreeSet<ObjectKind>,
}

impl Found {
    /// The ids that references to existing objects become.
    pub fn ids(&self) -> BTreeMap<String, i64> {
        self.objects.iter().map(|(key, existing)| (key.0.clone(), existing.id)).collect()
    }
}

/// A token that a service user has to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenWish {
    /// Login name of the user.
    pub username: String,
    /// Where it goes, for people.
    pub file: String,
}

/// Plans what is missing or has drifted.
pub fn plan(wanted: &[Wanted], found: &Found, tokens: &[TokenWish], scripts: &[Script]) -> Plan {
    let mut plan = Plan::new("bootstrap", "NetBox", Cause::Bootstrap);
    let ids = found.ids();
    for wish in wanted.iter().filter(|wish| !found.unreadable.contains(&wish.kind)) {
        if wish.kind == ObjectKind::Permission && wish.runs_scripts {
            push_scripts(&mut plan, wish, found, scripts);
        }
        match found.objects.get(&wish.key) {
            None => push_create(&mut plan, wish, &ids),
            Some(existing) => push_change(&mut plan, wish, existing, found, &ids),
        }
    }
    let kept: BTreeSet<&str> = wanted.iter().map(Wanted::name).collect();
    for (name, id) in &found.permissions {
        let ours = OWN_PERMISSIONS.iter().any(|prefix| name.starts_with(prefix));
        if ours && !kept.contains(name.as_str()) {
            push_delete(&mut plan, ObjectRef::new(ObjectKind::Permission, *id), name);
        }
    }
    for wish in tokens {
        let user = Key::new(ObjectKind::User, &wish.username);
        let fields = Fields::from([
            ("user".to_owned(), resolve(&user.reference(), &ids)),
            ("description".to_owned(), json!("Surveyor, made by bootstrap")),
            ("write_enabled".to_owned(), json!(true)),
        ]);
        let step = Step::Create {
            key: Key::new(ObjectKind::Token, &wish.username),
            kind: ObjectKind::Token,
            fields,
        };
        let label = format!("token of `{}`, written to {}", wish.username, wish.file);
        plan.push(Phase::Ground, Credential::Admin, step, label);
    }
    plan
}

/// Plans the removal of what `plan` makes, last things first. Placeholders that a person made, or that say so no more, stay.
pub fn removal(wanted: &[Wanted], found: &Found) -> Plan {
    let mut plan = Plan::new("bootstrap", "NetBox", Cause::Bootstrap);
    let mut gone = BTreeSet::new();
    for wish in wanted.iter().rev() {
        let Some(existing) = found.objects.get(&wish.key) else { continue };
        let description = existing.fields.get("description").and_then(Value::as_str).unwrap_or_default();
        if wish.is_placeholder() && !description.contains(PLACEHOLDER) {
            continue;
        }
        gone.insert(existing.id);
        push_delete(&mut plan, ObjectRef::new(wish.kind, existing.id), wish.name());
    }
    for (name, id) in &found.permissions {
        let ours = OWN_PERMISSIONS.iter().any(|prefix| name.starts_with(prefix));
        let listed = found
            .objects
            .iter()
            .any(|(key, existing)| existing.id == *id && *key == Key::new(ObjectKind::Permission, name));
        if ours && !listed {
            push_delete(&mut plan, ObjectRef::new(ObjectKind::Permission, *id), name);
        }
    }
    plan
}

/// The value with every reference to a known object replaced by its id: `{"$ref": KEY}` as a whole, and `$ref(KEY)` in texts.
pub fn resolve(value: &Value, ids: &BTreeMap<String, i64>) -> Value {
    match value {
        Value::Object(map) => match map.get(REFERENCE).and_then(Value::as_str) {
            Some(key) => ids.get(key).map_or_else(|| value.clone(), |id| json!(id)),
            None => {
                Value::Object(map.iter().map(|(name, inner)| (name.clone(), resolve(inner, ids))).collect())
            }
        },
        Value::Array(values) => {
            Value::from(values.iter().map(|inner| resolve(inner, ids)).collect::<Vec<_>>())
        }
        Value::String(text) => Value::from(resolve_text(text, ids)),
        other => other.clone(),
    }
}

fn resolve_text(text: &str, ids: &BTreeMap<String, i64>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$ref(") {
        done.push_str(before);
        let Some((key, tail)) = after.split_once(')') else {
            done.push_str("$ref(");
            rest = after;
            continue;
        };
        let id = ids.get(key).map(ToString::to_string);
        done.push_str(&id.unwrap_or_else(|| format!("$ref({key})")));
        rest = tail;
    }
    done.push_str(rest);
    done
}

/// Whether a reference in the value is still open.
pub fn is_open(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.contains_key(REFERENCE) || map.values().any(is_open),
        Value::Array(values) => values.iter().any(is_open),
        Value::String(text) => text.contains("$ref("),
        _ => false,
    }
}

fn push_create(plan: &mut Plan, wish: &Wanted, ids: &BTreeMap<String, i64>) {
    let fields = wish.fields.iter().map(|(name, value)| (name.clone(), resolve(value, ids))).collect();
    let step = Step::Create { key: wish.key.clone(), kind: wish.kind, fields };
    plan.push(Phase::Ground, Credential::Admin, step, wish.label());
}

fn push_change(
    plan: &mut Plan,
    wish: &Wanted,
    existing: &Existing,
    found: &Found,
    ids: &BTreeMap<String, i64>,
) {
    for field in &wish.fixed {
        let (is, should) = (existing.fields.get(field), wish.fields.get(field));
        if let Some(should) = should
            && is != Some(should)
        {
            let is = is.cloned().unwrap_or_default();
            let reason = format!(
                "{} exists with {field} {is}, but {should} is needed: rename or remove it",
                wish.label()
            );
            plan.refuse(RefusalKind::Name, reason);
            return;
        }
    }
    let (mut before, mut after) = (Fields::new(), Fields::new());
    for (field, should) in &wish.fields {
        let should = resolve(should, ids);
        let is = existing.fields.get(field).cloned().unwrap_or_default();
        let becomes = if is_open(&should) && !found.unreadable.is_empty() {
            None
        } else if wish.exact.contains(field) {
            (canonical(&is) != canonical(&should)).then_some(should)
        } else if wish.contains.contains(field) {
            with_missing(&is, &should)
        } else {
            None
        };
        if let Some(becomes) = becomes {
            before.insert(field.clone(), is);
            after.insert(field.clone(), becomes);
        }
    }
    if !after.is_empty() {
        let fields: Vec<&str> = after.keys().map(String::as_str).collect();
        let label = format!("{}: {}", wish.label(), fields.join(", "));
        let step =
            Step::Change { kind: wish.kind, target: Target::Id(existing.id), before, after, guard: false };
        plan.push(Phase::Ground, Credential::Admin, step, label);
    }
}

/// A custom script whose content is not the one that the permission to run it names.
fn push_scripts(plan: &mut Plan, wish: &Wanted, found: &Found, scripts: &[Script]) {
    let is = found.objects.get(&wish.key).and_then(|existing| existing.fields.get("description"));
    if is.is_some() && is == wish.fields.get("description") {
        return;
    }
    for script in scripts {
        let step = Step::ReplaceFile {
            server: format!("{SCRIPTS}{}", script.file),
            from_hash: None,
            to_hash: script.hash.clone(),
            content: script.content.clone(),
            changes: Vec::new(),
        };
        plan.push(Phase::Ground, Credential::Admin, step, format!("custom script `{}`", script.file));
    }
}

fn push_delete(plan: &mut Plan, object: ObjectRef, name: &str) {
    let step = Step::Delete { object, guard: Fields::new() };
    plan.push(Phase::Ground, Credential::Admin, step, format!("{} `{name}`", wanted::noun(object.kind)));
}

/// The list with what it lacks; pairs (choices) are the same if their first parts are.
fn with_missing(is: &Value, should: &Value) -> Option<Value> {
    let name = |value: &Value| value.get(0).unwrap_or(value).clone();
    let mut list = is.as_array().cloned().unwrap_or_default();
    let have: Vec<Value> = list.iter().map(name).collect();
    let missing: Vec<Value> =
        should.as_array()?.iter().filter(|value| !have.contains(&name(value))).cloned().collect();
    list.extend_from_slice(&missing);
    (!missing.is_empty()).then(|| Value::from(list))
}

/// The value with every list sorted: NetBox keeps no order of actions, types, users and constraints.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(canonical).collect();
            values.sort_by_cached_key(ToString::to_string);
            Value::from(values)
        }
        Value::Object(map) => {
            Value::Object(map.iter().map(|(name, inner)| (name.clone(), canonical(inner))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
