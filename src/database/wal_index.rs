//! The one corner with `unsafe`: the header of SQLite's shared write-ahead-log index, read in place.
//!
//! Every commit in WAL mode, of whatever process, rewrites this header before the commit returns
//! (<https://www.sqlite.org/walformat.html>, section 2.2): two copies of 48 bytes, with a change counter, the
//! log's length, its salts and a checksum. Reading it takes nanoseconds; `PRAGMA data_version`, which
//! answers the same question, takes two file locks and a `stat`, hundreds of times as long.
//!
//! Why this is sound:
//! - The mapping is SQLite's own, asked of its VFS through `SQLITE_FCNTL_FILE_POINTER` and `xShmMap`. Opening
//!   the `-shm` file ourselves would drop, at closing, the process's POSIX locks on it.
//! - It lives as long as the connection that asked for it, which is kept here, used for nothing else and
//!   closed only with this value. Region 0 is never unmapped or moved before that.
//! - The header is 96 bytes at the start of a page, so its words are aligned; they are read by atomic loads
//!   only. Others write them with plain stores: a torn read is possible while a commit writes, and shows as
//!   two copies that differ, or as a header that is not the known one. Both make the caller look closer.
//! - Nothing read here is interpreted but the version; the rest is only compared.
#![expect(
    unsafe_code,
    reason = "argued above: a read-only view of a mapping that SQLite owns and we keep alive"
)]

use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, ffi};

/// Words of a header: 48 bytes.
pub(crate) const WORDS: usize = 6;
/// Something that any commit changes.
pub(crate) type Sign = [u64; WORDS];
/// The only version of the format there is; it stands in the header's first four bytes.
const VERSION: u64 = 3_007_000;
/// The size of a region of the index.
const REGION: c_int = 32 * 1024;

/// A value that any commit to a database changes.
pub(crate) struct WalIndex {
    /// None where the header cannot be had: then the pragma is asked.
    header: Option<NonNull<AtomicU64>>,
    /// Owns the mapping. Never used for writing, so its `data_version` counts everybody's commits.
    connection: Mutex<Connection>,
}

// SAFETY: the pointer is only loaded from, atomically, and points into shared memory that outlives `self`'s
// connection; the connection itself is behind a mutex.
unsafe impl Send for WalIndex {}
// SAFETY: as above.
unsafe impl Sync for WalIndex {}

impl WalIndex {
    /// Watches the database of a connection made for this.
    pub(crate) fn new(connection: Connection) -> Result<Self, rusqlite::Error> {
        // The first read opens the log and maps its index.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let header = map(&connection).filter(|header| {
            // SAFETY: `map` gave the start of a live region.
            let first = unsafe { header.as_ref() }.load(Ordering::Acquire);
            first & 0xffff_ffff == VERSION
        });
        if header.is_none() {
            tracing::warn!(
                "SQLite's log index cannot be watched in memory: each check costs a system call more"
            );
        }
        Ok(Self { header, connection: Mutex::new(connection) })
    }

    /// The sign of the newest commit; none while one is being written, or when it cannot be had.
    pub(crate) fn sign(&self) -> Option<Sign> {
        match self.header {
            Some(header) => read(header),
            None => self.data_version(),
        }
    }

    fn data_version(&self) -> Option<Sign> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked = connection.prepare_cached("PRAGMA data_version").ok()?;
        let version: i64 = asked.query_row([], |row| row.get(0)).ok()?;
        let mut sign = [0; WORDS];
        if let Some(word) = sign.first_mut() {
            // Not zero, which is what a follower knows at first.
            *word = version.unsigned_abs() + 1;
        }
        Some(sign)
    }
}

/// Both copies of the header, if they agree. A writer stores the second copy first.
fn read(header: NonNull<AtomicU64>) -> Option<Sign> {
    // SAFETY: the region is 32 KiB, page-aligned and alive; 2 * WORDS words are its first 96 bytes.
    let words = unsafe { std::slice::from_raw_parts(header.as_ptr(), 2 * WORDS) };
    let (first, second) = words.split_at(WORDS);
    let mut sign = [0; WORDS];
    for (value, word) in sign.iter_mut().zip(first) {
        *value = word.load(Ordering::Acquire);
    }
    fence(Ordering::SeqCst);
    let same = second.iter().zip(sign).all(|(word, value)| word.load(Ordering::Acquire) == value);
    same.then_some(sign)
}

/// The start of the index's first region, as SQLite itself has mapped it.
fn map(connection: &Connection) -> Option<NonNull<AtomicU64>> {
    let mut file: *mut ffi::sqlite3_file = null_mut();
    let mut region: *mut c_void = null_mut();
    // SAFETY: the handle is that of an open connection, which nobody else uses meanwhile; the control fills in
    // a pointer to the main database's file object, which lives as long as the connection. `xShmMap` exists
    // from version 2 of the methods on and fills in the address of a region that is mapped already.
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

    /// Both ways to a sign see every commit, and nothing else.
    #[test]
    fn a_commit_of_anybody_changes_the_sign_and_a_read_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let other = open(&path);
        other.execute_batch("CREATE TABLE t (x)").unwrap();
        let mapped = WalIndex::new(open(&path)).unwrap();
        assert!(mapped.header.is_some(), "the header could not be mapped");
        let asked = WalIndex { header: None, ..WalIndex::new(open(&path)).unwrap() };
        for watch in [&mapped, &asked] {
            let before = watch.sign().unwrap();
            let _: i64 = other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
            other.execute_batch("BEGIN; INSERT INTO t VALUES (1); ROLLBACK").unwrap();
            assert_eq!(watch.sign().unwrap(), before, "a read or a rollback is no commit");
            let mut last = before;
            for _ in 0..50 {
                other.execute_batch("INSERT INTO t VALUES (1)").unwrap();
                let now = watch.sign().unwrap();
                assert_ne!(now, last);
                last = now;
            }
            other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            let emptied = watch.sign().unwrap();
            other.execute_batch("INSERT INTO t VALUES (1)").unwrap();
            assert_ne!(watch.sign().unwrap(), emptied, "the first commit after the log was emptied");
        }
    }

    /// The mapping is SQLite's: giving it up must not release locks that other connections hold.
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
