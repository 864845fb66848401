//! What can go wrong with the database, by what the caller does about it. Knows no table.

use std::io;
use std::path::PathBuf;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL, path or permissions are wrong: the user can fix it.
    #[error("cannot use the store `{location}`: {problem}\nhint: {hint}")]
    Location {
        /// The URL or path, without a password.
        location: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
    /// The database does not answer: try later.
    #[error("cannot reach the store while it should {doing}")]
    Unreachable {
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// Others kept the database locked for too long: try again.
    #[error("the store stayed locked while it should {doing}")]
    Busy {
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// The database reads but does not write: full disk, quota, read-only file system.
    #[error(
        "the store cannot be written while it should {doing}\nhint: check free space and permissions of the file system"
    )]
    Unwritable {
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// A newer version of Surveyor has migrated this database.
    #[error(
        "the store `{location}` belongs to a newer version (migration {migration})\nhint: run that version, or use another store"
    )]
    Newer {
        /// The URL or path, without a password.
        location: String,
        /// The migration that this version does not know.
        migration: i64,
    },
    /// Another `serve` runs on this SQLite file.
    #[error("another `serve` uses `{}`: {holder}\nhint: stop it, or use PostgreSQL for several replicas", path.display())]
    Served {
        /// The database file.
        path: PathBuf,
        /// Who, as it wrote it down.
        holder: String,
    },
    /// Anything else: a damaged file, a bug.
    #[error("the store failed while it should {doing}")]
    Broken {
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: sqlx::Error,
    },
}

/// What a code of the database means for the caller.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Lost a race for a lock; the same transaction may succeed at once.
    Contended,
    /// The server goes away or has no room for a connection.
    Gone,
    /// No space, no permission to write.
    Unwritable,
    /// Wrong name, password, rights.
    Denied,
    /// Not a database of ours.
    Foreign,
    /// Something else.
    Other,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody doing something.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// Sorts a failure of a statement.
    pub(super) fn of(doing: &'static str, source: sqlx::Error) -> Self {
        match &source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unreachable { doing, source },
            sqlx::Error::Database(_) => match meaning(&source) {
                Meaning::Contended => Self::Busy { doing, source },
                Meaning::Gone => Self::Unreachable { doing, source },
                Meaning::Unwritable => Self::Unwritable { doing, source },
                Meaning::Denied | Meaning::Foreign | Meaning::Other => Self::Broken { doing, source },
            },
            _ => Self::Broken { doing, source },
        }
    }

    /// Sorts a failure to open: here wrong credentials and wrong files are the user's to fix.
    pub(super) fn of_opening(location: &str, source: sqlx::Error) -> Self {
        let hint = match meaning(&source) {
            Meaning::Denied => "check user, password, database name and rights in `store.url`",
            Meaning::Foreign => "the file is not a SQLite database: move it away or name another one",
            Meaning::Unwritable => "the file and its folder must be writable by the user that runs Surveyor",
            Meaning::Contended | Meaning::Gone | Meaning::Other => match &source {
                sqlx::Error::Configuration(_) => "see `store.url` in the configuration",
                _ => return Self::of("open", source),
            },
        };
        Self::Location { location: location.to_owned(), problem: source.to_string(), hint }
    }

    /// Sorts a failure to migrate.
    pub(super) fn of_migration(location: &str, error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(migration) => {
                Self::Newer { location: location.to_owned(), migration }
            }
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Self::of_opening(location, source)
            }
            other => Self::Broken { doing: "migrate", source: sqlx::Error::Migrate(Box::new(other)) },
        }
    }

    /// A file system error at a path the user named.
    pub(super) fn of_path(location: &str, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "create the folder first",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "the file and its folder must be writable by the user that runs Surveyor"
            }
            _ => "see `store.url` in the configuration",
        };
        Self::Location { location: location.to_owned(), problem: error.to_string(), hint }
    }
}

/// Whether the transaction was chosen to lose a race, so that running it again is the cure.
pub(super) fn is_contended(error: &sqlx::Error) -> bool {
    meaning(error) == Meaning::Contended
}

/// Reads the code: SQLite's extended result codes (sqlite.org/rescode.html) or PostgreSQL's SQLSTATE (appendix A).
fn meaning(error: &sqlx::Error) -> Meaning {
    let Some(code) = error.as_database_error().and_then(DatabaseError::code) else {
        return Meaning::Other;
    };
    // SQLSTATE has five characters, SQLite's codes at most four digits.
    if code.len() < 5 {
        return match code.parse::<u32>().map(|code| code & 0xff) {
            Ok(5 | 6) => Meaning::Contended, // BUSY, LOCKED
            // PERM, READONLY, FULL, CANTOPEN: the last also for a `-wal` that cannot be made.
            Ok(3 | 8 | 13 | 14) => Meaning::Unwritable,
            Ok(26) => Meaning::Foreign, // NOTADB
            _ => Meaning::Other,
        };
    }
    match &*code {
        "40001" | "40P01" | "55P03" => Meaning::Contended,
        "53100" | "25006" => Meaning::Unwritable,
        "53300" | "57P01" | "57P02" | "57P03" => Meaning::Gone,
        "28000" | "28P01" | "3D000" | "42501" => Meaning::Denied,
        _ if code.starts_with("08") => Meaning::Gone,
        _ => Meaning::Other,
    }
}
