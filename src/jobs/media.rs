//! Removes the files of uploaded avatars that no user has had for long enough.
//!
//! Several replicas may do this at the same time: each removes what the database gave to it.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::every;
use crate::directory::media_files::REMOVAL_LIMIT;
use crate::directory::{Directory, Error};
use crate::media::storage::{AVATARS, AvatarFile, Storage, StorageError, StoredFile};

/// How often files and users are compared.
const COMPARED_EVERY: Duration = Duration::from_hours(24);
/// A server that has just started has other work.
const FIRST_PAUSE: Duration = Duration::from_mins(5);
/// Names that are compared with one statement.
const BATCH: usize = 500;
/// Files of uploads that were cut off are removed when they are this old.
const UNFINISHED_KEPT: Duration = Duration::from_hours(24);

/// Why files were not compared or removed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database.
    #[error(transparent)]
    Directory(#[from] Error),
    /// The store.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Removes unused avatars once a day. It runs until it is aborted.
pub async fn remove_unused_avatars(directory: &Directory, storage: &Storage, grace: Duration) {
    tokio::time::sleep(FIRST_PAUSE).await;
    let mut ticks = every(COMPARED_EVERY);
    loop {
        ticks.tick().await;
        match sweep(directory, storage, grace).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed the files of avatars that no user has"),
            Err(error) => tracing::warn!(%error, "could not remove the files of avatars that no user has"),
        }
    }
}

/// Compares the files with the users, and removes what has been unused for `grace`. Returns the number of removed avatars.
pub async fn sweep(directory: &Directory, storage: &Storage, grace: Duration) -> Result<u64, SweepError> {
    compare(directory, storage).await?;
    storage.remove_unfinished(directory.clock().now().saturating_sub(UNFINISHED_KEPT).as_micros()).await?;
    let mut removed = 0;
    loop {
        let begun = Instant::now();
        let names = directory.media_to_remove(grace).await?;
        if names.is_empty() {
            return Ok(removed);
        }
        for name in names {
            // Another replica may take over what is left.
            if begun.elapsed() >= REMOVAL_LIMIT {
                return Ok(removed);
            }
            match remove_family(storage, &name).await {
                Ok(()) => {
                    directory.media_removed(name).await?;
                    removed += 1;
                }
                // It is tried again when another process may take it over.
                Err(error) => tracing::warn!(%error, name, "could not remove the files of an avatar"),
            }
        }
    }
}

/// Removes all files of an avatar.
async fn remove_family(storage: &Storage, name: &str) -> Result<(), StorageError> {
    if let Some(file) = AvatarFile::parse(name) {
        for file in file.family() {
            storage.remove(&file).await?;
        }
    }
    Ok(())
}

/// Compares the avatars whose files are there with the users. A square counts, too: an upload that was cut off may have left
/// squares alone.
async fn compare(directory: &Directory, storage: &Storage) -> Result<(), SweepError> {
    let mut comparison = directory.compare_media().await?;
    let (send, mut files) = mpsc::channel::<StoredFile>(BATCH);
    let compared = async {
        let mut names = BTreeSet::new();
        while let Some(file) = files.recv().await {
            names.extend(AvatarFile::parse(&file.name).map(|file| file.full().name()));
            if names.len() == BATCH {
                let names = std::mem::take(&mut names).into_iter().collect();
                directory.compare_some(&mut comparison, names).await?;
            }
        }
        if !names.is_empty() {
            directory.compare_some(&mut comparison, names.into_iter().collect()).await?;
        }
        Ok::<_, SweepError>(())
    };
    let visited = async { Ok::<_, SweepError>(storage.visit(AVATARS, send).await?) };
    tokio::try_join!(visited, compared)?;
    directory.finish_comparison(comparison).await?;
    Ok(())
}
