//! Hints from NetBox: committed before they are acknowledged, taken with a lease, kept for a while so that a repeated delivery
//! is recognised. A hint says that something changed, never what to do.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::pool::{clean, in_transaction, rows, with_pool};
use super::{Store, StoreError};
use crate::model::{ObjectKind, ObjectRef, Timestamp};

/// Columns of a new row.
const COLUMNS: usize = 7;

/// A hint as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHint {
    /// SHA-256 of the body: NetBox repeats a delivery byte by byte (its timestamp is an argument of the job).
    pub digest: [u8; 32],
    /// The object, if it is of a kind we know.
    pub object: Option<ObjectRef>,
    /// What happened to it, in NetBox's words: `created`, `updated`, `deleted`.
    pub event: String,
    /// The request in NetBox that caused it.
    pub request_id: Option<String>,
    /// The user in NetBox who caused it.
    pub user: Option<String>,
}

/// A hint taken for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Its digest, in hexadecimal.
    pub id: String,
    /// The object, if it is of a kind we know.
    pub object: Option<ObjectRef>,
    /// What happened to it.
    pub event: String,
    /// The request in NetBox that caused it.
    pub request_id: Option<String>,
    /// The user in NetBox who caused it.
    pub user: Option<String>,
    /// When it was first delivered.
    pub received_at: Timestamp,
    /// How often it has been taken, this time included: the fencing token.
    pub attempt: i64,
}

/// A hint as it is stored.
#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    object_type: Option<String>,
    object_id: Option<i64>,
    event: String,
    request_id: Option<String>,
    username: Option<String>,
    received_at: i64,
    attempt: i64,
}

impl From<Row> for Hint {
    fn from(row: Row) -> Self {
        let kind = row.object_type.as_deref().and_then(ObjectKind::from_content_type);
        Self {
            object: kind.zip(row.object_id).map(|(kind, id)| ObjectRef { kind, id }),
            id: row.id,
            event: row.event,
            request_id: row.request_id,
            user: row.username,
            received_at: Timestamp(row.received_at),
            attempt: row.attempt,
        }
    }
}

impl Store {
    /// Commits hints in one transaction; how many are new. One with a known digest is ignored.
    pub async fn accept(&self, hints: &[NewHint], now: Timestamp) -> Result<usize, StoreError> {
        // In one order for all, so that two replicas never wait for each other's rows.
        let hints: BTreeMap<String, &NewHint> =
            hints.iter().map(|hint| (hex::encode(hint.digest), hint)).collect();
        let hints: Vec<(String, &NewHint)> = hints.into_iter().collect();
        let per_statement = self.pool().rows_per_statement(COLUMNS);
        let new = in_transaction!(self, "accept hints", |tx| {
            let mut new = 0;
            for chunk in hints.chunks(per_statement) {
                let sql = format!(
                    "insert into inbox (id, object_type, object_id, event, request_id, username, received_at, \
                         attempt, lease_until) \
                     select v.*, 0, 0 from (values {}) as v where true \
                     on conflict (id) do nothing",
                    rows(chunk.len(), COLUMNS)
                );
                let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(chunk.len() == per_statement);
                for (id, hint) in chunk {
                    query = query
                        .bind(id)
                        .bind(hint.object.map(|object| object.kind.content_type()))
                        .bind(hint.object.map(|object| object.id))
                        .bind(clean(&hint.event))
                        .bind(hint.request_id.as_deref().map(clean))
                        .bind(hint.user.as_deref().map(clean))
                        .bind(now.millis());
                }
                new += query.execute(&mut *tx).await?.rows_affected();
            }
            new
        })?;
        Ok(usize::try_from(new).unwrap_or(usize::MAX))
    }

    /// Takes open hints that nobody holds, oldest first. None may mean that another was faster: poll again.
    pub async fn take(
        &self,
        holder: &str,
        limit: usize,
        lease_ms: i64,
        now: Timestamp,
    ) -> Result<Vec<Hint>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let taken: Vec<Row> = in_transaction!(self, "take hints", |tx| {
            // The outer condition repeats the inner one: on PostgreSQL a taker that waited for a row sees here that it is gone.
            sqlx::query_as(
                "update inbox set holder = $1, lease_until = $2, attempt = attempt + 1 \
                 where id in (select open.id from inbox open \
                              where open.done_at is null and open.lease_until <= $3 \
                              order by open.received_at, open.id limit $4) \
                   and done_at is null and lease_until <= $3 \
                 returning id, object_type, object_id, event, request_id, username, received_at, attempt",
            )
            .bind(holder)
            .bind(now.plus_millis(lease_ms).millis())
            .bind(now.millis())
            .bind(limit)
            .fetch_all(&mut *tx)
            .await?
        })?;
        let mut hints: Vec<Hint> = taken.into_iter().map(Hint::from).collect();
        hints.sort_by(|a, b| (a.received_at, &a.id).cmp(&(b.received_at, &b.id)));
        Ok(hints)
    }

    /// Finishes hints; how many. One that was taken by another meanwhile stays the other's.
    pub async fn done(&self, hints: &[Hint], now: Timestamp) -> Result<u64, StoreError> {
        let per_statement = self.pool().rows_per_statement(2);
        in_transaction!(self, "finish hints", |tx| {
            let mut done = 0;
            for chunk in hints.chunks(per_statement) {
                let sql = format!(
                    "with finished (id, attempt) as (values {}) \
                     update inbox set done_at = ${} from finished \
                     where inbox.id = finished.id and inbox.attempt = finished.attempt and inbox.done_at is null",
                    rows(chunk.len(), 2),
                    chunk.len() * 2 + 1
                );
                let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(chunk.len() == per_statement);
                for hint in chunk {
                    query = query.bind(&hint.id).bind(hint.attempt);
                }
                done += query.bind(now.millis()).execute(&mut *tx).await?.rows_affected();
            }
            done
        })
    }

    /// How many hints are not finished, held ones included.
    pub async fn backlog(&self) -> Result<u64, StoreError> {
        let open: i64 = with_pool!(self, "count the inbox", |db| {
            sqlx::query_scalar("select count(*) from inbox where done_at is null").fetch_one(db)
        })?;
        Ok(open.unsigned_abs())
    }

    /// Forgets hints that were finished before a moment; how many. A delivery repeated after that is a new hint, which harms nothing.
    pub async fn prune_inbox(&self, before: Timestamp) -> Result<u64, StoreError> {
        in_transaction!(self, "prune the inbox", |tx| {
            sqlx::query("delete from inbox where done_at < $1")
                .bind(before.millis())
                .execute(&mut *tx)
                .await?
                .rows_affected()
        })
    }
}
