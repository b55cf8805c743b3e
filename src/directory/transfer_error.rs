//! What can go wrong when a whole directory is moved, packed or put back: files and other databases have a part in
//! it, so there is more to tell than [`Error`] can.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{Denial, Error};
use super::model::Reopened;
use super::progress::Stopped;
use super::store::OpenError;
use crate::paths::Unsafe;

/// Why a directory was not moved, packed or put back. Whatever the reason, what was there before is
/// there still, but for [`TransferError::Media`].
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The directory said no, or could not be asked.
    #[error(transparent)]
    Directory(#[from] Error),
    /// A database could not be opened or made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database that was to be made could not be.
    #[error("at the place to go to: {0}")]
    Destination(OpenError),
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something would be lost that nobody said could be.
    #[error("{0}")]
    Refused(String),
    /// Something that was closed would be open again, or may be.
    #[error("{0}")]
    Reopens(Box<Reopened>),
    /// An archive is not what was written.
    #[error("{} {what}", .path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The database is in its place, but not every media file is.
    #[error("the directory was restored, but not all of its media files: {0}")]
    Media(Box<TransferError>),
    /// Rows could not be written on the other side.
    #[error("table {table}, the rows from {from} on: {source}")]
    Rows {
        /// The table.
        table: &'static str,
        /// The key of the first of them.
        from: String,
        /// Why.
        source: Error,
    },
    /// What was written is not what was read.
    #[error("table {table}: the row of {key} is not the same on both sides: nothing was kept of the copy")]
    Differs {
        /// The table.
        table: &'static str,
        /// The key of the row.
        key: String,
    },
    /// Somebody asked to stop.
    #[error("stopped: nothing was changed")]
    Stopped,
}

impl TransferError {
    /// For `map_err`: a fault of this file.
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

impl From<Unsafe> for TransferError {
    fn from(error: Unsafe) -> Self {
        Self::Open(error.into())
    }
}

impl From<super::store::StoreError> for TransferError {
    fn from(error: super::store::StoreError) -> Self {
        Self::Directory(error.into())
    }
}

impl From<Stopped> for TransferError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}
