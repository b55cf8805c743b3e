//! Writing files atomically: a file is written in a private directory beside its destination, then renamed.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::transfer_error::TransferError;
use crate::paths::{FileOwner, OpenDirectory, workplace};

/// How the name of a private directory begins.
const PRIVATE_PREFIX: &str = ".wardroom-";

/// Creates a directory that only its owner can use, in `parent`, or for root in one above it that root alone can write
/// ([`workplace`]). A file can be renamed from it into `parent`. It is removed with its content when it is dropped. After
/// a power cut one may be left over: its name begins with `.wardroom-`, and it can be deleted.
pub(super) fn private_directory(parent: &Path) -> Result<TempDir, TransferError> {
    let create = |folder: &Path| {
        let mode = Permissions::from_mode(0o700);
        tempfile::Builder::new().prefix(PRIVATE_PREFIX).permissions(mode).tempdir_in(folder)
    };
    // The one above may be read-only.
    let made = create(&workplace(parent)).or_else(|_| create(parent));
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

/// Moves a finished file with secrets to its destination, and replaces what is there only if `replace` is set. The file
/// is on disk when this returns. If root moves it, it keeps the owner of what it replaces, unless another account may have
/// put that there. A file that replaces nothing belongs to the account that runs this process.
pub(super) fn move_into_place(from: &Path, to: &Path, replace: bool) -> Result<(), TransferError> {
    let finished = FinishedFile::open(from).map_err(TransferError::with(from))?;
    let moved = destination(to).and_then(|(folder, name)| {
        folder.place_secret(&finished.folder, (finished.name, &finished.opened), name, replace)?;
        folder.sync()
    });
    moved.map_err(TransferError::with(to))
}

/// Moves a finished file that a service uses, such as a database, to its destination and replaces what is there. The file
/// is on disk when this returns. If root moves it, it keeps the owner of what it replaces. A file that replaces nothing
/// belongs to the owner of its directory.
pub(super) fn move_into_service(from: &Path, to: &Path) -> Result<(), TransferError> {
    let moved = destination(to).and_then(|(folder, name)| {
        let owner = folder.owner_of(name)?;
        FinishedFile::open(from)?.give_to(owner, &folder, name)
    });
    moved.map_err(TransferError::with(to))
}

/// Does the same in a directory that is open, and gives the file to this owner.
pub(super) fn move_with_owner(
    from: &Path,
    folder: &OpenDirectory,
    name: &OsStr,
    owner: FileOwner,
) -> io::Result<()> {
    FinishedFile::open(from)?.give_to(owner, folder, name)
}

/// Does the same in a directory that is open, where the name must not be taken.
pub(super) fn move_new_into_service(from: &Path, folder: &OpenDirectory, name: &OsStr) -> io::Result<()> {
    let (owner, finished) = (folder.owner_of(name)?, FinishedFile::open(from)?);
    owner.give(&finished.opened)?;
    finished.opened.sync_all()?;
    finished.folder.rename_to_new(finished.name, folder, name)?;
    folder.sync()
}

/// Opens the directory that contains a file, or will, and returns it with the name of the file.
fn destination(file: &Path) -> io::Result<(OpenDirectory, &OsStr)> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((OpenDirectory::follow(&parent_directory(file))?, name))
}

/// A file that is complete, in or below a [`private_directory`]. The owner of the directory above can put something else
/// in the place of a private directory, so the steps down to the file start at one that is open and known to be ours.
struct FinishedFile<'a> {
    folder: OpenDirectory,
    name: &'a OsStr,
    opened: File,
}

impl<'a> FinishedFile<'a> {
    fn open(from: &'a Path) -> io::Result<Self> {
        let is_private = |path: &&Path| {
            path.file_name().is_some_and(|name| name.as_bytes().starts_with(PRIVATE_PREFIX.as_bytes()))
        };
        let parent = from.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let private = parent.ancestors().find(is_private).unwrap_or(parent);
        let below = from.strip_prefix(private).unwrap_or(from);
        let (folder, name) = OpenDirectory::open_own(private)?.folder_of(below)?;
        let opened = folder.file(Path::new(name))?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { folder, name, opened })
    }

    fn give_to(self, owner: FileOwner, folder: &OpenDirectory, name: &OsStr) -> io::Result<()> {
        owner.give(&self.opened)?;
        self.opened.sync_all()?;
        self.folder.rename(self.name, folder, name)?;
        folder.sync()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};

    use super::*;

    /// Guards against a private directory that another account replaced: what it leads to is neither moved nor given away.
    #[test]
    fn finding_a_replaced_private_directory_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (away, to) = (place.path().join("away"), place.path().join("to"));
        fs::create_dir(&away).unwrap();
        fs::write(away.join("file"), "secret").unwrap();
        let private = private_directory(place.path()).unwrap();
        fs::write(private.path().join("file"), "ours").unwrap();
        let link = place.path().join(".wardroom-link");
        symlink(&away, &link).unwrap();
        symlink(&away, private.path().join("below")).unwrap();
        symlink(away.join("file"), private.path().join("link")).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        let foreign = place.path().join(".wardroom-foreign");
        if is_root {
            fs::create_dir(&foreign).unwrap();
            fs::write(foreign.join("file"), "root's").unwrap();
            chown(&foreign, Some(65_534), Some(65_534)).unwrap();
        }
        let refused = [&link, &private.path().join("below"), &foreign].map(|folder| folder.join("file"));
        for from in refused.iter().chain([&private.path().join("link")]) {
            assert!(move_into_service(from, &to).is_err(), "{}", from.display());
            assert!(move_into_place(from, &to, true).is_err(), "{}", from.display());
        }
        assert!(!to.exists() && away.join("file").exists());
        assert_eq!(fs::metadata(away.join("file")).unwrap().uid(), rustix::process::geteuid().as_raw());
        move_into_service(&private.path().join("file"), &to).unwrap();
        assert_eq!(fs::read_to_string(to).unwrap(), "ours");
    }

    /// The owner of a directory can put a link in the place of what root creates in it, so root works above it.
    #[test]
    fn root_works_where_only_root_can_replace_something() {
        let place = tempfile::tempdir().unwrap();
        let [owned, below] = ["owned", "owned/below"].map(|name| place.path().join(name));
        fs::create_dir_all(&below).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        for directory in [&owned, &below] {
            if is_root {
                chown(directory, Some(65_534), Some(65_534)).unwrap();
            }
            let private = private_directory(directory).unwrap();
            let expected = if is_root { place.path() } else { directory };
            assert_eq!(private.path().parent(), Some(expected));
            fs::write(private.path().join("file"), "ours").unwrap();
            move_into_service(&private.path().join("file"), &directory.join("file")).unwrap();
            assert_eq!(fs::read_to_string(directory.join("file")).unwrap(), "ours");
        }
        // What others may write without the right to replace it is safe, as /tmp is.
        fs::set_permissions(place.path(), Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(private_directory(place.path()).unwrap().path().parent(), Some(place.path()));
        // What root alone may write needs no other place.
        let own = place.path().join("own");
        fs::create_dir(&own).unwrap();
        assert_eq!(private_directory(&own).unwrap().path().parent(), Some(own.as_path()));
    }

    /// A file that must be new replaces nothing, and is not moved to where a link leads.
    #[test]
    fn finding_a_new_file_goes_to_the_directory_that_was_opened() {
        let place = tempfile::tempdir().unwrap();
        let [data, moved, away] = ["data", "moved", "away"].map(|name| place.path().join(name));
        fs::create_dir(&data).unwrap();
        fs::create_dir(&away).unwrap();
        fs::write(away.join("file"), "another's").unwrap();
        let private = private_directory(place.path()).unwrap();
        let from = private.path().join("file");
        fs::write(&from, "ours").unwrap();
        let opened = OpenDirectory::open(&data).unwrap();
        fs::rename(&data, &moved).unwrap();
        symlink(&away, &data).unwrap();
        move_new_into_service(&from, &opened, OsStr::new("file")).unwrap();
        assert_eq!(fs::read_to_string(moved.join("file")).unwrap(), "ours");
        assert_eq!(fs::read_to_string(away.join("file")).unwrap(), "another's");
        fs::write(&from, "again").unwrap();
        assert!(move_new_into_service(&from, &opened, OsStr::new("file")).is_err());
        assert_eq!(fs::read_to_string(moved.join("file")).unwrap(), "ours");
    }

    /// Guards against a backup that replaces a file which appeared while it was made.
    #[test]
    fn finding_a_file_is_replaced_only_on_request() {
        let place = tempfile::tempdir().unwrap();
        let (private, to) = (private_directory(place.path()).unwrap(), place.path().join("to"));
        let from = private.path().join("file");
        fs::write(&from, "ours").unwrap();
        fs::write(&to, "planted").unwrap();
        assert!(move_into_place(&from, &to, false).is_err());
        assert_eq!((fs::read_to_string(&to).unwrap().as_str(), from.exists()), ("planted", true));
        move_into_place(&from, &to, true).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "ours");
        fs::write(&from, "again").unwrap();
        move_into_place(&from, &place.path().join("new"), false).unwrap();
        assert_eq!(fs::read_to_string(place.path().join("new")).unwrap(), "again");
    }
}
