//! The last collection of each source, as one blob, and how fresh it is. What is in the blob is the caller's affair.

use super::pool::{clean, in_transaction, with_pool};
use super::{Store, StoreError};
use crate::model::Timestamp;

/// A collection to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCollection<'a> {
    /// The source's name in the configuration.
    pub source: &'a str,
    /// The collection, encoded and compressed.
    pub blob: &'a [u8],
    /// When it was read.
    pub observed_at: Timestamp,
    /// Whether it has no gap.
    pub complete: bool,
    /// How many gaps it has.
    pub gaps: u64,
    /// The reason of the most important gap, in words.
    pub error: Option<&'a str>,
}

/// A collection as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedCollection {
    /// The collection, encoded and compressed.
    pub blob: Vec<u8>,
    /// When it was read.
    pub observed_at: Timestamp,
    /// Whether it has no gap.
    pub complete: bool,
    /// How many gaps it has.
    pub gaps: u64,
}

/// How fresh a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFreshness {
    /// The source's name in the configuration.
    pub source: String,
    /// When it was last read without a gap.
    pub last_complete: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt: Timestamp,
    /// Gaps of the last collection.
    pub gaps: u64,
    /// What went wrong the last time, in words.
    pub error: Option<String>,
}

/// Name, last complete, last attempt, gaps, error.
type FreshnessColumns = (String, Option<i64>, i64, i64, Option<String>);

impl Store {
    /// Keeps a collection; false if a newer one of this source is there already.
    pub async fn save_collection(
        &self,
        collection: &NewCollection<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = in_transaction!(self, "save a collection", |tx| {
            sqlx::query(
                "insert into source (name, collection, observed_at, complete, gaps, error, last_complete, last_attempt) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8) \
                 on conflict (name) do update set collection = excluded.collection, \
                     observed_at = excluded.observed_at, complete = excluded.complete, gaps = excluded.gaps, \
                     error = excluded.error, last_complete = coalesce(excluded.last_complete, source.last_complete), \
                     last_attempt = excluded.last_attempt \
                 where source.observed_at <= excluded.observed_at",
            )
            .bind(collection.source)
            .bind(collection.blob)
            .bind(collection.observed_at.millis())
            .bind(i64::from(collection.complete))
            .bind(i64::try_from(collection.gaps).unwrap_or(i64::MAX))
            .bind(collection.error.map(clean))
            .bind(collection.complete.then_some(collection.observed_at.millis()))
            .bind(now.millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        })?;
        Ok(changed > 0)
    }

    /// Notes that a source could not be read at all; its last collection stays.
    pub async fn source_failed(&self, source: &str, error: &str, now: Timestamp) -> Result<(), StoreError> {
        in_transaction!(self, "note a failed source", |tx| {
            sqlx::query(
                "insert into source (name, observed_at, complete, gaps, error, last_attempt) values ($1, 0, 0, 0, $2, $3) \
                 on conflict (name) do update set error = excluded.error, last_attempt = excluded.last_attempt",
            )
            .bind(source)
            .bind(clean(error))
            .bind(now.millis())
            .execute(&mut *tx)
            .await?;
        })
    }

    /// The last collection of a source.
    pub async fn collection(&self, source: &str) -> Result<Option<SavedCollection>, StoreError> {
        let row: Option<(Vec<u8>, i64, i64, i64)> = with_pool!(self, "read a collection", |db| {
            sqlx::query_as(
                "select collection, observed_at, complete, gaps from source where name = $1 and collection is not null",
            )
            .bind(source)
            .fetch_optional(db)
        })?;
        Ok(row.map(|(blob, observed_at, complete, gaps)| SavedCollection {
            blob,
            observed_at: Timestamp(observed_at),
            complete: complete != 0,
            gaps: gaps.unsigned_abs(),
        }))
    }

    /// How fresh each source is, by name.
    pub async fn freshness(&self) -> Result<Vec<SourceFreshness>, StoreError> {
        let rows: Vec<FreshnessColumns> = with_pool!(self, "read how fresh the sources are", |db| {
            sqlx::query_as("select name, last_complete, last_attempt, gaps, error from source order by name")
                .fetch_all(db)
        })?;
        Ok(rows
            .into_iter()
            .map(|(source, last_complete, last_attempt, gaps, error)| SourceFreshness {
                source,
                last_complete: last_complete.map(Timestamp),
                last_attempt: Timestamp(last_attempt),
                gaps: gaps.unsigned_abs(),
                error,
            })
            .collect())
    }

    /// Forgets a source that is no longer configured.
    pub async fn forget_source(&self, source: &str) -> Result<(), StoreError> {
        in_transaction!(self, "forget a source", |tx| {
            sqlx::query("delete from source where name = $1").bind(source).execute(&mut *tx).await?;
        })
    }
}
