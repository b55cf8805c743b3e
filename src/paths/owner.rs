//! Who owns what this program creates.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{FileType, Gid, Stat, Uid};

/// Why nothing is given away, and nothing is written.
const REPLACED: &str = "another account replaced it while it was used: its owner was not changed";

/// The error about something that another account has replaced.
pub(crate) fn replaced() -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, REPLACED)
}

/// The owner and group of a file or directory.
///
/// When root runs a command, the service that uses its files runs as another account. So what root creates gets the owner
/// of what it replaces, or of the directory that it is in. Other accounts cannot give files away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileOwner {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl FileOwner {
    /// Gives an open file or directory to this owner, if root runs this process. Fails if this process did not create
    /// it, as when another account put something else in its place before it was opened.
    pub(crate) fn give(self, opened: impl AsFd) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let found = rustix::fs::fstat(&opened)?;
        // Some file systems know one owner only. Then there is nothing to give.
        if Self::from(&found) == self {
            return Ok(());
        }
        refuse_foreign(&found)?;
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        Ok(rustix::fs::fchown(opened, Some(user), Some(group))?)
    }
}

/// If root runs this process, fails if what was opened cannot be what this process created: something of another account, or a file that has a
/// second name.
pub(super) fn refuse_foreign(found: &Stat) -> io::Result<()> {
    let me = rustix::process::geteuid();
    let has_more_names =
        FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_nlink > 1;
    // Only root can be led to change what others cannot.
    if !me.is_root() || (found.st_uid == me.as_raw() && !has_more_names) {
        return Ok(());
    }
    Err(replaced())
}

impl From<&Stat> for FileOwner {
    fn from(found: &Stat) -> Self {
        Self { user: found.st_uid, group: found.st_gid }
    }
}

impl From<&fs::Metadata> for FileOwner {
    fn from(found: &fs::Metadata) -> Self {
        Self { user: found.uid(), group: found.gid() }
    }
}
