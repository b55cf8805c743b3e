//! Which files of avatars are missing, and which are not used.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::context::door;
use crate::cli::report::CliError;
use crate::config::{AvatarStorage, Config};
use crate::media::storage::{AvatarFile, Storage, StorageError, StoredFile, media_root};

/// Users and files, compared.
pub(in crate::cli) struct Survey {
    /// Where the files are.
    pub(in crate::cli) place: String,
    /// How many there are.
    pub(in crate::cli) files: usize,
    /// Names that have no file, sorted: avatars, and the squares of uploaded ones.
    pub(in crate::cli) missing: Vec<String>,
    /// Files that no user has, sorted, with their sizes.
    pub(in crate::cli) unused: Vec<(String, u64)>,
}

impl From<StorageError> for CliError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Name(_) => Self::usage(error.to_string()),
            StorageError::Unavailable(_) => Self::unreachable(error.to_string()),
        }
    }
}

impl Survey {
    /// Compares the avatars of users, deleted ones included, with the files. Imported files may be on disk also when uploads
    /// are in a bucket.
    pub(in crate::cli) async fn of(config: &Config, avatars: &BTreeSet<String>) -> Result<Self, CliError> {
        let disk = Storage::disk(media_root(config));
        let mut stores = vec![disk];
        if config.avatar_storage == AvatarStorage::S3 {
            stores.push(Storage::of(config, &door(config))?);
        }
        let (mut files, mut imported) = (BTreeMap::new(), BTreeMap::new());
        let mut places = Vec::new();
        let last = stores.len() - 1;
        for (number, store) in stores.iter().enumerate() {
            places.push(store.describe());
            for StoredFile { name, size } in store.list("").await? {
                // Uploads are read from the last one alone.
                let to = if number == last { &mut files } else { &mut imported };
                to.insert(name, size);
            }
        }
        imported.retain(|name, _| AvatarFile::parse(name).is_none());
        files.extend(imported);
        Ok(Self::compare(places.join(" and "), &files, avatars))
    }

    fn compare(place: String, files: &BTreeMap<String, u64>, avatars: &BTreeSet<String>) -> Self {
        let mut needed = BTreeSet::new();
        for avatar in avatars.iter().filter(|avatar| !avatar.contains("://")) {
            match AvatarFile::parse(avatar) {
                Some(file) => needed.extend(file.full().family()),
                None => _ = needed.insert(avatar.clone()),
            }
        }
        let missing = needed.iter().filter(|name| !files.contains_key(*name)).cloned().collect();
        let unused = files.iter().filter(|(name, _)| !needed.contains(*name));
        let unused = unused.map(|(name, size)| (name.clone(), *size)).collect();
        Self { place, files: files.len(), missing, unused }
    }
}
