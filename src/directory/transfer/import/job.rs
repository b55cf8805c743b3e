//! A running import: its validated source and what each step needs. Its steps run inside transactions that others open.

use std::sync::Arc;

use serde_json::json;

use super::apply::bulk::BulkWriter;
use super::apply::dry_run::DryRun;
use super::apply::rows::RowWriter;
use super::diff::Diff;
use super::diff_counts::DiffCounts;
use super::error::ImportError;
use super::media::AvatarCopy;
use super::missing::Missing;
use super::notices::Notices;
use super::options::ImportOptions;
use super::report::ImportReport;
use super::valid_source::{ValidSource, count_users};
use crate::directory::access::Actor;
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{Timestamp, is_absolute_url};
use crate::directory::progress::{Progress, Stage};
use crate::directory::settings::ChangePolicy;
use crate::directory::store::Tx;
use crate::directory::transfer::record::Record;

/// The most records that one transaction writes.
const AT_ONCE: usize = 5_000;
/// The same in a database without users, where no other writer has to wait.
const AT_ONCE_IF_EMPTY: usize = 100_000;

/// An import whose source was validated. It moves from thread to thread.
pub(super) struct ImportJob {
    pub(super) actor: Actor,
    pub(super) options: ImportOptions,
    pub(super) source: ValidSource,
    pub(super) progress: Progress,
    pub(super) now: Timestamp,
    /// Whether the account database had no users when the import began.
    pub(super) is_empty: bool,
}

/// What a comparison of the whole source found.
pub(super) struct SourceComparison {
    pub(super) counts: DiffCounts,
    pub(super) missing: Missing,
    /// The records that are new or differ, unless they are too many to keep.
    pub(super) records: Option<Vec<Record>>,
}

impl ImportJob {
    /// Returns whether the source can be written without looking anything up.
    pub(super) fn can_fill(&self) -> bool {
        self.is_empty && !self.source.validation.refers_by_name()
    }

    /// Returns a report of the validation.
    pub(super) fn report(&self) -> ImportReport {
        let mut report = ImportReport {
            source: self.source.describe(),
            mapping: self.source.mapping(),
            ..ImportReport::default()
        };
        self.source.validation.report(&mut report, self.options.clear_duplicates, self.is_empty);
        report
    }

    /// Begins a comparison, and a writer for what differs.
    pub(super) fn begin(&self, tx: &Tx<'_>) -> Result<(Diff, RowWriter), Error> {
        let validation = || Arc::clone(&self.source.validation);
        let writer = RowWriter { validation: validation(), sync: self.options.sync };
        Ok((Diff::begin(tx, validation(), self.options.sync, self.now)?, writer))
    }

    /// Compares the whole source with the account database.
    pub(super) fn compare(&mut self, tx: &Tx<'_>) -> Result<SourceComparison, ImportError> {
        let (mut diff, _) = self.begin(tx)?;
        let limit = if self.is_empty { AT_ONCE_IF_EMPTY } else { AT_ONCE };
        let mut dry_run = DryRun::new(Arc::clone(&self.source.validation), &self.options, limit);
        self.source.begin(Stage::Comparing, &mut self.progress)?;
        while let Some(batch) = self.source.next_batch()? {
            let users = count_users(&batch);
            diff.batch(tx, batch, &mut dry_run)?;
            self.progress.add(users);
        }
        self.progress.begin(Stage::Missing, None);
        let missing = Missing::find(tx, &self.source.validation, &diff.found_by_name)?;
        let (conflicts, records) = dry_run.finish(&missing);
        diff.counts.conflicts.extend(conflicts);
        self.check_admins(&mut diff, &tx.active_admins()?, &missing);
        Ok(SourceComparison { counts: diff.counts, missing, records })
    }

    /// An active admin must exist at every moment.
    fn check_admins(&self, diff: &mut Diff, admins: &[i64], missing: &Missing) {
        let is_deleted = |id: &i64| self.options.delete_missing && missing.has_user(*id);
        let stays = |id: &i64| {
            !self.source.validation.has_user(*id) && !diff.found_by_name.contains(id) && !is_deleted(id)
        };
        let conflict = match admins {
            [] => return,
            _ if diff.active_admins == 0 && !admins.iter().any(stays) => "no active admin would be left",
            _ if admins.iter().all(is_deleted) => {
                "the active admins here are all missing in the source (import it without --delete-missing first)"
            }
            _ => return,
        };
        diff.counts.conflicts.add(conflict, format!("{} now", admins.len()));
    }

    /// Writes the whole source into a database without users.
    pub(super) fn fill(&mut self, tx: &Tx<'_>) -> Result<DiffCounts, ImportError> {
        let (mut diff, writer) = self.begin(tx)?;
        let mut writer = BulkWriter(writer);
        self.source.begin(Stage::Writing, &mut self.progress)?;
        while let Some(batch) = self.source.next_batch()? {
            let users = count_users(&batch);
            diff.batch(tx, batch, &mut writer)?;
            self.progress.add(users);
        }
        let counts = diff.counts;
        if !counts.conflicts.is_empty() {
            return Err(ImportError::Conflicts(counts.conflicts));
        }
        self.progress.begin(Stage::Indexing, None);
        let details = json!({ "source": self.source.describe(), "groups": counts.groups.added,
            "users": counts.users.added, "tokens": counts.tokens.added });
        let change = Change::begin(tx, self.now, &self.actor, ChangePolicy::default())?;
        audit::record(&change, "directory.import", &AuditObject::Directory, details)?;
        Ok(counts)
    }

    /// Goes through the avatars of the source's users, and counts those for which `copy` returns true.
    pub(super) fn avatars(
        &mut self,
        copy: impl Fn(&AvatarCopy, &str, &mut Notices) -> Result<bool, ImportError>,
        notices: &mut Notices,
    ) -> Result<u64, ImportError> {
        let Some(media) = self.options.media.clone() else { return Ok(0) };
        self.source.begin(Stage::Files, &mut self.progress)?;
        let mut copied = 0;
        while let Some(batch) = self.source.next_batch()? {
            for record in batch {
                let Record::User(user) = record else { continue };
                let is_file = |name: &String| !name.is_empty() && !is_absolute_url(name);
                if let Some(name) = user.avatar.flatten().filter(is_file) {
                    copied += u64::from(copy(&media, &name, notices)?);
                }
                self.progress.add(1);
            }
        }
        Ok(copied)
    }
}
