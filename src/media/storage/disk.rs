//! Media files below a directory. No symbolic link below it is followed.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use tokio::task::spawn_blocking;

use super::file::{StorageError, StoredFile};
use super::name::{AVATARS, is_good_name};
use crate::paths::{DirectoryMode, EntryKind, OpenDirectory, create_directory, remedy};

/// The mode of directories: a web server that serves the files runs as another user.
const DIRECTORY_MODE: DirectoryMode = DirectoryMode::Exact(0o755);
/// The mode of files.
const FILE_MODE: u32 = 0o644;
/// How the name of an unfinished file begins.
const UNFINISHED: &str = ".wardroom-put-";

/// Numbers unfinished files.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory of media files.
pub(super) struct Disk {
    root: Arc<Path>,
}

impl Disk {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root: root.into() }
    }

    /// Runs blocking work; an error names the path and the remedy.
    async fn run<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (root, name) = (Arc::clone(&self.root), PathBuf::from(name));
        let done = spawn_blocking(move || {
            work(&root, &name).map_err(|error| {
                let path = root.join(&name);
                let text = format!("{} cannot be used: {error}: {}", path.display(), remedy(&error));
                StorageError::Unavailable(text)
            })
        });
        done.await.map_err(|error| StorageError::Unavailable(error.to_string()))?
    }

    pub(super) async fn put(&self, name: &str, content: Bytes) -> Result<(), StorageError> {
        self.run(name, move |root, name| put(root, name, &content)).await
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Bytes>, StorageError> {
        self.run(name, |root, name| {
            let Some(mut file) = open(root, name)? else { return Ok(None) };
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            Ok(Some(content.into()))
        })
        .await
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.run(name, |root, name| {
            let Some(top) = there(OpenDirectory::open(root))? else { return Ok(()) };
            let Some((folder, name)) = there(top.folder_of(name))? else { return Ok(()) };
            folder.remove_file(name)?;
            folder.sync()
        })
        .await
    }

    pub(super) async fn visit(&self, below: &str, visit: Sender<StoredFile>) -> Result<(), StorageError> {
        self.run(below, move |root, below| walk(root, below, &visit)).await
    }

    pub(super) async fn remove_unfinished(&self, before: i64) -> Result<(), StorageError> {
        self.run(AVATARS, move |root, avatars| remove_unfinished(root, avatars, before)).await
    }

    pub(super) fn describe(&self) -> String {
        self.root.display().to_string()
    }
}

/// Opens a regular file; `None` if there is none.
pub(super) fn open(root: &Path, name: &Path) -> io::Result<Option<File>> {
    match there(OpenDirectory::open(root))? {
        Some(top) => top.file(name),
        None => Ok(None),
    }
}

/// Turns what is missing into `None`.
fn there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn put(root: &Path, name: &Path, content: &[u8]) -> io::Result<()> {
    let top = create_directory(root, DIRECTORY_MODE)?;
    let (parent, file) = (name.parent().unwrap_or(Path::new("")), name.file_name());
    let file = file.ok_or(ErrorKind::InvalidInput)?;
    let folder = top.create_below(parent, DIRECTORY_MODE)?;
    let (unfinished, mut written) = unfinished(&folder)?;
    let finished = (|| {
        written.write_all(content)?;
        written.set_permissions(Permissions::from_mode(FILE_MODE))?;
        folder.owner()?.give(&written)?;
        written.sync_all()?;
        folder.rename(OsStr::new(&unfinished), &folder, file)
    })();
    if finished.is_err() {
        // The first error is the one that matters.
        drop(folder.remove_file(OsStr::new(&unfinished)));
    }
    finished?;
    // The directory above may be as new as the file.
    for above in parent.ancestors() {
        top.open_below(above)?.sync()?;
    }
    Ok(())
}

/// Creates a file under a name that is not taken.
fn unfinished(folder: &OpenDirectory) -> io::Result<(String, File)> {
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{UNFINISHED}{}-{number}", std::process::id());
        match folder.create_file(OsStr::new(&name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            outcome => return Ok((name, outcome?)),
        }
    }
}

/// Visits the regular files below a directory. Hidden ones and those whose names are not UTF-8 are left out.
fn walk(root: &Path, below: &Path, visit: &Sender<StoredFile>) -> io::Result<()> {
    let Some(top) = there(OpenDirectory::open(root))? else { return Ok(()) };
    let mut directories = vec![below.to_owned()];
    while let Some(directory) = directories.pop() {
        let Some(folder) = there(top.open_below(&directory))? else { continue };
        for (name, kind) in folder.entries()? {
            let path = directory.join(&name);
            let Some(shown) = path.to_str().filter(|shown| is_good_name(shown)) else { continue };
            match kind {
                EntryKind::Directory => directories.push(path),
                EntryKind::File => {
                    // A file that this account cannot read is there, too.
                    let size = folder.file(Path::new(&name)).ok().flatten();
                    let size = size.and_then(|file| file.metadata().ok()).map_or(0, |file| file.len());
                    if visit.blocking_send(StoredFile { name: shown.to_owned(), size }).is_err() {
                        return Ok(());
                    }
                }
                EntryKind::Link | EntryKind::Other => {}
            }
        }
    }
    Ok(())
}

/// Removes unfinished files that were last written before a time.
fn remove_unfinished(root: &Path, avatars: &Path, before: i64) -> io::Result<()> {
    let Some(top) = there(OpenDirectory::open(root))? else { return Ok(()) };
    let Some(folder) = there(top.open_below(avatars))? else { return Ok(()) };
    for (name, kind) in folder.entries()? {
        let is_unfinished = kind == EntryKind::File && name.as_bytes().starts_with(UNFINISHED.as_bytes());
        let file = if is_unfinished { folder.file(Path::new(&name))? } else { None };
        let written = file.map(|file| file.metadata()).transpose()?.map(|file| file.mtime());
        if written.is_some_and(|seconds| seconds.saturating_mul(1_000_000) < before) {
            folder.remove_file(&name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::media::storage::Storage;

    const NAME: &str = "users/avatars/0123456789abcdef0123456789.jpg";

    #[tokio::test]
    async fn a_file_is_written_read_listed_and_removed() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("media");
        let storage = Storage::disk(root.clone());
        assert_eq!(storage.get(NAME).await.unwrap(), None);
        assert_eq!(storage.list("").await.unwrap(), []);
        storage.remove(NAME).await.unwrap();
        for content in ["first", "second"] {
            storage.put(NAME, Bytes::from_static(content.as_bytes())).await.unwrap();
            assert_eq!(storage.get(NAME).await.unwrap().unwrap(), content);
        }
        let listed = [StoredFile { name: NAME.to_owned(), size: 6 }];
        assert_eq!(storage.list("users/avatars").await.unwrap(), listed);
        assert_eq!(storage.list("").await.unwrap(), listed);
        assert_eq!(storage.list("other").await.unwrap(), []);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&root.join(NAME)), mode(&root.join("users"))), (0o644, 0o755));
        storage.remove(NAME).await.unwrap();
        assert_eq!(storage.get(NAME).await.unwrap(), None);
        assert_eq!(fs::read_dir(root.join("users/avatars")).unwrap().count(), 0, "nothing is left over");
    }

    #[tokio::test]
    async fn what_a_crash_left_behind_is_removed_when_it_is_old() {
        let place = tempfile::tempdir().unwrap();
        let storage = Storage::disk(place.path().to_owned());
        storage.put(NAME, Bytes::from_static(b"picture")).await.unwrap();
        let left = place.path().join("users/avatars").join(format!("{UNFINISHED}1-0"));
        fs::write(&left, "half").unwrap();
        assert_eq!(storage.list("").await.unwrap().len(), 1, "it is no file yet");
        let written = fs::metadata(&left).unwrap().mtime() * 1_000_000;
        storage.remove_unfinished(written).await.unwrap();
        assert!(left.exists());
        storage.remove_unfinished(written + 1).await.unwrap();
        assert!(!left.exists());
        assert!(storage.get(NAME).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let (root, away) = (place.path().join("media"), place.path().join("away"));
        fs::create_dir_all(root.join("users")).unwrap();
        fs::create_dir(&away).unwrap();
        fs::write(away.join("secret"), "secret").unwrap();
        symlink(&away, root.join("users/avatars")).unwrap();
        symlink(away.join("secret"), root.join("link")).unwrap();
        let storage = Storage::disk(root);
        assert_eq!(storage.get("link").await.unwrap(), None);
        assert_eq!(storage.get("users/avatars/secret").await.unwrap(), None);
        assert_eq!(storage.list("").await.unwrap(), []);
        let refused = storage.put(NAME, Bytes::new()).await.unwrap_err();
        assert!(matches!(refused, StorageError::Unavailable(_)), "{refused}");
        assert_eq!(fs::read_dir(&away).unwrap().count(), 1);
        for bad in ["../away/secret", "/etc/passwd", "users/../link", ".hidden"] {
            assert!(matches!(storage.get(bad).await, Err(StorageError::Name(_))), "{bad}");
        }
    }
}
