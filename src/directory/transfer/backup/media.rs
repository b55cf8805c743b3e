//! The media files beside a directory: found for a backup, put back from one. Only regular files ever count, and no
//! symbolic link is followed, not even one that comes while files are read or put: a link could lead anywhere.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::archive::{Member, digest};
use crate::directory::transfer_error::TransferError;
use crate::paths::{Folder, Kind, is_no_folder};

/// The mode of directories of media files: whoever serves them is another user.
const FOLDER_MODE: u32 = 0o755;

/// What lies below a media directory.
#[derive(Default)]
pub(super) struct Found {
    /// The directory, if there is one.
    pub(super) folder: Option<Folder>,
    /// Regular files by their path below it, in order.
    pub(super) files: Vec<String>,
    /// Everything else, with the reason why it does not count.
    pub(super) left_out: Vec<String>,
}

/// Looks through a media directory, if there is one.
pub(super) fn find(root: &Path) -> Result<Found, TransferError> {
    let mut found = Found::default();
    let top = match Folder::open(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) if is_no_folder(&error) && root.is_symlink() => {
            found.left_out.push(format!("{}: a symbolic link", root.display()));
            return Ok(found);
        }
        outcome => outcome.map_err(TransferError::with(root))?,
    };
    let mut rooms = vec![PathBuf::new()];
    while let Some(room) = rooms.pop() {
        let entries = match top.below(&room).and_then(|folder| folder.entries()) {
            Err(error) if is_no_folder(&error) || error.kind() == ErrorKind::NotFound => {
                found.left_out.push(format!("{}: it went away meanwhile", root.join(room).display()));
                continue;
            }
            outcome => outcome.map_err(TransferError::with(&root.join(&room)))?,
        };
        for (name, kind) in entries {
            let name = room.join(name);
            let path = root.join(&name);
            match (kind, name.to_str()) {
                (Kind::Link, _) => found.left_out.push(format!("{}: a symbolic link", path.display())),
                (Kind::Folder, _) => rooms.push(name),
                (Kind::File, Some(name)) => found.files.push(name.to_owned()),
                (Kind::File, None) => {
                    found.left_out.push(format!("{}: its name is not UTF-8", path.display()));
                }
                (Kind::Other, _) => found.left_out.push(format!("{}: no regular file", path.display())),
            }
        }
    }
    found.files.sort();
    found.left_out.sort();
    found.folder = Some(top);
    Ok(found)
}

/// Which media files of a backup have to be put where, and which are there already.
pub(super) struct Plan {
    root: PathBuf,
    /// Paths below the root.
    to_put: Vec<PathBuf>,
}

/// What is at a media file's place.
enum There {
    Nothing,
    /// The same file.
    Same,
    /// Something that a file can be put in the place of.
    Other,
    Folder,
}

/// Plans to put media files in their place. A file of the same name with other content is only replaced on request.
pub(super) fn plan(root: &Path, members: &[Member], replace: bool) -> Result<Plan, TransferError> {
    let mut plan = Plan { root: root.to_owned(), to_put: Vec::new() };
    let mut others = Vec::new();
    for (member, path) in members.iter().filter_map(|member| Some((member, member.media()?))) {
        let there = root.join(path);
        match plan.look(path, member)? {
            There::Same => {}
            There::Nothing => plan.to_put.push(path.to_owned()),
            There::Folder => {
                let there = there.display();
                return Err(TransferError::Refused(format!(
                    "{there} is a directory here, and a file in the backup"
                )));
            }
            There::Other => {
                plan.to_put.push(path.to_owned());
                others.push(there);
            }
        }
    }
    match others.first() {
        Some(first) if !replace => Err(TransferError::Refused(format!(
            "{} media files are there already with other content, the first is {}: give --replace to replace them",
            others.len(),
            first.display()
        ))),
        _ => Ok(plan),
    }
}

impl Plan {
    fn look(&self, path: &Path, member: &Member) -> Result<There, TransferError> {
        let name = path.file_name().unwrap_or_default();
        let folder = Folder::open(&self.root).and_then(|top| top.below(above(path)));
        let folder = match folder {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(There::Nothing),
            Err(error) if is_no_folder(&error) => return Err(self.no_way(path)),
            outcome => outcome.map_err(TransferError::with(&self.root.join(path)))?,
        };
        let unreadable = TransferError::with(&self.root.join(path));
        Ok(match folder.kind(name).map_err(&unreadable)? {
            None => There::Nothing,
            Some(Kind::Folder) => There::Folder,
            Some(Kind::File) if is(&folder, name, member, &unreadable)? => There::Same,
            Some(_) => There::Other,
        })
    }

    /// Names what is in the way of a path: a link, or a file.
    fn no_way(&self, path: &Path) -> TransferError {
        let mut ways: Vec<_> = path.ancestors().skip(1).map(|above| self.root.join(above)).collect();
        ways.reverse();
        // Without the separator at its end, which would have a link followed.
        let in_the_way = ways.iter().map(|way| way.components().collect::<PathBuf>());
        let mut in_the_way =
            in_the_way.filter(|way| fs::symlink_metadata(way).is_ok_and(|there| !there.is_dir()));
        let named = in_the_way.next().unwrap_or_else(|| self.root.join(path));
        TransferError::Refused(format!(
            "{} is not a directory: no media file is put through it",
            named.display()
        ))
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.to_put.is_empty()
    }

    /// Moves the files from where they were unpacked to their place; tells how many.
    pub(super) fn carry_out(&self, unpacked: &Path) -> Result<usize, TransferError> {
        if self.is_empty() {
            return Ok(0);
        }
        let top = self.top().map_err(TransferError::with(&self.root))?;
        for path in &self.to_put {
            let folder = match top.make_below(above(path), FOLDER_MODE) {
                Err(error) if is_no_folder(&error) => return Err(self.no_way(path)),
                outcome => outcome.map_err(TransferError::with(&self.root.join(path)))?,
            };
            let put = folder.receive(&unpacked.join(path), path.file_name().unwrap_or_default());
            put.map_err(TransferError::with(&self.root.join(path)))?;
        }
        Ok(self.to_put.len())
    }

    /// The media directory, which is made if it is not there.
    fn top(&self) -> io::Result<Folder> {
        match fs::DirBuilder::new().mode(FOLDER_MODE).create(&self.root) {
            Ok(()) => fs::set_permissions(&self.root, fs::Permissions::from_mode(FOLDER_MODE))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Folder::open(&self.root)
    }
}

fn above(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn is(
    folder: &Folder,
    name: &OsStr,
    member: &Member,
    unreadable: &dyn Fn(io::Error) -> TransferError,
) -> Result<bool, TransferError> {
    let Some(mut file) = folder.file(Path::new(name)).map_err(unreadable)? else { return Ok(false) };
    if file.metadata().map_err(unreadable)?.len() != member.size {
        return Ok(false);
    }
    let (_, sha256) = digest(&mut file, unreadable, |_| Ok(()))?;
    Ok(sha256 == member.sha256)
}
