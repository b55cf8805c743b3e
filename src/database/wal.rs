//! SQLite's write-ahead log: how long it gets, and how it gets short again.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// The number of pages in the log after which a commit copies them into the file. A longer log would need a second index
/// region to search.
pub(crate) const CHECKPOINT: i64 = 4000;
/// The length in bytes to which SQLite cuts the log when it begins it again: twice what it usually is.
const USUAL_LENGTH: i64 = 2 * CHECKPOINT * 4096;
/// The length in bytes of a log that contains only a header.
pub(crate) const EMPTY_LOG: u64 = 32;

/// Returns the length of the log beside a database file in bytes; zero if there is none.
pub(crate) fn log_length(directory: &Path) -> u64 {
    fs::metadata(directory.join("wardroom.db-wal")).map_or(0, |log| log.len())
}

/// Sets how a connection deals with the log. Closing it leaves the log alone: merging could change a damaged file just
/// because it was opened.
pub(crate) fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "journal_size_limit", USUAL_LENGTH)
}

/// Sets when a writing connection copies the log into the file.
pub(crate) fn configure_writer(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)
}

/// Copies the log into the file without keeping writers waiting, then cuts it to nothing if it is not in use.
pub(crate) fn shorten(connection: &Connection) -> Result<(), rusqlite::Error> {
    let checkpoint = |mode: &str| {
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        connection.query_row(&pragma, [], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
    };
    let (pages, copied) = checkpoint("PASSIVE")?;
    // Cutting keeps writers waiting, which is short when all pages are in the file.
    if pages == copied { checkpoint("TRUNCATE").map(|_| ()) } else { Ok(()) }
}
