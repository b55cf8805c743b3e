//! A SQLite file that nobody else has open: a copy of a directory on its way into an archive, or out of one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::copy_database::arrive;
use super::new_database::filling;
use crate::database::OpenError;
use crate::database::Sql;
use crate::database::{Backend, sqlite};
use crate::database::{Link, Tx};
use crate::directory::Location;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::{Store, health, migrations};
use crate::directory::transfer_error::TransferError;

/// An open copy.
pub(in crate::directory) struct Staged {
    link: Link,
    file: PathBuf,
}

/// How much a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct Counts {
    pub(in crate::directory) users: u64,
    pub(in crate::directory) tokens: u64,
    /// Tokens that are neither revoked nor past their end.
    pub(in crate::directory) active_tokens: u64,
    pub(in crate::directory) audit_events: u64,
}

impl Staged {
    /// Opens the copy in a directory of its own; one with an older schema is upgraded first. It may come from
    /// anywhere: nothing in its schema is run before that is known to be ours. Waits, as all of it does.
    pub(in crate::directory) fn open(
        directory: &Path,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        sqlite::check_library()?;
        sqlite::check_file(directory)?;
        let link = Link::Sqlite(filling(directory, patience)?);
        if !migrations::is_initialised(&link)? {
            return Err(OpenError::HalfMade(sqlite::file(directory)));
        }
        migrations::check_schema(&link)?;
        migrations::upgrade(&link, now)?;
        Ok(Self { link, file: sqlite::file(directory) })
    }

    /// Does something with the rows, outside a transaction: nobody else is there.
    pub(in crate::directory) fn tx(&self) -> Tx<'_> {
        Tx::new(&self.link)
    }

    /// Changes the copy, wholly or not at all.
    pub(in crate::directory) fn write<T>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, TransferError>,
    ) -> Result<T, TransferError> {
        self.link.begin()?;
        let outcome = work(&self.tx());
        self.link.batch(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        outcome
    }

    /// What is wrong with the file or with what its rows refer to.
    pub(in crate::directory) fn faults(&self) -> Result<health::Faults, Error> {
        Ok(health::faults(&self.tx())?)
    }

    /// Closes the copy, which is one file then.
    pub(in crate::directory) fn close(self) -> PathBuf {
        self.file
    }
}

impl Store {
    /// Makes a SQLite copy of everything as it is at one moment, in a new directory, while others go on writing.
    /// Tells what of the schema is not ours, and is left out of the copy.
    pub(in crate::directory) async fn copy_to(
        &self,
        directory: PathBuf,
        now: Timestamp,
        progress: Progress,
    ) -> Result<Vec<String>, TransferError> {
        self.check_in_place()?;
        match &self.backend {
            Backend::Sqlite { directory: from, timeout: patience, .. } => {
                let (from, patience) = (from.clone(), *patience);
                let copied = spawn_blocking(move || {
                    copy_file(&from, &directory, patience)?;
                    leave_strangers(directory, patience, now, &progress)
                });
                copied.await.map_err(|error| Error::broken("a copy failed", error))?
            }
            Backend::Postgres { .. } => {
                self.carry_to(Location::Sqlite(directory), now, progress).await.map(|_| Vec::new())
            }
        }
    }
}

/// SQLite's own copy: of one moment, and without what deleted rows have left in free pages.
fn copy_file(from: &Path, directory: &Path, patience: Duration) -> Result<(), TransferError> {
    fs::DirBuilder::new().mode(0o700).create(directory).map_err(TransferError::with(directory))?;
    let file = sqlite::file(directory);
    let path =
        file.to_str().ok_or_else(|| TransferError::Refused(format!("{} is not UTF-8", file.display())))?;
    let source = Link::Sqlite(sqlite::connect(from, patience).map_err(OpenError::from)?);
    source.execute(&Sql::new("VACUUM INTO $1").bind(path))?;
    fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(TransferError::with(&file))?;
    let copy = Link::Sqlite(filling(directory, patience)?);
    // Of the last minutes, and of no use later.
    copy.execute(&Sql::new("DELETE FROM rate_counts"))?;
    Ok(())
}

/// Where a copy has more in its schema than is ours, its rows alone are kept, in a schema that is ours: no backup with
/// more could be restored.
fn leave_strangers(
    directory: PathBuf,
    patience: Duration,
    now: Timestamp,
    progress: &Progress,
) -> Result<Vec<String>, TransferError> {
    let strangers = migrations::strangers(&Link::Sqlite(filling(&directory, patience)?))?;
    if !strangers.is_empty() {
        let mut as_found = directory.clone().into_os_string();
        as_found.push("-as-found");
        let as_found = PathBuf::from(as_found);
        fs::rename(&directory, &as_found).map_err(TransferError::with(&directory))?;
        let link = Link::Sqlite(filling(&as_found, patience)?);
        arrive(&Tx::new(&link), &Location::Sqlite(directory), patience, now, progress)?;
        drop(link);
        fs::remove_dir_all(&as_found).map_err(TransferError::with(&as_found))?;
    }
    Ok(strangers)
}

impl Tx<'_> {
    /// How much the directory holds.
    pub(in crate::directory) fn counts(&self, now: Timestamp) -> Result<Counts, Error> {
        let count = |sql: Sql| Ok::<_, Error>(self.first::<i64>(&sql)?.unwrap_or_default().unsigned_abs());
        let active =
            "SELECT count(*) FROM tokens WHERE revoked_at IS NULL AND coalesce(expires_at, $1 + 1) > $1";
        Ok(Counts {
            users: count(Sql::new("SELECT count(*) FROM users"))?,
            tokens: count(Sql::new("SELECT count(*) FROM tokens"))?,
            active_tokens: count(Sql::new(active).bind(now))?,
            audit_events: count(Sql::new("SELECT count(*) FROM audit_events"))?,
        })
    }
}
