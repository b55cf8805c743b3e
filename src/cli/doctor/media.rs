//! Whether avatars and media files fit together.

use std::collections::BTreeSet;

use super::finding::{Finding, bytes, good, warning};
use crate::cli::media::survey::Survey;
use crate::config::{AvatarStorage, Config};
use crate::media::storage::media_root;

const CHECK: &str = "media";

/// Compares the avatars of users, deleted ones included, with the files in the store.
pub(super) async fn check(config: &Config, avatars: &BTreeSet<String>) -> Option<Finding> {
    let is_on_disk = config.avatar_storage == AvatarStorage::Disk;
    // An absolute URL means that another host may have the files.
    if is_on_disk && (config.media_url.contains("://") || !media_root(config).is_dir()) {
        return None;
    }
    let Survey { place, files, missing, unused } = match Survey::of(config, avatars).await {
        Ok(survey) => survey,
        Err(error) => return Some(warning(CHECK, error.into_message())),
    };
    if let Some(first) = missing.first() {
        let text = format!(
            "{} avatars have no file in {place}, the first: {first}; copy the files there from the old server or a backup",
            missing.len()
        );
        return Some(warning(CHECK, text));
    }
    let Some((first, _)) = unused.first() else {
        return Some(good(CHECK, format!("the {files} files in {place} are the avatars of users")));
    };
    let size = unused.iter().map(|(_, size)| *size).sum();
    let text = format!(
        "{} files in {place} ({}) are no user's avatar, the first: {first}; delete them if no other program uses them; a server \
         removes uploads after avatar_grace",
        unused.len(),
        bytes(size)
    );
    Some(warning(CHECK, text))
}
