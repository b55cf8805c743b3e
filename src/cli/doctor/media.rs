//! Whether avatars and media files fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::finding::{Finding, bytes, good, warning};

const CHECK: &str = "media";

/// Compares the avatars of users, deleted ones included, with the files below `media`.
pub(super) fn check(media: &Path, avatars: &BTreeSet<String>) -> Option<Finding> {
    if !media.is_dir() {
        return None;
    }
    let files = files(media);
    let named: BTreeSet<_> =
        avatars.iter().filter(|avatar| !avatar.contains("://")).map(String::as_str).collect();
    let missing: Vec<_> = named.iter().filter(|avatar| !files.contains_key(**avatar)).collect();
    let orphaned: Vec<_> = files.iter().filter(|(path, _)| !named.contains(path.as_str())).collect();
    let shown = media.display();
    if let Some(first) = missing.first() {
        let text = format!(
            "{} avatars have no file in {shown}, the first: {first}; copy the files there from the old server or a backup",
            missing.len()
        );
        return Some(warning(CHECK, text));
    }
    let Some((first, _)) = orphaned.first() else {
        return Some(good(CHECK, format!("the {} files in {shown} are the avatars of users", files.len())));
    };
    let size = orphaned.iter().map(|(_, size)| **size).sum();
    let text = format!(
        "{} files in {shown} ({}) are no user's avatar, the first: {first}; delete them if no other program uses them",
        orphaned.len(),
        bytes(size)
    );
    Some(warning(CHECK, text))
}

/// Lists the regular files below a directory: their paths there, and their sizes. No link is followed.
fn files(root: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut directories: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(kind) = entry.metadata() else { continue };
            if kind.is_dir() {
                directories.push(path);
            } else if let (true, Some(name)) =
                (kind.is_file(), path.strip_prefix(root).ok().and_then(Path::to_str))
            {
                found.insert(name.to_owned(), kind.len());
            }
        }
    }
    found
}
