//! What to do about an error of the file system.

use std::io::{self, ErrorKind};

/// Returns the cause of an error in plain words, and what to do about it.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => {
            "a directory of the path, or the file, does not exist: check the spelling, and that its disk is mounted"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "its file system is read-only: mount it for writing, or choose another directory; Linux makes a file system \
             read-only when its disk fails (see dmesg)"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "there is no room left: delete files, or enlarge the disk"
        }
        ErrorKind::PermissionDenied => {
            "this account may not use it: check owner and mode, and run the command as the account of the server"
        }
        ErrorKind::NotADirectory => "a part of the path is a file and not a directory: check the spelling",
        ErrorKind::AlreadyExists => {
            "something else with this name is there already: choose another path, or move it away"
        }
        _ => "check the path and its owner",
    }
}
