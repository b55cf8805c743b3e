//! Opening, making and upgrading a database, with a sentence and a remedy for everything that can be
//! wrong with it before the first request.

use std::path::PathBuf;

use super::error::DatabaseError;
use crate::paths::UnsafePath;

/// Why the directory could not be opened. Each says in one sentence what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No database file where one is expected.
    #[error(
        "there is no database at {0}: check data_dir, restore a backup, or make a new one with `wardroom init`"
    )]
    Missing(PathBuf),
    /// The PostgreSQL database holds no directory.
    #[error(
        "the PostgreSQL database has no Wardroom tables: check database_url, or make them with `wardroom init`"
    )]
    Uninitialised,
    /// Making the database was interrupted.
    #[error(
        "the database at {0} was never finished: it holds nothing; if no `wardroom init` is at work there now, delete it and run `wardroom init`"
    )]
    HalfMade(PathBuf),
    /// A new directory was asked for where one is.
    #[error("{0} holds a directory already: nothing was changed")]
    AlreadyThere(String),
    /// A new data directory was asked for among other files.
    #[error(
        "{0} is not empty: name a new or empty directory with --data-dir, so that nothing of yours is mixed with it"
    )]
    NotEmpty(PathBuf),
    /// The path cannot be used.
    #[error("{} cannot be used: {source}: check the path and its owner", .path.display())]
    Directory {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the database.
    #[error("{} can be read by every user of this machine: run `chmod o= {}`", .0.display(), .0.display())]
    WorldReadable(PathBuf),
    /// Some other SQLite file.
    #[error("{0} is not a Wardroom database: check data_dir")]
    NotOurs(PathBuf),
    /// Its path can be prepared or exchanged by others.
    #[error(transparent)]
    UnsafePath(#[from] UnsafePath),
    /// Its schema is not the one that the migrations make.
    #[error("its schema is not this program's: {}", .0.join("; "))]
    Strangers(Vec<String>),
    /// The file is not a whole SQLite database.
    #[error("{path} is damaged ({reason}): stop all that use it, keep a copy, and restore the latest backup")]
    Damaged {
        /// The file or database.
        path: String,
        /// What SQLite said.
        reason: String,
    },
    /// Made by a later release.
    #[error(
        "the database has schema version {found}, this program knows {known}: use the newer program that upgraded it"
    )]
    Newer {
        /// The version in the database.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// Made by an earlier release.
    #[error(
        "the database has schema version {found}, this program needs {known}: make a backup, then run `wardroom migrate`"
    )]
    Older {
        /// The version in the database.
        found: i64,
        /// The version this program needs.
        known: i64,
    },
    /// A migration that was applied is not the one this program knows by that number.
    #[error(
        "migration {0} in the database differs from this program's: it was made by another build; use that one"
    )]
    ForeignMigration(i64),
    /// The linked SQLite can lose data.
    #[error("the linked SQLite {0} can lose committed data: 3.51.3 or newer is needed")]
    OldLibrary(&'static str),
    /// `database_url` cannot be read.
    #[error("database_url is not a PostgreSQL URL: use postgres://user:password@host:port/name")]
    BadUrl,
    /// The way to the PostgreSQL server is not protected, and nobody said that this is meant.
    #[error(
        "the PostgreSQL server {0} is on another machine, and its URL does not say how the connection is protected: put \
         ?sslmode=require at its end for TLS, or ?sslmode=disable for clear text, which anybody on the way can read and change"
    )]
    Unprotected(String),
    /// The database cannot be asked now.
    #[error("the database cannot be reached ({0}): check that it runs, and the URL that was given for it")]
    Unreachable(String),
    /// The file is there and ours, but SQLite cannot work with it.
    #[error(
        "the database file cannot be used ({0}): check the disk's free space, and the owner and mode of the file and its directory"
    )]
    Unusable(String),
    /// Anything else.
    #[error("the database cannot be opened: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(why) => Self::Unreachable(why),
            DatabaseError::Damaged(reason) => Self::Damaged { path: "the database file".to_owned(), reason },
            DatabaseError::Constraint(why) => Self::Broken(why.into()),
            DatabaseError::Broken(source) => Self::Broken(source),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(DatabaseError::from(error)).of_a_file()
    }
}

impl OpenError {
    /// The same about a SQLite file, for which there is nothing to be reached.
    pub(crate) fn of_a_file(self) -> Self {
        match self {
            Self::Unreachable(why) => Self::Unusable(why),
            other => other,
        }
    }
}
