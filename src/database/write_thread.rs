//! The thread of the writer: transactions of jobs, their time limits, and what happens when they fail.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::backend::Backend;
use super::error::DatabaseError;
use super::link::Link;
use super::log_watch::LogWatch;
use super::tx::Tx;
use super::write_job::WriteJob;

/// How many jobs may share a transaction, so that the first does not wait long for the last.
const BATCH: usize = 64;
/// After how many jobs the statements that they sent are handed to PostgreSQL, which works on them while the next jobs
/// run. Each time wakes it, which takes longer than a job.
const FLUSH: usize = 8;
/// How often a transaction runs again after an error that passes.
const REPEATS: u32 = 4;
/// The pause before the first of them; each is longer by as much.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a transaction of shared jobs may be idle before PostgreSQL ends it. Its process sends the next statement at
/// once, unless it is stopped or cut off. Then it would hold up the writers of all other processes.
const IDLE: Duration = Duration::from_secs(1);
/// The same for work that has a transaction of its own: it may read a file or another database meanwhile.
const IDLE_ALONE: Duration = Duration::from_secs(10);
/// The part of the timeout for which a statement of shared jobs waits for a lock that another session holds. All writers
/// of all processes wait for it meanwhile.
const LOCKED: u32 = 5;
/// A connection that was not used for longer is tried first: a firewall may have dropped it silently.
const FRESH: Duration = Duration::from_secs(10);

/// A hook that runs at the end of every transaction, for example to update an index.
pub(crate) trait BeforeCommit: Send {
    /// Runs inside the transaction. Returns whether more work is left for a later transaction.
    fn end_transaction(&mut self, link: &Link) -> bool;
}

type Jobs = [Box<dyn WriteJob>];

/// Runs the jobs that arrive until no sender is left.
pub(super) fn run(
    backend: &Backend,
    before_commit: Box<dyn BeforeCommit>,
    mut jobs: mpsc::Receiver<Box<dyn WriteJob>>,
) {
    let log = match backend {
        Backend::Sqlite { directory, .. } => Some(LogWatch::new(directory)),
        Backend::Postgres { .. } => None,
    };
    let mut thread = WriterThread { backend, link: None, used: Instant::now(), before_commit, log };
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let mut has_more = false;
        for jobs in batch.chunk_by_mut(|one, next| one.is_shared() && next.is_shared()) {
            has_more = thread.carry_out(jobs);
        }
        batch.clear();
        // The hook has work left, for example after another program's SQL changed many rows. The thread is idle, so it
        // runs the hook until all is done or a job arrives.
        while has_more && jobs.is_empty() {
            has_more = thread.attempt(&mut []).unwrap_or(false);
        }
    }
}

/// The state of the writer's thread.
struct WriterThread<'a> {
    backend: &'a Backend,
    link: Option<Link>,
    /// When the connection was last used.
    used: Instant,
    before_commit: Box<dyn BeforeCommit>,
    /// Watches SQLite's log.
    log: Option<LogWatch>,
}

impl WriterThread<'_> {
    /// Runs jobs in a transaction, again after an error that passes, and answers their callers. Returns whether the hook
    /// has work left.
    fn carry_out(&mut self, jobs: &mut Jobs) -> bool {
        let mut pauses = (1..=REPEATS).map(|number| PAUSE * number);
        let committed = loop {
            match self.attempt(jobs) {
                Err(DatabaseError::Transient(why)) if jobs.iter().any(|job| job.can_begin()) => {
                    let Some(pause) = pauses.next() else { break Err(DatabaseError::Transient(why)) };
                    tracing::debug!(why, "a transaction runs again");
                    std::thread::sleep(pause);
                }
                outcome => break outcome,
            }
        };
        for job in jobs {
            job.finish(committed.as_ref().map(|_| ()).map_err(copy_error));
        }
        if let Err(DatabaseError::Damaged(_)) = committed {
            self.backend.note_damage();
        }
        if let (Some(log), Some(Link::Sqlite(connection))) = (&mut self.log, &self.link) {
            log.after_commit(connection);
        }
        committed.unwrap_or(false)
    }

    /// Runs jobs in a transaction and commits it. Returns whether the hook has work left.
    fn attempt(&mut self, jobs: &mut Jobs) -> Result<bool, DatabaseError> {
        let committed = self.transact(jobs);
        if committed.is_err() {
            // The state of the connection is unknown, so the next transaction gets a new one.
            if let Some(lost) = self.link.take() {
                lost.discard();
            }
        }
        self.used = Instant::now();
        committed
    }

    fn transact(&mut self, jobs: &mut Jobs) -> Result<bool, DatabaseError> {
        let (timeout, is_idle) = (self.backend.timeout(), jobs.is_empty());
        let is_shared = jobs.iter().all(|job| job.is_shared());
        let limit = jobs.iter().map(|job| job.time_to_begin()).max().unwrap_or(timeout);
        let locks = if is_shared { timeout / LOCKED } else { timeout };
        self.begin(limit, locks, if is_shared { IDLE } else { IDLE_ALONE.max(timeout * 5) })?;
        let link = self.link.as_ref().ok_or_else(not_open)?;
        // From here on the callers wait for the result, whatever it is.
        let mut jobs: Vec<_> = jobs.iter_mut().filter_map(|job| job.begin().then_some(job)).collect();
        if jobs.is_empty() && !is_idle {
            return link.roll_back().map(|()| false);
        }
        link.set_budget(jobs.iter().map(|job| job.time_left()).min().filter(|_| is_shared));
        commit_on(link, &mut *self.before_commit, &mut jobs)
    }

    /// Begins a transaction, on a new connection if there is none or the old one does not answer.
    fn begin(&mut self, limit: Duration, locks: Duration, idle: Duration) -> Result<(), DatabaseError> {
        let (timeout, begun) = (self.backend.timeout(), Instant::now());
        if let Some(old) = self.link.take() {
            old.set_budget(Some(timeout / 4));
            match self.used.elapsed() > FRESH && old.batch("SELECT 1").is_err() {
                true => old.discard(),
                false => self.link = Some(old),
            }
        }
        if self.link.is_none() {
            self.link = Some(self.backend.link_within(limit.max(timeout / 8))?);
        }
        let link = self.link.as_ref().ok_or_else(not_open)?;
        link.begin_within(limit.saturating_sub(begun.elapsed()), locks, idle)
    }
}

fn not_open() -> DatabaseError {
    DatabaseError::Broken("the writer has no connection".into())
}

/// Runs jobs and the hook in the transaction that was begun on `link`, and commits it.
fn commit_on(
    link: &Link,
    before_commit: &mut dyn BeforeCommit,
    jobs: &mut [&mut Box<dyn WriteJob>],
) -> Result<bool, DatabaseError> {
    match jobs {
        [only] if !only.is_shared() => {
            let mut tx = Tx::new(link);
            let succeeded = only.run(&mut tx);
            tx.check_fatal()?;
            if !succeeded {
                return link.roll_back().map(|()| false);
            }
        }
        _ => match (run_pipelined(link, jobs), jobs) {
            (BatchOutcome::Succeeded, _) => {}
            // No other job shares the transaction, so there is nothing to repeat.
            (BatchOutcome::JobFailed, [_]) => return link.roll_back().map(|()| false),
            // A second run in the same way would only wait for the database again, or meet the same error.
            (BatchOutcome::StatementFailed(error @ DatabaseError::Unavailable(_)), [_])
            | (
                BatchOutcome::StatementFailed(
                    error @ (DatabaseError::Transient(_) | DatabaseError::Damaged(_)),
                ),
                _,
            ) => return Err(error),
            (_, jobs) => {
                link.roll_back()?;
                begin_again(link, jobs)?;
                run_with_savepoints(link, jobs)?;
            }
        },
    }
    let has_more = before_commit.end_transaction(link);
    link.commit().map(|()| has_more)
}

/// Begins the second run of shared jobs, in which a job that needs a lock waits briefly.
fn begin_again(link: &Link, jobs: &[&mut Box<dyn WriteJob>]) -> Result<(), DatabaseError> {
    let left = jobs.iter().map(|job| job.time_left()).min().unwrap_or_default();
    link.begin_within(left / 2, left / (2 * LOCKED), IDLE)?;
    link.set_budget(Some(left));
    Ok(())
}

/// The outcome of jobs that ran without savepoints.
enum BatchOutcome {
    /// All changes can be committed.
    Succeeded,
    /// A job failed after it had written.
    JobFailed,
    /// A statement failed that its job had not awaited, or one after which the transaction cannot be committed.
    StatementFailed(DatabaseError),
}

/// Runs jobs one after the other without savepoints. It stops at the first one that fails after it has written.
fn run_pipelined(link: &Link, jobs: &mut [&mut Box<dyn WriteJob>]) -> BatchOutcome {
    let mut tx = Tx::pipelined(link);
    if let Err(error) = tx.read_ahead(jobs.iter().flat_map(|job| job.first_reads()).cloned()) {
        return BatchOutcome::StatementFailed(error);
    }
    let can_commit = jobs.chunks_mut(FLUSH).all(|some| {
        let succeeded = some.iter_mut().all(|job| {
            let succeeded = job.run(&mut tx);
            !tx.take_dirty() || succeeded
        });
        tx.flush();
        succeeded
    });
    let sent = tx.await_sent();
    match tx.check_fatal().and(sent) {
        Err(error) => BatchOutcome::StatementFailed(error),
        Ok(()) if can_commit => BatchOutcome::Succeeded,
        Ok(()) => BatchOutcome::JobFailed,
    }
}

/// Runs jobs one after the other, each behind a savepoint, and rolls back exactly those that fail.
fn run_with_savepoints(link: &Link, jobs: &mut [&mut Box<dyn WriteJob>]) -> Result<(), DatabaseError> {
    let mut tx = Tx::new(link);
    // One round trip to PostgreSQL ends one job and begins the next.
    let mut end = "";
    for job in jobs {
        link.batch(&format!("{end}SAVEPOINT job"))?;
        let succeeded = job.run(&mut tx);
        tx.check_fatal()?;
        end = if succeeded {
            "RELEASE job; "
        } else if link.is_in_transaction() {
            tx.clear_scratch();
            "ROLLBACK TO job; RELEASE job; "
        } else {
            return Err(DatabaseError::Unavailable("the database rolled back the transaction".to_owned()));
        };
    }
    link.batch(end)
}

/// Copies the error of a commit for one more caller.
fn copy_error(error: &DatabaseError) -> DatabaseError {
    match error {
        DatabaseError::Unavailable(why) | DatabaseError::Transient(why) | DatabaseError::Damaged(why) => {
            DatabaseError::Unavailable(why.clone())
        }
        DatabaseError::Unconfirmed(why) => DatabaseError::Unconfirmed(why.clone()),
        DatabaseError::Constraint(name) => DatabaseError::Broken(format!("a commit failed: {name}").into()),
        DatabaseError::Broken(source) => DatabaseError::Broken(format!("a commit failed: {source}").into()),
    }
}
