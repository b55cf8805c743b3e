//! Writes a part of an import in one transaction.

use serde_json::{Value, json};

use super::apply::rows::RowWriter;
use super::diff::Diff;
use super::diff_counts::DiffCounts;
use super::error::ImportError;
use super::job::ImportJob;
use crate::directory::access::Actor;
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::settings::ChangePolicy;
use crate::directory::store::Tx;
use crate::directory::transfer::record::Record;

/// A comparison whose differences are written, part by part.
pub(super) struct PartWriter {
    diff: Diff,
    rows: RowWriter,
    actor: Actor,
    now: Timestamp,
}

impl PartWriter {
    /// Begins to write.
    pub(super) fn begin(job: &ImportJob, tx: &Tx<'_>) -> Result<Self, Error> {
        let (diff, rows) = job.begin(tx)?;
        Ok(Self { diff, rows, actor: job.actor.clone(), now: job.now })
    }

    /// Returns the counts of all parts.
    pub(super) fn into_counts(self) -> DiffCounts {
        self.diff.counts
    }

    /// Compares some records again, in the transaction that writes them, and writes what differs with one event.
    pub(super) fn write(&mut self, tx: &Tx<'_>, records: Vec<Record>) -> Result<(), ImportError> {
        let before = self.diff.counts.differing();
        self.diff.batch(tx, records, &mut self.rows)?;
        self.diff.counts.check()?;
        let after = self.diff.counts.differing();
        if after == before {
            return Ok(());
        }
        tx.count_ids_on()?;
        let written = after.iter().zip(before).map(|((name, after), (_, before))| (name, after - before));
        let details: Value = written.map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        let change = Change::begin(tx, self.now, &self.actor, ChangePolicy::default())?;
        Ok(audit::record(&change, "directory.import", &AuditObject::Directory, details)?)
    }
}
