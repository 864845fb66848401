//! Who works on what, for how long. A lease says nothing about NetBox: no call may begin unless it ends before the lease does.

use super::pool::{in_transaction, with_pool};
use super::{Store, StoreError};
use crate::model::Timestamp;

/// A name held by one worker until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is held: an object's identity, `discovery`, `sweep`.
    pub name: String,
    /// Who holds it.
    pub holder: String,
    /// Counts the times it was taken: the fencing token.
    pub attempt: i64,
    /// When it ends.
    pub until: Timestamp,
}

impl Lease {
    /// Whether a call that takes at most this long, begun now, ends before the lease does.
    pub const fn outlasts(&self, millis: i64, now: Timestamp) -> bool {
        now.plus_millis(millis).millis() < self.until.millis()
    }
}

impl Store {
    /// Takes a name that nobody holds. `None` means somebody does, perhaps another task of the same holder.
    pub async fn lease(
        &self,
        name: &str,
        holder: &str,
        ttl_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        let until = now.plus_millis(ttl_ms);
        let attempt: Option<i64> = in_transaction!(self, "take a lease", |tx| {
            sqlx::query_scalar(
                "insert into lease (name, holder, attempt, lease_until) values ($1, $2, 1, $3) \
                 on conflict (name) do update set \
                     holder = excluded.holder, attempt = lease.attempt + 1, lease_until = excluded.lease_until \
                 where lease.lease_until <= $4 \
                 returning attempt",
            )
            .bind(name)
            .bind(holder)
            .bind(until.millis())
            .bind(now.millis())
            .fetch_optional(&mut *tx)
            .await?
        })?;
        Ok(attempt.map(|attempt| Lease { name: name.to_owned(), holder: holder.to_owned(), attempt, until }))
    }

    /// Extends a lease. `None` means that it was taken by another meanwhile: stop.
    pub async fn renew(
        &self,
        lease: &Lease,
        ttl_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        let until = now.plus_millis(ttl_ms);
        let renewed: Option<i64> = in_transaction!(self, "renew a lease", |tx| {
            // A lease that ran out but that nobody took since is still ours: the attempt says so. A released one (0) is not.
            sqlx::query_scalar(
                "update lease set lease_until = $1 \
                 where name = $2 and holder = $3 and attempt = $4 and lease_until > 0 returning attempt",
            )
            .bind(until.millis())
            .bind(&lease.name)
            .bind(&lease.holder)
            .bind(lease.attempt)
            .fetch_optional(&mut *tx)
            .await?
        })?;
        Ok(renewed.map(|attempt| Lease { attempt, until, ..lease.clone() }))
    }

    /// Gives a lease back; nothing happens if it is another's by now.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        in_transaction!(self, "release a lease", |tx| {
            // The row stays: its attempt must never be given out twice.
            sqlx::query("update lease set lease_until = 0 where name = $1 and holder = $2 and attempt = $3")
                .bind(&lease.name)
                .bind(&lease.holder)
                .bind(lease.attempt)
                .execute(&mut *tx)
                .await?;
        })
    }

    /// The leases that are held now, by name.
    pub async fn leases(&self, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let rows: Vec<(String, String, i64, i64)> = with_pool!(self, "list the leases", |db| {
            sqlx::query_as(
                "select name, holder, attempt, lease_until from lease where lease_until > $1 order by name",
            )
            .bind(now.millis())
            .fetch_all(db)
        })?;
        Ok(rows
            .into_iter()
            .map(|(name, holder, attempt, until)| Lease { name, holder, attempt, until: Timestamp(until) })
            .collect())
    }
}
