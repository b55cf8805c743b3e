//! The media files of a backup: finding them, and restoring them. Only regular files count. No symbolic link is followed,
//! not even one that appears while files are read or written, because it could lead anywhere.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::archive::{ArchiveMember, digest};
use crate::directory::transfer_error::TransferError;
use crate::paths::{DirectoryMode, EntryKind, OpenDirectory, create_directory, is_not_directory};

/// The mode of media directories: the web server that serves the files runs as another user.
const DIRECTORY_MODE: DirectoryMode = DirectoryMode::Exact(0o755);

/// What is below a media directory.
#[derive(Default)]
pub(super) struct MediaFiles {
    /// The media directory, if there is one.
    pub(super) folder: Option<OpenDirectory>,
    /// The paths of regular files below it, sorted.
    pub(super) files: Vec<String>,
    /// Everything else, with the reason why it is left out.
    pub(super) left_out: Vec<String>,
}

/// Lists a media directory, if there is one.
pub(super) fn find(root: &Path) -> Result<MediaFiles, TransferError> {
    let mut found = MediaFiles::default();
    let top = match OpenDirectory::open(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) if is_not_directory(&error) && root.is_symlink() => {
            found.left_out.push(format!("{}: a symbolic link", root.display()));
            return Ok(found);
        }
        outcome => outcome.map_err(TransferError::with(root))?,
    };
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let entries = match top.open_below(&directory).and_then(|folder| folder.entries()) {
            Err(error) if is_not_directory(&error) || error.kind() == ErrorKind::NotFound => {
                let path = root.join(directory);
                found.left_out.push(format!("{}: it disappeared while it was read", path.display()));
                continue;
            }
            outcome => outcome.map_err(TransferError::with(&root.join(&directory)))?,
        };
        for (name, kind) in entries {
            let name = directory.join(name);
            match (kind, name.to_str()) {
                (EntryKind::Directory, _) => directories.push(name),
                (EntryKind::File, Some(name)) => found.files.push(name.to_owned()),
                _ => found.left_out.push(format!("{}: {}", root.join(&name).display(), why_left_out(kind))),
            }
        }
    }
    found.files.sort();
    found.left_out.sort();
    found.folder = Some(top);
    Ok(found)
}

/// Returns why an entry is left out of a backup.
fn why_left_out(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Link => "a symbolic link",
        EntryKind::File => "its name is not UTF-8",
        EntryKind::Directory | EntryKind::Other => "not a regular file",
    }
}

/// The media files of a backup that have to be written; those that are there already are not among them.
pub(super) struct MediaPlan {
    root: PathBuf,
    /// Paths below the root.
    to_write: Vec<PathBuf>,
}

/// What is at the path of a media file.
enum ExistingFile {
    Nothing,
    /// A file with the same content.
    Same,
    /// Something else that a file can replace.
    Other,
    Folder,
}

/// Decides which media files to write. A file with other content is replaced only if `replace` is set.
pub(super) fn plan(
    root: &Path,
    members: &[ArchiveMember],
    replace: bool,
) -> Result<MediaPlan, TransferError> {
    let mut plan = MediaPlan { root: root.to_owned(), to_write: Vec::new() };
    let mut others = Vec::new();
    for (member, path) in members.iter().filter_map(|member| Some((member, member.media()?))) {
        let there = root.join(path);
        match plan.look(path, member)? {
            ExistingFile::Same => {}
            ExistingFile::Nothing => plan.to_write.push(path.to_owned()),
            ExistingFile::Folder => {
                let there = there.display();
                return Err(TransferError::Refused(format!(
                    "{there} is a directory here, and a file in the backup"
                )));
            }
            ExistingFile::Other => {
                plan.to_write.push(path.to_owned());
                others.push(there);
            }
        }
    }
    match others.first() {
        Some(first) if !replace => Err(TransferError::Refused(format!(
            "{} media files exist with other content, the first is {}: give --replace to replace them",
            others.len(),
            first.display()
        ))),
        _ => Ok(plan),
    }
}

impl MediaPlan {
    fn look(&self, path: &Path, member: &ArchiveMember) -> Result<ExistingFile, TransferError> {
        let name = path.file_name().unwrap_or_default();
        let folder = OpenDirectory::open(&self.root).and_then(|top| top.open_below(parent_path(path)));
        let folder = match folder {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ExistingFile::Nothing),
            Err(error) if is_not_directory(&error) => return Err(self.blocked(path)),
            outcome => outcome.map_err(TransferError::with(&self.root.join(path)))?,
        };
        let unreadable = TransferError::with(&self.root.join(path));
        Ok(match folder.kind(name).map_err(&unreadable)? {
            None => ExistingFile::Nothing,
            Some(EntryKind::Directory) => ExistingFile::Folder,
            Some(EntryKind::File) if is_same(&folder, name, member, &unreadable)? => ExistingFile::Same,
            Some(_) => ExistingFile::Other,
        })
    }

    /// Returns the error that names what is in the way of a path: a link or a file.
    fn blocked(&self, path: &Path) -> TransferError {
        let mut parents: Vec<_> = path.ancestors().skip(1).map(|above| self.root.join(above)).collect();
        parents.reverse();
        // Without a trailing separator, which would make the system follow a link.
        let in_the_way = parents.iter().map(|path| path.components().collect::<PathBuf>());
        let mut in_the_way =
            in_the_way.filter(|way| fs::symlink_metadata(way).is_ok_and(|there| !there.is_dir()));
        let named = in_the_way.next().unwrap_or_else(|| self.root.join(path));
        TransferError::Refused(format!(
            "{} is not a directory: no media file is written through it",
            named.display()
        ))
    }

    /// Reports whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.to_write.is_empty()
    }

    /// Moves the unpacked files to their places, and returns their number. They are in a directory that is below
    /// `work_dir`, which this process created for itself.
    pub(super) fn carry_out(&self, work_dir: &Path, unpacked: &Path) -> Result<usize, TransferError> {
        if self.is_empty() {
            return Ok(0);
        }
        let below = unpacked.strip_prefix(work_dir).unwrap_or(unpacked);
        let unpacked = OpenDirectory::open_own(work_dir).and_then(|own| own.open_below(below));
        let unpacked = unpacked.map_err(TransferError::with(work_dir))?;
        let top = self.top().map_err(TransferError::with(&self.root))?;
        for path in &self.to_write {
            let folder = match top.create_below(parent_path(path), DIRECTORY_MODE) {
                Err(error) if is_not_directory(&error) => return Err(self.blocked(path)),
                outcome => outcome.map_err(TransferError::with(&self.root.join(path)))?,
            };
            let put = folder.place_file(&unpacked, path, path.file_name().unwrap_or_default());
            put.map_err(TransferError::with(&self.root.join(path)))?;
        }
        Ok(self.to_write.len())
    }

    /// Opens the media directory, and creates it if it does not exist.
    fn top(&self) -> io::Result<OpenDirectory> {
        let Some(name) = self.root.file_name() else { return OpenDirectory::open(&self.root) };
        create_directory(parent_path(&self.root), DIRECTORY_MODE)?
            .create_below(Path::new(name), DIRECTORY_MODE)
    }
}

fn parent_path(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn is_same(
    folder: &OpenDirectory,
    name: &OsStr,
    member: &ArchiveMember,
    unreadable: &dyn Fn(io::Error) -> TransferError,
) -> Result<bool, TransferError> {
    let Some(mut file) = folder.file(Path::new(name)).map_err(unreadable)? else { return Ok(false) };
    if file.metadata().map_err(unreadable)?.len() != member.size {
        return Ok(false);
    }
    let (_, sha256) = digest(&mut file, unreadable, |_| Ok(()))?;
    Ok(sha256 == member.sha256)
}
