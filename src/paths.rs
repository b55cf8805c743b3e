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
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat, StatxFlags};
use rustix::io::Errno;

use self::owner::refuse_foreign;
pub(crate) use self::owner::{FileOwner, replaced};
pub(crate) use self::remedy::remedy;

mod owner;
mod remedy;

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
    #[error("{} cannot be used: {source}: {}", .path.display(), remedy(.source))]
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

/// Returns where root can work on a file that it will then rename into `directory`. The owner of a directory can put a
/// symbolic link in the place of anything in it, and SQLite opens files by their paths. So for root this is the nearest
/// directory in which only root can replace what root creates, from `directory` upwards on the same mount. If there is
/// none, or without root, it is `directory`.
pub(crate) fn workplace(directory: &Path) -> PathBuf {
    let here = || {
        let real = directory.canonicalize().ok().filter(|_| rustix::process::geteuid().is_root())?;
        let mount = mount_of(&real)?;
        let mut above = real.ancestors().take_while(|above| mount_of(above) == Some(mount));
        above.find(|above| above.ancestors().all(is_for_root_alone)).map(Path::to_owned)
    };
    here().unwrap_or_else(|| directory.to_owned())
}

/// Returns the number of the mount that a directory is in. Between two mounts of one file system nothing can be renamed.
fn mount_of(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statx(CWD, directory, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
    StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID).then_some(found.stx_mnt_id)
}

/// Returns whether only root can replace what root has created in a directory. In a sticky one, such as /tmp, others
/// replace only what is their own.
fn is_for_root_alone(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|found| {
        let (mode, user) = (found.permissions().mode(), found.uid());
        user == 0 && (mode & 0o022 == 0 || mode & 0o1000 != 0)
    })
}

/// Opens a regular file for reading. It does not follow a symbolic link of this name and does not wait for a pipe.
pub(crate) fn open_file(path: &Path) -> Result<File, UnsafePath> {
    open_at(CWD, path.as_os_str()).map_err(|source| match source.kind() {
        _ if is_link(&source) => UnsafePath::SymbolicLink(path.to_owned()),
        ErrorKind::InvalidInput => UnsafePath::NotAFile(path.to_owned()),
        _ => UnsafePath::Unusable { path: path.to_owned(), source },
    })
}

/// The mode of a new directory.
#[derive(Clone, Copy)]
pub(crate) enum DirectoryMode {
    /// Exactly this mode.
    Exact(u32),
    /// This mode, less the umask of the process.
    LessUmask(u32),
}

/// Opens a directory, and creates it with this mode if it is missing, and the missing ones above it. Each belongs to the
/// owner of the one above it if root creates it. Symbolic links are followed on the way to what exists, and not below it.
/// A directory that exists stays as it is.
pub(crate) fn create_directory(directory: &Path, mode: DirectoryMode) -> io::Result<OpenDirectory> {
    let existing = directory.ancestors().find(|path| is_there(path)).unwrap_or(directory);
    let missing = directory.strip_prefix(existing).unwrap_or(Path::new(""));
    match OpenDirectory::follow(existing) {
        Err(error) if error.kind() == ErrorKind::NotADirectory && missing.as_os_str().is_empty() => {
            Err(ErrorKind::AlreadyExists.into())
        }
        outcome => outcome?.create_below(missing, mode),
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
fn open_at(folder: impl AsFd, name: &OsStr) -> io::Result<File> {
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

impl From<&Stat> for EntryKind {
    fn from(found: &Stat) -> Self {
        FileType::from_raw_mode(found.st_mode).into()
    }
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

    /// Opens a directory whose path may contain symbolic links, also as its last step. The empty path is the working
    /// directory.
    pub(crate) fn follow(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { opened: rustix::fs::openat(CWD, path, flags, Mode::empty())? })
    }

    /// Opens a directory that this process created for itself alone. Fails if it belongs to another account.
    pub(crate) fn open_own(path: &Path) -> io::Result<Self> {
        let own = Self::open(path)?;
        refuse_foreign(&rustix::fs::fstat(&own.opened)?)?;
        Ok(own)
    }

    fn at(folder: impl AsFd, name: &OsStr) -> io::Result<Self> {
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

    /// Opens the directory that contains the entry at a relative path, and returns it with the name of the entry.
    pub(crate) fn folder_of<'a>(&self, path: &'a Path) -> io::Result<(Self, &'a OsStr)> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        Ok((self.open_below(path.parent().unwrap_or(Path::new("")))?, name))
    }

    /// Opens the directory at a relative path and creates missing steps with this mode. What root creates belongs to the
    /// owner of the directory that it is in.
    pub(crate) fn create_below(&self, path: &Path, mode: DirectoryMode) -> io::Result<Self> {
        steps(path)?.try_fold(self.try_clone()?, |folder, step| {
            match folder.create(step, mode, folder.owner()?) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::at(&folder.opened, step),
                outcome => outcome,
            }
        })
    }

    /// Creates a directory in this one, and gives it to this owner if root does it. Fails if the name is taken.
    pub(crate) fn create(&self, name: &OsStr, mode: DirectoryMode, owner: FileOwner) -> io::Result<Self> {
        let (DirectoryMode::Exact(bits) | DirectoryMode::LessUmask(bits)) = mode;
        let bits = Mode::from_raw_mode(bits);
        rustix::fs::mkdirat(&self.opened, name, bits)?;
        let created = Self::at(&self.opened, name)?;
        // What has content is not new: it was put in the place of the new one.
        if rustix::process::geteuid().is_root() && !created.entries()?.is_empty() {
            return Err(replaced());
        }
        owner.give(&created.opened)?;
        if let DirectoryMode::Exact(_) = mode {
            // The umask of the process may have removed bits of the mode.
            rustix::fs::fchmod(&created.opened, bits)?;
        }
        Ok(created)
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
    pub(crate) fn owner(&self) -> io::Result<FileOwner> {
        Ok(FileOwner::from(&rustix::fs::fstat(&self.opened)?))
    }

    /// Returns the owner of the regular file of this name; `None` if there is none, or something else.
    fn file_owner(&self, name: &OsStr) -> io::Result<Option<FileOwner>> {
        match rustix::fs::statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok((EntryKind::from(&found) == EntryKind::File).then(|| FileOwner::from(&found))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the owner of the regular file of this name, or of this directory if there is none.
    pub(crate) fn owner_of(&self, name: &OsStr) -> io::Result<FileOwner> {
        self.file_owner(name)?.map_or_else(|| self.owner(), Ok)
    }

    /// Returns the owner that a secret keeps when it replaces the file of this name. `None` if there is no such file, or
    /// if another account may have put it there to get the secret: then the secret stays with the account that writes it.
    pub(crate) fn trusted_owner_of(&self, name: &OsStr) -> io::Result<Option<FileOwner>> {
        let here = rustix::fs::fstat(&self.opened)?;
        let is_trusted = |owner: &FileOwner| match here.st_uid {
            user if user == owner.user => here.st_mode & 0o002 == 0,
            // The members of a group, or of an access list, that may write here could have put it there.
            0 => here.st_mode & 0o022 == 0,
            _ => false,
        };
        Ok(self.file_owner(name)?.filter(is_trusted))
    }

    /// Renames a finished file, at a relative path below `from`, into this directory and replaces an entry of this name.
    /// If root does it, the file keeps the owner of what it replaces, or gets that of the directory. The rename is durable
    /// when this returns.
    pub(crate) fn place_file(&self, from: &Self, path: &Path, name: &OsStr) -> io::Result<()> {
        let (folder, file) = from.folder_of(path)?;
        self.owner_of(name)?.give(open_at(&folder.opened, file)?)?;
        folder.rename(file, self, name)?;
        self.sync()
    }

    /// Renames a finished file with secrets from another directory into this one. An entry of this name is replaced only
    /// if `replace` is set; otherwise it is an error. If root does it, the file keeps the owner of what it replaces, where
    /// [`Self::trusted_owner_of`] trusts it.
    pub(crate) fn place_secret(
        &self,
        from: &Self,
        (file, opened): (&OsStr, &File),
        name: &OsStr,
        replace: bool,
    ) -> io::Result<()> {
        if let Some(owner) = self.trusted_owner_of(name)?.filter(|_| replace) {
            owner.give(opened)?;
        }
        opened.sync_all()?;
        if replace { from.rename(file, self, name) } else { from.rename_to_new(file, self, name) }
    }

    /// Renames an entry of this directory into another one. Fails if the name is taken there.
    pub(crate) fn rename_to_new(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.opened, name, &to.opened, new_name, RenameFlags::NOREPLACE) {
            // Not every file system can do this. There, an empty file reserves the name.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                to.create_file(new_name)?;
                self.rename(name, to, new_name)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Renames an entry of this directory into another one.
    pub(crate) fn rename(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.opened, name, &to.opened, new_name)?)
    }

    /// Writes the entries of this directory to disk, so that new names survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.opened)?)
    }

    /// Links the file at a relative path below `from` into this directory. Fails if the name is taken.
    pub(crate) fn link_file(&self, from: &Self, path: &Path, name: &OsStr) -> io::Result<()> {
        let (folder, file) = from.folder_of(path)?;
        Ok(rustix::fs::linkat(&folder.opened, file, &self.opened, name, AtFlags::empty())?)
    }

    /// Creates a file in this directory that only its owner can use. Fails if the name is taken.
    pub(crate) fn create_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.opened, name, flags, Mode::from_raw_mode(0o600))?))
    }

    /// Removes the file of this name. It is no error if there is none.
    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.opened, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Removes the empty directory of this name.
    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.opened, name, AtFlags::REMOVEDIR)?)
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
mod tests;
