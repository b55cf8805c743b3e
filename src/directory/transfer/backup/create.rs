//! Making a backup: a copy of the database, the media files and a manifest, written to one archive and verified.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::archive::{ArchiveWriter, FORMAT, MAX_LEFT_OUT, Manifest};
use super::media::{self, MediaFiles};
use super::verify::{FILE_TIMEOUT, VerifiedBackup, verify};
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::error::Error;
use crate::directory::files::{move_into_place, parent_directory, private_directory};
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::schema_version;
use crate::directory::store::transfer::snapshot_file::SnapshotFile;
use crate::directory::transfer_error::TransferError;
use crate::paths::{check_directory, check_parent};

/// What to back up, and where to.
#[derive(Clone, Debug)]
pub struct BackupRequest {
    /// The archive to write.
    pub file: PathBuf,
    /// Whether an existing file may be replaced.
    pub replace: bool,
    /// The directory of media files. It need not exist.
    pub media: PathBuf,
}

impl Directory {
    /// Makes a backup and verifies it as [`verify_backup`](super::verify_backup) does. The archive appears completely or
    /// not at all.
    pub async fn backup(
        &self,
        actor: &Actor,
        request: BackupRequest,
        progress: Progress,
    ) -> Result<VerifiedBackup, TransferError> {
        authorize(actor, Action::CarryDirectory)?;
        refuse_to_replace(&request)?;
        if request.media.is_dir() {
            check_directory(&parent_directory(&request.media))?;
        }
        let parent = parent_directory(&request.file);
        if parent.is_dir() {
            check_parent(&parent)?;
        }
        let work_dir = private_directory(&parent)?;
        let now = self.clock.now();
        let copy = work_dir.path().join("copy");
        let foreign_schema = self.store.write_snapshot_file(copy, now, progress.clone()).await?;
        let work = move || {
            let archive = work_dir.path().join("archive");
            pack(work_dir.path(), &archive, &request.media, foreign_schema, now, &progress)?;
            let verified = verify(&archive, work_dir.path(), now, &progress)?;
            refuse_to_replace(&request)?;
            let moved = move_into_place(&archive, &request.file, request.replace);
            // If the file appeared since then, this reports it as the check does.
            moved.or_else(|error| refuse_to_replace(&request).and(Err(error)))?;
            Ok(verified)
        };
        spawn_blocking(work).await.map_err(|error| Error::broken("a backup failed", error))?
    }
}

fn refuse_to_replace(request: &BackupRequest) -> Result<(), TransferError> {
    let file = &request.file;
    match fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_dir() => {
            Err(TransferError::Refused(format!("{} is a directory: name a file", file.display())))
        }
        Ok(_) if !request.replace => {
            let message = format!(
                "{} is there already: nothing was written; give --replace to replace it",
                file.display()
            );
            Err(TransferError::Refused(message))
        }
        _ => Ok(()),
    }
}

/// Writes the archive from the copied database in `work_dir` and the media files.
fn pack(
    work_dir: &Path,
    archive: &Path,
    media: &Path,
    foreign_schema: Vec<String>,
    now: Timestamp,
    progress: &Progress,
) -> Result<(), TransferError> {
    let copy = work_dir.join("copy");
    let snapshot = SnapshotFile::open(&copy, FILE_TIMEOUT, now)?;
    let (counts, head) = (snapshot.tx().counts(now)?, snapshot.tx().audit_head()?);
    let database = snapshot.close();
    let mut writer = ArchiveWriter::new(archive)?;
    writer.add_database(&database, progress)?;
    // It is large and not needed any more.
    fs::remove_dir_all(&copy).map_err(TransferError::with(&copy))?;
    let left_out = pack_media(&mut writer, media, progress)?;
    writer.finish(Manifest {
        format: FORMAT,
        program: format!("wardroom {}", env!("CARGO_PKG_VERSION")),
        schema_version: schema_version(),
        created_at: now.to_string(),
        audit_head: head.iter().map(|byte| format!("{byte:02x}")).collect(),
        users: counts.users,
        tokens: counts.tokens,
        active_tokens: counts.active_tokens,
        audit_events: counts.audit_events,
        left_out: all_left_out(left_out, &foreign_schema),
        members: Vec::new(),
    })?;
    Ok(())
}

/// Adds the media files, and returns those that were left out, each with the reason.
fn pack_media(
    writer: &mut ArchiveWriter,
    media: &Path,
    progress: &Progress,
) -> Result<Vec<String>, TransferError> {
    let MediaFiles { folder, files, mut left_out } = media::find(media)?;
    for name in files {
        let path = media.join(&name);
        let opened = folder.as_ref().map(|folder| folder.file(Path::new(&name))).transpose();
        match opened.map_err(TransferError::with(&path))?.flatten() {
            Some(opened) => writer.add_media(&name, &path, opened, progress)?,
            None => left_out.push(format!("{}: it went away while the backup was made", path.display())),
        }
    }
    Ok(left_out)
}

/// Returns what the manifest lists as left out: foreign schema objects first, and a bounded number of lines.
fn all_left_out(mut left_out: Vec<String>, foreign_schema: &[String]) -> Vec<String> {
    if !foreign_schema.is_empty() {
        let objects = foreign_schema.join("; ");
        left_out.insert(
            0,
            format!("schema objects that are not Wardroom's ({objects}): only the rows were copied"),
        );
    }
    let more = left_out.len().saturating_sub(MAX_LEFT_OUT);
    if more > 0 {
        left_out.truncate(MAX_LEFT_OUT);
        left_out.push(format!("{more} more files"));
    }
    left_out
}
