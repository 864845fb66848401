//! One `serve` per SQLite file. Commands run beside it; replicas need PostgreSQL.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::{Store, StoreError};
use crate::model::Timestamp;

/// How much of the other holder's line is shown.
const HOLDER_LIMIT: u64 = 200;

/// The right to run `serve` on a store, given back when dropped.
///
/// A lock of the operating system, not a row: it ends with the process however that ends, so a killed `serve` can be
/// started again at once.
#[derive(Debug)]
#[must_use = "the claim ends when it is dropped"]
pub struct ServeClaim {
    /// Locked while open. On PostgreSQL several replicas are allowed and there is none.
    _lock: Option<File>,
}

impl Store {
    /// Claims the store for `serve`. A second claim on the same SQLite file, by whatever process, is refused.
    pub fn claim_serve(&self, holder: &str, now: Timestamp) -> Result<ServeClaim, StoreError> {
        let Some(database) = self.path() else {
            return Ok(ServeClaim { _lock: None });
        };
        let mut path = database.as_os_str().to_owned();
        path.push(".serve");
        let path = PathBuf::from(path);
        let failed = |error| StoreError::of_path(&path.display().to_string(), &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = Vec::new();
                // Only a courtesy: the refusal stands whoever it is.
                let holder = match file.take(HOLDER_LIMIT).read_to_end(&mut text) {
                    Ok(length) if length > 0 => String::from_utf8_lossy(&text).trim().to_owned(),
                    _ => "an unknown process".to_owned(),
                };
                return Err(StoreError::Served { path: database.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{holder}, process {}, since {now}", std::process::id()))
            .map_err(failed)?;
        Ok(ServeClaim { _lock: Some(file) })
    }
}
