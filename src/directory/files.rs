//! Files that come to their place whole or not at all: made in a private directory beside it, then renamed.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::transfer_error::TransferError;

/// A directory inside `parent` for its owner alone, which is removed with all that is in it when it is dropped. What
/// is left of one after a power cut begins with `.wardroom-` and can be deleted.
pub(super) fn private_place(parent: &Path) -> Result<TempDir, TransferError> {
    let mode = Permissions::from_mode(0o700);
    let made = tempfile::Builder::new().prefix(".wardroom-").permissions(mode).tempdir_in(parent);
    made.map_err(TransferError::with(parent))
}

/// The directory that a file is in, or will be.
pub(super) fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("/"),
    }
}

/// Moves a finished file to its place, in the place of what was there. It is on the disk when this returns.
pub(super) fn put(from: &Path, to: &Path) -> Result<(), TransferError> {
    let file = File::open(from).map_err(TransferError::with(from))?;
    file.sync_all().map_err(TransferError::with(from))?;
    fs::rename(from, to).map_err(TransferError::with(to))?;
    sync_directory(&parent(to))
}

/// Makes the names in a directory safe from a power cut.
pub(super) fn sync_directory(directory: &Path) -> Result<(), TransferError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(TransferError::with(directory))
}
