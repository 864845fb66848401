//! Who works on what, for how long. A lease says nothing about NetBox: no call may begin unless it ends before the lease does.

use std::collections::{BTreeSet, HashSet};

use sqlx::AssertSqlSafe;

use super::pool::{in_transaction, rows, with_pool};
use super::{Store, StoreError};
use crate::model::Timestamp;

/// The end of a lease that was given back.
const RELEASED: Timestamp = Timestamp(0);

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
        Ok(self.lease_all(&[name], holder, ttl_ms, now).await?.pop())
    }

    /// Takes those of many names that nobody holds, in one transaction; by name.
    pub async fn lease_all(
        &self,
        names: &[&str],
        holder: &str,
        ttl_ms: i64,
        now: Timestamp,
    ) -> Result<Vec<Lease>, StoreError> {
        let until = now.plus_millis(ttl_ms);
        let per_statement = self.pool().rows_per_statement(4);
        // A statement may not touch a row twice; and in one order for all.
        let names: Vec<&str> = names.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let taken: Vec<(String, i64)> = in_transaction!(self, "take leases", |tx| {
            let mut taken: Vec<(String, i64)> = Vec::new();
            for chunk in names.chunks(per_statement) {
                let sql = format!(
                    "insert into lease (name, holder, attempt, lease_until) values {} \
                     on conflict (name) do update set \
                         holder = excluded.holder, attempt = lease.attempt + 1, lease_until = excluded.lease_until \
                     where lease.lease_until <= ${} \
                     returning name, attempt",
                    rows(chunk.len(), 4),
                    chunk.len() * 4 + 1
                );
                let mut query = sqlx::query_as(AssertSqlSafe(sql)).persistent(chunk.len() == 1);
                for name in chunk {
                    query = query.bind(*name).bind(holder).bind(1_i64).bind(until.millis());
                }
                taken.extend(query.bind(now.millis()).fetch_all(&mut *tx).await?);
            }
            taken
        })?;
        let mut leases: Vec<Lease> = taken
            .into_iter()
            .map(|(name, attempt)| Lease { name, holder: holder.to_owned(), attempt, until })
            .collect();
        leases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(leases)
    }

    /// Extends a lease. `None` means that it was taken by another meanwhile: stop.
    pub async fn renew(
        &self,
        lease: &Lease,
        ttl_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        Ok(self.renew_all(std::slice::from_ref(lease), ttl_ms, now).await?.pop())
    }

    /// Extends those of many leases that nobody took meanwhile, in one transaction; in their order. A lease that ran out but that
    /// nobody took since is still its holder's: the attempt says so. A released one is not.
    pub async fn renew_all(
        &self,
        leases: &[Lease],
        ttl_ms: i64,
        now: Timestamp,
    ) -> Result<Vec<Lease>, StoreError> {
        let until = now.plus_millis(ttl_ms);
        let renewed: HashSet<String> = self.set_until(leases, until).await?.into_iter().collect();
        Ok(leases
            .iter()
            .filter(|lease| renewed.contains(&lease.name))
            .map(|lease| Lease { until, ..lease.clone() })
            .collect())
    }

    /// Gives a lease back; nothing happens if it is another's by now.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.release_all(std::slice::from_ref(lease)).await
    }

    /// Gives leases back, in one transaction.
    pub async fn release_all(&self, leases: &[Lease]) -> Result<(), StoreError> {
        // The rows stay: an attempt must never be given out twice.
        self.set_until(leases, RELEASED).await.map(drop)
    }

    /// Moves the end of leases that are still their holders'; which.
    async fn set_until(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<String>, StoreError> {
        let per_statement = self.pool().rows_per_statement(3);
        let mut ordered: Vec<&Lease> = leases.iter().collect();
        ordered.sort_by(|a, b| a.name.cmp(&b.name));
        in_transaction!(self, "move the end of leases", |tx| {
            let mut moved: Vec<String> = Vec::new();
            for chunk in ordered.chunks(per_statement) {
                let sql = format!(
                    "with held (name, holder, attempt) as (values {}) \
                     update lease set lease_until = ${} from held \
                     where lease.name = held.name and lease.holder = held.holder and lease.attempt = held.attempt \
                       and lease.lease_until > 0 \
                     returning lease.name",
                    rows(chunk.len(), 3),
                    chunk.len() * 3 + 1
                );
                let mut query = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(chunk.len() == 1);
                for lease in chunk {
                    query = query.bind(&lease.name).bind(&lease.holder).bind(lease.attempt);
                }
                moved.extend(query.bind(until.millis()).fetch_all(&mut *tx).await?);
            }
            moved
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
