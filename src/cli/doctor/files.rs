//! Free space, and the owner and mode of every file of the database.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::finding::{Finding, bytes, fault, good, warning};
use crate::cli::context::account_name;
use crate::config::Config;

/// Below this, writes will soon fail: SQLite's log alone can take 32 MiB.
const SPACE_NEEDED: u64 = 64 << 20;
/// Below this, or below the size of the database, a backup, an upgrade or a restore may not fit.
const SPACE_WANTED: u64 = 512 << 20;
/// Below this, nothing can be unpacked or sorted in the temporary directory.
const TEMPORARY_SPACE_WANTED: u64 = 256 << 20;

/// The database's files in the data directory.
const DATABASE_FILES: [&str; 4] =
    ["wardroom.db", "wardroom.db-wal", "wardroom.db-shm", "wardroom.db-journal"];

/// Checks the data directory, if there is one, and the temporary directory.
pub(super) fn check(config: &Config, is_quick: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let data = &config.data_dir;
    match fs::metadata(data) {
        Ok(directory) if directory.is_dir() => {
            findings.push(space(data));
            findings.push(owners(data, &directory, is_quick));
        }
        // What is wrong with the directory of a SQLite file is said when it is opened.
        Ok(_) | Err(_) => {}
    }
    findings.push(temporary_space(&std::env::temp_dir()));
    findings
}

/// What a file system has left.
struct FreeSpace {
    bytes: u64,
    is_read_only: bool,
    /// Whether it has room for another file.
    has_files: bool,
}

impl FreeSpace {
    fn at(directory: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(directory)?;
        Ok(Self {
            bytes: found.f_bavail.saturating_mul(found.f_frsize),
            is_read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
            // Some file systems do not count files.
            has_files: found.f_files == 0 || found.f_favail > 0,
        })
    }
}

fn space(directory: &Path) -> Finding {
    let shown = directory.display();
    let size: u64 = DATABASE_FILES.iter().map(|name| size_of(&directory.join(name))).sum();
    match FreeSpace::at(directory) {
        Err(error) => fault(
            "space",
            format!("the free space of {shown} cannot be read ({error}): check that its disk is mounted"),
        ),
        Ok(FreeSpace { is_read_only: true, .. }) => fault(
            "space",
            format!(
                "the file system of {shown} is read-only: mount it for writing; Linux makes a file system read-only when its \
                 disk fails (see dmesg)"
            ),
        ),
        Ok(FreeSpace { has_files: false, .. }) => fault(
            "space",
            format!("the file system of {shown} has no room for another file (df -i): delete files there"),
        ),
        Ok(FreeSpace { bytes: free, .. }) => {
            let left = format!("{} free in {shown}, the database has {}", bytes(free), bytes(size));
            if free < SPACE_NEEDED {
                fault(
                    "space",
                    format!("only {left}: writes will fail; make room or enlarge the file system now"),
                )
            } else if free < SPACE_WANTED.max(size) {
                warning(
                    "space",
                    format!(
                        "only {left}: an upgrade or a restore may not fit; make room or enlarge the file system"
                    ),
                )
            } else {
                good("space", left)
            }
        }
    }
}

fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn temporary_space(directory: &Path) -> Finding {
    const CHECK: &str = "temporary_space";
    let shown = directory.display();
    if let Err(error) = tempfile::tempfile_in(directory) {
        return fault(
            CHECK,
            format!(
                "no file can be created in {shown} ({error}): make it writable, or set TMPDIR to a directory that is"
            ),
        );
    }
    match FreeSpace::at(directory) {
        Err(error) => fault(
            CHECK,
            format!("the free space of {shown} cannot be read ({error}): set TMPDIR to another directory"),
        ),
        Ok(free) if free.bytes < TEMPORARY_SPACE_WANTED => {
            let left = bytes(free.bytes);
            warning(
                CHECK,
                format!(
                    "only {left} free in {shown}: a large import or restore may fail; make room, or set TMPDIR to another directory"
                ),
            )
        }
        Ok(free) => good(CHECK, format!("{} free in {shown}", bytes(free.bytes))),
    }
}

/// A file or directory whose owner or mode is wrong, and the command that corrects it.
struct Wrong {
    text: String,
    is_fault: bool,
}

/// Checks the owner and mode of the database's files, of `media` with everything below it, and what is left over.
fn owners(data: &Path, directory: &Metadata, is_quick: bool) -> Finding {
    const CHECK: &str = "files";
    let mut wrong = Vec::new();
    let owner = DataOwner { uid: directory.uid(), name: account_name(directory.uid()) };
    wrong.extend(owner.reader(data));
    for name in DATABASE_FILES {
        let path = data.join(name);
        if let Ok(file) = fs::symlink_metadata(&path) {
            wrong.extend(owner.database_file(&path, &file));
        }
    }
    if !is_quick {
        owner.below(&data.join("media"), &mut wrong);
    }
    wrong.extend(left_over(data));
    let Some(first) = wrong.iter().find(|wrong| wrong.is_fault).or(wrong.first()) else {
        return good(
            CHECK,
            format!(
                "the files in {} belong to {}, and only that account can write them",
                data.display(),
                owner.name
            ),
        );
    };
    let text = match wrong.len() {
        1 => first.text.clone(),
        count => format!("{count} problems, the first: {}", first.text),
    };
    if first.is_fault { fault(CHECK, text) } else { warning(CHECK, text) }
}

/// The account that owns the data directory: the one that servers run as.
struct DataOwner {
    uid: u32,
    name: String,
}

impl DataOwner {
    /// Whether this process sees what a server sees.
    fn reader(&self, data: &Path) -> Option<Wrong> {
        let this = rustix::process::geteuid().as_raw();
        let text = format!(
            "this command runs as {} and {} belongs to {}: run it as the account of the server (sudo -u {})",
            account_name(this),
            data.display(),
            self.name,
            self.name
        );
        (this != self.uid && this != 0).then_some(Wrong { text, is_fault: false })
    }

    fn database_file(&self, path: &Path, file: &Metadata) -> Option<Wrong> {
        let (shown, mode) = (path.display(), file.mode() & 0o7777);
        let text = if file.uid() != self.uid {
            let other = account_name(file.uid());
            format!(
                "{shown} belongs to {other}, so a server that runs as {} cannot write it: run chown {} {shown}",
                self.name, self.name
            )
        } else if mode & 0o007 != 0 {
            format!("{shown} is open to every user of this machine (mode {mode:04o}): run chmod 600 {shown}")
        } else if mode & 0o600 != 0o600 {
            format!("{shown} has mode {mode:04o}, so its owner cannot write it: run chmod 600 {shown}")
        } else {
            return None;
        };
        Some(Wrong { text, is_fault: true })
    }

    /// Checks a directory of media files. Other accounts may read it: a web server serves the files.
    fn below(&self, root: &Path, wrong: &mut Vec<Wrong>) {
        let mut paths: Vec<PathBuf> = vec![root.to_owned()];
        while let Some(path) = paths.pop() {
            let Ok(file) = fs::symlink_metadata(&path) else { continue };
            let (shown, mode) = (path.display(), file.mode() & 0o7777);
            if file.is_symlink() {
                let text = format!(
                    "{shown} is a symbolic link, which is not followed and not backed up: put the file itself there"
                );
                wrong.push(Wrong { text, is_fault: false });
                continue;
            }
            if file.uid() != self.uid {
                let text = format!(
                    "{shown} belongs to {}, and not to {}: run chown {} {shown}",
                    account_name(file.uid()),
                    self.name,
                    self.name
                );
                wrong.push(Wrong { text, is_fault: false });
            } else if mode & 0o002 != 0 {
                let text = format!(
                    "{shown} can be written by every user of this machine (mode {mode:04o}): run chmod o-w {shown}"
                );
                wrong.push(Wrong { text, is_fault: true });
            } else if file.is_dir() && mode & 0o700 != 0o700 {
                let text = format!(
                    "{shown} has mode {mode:04o}, so its owner cannot use it: run chmod u+rwx {shown}"
                );
                wrong.push(Wrong { text, is_fault: true });
            }
            if file.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                paths.extend(entries.map(|entry| entry.path()));
            }
        }
    }
}

/// Finds what a backup, move or restore left when the power was cut.
fn left_over(data: &Path) -> Option<Wrong> {
    let entries = fs::read_dir(data).into_iter().flatten().flatten();
    let left = entries.map(|entry| entry.path()).find(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(".wardroom-"))
    })?;
    let shown = left.display();
    let text = format!(
        "{shown} is left over from a command that was interrupted: if no backup, move or restore runs, delete it"
    );
    Some(Wrong { text, is_fault: false })
}
