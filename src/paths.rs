//! Safe use of paths that other local accounts may have prepared.
//!
//! A directory that every local account can write is refused. Below an open directory no symbolic link is followed:
//! each step starts from the directory that is already open, so nothing can be replaced between a check and the use of
//! what was checked.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

/// Why a path is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnsafePath {
    /// Every local account can write the directory, and so can replace its files.
    #[error(
        "{} can be written by every user of this machine, who could put other files there: run `chmod o-w {}`",
        .0.display(), .0.display()
    )]
    WorldWritable(PathBuf),
    /// A symbolic link below the data directory.
    #[error(
        "{} is a symbolic link, which is not followed: put the file itself there, or set data_dir to the directory that contains it",
        .0.display()
    )]
    SymbolicLink(PathBuf),
    /// Something else than a regular file, where one is expected.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The path cannot be used.
    #[error("{} cannot be used: {source}: check the path and its owner", .path.display())]
    Unusable {
        /// The path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// Checks that no other account can replace files in a directory: neither it nor a directory above it may be writable
/// by everyone, unless the one above is sticky. Symbolic links on the way to it are followed, because only the owner of
/// a directory can put them there. Returns the directory's real path.
pub(crate) fn check_directory(directory: &Path) -> Result<PathBuf, UnsafePath> {
    check_ancestors(directory, false)
}

/// Checks the parent directory of a file or directory that this program creates. It may be sticky, as /tmp is: then
/// only owners can rename its entries. Returns its real path.
pub(crate) fn check_parent(directory: &Path) -> Result<PathBuf, UnsafePath> {
    check_ancestors(directory, true)
}

fn check_ancestors(directory: &Path, may_be_sticky: bool) -> Result<PathBuf, UnsafePath> {
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |source| UnsafePath::Unusable { path, source }
    };
    let real = directory.canonicalize().map_err(unusable(directory))?;
    for path in real.ancestors() {
        let mode = fs::symlink_metadata(path).map_err(unusable(path))?.permissions().mode();
        let is_sticky = mode & 0o1000 != 0 && (may_be_sticky || path != real);
        if mode & 0o002 != 0 && !is_sticky {
            return Err(UnsafePath::WorldWritable(path.to_owned()));
        }
    }
    Ok(real)
}

/// Opens a regular file for reading. It does not follow a symbolic link of this name and does not wait for a pipe.
pub(crate) fn open_file(path: &Path) -> Result<File, UnsafePath> {
    open_at(CWD, path.as_os_str()).map_err(|source| match source.kind() {
        _ if is_link(&source) => UnsafePath::SymbolicLink(path.to_owned()),
        ErrorKind::InvalidInput => UnsafePath::NotAFile(path.to_owned()),
        _ => UnsafePath::Unusable { path: path.to_owned(), source },
    })
}

/// The owner and group of a file or directory.
///
/// When root runs a command, the service that uses its files runs as another account. So what root creates gets the owner
/// of what it replaces, or of the directory that it is in. Other accounts cannot give files away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileOwner {
    user: u32,
    group: u32,
}

impl FileOwner {
    /// Returns the owner of a directory, whose path may contain symbolic links.
    pub(crate) fn of_directory(directory: &Path) -> io::Result<Self> {
        Ok(Self::from(&fs::metadata(directory)?))
    }

    /// Returns the owner of a regular file. `None` if there is none, or something else.
    pub(crate) fn of_file(file: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(file) {
            Ok(found) => Ok(found.is_file().then(|| Self::from(&found))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives an open file or directory to this owner, if root runs this process.
    pub(crate) fn give(self, opened: impl AsFd) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        Ok(rustix::fs::fchown(opened, Some(user), Some(group))?)
    }
}

impl From<&fs::Metadata> for FileOwner {
    fn from(found: &fs::Metadata) -> Self {
        Self { user: found.uid(), group: found.gid() }
    }
}

/// Creates a directory with this mode, and the missing ones above it. Each belongs to the owner of the one above it if
/// root creates it. A directory that exists stays as it is.
pub(crate) fn create_directory(directory: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<_> = directory.ancestors().take_while(|path| !is_there(path)).collect();
    for path in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            outcome => {
                outcome?;
                let above = path.parent().filter(|above| !above.as_os_str().is_empty());
                let owner = FileOwner::of_directory(above.unwrap_or(Path::new(".")))?;
                owner.give(OpenDirectory::open(path)?.opened)?;
            }
        }
    }
    match fs::metadata(directory)?.is_dir() {
        true => Ok(()),
        false => Err(ErrorKind::AlreadyExists.into()),
    }
}

/// Whether there is something at a path. The empty path is the working directory.
fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || fs::symlink_metadata(path).is_ok()
}

/// Returns whether the error is about a symbolic link that was not followed.
fn is_link(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

/// Opens a regular file. Fails with `ELOOP` for a symbolic link and with `InvalidInput` for anything else.
fn open_at(folder: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::InvalidInput.into()) }
}

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    Link,
    Other,
}

impl From<FileType> for EntryKind {
    fn from(found: FileType) -> Self {
        match found {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }
}

/// Returns whether a step of a path could not be entered because it is a file, a symbolic link or something else.
pub(crate) fn is_not_directory(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotADirectory || is_link(error)
}

/// An open directory, below which no symbolic link is followed.
pub(crate) struct OpenDirectory {
    opened: OwnedFd,
}

impl OpenDirectory {
    /// Opens a directory. It does not follow a symbolic link of this name.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::at(CWD, path.as_os_str())
    }

    fn at(folder: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        Ok(Self { opened })
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { opened: self.opened.try_clone()? })
    }

    /// Opens the directory at a relative path, step by step.
    pub(crate) fn open_below(&self, path: &Path) -> io::Result<Self> {
        steps(path)?.try_fold(self.try_clone()?, |folder, step| Self::at(folder.opened.as_fd(), step))
    }

    /// Opens the directory at a relative path and creates missing steps with exactly this mode. What root creates belongs
    /// to the owner of the directory that it is in.
    pub(crate) fn create_below(&self, path: &Path, mode: u32) -> io::Result<Self> {
        let mode = Mode::from_raw_mode(mode);
        steps(path)?.try_fold(self.try_clone()?, |folder, step| {
            match rustix::fs::mkdirat(folder.opened.as_fd(), step, mode) {
                Ok(()) => {
                    let created = Self::at(folder.opened.as_fd(), step)?;
                    // The umask of the process may have removed bits of the mode.
                    rustix::fs::fchmod(&created.opened, mode)?;
                    folder.owner()?.give(&created.opened)?;
                    Ok(created)
                }
                Err(Errno::EXIST) => Self::at(folder.opened.as_fd(), step),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Opens the regular file at a relative path. Returns `None` if it is missing, is not a regular file, or is only
    /// reached through a symbolic link.
    pub(crate) fn file(&self, path: &Path) -> io::Result<Option<File>> {
        let Some(name) = path.file_name() else { return Ok(None) };
        let opened = self
            .open_below(path.parent().unwrap_or(Path::new("")))
            .and_then(|folder| open_at(folder.opened.as_fd(), name));
        match opened {
            Err(error) if is_not_directory(&error) => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Returns the kind of an entry of this directory; `None` if it is missing.
    pub(crate) fn kind(&self, name: &OsStr) -> io::Result<Option<EntryKind>> {
        match rustix::fs::statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode).into())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the name and kind of every entry of this directory.
    pub(crate) fn entries(&self) -> io::Result<Vec<(OsString, EntryKind)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.opened)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind(&name)?,
                known => Some(known.into()),
            };
            entries.extend(kind.map(|kind| (name, kind)));
        }
        Ok(entries)
    }

    /// Returns the owner of this directory.
    fn owner(&self) -> io::Result<FileOwner> {
        Ok(rustix::fs::fstat(&self.opened)
            .map(|found| FileOwner { user: found.st_uid, group: found.st_gid })?)
    }

    /// Returns the owner of the regular file of this name, or of this directory if there is none.
    fn owner_of(&self, name: &OsStr) -> io::Result<FileOwner> {
        match rustix::fs::statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile => {
                Ok(FileOwner { user: found.st_uid, group: found.st_gid })
            }
            Ok(_) | Err(Errno::NOENT) => self.owner(),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames a finished file into this directory and replaces an entry of this name. If root does it, the file keeps
    /// the owner of what it replaces, or gets that of the directory. The rename is durable when this returns.
    pub(crate) fn place_file(&self, from: &Path, name: &OsStr) -> io::Result<()> {
        self.owner_of(name)?.give(open_at(CWD, from.as_os_str())?)?;
        rustix::fs::renameat(CWD, from, &self.opened, name)?;
        Ok(rustix::fs::fsync(&self.opened)?)
    }
}

/// Splits a relative path into its steps. Fails if one of them does not lead down, such as `..`.
fn steps(path: &Path) -> io::Result<std::vec::IntoIter<&OsStr>> {
    let steps: Option<Vec<&OsStr>> = path
        .components()
        .map(|part| match part {
            Component::Normal(step) => Some(step),
            _ => None,
        })
        .collect();
    Ok(steps.ok_or(ErrorKind::InvalidInput)?.into_iter())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_that_everybody_may_write_is_refused_and_so_is_one_below_it() {
        let temp = tempfile::tempdir().unwrap();
        let (above, inner) = (temp.path().join("above"), temp.path().join("above/inner"));
        fs::create_dir_all(&inner).unwrap();
        let link = temp.path().join("link");
        symlink(&inner, &link).unwrap();
        mode(&inner, 0o1777);
        assert!(check_parent(&inner).is_ok());
        mode(&inner, 0o777);
        assert!(check_parent(&inner).is_err());
        for (modes, refused) in [
            ((0o755, 0o700), None),
            ((0o755, 0o770), None),
            ((0o1777, 0o755), None),
            ((0o755, 0o777), Some(&inner)),
            ((0o755, 0o1777), Some(&inner)),
            ((0o755, 0o702), Some(&inner)),
            ((0o777, 0o700), Some(&above)),
        ] {
            mode(&above, modes.0);
            mode(&inner, modes.1);
            for path in [&inner, &link] {
                let checked = check_directory(path);
                match refused {
                    None => assert_eq!(checked.unwrap(), inner.canonicalize().unwrap()),
                    Some(named) => {
                        let message = checked.unwrap_err().to_string();
                        let named = named.canonicalize().unwrap();
                        assert!(
                            message.contains(&format!("chmod o-w {}", named.display())),
                            "{modes:?}: {message}"
                        );
                    }
                }
            }
        }
    }

    /// Whatever is found in place of a directory or a file, no link is followed and no call blocks.
    #[test]
    fn no_link_is_followed_below_a_folder() {
        let temp = tempfile::tempdir().unwrap();
        let (root, away) = (temp.path().join("root"), temp.path().join("away"));
        fs::create_dir_all(root.join("room")).unwrap();
        fs::create_dir(&away).unwrap();
        fs::write(root.join("room/file"), "ours").unwrap();
        fs::write(away.join("file"), "secret").unwrap();
        symlink(&away, root.join("door")).unwrap();
        symlink(away.join("file"), root.join("room/link")).unwrap();
        symlink(&root, temp.path().join("root link")).unwrap();
        rustix::fs::mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(is_not_directory(&OpenDirectory::open(&temp.path().join("root link")).err().unwrap()));
        let folder = OpenDirectory::open(&root).unwrap();
        assert!(folder.file(Path::new("room/file")).unwrap().is_some());
        for nothing in [
            "door/file",
            "room/link",
            "room",
            "pipe",
            "gone",
            "gone/file",
            "room/file/more",
            "room/../room/file",
        ] {
            assert!(folder.file(Path::new(nothing)).unwrap().is_none(), "{nothing}");
        }
        for no_folder in ["door", "room/file", "pipe", "room/link"] {
            assert!(is_not_directory(&folder.open_below(Path::new(no_folder)).err().unwrap()), "{no_folder}");
            assert!(folder.create_below(&Path::new(no_folder).join("x"), 0o755).is_err(), "{no_folder}");
        }
        assert!(matches!(open_file(&root.join("room/link")), Err(UnsafePath::SymbolicLink(_))));
        assert!(matches!(open_file(&root.join("pipe")), Err(UnsafePath::NotAFile(_))));
        let mut kinds = folder.entries().unwrap();
        kinds.sort_by(|one, other| one.0.cmp(&other.0));
        let kinds: Vec<_> = kinds.iter().map(|(name, kind)| (name.to_str().unwrap(), *kind)).collect();
        assert_eq!(
            kinds,
            [("door", EntryKind::Link), ("pipe", EntryKind::Other), ("room", EntryKind::Directory)]
        );
        let created = folder.create_below(Path::new("room/new/deep"), 0o755).unwrap();
        let coming = temp.path().join("coming");
        fs::write(&coming, "new").unwrap();
        created.place_file(&coming, OsStr::new("file")).unwrap();
        assert_eq!(fs::read_to_string(root.join("room/new/deep/file")).unwrap(), "new");
        assert_eq!(fs::metadata(root.join("room/new")).unwrap().permissions().mode() & 0o7777, 0o755);
        // A symbolic link of this name is replaced; its target stays unchanged.
        fs::write(&coming, "newer").unwrap();
        folder.open_below(Path::new("room")).unwrap().place_file(&coming, OsStr::new("link")).unwrap();
        assert_eq!(fs::read_to_string(away.join("file")).unwrap(), "secret");
    }
}
