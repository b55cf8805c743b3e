//! Writing files atomically: a file is written in a private directory beside its destination, then renamed.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::transfer_error::TransferError;
use crate::paths::FileOwner;

/// Creates a directory in `parent` that only its owner can use. It is removed with its content when it is dropped. After
/// a power cut one may be left over: its name begins with `.wardroom-`, and it can be deleted.
pub(super) fn private_directory(parent: &Path) -> Result<TempDir, TransferError> {
    let mode = Permissions::from_mode(0o700);
    let made = tempfile::Builder::new().prefix(".wardroom-").permissions(mode).tempdir_in(parent);
    made.map_err(TransferError::with(parent))
}

/// Returns the directory that contains a file, or will.
pub(super) fn parent_directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("/"),
    }
}

/// Moves a finished file to its destination and replaces what is there. The file is on disk when this returns. If root
/// moves it, it keeps the owner of what it replaces. A file that replaces nothing belongs to the account that runs this
/// process.
pub(super) fn move_into_place(from: &Path, to: &Path) -> Result<(), TransferError> {
    let owner = FileOwner::of_file(to).map_err(TransferError::with(to))?;
    move_with_owner(from, to, owner)
}

/// Does the same with a file that a service uses, such as a database. A file that replaces nothing belongs to the owner of
/// its directory.
pub(super) fn move_into_service(from: &Path, to: &Path) -> Result<(), TransferError> {
    let directory = || FileOwner::of_directory(&parent_directory(to));
    let owner = FileOwner::of_file(to).and_then(|owner| owner.map_or_else(directory, Ok));
    move_with_owner(from, to, Some(owner.map_err(TransferError::with(to))?))
}

/// Does the same and gives the file to an owner, if root moves it.
pub(super) fn move_with_owner(from: &Path, to: &Path, owner: Option<FileOwner>) -> Result<(), TransferError> {
    let file = File::open(from).map_err(TransferError::with(from))?;
    owner.map_or(Ok(()), |owner| owner.give(&file)).map_err(TransferError::with(from))?;
    file.sync_all().map_err(TransferError::with(from))?;
    fs::rename(from, to).map_err(TransferError::with(to))?;
    sync_directory(&parent_directory(to))
}

/// Writes a directory's entries to disk, so that new names survive a power cut.
pub(super) fn sync_directory(directory: &Path) -> Result<(), TransferError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(TransferError::with(directory))
}
