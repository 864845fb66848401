//! NetBox's change log: what happened since the last look, and who decided.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Service;
use crate::model::{MacAddr, ObjectKind, ObjectRef, Timestamp};
use crate::netbox::value::{choice_of, id_of, text_of};
use crate::netbox::{Client, Error};
use crate::plan::ledger::Ledger;
use crate::plan::reject::Memory;

/// The change log's list.
const CHANGES: &str = "core/object-changes/";

/// How far back a look goes beyond the last one: rows of one moment are not committed in order.
const OVERLAP_MS: i64 = 60_000;

/// Models whose changes can be decisions, or change what DNS should say.
const WATCHED: [ObjectKind; 7] = [
    ObjectKind::Device,
    ObjectKind::VirtualMachine,
    ObjectKind::Interface,
    ObjectKind::VmInterface,
    ObjectKind::Cable,
    ObjectKind::IpAddress,
    ObjectKind::MacAddress,
];

/// What happened since the last look.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Whether people changed anything that could matter.
    pub anything: bool,
    /// Deleted objects: model, id, who, change log row.
    pub deleted: Vec<(ObjectRef, String, i64)>,
    /// Ids of the rows seen, to tell old from new in the overlap.
    pub rows: BTreeSet<i64>,
    /// Time of the newest row, by NetBox's clock.
    pub newest: Option<Timestamp>,
}

/// Where the last look ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursor {
    since: Option<Timestamp>,
    seen: BTreeSet<i64>,
}

impl Cursor {
    /// From what the store kept.
    pub(super) fn from_text(text: Option<&str>) -> Self {
        Self { since: text.and_then(Timestamp::parse), seen: BTreeSet::new() }
    }

    /// From this moment on.
    pub(super) fn at(since: Timestamp) -> Self {
        Self { since: Some(since), seen: BTreeSet::new() }
    }

    /// For the store.
    pub(super) fn to_text(&self) -> Option<String> {
        self.since.map(|since| since.to_string())
    }

    /// Moves on.
    pub(super) fn advance(&mut self, news: &News) {
        self.since = news.newest.max(self.since);
        self.seen.clone_from(&news.rows);
    }
}

/// Reads the change log since the cursor. The first time, only where it ends.
pub(super) async fn since(client: &Client, cursor: &Cursor, own: &BTreeSet<String>) -> Result<News, Error> {
    let mut news = News { newest: cursor.since, ..News::default() };
    let fields = ("fields", "id,time,user_name,action,changed_object_type,changed_object_id".to_owned());
    let rows = match cursor.since {
        Some(since) => {
            let after = since.plus_millis(-OVERLAP_MS).to_string();
            client.list(CHANGES, &[("time_after", after), fields]).await?
        }
        None => return first(client).await,
    };
    for row in rows {
        let Some(id) = id_of(&row) else { continue };
        let time = text_of(&row, "time").and_then(Timestamp::parse);
        news.newest = news.newest.max(time);
        news.rows.insert(id);
        let user = text_of(&row, "user_name").unwrap_or_default();
        if cursor.seen.contains(&id) || own.contains(user) {
            continue;
        }
        let Some(object) = changed_object(&row) else { continue };
        news.anything = true;
        if choice_of(&row, "action") == Some("delete") {
            news.deleted.push((object, user.to_owned(), id));
        }
    }
    Ok(news)
}

/// The end of the change log.
async fn first(client: &Client) -> Result<News, Error> {
    let rows = client.first(CHANGES, &[("ordering", "-time"), ("fields", "id,time")]).await?;
    let newest = rows.first().and_then(|row| text_of(row, "time")).and_then(Timestamp::parse);
    Ok(News { anything: true, newest, ..News::default() })
}

fn changed_object(row: &Value) -> Option<ObjectRef> {
    let kind = ObjectKind::from_content_type(text_of(row, "changed_object_type")?)?;
    let id = row.get("changed_object_id").and_then(Value::as_i64)?;
    WATCHED.contains(&kind).then_some(ObjectRef::new(kind, id))
}

impl Service {
    /// Who gave a field its present value; none if the change log does not say, or if it was one of our own users.
    pub(super) async fn decided_by(
        &self,
        object: ObjectRef,
        field: &str,
        value: &str,
        own: &BTreeSet<String>,
    ) -> Result<Option<String>, Error> {
        let query = [
            ("changed_object_type", object.kind.content_type().to_owned()),
            ("changed_object_id", object.id.to_string()),
            ("fields", "id,time,user_name,action,prechange_data,postchange_data".to_owned()),
        ];
        let mut rows = self.clients.stager.list(CHANGES, &query).await?;
        rows.sort_by_key(|row| {
            std::cmp::Reverse((text_of(row, "time").and_then(Timestamp::parse), id_of(row)))
        });
        for row in &rows {
            let at = |moment: &str| row.get(moment).and_then(|data| field_of(data, field));
            let (before, after) = (at("prechange_data"), at("postchange_data"));
            if after.as_deref() == Some(value) && before != after {
                let user = text_of(row, "user_name").unwrap_or_default().to_owned();
                return Ok((!own.contains(&user) && !user.is_empty()).then_some(user));
            }
            if after.as_deref() != Some(value) {
                // The newest change left another value: the change log has not caught up, or was pruned.
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// What a deleted candidate was: to remember it, if it was one and a person deleted it.
    pub(super) async fn memory_of(
        &self,
        row: i64,
        by: &str,
        snooze_until: String,
        now: Timestamp,
    ) -> Result<Option<(Memory, String)>, Error> {
        let change = self.clients.stager.get(CHANGES, row).await?;
        let Some(data) = change.get("prechange_data") else { return Ok(None) };
        let custom = |name: &str| data.get("custom_fields").and_then(|fields| fields.get(name));
        let Some(identity) = custom("surveyor_id").and_then(Value::as_str).map(str::to_owned) else {
            return Ok(None);
        };
        let is_candidate = ["staged", self.settings.wishes.staged.as_str(), "planned"]
            .contains(&text_of(data, "status").unwrap_or_default());
        let is_tagged = data.get("tags").and_then(Value::as_array).is_some_and(|tags| {
            tags.iter().filter_map(Value::as_str).any(|tag| tag.eq_ignore_ascii_case("surveyor"))
        });
        if !is_candidate || !is_tagged {
            return Ok(None);
        }
        let ledger = Ledger::read(custom("surveyor_ledger"));
        let macs: BTreeSet<MacAddr> = ledger
            .aliases
            .iter()
            .chain(std::iter::once(&identity))
            .filter_map(|name| name.strip_prefix("mac:")?.parse().ok())
            .collect();
        let title = text_of(data, "name").or_else(|| text_of(data, "label")).unwrap_or(&identity).to_owned();
        let memory = Memory {
            identity,
            decision: "ignore".to_owned(),
            until: Some(snooze_until),
            by: by.to_owned(),
            at: now,
            macs,
        };
        Ok(Some((memory, title)))
    }
}

/// A plain field, or a custom field of ours, of a serialized object.
fn field_of(data: &Value, field: &str) -> Option<String> {
    let value = if field.starts_with("surveyor_") {
        data.get("custom_fields")?.get(field)?
    } else {
        data.get(field)?
    };
    value.as_str().map(str::to_owned)
}
