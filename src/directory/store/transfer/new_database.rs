//! A new database that is filled from another one, and is nobody's before it is complete: a SQLite file comes to
//! its place by a rename, PostgreSQL's tables by a commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::copy_rows::{analyze, set_triggers};
use crate::database::Link;
use crate::database::OpenError;
use crate::database::{Backend, MIGRATION_TIMEOUT, sqlite};
use crate::directory::Location;
use crate::directory::files::{private_place, put};
use crate::directory::model::Timestamp;
use crate::directory::store::migrations;
use crate::directory::store::search_index::REBUILD;
use crate::directory::transfer_error::TransferError;

/// Enough for the inner pages of the indexes that are written in no order.
const FILLING_CACHE: i64 = -64 * 1024;

/// A database in the making. Dropped before it is [finished](Fresh::finish), it leaves nothing.
pub(in crate::directory::store) struct Fresh {
    link: Option<Link>,
    /// Where SQLite's file is made, and the directory it belongs in.
    file: Option<(TempDir, PathBuf)>,
    /// How long a statement may wait for a lock.
    patience: Duration,
}

impl Fresh {
    /// Makes the schema where none is, and begins the transaction that fills it. Waits, so it belongs on a thread
    /// that may.
    pub(in crate::directory::store) fn begin(
        place: &Location,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Self, TransferError> {
        let mut fresh = Self { link: None, file: None, patience };
        let link = match place {
            Location::Sqlite(directory) => fresh.begin_file(directory, now)?,
            Location::Postgres(_) => fresh.begin_tables(place, now)?,
        };
        set_triggers(link, false)?;
        Ok(fresh)
    }

    fn begin_file(&mut self, directory: &Path, now: Timestamp) -> Result<&Link, TransferError> {
        sqlite::make_room(directory)?;
        let place = private_place(directory)?;
        let making = place.path().join("new");
        sqlite::create(&making, self.patience)?;
        let connection = filling(&making, self.patience)?;
        self.file = Some((place, directory.to_owned()));
        let link = self.link.insert(Link::Sqlite(connection));
        migrations::upgrade(link, now)?;
        link.begin()?;
        Ok(link)
    }

    fn begin_tables(&mut self, place: &Location, now: Timestamp) -> Result<&Link, OpenError> {
        let link = self.link.insert(Backend::at(place, 1, MIGRATION_TIMEOUT)?.link()?);
        if migrations::is_initialised(link)? {
            return Err(OpenError::AlreadyThere("the PostgreSQL database".to_owned()));
        }
        link.begin()?;
        migrations::upgrade_within(link, now)?;
        Ok(link)
    }

    /// The connection whose transaction fills it.
    pub(in crate::directory::store) fn link(&self) -> Result<&Link, OpenError> {
        self.link.as_ref().ok_or_else(|| OpenError::Broken("the new database is closed already".into()))
    }

    /// Ends the filling. What is read from now on is what was written: of a SQLite file, from a new connection.
    pub(in crate::directory::store) fn fill_up(&mut self) -> Result<(), TransferError> {
        let link = self.link()?;
        let Link::Sqlite(_) = link else {
            set_triggers(link, true)?;
            return Ok(analyze(link)?);
        };
        link.batch(REBUILD)?;
        link.batch("COMMIT")?;
        self.link = None;
        if let Some((place, _)) = &self.file {
            let connection = sqlite::connect(&place.path().join("new"), self.patience);
            let connection = connection.map_err(OpenError::from)?;
            self.link = Some(Link::Sqlite(connection));
        }
        Ok(())
    }

    /// Makes it the database of its place, for good.
    pub(in crate::directory::store) fn finish(mut self) -> Result<(), TransferError> {
        let link = self.link.take();
        match (link, &self.file) {
            (Some(link @ Link::Postgres { .. }), _) => {
                link.batch("COMMIT")?;
                link.discard();
            }
            (link, Some((place, directory))) => {
                drop(link);
                put(&sqlite::file(&place.path().join("new")), &sqlite::file(directory))?;
            }
            (_, None) => {}
        }
        Ok(())
    }
}

/// A connection for filling a file that nobody reads if the machine stops now: what makes a commit safe would only
/// make it slow.
pub(in crate::directory::store) fn filling(
    directory: &Path,
    patience: Duration,
) -> Result<Connection, OpenError> {
    let connection = sqlite::connect(directory, patience)?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", FILLING_CACHE)?;
    Ok(connection)
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.discard();
        }
    }
}
