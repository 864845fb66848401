//! How many discovery runs in a row said the same about an identity. What a claim is, its hash says; nothing is read from it.

use std::collections::{BTreeMap, HashMap};

use sqlx::AssertSqlSafe;

use super::pool::{in_transaction, rows};
use super::{Store, StoreError};
use crate::model::Timestamp;

/// Columns of a new row.
const COLUMNS: usize = 6;

/// Bookmark: the run that last said something.
const RUN: &str = "claims.run";

/// Bookmark: the one before it.
const PREVIOUS: &str = "claims.previous";

/// Sets a bookmark.
pub(super) const SET_BOOKMARK: &str = "insert into bookmark (name, position) values ($1, $2) \
     on conflict (name) do update set position = excluded.position";

/// Reads a bookmark.
pub(super) const BOOKMARK: &str = "select position from bookmark where name = $1";

impl Store {
    /// Notes what a run claims and returns, for each identity, in how many runs in a row it was claimed like this, this one
    /// included. A run may call it several times; a run without the claim, or another claim, starts the count again.
    pub async fn seen(
        &self,
        claims: &[(String, String)],
        run: &str,
        now: Timestamp,
    ) -> Result<HashMap<String, u64>, StoreError> {
        // A statement may not touch a row twice; and in one order for all.
        let claims: BTreeMap<&str, &str> =
            claims.iter().map(|(identity, hash)| (identity.as_str(), hash.as_str())).collect();
        let claims: Vec<(&str, &str)> = claims.into_iter().collect();
        let per_statement = self.pool().rows_per_statement(COLUMNS);
        let streaks: Vec<(String, i64)> = in_transaction!(self, "note claims", |tx| {
            let last: Option<String> =
                sqlx::query_scalar(BOOKMARK).bind(RUN).fetch_optional(&mut *tx).await?;
            if last.as_deref() != Some(run) {
                sqlx::query(SET_BOOKMARK)
                    .bind(PREVIOUS)
                    .bind(last.as_deref().unwrap_or_default())
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(SET_BOOKMARK).bind(RUN).bind(run).execute(&mut *tx).await?;
            }
            let previous: String = sqlx::query_scalar(BOOKMARK).bind(PREVIOUS).fetch_one(&mut *tx).await?;
            let mut streaks: Vec<(String, i64)> = Vec::with_capacity(claims.len());
            for chunk in claims.chunks(per_statement) {
                let sql = format!(
                    "insert into claim (identity, claim_hash, run, streak, first_seen, last_seen) values {} \
                     on conflict (identity) do update set \
                         streak = case when claim.claim_hash <> excluded.claim_hash then 1 \
                                       when claim.run = excluded.run then claim.streak \
                                       when claim.run = ${} then claim.streak + 1 \
                                       else 1 end, \
                         first_seen = case when claim.claim_hash <> excluded.claim_hash then excluded.first_seen \
                                           else claim.first_seen end, \
                         claim_hash = excluded.claim_hash, run = excluded.run, last_seen = excluded.last_seen \
                     returning identity, streak",
                    rows(chunk.len(), COLUMNS),
                    chunk.len() * COLUMNS + 1
                );
                let mut query = sqlx::query_as(AssertSqlSafe(sql)).persistent(chunk.len() == per_statement);
                for (identity, hash) in chunk {
                    query = query
                        .bind(*identity)
                        .bind(*hash)
                        .bind(run)
                        .bind(1_i64)
                        .bind(now.millis())
                        .bind(now.millis());
                }
                streaks.extend(query.bind(&previous).fetch_all(&mut *tx).await?);
            }
            streaks
        })?;
        Ok(streaks.into_iter().map(|(identity, streak)| (identity, streak.unsigned_abs())).collect())
    }

    /// Forgets claims that were last seen before a moment; how many.
    pub async fn forget_claims(&self, before: Timestamp) -> Result<u64, StoreError> {
        in_transaction!(self, "forget claims", |tx| {
            sqlx::query("delete from claim where last_seen < $1")
                .bind(before.millis())
                .execute(&mut *tx)
                .await?
                .rows_affected()
        })
    }
}
