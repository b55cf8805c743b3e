//! Bringing people in from elsewhere: from lines of JSON ([`lines`]) or from
//! a table ([`table`]). Ids, times and text are kept exactly, empty and null stay different, and no rule for new
//! input is applied.
//!
//! A [`Source`] gives records in batches and can be read again. First it is surveyed by itself (`survey`), then held
//! against the directory (`pass`); what contradicts is told, and nothing is written unless nothing does. A directory
//! without users is filled in one transaction; otherwise a transaction takes some hundred records, and a run that was
//! cut short is taken up by running it again, since what is there already is left alone.
//!
//! `direct` is for a few records that are at hand, as the demo's.

pub mod direct;
pub mod lines;
pub mod media;
mod missing;
mod pass;
pub mod report;
mod survey;
pub mod table;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use tokio::task::spawn_blocking;

pub use self::direct::{ImportedToken, ImportedUser, Records};
use self::media::Media;
use self::missing::Missing;
use self::pass::{Known, Mode, Pass, Tally};
use self::report::{Notices, Report};
use self::survey::Survey;
use super::record::Record;
use crate::database::foreign::ForeignError;
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{GroupKey, Timestamp, UserKey, Violation};
use crate::directory::progress::{Progress, Stage};
use crate::directory::settings::ChangePolicy;
use crate::directory::store::Tx;

/// Records written in one transaction, so that other writers need not wait long.
const PART: usize = 500;

/// Why something cannot be brought in. Nothing of the batch it stands in was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be opened or asked.
    #[error("the source cannot be read: {0}")]
    Unreadable(String),
    /// It holds something that cannot be taken.
    #[error("{0}")]
    Wrong(String),
    /// It is not clear what of it is meant.
    #[error("{0}")]
    Unclear(String),
    /// It contradicts itself or the directory; nothing was written.
    #[error("there are conflicts")]
    Conflicts(Notices),
}

impl From<ForeignError> for ImportError {
    fn from(error: ForeignError) -> Self {
        match error {
            ForeignError::Unreadable(why) => Self::Unreadable(why),
            ForeignError::Unclear(why) => Self::Unclear(why),
        }
    }
}

/// Where records come from. Both readings must give the same ones.
pub trait Source: Send + 'static {
    /// What it is, without secrets.
    fn describe(&self) -> String;
    /// Begins from the start.
    fn rewind(&mut self) -> Result<(), ImportError>;
    /// The next records: groups before their members, users before their tokens. None when there are no more.
    fn next(&mut self) -> Result<Option<Vec<Record>>, ImportError>;
    /// What was met since the start and is left out.
    fn notices(&mut self) -> Notices;
    /// What was met since the start and cannot be taken, where a source can go on behind it.
    fn conflicts(&mut self) -> Notices {
        Notices::default()
    }
    /// How many users it holds, where that is cheap to know.
    fn total(&self) -> Option<u64>;
    /// What is read from where, where that is not a matter of course.
    fn mapping(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// How to bring in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Overwrite rows of the directory that differ from the source's.
    pub sync: bool,
    /// Remove what the source no longer holds: users into the recycle bin; imported tokens are revoked. Kinds of
    /// which the source holds nothing are left alone.
    pub delete_missing: bool,
    /// Let the user with the lowest id keep an address or number that several share; the others lose it.
    pub clear_duplicates: bool,
    /// Where the files of avatars come from, if they are to be brought along.
    pub media: Option<Media>,
}

/// An import on its way; it is handed from thread to thread.
struct Import {
    actor: Actor,
    options: Options,
    source: Box<dyn Source>,
    survey: Arc<Survey>,
    progress: Progress,
    now: Timestamp,
    /// So many records are written in one transaction, if that is all of them.
    most_at_once: usize,
}

impl Import {
    fn pass(&self, tx: &Tx<'_>, mode: Mode) -> Result<Pass, Error> {
        Ok(Pass {
            mode,
            survey: Arc::clone(&self.survey),
            options: self.options.clone(),
            now: self.now,
            actor: self.actor.clone(),
            known: Known::of(tx)?,
            tally: Tally::default(),
            named: HashMap::new(),
            seen: HashSet::new(),
            held: Vec::new(),
            admins: 0,
            collected: Some(Vec::new()),
            most_collected: self.most_at_once,
            is_second: false,
        })
    }

    fn begin(&mut self, stage: Stage) -> Result<(), ImportError> {
        self.source.rewind()?;
        self.progress.begin(stage, self.source.total());
        Ok(())
    }

    /// Goes through all of the source within one transaction.
    fn go_through(&mut self, tx: &Tx<'_>, mode: Mode, stage: Stage) -> Result<Pass, Error> {
        let mut pass = self.pass(tx, mode)?;
        self.begin(stage)?;
        while let Some(batch) = self.source.next()? {
            let users = pass.tally.users.read;
            pass.take(tx, batch)?;
            self.progress.add(pass.tally.users.read - users);
        }
        Ok(pass)
    }

    /// Brings the files of avatars along, or counts those that would be.
    fn bring_media(&mut self, notices: &mut Notices) -> Result<u64, Error> {
        let Some(media) = self.options.media.clone() else { return Ok(0) };
        self.begin(Stage::Files)?;
        let mut brought = 0;
        while let Some(batch) = self.source.next()? {
            for record in batch {
                let Record::User(user) = record else { continue };
                if let Some(name) = user.avatar.flatten().filter(|name| !name.is_empty()) {
                    brought += u64::from(media.bring(&name, !self.options.dry_run, notices)?);
                }
                self.progress.add(1);
            }
        }
        Ok(brought)
    }
}

/// What a comparison found is to be done.
#[derive(Default)]
struct Plan {
    missing: Missing,
    /// What is new or other, unless it is too much to be kept.
    collected: Option<Vec<Record>>,
}

impl Directory {
    /// Brings in what the source holds, or tells what keeps it from being brought in: a report that
    /// [`Report::is_refused`] means that nothing was written.
    pub async fn bring_in(
        &self,
        actor: &Actor,
        source: impl Source,
        options: &Options,
        progress: Progress,
    ) -> Result<Report, Error> {
        authorize(actor, Action::Import)?;
        let source: Box<dyn Source> = Box::new(source);
        let (survey, now) = (Arc::default(), self.clock.now());
        let is_empty = !self.store.snapshot(|tx| tx.has_users()).await?;
        // Where nobody is, nobody has to wait.
        let most_at_once = if is_empty { 100_000 } else { 5_000 };
        let mut import = Import {
            actor: actor.clone(),
            options: options.clone(),
            source,
            survey,
            progress,
            now,
            most_at_once,
        };
        import = blocking(move || {
            import.survey = Arc::new(Survey::of(import.source.as_mut(), &mut import.progress)?);
            Ok(import)
        })
        .await?;
        let mut report = Report::of(&import, is_empty);
        let can_be_filled = is_empty && !import.survey.refers_by_name;
        let mut plan = Plan::default();
        if !can_be_filled || options.dry_run {
            (import, plan) = self.compare(import, &mut report).await?;
        }
        if report.is_refused() {
            return Ok(report);
        }
        if !options.dry_run {
            let Some(back) = self.carry_out(actor, import, plan, can_be_filled, &mut report).await? else {
                return Ok(report);
            };
            import = back;
        }
        if options.media.is_some() {
            report = blocking(move || {
                report.media = import.bring_media(&mut report.notices)?;
                Ok(report)
            })
            .await?;
        }
        Ok(report)
    }

    /// Writes what is to be written; tells whether it could be.
    async fn carry_out(
        &self,
        actor: &Actor,
        import: Import,
        plan: Plan,
        can_be_filled: bool,
        report: &mut Report,
    ) -> Result<Option<Import>, Error> {
        if import.options.delete_missing {
            // First, so that what they held alone is free.
            self.remove(actor, &plan.missing, report).await?;
        }
        if can_be_filled {
            return match self.fill(import).await {
                Ok((import, tally)) => {
                    report.take(tally);
                    Ok(Some(import))
                }
                Err(Error::Import(ImportError::Conflicts(conflicts))) => {
                    report.conflicts.extend(conflicts);
                    Ok(None)
                }
                Err(error) => Err(error),
            };
        }
        match plan.collected {
            Some(records) if records.is_empty() => Ok(Some(import)),
            Some(records) => Ok(Some(self.write_at_once(import, records).await?)),
            None => {
                let (import, tally) = self.write_in_parts(import).await?;
                report.take(tally);
                Ok(Some(import))
            }
        }
    }

    /// Holds the source against the directory as it is at one moment.
    async fn compare(&self, mut import: Import, report: &mut Report) -> Result<(Import, Plan), Error> {
        let compare = move |tx: &Tx<'_>| {
            let mut pass = import.go_through(tx, Mode::Count, Stage::Comparing)?;
            import.progress.begin(Stage::Missing, None);
            let missing = Missing::find(tx, &import.survey, &pass.seen)?;
            pass.check_holders(&missing.users);
            pass.check_admins(&tx.active_admins()?, &missing.users);
            Ok((import, pass.tally, Plan { missing, collected: pass.collected }))
        };
        let (import, tally, plan) = self.store.snapshot(compare).await?;
        report.take(tally);
        report.take_missing(&plan.missing);
        Ok((import, plan))
    }

    /// Fills a directory without users.
    async fn fill(&self, mut import: Import) -> Result<(Import, Tally), Error> {
        let fill = move |tx: &Tx<'_>| {
            let Pass { tally, .. } = import.go_through(tx, Mode::Fill, Stage::Writing)?;
            if !tally.conflicts.is_empty() {
                return Err(ImportError::Conflicts(tally.conflicts).into());
            }
            import.progress.begin(Stage::Indexing, None);
            let told = json!({ "source": import.source.describe(), "groups": tally.groups.added,
                "users": tally.users.added, "tokens": tally.tokens.added });
            let change = Change::begin(tx, import.now, &import.actor, ChangePolicy::default())?;
            audit::record(&change, "directory.import", &AuditObject::Directory, told)?;
            Ok((import, tally))
        };
        self.store.load(fill).await
    }

    /// Writes what the comparison has collected, all of it or nothing.
    async fn write_at_once(&self, mut import: Import, records: Vec<Record>) -> Result<Import, Error> {
        import.progress.begin(Stage::Writing, None);
        let write = move |tx: &mut Tx<'_>| {
            let mut pass = import.pass(tx, Mode::Write)?;
            pass.is_second = true;
            pass.take(tx, records)?;
            pass.tally.check()?;
            import.progress.add(pass.tally.users.read);
            Ok(import)
        };
        self.store.write_alone(write).await
    }

    /// Writes what is new or other, some hundred records a transaction: too much to keep others waiting for all of it.
    async fn write_in_parts(&self, import: Import) -> Result<(Import, Tally), Error> {
        let (mut import, mut pass) = self
            .store
            .snapshot(move |tx| {
                let pass = import.pass(tx, Mode::Write)?;
                Ok((import, pass))
            })
            .await?;
        import.begin(Stage::Writing)?;
        loop {
            let (back, batch) = blocking(move || {
                let batch = import.source.next()?;
                Ok((import, batch))
            })
            .await?;
            import = back;
            let Some(batch) = batch else { return Ok((import, pass.tally)) };
            let mut rest = batch.into_iter();
            while rest.len() > 0 {
                let (part, before) = (rest.by_ref().take(PART).collect(), pass.tally.users.read);
                let work = move |tx: &mut Tx<'_>| {
                    pass.take(tx, part)?;
                    pass.tally.check()?;
                    Ok(pass)
                };
                pass = self.store.write_alone(work).await?;
                import.progress.add(pass.tally.users.read - before);
            }
        }
    }

    /// Removes what the source no longer holds, as an operator would one by one.
    async fn remove(&self, actor: &Actor, missing: &Missing, report: &mut Report) -> Result<(), Error> {
        for some in missing.users.chunks(PART) {
            let gone = some
                .iter()
                .map(async |id| self.delete_user(actor, &UserKey::Id(id_of(*id)?)).await.map(|_| ()));
            report.users.removed += settled(gone).await?;
        }
        for some in missing.groups.chunks(PART) {
            let gone = some
                .iter()
                .map(async |id| self.delete_group(actor, &GroupKey::Id(id_of(*id)?)).await.map(|_| ()));
            report.groups.removed += settled(gone).await?;
        }
        for some in missing.tokens.chunks(PART) {
            let gone =
                some.iter().map(async |id| self.revoke_token(actor, None, id_of(*id)?).await.map(|_| ()));
            report.tokens.removed += settled(gone).await?;
        }
        Ok(())
    }
}

/// Waits for removals that are under way together; what somebody else has removed meanwhile is no fault.
async fn settled(
    removals: impl Iterator<Item = impl Future<Output = Result<(), Error>>>,
) -> Result<u64, Error> {
    let mut count = 0;
    for outcome in join_all(removals).await {
        match outcome {
            Ok(()) => count += 1,
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Runs on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|error| Error::broken("an import failed", error))?
}

/// An id that the survey has let pass, or that came from the directory.
fn id_of<T: TryFrom<i64, Error = Violation>>(id: i64) -> Result<T, Error> {
    T::try_from(id).map_err(|rule| Error::invalid("id", &rule))
}
