//! Reads the header of SQLite's write-ahead-log index in shared memory. This is the only file with `unsafe`.
//!
//! Every commit in WAL mode, by any process, rewrites this header before it returns
//! (<https://www.sqlite.org/walformat.html>, section 2.2). The header has two copies of 48 bytes, with a change
//! counter, the log's length, its salts and a checksum. Reading it takes nanoseconds. The alternative is
//! `PRAGMA data_version`: it takes two file locks and a `stat`, which is hundreds of times slower.
//!
//! Why this is sound:
//! - The mapping is SQLite's own. Its VFS returns it through `SQLITE_FCNTL_FILE_POINTER` and `xShmMap`. If this program
//!   opened the `-shm` file itself, closing it would release the process's POSIX locks on the file.
//! - The mapping lives as long as the connection that requested it. The connection is kept here, is used for nothing
//!   else and is closed only with this value. Region 0 is never unmapped or moved before that.
//! - The header is 96 bytes at the start of a page, so its words are aligned. They are only read with atomic loads.
//!   SQLite writes them with plain stores, so a read during a commit can be torn. Then the two copies differ, or the
//!   header differs from the one that is known. In both cases the caller reads the database.
//! - Only the version is interpreted; the other words are only compared.
#![expect(
    unsafe_code,
    reason = "see above: a read-only view of a mapping that SQLite owns and that this value keeps alive"
)]

use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, ffi};

/// The number of words in one copy of the header, 48 bytes.
pub(crate) const HEADER_WORDS: usize = 6;
/// A copy of the header, or `data_version` in its place. Every commit changes it.
pub(crate) type WalHeader = [u64; HEADER_WORDS];
/// The only version of the format. It is in the first four bytes of the header.
const VERSION: u64 = 3_007_000;
/// The size of a region of the index in bytes.
const REGION: c_int = 32 * 1024;

/// Detects commits to a database by any process.
pub(crate) struct WalIndex {
    /// The header in shared memory; `None` if it cannot be mapped. Then the pragma is queried.
    mapped: Option<NonNull<AtomicU64>>,
    /// Owns the mapping. It never writes, so its `data_version` counts the commits of all connections.
    connection: Mutex<Connection>,
}

// SAFETY: the pointer is only used for atomic loads, and the shared memory it points to lives as long as the connection
// in `self`; the connection itself is behind a mutex.
unsafe impl Send for WalIndex {}
// SAFETY: as above.
unsafe impl Sync for WalIndex {}

impl WalIndex {
    /// Watches the database of a connection that was opened for this purpose.
    pub(crate) fn new(connection: Connection) -> Result<Self, rusqlite::Error> {
        // The first read opens the log and maps its index.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let mapped = map(&connection).filter(|mapped| {
            // SAFETY: `map` returned the start of a live region.
            let first = unsafe { mapped.as_ref() }.load(Ordering::Acquire);
            first & 0xffff_ffff == VERSION
        });
        if mapped.is_none() {
            tracing::warn!(
                "SQLite's log index cannot be read in memory: each check costs additional system calls"
            );
        }
        Ok(Self { mapped, connection: Mutex::new(connection) })
    }

    /// Returns the header after the newest commit; `None` while a commit writes it, or when it cannot be read.
    pub(crate) fn header(&self) -> Option<WalHeader> {
        match self.mapped {
            Some(mapped) => read(mapped),
            None => self.data_version(),
        }
    }

    fn data_version(&self) -> Option<WalHeader> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached("PRAGMA data_version").ok()?;
        let version: i64 = statement.query_row([], |row| row.get(0)).ok()?;
        let mut header = [0; HEADER_WORDS];
        if let Some(word) = header.first_mut() {
            // Not zero, because zeros mean that no header was read yet.
            *word = version.unsigned_abs() + 1;
        }
        Some(header)
    }
}

/// Reads both copies of the header and returns the first if they are equal. A writer stores the second copy first.
fn read(mapped: NonNull<AtomicU64>) -> Option<WalHeader> {
    // SAFETY: the region is 32 KiB, page-aligned and alive; 2 * HEADER_WORDS words are its first 96 bytes.
    let words = unsafe { std::slice::from_raw_parts(mapped.as_ptr(), 2 * HEADER_WORDS) };
    let (first, second) = words.split_at(HEADER_WORDS);
    let mut header = [0; HEADER_WORDS];
    for (value, word) in header.iter_mut().zip(first) {
        *value = word.load(Ordering::Acquire);
    }
    fence(Ordering::SeqCst);
    let is_same = second.iter().zip(header).all(|(word, value)| word.load(Ordering::Acquire) == value);
    is_same.then_some(header)
}

/// Returns the start of the index's first region, as mapped by SQLite.
fn map(connection: &Connection) -> Option<NonNull<AtomicU64>> {
    let mut file: *mut ffi::sqlite3_file = null_mut();
    let mut region: *mut c_void = null_mut();
    // SAFETY: the handle belongs to an open connection that no other thread uses now. The file control returns a
    // pointer to the main database's file object, which lives as long as the connection. `xShmMap` exists from version
    // 2 of the methods on and returns the address of a region that is already mapped.
    let mapped = unsafe {
        let found = (&raw mut file).cast();
        let control = ffi::SQLITE_FCNTL_FILE_POINTER;
        if ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), control, found) != ffi::SQLITE_OK
        {
            return None;
        }
        let methods = file.as_ref()?.pMethods.as_ref()?;
        if methods.iVersion < 2 {
            return None;
        }
        methods.xShmMap?(file, 0, REGION, 0, (&raw mut region).cast())
    };
    NonNull::new(region.cast()).filter(|_| mapped == ffi::SQLITE_OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &std::path::Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection
    }

    /// Both the mapping and the pragma detect every commit, and nothing else.
    #[test]
    fn a_commit_of_anybody_changes_the_sign_and_a_read_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let other = open(&path);
        other.execute_batch("CREATE TABLE t (x)").unwrap();
        let mapped = WalIndex::new(open(&path)).unwrap();
        assert!(mapped.mapped.is_some(), "the header could not be mapped");
        let queried = WalIndex { mapped: None, ..WalIndex::new(open(&path)).unwrap() };
        for watch in [&mapped, &queried] {
            let before = watch.header().unwrap();
            let _: i64 = other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
            other.execute_batch("BEGIN; INSERT INTO t VALUES (1); ROLLBACK").unwrap();
            assert_eq!(watch.header().unwrap(), before, "a read or a rollback is not a commit");
            let mut last = before;
            for _ in 0..50 {
                other.execute_batch("INSERT INTO t VALUES (1)").unwrap();
                let now = watch.header().unwrap();
                assert_ne!(now, last);
                last = now;
            }
            other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            let emptied = watch.header().unwrap();
            other.execute_batch("INSERT INTO t VALUES (1)").unwrap();
            assert_ne!(watch.header().unwrap(), emptied, "the first commit after the log was emptied");
        }
    }

    /// The mapping is SQLite's. Dropping it must not release locks that other connections hold.
    #[test]
    fn dropping_the_watch_leaves_other_connections_their_locks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let writer = open(&path);
        writer.execute_batch("CREATE TABLE t (x); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
        drop(WalIndex::new(open(&path)).unwrap());
        let refused = open(&path).execute_batch("BEGIN IMMEDIATE");
        assert!(refused.is_err(), "the writer's lock was lost");
        writer.execute_batch("COMMIT").unwrap();
    }
}
