//! Runs, cursors, DNS server states and the counts that `status` prints: small rows that are read whole.

use std::collections::BTreeMap;

use super::claims::{BOOKMARK, SET_BOOKMARK};
use super::pool::{in_transaction, with_pool};
use super::{Store, StoreError};
use crate::model::Timestamp;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Names it.
    pub id: String,
    /// `discover`, `stage`, `apply`, `sweep`..
    pub kind: String,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended; none if it still runs or its process ended first.
    pub ended: Option<Timestamp>,
    /// What came of it, as JSON.
    pub summary: Option<String>,
}

/// Id, kind, begun, ended, summary.
type RunColumns = (String, String, i64, Option<i64>, Option<String>);

/// The last known state of a DNS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsState {
    /// The server's name in the configuration.
    pub server: String,
    /// The state, as JSON.
    pub state: String,
    /// When it was saved.
    pub updated: Timestamp,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Hints that are not finished.
    pub backlog: u64,
    /// When the oldest of them arrived.
    pub oldest_hint: Option<Timestamp>,
    /// Receipts by state.
    pub receipts: BTreeMap<String, u64>,
    /// Identities that discovery has claimed lately.
    pub claims: u64,
    /// Sources with a row.
    pub sources: u64,
}

impl Store {
    /// Where a reader has got to.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        with_pool!(self, "read a cursor", |db| sqlx::query_scalar(BOOKMARK).bind(name).fetch_optional(db))
    }

    /// Moves a reader.
    pub async fn set_cursor(&self, name: &str, value: &str) -> Result<(), StoreError> {
        in_transaction!(self, "move a cursor", |tx| {
            sqlx::query(SET_BOOKMARK).bind(name).bind(value).execute(&mut *tx).await?;
        })
    }

    /// Notes that a run began. Beginning it twice changes nothing.
    pub async fn run_begin(&self, id: &str, kind: &str, now: Timestamp) -> Result<(), StoreError> {
        in_transaction!(self, "begin a run", |tx| {
            sqlx::query(
                "insert into run (id, kind, begun_at) values ($1, $2, $3) on conflict (id) do nothing",
            )
            .bind(id)
            .bind(kind)
            .bind(now.millis())
            .execute(&mut *tx)
            .await?;
        })
    }

    /// Notes what came of a run.
    pub async fn run_end(&self, id: &str, summary: &str, now: Timestamp) -> Result<(), StoreError> {
        in_transaction!(self, "end a run", |tx| {
            sqlx::query("update run set ended_at = $2, summary = $3 where id = $1")
                .bind(id)
                .bind(now.millis())
                .bind(summary)
                .execute(&mut *tx)
                .await?;
        })
    }

    /// The run of a kind that began last.
    pub async fn last_run(&self, kind: &str) -> Result<Option<RunRow>, StoreError> {
        let row: Option<RunColumns> = with_pool!(self, "read the last run", |db| {
            sqlx::query_as(
                "select id, kind, begun_at, ended_at, summary from run where kind = $1 \
                     order by begun_at desc, id desc limit 1",
            )
            .bind(kind)
            .fetch_optional(db)
        })?;
        Ok(row.map(|(id, kind, begun, ended, summary)| RunRow {
            id,
            kind,
            begun: Timestamp(begun),
            ended: ended.map(Timestamp),
            summary,
        }))
    }

    /// Forgets runs that began before a moment, except the last of each kind, and steps that were dropped before it; how many
    /// rows. Receipts of what was done stay: an undo needs them.
    pub async fn prune_history(&self, before: Timestamp) -> Result<u64, StoreError> {
        in_transaction!(self, "prune the history", |tx| {
            let runs = sqlx::query(
                "delete from run where begun_at < $1 and exists ( \
                     select 1 from run later where later.kind = run.kind and later.begun_at > run.begun_at)",
            )
            .bind(before.millis())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            let steps = sqlx::query("delete from receipt where state = 'dropped' and updated_at < $1")
                .bind(before.millis())
                .execute(&mut *tx)
                .await?
                .rows_affected();
            runs + steps
        })
    }

    /// Keeps the state of a DNS server.
    pub async fn save_dns_state(&self, server: &str, state: &str, now: Timestamp) -> Result<(), StoreError> {
        in_transaction!(self, "save the state of a DNS server", |tx| {
            sqlx::query(
                "insert into dns_server (name, state, updated_at) values ($1, $2, $3) \
                 on conflict (name) do update set state = excluded.state, updated_at = excluded.updated_at",
            )
            .bind(server)
            .bind(state)
            .bind(now.millis())
            .execute(&mut *tx)
            .await?;
        })
    }

    /// The last known state of every DNS server, by name.
    pub async fn dns_states(&self) -> Result<Vec<DnsState>, StoreError> {
        let rows: Vec<(String, String, i64)> =
            with_pool!(self, "read the states of the DNS servers", |db| {
                sqlx::query_as("select name, state, updated_at from dns_server order by name").fetch_all(db)
            })?;
        Ok(rows
            .into_iter()
            .map(|(server, state, updated)| DnsState { server, state, updated: Timestamp(updated) })
            .collect())
    }

    /// How much there is of everything.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let (backlog, oldest, claims, sources): (i64, Option<i64>, i64, i64) =
            with_pool!(self, "count", |db| {
                sqlx::query_as(
                    "select (select count(*) from inbox where done_at is null), \
                            (select min(received_at) from inbox where done_at is null), \
                            (select count(*) from claim), (select count(*) from source)",
                )
                .fetch_one(db)
            })?;
        let receipts: Vec<(String, i64)> = with_pool!(self, "count receipts", |db| {
            sqlx::query_as("select state, count(*) from receipt group by state").fetch_all(db)
        })?;
        Ok(Counts {
            backlog: backlog.unsigned_abs(),
            oldest_hint: oldest.map(Timestamp),
            receipts: receipts.into_iter().map(|(state, count)| (state, count.unsigned_abs())).collect(),
            claims: claims.unsigned_abs(),
            sources: sources.unsigned_abs(),
        })
    }
}
