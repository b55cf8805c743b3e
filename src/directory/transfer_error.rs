//! The error of whole-database work (backup, restore, export, move). It involves files and other databases, so it has
//! more cases than [`Error`].

use std::io;
use std::path::{Path, PathBuf};

use super::error::{Denial, Error};
use super::model::ReopenedAccess;
use super::progress::Stopped;
use crate::database::{DatabaseError, OpenError};
use crate::paths::{UnsafePath, remedy};

/// Why a backup, restore, export or move failed. What was there before is unchanged, except after
/// [`TransferError::Media`].
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A use case refused, or the database could not be reached.
    #[error(transparent)]
    Directory(#[from] Error),
    /// A database could not be opened or created.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new database could not be created.
    #[error("at the destination: {0}")]
    Destination(OpenError),
    /// A file could not be read or written.
    #[error("{}: {source}: {}", .path.display(), remedy(.source))]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Something would be lost that the request does not allow to be replaced.
    #[error("{0}")]
    Refused(String),
    /// Access that was closed would be open again, or may be.
    #[error("{0}")]
    Reopens(Box<ReopenedAccess>),
    /// An archive is damaged, or was not written by this program.
    #[error("{} {what}", .path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        what: String,
    },
    /// The database was restored, but not every media file.
    #[error("the database was restored, but not all media files: {0}")]
    Media(Box<TransferError>),
    /// Rows could not be written to the other database.
    #[error("table {table}, the rows from {from} on: {source}")]
    Rows {
        /// The table.
        table: &'static str,
        /// The key of the first row.
        from: String,
        /// Why.
        source: Error,
    },
    /// A row that was written differs from the one that was read.
    #[error("table {table}: the row of {key} differs between the two databases: the copy was discarded")]
    Differs {
        /// The table.
        table: &'static str,
        /// The key of the row.
        key: String,
    },
    /// The operation was interrupted.
    #[error("stopped: nothing was changed")]
    Stopped,
}

impl TransferError {
    /// Returns a function for `map_err` that names the file.
    pub(super) fn with(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path: path.clone(), source }
    }
}

impl From<Denial> for TransferError {
    fn from(denial: Denial) -> Self {
        Self::Directory(denial.into())
    }
}

impl From<UnsafePath> for TransferError {
    fn from(error: UnsafePath) -> Self {
        Self::Open(error.into())
    }
}

impl From<DatabaseError> for TransferError {
    fn from(error: DatabaseError) -> Self {
        Self::Directory(error.into())
    }
}

impl From<Stopped> for TransferError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}
