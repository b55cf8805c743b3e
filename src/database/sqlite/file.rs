//! The file of a SQLite database: creating it, and checking what it is without SQLite, which could change a foreign file
//! just by opening it.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::database::open::OpenError;
use crate::database::wal;
use crate::paths::{
    DirectoryMode, OpenDirectory, UnsafePath, check_directory, create_directory, open_file, replaced,
};

/// "WRDM", the application id in the header of every database file of this program.
const APPLICATION_ID: i64 = 0x5752_444d;

/// Returns the path of the database file in a data directory.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join("wardroom.db")
}

/// Creates the directory for a new database and returns it. It fails if the directory already contains files.
pub(crate) fn prepare_directory(directory: &Path) -> Result<OpenDirectory, OpenError> {
    let unreadable = |source| OpenError::UnusablePath { path: directory.to_owned(), source };
    let here = create_directory(directory, DirectoryMode::Exact(0o700)).map_err(unreadable)?;
    check_directory(directory)?;
    let path = file(directory);
    if fs::symlink_metadata(&path).is_ok() {
        return Err(existing(directory));
    }
    let entries = here.entries().map_err(unreadable)?;
    // The root of a file system contains lost+found; any other entry belongs to someone.
    if entries.iter().any(|(name, _)| name != "lost+found") {
        return Err(OpenError::NotEmpty(directory.to_owned()));
    }
    Ok(here)
}

/// Creates an empty database file that only its owner can read, in a new or empty directory. If root creates it, the
/// owner of the directory gets it.
pub(crate) fn create(directory: &Path, timeout: Duration) -> Result<(), OpenError> {
    let here = prepare_directory(directory)?;
    let (path, name) = (file(directory), file(Path::new("")));
    let opened = here.create_file(name.as_os_str()).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => OpenError::AlreadyExists(path.display().to_string()),
        _ => OpenError::UnusablePath { path: directory.to_owned(), source: error },
    })?;
    let unusable = |source| OpenError::UnusablePath { path: path.clone(), source };
    let given = here.owner().and_then(|owner| owner.give(&opened));
    given.map_err(unusable)?;
    let created = set_application_id(directory, timeout).and_then(|()| {
        // SQLite opened it by its path.
        let length = opened.metadata().map_err(unusable)?.len();
        if length > 0 { Ok(()) } else { Err(unusable(replaced())) }
    });
    if created.is_err() {
        remove(&here);
    }
    created
}

/// Opens an existing file. The path of the directory may contain symbolic links, but the file, its log and its index
/// must not be links, even if one replaces them after the check. SQLite opens all of them with `O_NOFOLLOW`.
pub(super) fn open(directory: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    // If the directory does not exist, SQLite reports it.
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    Connection::open_with_flags(file(&directory), flags | OpenFlags::SQLITE_OPEN_NOFOLLOW)
}

/// Marks a file as a database of this program, so that it is never confused with a file of another program.
fn set_application_id(directory: &Path, timeout: Duration) -> Result<(), OpenError> {
    let connection = open(directory, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(timeout)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(())
}

/// Removes the files of a [`create`] that failed.
pub(crate) fn remove(directory: &OpenDirectory) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // A missing file needs no removal; one that cannot be removed is reported at the next start.
        let _ = directory.remove_file(OsStr::new(&format!("wardroom.db{suffix}")));
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
    let opened = open_file(&path).map_err(missing)?;
    check_companions(&path)?;
    let unreadable = |source| OpenError::UnusablePath { path: path.clone(), source };
    let metadata = opened.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(OpenError::WorldReadable(path));
    }
    // SQLite would only say that it cannot open the file: even reading needs the memory that is shared with writers.
    let is_read_only = rustix::fs::fstatvfs(&opened)
        .is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    check_content(directory, opened, metadata.len())?;
    if is_read_only { Err(unreadable(rustix::io::Errno::ROFS.into())) } else { Ok(()) }
}

/// Returns the free and the whole space of the disk, in bytes; `None` if the system does not say.
pub(crate) fn disk_space(directory: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some((found.f_bavail.checked_mul(found.f_frsize)?, found.f_blocks.checked_mul(found.f_frsize)?))
}

/// Checks what the file is, by its header and its length. Returns the number of its pages, as the header says it.
fn check_content(directory: &Path, mut opened: impl Read, length: u64) -> Result<u32, OpenError> {
    let path = file(directory);
    let mut header = [0; 100];
    let damaged =
        |reason: &str| OpenError::Damaged { path: path.display().to_string(), reason: reason.to_owned() };
    if length == 0 {
        return Err(unfinished(directory));
    }
    opened.read_exact(&mut header).map_err(|_| damaged("the file is cut off inside its header"))?;
    // An interrupted checkpoint leaves a header with a length that the file has not reached. The log has the missing
    // pages, and SQLite repairs the file. Without a log the file is damaged.
    let length = if wal::log_length(directory) > wal::EMPTY_LOG { u64::MAX } else { length };
    check_header(&header, length).map_err(damaged)?;
    if read_u32(&header, 68) != u32::try_from(APPLICATION_ID).unwrap_or_default() {
        return Err(OpenError::NotWardroom(path));
    }
    Ok(read_u32(&header, 28))
}

/// Returns the error for a place where a new database was to be created and a database file is: what it really is. A file
/// that is no account database is worth another remedy.
pub(crate) fn existing(directory: &Path) -> OpenError {
    let path = file(directory);
    let content = || {
        let opened = open_file(&path)?;
        let length =
            opened.metadata().map_err(|source| OpenError::UnusablePath { path: path.clone(), source })?.len();
        check_content(directory, opened, length)
    };
    match content() {
        // The first page has no tables yet. A log may have them.
        Ok(..=1) if wal::log_length(directory) <= wal::EMPTY_LOG => OpenError::Unfinished(path),
        Ok(_) => OpenError::AlreadyExists(path.display().to_string()),
        Err(error) => error,
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Guards against a new database that is created through a link, or beside files that a link prepares.
    #[test]
    fn finding_a_new_file_is_created_through_no_link() {
        let place = tempfile::tempdir().unwrap();
        let away = place.path().join("away");
        let plant = |name: &str, planted: &str| {
            let directory = place.path().join(name);
            fs::create_dir(&directory).unwrap();
            symlink(&away, directory.join(planted)).unwrap();
            create(&directory, Duration::from_secs(1)).unwrap_err()
        };
        let linked = plant("linked", "wardroom.db");
        assert!(matches!(linked, OpenError::UnsafePath(UnsafePath::SymbolicLink(_))), "{linked}");
        for suffix in ["-wal", "-shm", "-journal"] {
            let refused = plant(suffix, &format!("wardroom.db{suffix}"));
            assert!(matches!(refused, OpenError::NotEmpty(_)), "{refused}");
        }
        assert!(!away.exists());
        let whole = place.path().join("whole");
        create(&whole, Duration::from_secs(1)).unwrap();
        assert!(matches!(existing(&whole), OpenError::Unfinished(_)));
        let planted = file(&place.path().join("-wal"));
        fs::rename(file(&whole), &planted).unwrap();
        // SQLite itself follows none of them, whenever it comes.
        let opened = open(&place.path().join("-wal"), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        assert!(opened.pragma_update(None, "journal_mode", "WAL").is_err() || !away.exists());
        assert!(!away.exists());
    }
}
