//! A transaction as its work sees it: synchronous calls on either database.
//!
//! The work runs on the writer's own thread, which may block. So it reads from top to bottom and needs no asynchronous
//! closures.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use prometheus_client::metrics::counter::Counter;

use super::error::DatabaseError;
use super::link::Link;
use super::long_reads::StopSignal;
use super::postgres;
use super::read_ahead::{FirstRead, ReadAhead, Subject, each_once};
use super::row::{FromRow, Row};
use super::sql::{Dialect, Sql};

/// A transaction in progress.
pub(crate) struct Tx<'a> {
    link: &'a Link,
    /// A value that the work of this transaction keeps for its later statements. A rollback clears it.
    pub(crate) scratch: RefCell<Option<Vec<u8>>>,
    /// Whether any statement ran that may have changed the transaction: one that writes, or one that failed.
    is_dirty: Cell<bool>,
    /// The statements that were sent without waiting; `None` if every statement is awaited at once.
    pipeline: Option<RefCell<Pipeline<'a>>>,
    /// What was read before the work began.
    ahead: RefCell<ReadAhead>,
    /// Stops the transaction before the next statement, if its caller can go away.
    stop: Option<&'a StopSignal>,
    /// Counts the statements that read, if the transaction is a snapshot.
    reads: Option<&'a Counter>,
    /// The first error after which the transaction must not be committed, whatever its work makes of it.
    fatal: RefCell<Option<DatabaseError>>,
    /// How many statements were run, for tests.
    #[cfg(test)]
    statements: Cell<u64>,
}

/// Statements that were sent and not awaited yet.
#[derive(Default)]
struct Pipeline<'a> {
    pending: Vec<PendingStatement<'a>>,
    /// The error of the first one that failed.
    failed: Option<DatabaseError>,
}

/// How many statements may be pending at once; each takes memory.
const MAX_PENDING: usize = 256;

type PendingStatement<'a> = Pin<Box<dyn Future<Output = Result<u64, DatabaseError>> + 'a>>;

impl<'a> Tx<'a> {
    /// Wraps a connection. The caller begins and ends the transaction.
    pub(crate) fn new(link: &'a Link) -> Self {
        Self {
            link,
            scratch: RefCell::default(),
            is_dirty: Cell::default(),
            pipeline: None,
            ahead: RefCell::default(),
            stop: None,
            reads: None,
            fatal: RefCell::default(),
            #[cfg(test)]
            statements: Cell::default(),
        }
    }

    /// Creates a transaction for reading, in which no statement begins after the signal is set. Each is counted.
    pub(crate) fn for_reading(link: &'a Link, stop: &'a StopSignal, reads: &'a Counter) -> Self {
        Self { stop: Some(stop), reads: Some(reads), ..Self::new(link) }
    }

    /// Creates a transaction in which [`Tx::send`] does not wait; [`Tx::await_sent`] does.
    pub(crate) fn pipelined(link: &'a Link) -> Self {
        Self { pipeline: Some(RefCell::default()), ..Self::new(link) }
    }

    /// Executes a statement whose row count is not needed. In a pipelined transaction on PostgreSQL it does not wait
    /// for the result, and an error surfaces before the commit; then the writer runs all the work again.
    pub(crate) fn send(&self, sql: Sql) -> Result<(), DatabaseError> {
        self.ahead.borrow_mut().forget_all();
        self.send_now(sql)
    }

    /// Does the same with a statement that changes no result of a [`FirstRead`] but those about `subject`.
    pub(crate) fn send_about(&self, subject: Subject, sql: Sql) -> Result<(), DatabaseError> {
        self.ahead.borrow_mut().forget(subject);
        self.send_now(sql)
    }

    fn send_now(&self, sql: Sql) -> Result<(), DatabaseError> {
        let (Link::Postgres { client, driver, timeout, budget }, Some(pipeline)) =
            (self.link, &self.pipeline)
        else {
            return self.run(&sql).map(|_| ());
        };
        self.is_dirty.set(true);
        self.count();
        let prepared = budget.run(driver, *timeout, |deadline| postgres::prepare(client, &sql, deadline));
        let prepared = self.note(prepared)?;
        let mut statement: PendingStatement<'_> = Box::pin(postgres::run(client, prepared, sql.into_args()));
        // The first poll sends the statement. `wait_for_pending` polls it again.
        if let Poll::Ready(outcome) = statement.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return self.note(outcome).map(|_| ());
        }
        pipeline.borrow_mut().pending.push(statement);
        if pipeline.borrow().pending.len() < MAX_PENDING { Ok(()) } else { self.wait_for_pending() }
    }

    /// Makes reads before the work that begins with them, in one round trip. SQLite has none to save.
    pub(super) fn read_ahead(&self, reads: impl Iterator<Item = FirstRead>) -> Result<(), DatabaseError> {
        let Link::Postgres { client, driver, timeout, budget } = self.link else { return Ok(()) };
        let reads = each_once(reads);
        if !reads.is_empty() {
            let found =
                budget.run(driver, *timeout, |deadline| postgres::all_of_each(client, reads, deadline));
            self.ahead.borrow_mut().keep(self.note(found)?);
        }
        Ok(())
    }

    /// Hands pending statements to the network, so that PostgreSQL works on them while the next work runs.
    pub(super) fn flush(&self) {
        if let (Link::Postgres { driver, .. }, Some(pipeline)) = (self.link, &self.pipeline)
            && !pipeline.borrow().pending.is_empty()
        {
            driver.run_ready();
        }
    }

    /// Waits for all statements that were sent. Returns the first error of any of them.
    pub(crate) fn await_sent(&self) -> Result<(), DatabaseError> {
        // The error is taken from the pipeline below, which also has the errors of earlier waits.
        let _ = self.wait_for_pending();
        let failed = self.pipeline.as_ref().and_then(|pipeline| pipeline.borrow_mut().failed.take());
        failed.map_or(Ok(()), Err)
    }

    /// Waits for the pending statements. The first error of the transaction stays in the pipeline.
    fn wait_for_pending(&self) -> Result<(), DatabaseError> {
        let (Link::Postgres { driver, timeout, budget, .. }, Some(pipeline)) = (self.link, &self.pipeline)
        else {
            return Ok(());
        };
        let pending = std::mem::take(&mut pipeline.borrow_mut().pending);
        if pending.is_empty() {
            return Ok(());
        }
        let waited = budget.run(driver, *timeout, async move |deadline| {
            for statement in pending {
                postgres::before(deadline, statement).await?;
            }
            Ok(())
        });
        let Err(error) = self.note(waited) else { return Ok(()) };
        pipeline.borrow_mut().failed.get_or_insert(error);
        Err(DatabaseError::Unavailable("a statement that was sent earlier failed".to_owned()))
    }

    /// Clears the scratch value after a rollback.
    pub(crate) fn clear_scratch(&mut self) {
        self.scratch = RefCell::default();
    }

    /// Runs `work` behind a savepoint. If it fails, its writes are rolled back and the transaction continues.
    pub(crate) fn savepoint<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.is_dirty.replace(true);
        self.link.batch("SAVEPOINT nested")?;
        self.is_dirty.set(before);
        let result = work();
        let is_dirty = self.is_dirty.replace(true);
        if result.is_ok() {
            self.link.batch("RELEASE nested")?;
            self.is_dirty.set(is_dirty);
            return result;
        }
        // The pending statements must end before the rollback. An error of theirs surfaces in `await_sent`.
        let _ = self.wait_for_pending();
        if !self.link.is_in_transaction() {
            return Err(
                DatabaseError::Unavailable("the database rolled back the transaction".to_owned()).into()
            );
        }
        self.link.batch("ROLLBACK TO nested; RELEASE nested")?;
        self.scratch.replace(None);
        self.is_dirty.set(before);
        result
    }

    /// Runs `work`. Returns its result, and whether it left the transaction unchanged.
    pub(crate) fn leaves_unchanged<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        let before = self.is_dirty.replace(false);
        let result = work();
        let is_unchanged = !self.is_dirty.get();
        self.is_dirty.set(before || !is_unchanged);
        (result, is_unchanged)
    }

    /// Returns whether the transaction may have changed since the last call.
    pub(crate) fn take_dirty(&self) -> bool {
        self.is_dirty.take()
    }

    /// Runs a statement and reads all its rows.
    pub(crate) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
        if let Some(known) = self.ahead.borrow().get(sql) {
            return known.iter().map(|row| T::from_row(&mut Row::postgres(row))).collect();
        }
        self.count();
        if let Some(reads) = self.reads {
            reads.inc();
        }
        let rows = self.stop.map_or(Ok(()), StopSignal::check).and_then(|()| self.note(self.link.all(sql)));
        if rows.is_err() || !sql.text().starts_with("SELECT") {
            self.note_write();
        }
        rows
    }

    /// Runs a statement and returns its first row, if there is one.
    pub(crate) fn first<T: FromRow>(&self, sql: &Sql) -> Result<Option<T>, DatabaseError> {
        Ok(self.all(sql)?.into_iter().next())
    }

    /// Does the same with a statement that changes no result of a [`FirstRead`] but those about `subject`.
    pub(crate) fn first_about<T: FromRow>(
        &self,
        subject: Subject,
        sql: &Sql,
    ) -> Result<Option<T>, DatabaseError> {
        self.ahead.borrow_mut().forget(subject);
        let kept = self.ahead.take();
        let row = self.first(sql);
        self.ahead.replace(kept);
        row
    }

    /// Runs a statement that returns no rows. Returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &Sql) -> Result<u64, DatabaseError> {
        self.note_write();
        self.run(sql)
    }

    /// Notes that the transaction may have changed in any way.
    fn note_write(&self) {
        self.ahead.borrow_mut().forget_all();
        self.is_dirty.set(true);
    }

    fn run(&self, sql: &Sql) -> Result<u64, DatabaseError> {
        self.is_dirty.set(true);
        self.count();
        self.note(self.link.execute(sql))
    }

    /// Counts a statement, for tests.
    fn count(&self) {
        #[cfg(test)]
        self.statements.set(self.statements.get() + 1);
    }

    /// Returns how many statements were run.
    #[cfg(test)]
    pub(crate) fn statements(&self) -> u64 {
        self.statements.get()
    }

    /// Remembers an error that concerns the whole transaction: one that passes, or damage.
    fn note<T>(&self, outcome: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        let fatal = match &outcome {
            Err(DatabaseError::Transient(why)) => DatabaseError::Transient(why.clone()),
            Err(DatabaseError::Damaged(why)) => DatabaseError::Damaged(why.clone()),
            _ => return outcome,
        };
        self.fatal.borrow_mut().get_or_insert(fatal);
        outcome
    }

    /// Returns the error after which the transaction must not be committed, if there was one.
    pub(crate) fn check_fatal(&self) -> Result<(), DatabaseError> {
        self.fatal.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Returns the connection for direct use. The transaction then counts as changed.
    pub(crate) fn link(&self) -> &'a Link {
        self.note_write();
        self.link
    }

    /// Chooses between the texts of a statement that must differ; both are next to each other in the call.
    pub(crate) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Returns the database's SQL dialect.
    pub(crate) fn dialect(&self) -> Dialect {
        match self.link {
            Link::Sqlite(_) => Dialect::Sqlite,
            Link::Postgres { .. } => Dialect::Postgres,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tx;
    use crate::database::Sql;
    use crate::database::testing::{TestError, insert, names, on_both, open};

    fn add(tx: &Tx<'_>, name: &str) -> Result<(), TestError> {
        Ok(tx.send(insert(name))?)
    }

    fn refused<T>() -> Result<T, TestError> {
        Err(TestError::Refused)
    }

    /// Rolling back to a savepoint undoes exactly the work behind it, however it failed.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_fails_apart_is_taken_back_alone() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let written = items.write(|tx| {
                add(tx, "a")?;
                tx.savepoint(|| add(tx, "b"))?;
                let (failed, is_unchanged) = tx.leaves_unchanged(|| {
                    tx.savepoint(|| {
                        add(tx, "c")?;
                        refused::<()>()
                    })
                });
                assert!(failed.is_err() && is_unchanged);
                let twice = tx.savepoint(|| {
                    add(tx, "d")?;
                    tx.execute(&Sql::new("INSERT INTO items SELECT * FROM items"))
                        .map(|_| ())
                        .map_err(TestError::from)
                });
                assert!(twice.is_err());
                add(tx, "e")?;
                assert!(!tx.leaves_unchanged(|| add(tx, "f").unwrap()).1);
                Ok(())
            });
            written.await.unwrap();
            assert_eq!(names(&items).await, ["a", "b", "e", "f"]);
        })
        .await;
    }
}
