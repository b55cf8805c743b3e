//! SQLite: one file in the data directory, opened with the settings that make it safe and quick.
//!
//! A file is only ever created by [`create`]. Opening never creates, so a missing or damaged database
//! cannot turn into an empty new one.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::DatabaseError;
use super::long_reads::Stop;
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::{Sql, Value};
use crate::paths::{UnsafePath, check_directory, open_file};

/// Older versions can lose the end of a write-ahead log that two connections checkpoint at once.
const OLDEST_SAFE_VERSION: i32 = 3_051_003;
/// "WRDM" in the header of every database file of ours.
const APPLICATION_ID: i64 = 0x5752_444d;

/// A log of this length has a header and nothing else.
const EMPTY_LOG: u64 = 32;

/// The database file of a data directory.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join("wardroom.db")
}

/// Makes the directory for a new database; refuses one in which there is anything already.
pub(crate) fn make_room(directory: &Path) -> Result<(), OpenError> {
    let unreadable = |source| OpenError::Directory { path: directory.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unreadable)?;
    check_directory(directory)?;
    let path = file(directory);
    if fs::symlink_metadata(&path).is_ok() {
        return Err(OpenError::AlreadyThere(path.display().to_string()));
    }
    let mut entries = fs::read_dir(directory).map_err(unreadable)?.filter_map(Result::ok);
    // A mount point of its own brings lost+found along; anything else is somebody's.
    if entries.any(|entry| entry.file_name() != "lost+found") {
        return Err(OpenError::NotEmpty(directory.to_owned()));
    }
    Ok(())
}

/// Makes an empty database file, readable by its owner alone, in a directory that is new or empty.
pub(crate) fn create(directory: &Path, timeout: Duration) -> Result<(), OpenError> {
    make_room(directory)?;
    let path = file(directory);
    if let Err(error) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        return Err(match error.kind() {
            ErrorKind::AlreadyExists => OpenError::AlreadyThere(path.display().to_string()),
            _ => OpenError::Directory { path: directory.to_owned(), source: error },
        });
    }
    let marked = mark(directory, timeout);
    if marked.is_err() {
        remove(directory);
    }
    marked
}

/// Makes a file ours, so that it is never taken for somebody else's, and the other way round.
fn mark(directory: &Path, timeout: Duration) -> Result<(), OpenError> {
    let connection = open(directory, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(timeout)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(())
}

/// Takes back a [`create`] that could not be finished.
pub(crate) fn remove(directory: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // What is not there need not be removed; what cannot be removed is told at the next start.
        let _ = fs::remove_file(directory.join(format!("wardroom.db{suffix}")));
    }
}

/// Refuses a file that is not there, that others may read or exchange, or that is not a whole database of ours.
///
/// It only reads: opening a foreign file with SQLite could already change it.
pub(crate) fn check_file(directory: &Path) -> Result<(), OpenError> {
    let path = file(directory);
    let missing = |error: UnsafePath| match error {
        UnsafePath::Unusable { source, .. } if source.kind() == ErrorKind::NotFound => {
            OpenError::Missing(path.clone())
        }
        other => other.into(),
    };
    check_directory(directory).map_err(missing)?;
    let mut opened = open_file(&path).map_err(missing)?;
    check_beside(&path)?;
    let unreadable = |source| OpenError::Directory { path: path.clone(), source };
    let metadata = opened.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(OpenError::WorldReadable(path));
    }
    if metadata.len() == 0 {
        return Err(OpenError::HalfMade(path));
    }
    let mut header = [0; 100];
    let damaged =
        |reason: &str| OpenError::Damaged { path: path.display().to_string(), reason: reason.to_owned() };
    opened.read_exact(&mut header).map_err(|_| damaged("the file is cut off inside its header"))?;
    // A checkpoint that was cut off leaves the header of a file that was to become longer; the log beside it has
    // the rest, and SQLite puts it right. Without a log nobody does.
    let log = fs::metadata(directory.join("wardroom.db-wal")).map_or(0, |log| log.len());
    let length = if log > EMPTY_LOG { u64::MAX } else { metadata.len() };
    check_header(&header, length).map_err(damaged)?;
    if number(&header, 68) != u32::try_from(APPLICATION_ID).unwrap_or_default() {
        return Err(OpenError::NotOurs(path));
    }
    Ok(())
}

/// Refuses what SQLite would use beside the file, where it is a link or others may read it.
fn check_beside(path: &Path) -> Result<(), OpenError> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let beside = path.with_file_name(format!("wardroom.db{suffix}"));
        match fs::symlink_metadata(&beside) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(OpenError::Directory { path: beside, source }),
            Ok(found) if found.is_symlink() => return Err(UnsafePath::Link(beside).into()),
            Ok(found) if !found.is_file() => return Err(UnsafePath::NoFile(beside).into()),
            Ok(found) if found.permissions().mode() & 0o007 != 0 => {
                return Err(OpenError::WorldReadable(beside));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The file header as <https://www.sqlite.org/fileformat.html> documents it, section 1.3.
fn check_header(header: &[u8; 100], length: u64) -> Result<(), &'static str> {
    if !header.starts_with(b"SQLite format 3\0") {
        return Err("it does not begin as a SQLite database does");
    }
    // Nobody of ours keeps text in another encoding than UTF-8, which is 1; 0 is a file without tables.
    if number(header, 56) > 1 {
        return Err("its text is not UTF-8");
    }
    // The page size is a 16-bit number, in which 1 means 65,536.
    let page_size = match number(header, 16) >> 16 {
        1 => 65_536,
        size => u64::from(size),
    };
    if length < page_size * u64::from(number(header, 28)) {
        return Err("the file is shorter than its header says");
    }
    Ok(())
}

fn number(header: &[u8; 100], at: usize) -> u32 {
    header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Opens an existing file. The directory may be reached by a link; the file, its log and its index may be none, whatever
/// happens between a look and this (SQLite opens those beside it with `O_NOFOLLOW`, too).
fn open(directory: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    // What cannot be found is told by SQLite.
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    Connection::open_with_flags(file(&directory), flags | OpenFlags::SQLITE_OPEN_NOFOLLOW)
}

/// Opens an existing file with the settings every connection has.
pub(crate) fn connect(directory: &Path, timeout: Duration) -> Result<Connection, rusqlite::Error> {
    let connection = open(directory, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(timeout)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // No mmap: a file that somebody truncates or overwrites in place would end the process by SIGBUS.
    connection.pragma_update(None, "mmap_size", 0)?;
    // The same plan whatever the parameters: a plan that EXPLAIN showed is the plan that runs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // What stands in the schema calls nothing but what is harmless; ours does not, either.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// KiB of pages that the writing connection may keep. It alone keeps them from one transaction to the next: readers lose
/// theirs with every commit.
const WRITER_CACHE: i64 = 32 * 1024;
/// Pages in the log after which they are copied into the file. Beyond these it would need a second index to search.
const CHECKPOINT: i64 = 4000;

/// The same for writing.
pub(crate) fn writer(directory: &Path, timeout: Duration) -> Result<Connection, rusqlite::Error> {
    let connection = connect(directory, timeout)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    Ok(connection)
}

/// Refuses a SQLite library that is known to lose data.
pub(crate) fn check_library() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SAFE_VERSION {
        return Err(OpenError::OldLibrary(rusqlite::version()));
    }
    Ok(())
}

/// Which file was opened. One that is put in its place later is another: connections would go on with the
/// old one, unseen, while everybody else works on the new.
struct Watched {
    device: u64,
    inode: u64,
    looked: Instant,
}

/// How long a file that was in its place is taken to be there still.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Connections for reading, lent out one statement at a time.
pub(crate) struct Readers {
    directory: PathBuf,
    timeout: Duration,
    /// Idle connections beyond this are closed.
    most: usize,
    idle: Mutex<Vec<Connection>>,
    watched: Mutex<Option<Watched>>,
}

impl Readers {
    pub(crate) fn new(directory: &Path, timeout: Duration, most: usize) -> Self {
        let (idle, watched) = (Mutex::default(), Mutex::default());
        Self { directory: directory.to_owned(), timeout, most, idle, watched }
    }

    /// Refuses to go on when the file is no longer the one that was opened; looks once a second at most.
    pub(crate) fn check_in_place(&self) -> Result<(), DatabaseError> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.as_ref().is_some_and(|watched| watched.looked.elapsed() < LOOK_AGAIN) {
            return Ok(());
        }
        let there = fs::metadata(file(&self.directory)).map(|there| (there.dev(), there.ino()));
        match (watched.as_mut(), there) {
            (Some(known), Ok((device, inode))) if (known.device, known.inode) == (device, inode) => {
                known.looked = Instant::now();
                Ok(())
            }
            (None, Ok((device, inode))) => {
                *watched = Some(Watched { device, inode, looked: Instant::now() });
                Ok(())
            }
            (Some(_), Ok(_)) => Err(DatabaseError::Unavailable(
                "another file was put in the database's place: restart".to_owned(),
            )),
            (_, Err(error)) => {
                Err(DatabaseError::Unavailable(format!("the database file is not there: {error}")))
            }
        }
    }

    /// Runs one statement; a connection that failed is not used again.
    pub(crate) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
        self.lend(|connection| all(connection, sql))
    }

    /// The same for a statement that may take long: it ends when `stop` says so.
    pub(crate) fn all_until<T: FromRow>(&self, sql: &Sql, stop: &Stop) -> Result<Vec<T>, DatabaseError> {
        stop.check()?;
        self.lend(|connection| {
            stop_by(connection, Some(stop))?;
            let rows = all(connection, sql)?;
            stop_by(connection, None)?;
            Ok(rows)
        })
    }

    fn lend<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        self.check_in_place()?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.reader()?,
        };
        let done = work(&mut connection)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.most {
            idle.push(connection);
        }
        Ok(done)
    }

    fn reader(&self) -> Result<Connection, DatabaseError> {
        let connection = connect(&self.directory, self.timeout)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// Steps of SQLite's machine between two looks at whether a statement has to end; tens of microseconds.
const STEPS: i32 = 1000;

/// Has every statement of a connection end with an error when `stop` says so, or none.
///
/// Not by `sqlite3_interrupt`, which is lost on a statement that begins a moment later.
pub(crate) fn stop_by(connection: &mut Connection, stop: Option<&Stop>) -> Result<(), rusqlite::Error> {
    let due = stop.cloned().map(|stop| move || stop.is_due());
    connection.progress_handler(STEPS, due)
}

/// Runs a statement and reads all its rows.
pub(crate) fn all<T: FromRow>(connection: &Connection, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
    if sql.is_composed() {
        return rows(&mut connection.prepare(sql.text())?, sql);
    }
    let mut kept = connection.prepare_cached(sql.text())?;
    rows(&mut kept, sql)
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

/// Runs a statement that gives no rows; tells how many it changed.
pub(crate) fn execute(connection: &Connection, sql: &Sql) -> Result<u64, DatabaseError> {
    let mut statement = connection.prepare_cached(sql.text())?;
    bind(&mut statement, sql)?;
    let changed = statement.raw_execute()?;
    Ok(u64::try_from(changed).unwrap_or_default())
}

/// Runs a statement once for each row; its parameters are the row's values, in their order.
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

/// Gives each parameter of the statement the value of its number.
fn bind(statement: &mut rusqlite::Statement<'_>, sql: &Sql) -> Result<(), DatabaseError> {
    if sql.is_in_order() {
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
