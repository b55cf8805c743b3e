//! Putting a backup in the place of a directory, or where none is.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::archive::Manifest;
use super::since::{Since, brings};
use super::unpacking::unpack;
use super::{Checked, inspect, media, open_copy, somewhere};
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::audit::{self, Object};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::files::{parent, private_place};
use crate::directory::model::{Brings, Closed, Closing, Comparison, Reopened, Timestamp};
use crate::directory::progress::Progress;
use crate::directory::settings::ChangePolicy;
use crate::directory::store::Tx;
use crate::directory::store::transfer::replace_database::{Copying, Place, Present};
use crate::directory::store::transfer::snapshot_file::Staged;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Clock, Directory, Location, Settings};
use crate::paths::closed_directory;

/// How much of what was closed the audit trail lists, of each kind.
const MOST_NOTED: usize = 100;

/// What is to be restored, and what may be lost by it.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The archive.
    pub file: PathBuf,
    /// The directory of media files.
    pub media: PathBuf,
    /// Whether a directory and media files that are there may be replaced.
    pub replace: bool,
    /// What becomes of what was closed since the backup was made.
    pub closed: Reopening,
    /// Whether to go on where that cannot be told.
    pub accept_revived: bool,
    /// Whether a copy is kept of the rows that are replaced on PostgreSQL. A SQLite file is always kept.
    pub keep_copy: bool,
}

/// What becomes of tokens, users and rights that the backup holds open and that were closed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopening {
    /// If there are any, nothing is restored.
    Refuse,
    /// They are closed in what is restored.
    Keep,
    /// They are open again.
    Allow,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the archive says of itself.
    pub manifest: Manifest,
    /// How much of what was closed since is known.
    pub comparison: Comparison,
    /// What was closed since.
    pub closed: Vec<Closed>,
    /// Where not all of that is known: who and what can come in now.
    pub brings: Option<Brings>,
    /// Whether somebody is an active admin.
    pub has_admin: bool,
    /// The directory in which the database is kept that was replaced.
    pub kept: Option<PathBuf>,
    /// How many media files were written.
    pub media: usize,
    /// Where the audit trail that was restored is broken.
    pub broken_trail: Option<String>,
}

impl Directory {
    /// Checks a backup as [`check_backup`](super::check_backup) does and makes it the directory of these settings,
    /// wholly or not at all. No server may be running on a SQLite database; on PostgreSQL they see the
    /// change at once.
    pub async fn restore(
        actor: &Actor,
        settings: &Settings,
        clock: &Clock,
        order: Restore,
        progress: Progress,
    ) -> Result<Restored, TransferError> {
        authorize(actor, Action::CarryDirectory)?;
        let (actor, settings, now) = (actor.clone(), settings.clone(), clock.now());
        let kept_since = now.saturating_sub(settings.keep_deleted_for);
        let work = move || {
            let place = Place::new(&settings);
            Work { actor, place, now, kept_since, order, progress }.finish(&settings.location)
        };
        spawn_blocking(work).await.map_err(|error| Error::broken("a restore failed", error))?
    }
}

struct Work {
    actor: Actor,
    place: Place,
    now: Timestamp,
    /// Who was deleted before is gone.
    kept_since: Timestamp,
    order: Restore,
    progress: Progress,
}

/// What a restore found out, and has done.
struct Outcome {
    since: Since,
    brings: Option<Brings>,
    has_admin: bool,
}

impl Work {
    /// Leaves no directory behind where there was none, unless it is one.
    fn finish(self, location: &Location) -> Result<Restored, TransferError> {
        let new = match location {
            Location::Sqlite(directory) if !directory.exists() => Some(directory),
            _ => None,
        };
        let outcome = self.run(location);
        if let (Err(_), Some(directory)) = (&outcome, new) {
            // What is not empty stays.
            let _ = fs::remove_dir(directory);
        }
        outcome
    }

    fn run(self, location: &Location) -> Result<Restored, TransferError> {
        let progress = &self.progress;
        let present = self.place.look()?;
        if present != Present::Nothing && !self.order.replace {
            return Err(TransferError::Refused(format!(
                "{} holds a directory already: nothing was changed; give --replace to put the backup in its place",
                self.place
            )));
        }
        let room = self.room(location)?;
        let unpacked = unpack(&self.order.file, room.path(), true, progress)?;
        let (file, media_unpacked) = (&self.order.file, unpacked.media.clone());
        let staged = open_copy(file, &unpacked, self.now)?;
        let Checked { manifest, faults, broken_trail, .. } = inspect(&staged, unpacked.manifest, self.now)?;
        // A trail that was tampered with is better than none; a database that is not sound is not.
        if let Some(fault) = faults.first() {
            return Err(TransferError::Damaged {
                path: file.clone(),
                what: format!("holds a database that is not sound: {fault}"),
            });
        }
        let media = media::plan(&self.order.media, &manifest.members, self.order.replace)?;
        let beside = parent(&self.order.media);
        if !media.is_empty() && !beside.is_dir() {
            let beside = beside.display();
            return Err(TransferError::Refused(format!(
                "the backup holds media files: make {beside}, where they belong"
            )));
        }
        let copies = if beside.is_dir() { beside } else { parent(&self.order.file) };
        let copying =
            Copying { now: self.now, progress, copies: self.order.keep_copy.then_some(copies.as_path()) };
        let (kept, outcome) = self.place.put(staged, present, &copying, |staged, present| {
            self.prepare(staged, present, &manifest.created_at)
        })?;
        let media =
            media.carry_out(&media_unpacked).map_err(|trouble| TransferError::Media(Box::new(trouble)))?;
        let Outcome { since: Since { comparison, closed, .. }, brings, has_admin } = outcome;
        Ok(Restored { manifest, comparison, closed, brings, has_admin, kept, media, broken_trail })
    }

    /// A private place in the file system that files are moved to in the end.
    fn room(&self, location: &Location) -> Result<TempDir, TransferError> {
        match location {
            Location::Sqlite(directory) => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
                made.map_err(TransferError::with(directory))?;
                closed_directory(directory)?;
                private_place(directory)
            }
            Location::Postgres(_) => {
                let beside = parent(&self.order.media);
                if !beside.is_dir() {
                    return somewhere(&self.order.file);
                }
                closed_directory(&beside)?;
                private_place(&beside)
            }
        }
    }

    /// Readies the copy to be the directory: notes the restore in its audit trail, and closes what is to stay
    /// closed.
    fn prepare(
        &self,
        staged: &Staged,
        present: Result<&Tx<'_>, String>,
        created_at: &str,
    ) -> Result<Outcome, TransferError> {
        let backup = staged.tx();
        let since = match &present {
            // What cannot be read any more is a reason to restore, and not to refuse.
            Ok(present) => Since::between(&backup, present, self.now, self.kept_since)
                .unwrap_or_else(|error| Since::unknown(error.to_string())),
            Err(why) => Since::unknown(why.clone()),
        };
        self.decide(&since, &backup, created_at)?;
        staged.write(|tx| {
            if let (Reopening::Keep, Ok(present)) = (self.order.closed, &present) {
                since.keep(tx, present, self.now)?;
            }
            tx.count_members()?;
            tx.note_all_changed()?;
            let told = self.told(&since, created_at);
            let change = Change::begin(tx, self.now, &self.actor, ChangePolicy::default())?;
            Ok(audit::record(&change, "directory.restore", &Object::Directory, told)?)
        })?;
        let known = since.comparison == Comparison::Complete;
        let brings = if known { None } else { Some(brings(&backup, created_at, self.now)?) };
        let has_admin = !backup.admin_names()?.is_empty();
        Ok(Outcome { since, brings, has_admin })
    }

    /// Refuses when something would open again and nobody said what is to become of it, or when nobody can tell what
    /// would, and that was not accepted. An archive without an active user opens nothing.
    fn decide(&self, since: &Since, backup: &Tx<'_>, created_at: &str) -> Result<(), TransferError> {
        let asked = self.order.closed == Reopening::Refuse;
        let closed = if asked { since.closed.clone() } else { Vec::new() };
        let unknown = since.comparison != Comparison::Complete && !self.order.accept_revived;
        let brings = unknown.then(|| brings(backup, created_at, self.now)).transpose()?;
        let brings = brings.filter(|brings| brings.users > 0);
        if closed.is_empty() && brings.is_none() {
            return Ok(());
        }
        let (created_at, comparison) = (created_at.to_owned(), since.comparison.clone());
        Err(TransferError::Reopens(Box::new(Reopened { created_at, comparison, closed, brings })))
    }

    /// What the audit trail says of the restore.
    fn told(&self, since: &Since, created_at: &str) -> Value {
        let mut counts = serde_json::Map::new();
        let mut listed = Vec::new();
        for what in Closing::ALL {
            let of_kind: Vec<_> = since.closed.iter().filter(|closed| closed.what == what).collect();
            if !of_kind.is_empty() {
                counts.insert(what.as_str().to_owned(), of_kind.len().into());
                listed.extend(of_kind.into_iter().take(MOST_NOTED).map(Closed::json));
            }
        }
        json!({
            "file": self.order.file.file_name().map(Path::new).map(|name| name.display().to_string()),
            "created_at": created_at,
            "comparison": since.comparison.as_str(),
            "not_compared": since.comparison.why(),
            "closed_since": counts,
            "closed": listed,
            "kept_closed": self.order.closed == Reopening::Keep,
            "reopened": self.order.closed == Reopening::Allow && !since.closed.is_empty(),
            "accepted_revived": self.order.accept_revived,
        })
    }
}
