//! The one thread of this process that writes.
//!
//! Work arrives as closures over a [`Tx`]. Whatever waits when the thread is free goes into one
//! transaction, each piece behind a savepoint of its own, so that one flush to disk pays for all of
//! them; nobody is told "done" before the commit that made it durable.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot};

use super::Backend;
use super::fault::StoreError;
use super::tx::{Link, Tx};
use crate::directory::error::Error;

/// Pieces of work that may wait; a further one waits with its sender.
const QUEUE: usize = 1024;
/// Pieces of work in one transaction at the most, so that the first is not kept waiting for the last.
const BATCH: usize = 64;

/// A piece of work with the place its result goes to.
trait Job: Send {
    /// Runs the work; tells whether its changes shall stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Tells the waiting caller, after the commit or instead of it.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

struct Work<F, T> {
    work: Option<F>,
    result: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Job for Work<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        if let Some(work) = self.work.take() {
            // A bug in one piece of work must not take the writer along: its savepoint is rolled back.
            self.result = catch_unwind(AssertUnwindSafe(|| work(tx)))
                .unwrap_or_else(|_| Err(Error::broken("a write failed", "the work panicked")));
        }
        self.result.is_ok()
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        // A caller that has gone away no longer wants to know.
        let _ = self.reply.send(match (self.result, committed) {
            (Ok(_), Err(error)) => Err(error),
            (result, _) => result,
        });
    }
}

/// The sending end. The thread stops when the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the thread. It opens its connection when the first work arrives.
    pub(super) fn start(backend: Backend) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("writer".into()).spawn(move || run(&backend, jobs))?;
        Ok(Self { queue })
    }

    /// Does the work in a transaction and returns when it is durable, or has changed nothing.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let undone = || Error::broken("a write failed", "the work was not run");
        let job = Box::new(Work { work: Some(work), result: Err(undone()), reply });
        self.queue.send(job).await.map_err(|_| undone())?;
        result.await.map_err(|_| undone())?
    }
}

fn run(backend: &Backend, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut link = None;
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let committed = commit(backend, &mut link, &mut batch);
        if committed.is_err() {
            // The connection's state is not known: the next transaction gets a new one.
            if let Some(lost) = link.take() {
                lost.discard();
            }
        }
        for job in batch.drain(..) {
            job.finish(committed.as_ref().map_err(copy).copied());
        }
    }
}

fn commit(backend: &Backend, link: &mut Option<Link>, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let link = begin(backend, link)?;
    let mut tx = Tx::new(link);
    if let [only] = batch {
        // PostgreSQL takes COMMIT for ROLLBACK, without an error, where a statement has failed; SELECT it does not take.
        let end = if only.run(&mut tx) { "SELECT 1; COMMIT" } else { "ROLLBACK" };
        return link.batch(end);
    }
    // Each word to PostgreSQL is a journey: what ends one piece begins the next.
    let mut next = "SAVEPOINT piece";
    for job in batch {
        link.batch(next)?;
        next = if job.run(&mut tx) {
            "RELEASE piece; SAVEPOINT piece"
        } else {
            tx.forget();
            "ROLLBACK TO piece"
        };
    }
    link.batch(&format!("{next}; COMMIT"))
}

/// Begins a transaction; a connection that died since the last one is replaced.
fn begin<'a>(backend: &Backend, link: &'a mut Option<Link>) -> Result<&'a Link, StoreError> {
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
fn copy(error: &StoreError) -> Error {
    match error {
        StoreError::Unavailable(why) | StoreError::Damaged(why) => Error::Unavailable(why.clone()),
        StoreError::Constraint(name) => Error::broken("a commit failed", name.clone()),
        StoreError::Broken(source) => Error::broken("a commit failed", source.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crate::directory::store::trial::on_both;
    use crate::directory::store::{Dialect, Sql, Store};

    /// PostgreSQL undoes a transaction in which a statement has failed, whoever passed over it: nobody is told
    /// that it is done.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_undone_is_not_told_to_be_done() {
        let group = "INSERT INTO groups (name, name_key, notes, created_at, updated_at, search_key) \
             VALUES ('a', 'a', '', 0, 0, '')";
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let written = store.write(move |tx| {
                tx.execute(&Sql::new(group))?;
                let _ = tx.execute(&Sql::new("DELETE FROM nothing_of_that_name"));
                Ok(())
            });
            let told = written.await.is_ok();
            let kept: Option<i64> = store.first(Sql::new("SELECT count(*) FROM groups")).await.unwrap();
            assert_eq!(told, kept == Some(1));
            assert_eq!(told, store.dialect() == Dialect::Sqlite);
        })
        .await;
    }
}
