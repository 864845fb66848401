//! Open work by object: what an interrupted run left behind.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::pool::{in_transaction, list, with_pool};
use super::{Store, StoreError};
use crate::model::Timestamp;

impl Store {
    /// Drops what older plans of these objects still had to do and never sent; how many steps. A new plan of an object says
    /// everything that is still wanted.
    pub async fn drop_objects(&self, objects: &[String], now: Timestamp) -> Result<u64, StoreError> {
        self.drop_where("object", objects, "a newer plan took its place", now).await
    }

    /// Drops those of these steps that were planned and never sent; how many.
    pub async fn drop_planned(&self, ids: &[String], now: Timestamp) -> Result<u64, StoreError> {
        self.drop_where("id", ids, "its plan was stopped", now).await
    }

    async fn drop_where(
        &self,
        column: &'static str,
        values: &[String],
        reason: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let per_statement = self.pool().rows_per_statement(1).saturating_sub(2).max(1);
        in_transaction!(self, "drop planned steps", |tx| {
            let mut dropped = 0;
            for chunk in values.chunks(per_statement) {
                let sql = format!(
                    "update receipt set state = 'dropped', reason = $1, updated_at = $2 \
                     where {column} in ({}) and state = 'planned'",
                    list(3, chunk.len())
                );
                let mut query =
                    sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(reason).bind(now.millis());
                for value in chunk {
                    query = query.bind(value);
                }
                dropped += query.execute(&mut *tx).await?.rows_affected();
            }
            dropped
        })
    }

    /// When each identity was last seen by a discovery run.
    pub async fn claims_seen_at(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let rows: Vec<(String, i64)> = with_pool!(self, "list claims", |db| {
            sqlx::query_as("select identity, last_seen from claim").fetch_all(db)
        })?;
        Ok(rows.into_iter().map(|(identity, seen)| (identity, Timestamp(seen))).collect())
    }
}
