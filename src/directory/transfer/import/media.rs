//! Copies the files of avatars from one media folder to another. Only regular files below the folder are copied: a name
//! that leads out of it, directly or by a symbolic link, is refused.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use super::error::ImportError;
use super::notices::Notices;
use crate::paths::{DirectoryMode, OpenDirectory, create_directory};

/// The mode of new directories, less the umask: the web server that serves the files runs as another user.
const DIRECTORY_MODE: DirectoryMode = DirectoryMode::LessUmask(0o777);

/// Where avatars are copied from and to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvatarCopy {
    from: PathBuf,
    to: PathBuf,
    link: bool,
}

/// What to do with a file.
#[derive(Debug, PartialEq, Eq)]
enum FileCopy {
    /// The same file is there already.
    Present,
    /// The file at this path below both directories has to be copied.
    Needed(PathBuf),
}

impl AvatarCopy {
    /// Copies files from `from` to `to`. With `link`, hard links are made if the file system can.
    pub fn new(from: &Path, to: &Path, link: bool) -> Result<Self, ImportError> {
        let unreadable = |error: io::Error| ImportError::Unreadable(format!("{}: {error}", from.display()));
        let from = from.canonicalize().map_err(unreadable)?;
        if !from.is_dir() {
            return Err(ImportError::Unreadable(format!("{} is not a directory", from.display())));
        }
        Ok(Self { from, to: to.to_owned(), link })
    }

    /// Returns whether the file of this name would be copied.
    pub(super) fn check(&self, name: &str, notices: &mut Notices) -> Result<bool, ImportError> {
        Ok(self.needed(name, notices).is_some())
    }

    /// Copies the file of this name. Returns false if it was there already, or is refused.
    pub(super) fn copy(&self, name: &str, notices: &mut Notices) -> Result<bool, ImportError> {
        let Some(file) = self.needed(name, notices) else { return Ok(false) };
        match self.put(&file) {
            Ok(()) => Ok(true),
            Err(error) => Err(ImportError::Invalid(format!("{}: {error}", self.to.join(file).display()))),
        }
    }

    fn needed(&self, name: &str, notices: &mut Notices) -> Option<PathBuf> {
        match self.look(name) {
            Ok(FileCopy::Present) => None,
            Ok(FileCopy::Needed(file)) => Some(file),
            Err(why) => {
                notices.add(why, format!("{name:?}"));
                None
            }
        }
    }

    fn look(&self, name: &str) -> Result<FileCopy, &'static str> {
        const OUTSIDE: &str = "avatars whose names lead out of the media directory are refused";
        let relative = Path::new(name.trim_start_matches('/'));
        let mut from = self.from.clone();
        for part in relative.components() {
            let Component::Normal(part) = part else { return Err(OUTSIDE) };
            from.push(part);
            if from.is_symlink() {
                return Err("avatars that are symbolic links, or are behind one, are refused");
            }
        }
        let Ok(about) = fs::metadata(&from) else { return Err("avatar files that do not exist") };
        if !about.is_file() {
            return Err("avatars that are not files are refused");
        }
        let to = self.to.join(relative);
        let is_there = fs::metadata(&to).is_ok_and(|there| there.is_file() && there.len() == about.len())
            && is_same(&from, &to).unwrap_or(false);
        Ok(if is_there { FileCopy::Present } else { FileCopy::Needed(relative.to_owned()) })
    }

    /// Copies the file at this path below both directories. The owners of both can put symbolic links there at any time,
    /// so no link below them is followed.
    fn put(&self, file: &Path) -> io::Result<()> {
        let from = OpenDirectory::open(&self.from)?;
        let top = create_directory(&self.to, DIRECTORY_MODE)?;
        let folder = top.create_below(file.parent().unwrap_or(Path::new("")), DIRECTORY_MODE)?;
        let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        if self.link && folder.kind(name)?.is_none() && folder.link_file(&from, file, name).is_ok() {
            return Ok(());
        }
        // Under another name first, so that no client is served half an image.
        let half = OsString::from(format!(".wardroom-{}", std::process::id()));
        folder.remove_file(&half)?;
        let copied = from.file(file).and_then(|image| {
            let mut image = image.ok_or(io::ErrorKind::NotFound)?;
            let mut copy = folder.create_file(&half)?;
            io::copy(&mut image, &mut copy)?;
            copy.set_permissions(image.metadata()?.permissions())?;
            folder.owner_of(name)?.give(&copy)?;
            folder.rename(&half, &folder, name)
        });
        copied.inspect_err(|_| {
            // What is left over is overwritten by the next import.
            let _ = folder.remove_file(&half);
        })
    }
}

/// Returns whether two files hold the same bytes.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let bytes = |path: &Path| Ok::<_, io::Error>(io::BufReader::new(fs::File::open(path)?).bytes());
    for (one, other) in bytes(one)?.zip(bytes(other)?) {
        if one? != other? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_below_the_directory_are_taken_and_each_once() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("secret"), "s").unwrap();
        let root = from.path().join("media");
        fs::create_dir_all(root.join("avatars")).unwrap();
        fs::write(root.join("avatars/a b.png"), "image").unwrap();
        symlink(from.path().join("secret"), root.join("avatars/link.png")).unwrap();
        symlink(from.path(), root.join("up")).unwrap();
        for link in [false, true] {
            let to = to.path().join(link.to_string());
            let media = AvatarCopy::new(&root, &to, link).unwrap();
            let mut notices = Notices::default();
            assert!(media.check("avatars/a b.png", &mut notices).unwrap() && !to.exists());
            let mut copy = |name: &str| media.copy(name, &mut notices).unwrap();
            assert!(copy("/avatars/a b.png") && !copy("avatars/a b.png"));
            assert_eq!(fs::read_to_string(to.join("avatars/a b.png")).unwrap(), "image");
            for refused in
                ["../secret", "avatars/../../secret", "avatars/link.png", "up/secret", "gone.png", "avatars"]
            {
                assert!(!copy(refused), "{refused}");
            }
            let counts: Vec<_> = notices.iter().map(|(_, notice)| notice.count).collect();
            assert_eq!(counts.iter().sum::<u64>(), 6);
            assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
        }
    }

    /// Guards against an import, run by root, that writes wherever the owner of the media directory points.
    #[test]
    fn finding_no_image_is_written_through_a_link_below_the_destination() {
        let place = tempfile::tempdir().unwrap();
        let [from, to, away] = ["from", "to", "away"].map(|name| place.path().join(name));
        fs::create_dir_all(from.join("avatars")).unwrap();
        fs::write(from.join("avatars/a.png"), "image").unwrap();
        fs::create_dir(&to).unwrap();
        fs::create_dir(&away).unwrap();
        symlink(&away, to.join("avatars")).unwrap();
        for link in [false, true] {
            let media = AvatarCopy::new(&from, &to, link).unwrap();
            assert!(media.copy("avatars/a.png", &mut Notices::default()).is_err());
        }
        assert_eq!(fs::read_dir(&away).unwrap().count(), 0);
    }
}
