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
//!
//! A caller waits at most the timeout of the database for a transaction that is blocked, its time in the queue included.
//! Until its transaction has begun, a job can be withdrawn, so it is certain that nothing was changed. A transaction that
//! PostgreSQL ended for a reason that passes runs again while there is time. After the commit was sent, only the database
//! knows whether it was done: without an answer the result is [`DatabaseError::Unconfirmed`].

use std::pin::pin;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::backend::Backend;
use super::error::DatabaseError;
use super::read_ahead::FirstRead;
use super::tx::Tx;
use super::write_job::{PendingWrite, WriteJob, not_run, too_late};
pub(crate) use super::write_thread::BeforeCommit;
use super::write_thread::run;

/// How many jobs may wait in the queue. While it is full, callers wait.
const QUEUE: usize = 1024;

/// Submits jobs to the writer's thread. The thread stops when this is dropped and the queue is empty.
pub(crate) struct Writer {
    /// `None` once it was stopped.
    queue: Option<mpsc::Sender<Box<dyn WriteJob>>>,
    thread: Option<JoinHandle<()>>,
    /// How long a caller waits for a transaction that is blocked.
    timeout: Duration,
}

impl Writer {
    /// Starts the thread. It opens its connection when the first job arrives.
    pub(crate) fn start(backend: Backend, before_commit: Box<dyn BeforeCommit>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let timeout = backend.timeout();
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || run(&backend, before_commit, jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), timeout })
    }

    /// Stops the thread when the queue is empty, and waits for that.
    pub(crate) fn stop(&mut self) {
        self.queue = None;
        let thread = self.thread.take();
        // The last owner of a database may be a job.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // It does not panic.
            let _ = thread.join();
        }
    }

    /// Runs work in a transaction that it may share with other work. Returns when the changes are durable, or when
    /// nothing was changed. The work begins with the reads `first`.
    pub(crate) async fn write<T, E, F>(&self, first: Vec<FirstRead>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.submit(work, Some(first)).await
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
            None,
        )
        .await
    }

    /// Submits work, which may share a transaction if it comes with its first reads.
    async fn submit<T, E, F>(&self, work: F, first: Option<Vec<FirstRead>>) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let deadline = Instant::now() + self.timeout;
        let (job, claim) = PendingWrite::new(work, first, self.timeout, reply);
        let job: Box<dyn WriteJob> = Box::new(job);
        let queue = self.queue.as_ref().ok_or_else(|| E::from(not_run()))?;
        let queued = timeout_at(deadline, queue.send(job)).await.map_err(|_| E::from(too_late()))?;
        queued.map_err(|_| E::from(not_run()))?;
        let mut result = pin!(result);
        let result = match timeout_at(deadline, &mut result).await {
            Ok(result) => result,
            Err(_) if claim.take() => return Err(too_late().into()),
            // Its transaction has begun: only the writer knows what becomes of it.
            Err(_) => result.await,
        };
        result.map_err(|_| E::from(not_run()))?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::database::testing::{TestError, block, count, insert, names, on_both, open};
    use crate::database::{DatabaseError, Dialect, Sql};

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

    /// A function that fails with a SQLSTATE, and one that does so at every other call.
    const FAIL: &str = "CREATE FUNCTION fail(code TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$ \
         BEGIN RAISE EXCEPTION 'asked for' USING ERRCODE = code; END $$";
    const ALTERNATE: &str = "CREATE FUNCTION alternate(code TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$ \
         BEGIN IF nextval('calls') % 2 = 1 THEN RAISE EXCEPTION 'asked for' USING ERRCODE = code; END IF; \
         RETURN 7; END $$";
    /// Reasons that pass: serialization failure, deadlock, limits of idle sessions, shutdown, failover, lost connection, and
    /// a statement that a pooler does not know.
    const PASSING: [&str; 11] =
        ["40001", "40P01", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05", "08003", "08006", "26000"];

    /// Guards against a 500 for a transaction that PostgreSQL ended: it runs again, with the jobs that share it, and each of
    /// them has its effect once. If it fails each time, the database counts as unavailable.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_that_postgres_ends_runs_again() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            if items.dialect() == Dialect::Sqlite {
                return;
            }
            items.write(|tx| Ok(tx.execute(&Sql::new(FAIL))?)).await.unwrap();
            let fail = |code: &'static str| Sql::new("SELECT fail($1)").bind(code);
            let mut expected = Vec::new();
            for code in PASSING {
                let runs = AtomicUsize::new(0);
                let blocker = block(&items).await;
                let (failing, other, ()) = tokio::join!(
                    items.write(move |tx| {
                        tx.execute(&insert(code))?;
                        match runs.fetch_add(1, Ordering::Relaxed) {
                            0 => tx.first::<i64>(&fail(code)).map(|_| ()).map_err(TestError::from),
                            _ => Ok(()),
                        }
                    }),
                    items.write(move |tx| Ok(tx.execute(&insert(&format!("with {code}")))?)),
                    async move { drop(blocker) },
                );
                assert!(failing.is_ok() && other.is_ok(), "{code}: {failing:?} {other:?}");
                expected.extend([code.to_owned(), format!("with {code}")]);
                let unavailable = |outcome: Result<_, _>| {
                    matches!(outcome, Err(TestError::Database(DatabaseError::Unavailable(_))))
                };
                let shared = items.write(move |tx| Ok(tx.first::<i64>(&fail(code))?)).await;
                assert!(unavailable(shared), "{code}");
                let alone = items.write_alone(move |tx| Ok(tx.first::<i64>(&fail(code))?)).await;
                assert!(unavailable(alone), "{code}");
            }
            assert_eq!(names(&items).await, expected);
        })
        .await;
    }

    /// The session of the writer is ended in the middle of a transaction, by an operator or a failover.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_session_that_is_ended_costs_no_write() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            if items.dialect() == Dialect::Sqlite {
                return;
            }
            let runs = AtomicUsize::new(0);
            let end = "SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS TEXT)";
            let written = items.write(move |tx| {
                tx.execute(&insert("a"))?;
                match runs.fetch_add(1, Ordering::Relaxed) {
                    0 => tx.all::<String>(&Sql::new(end)).map(|_| ()).map_err(TestError::from),
                    _ => Ok(()),
                }
            });
            written.await.unwrap();
            assert_eq!(names(&items).await, ["a"]);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_read_that_postgres_ends_runs_again() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            if items.dialect() == Dialect::Sqlite {
                return;
            }
            items.write(|tx| Ok(tx.execute(&Sql::new("CREATE SEQUENCE calls"))?)).await.unwrap();
            items.write(|tx| Ok(tx.execute(&Sql::new(ALTERNATE))?)).await.unwrap();
            for code in PASSING {
                let sql = || Sql::new("SELECT alternate($1)").bind(code);
                assert_eq!(items.point_read::<i64>(sql()).await.unwrap(), [7], "{code}");
                assert_eq!(items.priority_read::<i64>(sql()).await.unwrap(), [7], "{code}");
                assert_eq!(items.all::<i64>(sql()).await.unwrap(), [7], "{code}");
            }
        })
        .await;
    }

    /// A job that is withdrawn, or that comes too late, is never run.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_too_long_is_refused_and_not_done() {
        on_both(async |options| {
            let timeout = std::time::Duration::from_secs(1);
            let items = open(&crate::database::ConnectOptions { timeout, ..options }).await.unwrap();
            let blocker = block(&items).await;
            let refused = items.write(|tx| Ok(tx.execute(&insert("late"))?)).await;
            assert!(
                matches!(refused, Err(TestError::Database(DatabaseError::Unavailable(_)))),
                "{refused:?}"
            );
            drop(blocker);
            // A slow machine may refuse this one as well.
            while items.write(|tx| Ok(tx.execute(&insert("next"))?)).await.is_err() {}
            assert_eq!(names(&items).await, ["next"]);
        })
        .await;
    }
}
