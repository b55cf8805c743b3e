//! Errors of opening, creating and upgrading a database. Each message says what is wrong and how to fix it.

use std::path::PathBuf;

use super::error::DatabaseError;
use crate::paths::{UnsafePath, remedy};

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no database file at the expected path.
    #[error(
        "there is no database at {0}: check data_dir, restore a backup, or create one with `wardroom init`"
    )]
    Missing(PathBuf),
    /// The PostgreSQL database does not contain this program's tables.
    #[error(
        "the PostgreSQL database has no Wardroom tables: check database_url, or create them with `wardroom init`"
    )]
    Uninitialised,
    /// The creation of the database was interrupted.
    #[error(
        "the database at {0} was never finished: it is empty; if no `wardroom init` is running, delete the file and run `wardroom init`"
    )]
    Unfinished(PathBuf),
    /// A new database was to be created where one exists.
    #[error("{0} already holds an account database: nothing was changed")]
    AlreadyExists(String),
    /// A new database was to be created in a directory that contains other files.
    #[error(
        "{0} is not empty: choose a new or empty directory with --data-dir, so that the database is not mixed with other files"
    )]
    NotEmpty(PathBuf),
    /// The path cannot be used.
    #[error("{} cannot be used: {source}: {}", .path.display(), remedy(.source))]
    UnusablePath {
        /// The path.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Every local account can read the database.
    #[error("{} can be read by every user of this machine: run `chmod o= {}`", .0.display(), .0.display())]
    WorldReadable(PathBuf),
    /// The file is a SQLite database of another program.
    #[error("{0} is not a Wardroom database: check data_dir")]
    NotWardroom(PathBuf),
    /// Others could prepare or replace a part of the path.
    #[error(transparent)]
    UnsafePath(#[from] UnsafePath),
    /// The schema differs from the one that the migrations create.
    #[error("its schema differs from this program's: {}", .0.join("; "))]
    SchemaDiffers(Vec<String>),
    /// The file is damaged or incomplete.
    #[error(
        "{path} is damaged ({reason}): stop every process that uses it, keep a copy, and restore the latest backup"
    )]
    Damaged {
        /// The file or database.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A later release has upgraded the database.
    #[error(
        "the database has schema version {found}, this program knows {known}: use the newer program that upgraded it"
    )]
    Newer {
        /// The version in the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The database is from an earlier release and was not upgraded.
    #[error(
        "the database has schema version {found}, this program needs {known}: make a backup, then run `wardroom migrate`"
    )]
    Older {
        /// The version in the database.
        found: i64,
        /// The version this program needs.
        known: i64,
    },
    /// An applied migration differs from this program's migration of that version.
    #[error(
        "migration {0} in the database differs from this program's: it was made by another build; use that one"
    )]
    MigrationDiffers(i64),
    /// The linked SQLite can lose data.
    #[error("the linked SQLite {0} can lose committed data: 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    /// The URL is malformed, or a part of it cannot be used. The text says which part, and what to write instead.
    #[error("the URL of the database: {0}")]
    InvalidUrl(String),
    /// A new database was to be created among tables that are not this program's.
    #[error(
        "{} contains {count} tables that are not Wardroom's ({}): use an empty database; or create a schema for Wardroom and \
         append ?schema=NAME to the URL; or run `wardroom init --among-other-tables` if they may share a schema", 
        .place, .some.join(", ")
    )]
    OtherTables {
        /// The database or schema.
        place: String,
        /// How many there are.
        count: usize,
        /// The names of some.
        some: Vec<String>,
    },
    /// The connection to the PostgreSQL server would be unprotected, and the URL does not allow that explicitly.
    #[error(
        "the PostgreSQL server {0} is on another machine, and its URL does not say how the connection is protected: \
         append ?sslmode=require for TLS with a checked certificate, or ?sslmode=disable for clear text, which anyone on the network path can read and change"
    )]
    Unprotected(String),
    /// The database cannot be reached now.
    #[error("the database cannot be reached ({0}): check that it is running, and that its URL is correct")]
    Unreachable(String),
    /// The file is a database of this program, but SQLite cannot use it.
    #[error(
        "the database file cannot be used ({0}): check the disk's free space, and the owner and mode of the file and its directory"
    )]
    Unusable(String),
    /// Any other error.
    #[error("the database cannot be opened: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(why)
            | DatabaseError::Transient(why)
            | DatabaseError::Unconfirmed(why) => Self::Unreachable(why),
            DatabaseError::Damaged(reason) => Self::Damaged { path: "the database file".to_owned(), reason },
            DatabaseError::Constraint(why) => Self::Broken(why.into()),
            DatabaseError::Broken(source) => Self::Broken(source),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(DatabaseError::from(error)).for_file()
    }
}

impl OpenError {
    /// Rewords an unreachable database for a SQLite file, which has no server.
    pub(crate) fn for_file(self) -> Self {
        match self {
            Self::Unreachable(why) => Self::Unusable(why),
            other => other,
        }
    }
}
