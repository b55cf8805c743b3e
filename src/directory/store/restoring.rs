//! A backup's way into the place of a directory.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};

use super::carry::{carry, compare, keep_counting, set_triggers};
use super::fault::StoreError;
use super::moving::arrive;
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::staged::Staged;
use super::tx::{Link, Tx};
use super::{Backend, MIGRATION_PATIENCE, initialised, migrate, sqlite};
use crate::directory::error::Error;
use crate::directory::files::{put, sync_directory};
use crate::directory::model::Moment;
use crate::directory::secret::prints_only;
use crate::directory::trouble::{Trouble, Watch};
use crate::directory::{Location, Settings};

/// What SQLite keeps beside its file.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Where a backup goes.
pub(in crate::directory) struct Place {
    location: Location,
    patience: Duration,
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) enum Present {
    /// Nothing that a restore could destroy.
    Nothing,
    /// A directory, or what is left of one.
    Something,
}

/// Whether the tokens and users of the present directory can be read, or why not.
type Readable<'a, 'b> = Option<Result<&'a Tx<'b>, String>>;

impl Place {
    pub(in crate::directory) fn new(settings: &Settings) -> Self {
        Self { location: settings.location.clone(), patience: settings.patience }
    }

    /// What is there now. Refuses a SQLite file that somebody works with.
    pub(in crate::directory) fn look(&self) -> Result<Present, Trouble> {
        let there = match &self.location {
            Location::Sqlite(directory) => {
                refuse_in_use(directory)?;
                let file = sqlite::file(directory);
                BESIDE.iter().any(|suffix| fs::symlink_metadata(with_suffix(&file, suffix)).is_ok())
            }
            Location::Postgres(_) => {
                migrate::is_initialised(&self.backend()?.link().map_err(OpenError::from)?)
                    .map_err(OpenError::from)?
            }
        };
        Ok(if there { Present::Something } else { Present::Nothing })
    }

    fn backend(&self) -> Result<Backend, OpenError> {
        Backend::at(&self.location, 1, if self.is_file() { self.patience } else { MIGRATION_PATIENCE })
    }

    fn is_file(&self) -> bool {
        matches!(self.location, Location::Sqlite(_))
    }

    /// Puts a copy in its place. `prepare` is shown the copy and the directory that is there, and changes the copy.
    /// Tells where a SQLite file is kept that was replaced.
    pub(in crate::directory) fn put(
        &self,
        staged: Staged,
        present: Present,
        watch: &Watch,
        now: Moment,
        prepare: impl FnOnce(&Staged, Readable<'_, '_>) -> Result<(), Trouble>,
    ) -> Result<Option<PathBuf>, Trouble> {
        match (&self.location, present) {
            (Location::Sqlite(directory), Present::Something) => {
                self.show_file(&staged, prepare)?;
                replace_file(directory, &staged.close(), now).map(Some)
            }
            (Location::Sqlite(directory), Present::Nothing) => {
                prepare(&staged, None)?;
                put(&staged.close(), &sqlite::file(directory)).map(|()| None)
            }
            (Location::Postgres(_), Present::Nothing) => {
                prepare(&staged, None)?;
                arrive(&staged.tx(), &self.location, self.patience, now, watch).map(|_| None)
            }
            (Location::Postgres(_), Present::Something) => {
                let link = self.backend()?.link()?;
                let replaced = replace_rows(&link, &staged, watch, prepare);
                link.discard();
                replaced.map(|()| None)
            }
        }
    }

    /// Shows `prepare` a SQLite file that is still in its place; one that cannot be read is a reason to restore.
    fn show_file(
        &self,
        staged: &Staged,
        prepare: impl FnOnce(&Staged, Readable<'_, '_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let opened = self.backend().and_then(|backend| {
            let link = initialised(&backend)?;
            migrate::check(&link)?;
            Ok(link)
        });
        match opened {
            Ok(link) => {
                let present = Tx::new(&link);
                // What was handed out since is not handed out again.
                let readable = staged.write(|tx| keep_counting(tx, &present).map_err(Trouble::from));
                let readable = readable.map(|()| &present).map_err(|error| error.to_string());
                prepare(staged, Some(readable))
            }
            Err(error) => prepare(staged, Some(Err(error.to_string()))),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Sqlite(directory) => write!(f, "{}", directory.display()),
            Location::Postgres(_) => f.write_str("the PostgreSQL database"),
        }
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Refuses a file on which any other process holds a lock of SQLite's, as every open connection does.
fn refuse_in_use(directory: &Path) -> Result<(), Trouble> {
    let file = sqlite::file(directory);
    let opened = match OpenOptions::new().read(true).write(true).open(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        outcome => outcome.map_err(Trouble::with(&file))?,
    };
    fcntl_lock(&opened, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Trouble::Refused(format!("{} is in use: stop the servers and commands that use it", file.display()))
    })
}

/// Puts a file in the place of a database, which is kept beside it under another name, with its log.
fn replace_file(directory: &Path, new: &Path, now: Moment) -> Result<PathBuf, Trouble> {
    refuse_in_use(directory)?;
    let file = sqlite::file(directory);
    let digits: String = now.to_string().chars().filter(|letter| !"-:.".contains(*letter)).collect();
    let aside = with_suffix(&file, &format!(".before-restore-{digits}"));
    let mut moved = Vec::new();
    let outcome = BESIDE.iter().try_for_each(|suffix| {
        let (from, to) = (with_suffix(&file, suffix), with_suffix(&aside, suffix));
        if fs::symlink_metadata(&from).is_ok() {
            fs::rename(&from, &to).map_err(Trouble::with(&from))?;
            moved.push((from, to));
        }
        Ok(())
    });
    // An old log beside a new file would be taken for its own: the names change for good before it comes.
    let outcome = outcome.and_then(|()| sync_directory(directory)).and_then(|()| put(new, &file));
    if let Err(trouble) = outcome {
        for (from, to) in moved {
            fs::rename(&to, &from).map_err(Trouble::with(&to))?;
        }
        return Err(trouble);
    }
    Ok(aside)
}

/// Puts a copy's rows in the place of all rows, in one transaction, with no other writer in between. Whoever reads
/// meanwhile reads the old ones.
fn replace_rows(
    link: &Link,
    staged: &Staged,
    watch: &Watch,
    prepare: impl FnOnce(&Staged, Readable<'_, '_>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    migrate::check(link)?;
    link.begin()?;
    let there = Tx::new(link);
    prepare(staged, Some(Ok(&there)))?;
    set_triggers(link, false)?;
    carry(&staged.tx(), link, watch)?;
    set_triggers(link, true)?;
    there.note_all_changed()?;
    compare(&staged.tx(), &there, watch)?;
    Ok(link.batch("COMMIT")?)
}

/// A token as it matters to a restore.
#[derive(Clone)]
pub(in crate::directory) struct TokenState {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) digest: Vec<u8>,
    pub(in crate::directory) revoked_at: Option<i64>,
    pub(in crate::directory) expires_at: Option<i64>,
}

prints_only!(TokenState: id, revoked_at, expires_at);

impl FromRow for TokenState {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.next()?, digest: row.next()?, revoked_at: row.next()?, expires_at: row.next()? })
    }
}

/// The id of an active user.
#[derive(Clone, Copy, Debug)]
pub(in crate::directory) struct ActiveUser(pub(in crate::directory) i64);

impl FromRow for ActiveUser {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        row.next().map(Self)
    }
}

/// A place in an audit trail.
pub(in crate::directory) struct Mark {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) hash: Vec<u8>,
}

impl FromRow for Mark {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.next()?, hash: row.next()? })
    }
}

/// Tokens after a digest, in the order of their digests.
pub(in crate::directory) fn token_states(after: &[u8]) -> Sql {
    let sql =
        "SELECT id, digest, revoked_at, expires_at FROM tokens WHERE digest > $1 ORDER BY digest LIMIT 1000";
    Sql::new(sql).bind(after.to_vec())
}

/// Active users after an id.
pub(in crate::directory) fn active_users(after: i64) -> Sql {
    Sql::new("SELECT id FROM users WHERE id > $1 AND is_active ORDER BY id LIMIT 1000").bind(after)
}

/// The newest event of the audit trail.
pub(in crate::directory) fn last_event() -> Sql {
    Sql::new("SELECT id, hash FROM audit_events ORDER BY id DESC LIMIT 1")
}

/// The event of this number.
pub(in crate::directory) fn mark(id: i64) -> Sql {
    Sql::new("SELECT id, hash FROM audit_events WHERE id = $1").bind(id)
}

impl Tx<'_> {
    /// Marks a token revoked at a time.
    pub(in crate::directory) fn revoke_at(&self, id: i64, at: i64) -> Result<(), Error> {
        self.execute(&Sql::new("UPDATE tokens SET revoked_at = $1 WHERE id = $2").bind(at).bind(id))?;
        Ok(())
    }

    /// Notes in the feed that nothing that was kept holds any more.
    pub(in crate::directory) fn note_all_changed(&self) -> Result<(), Error> {
        self.execute(&Sql::new("INSERT INTO identity_changes (scope) VALUES ('all')"))?;
        Ok(())
    }
}
