//! Does the steps of a bootstrap plan. Objects of one kind that follow each other are made in one request; if one of them is
//! refused, the others are made all the same.

use std::collections::BTreeMap;

use rustls::crypto::ring;
use serde_json::{Value, json};

use super::{Error, Report, Wishes, token, token_files};
use crate::model::ObjectKind;
use crate::netbox::client::Client;
use crate::netbox::error::Error as NetBoxError;
use crate::netbox::value;
use crate::plan::bootstrap::{SCRIPTS, SECRET, is_open, resolve};
use crate::plan::{Fields, Key, Plan, PlannedStep, Step, Target};

/// Rows a request: a bulk call of this size stays well below a proxy's timeout.
const BATCH: usize = 50;
/// What the change log says about it.
const MESSAGE: &str = "surveyor bootstrap";
/// Bytes of randomness in a password nobody will use.
const PASSWORD_BYTES: usize = 32;
/// How much of what a field was is shown: constraints fit, templates do not.
const SHOWN: usize = 240;
/// Where custom scripts are uploaded (NetBox 4.6 and later).
const UPLOAD: &str = "extras/scripts/upload/";

/// A step in words.
pub(super) fn line(planned: &PlannedStep) -> String {
    let verb = match planned.step {
        Step::Create { .. } => "create",
        Step::Change { .. } => "change",
        Step::Delete { .. } => "delete",
        Step::Note { .. } => "note",
        Step::ReplaceFile { .. } => "upload",
    };
    let was = match &planned.step {
        Step::Change { before, .. } => format!(" (was {:.SHOWN$})", json!(before).to_string()),
        _ => String::new(),
    };
    format!("{verb} {}{was}", planned.label)
}

/// Does all steps in their order. What NetBox refuses is reported; what then cannot be done is, too.
pub(super) async fn all(
    admin: &Client,
    plan: &Plan,
    wishes: &Wishes,
    version: &str,
    ids: &mut BTreeMap<String, i64>,
    report: &mut Report,
) -> Result<(), Error> {
    let mut rest = plan.steps.as_slice();
    while let Some(first) = rest.first() {
        let together = rest.iter().take(BATCH).take_while(|other| goes_with(first, other)).count().max(1);
        let (now, later) = rest.split_at(together.min(rest.len()));
        rest = later;
        match &first.step {
            Step::Create { key, kind: ObjectKind::Token, fields } => {
                one_token(admin, first, key, fields, wishes, version, ids, report).await?;
            }
            Step::Create { kind, .. } => create(admin, *kind, now, wishes, ids, report).await?,
            Step::Change { kind, target: Target::Id(id), after, .. } => {
                let body = secrets(&resolve(&json!(after), ids), wishes)?;
                let done = admin.update(*kind, *id, &body, None).await.map(|_| ());
                settle(first, done, report)?;
            }
            Step::Delete { object, .. } => {
                let done = match admin.delete(object.kind, object.id, None).await {
                    Err(NetBoxError::NotFound { .. }) => Ok(()),
                    other => other,
                };
                settle(first, done, report)?;
            }
            Step::ReplaceFile { server, content, .. } => {
                let file = server.strip_prefix(SCRIPTS).unwrap_or(server);
                let done = upload(admin, file, content).await;
                settle(first, done, report)?;
            }
            Step::Change { .. } | Step::Note { .. } => {
                report.failed.push(format!("{}: no step of a bootstrap", line(first)));
            }
        }
    }
    Ok(())
}

/// Whether two steps fit into one request.
fn goes_with(first: &PlannedStep, other: &PlannedStep) -> bool {
    match (&first.step, &other.step) {
        (Step::Create { kind: a, .. }, Step::Create { kind: b, .. }) => a == b && *a != ObjectKind::Token,
        _ => false,
    }
}

/// Makes objects of one kind. NetBox makes all or none: rows that it names are dropped and the rest is sent again.
async fn create(
    admin: &Client,
    kind: ObjectKind,
    steps: &[PlannedStep],
    wishes: &Wishes,
    ids: &mut BTreeMap<String, i64>,
    report: &mut Report,
) -> Result<(), Error> {
    let mut waiting: Vec<(&PlannedStep, &Key, Value)> = Vec::new();
    for planned in steps {
        let Step::Create { key, fields, .. } = &planned.step else { continue };
        let body = resolve(&json!(fields), ids);
        if is_open(&body) {
            report.failed.push(format!("{}: what it refers to could not be made", line(planned)));
        } else {
            waiting.push((planned, key, secrets(&body, wishes)?));
        }
    }
    let mut one_by_one = false;
    while !waiting.is_empty() {
        let count = if one_by_one { 1 } else { waiting.len() };
        let bodies: Vec<Value> = waiting.iter().take(count).map(|(_, _, body)| body.clone()).collect();
        let message = has_change_log(kind).then_some(MESSAGE);
        match admin.create_many(kind, &bodies, message).await {
            Ok(rows) => {
                for ((planned, key, _), row) in waiting.drain(..count).zip(&rows) {
                    if let Some(id) = value::id_of(row) {
                        ids.insert(key.0.clone(), id);
                    }
                    report.lines.push(line(planned));
                }
            }
            Err(error @ (NetBoxError::Rejected { .. } | NetBoxError::Forbidden { .. })) => {
                let named: Vec<usize> = error.rows().iter().filter_map(|row| row.index).collect();
                if count == 1 {
                    let (planned, _, _) = waiting.remove(0);
                    settle(planned, Err(error), report)?;
                } else if named.is_empty() {
                    one_by_one = true;
                } else {
                    for row in error.rows() {
                        if let Some((planned, _, _)) = row.index.and_then(|index| waiting.get(index)) {
                            let why: Vec<String> = row
                                .field_errors
                                .iter()
                                .map(|(field, message)| format!("{field}: {message}"))
                                .collect();
                            report.failed.push(format!("{}: {}", line(planned), why.join(", ")));
                        }
                    }
                    let mut at = 0;
                    waiting.retain(|_| {
                        at += 1;
                        !named.contains(&(at - 1))
                    });
                }
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one call, all of them different things")]
async fn one_token(
    admin: &Client,
    planned: &PlannedStep,
    key: &Key,
    fields: &Fields,
    wishes: &Wishes,
    version: &str,
    ids: &BTreeMap<String, i64>,
    report: &mut Report,
) -> Result<(), Error> {
    let owner =
        token_files(wishes).into_iter().find(|(username, _)| *key == Key::new(ObjectKind::Token, username));
    let Some((username, Some(file))) = owner else { return Ok(()) };
    let fields: Fields = fields.iter().map(|(name, value)| (name.clone(), resolve(value, ids))).collect();
    if is_open(&json!(fields)) {
        report.failed.push(format!("{}: there is no such user", line(planned)));
        return Ok(());
    }
    report.token_files.push(token::make(admin, username, &fields, file, version).await?);
    report.lines.push(line(planned));
    Ok(())
}

/// Uploads a script, or replaces the one of that name.
async fn upload(admin: &Client, file: &str, content: &str) -> Result<(), NetBoxError> {
    match admin.upload(UPLOAD, false, file, content).await {
        Err(NetBoxError::Rejected { body, .. }) if body.contains("already exists") => {
            admin.upload(&format!("{UPLOAD}{file}/"), true, file, content).await.map(|_| ())
        }
        other => other.map(|_| ()),
    }
}

/// A refusal is one object's trouble; everything else stops.
fn settle(planned: &PlannedStep, done: Result<(), NetBoxError>, report: &mut Report) -> Result<(), Error> {
    match done {
        Ok(()) => report.lines.push(line(planned)),
        Err(
            error @ (NetBoxError::Rejected { .. }
            | NetBoxError::Forbidden { .. }
            | NetBoxError::NotFound { .. }),
        ) => {
            report.failed.push(format!("{}: {error}", line(planned)));
        }
        Err(error @ NetBoxError::Malformed { .. }) if matches!(planned.step, Step::ReplaceFile { .. }) => {
            // NetBox before 4.6 has no such path: scripts are a convenience.
            report
                .failed
                .push(format!("{}: this NetBox takes no scripts over its API ({error})", line(planned)));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// Users, groups, permissions and tokens have no change log.
const fn has_change_log(kind: ObjectKind) -> bool {
    !matches!(kind, ObjectKind::User | ObjectKind::Group | ObjectKind::Permission | ObjectKind::Token)
}

/// The body with secrets in place of their markers.
fn secrets(body: &Value, wishes: &Wishes) -> Result<Value, Error> {
    Ok(match body {
        Value::Object(map) => match map.get(SECRET).and_then(Value::as_str) {
            Some("webhook") => {
                let webhook = wishes.webhook.as_ref().map(|webhook| webhook.secret.expose());
                json!(webhook.unwrap_or_default())
            }
            Some(_) => json!(password()?),
            None => {
                let mut filled = serde_json::Map::new();
                for (name, inner) in map {
                    filled.insert(name.clone(), secrets(inner, wishes)?);
                }
                Value::Object(filled)
            }
        },
        Value::Array(values) => {
            Value::from(values.iter().map(|inner| secrets(inner, wishes)).collect::<Result<Vec<_>, _>>()?)
        }
        other => other.clone(),
    })
}

/// A password nobody knows; the beginning satisfies NetBox's rules (a digit, both cases; `AUTH_PASSWORD_VALIDATORS`).
fn password() -> Result<String, Error> {
    let mut bytes = [0; PASSWORD_BYTES];
    let provider = ring::default_provider();
    provider
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| Error::Embedded("the system gives no random numbers".to_owned()))?;
    Ok(format!("Aa1-{}", hex::encode(bytes)))
}
