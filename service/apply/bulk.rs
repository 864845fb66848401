//! Bulk calls: all or none in NetBox, each object for itself here.

use serde_json::{Map, Value, json};

use super::{At, Execution, Group, body};
use crate::model::ObjectKind;
use crate::netbox::Error;
use crate::plan::Step;
use crate::store::ReceiptState;

impl Execution<'_> {
    /// Sends these steps in as few calls as NetBox lets them go through.
    pub(super) async fn run_bulk(&mut self, group: &Group, steps: Vec<At>) -> anyhow::Result<()> {
        let mut rows = Vec::with_capacity(steps.len());
        for at in steps {
            match self.row(at) {
                Ok(row) => rows.push((at, row)),
                Err(missing) => {
                    let reason = format!("{}: `{missing}` was not made", self.planned(at).label);
                    self.outcomes[at.plan].failed.get_or_insert(reason);
                }
            }
        }
        let intended = self.intend(rows.iter().map(|(at, _)| *at).collect()).await?;
        rows.retain(|(at, _)| intended.contains(at));
        let mut pending = vec![rows];
        while let Some(mut rows) = pending.pop() {
            if rows.is_empty() {
                continue;
            }
            if let Some(reason) = self.systemic.clone() {
                self.settle_all(&rows, ReceiptState::Failed, &reason).await?;
                continue;
            }
            let bodies: Vec<Value> = rows.iter().map(|(_, row)| Value::Object(row.clone())).collect();
            let (client, kind) = match group {
                Group::Create(credential, kind) | Group::Change(credential, kind) => {
                    (self.executor.clients.of(*credential), *kind)
                }
                Group::Note(credential) | Group::Single(credential, _) => {
                    (self.executor.clients.of(*credential), ObjectKind::JournalEntry)
                }
            };
            let message =
                (!matches!(group, Group::Note(_))).then(|| format!("surveyor {}", self.executor.run));
            let answer = match group {
                Group::Change(..) => client.update_many(kind, &bodies, message.as_deref()).await,
                _ => client.create_many(kind, &bodies, message.as_deref()).await,
            };
            match answer {
                Ok(answers) => self.settle_answers(&rows, &answers).await?,
                Err(error) if error.outcome_unknown() && !is_answered(&error) => {
                    self.settle_all(&rows, ReceiptState::Unsettled, &error.to_string()).await?;
                }
                Err(error) if is_systemic(&error) => {
                    let reason = error.to_string();
                    self.systemic = Some(reason.clone());
                    self.settle_all(&rows, ReceiptState::Failed, &reason).await?;
                }
                Err(error) => {
                    let named = named_rows(&error, &rows);
                    if named.is_empty() {
                        if rows.len() == 1 {
                            self.settle_one_failed(group, rows[0].0, &error.to_string()).await?;
                        } else {
                            let half = rows.split_off(rows.len() / 2);
                            pending.push(half);
                            pending.push(rows);
                        }
                    } else {
                        for (position, reason) in &named {
                            self.settle_one_failed(group, rows[*position].0, reason).await?;
                        }
                        let mut position = 0;
                        rows.retain(|_| {
                            position += 1;
                            !named.iter().any(|(named, _)| *named == position - 1)
                        });
                        pending.push(rows);
                    }
                }
            }
        }
        Ok(())
    }

    /// The body of one step; the key that is missing if it refers to something that was not made.
    fn row(&self, at: At) -> Result<Map<String, Value>, String> {
        match &self.planned(at).step {
            Step::Create { fields, .. } => body::fields(fields, &self.made),
            Step::Change { target, after, .. } => {
                let mut row = body::fields(after, &self.made)?;
                row.insert("id".to_owned(), body::resolve(&target.value(), &self.made)?);
                Ok(row)
            }
            Step::Note { kind, target, key, level, text } => Ok(Map::from_iter([
                ("assigned_object_type".to_owned(), json!(kind.content_type())),
                ("assigned_object_id".to_owned(), body::resolve(&target.value(), &self.made)?),
                ("kind".to_owned(), json!(level.as_str())),
                ("comments".to_owned(), json!(text)),
                ("custom_fields".to_owned(), json!({ "surveyor_key": key })),
            ])),
            Step::Delete { .. } | Step::ReplaceFile { .. } => Err("a bulk call".to_owned()),
        }
    }

    /// Creates answer in request order; changes by id.
    async fn settle_answers(
        &mut self,
        rows: &[(At, Map<String, Value>)],
        answers: &[Value],
    ) -> anyhow::Result<()> {
        let mut settlements = Vec::with_capacity(rows.len());
        for (position, (at, row)) in rows.iter().enumerate() {
            let answer = match row.get("id") {
                Some(id) => answers.iter().find(|answer| answer.get("id") == Some(id)),
                None => answers.get(position),
            };
            settlements.push(match answer {
                Some(answer) => (*at, ReceiptState::Done, Some(json!({ "id": answer.get("id") })), None),
                None => (*at, ReceiptState::Failed, None, Some("NetBox skipped it: it is gone".to_owned())),
            });
        }
        self.settle(settlements).await
    }

    async fn settle_all(
        &mut self,
        rows: &[(At, Map<String, Value>)],
        state: ReceiptState,
        reason: &str,
    ) -> anyhow::Result<()> {
        let settlements = rows.iter().map(|(at, _)| (*at, state, None, Some(reason.to_owned()))).collect();
        self.settle(settlements).await
    }

    /// A row that NetBox refused. A journal entry that is there already is done: its key is unique for that reason.
    async fn settle_one_failed(&mut self, group: &Group, at: At, reason: &str) -> anyhow::Result<()> {
        let is_there =
            matches!(group, Group::Note(_)) && reason.contains("surveyor_key") && reason.contains("unique");
        let state = if is_there { ReceiptState::Done } else { ReceiptState::Failed };
        self.settle(vec![(at, state, None, Some(reason.to_owned()))]).await
    }
}

/// An answer came: the request is over, so that sending part of it again is safe wherever NetBox refuses doubles.
const fn is_answered(error: &Error) -> bool {
    matches!(error, Error::Server { .. })
}

/// NetBox is out of reach, or refuses us altogether.
pub(super) const fn is_systemic(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Unauthorized { .. } | Error::Setup(_))
}

/// The rows an error names, with what is wrong with each.
fn named_rows(error: &Error, rows: &[(At, Map<String, Value>)]) -> Vec<(usize, String)> {
    let mut named: Vec<(usize, String)> = Vec::new();
    for row in error.rows() {
        let position = row.index.or_else(|| {
            let id = row.id?;
            rows.iter().position(|(_, body)| body.get("id").and_then(Value::as_i64) == Some(id))
        });
        let Some(position) = position.filter(|position| *position < rows.len()) else { continue };
        if !named.iter().any(|(known, _)| *known == position) {
            named.push((position, row.to_string()));
        }
    }
    named
}
