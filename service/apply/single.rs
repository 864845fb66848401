//! Guarded writes, one by one: changes of what people edit too, and deletions. Read first, compare, then write only if nobody
//! has changed the object since.

use serde_json::{Value, json};

use super::{At, Execution, body, bulk::is_systemic};
use crate::netbox::Error;
use crate::plan::{Credential, Step, Target};
use crate::store::ReceiptState;

/// How a guarded write ended.
enum Ended {
    Done,
    Failed(String),
    /// Somebody changed the object since it was planned, or since it was read.
    Overtaken(String),
    Unsettled(String),
}

impl Execution<'_> {
    /// Does one guarded step.
    pub(super) async fn run_single(&mut self, credential: Credential, at: At) -> anyhow::Result<()> {
        if self.intend(vec![at]).await?.is_empty() {
            return Ok(());
        }
        let ended = match self.single(credential, at).await {
            Ok(ended) => ended,
            Err(error) => {
                let reason = error.to_string();
                if is_systemic(&error) {
                    self.systemic = Some(reason.clone());
                }
                match error {
                    Error::Changed { .. } => Ended::Overtaken(reason),
                    error if error.outcome_unknown() => Ended::Unsettled(reason),
                    _ => Ended::Failed(reason),
                }
            }
        };
        self.outcomes[at.plan].overtaken = matches!(ended, Ended::Overtaken(_));
        let settlement = match ended {
            Ended::Done => (at, ReceiptState::Done, Some(json!({})), None),
            Ended::Failed(reason) | Ended::Overtaken(reason) => {
                (at, ReceiptState::Failed, None, Some(reason))
            }
            Ended::Unsettled(reason) => (at, ReceiptState::Unsettled, None, Some(reason)),
        };
        self.settle(vec![settlement]).await
    }

    async fn single(&self, credential: Credential, at: At) -> Result<Ended, Error> {
        let client = self.executor.clients.of(credential);
        let step = &self.planned(at).step;
        match step {
            Step::Change { kind, target, before, after, .. } => {
                let id = match target {
                    Target::Id(id) => *id,
                    Target::New(key) => match self.made.get(key) {
                        Some(id) => *id,
                        None => return Ok(Ended::Failed(format!("`{}` was not made", key.0))),
                    },
                };
                let fields = match body::fields(after, &self.made) {
                    Ok(fields) => Value::Object(fields),
                    Err(missing) => return Ok(Ended::Failed(format!("`{missing}` was not made"))),
                };
                let (present, etag) = client.get_with_etag(*kind, id).await?;
                if let Some(field) = body::differs(before, &present) {
                    return Ok(Ended::Overtaken(meanwhile(&field)));
                }
                client.update(*kind, id, &fields, etag.as_deref()).await?;
                Ok(Ended::Done)
            }
            Step::Delete { object, guard } => {
                let (present, etag) = match client.get_with_etag(object.kind, object.id).await {
                    Ok(found) => found,
                    // Gone already: that is what was wanted.
                    Err(Error::NotFound { .. }) => return Ok(Ended::Done),
                    Err(error) => return Err(error),
                };
                if let Some(field) = body::differs(guard, &present) {
                    return Ok(Ended::Overtaken(meanwhile(&field)));
                }
                match client.delete(object.kind, object.id, etag.as_deref()).await {
                    Ok(()) => Ok(Ended::Done),
                    Err(Error::NotFound { .. }) if !still_there(client, object.kind, object.id).await? => {
                        Ok(Ended::Done)
                    }
                    Err(error) => Err(error),
                }
            }
            Step::Create { .. } | Step::Note { .. } | Step::ReplaceFile { .. } => {
                Ok(Ended::Failed("not a guarded step".to_owned()))
            }
        }
    }
}

/// A 404 to a deletion can also mean that the token may not: then the object can still be read.
async fn still_there(
    client: &crate::netbox::Client,
    kind: crate::model::ObjectKind,
    id: i64,
) -> Result<bool, Error> {
    match client.get(kind, id).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn meanwhile(field: &str) -> String {
    format!("`{field}` was changed by someone else meanwhile; it is planned again")
}
