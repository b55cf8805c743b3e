//! The one thread of this process that writes.
//!
//! Work arrives as closures over a [`Tx`]. Whatever waits when the thread is free goes into one
//! transaction, so that one flush to disk pays for all of it; nobody is told "done" before the commit that
//! made it durable.
//!
//! Nearly always every piece succeeds, or is refused before it has written anything. So the pieces follow each
//! other without savepoints, which would cost as much as the work. When one fails after it has written, all is
//! taken back and done again, each piece behind a savepoint: that is why work must be such that it can be run
//! again. What cannot be has a transaction to itself. That is also why the first time nobody need wait for each
//! statement: the second tells whose fault it was.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot};

use super::backend::Backend;
use super::error::DatabaseError;
use super::tx::{Link, Tx};

/// Pieces of work that may wait; a further one waits with its sender.
const QUEUE: usize = 1024;
/// Pieces of work in one transaction at the most, so that the first is not kept waiting for the last.
const BATCH: usize = 64;

/// What the writer does at the end of every transaction, such as the upkeep of an index.
pub(crate) trait BeforeCommit: Send {
    /// Does the work inside the transaction; returns whether there may be more to do.
    fn end_transaction(&mut self, link: &Link) -> bool;
}

/// A piece of work with the place its result goes to.
trait Job: Send {
    /// Runs the work; tells whether its changes shall stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Whether it may share a transaction, and then be run again.
    fn shares(&self) -> bool;
    /// Tells the waiting caller, after the commit or instead of it.
    fn finish(&mut self, committed: Result<(), DatabaseError>);
}

struct Work<F, T, E> {
    work: F,
    shares: bool,
    /// Nothing before it was run, and when that counts no more.
    result: Option<Result<T, E>>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // A bug in one piece of work must not take the writer along: what it has done is taken back.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(DatabaseError::Broken("the work of a write panicked".into()).into()));
        self.result.insert(result).is_ok()
    }

    fn shares(&self) -> bool {
        self.shares
    }

    fn finish(&mut self, committed: Result<(), DatabaseError>) {
        let result = self.result.take().unwrap_or_else(|| Err(undone().into()));
        if let Some(reply) = self.reply.take() {
            // What was refused in a transaction that came to nothing may have been refused because of it. A caller
            // that has gone away no longer wants to know.
            let _ = reply.send(committed.map_err(E::from).and(result));
        }
    }
}

/// The sending end. The thread stops when the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the thread. It opens its connection when the first work arrives.
    pub(crate) fn start(backend: Backend, before_commit: Box<dyn BeforeCommit>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || run(&backend, before_commit, jobs))?;
        Ok(Self { queue })
    }

    /// Does the work in a transaction, beside other work, and returns when it is durable, or has changed nothing.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.hand_in(work, true).await
    }

    /// The same in a transaction of its own.
    pub(crate) async fn write_alone<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let mut work = Some(work);
        self.hand_in(
            move |tx: &mut Tx<'_>| work.take().map_or_else(|| Err(undone().into()), |work| work(tx)),
            false,
        )
        .await
    }

    async fn hand_in<T, E, F>(&self, work: F, shares: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let job = Box::new(Work { work, shares, result: None, reply: Some(reply) });
        self.queue.send(job).await.map_err(|_| E::from(undone()))?;
        result.await.map_err(|_| E::from(undone()))?
    }
}

fn undone() -> DatabaseError {
    DatabaseError::Broken("the work of a write was not run".into())
}

fn run(backend: &Backend, before_commit: Box<dyn BeforeCommit>, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut line = Line { backend, link: None, before_commit };
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let mut is_behind = false;
        for jobs in batch.chunk_by_mut(|one, next| one.shares() && next.shares()) {
            let committed = line.commit(jobs);
            is_behind = committed.as_ref().is_ok_and(|is_behind| *is_behind);
            for job in jobs {
                job.finish(committed.as_ref().map(|_| ()).map_err(copy));
            }
        }
        batch.clear();
        // Somebody has changed very many by an SQL of their own: there is time for their index now.
        while is_behind && jobs.is_empty() {
            is_behind = line.commit(&mut []).unwrap_or(false);
        }
    }
}

/// What the thread works with.
struct Line<'a> {
    backend: &'a Backend,
    link: Option<Link>,
    before_commit: Box<dyn BeforeCommit>,
}

/// PostgreSQL takes `COMMIT` for `ROLLBACK`, without an error, where a statement has failed; `SELECT` it does not take.
const COMMIT: &str = "SELECT 1; COMMIT";

impl Line<'_> {
    /// Does the work in a transaction; tells whether the search index is still behind after it.
    fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<bool, DatabaseError> {
        let committed = commit_on(begin(self.backend, &mut self.link)?, &mut *self.before_commit, jobs);
        if committed.is_err() {
            // The connection's state is not known: the next transaction gets a new one.
            if let Some(lost) = self.link.take() {
                lost.discard();
            }
        }
        committed
    }
}

fn commit_on(
    link: &Link,
    before_commit: &mut dyn BeforeCommit,
    jobs: &mut [Box<dyn Job>],
) -> Result<bool, DatabaseError> {
    match jobs {
        [only] if !only.shares() => {
            if !only.run(&mut Tx::new(link)) {
                return link.roll_back().map(|()| false);
            }
        }
        _ => match (run_together(link, jobs), jobs) {
            (Together::Done, _) => {}
            // Nobody else is concerned.
            (Together::Refused, [_]) => return link.roll_back().map(|()| false),
            // It would wait as long again.
            (Together::Unsettled(error @ DatabaseError::Unavailable(_)), [_]) => return Err(error),
            (_, jobs) => {
                link.roll_back()?;
                link.begin()?;
                run_apart(link, jobs)?;
            }
        },
    }
    let is_behind = before_commit.end_transaction(link);
    link.batch(COMMIT).map(|()| is_behind)
}

/// What came of work that was run together.
enum Together {
    /// What each has done may stay.
    Done,
    /// One has failed after it has written, and said why.
    Refused,
    /// A statement has failed for which nobody had waited.
    Unsettled(DatabaseError),
}

/// Runs the work of all.
fn run_together(link: &Link, jobs: &mut [Box<dyn Job>]) -> Together {
    let mut tx = Tx::hasty(link);
    let stays = jobs.iter_mut().all(|job| {
        let stays = job.run(&mut tx);
        !tx.take_touched() || stays
    });
    match tx.settle() {
        Err(error) => Together::Unsettled(error),
        Ok(()) if stays => Together::Done,
        Ok(()) => Together::Refused,
    }
}

/// Does the same, and takes back what those have done that fail, and no more.
fn run_apart(link: &Link, jobs: &mut [Box<dyn Job>]) -> Result<(), DatabaseError> {
    let mut tx = Tx::new(link);
    // Each word to PostgreSQL is a journey: what ends one piece begins the next.
    let mut end = "";
    for job in jobs {
        link.batch(&format!("{end}SAVEPOINT piece"))?;
        end = if job.run(&mut tx) {
            "RELEASE piece; "
        } else if link.is_in_transaction() {
            tx.forget();
            "ROLLBACK TO piece; RELEASE piece; "
        } else {
            return Err(DatabaseError::Unavailable("the database took the transaction back".to_owned()));
        };
    }
    link.batch(end)
}

/// Begins a transaction; a connection that died since the last one is replaced.
fn begin<'a>(backend: &Backend, link: &'a mut Option<Link>) -> Result<&'a Link, DatabaseError> {
    if let Some(old) = link.take() {
        match old.begin() {
            Ok(()) => return Ok(link.insert(old)),
            Err(_) => old.discard(),
        }
    }
    let fresh = link.insert(backend.link()?);
    fresh.begin()?;
    Ok(fresh)
}

/// The same fault for one more caller.
fn copy(error: &DatabaseError) -> DatabaseError {
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

    use crate::database::testing::{Items, TestError, count, insert, names, on_both, open};
    use crate::database::{Dialect, Sql};

    /// Keeps the writer's thread until the sender is dropped, so that a test's work comes together.
    async fn hold(items: &Items, dropped: mpsc::Receiver<()>) {
        let dropped = Mutex::new(dropped);
        let held = items.write(move |_| {
            let _ = dropped.lock().unwrap().recv();
            Ok(())
        });
        held.await.unwrap();
    }

    /// Of work that shares a transaction, each piece stays or goes by itself, whenever and however it fails, and
    /// what is run again is not done twice.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_piece_that_fails_takes_nothing_else_along() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let runs = Arc::new(AtomicUsize::new(0));
            let piece = |name: &'static str, outcome: fn() -> Result<(), TestError>| {
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
            let (holding, dropped) = mpsc::channel();
            let (_, a, b, c, d, e, f, g, ()) = tokio::join!(
                hold(&items, dropped),
                piece("a", || Ok(())),
                read(refused),
                piece("c", refused),
                piece("d", || panic!("a bug")),
                items.write(move |tx| Ok(tx.execute(&Sql::new(twice))?)),
                piece("f", || Ok(())),
                items.write_alone(|tx| Ok(tx.execute(&insert("g"))?)),
                async move { drop(holding) },
            );
            assert!(a.is_ok() && f.is_ok() && g.is_ok());
            assert!(matches!((b, c), (Err(TestError::Refused), Err(TestError::Refused))));
            assert!(d.is_err() && e.is_err());
            assert_eq!(runs.load(Ordering::Relaxed), 2 + 4);
            assert_eq!(names(&items).await, ["a", "f", "g"]);
        })
        .await;
    }

    /// A refusal that has written nothing makes nobody do anything again.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_refusal_costs_the_others_nothing() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let runs = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&runs);
            let (holding, dropped) = mpsc::channel();
            let (_, written, refused, ()) = tokio::join!(
                hold(&items, dropped),
                items.write(move |tx| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok(tx.execute(&insert("a"))?)
                }),
                items.write(|tx| {
                    tx.first::<i64>(&count())?;
                    Err::<(), _>(TestError::Refused)
                }),
                async move { drop(holding) },
            );
            assert!(written.is_ok() && refused.is_err());
            assert_eq!(runs.load(Ordering::Relaxed), 1);
        })
        .await;
    }

    /// A statement for which nobody waits fails its own piece of work and no other's, and no sooner is anybody told.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_that_nobody_waits_for_fails_its_own_piece() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let sent = |name: &'static str| items.write(move |tx| Ok(tx.send(insert(name))?));
            let (holding, dropped) = mpsc::channel();
            let (_, a, again, b, seen, ()) = tokio::join!(
                hold(&items, dropped),
                sent("a"),
                sent("a"),
                sent("b"),
                items.write(|tx| Ok(tx.first::<i64>(&count())?)),
                async move { drop(holding) },
            );
            assert!(a.is_ok() && b.is_ok());
            assert!(again.is_err());
            assert_eq!(seen.unwrap(), Some(2));
            assert!(sent("a").await.is_err());
            assert_eq!(names(&items).await, ["a", "b"]);
        })
        .await;
    }

    /// PostgreSQL undoes a transaction in which a statement has failed, whoever passed over it: nobody is told
    /// that it is done.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_undone_is_not_told_to_be_done() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let written = items.write(move |tx| {
                tx.execute(&insert("a"))?;
                let _ = tx.execute(&Sql::new("DELETE FROM nothing_of_that_name"));
                Ok(())
            });
            let told = written.await.is_ok();
            let kept: Option<i64> = items.first(count()).await.unwrap();
            assert_eq!(told, kept == Some(1));
            assert_eq!(told, items.dialect() == Dialect::Sqlite);
        })
        .await;
    }
}
