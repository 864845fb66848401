//! Two native pools behind one SQL text: how they are opened and how a transaction runs. Knows no table.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::StoreError;

/// The migrations, in the binary. The same text runs on both databases.
pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("service/store/migrations");

/// How long a writer waits for another process (a command beside `serve`) before it gives up: longer than any
/// transaction of ours, shorter than NetBox's webhook time-out of 60 s.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call waits for a free connection; all writers of a process queue for one on SQLite.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the first connection to a server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that only read. WAL lets them run beside the writer; a handful is all `status` and `/health` need.
const SQLITE_READERS: u32 = 4;

/// Connections to PostgreSQL of one replica; its default limit is 100 for all clients.
const POSTGRES_CONNECTIONS: u32 = 8;

/// How often a transaction that lost a race for a lock is run again.
pub(super) const CONTENTION_RETRIES: u32 = 5;

/// Parameters of one statement on SQLite. It looks each `$n` up by name among all of them, so a statement costs the square
/// of their number: 400 rows of 13 took 137 ms as one statement and 9 ms like this.
const SQLITE_PARAMETERS: usize = 256;

/// Parameters of one statement on PostgreSQL, where a statement costs a round trip. The protocol allows 65,535.
const POSTGRES_PARAMETERS: usize = 30_000;

/// The database.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    /// A file of our own, or memory in tests.
    Sqlite {
        /// The one connection that writes: SQLite has one writer anyway, and queueing here is fair and cannot time out in the middle.
        writer: SqlitePool,
        /// Connections that read. In memory it is the writer's.
        reader: SqlitePool,
    },
    /// A server, for several replicas.
    Postgres(PgPool),
}

impl Pool {
    /// How many rows of this many parameters fit into one statement, beside one for all rows.
    pub(super) const fn rows_per_statement(&self, columns: usize) -> usize {
        let parameters = match self {
            Self::Sqlite { .. } => SQLITE_PARAMETERS,
            Self::Postgres(_) => POSTGRES_PARAMETERS,
        };
        (parameters - 1) / columns
    }
}

/// Reads: `with_pool!(store, "doing", |db| query.fetch_all(db))`. The body is compiled once per database.
macro_rules! with_pool {
    ($store:expr, $doing:literal, |$db:ident| $body:expr) => {{
        let outcome = match $store.pool() {
            $crate::store::pool::Pool::Sqlite { reader: $db, .. } => $body.await,
            $crate::store::pool::Pool::Postgres($db) => $body.await,
        };
        outcome.map_err(|error| $crate::store::StoreError::of($doing, error))
    }};
}

/// Writes in one transaction, committed before the value is returned; run again if it loses a race for a lock,
/// so the body must not consume what it captures. Deferred transactions that read and then write fail with
/// `SQLITE_BUSY_SNAPSHOT` (517) whatever the busy time-out, hence `begin immediate`.
macro_rules! in_transaction {
    ($store:expr, $doing:literal, |$tx:ident| $body:block) => {{
        let mut tries = 0;
        loop {
            let outcome: Result<_, sqlx::Error> = match $store.pool() {
                $crate::store::pool::Pool::Sqlite { writer, .. } => {
                    async {
                        let mut transaction = writer.begin_with("begin immediate").await?;
                        let $tx = &mut *transaction;
                        let value = $body;
                        transaction.commit().await?;
                        Ok(value)
                    }
                    .await
                }
                $crate::store::pool::Pool::Postgres(pool) => {
                    async {
                        let mut transaction = pool.begin().await?;
                        let $tx = &mut *transaction;
                        let value = $body;
                        transaction.commit().await?;
                        Ok(value)
                    }
                    .await
                }
            };
            match outcome {
                Ok(value) => break Ok(value),
                Err(error)
                    if tries < $crate::store::pool::CONTENTION_RETRIES
                        && $crate::store::error::is_contended(&error) =>
                {
                    tries += 1;
                }
                Err(error) => break Err($crate::store::StoreError::of($doing, error)),
            }
        }
    }};
}

pub(super) use {in_transaction, with_pool};

/// Text from outside without NUL: PostgreSQL's `text` cannot hold it, and a device may say anything.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}

/// `($1, $2), ($3, $4)`: the rows of a `values` list.
pub(super) fn rows(count: usize, columns: usize) -> String {
    let mut sql = String::with_capacity(count * (columns * 6 + 4));
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        sql.push_str(&list(row * columns + 1, columns));
        sql.push(')');
    }
    sql
}

/// `$3, $4, $5`: parameters from a number on.
pub(super) fn list(first: usize, count: usize) -> String {
    let mut sql = String::with_capacity(count * 6);
    for number in first..first + count {
        let separator = if number == first { "" } else { ", " };
        // Writing to a String cannot fail.
        let _written = write!(sql, "{separator}${number}");
    }
    sql
}

/// Opens a SQLite file, made with mode 0600 if it is new, and migrates it. The path is the one SQLite uses.
pub(super) async fn open_sqlite(url: &str, path: &Path) -> Result<(Pool, PathBuf), StoreError> {
    let location = path.display().to_string();
    create_private(path).map_err(|error| StoreError::of_path(&location, &error))?;
    let path = path.canonicalize().map_err(|error| StoreError::of_path(&location, &error))?;
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(LOCK_TIMEOUT)
        .foreign_keys(true);
    let writer = sqlite_pool(1)
        .connect_with(options.clone())
        .await
        .map_err(|error| StoreError::of_opening(url, error))?;
    migrate_sqlite(url, &writer).await?;
    let reader = sqlite_pool(SQLITE_READERS).connect_lazy_with(options.pragma("query_only", "on"));
    Ok((Pool::Sqlite { writer, reader }, path))
}

/// Opens a database in memory: one connection for everything, gone with it.
pub(super) async fn open_memory(url: &str) -> Result<Pool, StoreError> {
    let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
    let writer = sqlite_pool(1)
        .min_connections(1)
        .connect_with(options)
        .await
        .map_err(|error| StoreError::of_opening(url, error))?;
    migrate_sqlite(url, &writer).await?;
    Ok(Pool::Sqlite { reader: writer.clone(), writer })
}

/// Connects to PostgreSQL and migrates it. Returns how to call it without its password, too.
pub(super) async fn open_postgres(url: &str) -> Result<(Pool, String), StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Location {
        location: "postgres://..".to_owned(),
        problem: error.to_string(),
        hint: "expected `postgres://USER:PASSWORD@HOST/DATABASE`; percent-encode special characters in the password",
    })?;
    let location = format!(
        "postgres://{}:{}/{}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or_else(|| options.get_username())
    );
    let options = options.application_name("surveyor");
    // Once by itself: a pool retries a refused connection until its time is up, and then says only that it is.
    let connection = tokio::time::timeout(CONNECT_TIMEOUT, options.connect())
        .await
        .map_err(|_| StoreError::Unreachable { doing: "open", source: sqlx::Error::PoolTimedOut })?
        .map_err(|error| StoreError::of_opening(&location, error))?;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options);
    // A server that closes badly has still answered.
    let _closed = connection.close().await;
    // sqlx takes an advisory lock here, so replicas that start together wait for one another.
    MIGRATIONS.run(&pool).await.map_err(|error| StoreError::of_migration(&location, error))?;
    Ok((Pool::Postgres(pool), location))
}

/// A pool whose connections live as long as it does: there is no network that could cut them.
fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Migrates inside one `begin immediate`: sqlx takes no lock on SQLite, and two commands may start together.
async fn migrate_sqlite(location: &str, writer: &SqlitePool) -> Result<(), StoreError> {
    let failed = |error| StoreError::of_opening(location, error);
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    // `run_direct` is what `run` calls; the future of `run` with a borrowed connection is not `Send`
    // ("implementation of `Acquire` is not general enough").
    MIGRATIONS
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|error| StoreError::of_migration(location, error))?;
    transaction.commit().await.map_err(failed)
}

/// Makes the file with mode 0600 unless it exists: SQLite would use the umask, and gives `-wal` and `-shm` the mode of the file.
fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let metadata = fs::metadata(path)?;
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if metadata.mode() & 0o077 != 0 {
                tracing::warn!(
                    store.path = %path.display(),
                    "the store is open to other users of this host (mode {:03o}); it should be 600",
                    metadata.mode() & 0o777
                );
            }
            OpenOptions::new().write(true).open(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_parameters_row_by_row() {
        assert_eq!(rows(2, 2), "($1, $2), ($3, $4)");
        assert_eq!(rows(1, 1), "($1)");
        assert_eq!(rows(0, 3), "");
        assert_eq!(list(3, 3), "$3, $4, $5");
        assert_eq!(list(1, 0), "");
    }
}
