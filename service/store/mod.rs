//! The local database: inbox, receipts, leases, the last collections, and where every reader has got to.
//!
//! SQLite by default, PostgreSQL for several replicas; one SQL text, and the same tests on both. Nothing here decides:
//! losing the database loses no decision, because those are in NetBox. It knows no clock (`now` is a parameter), no
//! NetBox, no source and no DNS server.

mod claims;
mod error;
mod exclusive;
mod inbox;
mod lease;
mod open;
mod pool;
mod receipts;
mod runs;
mod serve;
mod sources;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

pub use error::StoreError;
pub use exclusive::WriteClaim;
pub use inbox::{Hint, NewHint};
pub use lease::Lease;
pub use receipts::{NewPlan, PlannedStep, ReceiptRow, ReceiptState, Settlement};
pub use runs::{Counts, DnsState, RunRow};
pub use serve::ServeClaim;
pub use sources::{NewCollection, SavedCollection, SourceFreshness};

use pool::Pool;

/// The open database. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What the clones share.
#[derive(Debug)]
struct Inner {
    pool: Pool,
    /// For messages, without a password.
    location: String,
    /// The SQLite file, if it is one.
    path: Option<PathBuf>,
}

impl Store {
    /// Opens `sqlite://PATH`, `sqlite::memory:` or `postgres://..`, creates what is missing and migrates.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let (pool, location, path) = match Target::parse(url)? {
            Target::Memory => (pool::open_memory(url).await?, url.to_owned(), None),
            Target::File(path) => {
                let (pool, path) = pool::open_sqlite(url, &path).await?;
                (pool, path.display().to_string(), Some(path))
            }
            Target::Server => {
                let (pool, location) = pool::open_postgres(url).await?;
                (pool, location, None)
            }
        };
        Ok(Self { inner: Arc::new(Inner { pool, location, path }) })
    }

    /// What it is called in messages: a path, or the server and database.
    pub fn location(&self) -> &str {
        &self.inner.location
    }

    /// Finishes what is queued and closes every connection. Without it nothing is lost: what was committed is on disk.
    pub async fn close(&self) {
        match &self.inner.pool {
            Pool::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    /// The connections.
    fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    /// The SQLite file, if it is one.
    fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }
}

/// Where a URL points.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Memory,
    File(PathBuf),
    Server,
}

impl Target {
    /// Reads a URL; what it complains about never contains a password.
    fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = |location: &str, problem: &str| StoreError::Location {
            location: location.to_owned(),
            problem: problem.to_owned(),
            hint: "use `sqlite://surveyor.db`, `sqlite:///var/lib/surveyor/surveyor.db` or `postgres://USER:PASSWORD@HOST/DATABASE`",
        };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Server);
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            let scheme = url.split_once("://").map_or("..", |(scheme, _)| scheme);
            return Err(wrong(&format!("{scheme}://.."), "neither SQLite nor PostgreSQL"));
        };
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path == ":memory:" {
            return Ok(Self::Memory);
        }
        if path.contains('?') {
            return Err(wrong(url, "it has parameters, and there are none for SQLite"));
        }
        let Ok(path) = percent_decode_str(path).decode_utf8() else {
            return Err(wrong(url, "the path is not UTF-8"));
        };
        if path.is_empty() || path.contains('\0') {
            return Err(wrong(url, "it names no file"));
        }
        if path.ends_with('/') {
            return Err(wrong(url, "it names a folder, not a file"));
        }
        Ok(Self::File(PathBuf::from(&*path)))
    }
}
