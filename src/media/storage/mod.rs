//! Where media files are kept: below a directory, or in a bucket of an S3 service.
//!
//! A file appears whole or not at all, and is durable when [`Storage::put`] returns. Names are relative paths with `/`.
//! Never in here: what a file contains, who may read it, or who refers to it.

mod disk;
mod file;
mod name;
mod s3;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{Sender, channel};

use self::disk::Disk;
pub use self::file::{FilePart, StorageError, StoredFile};
pub use self::name::{AVATARS, AvatarFile, IMMUTABLE, content_type, is_good_name, picture_type};
use self::s3::Bucket;
use crate::config::{AvatarStorage, Config, S3Settings};
use crate::outbound::Door;

/// A store of media files. A clone is a pointer.
#[derive(Clone)]
pub struct Storage(Arc<StorageKind>);

enum StorageKind {
    Disk(Disk),
    S3(Bucket),
}

impl Storage {
    /// A store below this directory, which need not exist yet.
    pub fn disk(root: PathBuf) -> Self {
        Self(Arc::new(StorageKind::Disk(Disk::new(root))))
    }

    /// A store in a bucket. Nothing is called yet. Fails if the settings cannot be used, such as a file without certificates.
    pub fn s3(settings: &S3Settings, door: &Door) -> Result<Self, StorageError> {
        Ok(Self(Arc::new(StorageKind::S3(Bucket::open(settings, door)?))))
    }

    /// The store of uploaded avatars that the settings name.
    pub fn of(config: &Config, door: &Door) -> Result<Self, StorageError> {
        match config.avatar_storage {
            AvatarStorage::Disk => Ok(Self::disk(media_root(config))),
            AvatarStorage::S3 => {
                let settings = config.s3().map_err(|error| StorageError::Unavailable(error.to_string()))?;
                Self::s3(&settings, door)
            }
        }
    }

    /// Writes a file and replaces one of this name. The file is durable when this returns.
    pub async fn put(&self, name: &str, content: Bytes) -> Result<(), StorageError> {
        checked(name)?;
        match &*self.0 {
            StorageKind::Disk(disk) => disk.put(name, content).await,
            StorageKind::S3(bucket) => bucket.put(name, content).await,
        }
    }

    /// Reads a file; `None` if there is none.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, StorageError> {
        checked(name)?;
        match &*self.0 {
            StorageKind::Disk(disk) => disk.get(name).await,
            StorageKind::S3(bucket) => bucket.get(name).await,
        }
    }

    /// Reads `length` bytes of a file in a bucket from the byte `start`; less at its end. `None` if there is no such file, or
    /// no bucket. With the tag of an earlier part, a file that has changed since is an error.
    pub async fn part_in_bucket(
        &self,
        name: &str,
        start: u64,
        length: u64,
        tag: Option<&str>,
    ) -> Result<Option<FilePart>, StorageError> {
        checked(name)?;
        match &*self.0 {
            StorageKind::Disk(_) => Ok(None),
            StorageKind::S3(bucket) => bucket.part(name, start, length, tag).await,
        }
    }

    /// Removes a file. It is no error if there is none.
    pub async fn remove(&self, name: &str) -> Result<(), StorageError> {
        checked(name)?;
        match &*self.0 {
            StorageKind::Disk(disk) => disk.remove(name).await,
            StorageKind::S3(bucket) => bucket.remove(name).await,
        }
    }

    /// Sends every file below the directory `below`, such as `users/avatars`; the empty text means all. The order is not
    /// defined. It ends early if the receiver is gone.
    pub async fn visit(&self, below: &str, visit: Sender<StoredFile>) -> Result<(), StorageError> {
        match &*self.0 {
            StorageKind::Disk(disk) => disk.visit(below, visit).await,
            StorageKind::S3(bucket) => bucket.visit(below, visit).await,
        }
    }

    /// Lists the files below a directory, sorted by name. Use [`Self::visit`] where there may be millions.
    pub async fn list(&self, below: &str) -> Result<Vec<StoredFile>, StorageError> {
        let (send, mut receive) = channel(1000);
        let collected = async {
            let mut files = Vec::new();
            while let Some(file) = receive.recv().await {
                files.push(file);
            }
            Ok(files)
        };
        let ((), mut files) = tokio::try_join!(self.visit(below, send), collected)?;
        files.sort_by(|one: &StoredFile, other| one.name.cmp(&other.name));
        Ok(files)
    }

    /// Removes what uploads that were cut off have left behind since before this time, in microseconds since the Unix epoch.
    /// A bucket has no such files.
    pub async fn remove_unfinished(&self, before: i64) -> Result<(), StorageError> {
        match &*self.0 {
            StorageKind::Disk(disk) => disk.remove_unfinished(before).await,
            StorageKind::S3(_) => Ok(()),
        }
    }

    /// Where the files are, for messages.
    pub fn describe(&self) -> String {
        match &*self.0 {
            StorageKind::Disk(disk) => disk.describe(),
            StorageKind::S3(bucket) => bucket.describe(),
        }
    }
}

/// Opens the regular file with this name below a directory; `None` if there is none. No symbolic link is followed.
pub fn open_below(root: &Path, name: &Path) -> io::Result<Option<File>> {
    disk::open(root, name)
}

/// The directory of media files on disk.
pub fn media_root(config: &Config) -> PathBuf {
    config.data_dir.join("media")
}

fn checked(name: &str) -> Result<(), StorageError> {
    if is_good_name(name) { Ok(()) } else { Err(StorageError::Name(name.chars().take(100).collect())) }
}
