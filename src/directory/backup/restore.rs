//! Putting a backup in the place of a directory, or where none is.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::archive::{Manifest, unpack};
use super::since::{Gone, Since};
use super::{Checked, inspect, media, open_copy, somewhere};
use crate::directory::access::{Actor, Deed, may};
use crate::directory::audit::{self, Object};
use crate::directory::change::{Change, Rules};
use crate::directory::error::Error;
use crate::directory::files::{parent, private_place};
use crate::directory::model::Moment;
use crate::directory::store::Tx;
use crate::directory::store::restoring::{Place, Present};
use crate::directory::store::staged::Staged;
use crate::directory::trouble::{Trouble, Watch};
use crate::directory::{Clock, Directory, Location, Settings};

/// What is to be restored, and what may be lost by it.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The archive.
    pub file: PathBuf,
    /// The directory of media files.
    pub media: PathBuf,
    /// Whether a directory and media files that are there may be replaced.
    pub replace: bool,
    /// What becomes of tokens that were good when the backup was made and are not any more.
    pub revoked: Revoked,
}

/// What becomes of tokens that would come back to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// If there are any, nothing is restored.
    Refuse,
    /// They are revoked in what is restored.
    Keep,
    /// They come back to life.
    Revive,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the archive says of itself.
    pub manifest: Manifest,
    /// What had happened since, in the directory that was replaced; or why that is not known. Nothing when there was
    /// none.
    pub since: Option<Result<Since, String>>,
    /// Where the SQLite database is kept that was replaced.
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
        watch: Watch,
    ) -> Result<Restored, Trouble> {
        may(actor, Deed::CarryDirectory)?;
        let (actor, settings, now) = (actor.clone(), settings.clone(), clock.now());
        let work = move || {
            Work { actor, place: Place::new(&settings), now, order, watch }.finish(&settings.location)
        };
        spawn_blocking(work).await.map_err(|error| Error::broken("a restore failed", error))?
    }
}

struct Work {
    actor: Actor,
    place: Place,
    now: Moment,
    order: Restore,
    watch: Watch,
}

impl Work {
    /// Leaves no directory behind where there was none, unless it is one.
    fn finish(self, location: &Location) -> Result<Restored, Trouble> {
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

    fn run(self, location: &Location) -> Result<Restored, Trouble> {
        let watch = &self.watch;
        let present = self.place.look()?;
        if present != Present::Nothing && !self.order.replace {
            return Err(Trouble::Refused(format!(
                "{} holds a directory already: nothing was changed; give --replace to put the backup in its place",
                self.place
            )));
        }
        let room = self.room(location)?;
        let unpacked = unpack(&self.order.file, room.path(), true, watch)?;
        let (file, media_unpacked) = (&self.order.file, unpacked.media.clone());
        let staged = open_copy(file, &unpacked, self.now)?;
        let Checked { manifest, faults, broken_trail, .. } = inspect(&staged, unpacked.manifest, self.now)?;
        // A trail that was tampered with is better than none; a database that is not sound is not.
        if let Some(fault) = faults.first() {
            return Err(Trouble::Damaged {
                path: file.clone(),
                what: format!("holds a database that is not sound: {fault}"),
            });
        }
        let media = media::plan(&self.order.media, &manifest.members, self.order.replace)?;
        let beside = parent(&self.order.media);
        if !media.is_empty() && !beside.is_dir() {
            let beside = beside.display();
            return Err(Trouble::Refused(format!(
                "the backup holds media files: make {beside}, where they belong"
            )));
        }
        let mut since = None;
        let kept = self.place.put(staged, present, watch, self.now, |staged, present| {
            since = self.prepare(staged, present)?;
            Ok(())
        })?;
        let media = media.carry_out(&media_unpacked).map_err(|trouble| Trouble::Media(Box::new(trouble)))?;
        Ok(Restored { manifest, since, kept, media, broken_trail })
    }

    /// A private place in the file system that files are moved to in the end.
    fn room(&self, location: &Location) -> Result<TempDir, Trouble> {
        match location {
            Location::Sqlite(directory) => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
                made.map_err(Trouble::with(directory))?;
                private_place(directory)
            }
            Location::Postgres(_) => {
                let beside = parent(&self.order.media);
                if beside.is_dir() { private_place(&beside) } else { somewhere(&self.order.file) }
            }
        }
    }

    /// Readies the copy to be the directory: notes the restore in its audit trail, and revokes what is to stay
    /// revoked.
    fn prepare(
        &self,
        staged: &Staged,
        present: Option<Result<&Tx<'_>, String>>,
    ) -> Result<Option<Result<Since, String>>, Trouble> {
        let gone = match present {
            None => None,
            // What cannot be read any more is a reason to restore, and not to refuse.
            Some(Ok(present)) => {
                Some(Gone::between(&staged.tx(), present, self.now).map_err(|error| error.to_string()))
            }
            Some(Err(why)) => Some(Err(why)),
        };
        self.decide(gone.as_ref())?;
        staged.write(|tx| {
            if let (Revoked::Keep, Some(Ok(gone))) = (self.order.revoked, &gone) {
                gone.keep(tx, self.now)?;
            }
            tx.count_members()?;
            tx.note_all_changed()?;
            let told = self.told(gone.as_ref());
            let change = Change::begin(tx, self.now, &self.actor, Rules::default())?;
            Ok(audit::record(&change, "directory.restore", &Object::Directory, told)?)
        })?;
        Ok(gone.map(|gone| gone.map(|gone| gone.counts())))
    }

    /// Refuses when tokens would come back to life and nobody said what is to become of them.
    fn decide(&self, gone: Option<&Result<Gone, String>>) -> Result<(), Trouble> {
        match (self.order.revoked, gone) {
            (Revoked::Refuse, Some(Ok(gone))) if gone.counts().tokens() > 0 => {
                Err(Trouble::Refused(format!(
                    "{} tokens that the backup holds as good were revoked or deleted since, and would open doors again: \
                 nothing was changed; give --keep-revoked to revoke them in what is restored (recommended), or \
                 --revive-revoked to let them",
                    gone.counts().tokens()
                )))
            }
            (Revoked::Keep, Some(Err(why))) => Err(Trouble::Refused(format!(
                "which tokens were revoked since the backup cannot be told ({why}): nothing was changed; leave \
                 --keep-revoked out to restore all the same"
            ))),
            _ => Ok(()),
        }
    }

    fn told(&self, gone: Option<&Result<Gone, String>>) -> serde_json::Value {
        let since = gone.and_then(|gone| gone.as_ref().ok()).map(Gone::counts);
        json!({
            "file": self.order.file.file_name().map(|name| name.to_string_lossy()),
            "revoked_since": since.map(|since| since.tokens()),
            "kept_revoked": self.order.revoked == Revoked::Keep && since.is_some(),
        })
    }
}
