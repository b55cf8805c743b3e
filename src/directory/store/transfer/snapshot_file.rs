//! A SQLite file that no other process uses: a copy of a database, made for an archive or unpacked from one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::copy_database::copy_database;
use super::new_database::open_for_filling;
use crate::database::{Backend, DatabaseError, Link, OpenError, Sql, Tx, sqlite};
use crate::directory::Location;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::{Store, health, migrations};
use crate::directory::transfer_error::TransferError;

/// An open copy of a database.
pub(in crate::directory) struct SnapshotFile {
    link: Link,
    file: PathBuf,
}

/// The numbers of rows that a backup lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct RowCounts {
    pub(in crate::directory) users: u64,
    pub(in crate::directory) tokens: u64,
    /// Tokens that are neither revoked nor expired.
    pub(in crate::directory) active_tokens: u64,
    pub(in crate::directory) audit_events: u64,
}

impl SnapshotFile {
    /// Opens the copy in this directory, and upgrades an older schema. The file is untrusted: its schema is checked
    /// before anything in it (a trigger, a view) can run. It blocks the thread, as all its methods do.
    pub(in crate::directory) fn open(
        directory: &Path,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        sqlite::check_library()?;
        sqlite::check_file(directory)?;
        let link = Link::Sqlite(open_for_filling(directory, timeout)?);
        if !migrations::is_initialised(&link)? {
            return Err(OpenError::Unfinished(sqlite::file(directory)));
        }
        migrations::check_schema(&link)?;
        migrations::upgrade(&link, now)?;
        Ok(Self { link, file: sqlite::file(directory) })
    }

    /// Reads or writes rows outside a transaction, since nothing else uses the file.
    pub(in crate::directory) fn tx(&self) -> Tx<'_> {
        Tx::new(&self.link)
    }

    /// Changes the copy in a transaction.
    pub(in crate::directory) fn write<T>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, TransferError>,
    ) -> Result<T, TransferError> {
        self.link.begin()?;
        let outcome = work(&self.tx());
        self.link.batch(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        outcome
    }

    /// Looks for damage in the file and for rows that refer to nothing.
    pub(in crate::directory) fn check_integrity(&self) -> Result<health::IntegrityReport, Error> {
        Ok(health::check_integrity(&self.tx())?)
    }

    /// Closes the copy and returns its file.
    pub(in crate::directory) fn close(self) -> PathBuf {
        self.file
    }
}

impl Store {
    /// Copies the database as of one moment to a SQLite file in a new directory, while others go on writing. Returns the
    /// foreign schema objects, which the copy leaves out.
    pub(in crate::directory) async fn write_snapshot_file(
        &self,
        directory: PathBuf,
        now: Timestamp,
        progress: Progress,
    ) -> Result<Vec<String>, TransferError> {
        self.check_same_file()?;
        match &self.backend {
            Backend::Sqlite { directory: from, timeout, .. } => {
                let (from, timeout, backend) = (from.clone(), *timeout, self.backend.clone());
                let copied = spawn_blocking(move || {
                    copy_file(&from, &directory, timeout, &backend)?;
                    remove_foreign_schema(directory, timeout, now, &progress)
                });
                copied.await.map_err(|error| Error::broken("a copy failed", error))?
            }
            Backend::Postgres { .. } => {
                self.copy_to_database(Location::Sqlite(directory), now, progress).await.map(|_| Vec::new())
            }
        }
    }
}

/// Copies a SQLite file as of one moment, without the deleted data in its free pages.
fn copy_file(
    from: &Path,
    directory: &Path,
    timeout: Duration,
    backend: &Backend,
) -> Result<(), TransferError> {
    fs::DirBuilder::new().mode(0o700).create(directory).map_err(TransferError::with(directory))?;
    let file = sqlite::file(directory);
    let path =
        file.to_str().ok_or_else(|| TransferError::Refused(format!("{} is not UTF-8", file.display())))?;
    let source = Link::Sqlite(sqlite::connect(from, timeout).map_err(OpenError::from)?);
    source.execute(&Sql::new("VACUUM INTO $1").bind(path)).inspect_err(|error| {
        if let DatabaseError::Damaged(_) = error {
            backend.note_damage();
        }
    })?;
    fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(TransferError::with(&file))?;
    let copy = Link::Sqlite(open_for_filling(directory, timeout)?);
    // They cover the last minutes and are of no use later.
    copy.execute(&Sql::new("DELETE FROM rate_counts"))?;
    // A restored database must not send them again. They leave nothing in free pages either.
    copy.batch("PRAGMA secure_delete = ON")?;
    copy.execute(&Sql::new("DELETE FROM deliveries"))?;
    Ok(())
}

/// Removes foreign schema objects from a copy, since a backup with them could not be restored: the rows are copied into a
/// new file. Returns the objects.
fn remove_foreign_schema(
    directory: PathBuf,
    timeout: Duration,
    now: Timestamp,
    progress: &Progress,
) -> Result<Vec<String>, TransferError> {
    let foreign = migrations::strangers(&Link::Sqlite(open_for_filling(&directory, timeout)?))?;
    if !foreign.is_empty() {
        let mut as_found = directory.clone().into_os_string();
        as_found.push("-as-found");
        let as_found = PathBuf::from(as_found);
        fs::rename(&directory, &as_found).map_err(TransferError::with(&directory))?;
        let link = Link::Sqlite(open_for_filling(&as_found, timeout)?);
        copy_database(&Tx::new(&link), &Location::Sqlite(directory), timeout, now, progress)?;
        drop(link);
        fs::remove_dir_all(&as_found).map_err(TransferError::with(&as_found))?;
    }
    Ok(foreign)
}

impl Tx<'_> {
    /// Counts the rows that a backup lists.
    pub(in crate::directory) fn counts(&self, now: Timestamp) -> Result<RowCounts, Error> {
        let count = |sql: Sql| Ok::<_, Error>(self.first::<i64>(&sql)?.unwrap_or_default().unsigned_abs());
        let active =
            "SELECT count(*) FROM tokens WHERE revoked_at IS NULL AND coalesce(expires_at, $1 + 1) > $1";
        Ok(RowCounts {
            users: count(Sql::new("SELECT count(*) FROM users"))?,
            tokens: count(Sql::new("SELECT count(*) FROM tokens"))?,
            active_tokens: count(Sql::new(active).bind(now))?,
            audit_events: count(Sql::new("SELECT count(*) FROM audit_events"))?,
        })
    }
}
