//! Backups: the directory and its media files, as they are at one moment, in one archive, while servers run.
//!
//! The database in an archive is always a SQLite file, whatever it came from, so that a backup can be restored into
//! either database. An archive is read again, every byte of it, before it is said to be there.

mod archive;

mod media;
mod restore;
mod since;
mod unpacking;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use self::archive::{MOST_LEFT_OUT, Packer};
pub use self::archive::{Manifest, Member};

use self::media::Found;
pub use self::restore::{Reopening, Restore, Restored};
use self::unpacking::{Unpacked, unpack};
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::audit;
use crate::directory::error::Error;
use crate::directory::files::{parent, private_place, put};
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::health::Faults;
use crate::directory::store::transfer::snapshot_file::Staged;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Clock, Directory};
use crate::paths::{closed_directory, closed_parent};

/// How long a statement waits for a file that nobody else has: not at all, to speak of.
const PATIENCE: Duration = Duration::from_secs(5);

/// An archive whose every byte was checked, and what was found in it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it says of itself.
    pub manifest: Manifest,
    /// What is wrong with the database in it.
    pub faults: Vec<String>,
    /// Groups whose kept number of members is wrong, which a restore puts right.
    pub miscounted: Vec<String>,
    /// Where its audit trail was tampered with before it was copied.
    pub broken_trail: Option<String>,
}

/// What a backup is to be made of, and where.
#[derive(Clone, Debug)]
pub struct Order {
    /// The archive.
    pub file: PathBuf,
    /// Whether a file that is there already may be replaced.
    pub replace: bool,
    /// The directory of media files; there may be none.
    pub media: PathBuf,
}

impl Directory {
    /// Makes a backup and checks it as [`check_backup`] does. The archive appears whole or not at all.
    pub async fn backup(
        &self,
        actor: &Actor,
        order: Order,
        progress: Progress,
    ) -> Result<Checked, TransferError> {
        authorize(actor, Action::CarryDirectory)?;
        refuse_to_replace(&order)?;
        if order.media.is_dir() {
            closed_directory(&parent(&order.media))?;
        }
        let beside = parent(&order.file);
        if beside.is_dir() {
            closed_parent(&beside)?;
        }
        let place = private_place(&beside)?;
        let now = self.clock.now();
        let copy = place.path().join("copy");
        let strangers = self.store.copy_to(copy, now, Progress::clone(&progress)).await?;
        let work = move || {
            let made = place.path().join("archive");
            pack(place.path(), &made, &order.media, strangers, now, &progress)?;
            let checked = check(&made, place.path(), now, &progress)?;
            refuse_to_replace(&order)?;
            put(&made, &order.file)?;
            Ok(checked)
        };
        spawn_blocking(work).await.map_err(|error| Error::broken("a backup failed", error))?
    }
}

/// Checks every byte of an archive, the database in it, and that database's audit trail. It needs the space of the
/// database beside the archive, or in the system's temporary directory.
pub async fn check_backup(
    actor: &Actor,
    file: PathBuf,
    clock: &Clock,
    progress: Progress,
) -> Result<Checked, TransferError> {
    authorize(actor, Action::CarryDirectory)?;
    let now = clock.now();
    let work = move || check(&file, somewhere(&file)?.path(), now, &progress);
    spawn_blocking(work).await.map_err(|error| Error::broken("a check failed", error))?
}

/// A private place for what is unpacked: beside the archive, or wherever the system keeps such things.
fn somewhere(file: &Path) -> Result<TempDir, TransferError> {
    let beside = parent(file);
    // The archive may lie where nothing can be written, or where everybody can.
    match closed_parent(&beside) {
        Ok(_) => private_place(&beside).or_else(|_| private_place(&std::env::temp_dir())),
        Err(_) => private_place(&std::env::temp_dir()),
    }
}

fn refuse_to_replace(order: &Order) -> Result<(), TransferError> {
    let file = &order.file;
    match fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_dir() => {
            Err(TransferError::Refused(format!("{} is a directory: name a file", file.display())))
        }
        Ok(_) if !order.replace => {
            let told = format!(
                "{} is there already: nothing was written; give --replace to replace it",
                file.display()
            );
            Err(TransferError::Refused(told))
        }
        _ => Ok(()),
    }
}

fn pack(
    place: &Path,
    made: &Path,
    media: &Path,
    strangers: Vec<String>,
    now: Timestamp,
    progress: &Progress,
) -> Result<(), TransferError> {
    let copy = place.join("copy");
    let staged = Staged::open(&copy, PATIENCE, now)?;
    let (counts, head) = (staged.tx().counts(now)?, staged.tx().audit_head()?);
    let database = staged.close();
    let mut packer = Packer::new(made)?;
    packer.add_database(&database, progress)?;
    // Not needed any more, and large.
    fs::remove_dir_all(&copy).map_err(TransferError::with(&copy))?;
    let Found { folder, files, mut left_out } = media::find(media)?;
    for name in files {
        let path = media.join(&name);
        let opened = folder.as_ref().map(|folder| folder.file(Path::new(&name))).transpose();
        match opened.map_err(TransferError::with(&path))?.flatten() {
            Some(opened) => packer.add_media(&name, &path, opened, progress)?,
            None => left_out.push(format!("{}: it went away while the backup was made", path.display())),
        }
    }
    if !strangers.is_empty() {
        let told = strangers.join("; ");
        left_out.insert(
            0,
            format!("what is not this program's in the database's schema ({told}): its rows alone were kept"),
        );
    }
    let more = left_out.len().saturating_sub(MOST_LEFT_OUT);
    if more > 0 {
        left_out.truncate(MOST_LEFT_OUT);
        left_out.push(format!("{more} more files"));
    }
    packer.finish(Manifest {
        format: archive::FORMAT,
        program: format!("wardroom {}", env!("CARGO_PKG_VERSION")),
        schema_version: crate::directory::store::schema_version(),
        created_at: now.to_string(),
        audit_head: head.iter().map(|byte| format!("{byte:02x}")).collect(),
        users: counts.users,
        tokens: counts.tokens,
        active_tokens: counts.active_tokens,
        audit_events: counts.audit_events,
        left_out,
        members: Vec::new(),
    })?;
    Ok(())
}

/// Checks an archive in a private place; what was unpacked there goes away with the place.
fn check(file: &Path, place: &Path, now: Timestamp, progress: &Progress) -> Result<Checked, TransferError> {
    let unpacked = unpack(file, &place.join("check"), false, progress)?;
    let staged = open_copy(file, &unpacked, now)?;
    inspect(&staged, unpacked.manifest, now)
}

/// Opens the database of an archive.
fn open_copy(file: &Path, unpacked: &Unpacked, now: Timestamp) -> Result<Staged, TransferError> {
    let unusable = |error: crate::directory::OpenError| TransferError::Damaged {
        path: file.to_owned(),
        what: format!("holds a database that cannot be used: {error}"),
    };
    Staged::open(&unpacked.database, PATIENCE, now).map_err(unusable)
}

/// Looks for faults in a database that was unpacked.
fn inspect(staged: &Staged, manifest: Manifest, now: Timestamp) -> Result<Checked, TransferError> {
    let Faults { damage, miscounted, .. } = staged.faults()?;
    let mut checked = Checked { manifest, faults: damage, miscounted, broken_trail: None };
    let read = audit::walk(&staged.tx(), None).and_then(|walk| Ok((walk, staged.tx().counts(now)?)));
    let (walk, counts) = match read {
        Ok(read) => read,
        // What is damaged need not be readable.
        Err(_) if !checked.faults.is_empty() => return Ok(checked),
        Err(error) => return Err(error.into()),
    };
    let told = &checked.manifest;
    if (counts.users, counts.tokens, counts.audit_events) != (told.users, told.tokens, told.audit_events) {
        checked.faults.push("there are not as many rows as the manifest says".to_owned());
    }
    if let Some((id, why)) = walk.broken {
        checked.broken_trail = Some(format!("audit event {id}: {why}"));
    } else if walk.head != told.audit_head {
        checked.faults.push("the audit trail does not end where the manifest says".to_owned());
    }
    Ok(checked)
}
