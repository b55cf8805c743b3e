//! Restoring a backup: into a new database, or in place of the one that is there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::archive::Manifest;
use super::compare::{BackupComparison, granted_access};
use super::media;
use super::unpack::{UnpackedArchive, unpack};
use super::verify::{VerifiedBackup, inspect, open_database, work_directory};
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::files::{parent_directory, private_directory};
use crate::directory::model::{
    ClosedAccess, ClosureKind, ComparisonExtent, GrantedAccess, NotCompared, ReopenedAccess, Timestamp,
};
use crate::directory::progress::Progress;
use crate::directory::settings::ChangePolicy;
use crate::directory::store::Tx;
use crate::directory::store::transfer::replace_database::{CopyOptions, Occupancy, RestoreTarget};
use crate::directory::store::transfer::snapshot_file::SnapshotFile;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Clock, Directory, Location, Settings};
use crate::paths::{DirectoryMode, check_directory, create_directory};

/// The most closed accesses of each kind that the audit event lists.
const MAX_LISTED: usize = 100;

/// What to restore, and what may be lost by it.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// The archive.
    pub file: PathBuf,
    /// The directory of media files.
    pub media: PathBuf,
    /// Whether an existing database and existing media files may be replaced.
    pub replace: bool,
    /// What happens to access that was closed since the backup was made.
    pub closed: ReopenPolicy,
    /// Whether to go on where it is not known what was closed.
    pub accept_revived: bool,
    /// Whether a copy of the replaced rows is kept on PostgreSQL. A replaced SQLite file is always kept.
    pub keep_copy: bool,
}

/// What happens to tokens, users and permissions that are valid in the backup and were closed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReopenPolicy {
    /// The restore is refused if there are any.
    Refuse,
    /// They are closed in the restored database too.
    Keep,
    /// They are valid again.
    Allow,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct RestoreReport {
    /// The archive's manifest.
    pub manifest: Manifest,
    /// How much is known of what was closed since the backup.
    pub comparison: ComparisonExtent,
    /// What was closed since the backup.
    pub closed: Vec<ClosedAccess>,
    /// The access that the restored database grants, where the comparison is not complete.
    pub brings: Option<GrantedAccess>,
    /// Whether there is an active admin.
    pub has_admin: bool,
    /// The directory that keeps the replaced database.
    pub kept: Option<PathBuf>,
    /// The number of media files written.
    pub media: usize,
    /// Where the restored audit trail is broken.
    pub broken_trail: Option<String>,
}

impl Directory {
    /// Verifies a backup as [`verify_backup`](super::verify_backup) does and makes it the database of these settings,
    /// completely or not at all. No server may be running on a SQLite database. Servers on PostgreSQL see the change at
    /// once.
    pub async fn restore(
        actor: &Actor,
        settings: &Settings,
        clock: &Clock,
        request: RestoreRequest,
        progress: Progress,
    ) -> Result<RestoreReport, TransferError> {
        authorize(actor, Action::CarryDirectory)?;
        let (actor, settings, now) = (actor.clone(), settings.clone(), clock.now());
        let kept_since = now.saturating_sub(settings.keep_deleted_for);
        let work = move || {
            let target = RestoreTarget::new(&settings);
            RestoreRun { actor, target, now, kept_since, request, progress }.run(&settings.location)
        };
        spawn_blocking(work).await.map_err(|error| Error::broken("a restore failed", error))?
    }
}

/// A restore that is running.
struct RestoreRun {
    actor: Actor,
    target: RestoreTarget,
    now: Timestamp,
    /// Users deleted before this time are no longer in the recycle bin.
    kept_since: Timestamp,
    request: RestoreRequest,
    progress: Progress,
}

/// What was found while the copy was prepared.
struct PreparedRestore {
    comparison: BackupComparison,
    brings: Option<GrantedAccess>,
    has_admin: bool,
}

impl RestoreRun {
    /// Restores. If that fails, a data directory that did not exist before is removed.
    fn run(self, location: &Location) -> Result<RestoreReport, TransferError> {
        let new = match location {
            Location::Sqlite(directory) if !directory.exists() => Some(directory),
            _ => None,
        };
        let outcome = self.replace(location);
        if let (Err(_), Some(directory)) = (&outcome, new) {
            // This fails, as it should, when the directory is not empty.
            let _ = fs::remove_dir(directory);
        }
        outcome
    }

    fn replace(self, location: &Location) -> Result<RestoreReport, TransferError> {
        let occupancy = self.refuse_to_replace()?;
        let work_dir = self.work_directory(location)?;
        let unpacked =
            unpack(&self.request.file, work_dir.path(), Path::new("unpacked"), true, &self.progress)?;
        let unpacked_media = unpacked.media.clone();
        let (snapshot, verified) = self.open_sound(unpacked)?;
        let VerifiedBackup { manifest, broken_trail, .. } = verified;
        let media = media::plan(&self.request.media, &manifest.members, self.request.replace)?;
        let parent = parent_directory(&self.request.media);
        if !media.is_empty() && !parent.is_dir() {
            return Err(TransferError::Refused(format!(
                "the backup contains media files: create the directory {} for them",
                parent.display()
            )));
        }
        let copies = if parent.is_dir() { parent } else { parent_directory(&self.request.file) };
        let options = CopyOptions {
            now: self.now,
            progress: &self.progress,
            copies: self.request.keep_copy.then_some(copies.as_path()),
        };
        let (kept, prepared) = self.target.replace(snapshot, occupancy, &options, |snapshot, present| {
            self.prepare(snapshot, present, &manifest.created_at)
        })?;
        let media = media
            .carry_out(work_dir.path(), &unpacked_media)
            .map_err(|error| TransferError::Media(Box::new(error)))?;
        let PreparedRestore { comparison: BackupComparison { extent, closed, .. }, brings, has_admin } =
            prepared;
        Ok(RestoreReport {
            manifest,
            comparison: extent,
            closed,
            brings,
            has_admin,
            kept,
            media,
            broken_trail,
        })
    }

    /// Returns what is at the target, unless it is a database that must not be replaced.
    fn refuse_to_replace(&self) -> Result<Occupancy, TransferError> {
        let occupancy = self.target.occupancy()?;
        if occupancy == Occupancy::Occupied && !self.request.replace {
            return Err(TransferError::Refused(format!(
                "{} {}: nothing was changed; give --replace to replace it with the backup",
                self.target,
                self.target.held()
            )));
        }
        Ok(occupancy)
    }

    /// Opens the unpacked database and refuses one with faults. A broken audit trail is accepted, because it is better
    /// than none.
    fn open_sound(&self, unpacked: UnpackedArchive) -> Result<(SnapshotFile, VerifiedBackup), TransferError> {
        let file = &self.request.file;
        let snapshot = open_database(file, &unpacked, self.now)?;
        let verified = inspect(&snapshot, unpacked.manifest, self.now)?;
        match verified.faults.first() {
            None => Ok((snapshot, verified)),
            Some(fault) => Err(TransferError::Damaged {
                path: file.clone(),
                what: format!("holds a damaged database: {fault}"),
            }),
        }
    }

    /// Creates a private directory in the file system that the files are moved to in the end.
    fn work_directory(&self, location: &Location) -> Result<TempDir, TransferError> {
        match location {
            Location::Sqlite(directory) => {
                create_directory(directory, DirectoryMode::Exact(0o700))
                    .map_err(TransferError::with(directory))?;
                check_directory(directory)?;
                private_directory(directory)
            }
            Location::Postgres(_) => {
                let parent = parent_directory(&self.request.media);
                if !parent.is_dir() {
                    return work_directory(&self.request.file);
                }
                check_directory(&parent)?;
                private_directory(&parent)
            }
        }
    }

    /// Prepares the copy for use: closes what has to stay closed, and records the restore in its audit trail. `present`
    /// is the database that is to be replaced, or why it cannot be read.
    fn prepare(
        &self,
        snapshot: &SnapshotFile,
        present: Result<&Tx<'_>, NotCompared>,
        created_at: &str,
    ) -> Result<PreparedRestore, TransferError> {
        let backup = snapshot.tx();
        let comparison = match &present {
            // An unreadable database is a reason to restore, not to refuse.
            Ok(present) => BackupComparison::between(&backup, present, self.now, self.kept_since)
                .unwrap_or_else(|error| BackupComparison::impossible(NotCompared::lasting(error))),
            Err(reason) => BackupComparison::impossible(reason.clone()),
        };
        self.refuse_to_reopen(&comparison, &backup, created_at)?;
        snapshot.write(|tx| {
            if let (ReopenPolicy::Keep, Ok(present)) = (self.request.closed, &present) {
                comparison.close_again(tx, present, self.now)?;
            }
            if let Ok(present) = &present
                && self.request.closed != ReopenPolicy::Allow
                && !matches!(comparison.extent, ComparisonExtent::Impossible(_))
            {
                tx.take_ended_tokens(present, self.now)?;
            }
            tx.count_members()?;
            tx.note_all_changed()?;
            // Our backups have no messages; an archive that someone else wrote may have some.
            tx.forget_all_messages()?;
            let details = self.audit_details(&comparison, created_at);
            let change = Change::begin(tx, self.now, &self.actor, ChangePolicy::default())?;
            Ok(audit::record(&change, "directory.restore", &AuditObject::Directory, details)?)
        })?;
        let is_complete = comparison.extent == ComparisonExtent::Complete;
        let brings = if is_complete { None } else { Some(granted_access(&backup, created_at, self.now)?) };
        let has_admin = !backup.admin_names()?.is_empty();
        Ok(PreparedRestore { comparison, brings, has_admin })
    }

    /// Refuses a restore that would reopen access where the request does not say what to do with it, and one for which
    /// that is not known where the request does not accept it. A backup without an active user grants no access.
    fn refuse_to_reopen(
        &self,
        comparison: &BackupComparison,
        backup: &Tx<'_>,
        created_at: &str,
    ) -> Result<(), TransferError> {
        let BackupComparison { extent, closed, .. } = comparison;
        let refuses = self.request.closed == ReopenPolicy::Refuse;
        let closed = if refuses { closed.clone() } else { Vec::new() };
        let is_unknown = *extent != ComparisonExtent::Complete && !self.request.accept_revived;
        let brings = is_unknown.then(|| granted_access(backup, created_at, self.now)).transpose()?;
        let brings = brings.filter(|brings| brings.users > 0);
        if closed.is_empty() && brings.is_none() {
            return Ok(());
        }
        let (created_at, comparison) = (created_at.to_owned(), extent.clone());
        Err(TransferError::Reopens(Box::new(ReopenedAccess { created_at, comparison, closed, brings })))
    }

    /// Returns the details of the restore's audit event.
    fn audit_details(&self, comparison: &BackupComparison, created_at: &str) -> Value {
        let BackupComparison { extent, closed, .. } = comparison;
        let mut counts = serde_json::Map::new();
        let mut listed = Vec::new();
        for kind in ClosureKind::ALL {
            let of_kind: Vec<_> = closed.iter().filter(|closed| closed.kind == kind).collect();
            if !of_kind.is_empty() {
                counts.insert(kind.as_str().to_owned(), of_kind.len().into());
                listed.extend(of_kind.into_iter().take(MAX_LISTED).map(ClosedAccess::json));
            }
        }
        json!({
            "file": self.request.file.file_name().map(Path::new).map(|name| name.display().to_string()),
            "created_at": created_at,
            "comparison": extent.as_str(),
            "not_compared": extent.why(),
            "closed_since": counts,
            "closed": listed,
            "kept_closed": self.request.closed == ReopenPolicy::Keep,
            "reopened": self.request.closed == ReopenPolicy::Allow && !closed.is_empty(),
            "accepted_revived": self.request.accept_revived,
        })
    }
}
