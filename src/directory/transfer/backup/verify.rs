//! Verifying a backup: every byte of the archive, the database in it, and that database's audit trail.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::archive::Manifest;
use super::unpack::{UnpackedArchive, unpack};
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::audit;
use crate::directory::error::Error;
use crate::directory::files::{parent_directory, private_directory};
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::health::IntegrityReport;
use crate::directory::store::transfer::snapshot_file::SnapshotFile;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Clock, OpenError};
use crate::paths::check_parent;

/// How long a statement waits for a file that no other process uses: practically not at all.
pub(super) const FILE_TIMEOUT: Duration = Duration::from_secs(5);

/// An archive of which every byte was verified, and what was found in it.
#[derive(Clone, Debug)]
pub struct VerifiedBackup {
    /// The archive's manifest.
    pub manifest: Manifest,
    /// What is wrong of the database in it.
    pub faults: Vec<String>,
    /// Groups whose stored member count is wrong. A restore corrects it.
    pub miscounted: Vec<String>,
    /// Where the audit trail had been tampered with before it was copied.
    pub broken_trail: Option<String>,
}

/// Verifies every byte of an archive, the database in it, and that database's audit trail. It needs disk space for the
/// unpacked database beside the archive or in the system's temporary directory.
pub async fn verify_backup(
    actor: &Actor,
    file: PathBuf,
    clock: &Clock,
    progress: Progress,
) -> Result<VerifiedBackup, TransferError> {
    authorize(actor, Action::CarryDirectory)?;
    let now = clock.now();
    let work = move || verify(&file, work_directory(&file)?.path(), now, &progress);
    spawn_blocking(work).await.map_err(|error| Error::broken("a check failed", error))?
}

/// Creates a private directory to unpack into: beside the archive, or in the system's temporary directory.
pub(super) fn work_directory(file: &Path) -> Result<TempDir, TransferError> {
    let parent = parent_directory(file);
    // The archive's directory may be read-only, or writable by every user.
    match check_parent(&parent) {
        Ok(_) => private_directory(&parent).or_else(|_| private_directory(&std::env::temp_dir())),
        Err(_) => private_directory(&std::env::temp_dir()),
    }
}

/// Verifies an archive in a private directory. What is unpacked there is removed with the directory.
pub(super) fn verify(
    file: &Path,
    work_dir: &Path,
    now: Timestamp,
    progress: &Progress,
) -> Result<VerifiedBackup, TransferError> {
    let unpacked = unpack(file, work_dir, Path::new("check"), false, progress)?;
    let snapshot = open_database(file, &unpacked, now)?;
    inspect(&snapshot, unpacked.manifest, now)
}

/// Opens the database of an unpacked archive.
pub(super) fn open_database(
    file: &Path,
    unpacked: &UnpackedArchive,
    now: Timestamp,
) -> Result<SnapshotFile, TransferError> {
    let unusable = |error: OpenError| TransferError::Damaged {
        path: file.to_owned(),
        what: format!("holds a database that cannot be used: {error}"),
    };
    SnapshotFile::open(&unpacked.database, FILE_TIMEOUT, now).map_err(unusable)
}

/// Looks for faults in an unpacked database, and compares it with its manifest.
pub(super) fn inspect(
    snapshot: &SnapshotFile,
    manifest: Manifest,
    now: Timestamp,
) -> Result<VerifiedBackup, TransferError> {
    let IntegrityReport { damage, miscounted, .. } = snapshot.check_integrity()?;
    let mut verified = VerifiedBackup { manifest, faults: damage, miscounted, broken_trail: None };
    let read =
        audit::verify_chain(&snapshot.tx(), None).and_then(|chain| Ok((chain, snapshot.tx().counts(now)?)));
    let (walk, counts) = match read {
        Ok(read) => read,
        // A damaged database need not be readable.
        Err(_) if !verified.faults.is_empty() => return Ok(verified),
        Err(error) => return Err(error.into()),
    };
    let listed = &verified.manifest;
    if (counts.users, counts.tokens, counts.audit_events)
        != (listed.users, listed.tokens, listed.audit_events)
    {
        verified.faults.push("the number of rows differs from the manifest".to_owned());
    }
    if let Some((id, why)) = walk.broken {
        verified.broken_trail = Some(format!("audit event {id}: {why}"));
    } else if walk.head != listed.audit_head {
        verified.faults.push("the end of the audit trail differs from the manifest".to_owned());
    }
    Ok(verified)
}
