//! One writing run at a time, whatever process it is in: `serve`, a command, a replica.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::pool::Pool;
use super::{Store, StoreError};

/// Names the advisory lock on PostgreSQL: "surveyor" in ASCII.
const ADVISORY_KEY: i64 = 0x7375_7276_6579_6f72;

/// How often a lock file is tried while another run holds it.
const RETRY: Duration = Duration::from_millis(100);

/// The right to write to NetBox and to DNS servers, given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
#[must_use = "the claim ends when it is dropped"]
pub struct WriteClaim {
    _file: Option<File>,
    _connection: Option<PgConnection>,
}

impl Store {
    /// Waits until no other run writes.
    pub async fn claim_writing(&self) -> Result<WriteClaim, StoreError> {
        match self.pool() {
            Pool::Postgres(pool) => {
                // A connection of its own: the lock lasts as long as the session.
                let options = pool.connect_options();
                let doing = "wait for the right to write";
                let mut connection = PgConnection::connect_with(&options)
                    .await
                    .map_err(|error| StoreError::of(doing, error))?;
                sqlx::query("select pg_advisory_lock($1)")
                    .bind(ADVISORY_KEY)
                    .execute(&mut connection)
                    .await
                    .map_err(|error| StoreError::of(doing, error))?;
                Ok(WriteClaim { _file: None, _connection: Some(connection) })
            }
            Pool::Sqlite { .. } => {
                let Some(database) = self.path() else {
                    return Ok(WriteClaim { _file: None, _connection: None });
                };
                let mut path = database.as_os_str().to_owned();
                path.push(".write");
                let path = PathBuf::from(path);
                let failed = |error| StoreError::of_path(&path.display().to_string(), &error);
                let file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600)
                    .open(&path)
                    .map_err(failed)?;
                loop {
                    match file.try_lock() {
                        Ok(()) => return Ok(WriteClaim { _file: Some(file), _connection: None }),
                        Err(TryLockError::WouldBlock) => tokio::time::sleep(RETRY).await,
                        Err(TryLockError::Error(error)) => return Err(failed(error)),
                    }
                }
            }
        }
    }
}
