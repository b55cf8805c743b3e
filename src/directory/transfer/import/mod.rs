//! Imports users, groups and tokens from elsewhere. Ids, times and text are kept exactly, empty and null stay different,
//! and no rule for new input applies.
//!
//! A [`Source`](source::Source) yields records in batches and can be read again: lines of JSON ([`lines`]), a table
//! ([`table`]), or a foreign system that the caller reads. The steps, in order:
//!
//! 1. `validation` reads the source alone and finds where it contradicts itself; `valid_source` yields the valid records.
//! 2. `diff` compares records with the account database and finds what is new or differs.
//! 3. `apply` takes the differences: a dry run checks them, the writers write them.
//!
//! Nothing is written if there is a conflict. A database without users is filled in one transaction. Otherwise up to 5,000
//! records are written in one transaction, and more than that in transactions of 500 records, so that other writers need
//! not wait long. An import that was interrupted is continued by running it again: rows that are the same are left alone.

mod apply;
mod diff;
mod diff_counts;
mod difference;
pub mod error;
mod file_errors;
mod job;
mod known;
pub mod lines;
pub mod media;
mod missing;
pub mod notices;
pub mod options;
mod part;
pub mod report;
mod same_object;
pub mod source;
mod stable_file;
pub mod table;
mod valid_source;
mod validation;

use futures_util::future::join_all;
use tokio::task::spawn_blocking;

use self::error::ImportError;
use self::job::{ImportJob, SourceComparison};
use self::media::AvatarCopy;
use self::missing::Missing;
use self::notices::Notices;
use self::options::ImportOptions;
use self::part::PartWriter;
use self::report::ImportReport;
use self::source::Source;
use self::valid_source::{ValidSource, count_users};
use super::record::{Record, id_of};
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::error::Error;
use crate::directory::model::{GroupKey, UserKey};
use crate::directory::progress::{Progress, Stage};
use crate::directory::store::Tx;

/// Records in a transaction if there are too many for one, and rows that are deleted together.
const PART: usize = 500;

impl Directory {
    /// Reports what [`Directory::import`] would do. Nothing is written.
    pub async fn dry_run_import(
        &self,
        actor: &Actor,
        source: impl Source,
        options: &ImportOptions,
        progress: Progress,
    ) -> Result<ImportReport, ImportError> {
        let (job, report) = self.validate(actor, source, options, progress).await?;
        let mut report = ImportReport { dry_run: true, ..report };
        let (job, _) = self.compare(job, &mut report).await?;
        if report.is_refused() {
            return Ok(report);
        }
        avatars(job, report, AvatarCopy::check).await
    }

    /// Imports what the source holds. If the report [is refused](ImportReport::is_refused), it says why, and nothing was
    /// written. With [`ImportOptions::sync`] rows that differ are overwritten.
    pub async fn import(
        &self,
        actor: &Actor,
        source: impl Source,
        options: &ImportOptions,
        progress: Progress,
    ) -> Result<ImportReport, ImportError> {
        let (job, mut report) = self.validate(actor, source, options, progress).await?;
        let written = match job.can_fill() {
            true => self.fill(job, &mut report).await?,
            false => self.write(job, &mut report).await?,
        };
        match written {
            Some(job) => avatars(job, report, AvatarCopy::copy).await,
            None => Ok(report),
        }
    }

    async fn validate(
        &self,
        actor: &Actor,
        source: impl Source,
        options: &ImportOptions,
        mut progress: Progress,
    ) -> Result<(ImportJob, ImportReport), ImportError> {
        authorize(actor, Action::Import).map_err(Error::from)?;
        let is_empty = !self.store.snapshot(|tx| tx.has_users()).await?;
        let (actor, options, now) = (actor.clone(), options.clone(), self.clock.now());
        blocking(move || {
            let source = ValidSource::new(Box::new(source), &mut progress)?;
            let job = ImportJob { actor, options, source, progress, now, is_empty };
            let report = job.report();
            Ok((job, report))
        })
        .await
    }

    /// Compares the source with the account database as it is at one moment.
    async fn compare(
        &self,
        mut job: ImportJob,
        report: &mut ImportReport,
    ) -> Result<(ImportJob, SourceComparison), ImportError> {
        let compare = move |tx: &Tx<'_>| {
            let comparison = job.compare(tx)?;
            Ok((job, comparison))
        };
        let (job, mut comparison) = self.store.snapshot(compare).await?;
        std::mem::take(&mut comparison.counts).report(report);
        comparison.missing.report(report);
        Ok((job, comparison))
    }

    /// Fills a database without users. Returns `None` if the import is refused.
    async fn fill(
        &self,
        mut job: ImportJob,
        report: &mut ImportReport,
    ) -> Result<Option<ImportJob>, ImportError> {
        if report.is_refused() {
            return Ok(None);
        }
        let fill = move |tx: &Tx<'_>| {
            let counts = job.fill(tx)?;
            Ok((job, counts))
        };
        match self.store.load(fill).await.map_err(ImportError::from) {
            Ok((job, counts)) => {
                counts.report(report);
                Ok(Some(job))
            }
            Err(ImportError::Conflicts(conflicts)) => {
                report.conflicts.extend(conflicts);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Compares, and writes what differs. Returns `None` if the import is refused.
    async fn write(
        &self,
        job: ImportJob,
        report: &mut ImportReport,
    ) -> Result<Option<ImportJob>, ImportError> {
        let (job, SourceComparison { missing, records, .. }) = self.compare(job, report).await?;
        if report.is_refused() {
            return Ok(None);
        }
        if job.options.delete_missing {
            // First, so that their unique values are free.
            self.delete_missing(&job.actor, &missing, report).await?;
        }
        let job = match records {
            Some(records) if records.is_empty() => job,
            Some(records) => self.write_at_once(job, records).await?,
            None => self.write_in_parts(job, report).await?,
        };
        Ok(Some(job))
    }

    /// Writes what the comparison has kept, all of it or nothing.
    async fn write_at_once(
        &self,
        mut job: ImportJob,
        records: Vec<Record>,
    ) -> Result<ImportJob, ImportError> {
        job.progress.begin(Stage::Writing, None);
        let write = move |tx: &mut Tx<'_>| {
            let users = count_users(&records);
            PartWriter::begin(&job, tx)?.write(tx, records)?;
            job.progress.add(users);
            Ok(job)
        };
        Ok(self.store.write_alone(write).await?)
    }

    /// Reads the source again and writes what differs in transactions of [`PART`] records.
    async fn write_in_parts(
        &self,
        job: ImportJob,
        report: &mut ImportReport,
    ) -> Result<ImportJob, ImportError> {
        let begin = move |tx: &Tx<'_>| {
            let writer = PartWriter::begin(&job, tx)?;
            Ok((job, writer))
        };
        let (mut job, mut writer) = self.store.snapshot(begin).await?;
        job.source.begin(Stage::Writing, &mut job.progress)?;
        loop {
            let next = move || {
                let batch = job.source.next_batch()?;
                Ok((job, batch))
            };
            let batch;
            (job, batch) = blocking(next).await?;
            let Some(batch) = batch else { break };
            let mut rest = batch.into_iter();
            while rest.len() > 0 {
                let part: Vec<_> = rest.by_ref().take(PART).collect();
                let users = count_users(&part);
                let write = move |tx: &mut Tx<'_>| {
                    writer.write(tx, part)?;
                    Ok(writer)
                };
                writer = self.store.write_alone(write).await?;
                job.progress.add(users);
            }
        }
        writer.into_counts().report(report);
        Ok(job)
    }

    /// Deletes what the source no longer holds, as an operator would one by one.
    async fn delete_missing(
        &self,
        actor: &Actor,
        missing: &Missing,
        report: &mut ImportReport,
    ) -> Result<(), ImportError> {
        for ids in missing.users.chunks(PART) {
            let deletions =
                ids.iter().map(async |id| self.delete_user(actor, &UserKey::Id(id_of(*id)?)).await.map(drop));
            report.users.removed += count_done(deletions).await?;
        }
        for ids in missing.groups.chunks(PART) {
            let deletions = ids
                .iter()
                .map(async |id| self.delete_group(actor, &GroupKey::Id(id_of(*id)?)).await.map(drop));
            report.groups.removed += count_done(deletions).await?;
        }
        for ids in missing.tokens.chunks(PART) {
            let revocations =
                ids.iter().map(async |id| self.revoke_token(actor, None, id_of(*id)?).await.map(drop));
            report.tokens.removed += count_done(revocations).await?;
        }
        Ok(())
    }
}

/// Waits for deletions that run together. A row that was deleted meanwhile is no error.
async fn count_done(
    deletions: impl Iterator<Item = impl Future<Output = Result<(), Error>>>,
) -> Result<u64, Error> {
    let mut count = 0;
    for outcome in join_all(deletions).await {
        match outcome {
            Ok(()) => count += 1,
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Copies the avatars of the source's users, or checks whether they can be copied.
async fn avatars(
    mut job: ImportJob,
    mut report: ImportReport,
    copy: impl Fn(&AvatarCopy, &str, &mut Notices) -> Result<bool, ImportError> + Send + 'static,
) -> Result<ImportReport, ImportError> {
    if job.options.media.is_none() {
        return Ok(report);
    }
    blocking(move || {
        report.media = job.avatars(copy, &mut report.notices)?;
        Ok(report)
    })
    .await
}

/// Runs work on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImportError> + Send + 'static,
) -> Result<T, ImportError> {
    spawn_blocking(work).await.map_err(|error| Error::broken("an import failed", error))?
}
