//! The files of avatars, from one media directory into another. Only regular files below the directory are taken: a
//! name that leads out of it, directly or by a symbolic link, is refused.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use super::ImportError;
use super::report::Notices;

/// From where to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    from: PathBuf,
    to: PathBuf,
    link: bool,
}

/// What becomes of a file.
#[derive(Debug, PartialEq, Eq)]
enum File {
    /// It is there already.
    There,
    /// It can be brought.
    New { from: PathBuf, to: PathBuf },
}

impl Media {
    /// Takes files from `from` into `to`, by a hard link where `link` says so and the file system can.
    pub fn new(from: &Path, to: &Path, link: bool) -> Result<Self, ImportError> {
        let unreadable = |error: io::Error| ImportError::Unreadable(format!("{}: {error}", from.display()));
        let from = from.canonicalize().map_err(unreadable)?;
        if !from.is_dir() {
            return Err(ImportError::Unreadable(format!("{} is not a directory", from.display())));
        }
        Ok(Self { from, to: to.to_owned(), link })
    }

    /// Brings the file of this name, or only looks whether it could be; tells whether it was new.
    pub(super) fn bring(&self, name: &str, write: bool, notices: &mut Notices) -> Result<bool, ImportError> {
        match self.look(name) {
            Ok(File::There) => Ok(false),
            Ok(File::New { from, to }) => {
                if write {
                    self.put(&from, &to)
                        .map_err(|error| ImportError::Wrong(format!("{}: {error}", to.display())))?;
                }
                Ok(true)
            }
            Err(why) => {
                notices.add(why, format!("{name:?}"));
                Ok(false)
            }
        }
    }

    fn look(&self, name: &str) -> Result<File, &'static str> {
        const OUTSIDE: &str = "avatars whose names lead out of the media directory are refused";
        let relative = Path::new(name.trim_start_matches('/'));
        let mut from = self.from.clone();
        for part in relative.components() {
            let Component::Normal(part) = part else { return Err(OUTSIDE) };
            from.push(part);
            if from.is_symlink() {
                return Err("avatars that are symbolic links, or lie behind one, are refused");
            }
        }
        let Ok(about) = fs::metadata(&from) else { return Err("files of avatars are not there") };
        if !about.is_file() {
            return Err("avatars that are not files are refused");
        }
        let to = self.to.join(relative);
        let is_there = fs::metadata(&to).is_ok_and(|there| there.is_file() && there.len() == about.len())
            && is_same(&from, &to).unwrap_or(false);
        Ok(if is_there { File::There } else { File::New { from, to } })
    }

    fn put(&self, from: &Path, to: &Path) -> io::Result<()> {
        let place = to.parent().unwrap_or(&self.to);
        fs::create_dir_all(place)?;
        if self.link && !to.exists() && fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        // Under another name first: nobody shall be shown half an image.
        let mut half = tempfile::NamedTempFile::new_in(place)?;
        io::copy(&mut fs::File::open(from)?, &mut half)?;
        fs::set_permissions(half.path(), fs::metadata(from)?.permissions())?;
        half.persist(to)?;
        Ok(())
    }
}

/// Whether two files hold the same bytes.
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
            let media = Media::new(&root, &to, link).unwrap();
            let mut notices = Notices::default();
            let mut bring = |name: &str, write| media.bring(name, write, &mut notices).unwrap();
            assert!(bring("avatars/a b.png", false) && !to.exists());
            assert!(bring("/avatars/a b.png", true) && !bring("avatars/a b.png", true));
            assert_eq!(fs::read_to_string(to.join("avatars/a b.png")).unwrap(), "image");
            for refused in
                ["../secret", "avatars/../../secret", "avatars/link.png", "up/secret", "gone.png", "avatars"]
            {
                assert!(!bring(refused, true), "{refused}");
            }
            let told: Vec<_> = notices.iter().map(|(_, notice)| notice.count).collect();
            assert_eq!(told.iter().sum::<u64>(), 6);
            assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
        }
    }
}
