//! Replacing a database with a restored copy.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};

use super::copy_database::copy_database;
use super::copy_rows::{advance_ids, compare_rows, copy_rows, switch_triggers_off};
use super::snapshot_file::SnapshotFile;
use crate::database::{Backend, Link, MIGRATION_TIMEOUT, OpenError, Sql, Tx, connect_initialised, sqlite};
use crate::directory::error::Error;
use crate::directory::files::{move_into_service, move_with_owner};
use crate::directory::model::{NotCompared, Timestamp};
use crate::directory::progress::Progress;
use crate::directory::store::migrations;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Location, Settings};
use crate::paths::{DirectoryMode, OpenDirectory, UnsafePath};

/// The suffixes of SQLite's database file and of the files beside it.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// Why there is nothing to compare a backup with.
const NO_DATABASE: &str = "there was no database here to compare it with";

/// The database that a restore creates or replaces.
pub(in crate::directory) struct RestoreTarget {
    location: Location,
    timeout: Duration,
}

/// What is at the target of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) enum Occupancy {
    /// Nothing that a restore could destroy.
    Empty,
    /// A database, or what is left of one.
    Occupied,
}

/// How a restore replaces a database.
pub(in crate::directory) struct CopyOptions<'a> {
    pub(in crate::directory) now: Timestamp,
    pub(in crate::directory) progress: &'a Progress,
    /// The directory in which a copy of PostgreSQL's replaced rows is kept, if one is wanted.
    pub(in crate::directory) copies: Option<&'a Path>,
}

/// The present database, or why it cannot be read.
type PresentDatabase<'a, 'b> = Result<&'a Tx<'b>, NotCompared>;

impl RestoreTarget {
    pub(in crate::directory) fn new(settings: &Settings) -> Self {
        Self { location: settings.location.clone(), timeout: settings.timeout }
    }

    /// Returns what is there now. A SQLite file that is in use is an error.
    pub(in crate::directory) fn occupancy(&self) -> Result<Occupancy, TransferError> {
        let there = match &self.location {
            Location::Sqlite(directory) => {
                refuse_in_use(directory)?;
                let file = sqlite::file(directory);
                SUFFIXES.iter().any(|suffix| fs::symlink_metadata(with_suffix(&file, suffix)).is_ok())
            }
            Location::Postgres(_) => {
                migrations::is_initialised(&self.backend()?.link().map_err(OpenError::from)?)
                    .map_err(OpenError::from)?
            }
        };
        Ok(if there { Occupancy::Occupied } else { Occupancy::Empty })
    }

    /// Says what is there, as the rest of a sentence.
    pub(in crate::directory) fn held(&self) -> String {
        let there = match &self.location {
            Location::Sqlite(directory) if fs::symlink_metadata(sqlite::file(directory)).is_err() => {
                return "holds files of a database, but not wardroom.db".to_owned();
            }
            Location::Sqlite(directory) => sqlite::existing(directory),
            Location::Postgres(_) => OpenError::AlreadyExists(String::new()),
        };
        match there {
            OpenError::AlreadyExists(_) => "already holds an account database".to_owned(),
            OpenError::Unfinished(_) => "holds a wardroom.db that is empty".to_owned(),
            OpenError::NotWardroom(_) => "holds a wardroom.db of another program".to_owned(),
            OpenError::Damaged { reason, .. } => format!("holds a wardroom.db that is damaged ({reason})"),
            other => format!("holds a wardroom.db that cannot be read ({other})"),
        }
    }

    fn backend(&self) -> Result<Backend, OpenError> {
        Backend::at(&self.location, 1, if self.is_file() { self.timeout } else { MIGRATION_TIMEOUT })
    }

    fn is_file(&self) -> bool {
        matches!(self.location, Location::Sqlite(_))
    }

    /// Puts a copy in place of the target. `prepare` reads the present database and changes the copy. From then on no
    /// other process changes the present database. Returns the directory in which the replaced database is kept.
    pub(in crate::directory) fn replace<T>(
        &self,
        copy: SnapshotFile,
        occupancy: Occupancy,
        options: &CopyOptions<'_>,
        prepare: impl FnOnce(&SnapshotFile, PresentDatabase<'_, '_>) -> Result<T, TransferError>,
    ) -> Result<(Option<PathBuf>, T), TransferError> {
        match (&self.location, occupancy) {
            (Location::Sqlite(directory), Occupancy::Occupied) => {
                let prepared = self.prepare_for_file(&copy, prepare)?;
                let signature = file_signature(directory);
                let kept = replace_file(directory, &copy.close(), &signature, options.now)?;
                Ok((Some(kept), prepared))
            }
            (Location::Sqlite(directory), Occupancy::Empty) => {
                let prepared = prepare(&copy, Err(NotCompared::lasting(NO_DATABASE)))?;
                move_into_service(&copy.close(), &sqlite::file(directory))?;
                Ok((None, prepared))
            }
            (Location::Postgres(_), Occupancy::Empty) => {
                let prepared = prepare(&copy, Err(NotCompared::lasting(NO_DATABASE)))?;
                copy_database(&copy.tx(), &self.location, self.timeout, options.now, options.progress)?;
                Ok((None, prepared))
            }
            (Location::Postgres(_), Occupancy::Occupied) => {
                let link = self.backend()?.link()?;
                let replaced = self.replace_rows(&link, &copy, options, prepare);
                link.discard();
                replaced
            }
        }
    }

    /// Calls `prepare` with a SQLite file that is still in its place, or with why it cannot be read.
    fn prepare_for_file<T>(
        &self,
        copy: &SnapshotFile,
        prepare: impl FnOnce(&SnapshotFile, PresentDatabase<'_, '_>) -> Result<T, TransferError>,
    ) -> Result<T, TransferError> {
        let opened = self.backend().and_then(|backend| {
            let link = connect_initialised(&backend)?;
            migrations::check_version(&link)?;
            Ok(link)
        });
        match opened {
            Ok(link) => {
                let present = Tx::new(&link);
                // Ids that were assigned since the backup are not assigned again.
                let readable = copy.write(|tx| advance_ids(tx, &present).map_err(TransferError::from));
                prepare(copy, readable.map(|()| &present).map_err(NotCompared::lasting))
            }
            Err(error) => prepare(copy, Err(not_compared(&error))),
        }
    }

    /// Replaces all rows with those of the copy, in one transaction that excludes other writers. Until it commits, readers
    /// see the old rows.
    fn replace_rows<T>(
        &self,
        link: &Link,
        copy: &SnapshotFile,
        options: &CopyOptions<'_>,
        prepare: impl FnOnce(&SnapshotFile, PresentDatabase<'_, '_>) -> Result<T, TransferError>,
    ) -> Result<(Option<PathBuf>, T), TransferError> {
        migrations::check_version(link)?;
        link.begin()?;
        let there = Tx::new(link);
        let prepared = prepare(copy, Ok(&there))?;
        let kept = options.copies.map(|copies| kept_directory(copies, options.now));
        let replaced = kept.as_ref().map_or(Ok(()), |kept| {
            let place = Location::Sqlite(kept.clone());
            copy_database(&there, &place, self.timeout, options.now, options.progress).map(|_| ())
        });
        let replaced = replaced.and_then(|()| replace_all_rows(&copy.tx(), link, options.progress));
        if let (Err(_), Some(kept)) = (&replaced, &kept) {
            // The copy is not needed: its rows are still in the database.
            let _ = fs::remove_dir_all(kept);
        }
        replaced.map(|()| (kept, prepared))
    }
}

impl fmt::Display for RestoreTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Sqlite(directory) => write!(f, "{}", directory.display()),
            Location::Postgres(_) => f.write_str("the PostgreSQL database"),
        }
    }
}

/// Why a file cannot be compared. Another mode, owner or version can be changed; damage cannot.
fn not_compared(error: &OpenError) -> NotCompared {
    let has_remedy = matches!(
        error,
        OpenError::WorldReadable(_)
            | OpenError::UnusablePath { .. }
            | OpenError::UnsafePath(_)
            | OpenError::Unusable(_)
            | OpenError::Unreachable(_)
            | OpenError::Older { .. }
            | OpenError::Newer { .. }
    );
    NotCompared { why: error.to_string(), has_remedy }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Fails if another process holds one of SQLite's locks on the file, as every open connection does. While the returned
/// file is open, and no other descriptor of it is closed, no connection can be opened.
fn refuse_in_use(directory: &Path) -> Result<Option<File>, TransferError> {
    let file = sqlite::file(directory);
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let opened = match OpenOptions::new().read(true).write(true).custom_flags(nofollow).open(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if file.is_symlink() => return Err(UnsafePath::SymbolicLink(file).into()),
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

/// Returns inode, size and modification time of the database file and of the files beside it. A write changes them.
fn file_signature(directory: &Path) -> Vec<Option<(u64, u64, i64, i64)>> {
    let file = sqlite::file(directory);
    let signature = |suffix: &&str| {
        let found = fs::symlink_metadata(with_suffix(&file, suffix)).ok()?;
        Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    };
    SUFFIXES.iter().map(signature).collect()
}

/// Returns the directory that keeps a replaced database: a data directory of its own.
fn kept_directory(parent: &Path, now: Timestamp) -> PathBuf {
    let digits: String = now.to_string().chars().filter(|letter| !"-:.".contains(*letter)).collect();
    parent.join(format!("before-restore-{digits}"))
}

/// Replaces a database file, if it still has this signature. The old one is kept, with its log, in a directory of its own
/// beside it.
fn replace_file(
    directory: &Path,
    new: &Path,
    signature: &[Option<(u64, u64, i64, i64)>],
    now: Timestamp,
) -> Result<PathBuf, TransferError> {
    let _nobody_else = refuse_in_use(directory)?;
    if file_signature(directory) != signature {
        return Err(TransferError::Refused(format!(
            "{} was written while the backup was compared with it: nothing was changed; run the restore again",
            sqlite::file(directory).display()
        )));
    }
    let kept = kept_directory(directory, now);
    let here = OpenDirectory::follow(directory).map_err(TransferError::with(directory))?;
    let swapped = swap_files(&here, new, kept.file_name().unwrap_or_default());
    swapped.map(|()| kept.clone()).map_err(TransferError::with(&kept))
}

/// Moves the files of a database to a new directory of this name, and a new file to their place. The owner of the data
/// directory can rename what is in it at any time, so each step starts from a directory that is open.
fn swap_files(here: &OpenDirectory, new: &Path, kept_name: &OsStr) -> io::Result<()> {
    // Only the name within a directory.
    let file = sqlite::file(Path::new(""));
    let owner = here.owner_of(file.as_os_str())?;
    let kept = here.create(kept_name, DirectoryMode::Exact(0o700), owner)?;
    let mut moved = Vec::new();
    // SQLite would apply an old log to the new file, so the old names are gone from the disk before the new file comes.
    let outcome = move_files(here, &kept, &mut moved)
        .and_then(|()| kept.sync())
        .and_then(|()| here.sync())
        // The old file is gone from its place, so the new one gets its owner here.
        .and_then(|()| move_with_owner(new, here, file.as_os_str(), owner));
    if let Err(error) = outcome {
        for name in moved {
            kept.rename(&name, here, &name)?;
        }
        // It is empty again.
        let _ = here.remove_directory(kept_name);
        return Err(error);
    }
    Ok(())
}

/// Moves a database file and the files beside it, and notes in `moved` what was moved before an error.
fn move_files(from: &OpenDirectory, to: &OpenDirectory, moved: &mut Vec<OsString>) -> io::Result<()> {
    SUFFIXES.iter().try_for_each(|suffix| {
        let name = with_suffix(&sqlite::file(Path::new("")), suffix).into_os_string();
        if from.kind(&name)?.is_some() {
            from.rename(&name, to, &name)?;
            moved.push(name);
        }
        Ok(())
    })
}

/// Replaces the rows of a database in which a transaction has begun, and commits.
fn replace_all_rows(from: &Tx<'_>, to: &Link, progress: &Progress) -> Result<(), TransferError> {
    let there = Tx::new(to);
    let triggers = switch_triggers_off(to)?;
    copy_rows(from, to, progress)?;
    triggers.end(to)?;
    there.note_all_changed()?;
    compare_rows(from, &there, progress)?;
    Ok(to.batch("COMMIT")?)
}

impl Tx<'_> {
    /// Writes to the change feed that everything changed, which invalidates every cached identity.
    pub(in crate::directory) fn note_all_changed(&self) -> Result<(), Error> {
        self.execute(&Sql::new("INSERT INTO identity_changes (scope) VALUES ('all')"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Guards against a restore, run by root, that follows a link in the place of the directory for the old database.
    #[test]
    fn finding_the_old_database_is_not_moved_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let [data, away, new] = ["data", "away", "new"].map(|name| place.path().join(name));
        for directory in [&data, &away, &new] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(sqlite::file(&data), "old").unwrap();
        fs::write(sqlite::file(&new), "new").unwrap();
        symlink(&away, data.join("kept")).unwrap();
        let before = fs::metadata(&away).unwrap();
        let here = OpenDirectory::open(&data).unwrap();
        assert!(swap_files(&here, &sqlite::file(&new), OsStr::new("kept")).is_err());
        let after = fs::metadata(&away).unwrap();
        assert_eq!((before.uid(), before.ctime_nsec()), (after.uid(), after.ctime_nsec()));
        assert_eq!(fs::read_to_string(sqlite::file(&data)).unwrap(), "old");
        swap_files(&here, &sqlite::file(&new), OsStr::new("other")).unwrap();
        assert_eq!(fs::read_to_string(sqlite::file(&data)).unwrap(), "new");
        assert_eq!(fs::read_to_string(sqlite::file(&data.join("other"))).unwrap(), "old");
    }

    /// When the new file cannot be moved to its place, the old ones are in theirs again.
    #[test]
    fn a_failed_replacement_is_undone() {
        let data = tempfile::tempdir().unwrap();
        let log = with_suffix(&sqlite::file(data.path()), "-wal");
        fs::write(sqlite::file(data.path()), "old").unwrap();
        fs::write(&log, "log").unwrap();
        let here = OpenDirectory::open(data.path()).unwrap();
        assert!(swap_files(&here, &data.path().join("gone/new"), OsStr::new("kept")).is_err());
        assert!(sqlite::file(data.path()).exists() && log.exists() && !data.path().join("kept").exists());
    }
}
