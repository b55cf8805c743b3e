//! A new database that is filled from another one. It appears only when it is complete: a SQLite file is renamed into
//! place, PostgreSQL's tables are committed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::copy_rows::{analyze, switch_triggers_off};
use crate::database::{Backend, Link, MIGRATION_TIMEOUT, OpenError, Work, explain, sqlite};
use crate::directory::Location;
use crate::directory::files::{move_new_into_service, private_directory};
use crate::directory::model::Timestamp;
use crate::directory::store::migrations;
use crate::directory::store::search_index::REBUILD;
use crate::directory::store::triggers::TriggersOff;
use crate::directory::transfer_error::TransferError;
use crate::paths::OpenDirectory;

/// SQLite's page cache in KiB (negative by its convention): enough for the inner pages of the indexes, whose rows are
/// written in no order.
const FILLING_CACHE: i64 = -64 * 1024;

/// A database that is being filled. If it is dropped before [`NewDatabase::finish`], nothing is left of it.
pub(super) struct NewDatabase {
    link: Option<Link>,
    /// The private directory that holds SQLite's file, and the data directory that it will be moved to.
    file: Option<(TempDir, Destination)>,
    /// The triggers that are off while it is filled.
    triggers: Option<TriggersOff>,
    /// How long a statement may wait for a lock.
    timeout: Duration,
}

/// A data directory. It is open, so that its owner cannot put another one in its place.
struct Destination {
    opened: OpenDirectory,
    path: PathBuf,
}

impl NewDatabase {
    /// Creates the schema where there is none, and begins the transaction that fills it. It blocks the thread.
    pub(super) fn begin(place: &Location, timeout: Duration, now: Timestamp) -> Result<Self, TransferError> {
        let mut new = Self { link: None, file: None, triggers: None, timeout };
        let link = match place {
            Location::Sqlite(directory) => new.begin_file(directory, now)?,
            Location::Postgres(_) => new.begin_tables(place, now)?,
        };
        let triggers = switch_triggers_off(link)?;
        new.triggers = Some(triggers);
        Ok(new)
    }

    fn begin_file(&mut self, directory: &Path, now: Timestamp) -> Result<&Link, TransferError> {
        let opened = sqlite::prepare_directory(directory)?;
        let place = private_directory(directory)?;
        let path = place.path().join("new");
        sqlite::create(&path, self.timeout)?;
        let connection = open_for_filling(&path, self.timeout)?;
        self.file = Some((place, Destination { opened, path: directory.to_owned() }));
        let link = self.link.insert(Link::Sqlite(connection));
        migrations::upgrade(link, now)?;
        link.begin()?;
        Ok(link)
    }

    fn begin_tables(&mut self, place: &Location, now: Timestamp) -> Result<&Link, OpenError> {
        let backend = Backend::at(place, 1, MIGRATION_TIMEOUT)?;
        let link = self.link.insert(backend.link()?);
        if migrations::is_initialised(link)? {
            return Err(OpenError::AlreadyExists("the PostgreSQL database".to_owned()));
        }
        backend.refuse_other_tables(link)?;
        link.begin()?;
        migrations::upgrade_within(link, now).map_err(|error| explain(link, Work::Create, error))?;
        Ok(link)
    }

    /// Returns the connection whose transaction fills it.
    pub(super) fn link(&self) -> Result<&Link, OpenError> {
        self.link.as_ref().ok_or_else(|| OpenError::Broken("the new database is closed already".into()))
    }

    /// Ends the filling, so that the rows can be read back. A SQLite file is read through a new connection.
    pub(super) fn finish_filling(&mut self) -> Result<(), TransferError> {
        let triggers = self.triggers.take();
        let link = self.link()?;
        let Link::Sqlite(_) = link else {
            triggers.map_or(Ok(()), |triggers| triggers.end(link))?;
            return Ok(analyze(link)?);
        };
        link.batch(REBUILD)?;
        link.batch("COMMIT")?;
        self.link = None;
        if let Some((place, _)) = &self.file {
            let connection = sqlite::connect(&place.path().join("new"), self.timeout);
            let connection = connection.map_err(OpenError::from)?;
            self.link = Some(Link::Sqlite(connection));
        }
        Ok(())
    }

    /// Puts the database in its place.
    pub(super) fn finish(mut self) -> Result<(), TransferError> {
        let link = self.link.take();
        match (link, &self.file) {
            (Some(link @ Link::Postgres { .. }), _) => {
                link.batch("COMMIT")?;
                link.discard();
            }
            (link, Some((place, Destination { opened, path }))) => {
                drop(link);
                let (from, name) = (sqlite::file(&place.path().join("new")), sqlite::file(Path::new("")));
                let moved = move_new_into_service(&from, opened, name.as_os_str());
                moved.map_err(TransferError::with(&sqlite::file(path)))?;
            }
            (_, None) => {}
        }
        Ok(())
    }
}

/// Opens a connection for filling a file. Its commits are fast and do not survive a power cut, which is fine: a file that
/// is not finished is never used.
pub(super) fn open_for_filling(directory: &Path, timeout: Duration) -> Result<Connection, OpenError> {
    let connection = sqlite::connect(directory, timeout)?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", FILLING_CACHE)?;
    Ok(connection)
}

impl Drop for NewDatabase {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.discard();
        }
    }
}
