//! Reads what NetBox has of the wanted objects, into the form the planner compares.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Map, Value, json};

use super::{MATERIALIZER, STAGER};
use crate::model::ObjectKind;
use crate::netbox::client::Client;
use crate::netbox::error::Error;
use crate::netbox::value;
use crate::plan::bootstrap::{Existing, Found, SECRET, Wanted};
use crate::transport::secret::Secret;

/// Lists read side by side: NetBox has a handful of workers, and people need some.
const CONCURRENT: usize = 4;

/// The wanted objects that exist, and what a person should know about our users.
pub(super) async fn read(
    client: &Client,
    wanted: &[Wanted],
    secret: Option<&Secret>,
) -> Result<(Found, Vec<String>), Error> {
    let mut kinds: BTreeMap<ObjectKind, Vec<&Wanted>> = BTreeMap::new();
    for wish in wanted {
        kinds.entry(wish.kind).or_default().push(wish);
    }
    let lists: Vec<(ObjectKind, Result<Vec<Value>, Error>)> = stream::iter(&kinds)
        .map(async |(kind, wishes)| (*kind, rows(client, *kind, wishes).await))
        .buffer_unordered(CONCURRENT)
        .collect()
        .await;
    let mut found = Found::default();
    let mut notes = BTreeSet::new();
    for (kind, rows) in lists {
        let rows = match rows {
            Ok(rows) => rows,
            Err(Error::Forbidden { .. }) => {
                found.unreadable.insert(kind);
                continue;
            }
            Err(other) => return Err(other),
        };
        for row in &rows {
            if kind == ObjectKind::Permission
                && let (Some(name), Some(id)) = (value::text_of(row, "name"), value::id_of(row))
            {
                found.permissions.insert(name.to_owned(), id);
            }
            if kind == ObjectKind::User {
                notes.extend(further_rights(row));
            }
        }
        for wish in kinds.get(&kind).into_iter().flatten() {
            let row = by_field(&rows, wish, &wish.key_field)
                .or_else(|| by_field(&rows, wish, wish.also.as_deref()?));
            if let Some(row) = row
                && let Some(id) = value::id_of(row)
            {
                found.objects.insert(wish.key.clone(), Existing { id, fields: comparable(row, secret) });
            }
        }
    }
    Ok((found, notes.into_iter().collect()))
}

/// All rows that may be wanted ones. Permissions are read by their beginning: obsolete ones of ours have to be seen.
async fn rows(client: &Client, kind: ObjectKind, wishes: &[&Wanted]) -> Result<Vec<Value>, Error> {
    if kind == ObjectKind::Permission {
        return client.list(kind, &[("name__isw", "Surveyor ")]).await;
    }
    let Some(first) = wishes.first() else { return Ok(Vec::new()) };
    let none: &[(&str, &str)] = &[];
    let mut rows = client.list_in(kind, &first.key_field, &texts(wishes, &first.key_field), none).await?;
    let missing: Vec<&Wanted> =
        wishes.iter().filter(|wish| by_field(&rows, wish, &wish.key_field).is_none()).copied().collect();
    if let Some(also) = &first.also
        && !missing.is_empty()
    {
        rows.extend(client.list_in(kind, also, &texts(&missing, also), none).await?);
    }
    Ok(rows)
}

fn texts(wishes: &[&Wanted], field: &str) -> Vec<String> {
    wishes.iter().filter_map(|wish| wish.fields.get(field)?.as_str()).map(str::to_owned).collect()
}

fn by_field<'a>(rows: &'a [Value], wish: &Wanted, field: &str) -> Option<&'a Value> {
    let wanted = wish.fields.get(field)?;
    rows.iter().find(|row| row.get(field) == Some(wanted))
}

/// The row with bare choices and ids, and with a marker for the webhook's secret.
fn comparable(row: &Value, secret: Option<&Secret>) -> Value {
    let mut fields: Map<String, Value> = row
        .as_object()
        .map(|map| map.iter().map(|(name, inner)| (name.clone(), value::written(inner))).collect())
        .unwrap_or_default();
    if let Some(is) = fields.get_mut("secret") {
        let same = secret.is_some_and(|secret| is.as_str() == Some(secret.expose()));
        *is = json!({ SECRET: if same { "webhook" } else { "another" } });
    }
    Value::Object(fields)
}

/// Rights of a service user that bootstrap did not give: they undo the split of credentials.
fn further_rights(user: &Value) -> Vec<String> {
    let Some(username) =
        value::text_of(user, "username").filter(|name| [STAGER, MATERIALIZER].contains(name))
    else {
        return Vec::new();
    };
    let names = |field: &str| {
        let list = user.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|row| value::text_of(row, "name")).map(str::to_owned).collect::<Vec<_>>()
    };
    let permissions =
        names("permissions").into_iter().filter(|name| !name.starts_with("Surveyor ")).map(|name| {
            format!("user `{username}` also has the permission `{name}`: it may do more than it should")
        });
    let groups = names("groups")
        .into_iter()
        .map(|name| format!("user `{username}` is in the group `{name}`: it may do more than it should"));
    permissions.chain(groups).collect()
}
