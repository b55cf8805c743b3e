//! Merging SQLite's write-ahead log into the file: at the end of a process that has written, and when the log is long.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::sqlite::{connect, file};
use super::wal::{CHECKPOINT, log_length, shorten};

/// The length in bytes from which a thread of its own copies the log into the file, because a commit would take seconds
/// for it. A log grows so long while a long read keeps SQLite from beginning it again.
const LONG: u64 = 64 * 1024 * 1024;
/// The pause between two attempts to shorten a long log.
const PAUSE: Duration = Duration::from_secs(1);

/// Copies the log into the file, as far as other connections allow. If none is open, the file alone is complete
/// afterwards, and the log is removed.
pub(crate) fn merge_log(directory: &Path) -> Result<(), rusqlite::Error> {
    // It does not wait: a process that is in the way has the database open, and merges the log later.
    let connection = connect(directory, Duration::ZERO)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    shorten(&connection)
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
        let was_long = std::mem::replace(&mut self.is_long, log_length(&self.directory) > LONG);
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
    while is_running.load(Ordering::Acquire) && log_length(directory) > LONG {
        let shortened = connect(directory, Duration::ZERO).and_then(|connection| shorten(&connection));
        if let Err(error) = shortened {
            tracing::debug!(%error, file = %file(directory).display(), "could not shorten SQLite's log");
        }
        if log_length(directory) > LONG {
            std::thread::sleep(PAUSE);
        }
    }
    is_running.store(false, Ordering::Release);
}
