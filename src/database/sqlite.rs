//! SQLite: one file in the data directory, opened with settings that make it safe and fast.
//!
//! Only [`create`] creates a file. Opening never does, so a missing or damaged database cannot silently become a new,
//! empty one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use self::file::open;
pub(crate) use self::file::{
    check_file, create, disk_space, existing, file, prepare_directory, remove, unfinished,
};
use super::error::DatabaseError;
use super::long_reads::StopSignal;
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::{Sql, Value};
use super::wal;

mod file;

/// Older versions can lose the end of a write-ahead log when two connections checkpoint it at the same time.
const OLDEST_SAFE_VERSION: i32 = 3_051_003;

/// Opens an existing file with the settings of every connection.
pub(crate) fn connect(directory: &Path, timeout: Duration) -> Result<Connection, rusqlite::Error> {
    let connection = open(directory, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(timeout)?;
    wal::configure(&connection)?;
    // Reading the schema finds some damage before the next line can change the file.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // No mmap: if another process truncated the file, SIGBUS would end this one.
    connection.pragma_update(None, "mmap_size", 0)?;
    // The plan does not depend on parameters, so the plan that EXPLAIN shows is the plan that runs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // The schema may only call harmless functions. This program's schema calls no others.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// The page cache of the writing connection in KiB. Only this connection keeps pages from one transaction to the next;
/// readers lose theirs with every commit.
const WRITER_CACHE: i64 = 32 * 1024;
/// Opens an existing file for writing.
pub(crate) fn connect_writer(directory: &Path, timeout: Duration) -> Result<Connection, rusqlite::Error> {
    let connection = connect(directory, timeout)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    wal::configure_writer(&connection)?;
    Ok(connection)
}

/// Checks that the linked SQLite is not a version that is known to lose data.
pub(crate) fn check_library() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SAFE_VERSION {
        return Err(OpenError::OldSqlite(rusqlite::version()));
    }
    Ok(())
}

/// The file that was opened. If another file replaces it, open connections would keep using the old one unnoticed,
/// while other processes use the new one.
struct OpenedFile {
    device: u64,
    inode: u64,
    checked_at: Instant,
}

/// How long the result of a check of the file is valid.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A pool of connections for reading. Each statement takes one and returns it.
pub(crate) struct Readers {
    directory: PathBuf,
    timeout: Duration,
    /// How many idle connections are kept open.
    max_idle: usize,
    idle: Mutex<Vec<Connection>>,
    opened: Mutex<Option<OpenedFile>>,
    /// Whether a statement found the file damaged.
    is_damaged: AtomicBool,
}

impl Readers {
    pub(crate) fn new(directory: &Path, timeout: Duration, max_idle: usize) -> Self {
        let (idle, opened, is_damaged) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Self { directory: directory.to_owned(), timeout, max_idle, idle, opened, is_damaged }
    }

    /// Notes that the file is damaged. From then on its log is left as it is.
    pub(crate) fn note_damage(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
    }

    /// Returns whether the file was found damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Closes the connections that are not in use.
    pub(crate) fn close_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Fails if the file is no longer the one that was opened. It looks at the file at most once a second.
    pub(crate) fn check_same_file(&self) -> Result<(), DatabaseError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.as_ref().is_some_and(|opened| opened.checked_at.elapsed() < CHECK_INTERVAL) {
            return Ok(());
        }
        let found = fs::metadata(file(&self.directory)).map(|found| (found.dev(), found.ino()));
        match (opened.as_mut(), found) {
            (Some(known), Ok((device, inode))) if (known.device, known.inode) == (device, inode) => {
                known.checked_at = Instant::now();
                Ok(())
            }
            (None, Ok((device, inode))) => {
                *opened = Some(OpenedFile { device, inode, checked_at: Instant::now() });
                Ok(())
            }
            (Some(_), Ok(_)) => Err(DatabaseError::Unavailable(
                "another file has replaced the database file: restart".to_owned(),
            )),
            (_, Err(error)) => {
                Err(DatabaseError::Unavailable(format!("the database file is missing: {error}")))
            }
        }
    }

    /// Runs one statement. A connection on which it fails is closed.
    pub(crate) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
        self.with_connection(|connection| all(connection, sql))
    }

    /// Runs a statement that may take long. It stops when the signal is set.
    pub(crate) fn all_stoppable<T: FromRow>(
        &self,
        sql: &Sql,
        stop: &StopSignal,
    ) -> Result<Vec<T>, DatabaseError> {
        stop.check()?;
        self.with_connection(|connection| {
            set_stop_signal(connection, Some(stop))?;
            let rows = all(connection, sql)?;
            set_stop_signal(connection, None)?;
            Ok(rows)
        })
    }

    fn with_connection<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        self.check_same_file()?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let done = work(&mut connection).inspect_err(|error| {
            if let DatabaseError::Damaged(_) = error {
                self.note_damage();
            }
        })?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.max_idle {
            idle.push(connection);
        }
        Ok(done)
    }

    fn connect(&self) -> Result<Connection, DatabaseError> {
        let connection = connect(&self.directory, self.timeout)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// How many instructions of SQLite's virtual machine run between two checks of the stop signal. They take tens of
/// microseconds.
const STOP_CHECK_INTERVAL: i32 = 1000;

/// Makes every statement of a connection fail once the signal is set. `None` removes the signal.
///
/// `sqlite3_interrupt` is no alternative: it has no effect on a statement that begins a moment later.
pub(crate) fn set_stop_signal(
    connection: &mut Connection,
    stop: Option<&StopSignal>,
) -> Result<(), rusqlite::Error> {
    let is_set = stop.cloned().map(|stop| move || stop.is_set());
    connection.progress_handler(STOP_CHECK_INTERVAL, is_set)
}

/// Runs a statement and reads all its rows.
pub(crate) fn all<T: FromRow>(connection: &Connection, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
    if sql.is_composed() {
        return rows(&mut connection.prepare(sql.text())?, sql);
    }
    let mut statement = connection.prepare_cached(sql.text())?;
    rows(&mut statement, sql)
}

fn rows<T: FromRow>(statement: &mut rusqlite::Statement<'_>, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
    bind(statement, sql)?;
    let mut rows = statement.raw_query();
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        read.push(T::from_row(&mut Row::sqlite(row))?);
    }
    Ok(read)
}

/// Runs a statement that returns no rows. Returns how many rows it changed.
pub(crate) fn execute(connection: &Connection, sql: &Sql) -> Result<u64, DatabaseError> {
    let mut statement = connection.prepare_cached(sql.text())?;
    bind(&mut statement, sql)?;
    let changed = statement.raw_execute()?;
    Ok(u64::try_from(changed).unwrap_or_default())
}

/// Runs a statement once for each row, with the row's values as its parameters in order.
pub(crate) fn insert(connection: &Connection, text: &str, rows: &[Vec<Value>]) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(text)?;
    for row in rows {
        for (index, value) in row.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

/// Binds the values to the parameters by their numbers.
fn bind(statement: &mut rusqlite::Statement<'_>, sql: &Sql) -> Result<(), DatabaseError> {
    if sql.has_ordered_parameters() {
        for (index, value) in (1..).zip(sql.args()) {
            statement.raw_bind_parameter(index, value)?;
        }
        return Ok(());
    }
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.strip_prefix('$'));
        let number = number.and_then(|digits| digits.parse::<usize>().ok()?.checked_sub(1));
        let value = number.and_then(|number| sql.args().get(number));
        let value = value
            .ok_or_else(|| DatabaseError::Broken("a statement has a parameter without a value".into()))?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_library_does_not_lose_a_log() {
        check_library().unwrap();
    }

    #[test]
    fn parameters_are_bound_by_number_whatever_their_order() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = Sql::new("SELECT $2 || $1 || $2").bind("a").bind("b");
        assert_eq!(all::<String>(&connection, &sql).unwrap(), ["bab"]);
        assert!(all::<String>(&connection, &Sql::new("SELECT $1 || $2").bind("a")).is_err());
    }
}
