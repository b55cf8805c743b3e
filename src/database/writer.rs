//! The writer: one thread through which all writes of this process go.
//!
//! Work arrives as closures over a [`Tx`]. All jobs that wait when the thread is free share one transaction, so that
//! one flush to disk pays for all of them. A caller gets its result only after the commit that made it durable.
//!
//! Nearly always every job succeeds, or fails before it has written anything. So the jobs of a batch run one after the
//! other without savepoints, which would cost as much as the work. If a job fails after it has written, the transaction
//! is rolled back and all jobs run again, each behind a savepoint. That is why shared work must be able to run twice;
//! other work gets a transaction of its own. The first run does not wait for each statement, because the second run
//! shows which job failed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot};

use super::backend::Backend;
use super::error::DatabaseError;
use super::tx::{Link, Tx};

/// How many jobs may wait in the queue. While it is full, callers wait.
const QUEUE: usize = 1024;
/// How many jobs may share a transaction, so that the first does not wait long for the last.
const BATCH: usize = 64;

/// A hook that runs at the end of every transaction, for example to update an index.
pub(crate) trait BeforeCommit: Send {
    /// Runs inside the transaction. Returns whether more work is left for a later transaction.
    fn end_transaction(&mut self, link: &Link) -> bool;
}

/// A job whose caller waits for the result.
trait WriteJob: Send {
    /// Runs the work. Returns whether it succeeded, so that its changes can be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Returns whether it may share a transaction, and so may run twice.
    fn is_shared(&self) -> bool;
    /// Sends the result to the caller, after the transaction was committed or has failed.
    fn finish(&mut self, committed: Result<(), DatabaseError>);
}

/// A closure, its result, and the channel to its caller.
struct PendingWrite<F, T, E> {
    work: F,
    is_shared: bool,
    /// `None` until the work has run.
    result: Option<Result<T, E>>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

impl<F, T, E> WriteJob for PendingWrite<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // A panic in one job must not end the thread. The job counts as failed, so its changes are rolled back.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(DatabaseError::Broken("the work of a write panicked".into()).into()));
        self.result.insert(result).is_ok()
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn finish(&mut self, committed: Result<(), DatabaseError>) {
        let result = self.result.take().unwrap_or_else(|| Err(not_run().into()));
        if let Some(reply) = self.reply.take() {
            // The error of a failed transaction replaces the job's result, which may be a consequence of it. Sending
            // fails when the caller has gone away; then no one needs the result.
            let _ = reply.send(committed.map_err(E::from).and(result));
        }
    }
}

/// Submits jobs to the writer's thread. The thread stops when the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn WriteJob>>,
}

impl Writer {
    /// Starts the thread. It opens its connection when the first job arrives.
    pub(crate) fn start(backend: Backend, before_commit: Box<dyn BeforeCommit>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || run(&backend, before_commit, jobs))?;
        Ok(Self { queue })
    }

    /// Runs work in a transaction that it may share with other work. Returns when the changes are durable, or when
    /// nothing was changed.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.submit(work, true).await
    }

    /// Runs work once, in a transaction of its own.
    pub(crate) async fn write_alone<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let mut work = Some(work);
        self.submit(
            move |tx: &mut Tx<'_>| work.take().map_or_else(|| Err(not_run().into()), |work| work(tx)),
            false,
        )
        .await
    }

    async fn submit<T, E, F>(&self, work: F, is_shared: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let job = Box::new(PendingWrite { work, is_shared, result: None, reply: Some(reply) });
        self.queue.send(job).await.map_err(|_| E::from(not_run()))?;
        result.await.map_err(|_| E::from(not_run()))?
    }
}

fn not_run() -> DatabaseError {
    DatabaseError::Broken("the work of a write was not run".into())
}

fn run(backend: &Backend, before_commit: Box<dyn BeforeCommit>, mut jobs: mpsc::Receiver<Box<dyn WriteJob>>) {
    let mut thread = WriterThread { backend, link: None, before_commit };
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let mut has_more = false;
        for jobs in batch.chunk_by_mut(|one, next| one.is_shared() && next.is_shared()) {
            let committed = thread.commit(jobs);
            has_more = committed.as_ref().is_ok_and(|has_more| *has_more);
            for job in jobs {
                job.finish(committed.as_ref().map(|_| ()).map_err(copy_error));
            }
        }
        batch.clear();
        // The hook has work left, for example after another program's SQL changed many rows. The thread is idle, so it
        // runs the hook until all is done or a job arrives.
        while has_more && jobs.is_empty() {
            has_more = thread.commit(&mut []).unwrap_or(false);
        }
    }
}

/// The state of the writer's thread.
struct WriterThread<'a> {
    backend: &'a Backend,
    link: Option<Link>,
    before_commit: Box<dyn BeforeCommit>,
}

/// If a statement of the transaction has failed, PostgreSQL treats `COMMIT` as `ROLLBACK` and reports no error.
/// `SELECT` does report it.
const COMMIT: &str = "SELECT 1; COMMIT";

impl WriterThread<'_> {
    /// Runs jobs in a transaction and commits it. Returns whether the hook has work left.
    fn commit(&mut self, jobs: &mut [Box<dyn WriteJob>]) -> Result<bool, DatabaseError> {
        let committed = commit_on(begin(self.backend, &mut self.link)?, &mut *self.before_commit, jobs);
        if committed.is_err() {
            // The state of the connection is unknown, so the next transaction gets a new one.
            if let Some(lost) = self.link.take() {
                lost.discard();
            }
        }
        committed
    }
}

/// Runs jobs and the hook in the transaction that was begun on `link`, and commits it.
fn commit_on(
    link: &Link,
    before_commit: &mut dyn BeforeCommit,
    jobs: &mut [Box<dyn WriteJob>],
) -> Result<bool, DatabaseError> {
    match jobs {
        [only] if !only.is_shared() => {
            if !only.run(&mut Tx::new(link)) {
                return link.roll_back().map(|()| false);
            }
        }
        _ => match (run_pipelined(link, jobs), jobs) {
            (BatchOutcome::Succeeded, _) => {}
            // No other job shares the transaction, so there is nothing to repeat.
            (BatchOutcome::JobFailed, [_]) => return link.roll_back().map(|()| false),
            // A second run would only wait for the database again.
            (BatchOutcome::StatementFailed(error @ DatabaseError::Unavailable(_)), [_]) => return Err(error),
            (_, jobs) => {
                link.roll_back()?;
                link.begin()?;
                run_with_savepoints(link, jobs)?;
            }
        },
    }
    let has_more = before_commit.end_transaction(link);
    link.batch(COMMIT).map(|()| has_more)
}

/// The outcome of jobs that ran without savepoints.
enum BatchOutcome {
    /// All changes can be committed.
    Succeeded,
    /// A job failed after it had written.
    JobFailed,
    /// A statement failed that its job had not awaited.
    StatementFailed(DatabaseError),
}

/// Runs jobs one after the other without savepoints. It stops at the first one that fails after it has written.
fn run_pipelined(link: &Link, jobs: &mut [Box<dyn WriteJob>]) -> BatchOutcome {
    let mut tx = Tx::pipelined(link);
    let can_commit = jobs.iter_mut().all(|job| {
        let succeeded = job.run(&mut tx);
        !tx.take_dirty() || succeeded
    });
    match tx.await_sent() {
        Err(error) => BatchOutcome::StatementFailed(error),
        Ok(()) if can_commit => BatchOutcome::Succeeded,
        Ok(()) => BatchOutcome::JobFailed,
    }
}

/// Runs jobs one after the other, each behind a savepoint, and rolls back exactly those that fail.
fn run_with_savepoints(link: &Link, jobs: &mut [Box<dyn WriteJob>]) -> Result<(), DatabaseError> {
    let mut tx = Tx::new(link);
    // One round trip to PostgreSQL ends one job and begins the next.
    let mut end = "";
    for job in jobs {
        link.batch(&format!("{end}SAVEPOINT job"))?;
        end = if job.run(&mut tx) {
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

/// Begins a transaction. A connection that was lost since the last one is replaced.
fn begin<'a>(backend: &Backend, link: &'a mut Option<Link>) -> Result<&'a Link, DatabaseError> {
    if let Some(old) = link.take() {
        match old.begin() {
            Ok(()) => return Ok(link.insert(old)),
            Err(_) => old.discard(),
        }
    }
    let new = link.insert(backend.link()?);
    new.begin()?;
    Ok(new)
}

/// Copies the error of a commit for one more caller.
fn copy_error(error: &DatabaseError) -> DatabaseError {
    match error {
        DatabaseError::Unavailable(why) | DatabaseError::Damaged(why) => {
            DatabaseError::Unavailable(why.clone())
        }
        DatabaseError::Constraint(name) => DatabaseError::Broken(format!("a commit failed: {name}").into()),
        DatabaseError::Broken(source) => DatabaseError::Broken(format!("a commit failed: {source}").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc};

    use tokio::sync::Notify;

    use crate::database::testing::{Items, TestError, count, insert, names, on_both, open};
    use crate::database::{Dialect, Sql};

    /// Blocks the writer's thread until the returned sender is dropped. Jobs that are submitted meanwhile share a
    /// transaction.
    async fn block(items: &Items) -> mpsc::Sender<()> {
        let (blocker, dropped) = mpsc::channel();
        let (dropped, begun) = (Mutex::new(dropped), Arc::new(Notify::new()));
        let has_begun = Arc::clone(&begun);
        let blocking = items.write(move |_| {
            begun.notify_one();
            let _ = dropped.lock().unwrap().recv();
            Ok(())
        });
        tokio::select! {
            _ = blocking => panic!("the writer is not blocked"),
            () = has_begun.notified() => {}
        }
        blocker
    }

    /// Of the jobs that share a transaction, exactly those that fail are rolled back, however they fail. A job that
    /// runs again has its effect only once.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_piece_that_fails_takes_nothing_else_along() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let runs = Arc::new(AtomicUsize::new(0));
            let job = |name: &'static str, outcome: fn() -> Result<(), TestError>| {
                let runs = Arc::clone(&runs);
                items.write(move |tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    tx.execute(&insert(name))?;
                    outcome()
                })
            };
            let twice = "INSERT INTO items (id, name) SELECT id, name FROM items";
            let read = |outcome: fn() -> Result<(), TestError>| {
                items.write(move |tx| {
                    tx.first::<i64>(&count())?;
                    outcome()
                })
            };
            let refused = || Err(TestError::Refused);
            let blocker = block(&items).await;
            let (a, b, c, d, e, f, g, ()) = tokio::join!(
                job("a", || Ok(())),
                read(refused),
                job("c", refused),
                job("d", || panic!("a bug")),
                items.write(move |tx| Ok(tx.execute(&Sql::new(twice))?)),
                job("f", || Ok(())),
                items.write_alone(|tx| Ok(tx.execute(&insert("g"))?)),
                async move { drop(blocker) },
            );
            assert!(a.is_ok() && f.is_ok() && g.is_ok());
            assert!(matches!((b, c), (Err(TestError::Refused), Err(TestError::Refused))));
            assert!(d.is_err() && e.is_err());
            assert_eq!(runs.load(Ordering::Relaxed), 2 + 4);
            assert_eq!(names(&items).await, ["a", "f", "g"]);
        })
        .await;
    }

    /// A job that fails before it has written does not make the others run again.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_refusal_costs_the_others_nothing() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let runs = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&runs);
            let blocker = block(&items).await;
            let (written, refused, ()) = tokio::join!(
                items.write(move |tx| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok(tx.execute(&insert("a"))?)
                }),
                items.write(|tx| {
                    tx.first::<i64>(&count())?;
                    Err::<(), _>(TestError::Refused)
                }),
                async move { drop(blocker) },
            );
            assert!(written.is_ok() && refused.is_err());
            assert_eq!(runs.load(Ordering::Relaxed), 1);
        })
        .await;
    }

    /// A statement that is not awaited fails only its own job, and no caller gets a result before that is known.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_that_nobody_waits_for_fails_its_own_piece() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let sent = |name: &'static str| items.write(move |tx| Ok(tx.send(insert(name))?));
            let blocker = block(&items).await;
            let (a, again, b, seen, ()) = tokio::join!(
                sent("a"),
                sent("a"),
                sent("b"),
                items.write(|tx| Ok(tx.first::<i64>(&count())?)),
                async move { drop(blocker) },
            );
            assert!(a.is_ok() && b.is_ok());
            assert!(again.is_err());
            assert_eq!(seen.unwrap(), Some(2));
            assert!(sent("a").await.is_err());
            assert_eq!(names(&items).await, ["a", "b"]);
        })
        .await;
    }

    /// PostgreSQL rolls back a transaction in which a statement failed, even if the job ignored the error. The caller
    /// must not get a success.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_undone_is_not_told_to_be_done() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let written = items.write(move |tx| {
                tx.execute(&insert("a"))?;
                let _ = tx.execute(&Sql::new("DELETE FROM nothing_of_that_name"));
                Ok(())
            });
            let reported = written.await.is_ok();
            let kept: Option<i64> = items.first(count()).await.unwrap();
            assert_eq!(reported, kept == Some(1));
            assert_eq!(reported, items.dialect() == Dialect::Sqlite);
        })
        .await;
    }
}
