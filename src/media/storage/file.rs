//! What every store says of files and of its failures.

/// A file in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name, such as `users/avatars/0a1b.jpg`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
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
