//! The media files beside a directory: found for a backup, put back from one. Only regular files ever count; a link
//! could lead anywhere.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::archive::{Member, digest};
use crate::directory::files;
use crate::directory::trouble::Trouble;

/// What lies below a media directory.
#[derive(Default)]
pub(super) struct Found {
    /// Regular files by their path below it, in order.
    pub(super) files: Vec<String>,
    /// Everything else, with the reason why it does not count.
    pub(super) left_out: Vec<String>,
}

/// Looks through a media directory, if there is one.
pub(super) fn find(root: &Path) -> Result<Found, Trouble> {
    let mut found = Found::default();
    match fs::symlink_metadata(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(source) => return Err(Trouble::File { path: root.to_owned(), source }),
        Ok(metadata) if metadata.is_symlink() => {
            found.left_out.push(format!("{}: a symbolic link", root.display()));
            return Ok(found);
        }
        Ok(_) => {}
    }
    let mut rooms = vec![root.to_owned()];
    while let Some(room) = rooms.pop() {
        for entry in fs::read_dir(&room).map_err(Trouble::with(&room))? {
            let entry = entry.map_err(Trouble::with(&room))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(Trouble::with(&room))?);
            let name = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
            match name {
                _ if kind.is_symlink() => found.left_out.push(format!("{}: a symbolic link", path.display())),
                _ if kind.is_dir() => rooms.push(path),
                Some(name) if kind.is_file() => found.files.push(name),
                Some(_) => found.left_out.push(format!("{}: no regular file", path.display())),
                None => found.left_out.push(format!("{}: its name is not UTF-8", path.display())),
            }
        }
    }
    found.files.sort();
    found.left_out.sort();
    Ok(found)
}

/// Opens a file that was found; none if it is gone, or something else by now.
pub(super) fn open(path: &Path) -> Result<Option<File>, Trouble> {
    let regular = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        outcome => outcome.map_err(Trouble::with(path))?,
    };
    if !regular.is_file() {
        return Ok(None);
    }
    let opened = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        outcome => outcome.map_err(Trouble::with(path))?,
    };
    let there = opened.metadata().map_err(Trouble::with(path))?;
    Ok(((regular.dev(), regular.ino()) == (there.dev(), there.ino())).then_some(opened))
}

/// Which media files of a backup have to be put where, and which are there already.
pub(super) struct Plan {
    root: PathBuf,
    /// Paths below the root.
    to_put: Vec<PathBuf>,
}

/// Plans to put media files in their place. A file of the same name with other content is only replaced on request.
pub(super) fn plan(root: &Path, members: &[Member], replace: bool) -> Result<Plan, Trouble> {
    let mut plan = Plan { root: root.to_owned(), to_put: Vec::new() };
    let mut others = Vec::new();
    for (member, path) in members.iter().filter_map(|member| Some((member, member.media()?))) {
        refuse_links(root, path)?;
        let there = root.join(path);
        match fs::symlink_metadata(&there) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => plan.to_put.push(path.to_owned()),
            Err(source) => return Err(Trouble::File { path: there, source }),
            Ok(metadata) if metadata.is_dir() => {
                return Err(Trouble::Refused(format!(
                    "{} is a directory here, and a file in the backup",
                    there.display()
                )));
            }
            Ok(metadata) if metadata.is_file() && is(&there, member)? => {}
            Ok(_) => {
                plan.to_put.push(path.to_owned());
                others.push(there);
            }
        }
    }
    match others.first() {
        Some(first) if !replace => Err(Trouble::Refused(format!(
            "{} media files are there already with other content, the first is {}: give --replace to replace them",
            others.len(),
            first.display()
        ))),
        _ => Ok(plan),
    }
}

/// Refuses a path that leads through a symbolic link, out of the media directory.
fn refuse_links(root: &Path, path: &Path) -> Result<(), Trouble> {
    for above in path.ancestors().skip(1) {
        let room = root.join(above);
        if fs::symlink_metadata(&room).is_ok_and(|metadata| !metadata.is_dir()) {
            let room = room.display();
            return Err(Trouble::Refused(format!(
                "{room} is not a directory: no media file is put through it"
            )));
        }
    }
    Ok(())
}

fn is(path: &Path, member: &Member) -> Result<bool, Trouble> {
    let mut file = File::open(path).map_err(Trouble::with(path))?;
    if file.metadata().map_err(Trouble::with(path))?.len() != member.size {
        return Ok(false);
    }
    let (_, sha256) = digest(&mut file, &Trouble::with(path), |_| Ok(()))?;
    Ok(sha256 == member.sha256)
}

impl Plan {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.to_put.is_empty()
    }

    /// Moves the files from where they were unpacked to their place; tells how many.
    pub(super) fn carry_out(&self, unpacked: &Path) -> Result<usize, Trouble> {
        for path in &self.to_put {
            let to = self.root.join(path);
            let room = files::parent(&to);
            fs::create_dir_all(&room).map_err(Trouble::with(&room))?;
            files::put(&unpacked.join(path), &to)?;
        }
        Ok(self.to_put.len())
    }
}
