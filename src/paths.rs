//! Opening paths that another user may have prepared. A directory that every user of the machine can write is refused.
//! Below an open directory no symbolic link is followed: each component is opened relative to its parent, so nothing can be
//! exchanged between a check and its use.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Why a path is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnsafePath {
    /// Every user can write the directory, and so exchange what is in it.
    #[error(
        "{} can be written by every user of this machine, who could put other files there: run `chmod o-w {}`",
        .0.display(), .0.display()
    )]
    Writable(PathBuf),
    /// A symbolic link below the data directory.
    #[error(
        "{} is a symbolic link, which is not followed: put the file itself there, or set data_dir to the directory that contains it",
        .0.display()
    )]
    Link(PathBuf),
    /// Neither a file nor a directory where one is expected.
    #[error("{} is not a regular file", .0.display())]
    NoFile(PathBuf),
    /// The path cannot be used.
    #[error("{} cannot be used: {source}: check the path and its owner", .path.display())]
    Unusable {
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Refuses a directory that every user can write, and one below a directory in which every user can rename the files of
/// others. Links on the path are followed: only the owner of a directory can create one. Returns the real path.
pub(crate) fn check_directory(directory: &Path) -> Result<PathBuf, UnsafePath> {
    check(directory, false)
}

/// Checks a directory in which only a directory or file of our own is used. It may be a sticky one like /tmp, in which only
/// owners can rename their files.
pub(crate) fn check_parent(directory: &Path) -> Result<PathBuf, UnsafePath> {
    check(directory, true)
}

fn check(directory: &Path, may_be_sticky: bool) -> Result<PathBuf, UnsafePath> {
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |source| UnsafePath::Unusable { path, source }
    };
    let real = directory.canonicalize().map_err(unusable(directory))?;
    for path in real.ancestors() {
        let mode = fs::symlink_metadata(path).map_err(unusable(path))?.permissions().mode();
        let is_sticky = mode & 0o1000 != 0 && (may_be_sticky || path != real);
        if mode & 0o002 != 0 && !is_sticky {
            return Err(UnsafePath::Writable(path.to_owned()));
        }
    }
    Ok(real)
}

/// Opens a regular file for reading. It does not follow a symbolic link, and does not block on a named pipe.
pub(crate) fn open_file(path: &Path) -> Result<File, UnsafePath> {
    open_at(CWD, path.as_os_str()).map_err(|source| match source.kind() {
        _ if is_link(&source) => UnsafePath::Link(path.to_owned()),
        ErrorKind::InvalidInput => UnsafePath::NoFile(path.to_owned()),
        _ => UnsafePath::Unusable { path: path.to_owned(), source },
    })
}

/// Reports whether an error means that a symbolic link was not followed.
fn is_link(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

/// Opens a regular file. Fails with `ELOOP` for a symbolic link, and with `InvalidInput` for anything else.
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

/// Reports whether an error means that a path is a symbolic link, or not a directory.
pub(crate) fn is_not_directory(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotADirectory || is_link(error)
}

/// An open directory. Below it, no symbolic link is followed.
pub(crate) struct OpenDirectory {
    opened: OwnedFd,
}

impl OpenDirectory {
    /// Opens a directory. It does not follow a symbolic link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::at(CWD, path.as_os_str())
    }

    fn at(folder: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        Ok(Self { opened })
    }

    fn again(&self) -> io::Result<Self> {
        Ok(Self { opened: self.opened.try_clone()? })
    }

    /// Opens the directory at a relative path, one component after the other.
    pub(crate) fn below(&self, path: &Path) -> io::Result<Self> {
        steps(path)?.try_fold(self.again()?, |folder, step| Self::at(folder.opened.as_fd(), step))
    }

    /// Opens the directory at a relative path, and creates missing directories with exactly this mode.
    pub(crate) fn make_below(&self, path: &Path, mode: u32) -> io::Result<Self> {
        let mode = Mode::from_raw_mode(mode);
        steps(path)?.try_fold(self.again()?, |folder, step| {
            match rustix::fs::mkdirat(folder.opened.as_fd(), step, mode) {
                Ok(()) => {
                    let made = Self::at(folder.opened.as_fd(), step)?;
                    // The umask may have removed bits of the mode.
                    rustix::fs::fchmod(&made.opened, mode)?;
                    Ok(made)
                }
                Err(Errno::EXIST) => Self::at(folder.opened.as_fd(), step),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Opens the regular file at a relative path; `None` if it is gone, is something else, or is behind a link.
    pub(crate) fn file(&self, path: &Path) -> io::Result<Option<File>> {
        let Some(name) = path.file_name() else { return Ok(None) };
        let opened = self
            .below(path.parent().unwrap_or(Path::new("")))
            .and_then(|folder| open_at(folder.opened.as_fd(), name));
        match opened {
            Err(error) if is_not_directory(&error) => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Returns the kind of an entry; `None` if there is no such entry.
    pub(crate) fn kind(&self, name: &OsStr) -> io::Result<Option<EntryKind>> {
        match rustix::fs::statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode).into())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists the entries with their kinds.
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

    /// Moves a finished file into this directory, and replaces the entry of that name. The new name is on disk when this
    /// returns.
    pub(crate) fn receive(&self, from: &Path, name: &OsStr) -> io::Result<()> {
        rustix::fs::renameat(CWD, from, &self.opened, name)?;
        Ok(rustix::fs::fsync(&self.opened)?)
    }
}

/// Splits a relative path into its components. A path that leads up is an error.
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
        let place = tempfile::tempdir().unwrap();
        let (above, inner) = (place.path().join("above"), place.path().join("above/inner"));
        fs::create_dir_all(&inner).unwrap();
        let link = place.path().join("link");
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
                let outcome = check_directory(path);
                match refused {
                    None => assert_eq!(outcome.unwrap(), inner.canonicalize().unwrap()),
                    Some(named) => {
                        let message = outcome.unwrap_err().to_string();
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

    /// Whatever is in place of a directory or a file, no link is followed and nothing blocks.
    #[test]
    fn no_link_is_followed_below_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let (root, away) = (place.path().join("root"), place.path().join("away"));
        fs::create_dir_all(root.join("room")).unwrap();
        fs::create_dir(&away).unwrap();
        fs::write(root.join("room/file"), "ours").unwrap();
        fs::write(away.join("file"), "secret").unwrap();
        symlink(&away, root.join("door")).unwrap();
        symlink(away.join("file"), root.join("room/link")).unwrap();
        symlink(&root, place.path().join("root link")).unwrap();
        rustix::fs::mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(is_not_directory(&OpenDirectory::open(&place.path().join("root link")).err().unwrap()));
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
            assert!(is_not_directory(&folder.below(Path::new(no_folder)).err().unwrap()), "{no_folder}");
            assert!(folder.make_below(&Path::new(no_folder).join("x"), 0o755).is_err(), "{no_folder}");
        }
        assert!(matches!(open_file(&root.join("room/link")), Err(UnsafePath::Link(_))));
        assert!(matches!(open_file(&root.join("pipe")), Err(UnsafePath::NoFile(_))));
        let mut kinds = folder.entries().unwrap();
        kinds.sort_by(|one, other| one.0.cmp(&other.0));
        let kinds: Vec<_> = kinds.iter().map(|(name, kind)| (name.to_str().unwrap(), *kind)).collect();
        assert_eq!(
            kinds,
            [("door", EntryKind::Link), ("pipe", EntryKind::Other), ("room", EntryKind::Directory)]
        );
        let made = folder.make_below(Path::new("room/new/deep"), 0o755).unwrap();
        let coming = place.path().join("coming");
        fs::write(&coming, "new").unwrap();
        made.receive(&coming, OsStr::new("file")).unwrap();
        assert_eq!(fs::read_to_string(root.join("room/new/deep/file")).unwrap(), "new");
        assert_eq!(fs::metadata(root.join("room/new")).unwrap().permissions().mode() & 0o7777, 0o755);
        // A file replaces a link of its name. The target of the link stays.
        fs::write(&coming, "newer").unwrap();
        folder.below(Path::new("room")).unwrap().receive(&coming, OsStr::new("link")).unwrap();
        assert_eq!(fs::read_to_string(away.join("file")).unwrap(), "secret");
    }
}
