//! SQLite: one file in the data directory, opened with settings that make it safe and fast.
//!
//! Only [`create`] creates a file. Opening never does, so a missing or damaged database cannot silently become a new,
//! empty one.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::DatabaseError;
use super::long_reads::StopSignal;
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::{Sql, Value};
use super::wal;
use crate::paths::{DirectoryMode, FileOwner, UnsafePath, check_directory, create_directory, open_file};

/// Older versions can lose the end of a write-ahead log when two connections checkpoint it at the same time.
const OLDEST_SAFE_VERSION: i32 = 3_051_003;
/// "WRDM", the application id in the header of every database file of this program.
const APPLICATION_ID: i64 = 0x5752_444d;

/// Returns the path of the database file in a data directory.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join("wardroom.db")
}

/// Creates the directory for a new database. It fails if the directory already contains files.
pub(crate) fn prepare_directory(directory: &Path) -> Result<(), OpenError> {
    let unreadable = |source| OpenError::UnusablePath { path: directory.to_owned(), source };
    create_directory(directory, DirectoryMode::Exact(0o700)).map_err(unreadable)?;
    check_directory(directory)?;
    let path = file(directory);
    if fs::symlink_metadata(&path).is_ok() {
        return Err(OpenError::AlreadyExists(path.display().to_string()));
    }
    let mut entries = fs::read_dir(directory).map_err(unreadable)?.filter_map(Result::ok);
    // The root of a file system contains lost+found; any other entry belongs to someone.
    if entries.any(|entry| entry.file_name() != "lost+found") {
        return Err(OpenError::NotEmpty(directory.to_owned()));
    }
    Ok(())
}

/// Creates an empty database file that only its owner can read, in a new or empty directory. If root creates it, the
/// owner of the directory gets it.
pub(crate) fn create(directory: &Path, timeout: Duration) -> Result<(), OpenError> {
    prepare_directory(directory)?;
    let path = file(directory);
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let opened = opened.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => OpenError::AlreadyExists(path.display().to_string()),
        _ => OpenError::UnusablePath { path: directory.to_owned(), source: error },
    })?;
    let given = FileOwner::of_directory(directory).and_then(|owner| owner.give(&opened));
    given.map_err(|source| OpenError::UnusablePath { path: path.clone(), source })?;
    let created = set_application_id(directory, timeout);
    if created.is_err() {
        remove(directory);
    }
    created
}

/// Marks a file as a database of this program, so that it is never confused with a file of another program.
fn set_application_id(directory: &Path, timeout: Duration) -> Result<(), OpenError> {
    let connection = open(directory, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(timeout)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(())
}

/// Removes the files of a [`create`] that failed.
pub(crate) fn remove(directory: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // A missing file needs no removal; one that cannot be removed is reported at the next start.
        let _ = fs::remove_file(directory.join(format!("wardroom.db{suffix}")));
    }
}

/// Checks that the database file exists, that others can neither read nor replace it, and that it is a complete
/// database of this program.
///
/// It does this without SQLite, which could change a foreign file just by opening it.
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
    check_companions(&path)?;
    let unreadable = |source| OpenError::UnusablePath { path: path.clone(), source };
    let metadata = opened.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(OpenError::WorldReadable(path));
    }
    let mut header = [0; 100];
    let damaged =
        |reason: &str| OpenError::Damaged { path: path.display().to_string(), reason: reason.to_owned() };
    if metadata.len() == 0 {
        return Err(unfinished(directory));
    }
    opened.read_exact(&mut header).map_err(|_| damaged("the file is cut off inside its header"))?;
    // An interrupted checkpoint leaves a header with a length that the file has not reached. The log has the missing
    // pages, and SQLite repairs the file. Without a log the file is damaged.
    let length = if wal::log_length(directory) > wal::EMPTY_LOG { u64::MAX } else { metadata.len() };
    check_header(&header, length).map_err(damaged)?;
    if read_u32(&header, 68) != u32::try_from(APPLICATION_ID).unwrap_or_default() {
        return Err(OpenError::NotWardroom(path));
    }
    Ok(())
}

/// Returns the error of a file without tables. A file that was never finished can be deleted. If there is a log or a
/// journal beside it, the tables may be in there, so nothing must be deleted.
pub(crate) fn unfinished(directory: &Path) -> OpenError {
    let path = file(directory);
    let rest = ["-wal", "-journal"].map(|suffix| path.with_file_name(format!("wardroom.db{suffix}")));
    let rest = rest.iter().find(|rest| fs::metadata(rest).is_ok_and(|found| found.len() > wal::EMPTY_LOG));
    match rest {
        None => OpenError::Unfinished(path),
        Some(rest) => OpenError::Damaged {
            path: path.display().to_string(),
            reason: format!("it is empty, but {} beside it is not, and may contain the data", rest.display()),
        },
    }
}

/// Checks the files that SQLite uses next to the database: none may be a link or readable by others.
fn check_companions(path: &Path) -> Result<(), OpenError> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let companion = path.with_file_name(format!("wardroom.db{suffix}"));
        match fs::symlink_metadata(&companion) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(OpenError::UnusablePath { path: companion, source }),
            Ok(found) if found.is_symlink() => return Err(UnsafePath::SymbolicLink(companion).into()),
            Ok(found) if !found.is_file() => return Err(UnsafePath::NotAFile(companion).into()),
            Ok(found) if found.permissions().mode() & 0o007 != 0 => {
                return Err(OpenError::WorldReadable(companion));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Checks the file header (<https://www.sqlite.org/fileformat.html>, section 1.3). `length` is the length of the file
/// in bytes.
fn check_header(header: &[u8; 100], length: u64) -> Result<(), &'static str> {
    if !header.starts_with(b"SQLite format 3\0") {
        return Err("it does not begin as a SQLite database does");
    }
    // The text encoding: 1 is UTF-8, the only one that this program uses; 0 is a file without tables.
    if read_u32(header, 56) > 1 {
        return Err("its text is not UTF-8");
    }
    // The page size is a 16-bit number, in which 1 means 65,536.
    let page_size = match read_u32(header, 16) >> 16 {
        1 => 65_536,
        size => u64::from(size),
    };
    if length < page_size * u64::from(read_u32(header, 28)) {
        return Err("the file is shorter than its header says");
    }
    Ok(())
}

/// Reads the big-endian number at an offset in bytes.
fn read_u32(header: &[u8; 100], at: usize) -> u32 {
    header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Opens an existing file. The path of the directory may contain symbolic links, but the file, its log and its index
/// must not be links, even if one replaces them after the check. SQLite opens all of them with `O_NOFOLLOW`.
fn open(directory: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    // If the directory does not exist, SQLite reports it.
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    Connection::open_with_flags(file(&directory), flags | OpenFlags::SQLITE_OPEN_NOFOLLOW)
}

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
