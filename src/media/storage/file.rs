//! What every store says of files and of its failures.

use bytes::Bytes;

/// A file in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name, such as `users/avatars/0a1b.jpg`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A part of a file in a bucket.
pub struct FilePart {
    /// The bytes of the part.
    pub content: Bytes,
    /// The size of the whole file in bytes.
    pub size: u64,
    /// What the service calls this content of the file (its `ETag`).
    pub tag: String,
}

/// Why a store did not do its work. Nothing is known to have changed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No file can have this name.
    #[error("no media file can have the name {0:?}")]
    Name(String),
    /// The disk or the service refuses, fails, or does not answer in time.
    #[error("{0}")]
    Unavailable(String),
}
