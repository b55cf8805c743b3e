//! SQLite's write-ahead log: when its pages are copied into the file, and how it gets short again.
//!
//! SQLite copies the log into the file when a connection closes. That could change a damaged file just because it was
//! opened, so connections of this program do not do it: [`merge`] does, after a process has written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::{connect, file};

/// The number of pages in the log after which a commit copies them into the file. A longer log would need a second index
/// region to search.
const CHECKPOINT: i64 = 4000;
/// The length in bytes to which SQLite cuts the log when it begins it again: twice what it usually is.
const USUAL_LENGTH: i64 = 2 * CHECKPOINT * 4096;
/// The length in bytes from which a thread of its own copies the log into the file, because a commit would take seconds
/// for it. A log grows so long while a long read keeps SQLite from beginning it again.
const LONG: u64 = 64 * 1024 * 1024;
/// The length in bytes of a log that contains only a header.
pub(crate) const EMPTY: u64 = 32;
/// The pause between two attempts to shorten a long log.
const PAUSE: Duration = Duration::from_secs(1);

/// Returns the length of the log beside a database file in bytes; zero if there is none.
pub(crate) fn length(directory: &Path) -> u64 {
    fs::metadata(directory.join("wardroom.db-wal")).map_or(0, |log| log.len())
}

/// Sets how a connection deals with the log.
pub(super) fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "journal_size_limit", USUAL_LENGTH)
}

/// Sets when a writing connection copies the log into the file.
pub(super) fn configure_writer(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)
}

/// Copies the log into the file, as far as other connections allow. If none is open, the file alone is complete
/// afterwards, and the log is removed.
pub(crate) fn merge(directory: &Path) -> Result<(), rusqlite::Error> {
    // It waits for no one: whoever is in the way has the database open and merges the log later.
    let connection = connect(directory, Duration::ZERO)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    shorten(&connection)
}

/// Copies the log into the file without keeping writers waiting, then cuts it to nothing if it is not in use.
fn shorten(connection: &Connection) -> Result<(), rusqlite::Error> {
    let checkpoint = |mode: &str| {
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        connection.query_row(&pragma, [], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
    };
    let (pages, copied) = checkpoint("PASSIVE")?;
    // Cutting keeps writers waiting, which is short when all pages are in the file.
    if pages == copied { checkpoint("TRUNCATE").map(|_| ()) } else { Ok(()) }
}

/// Watches the length of the log for the writer.
pub(crate) struct LogWatch {
    directory: PathBuf,
    is_long: bool,
    /// Whether a thread shortens the log. It stops when this is cleared.
    is_running: Arc<AtomicBool>,
}

impl LogWatch {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), is_long: false, is_running: Arc::default() }
    }

    /// Leaves a long log to a thread of its own. Call it after a commit on the writing connection.
    pub(crate) fn after_commit(&mut self, connection: &Connection) {
        let was_long = std::mem::replace(&mut self.is_long, length(&self.directory) > LONG);
        if !self.is_long && !was_long {
            return;
        }
        let pages = if self.is_long { 0 } else { CHECKPOINT };
        if let Err(error) = connection.pragma_update(None, "wal_autocheckpoint", pages) {
            tracing::debug!(%error, "could not set when the log is copied into the file");
        }
        if self.is_long && !self.is_running.swap(true, Ordering::AcqRel) {
            let (directory, is_running) = (self.directory.clone(), Arc::clone(&self.is_running));
            let started = std::thread::Builder::new()
                .name("log".into())
                .spawn(move || shorten_until_usual(&directory, &is_running));
            if let Err(error) = started {
                tracing::warn!(%error, "could not start the thread that shortens SQLite's log");
                self.is_running.store(false, Ordering::Release);
            }
        }
    }
}

impl Drop for LogWatch {
    fn drop(&mut self) {
        self.is_running.store(false, Ordering::Release);
    }
}

fn shorten_until_usual(directory: &Path, is_running: &AtomicBool) {
    while is_running.load(Ordering::Acquire) && length(directory) > LONG {
        let shortened = connect(directory, Duration::ZERO).and_then(|connection| shorten(&connection));
        if let Err(error) = shortened {
            tracing::debug!(%error, file = %file(directory).display(), "could not shorten SQLite's log");
        }
        if length(directory) > LONG {
            std::thread::sleep(PAUSE);
        }
    }
    is_running.store(false, Ordering::Release);
}
