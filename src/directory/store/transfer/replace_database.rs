//! A backup's way into the place of a directory.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};

use super::copy_database::arrive;
use super::copy_rows::{carry, compare, keep_counting, set_triggers};
use super::snapshot_file::Staged;
use crate::database::OpenError;
use crate::database::Sql;
use crate::database::{Backend, MIGRATION_TIMEOUT, initialised, sqlite};
use crate::database::{Link, Tx};
use crate::directory::error::Error;
use crate::directory::files::{put, sync_directory};
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::migrations;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Location, Settings};
use crate::paths::Unsafe;

/// What SQLite keeps beside its file.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// Said where there is nothing to compare a backup with.
const NOTHING: &str = "there was no directory here to compare it with";

/// Where a backup goes.
pub(in crate::directory) struct Place {
    location: Location,
    patience: Duration,
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) enum Present {
    /// Nothing that a restore could destroy.
    Nothing,
    /// A directory, or what is left of one.
    Something,
}

/// How a backup comes to its place.
pub(in crate::directory) struct Copying<'a> {
    pub(in crate::directory) now: Timestamp,
    pub(in crate::directory) progress: &'a Progress,
    /// Where a copy of the rows that are replaced is kept, which only PostgreSQL needs; nowhere if none is wanted.
    pub(in crate::directory) copies: Option<&'a Path>,
}

/// The present directory, or why it cannot be read.
type Readable<'a, 'b> = Result<&'a Tx<'b>, String>;

impl Place {
    pub(in crate::directory) fn new(settings: &Settings) -> Self {
        Self { location: settings.location.clone(), patience: settings.patience }
    }

    /// What is there now. Refuses a SQLite file that somebody works with.
    pub(in crate::directory) fn look(&self) -> Result<Present, TransferError> {
        let there = match &self.location {
            Location::Sqlite(directory) => {
                refuse_in_use(directory)?;
                let file = sqlite::file(directory);
                BESIDE.iter().any(|suffix| fs::symlink_metadata(with_suffix(&file, suffix)).is_ok())
            }
            Location::Postgres(_) => {
                migrations::is_initialised(&self.backend()?.link().map_err(OpenError::from)?)
                    .map_err(OpenError::from)?
            }
        };
        Ok(if there { Present::Something } else { Present::Nothing })
    }

    fn backend(&self) -> Result<Backend, OpenError> {
        Backend::at(&self.location, 1, if self.is_file() { self.patience } else { MIGRATION_TIMEOUT })
    }

    fn is_file(&self) -> bool {
        matches!(self.location, Location::Sqlite(_))
    }

    /// Puts a copy in its place. `prepare` is shown the copy and the directory that is there, and changes the copy;
    /// nobody else changes that directory from then on. Tells in which directory is kept what was replaced.
    pub(in crate::directory) fn put<T>(
        &self,
        staged: Staged,
        present: Present,
        copying: &Copying<'_>,
        prepare: impl FnOnce(&Staged, Readable<'_, '_>) -> Result<T, TransferError>,
    ) -> Result<(Option<PathBuf>, T), TransferError> {
        match (&self.location, present) {
            (Location::Sqlite(directory), Present::Something) => {
                let prepared = self.show_file(&staged, prepare)?;
                let seen = signs(directory);
                let kept = replace_file(directory, &staged.close(), &seen, copying.now)?;
                Ok((Some(kept), prepared))
            }
            (Location::Sqlite(directory), Present::Nothing) => {
                let prepared = prepare(&staged, Err(NOTHING.to_owned()))?;
                put(&staged.close(), &sqlite::file(directory))?;
                Ok((None, prepared))
            }
            (Location::Postgres(_), Present::Nothing) => {
                let prepared = prepare(&staged, Err(NOTHING.to_owned()))?;
                arrive(&staged.tx(), &self.location, self.patience, copying.now, copying.progress)?;
                Ok((None, prepared))
            }
            (Location::Postgres(_), Present::Something) => {
                let link = self.backend()?.link()?;
                let replaced = self.replace_rows(&link, &staged, copying, prepare);
                link.discard();
                replaced
            }
        }
    }

    /// Shows `prepare` a SQLite file that is still in its place; one that cannot be read is a reason to restore.
    fn show_file<T>(
        &self,
        staged: &Staged,
        prepare: impl FnOnce(&Staged, Readable<'_, '_>) -> Result<T, TransferError>,
    ) -> Result<T, TransferError> {
        let opened = self.backend().and_then(|backend| {
            let link = initialised(&backend)?;
            migrations::check_version(&link)?;
            Ok(link)
        });
        match opened {
            Ok(link) => {
                let present = Tx::new(&link);
                // What was handed out since is not handed out again.
                let readable = staged.write(|tx| keep_counting(tx, &present).map_err(TransferError::from));
                prepare(staged, readable.map(|()| &present).map_err(|error| error.to_string()))
            }
            Err(error) => prepare(staged, Err(error.to_string())),
        }
    }

    /// Puts a copy's rows in the place of all rows, in one transaction, with no other writer in between. Whoever reads
    /// meanwhile reads the old ones.
    fn replace_rows<T>(
        &self,
        link: &Link,
        staged: &Staged,
        copying: &Copying<'_>,
        prepare: impl FnOnce(&Staged, Readable<'_, '_>) -> Result<T, TransferError>,
    ) -> Result<(Option<PathBuf>, T), TransferError> {
        migrations::check_version(link)?;
        link.begin()?;
        let there = Tx::new(link);
        let prepared = prepare(staged, Ok(&there))?;
        let kept = copying.copies.map(|copies| aside(copies, copying.now));
        let replaced = kept.as_ref().map_or(Ok(()), |kept| {
            let place = Location::Sqlite(kept.clone());
            arrive(&there, &place, self.patience, copying.now, copying.progress).map(|_| ())
        });
        let replaced = replaced.and_then(|()| exchange(&staged.tx(), link, copying.progress));
        if let (Err(_), Some(kept)) = (&replaced, &kept) {
            // It was made by this, and holds what is there still.
            let _ = fs::remove_dir_all(kept);
        }
        replaced.map(|()| (kept, prepared))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Sqlite(directory) => write!(f, "{}", directory.display()),
            Location::Postgres(_) => f.write_str("the PostgreSQL database"),
        }
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Refuses a file on which any other process holds a lock of SQLite's, as every open connection does. As long as what
/// is returned is there, and no other descriptor of the file is closed, none can be opened.
fn refuse_in_use(directory: &Path) -> Result<Option<File>, TransferError> {
    let file = sqlite::file(directory);
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let opened = match OpenOptions::new().read(true).write(true).custom_flags(nofollow).open(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if file.is_symlink() => return Err(Unsafe::Link(file).into()),
        outcome => outcome.map_err(TransferError::with(&file))?,
    };
    fcntl_lock(&opened, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        TransferError::Refused(format!(
            "{} is in use: stop the servers and commands that use it",
            file.display()
        ))
    })?;
    Ok(Some(opened))
}

/// What tells whether a database was written: inode, size and time of the file and of what is beside it.
fn signs(directory: &Path) -> Vec<Option<(u64, u64, i64, i64)>> {
    let file = sqlite::file(directory);
    let sign = |suffix: &&str| {
        let found = fs::symlink_metadata(with_suffix(&file, suffix)).ok()?;
        Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    };
    BESIDE.iter().map(sign).collect()
}

/// The directory in which is kept what a restore replaces: a data directory of its own.
fn aside(beside: &Path, now: Timestamp) -> PathBuf {
    let digits: String = now.to_string().chars().filter(|letter| !"-:.".contains(*letter)).collect();
    beside.join(format!("before-restore-{digits}"))
}

/// Puts a file in the place of a database that is as it was `seen`. That one is kept, with its log, in a directory of
/// its own beside the file.
fn replace_file(
    directory: &Path,
    new: &Path,
    seen: &[Option<(u64, u64, i64, i64)>],
    now: Timestamp,
) -> Result<PathBuf, TransferError> {
    let _nobody_else = refuse_in_use(directory)?;
    if signs(directory) != seen {
        return Err(TransferError::Refused(format!(
            "{} was changed while the backup was compared with it: nothing was changed; restore again",
            sqlite::file(directory).display()
        )));
    }
    let (file, aside) = (sqlite::file(directory), aside(directory, now));
    fs::DirBuilder::new().mode(0o700).create(&aside).map_err(TransferError::with(&aside))?;
    let mut moved = Vec::new();
    let outcome = BESIDE.iter().try_for_each(|suffix| {
        let (from, to) = (with_suffix(&file, suffix), with_suffix(&sqlite::file(&aside), suffix));
        if fs::symlink_metadata(&from).is_ok() {
            fs::rename(&from, &to).map_err(TransferError::with(&from))?;
            moved.push((from, to));
        }
        Ok(())
    });
    // An old log beside a new file would be taken for its own: the names change for good before it comes.
    let outcome = outcome
        .and_then(|()| sync_directory(&aside))
        .and_then(|()| sync_directory(directory))
        .and_then(|()| put(new, &file));
    if let Err(trouble) = outcome {
        for (from, to) in moved {
            fs::rename(&to, &from).map_err(TransferError::with(&to))?;
        }
        // Nothing is in it any more.
        let _ = fs::remove_dir(&aside);
        return Err(trouble);
    }
    Ok(aside)
}

/// Puts the rows of one database in the place of those of another, whose transaction has begun.
fn exchange(from: &Tx<'_>, to: &Link, progress: &Progress) -> Result<(), TransferError> {
    let there = Tx::new(to);
    set_triggers(to, false)?;
    carry(from, to, progress)?;
    set_triggers(to, true)?;
    there.note_all_changed()?;
    compare(from, &there, progress)?;
    Ok(to.batch("COMMIT")?)
}

impl Tx<'_> {
    /// Notes in the feed that nothing that was kept holds any more.
    pub(in crate::directory) fn note_all_changed(&self) -> Result<(), Error> {
        self.execute(&Sql::new("INSERT INTO identity_changes (scope) VALUES ('all')"))?;
        Ok(())
    }
}
