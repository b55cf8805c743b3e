//! One transaction, as the work in it sees it: plain synchronous calls, on either database.
//!
//! It runs on the writer's own thread, where waiting is allowed; so a use case reads top to bottom and
//! needs no asynchronous closures.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use deadpool_postgres::Client;
use rusqlite::Connection;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::error::DatabaseError;
use super::long_reads::Stop;
use super::postgres::Server;
use super::row::FromRow;
use super::sql::{Dialect, Sql, Value};
use super::{postgres, sqlite};

/// An open connection on the writer's thread.
pub(crate) enum Link {
    Sqlite(Connection),
    Postgres { client: Client, driver: Driver, timeout: Duration },
}

/// Who moves the bytes of a connection while its thread waits for an answer.
pub(crate) enum Driver {
    /// The runtime that it was opened on.
    Shared(Handle),
    /// The waiting thread itself: an answer need not be handed from thread to thread. While nobody waits nothing
    /// moves, so a connection that died meanwhile is found dead by the next statement.
    Own(Box<Runtime>),
}

impl Driver {
    fn block_on<F: Future>(&self, work: F) -> F::Output {
        match self {
            Self::Shared(runtime) => runtime.block_on(work),
            Self::Own(runtime) => runtime.block_on(work),
        }
    }
}

/// PostgreSQL's lock of all writers. Triggers of a schema may take the same one.
macro_rules! writers_lock {
    () => {
        "SELECT pg_advisory_xact_lock(6283734521)"
    };
}
pub(crate) use writers_lock;

impl Link {
    /// A connection of its own to PostgreSQL. It waits, so it belongs on a thread that may, and so does its end.
    pub(crate) fn postgres(server: &Arc<Server>, timeout: Duration) -> Result<Self, DatabaseError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DatabaseError::Broken(error.into()))?;
        let pool = server.pool_by_index(1, timeout).map_err(|error| DatabaseError::Broken(error.into()))?;
        let client = runtime.block_on(async {
            server.find_schema(timeout).await?;
            pool.get().await.map_err(DatabaseError::from)
        })?;
        Ok(Self::Postgres { client, driver: Driver::Own(Box::new(runtime)), timeout })
    }

    pub(crate) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
        match self {
            Self::Sqlite(connection) => sqlite::all(connection, sql),
            Self::Postgres { client, driver, timeout } => {
                driver.block_on(postgres::all(client, sql, Instant::now() + *timeout))
            }
        }
    }

    pub(crate) fn execute(&self, sql: &Sql) -> Result<u64, DatabaseError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql),
            Self::Postgres { client, driver, timeout } => {
                driver.block_on(postgres::execute(client, sql, Instant::now() + *timeout))
            }
        }
    }

    pub(crate) fn batch(&self, text: &str) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(text)?),
            Self::Postgres { client, driver, timeout } => {
                driver.block_on(postgres::batch(client, text, Instant::now() + *timeout))
            }
        }
    }

    /// Runs an `INSERT` of one row for each row, or a `COPY` of columns of these types.
    pub(crate) fn insert(&self, sql: &Sql, types: &[Type], rows: &[Vec<Value>]) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(connection) => sqlite::insert(connection, sql.text(), rows),
            Self::Postgres { client, driver, timeout } => {
                let copied = postgres::copy(client, sql.text(), types, rows, Instant::now() + *timeout);
                driver.block_on(copied)
            }
        }
    }

    /// Closes a connection whose state is not known. It must not go back to the pool: a transaction may
    /// still be open on it.
    pub(crate) fn discard(self) {
        if let Self::Postgres { client, .. } = self {
            drop(Client::take(client));
        }
    }

    /// Whether a transaction is open still: SQLite takes one back by itself when the disk is full or broken.
    pub(crate) fn is_in_transaction(&self) -> bool {
        match self {
            Self::Sqlite(connection) => !connection.is_autocommit(),
            Self::Postgres { .. } => true,
        }
    }

    /// Takes back what the transaction has done, if nobody has yet.
    pub(crate) fn roll_back(&self) -> Result<(), DatabaseError> {
        if self.is_in_transaction() { self.batch("ROLLBACK") } else { Ok(()) }
    }

    /// Begins a transaction that nobody else's write can come between, in this process or another:
    /// SQLite gives its one write lock, PostgreSQL an advisory lock that ends with the transaction.
    pub(crate) fn begin(&self) -> Result<(), DatabaseError> {
        self.batch(match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            // READ COMMITTED, whatever the server's default: a snapshot must not be older than the lock.
            Self::Postgres { .. } => {
                concat!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ", writers_lock!())
            }
        })
    }
}

/// A transaction in progress.
pub(crate) struct Tx<'a> {
    link: &'a Link,
    /// A value that the work of this transaction keeps for later statements. It is forgotten when writes are rolled back.
    pub(crate) scratch: RefCell<Option<Vec<u8>>>,
    /// Whether anything was sent but statements that read, and came back.
    touched: Cell<bool>,
    /// What was sent without waiting; `None` where each statement is waited for at once.
    ahead: Option<RefCell<Ahead<'a>>>,
    /// Ends it before the next statement, where its caller may go away.
    stop: Option<&'a Stop>,
}

/// Statements that are on their way.
#[derive(Default)]
struct Ahead<'a> {
    outcomes: Vec<Outcome<'a>>,
    /// Why an earlier one has failed.
    failed: Option<DatabaseError>,
}

/// Statements that may be on their way at once: what is known of each takes memory.
const MOST_AHEAD: usize = 64;

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<u64, DatabaseError>> + 'a>>;

impl<'a> Tx<'a> {
    pub(crate) fn new(link: &'a Link) -> Self {
        Self { link, scratch: RefCell::default(), touched: Cell::default(), ahead: None, stop: None }
    }

    /// One in which no statement begins when `stop` says so.
    pub(crate) fn until(link: &'a Link, stop: &'a Stop) -> Self {
        Self { stop: Some(stop), ..Self::new(link) }
    }

    /// One that does not wait for what [`Tx::send`] sends, before [`Tx::settle`].
    pub(crate) fn hasty(link: &'a Link) -> Self {
        Self { ahead: Some(RefCell::default()), ..Self::new(link) }
    }

    /// Runs a statement of which nobody needs to know more than that it has not failed. To PostgreSQL it may go along
    /// with what is sent next; when it fails there, all of the transaction is done again.
    pub(crate) fn send(&self, sql: Sql) -> Result<(), DatabaseError> {
        let (Link::Postgres { client, driver, timeout }, Some(ahead)) = (self.link, &self.ahead) else {
            return self.execute(&sql).map(|_| ());
        };
        self.touched.set(true);
        let prepared = driver.block_on(postgres::prepare(client, &sql, Instant::now() + *timeout))?;
        let mut outcome: Outcome<'_> = Box::pin(postgres::run(client, prepared, sql.into_args()));
        // Asked once, it is on its way; who waits for it will ask again.
        if let Poll::Ready(outcome) = outcome.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome.map(|_| ());
        }
        ahead.borrow_mut().outcomes.push(outcome);
        if ahead.borrow().outcomes.len() < MOST_AHEAD { Ok(()) } else { self.wait() }
    }

    /// Waits for all that was sent; tells why any of it has failed.
    pub(crate) fn settle(&self) -> Result<(), DatabaseError> {
        // What has failed before was told by nobody but this.
        let _ = self.wait();
        let failed = self.ahead.as_ref().and_then(|ahead| ahead.borrow_mut().failed.take());
        failed.map_or(Ok(()), Err)
    }

    fn wait(&self) -> Result<(), DatabaseError> {
        let (Link::Postgres { driver, timeout, .. }, Some(ahead)) = (self.link, &self.ahead) else {
            return Ok(());
        };
        let outcomes = std::mem::take(&mut ahead.borrow_mut().outcomes);
        let deadline = Instant::now() + *timeout;
        let waited = driver.block_on(async {
            for outcome in outcomes {
                postgres::by(deadline, outcome).await?;
            }
            Ok(())
        });
        let Err(error) = waited else { return Ok(()) };
        ahead.borrow_mut().failed.get_or_insert(error);
        Err(DatabaseError::Unavailable("a statement sent before has failed".to_owned()))
    }

    /// Forgets what it knows of its own writes: they were taken back.
    pub(crate) fn forget(&mut self) {
        self.scratch = RefCell::default();
    }

    /// Runs `work` behind a savepoint: when it fails, what it has written is taken back, and the transaction goes on.
    pub(crate) fn apart<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.touched.replace(true);
        self.link.batch("SAVEPOINT apart")?;
        self.touched.set(before);
        let result = work();
        let touched = self.touched.replace(true);
        if result.is_ok() {
            self.link.batch("RELEASE apart")?;
            self.touched.set(touched);
            return result;
        }
        // What was sent before is part of what is taken back; if it has failed, all is done again.
        let _ = self.wait();
        if !self.link.is_in_transaction() {
            return Err(
                DatabaseError::Unavailable("the database took the transaction back".to_owned()).into()
            );
        }
        self.link.batch("ROLLBACK TO apart; RELEASE apart")?;
        self.scratch.replace(None);
        self.touched.set(before);
        result
    }

    /// Runs `work` and tells whether it has left the transaction as it was.
    pub(crate) fn is_untouched_by<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        let before = self.touched.replace(false);
        let result = work();
        let is_untouched = !self.touched.get();
        self.touched.set(before || !is_untouched);
        (result, is_untouched)
    }

    /// Whether the transaction is any other than it was when this was last asked.
    pub(crate) fn take_touched(&self) -> bool {
        self.touched.take()
    }

    pub(crate) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
        let rows = self.stop.map_or(Ok(()), Stop::check).and_then(|()| self.link.all(sql));
        if rows.is_err() || !sql.text().starts_with("SELECT") {
            self.touched.set(true);
        }
        rows
    }

    /// The first row, if there is one.
    pub(crate) fn first<T: FromRow>(&self, sql: &Sql) -> Result<Option<T>, DatabaseError> {
        Ok(self.all(sql)?.into_iter().next())
    }

    pub(crate) fn execute(&self, sql: &Sql) -> Result<u64, DatabaseError> {
        self.touched.set(true);
        self.link.execute(sql)
    }

    /// The connection it runs on, to do with as one likes.
    pub(crate) fn link(&self) -> &'a Link {
        self.touched.set(true);
        self.link
    }

    /// Text that differs between the databases, both side by side at the call.
    pub(crate) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Which database it is.
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

    /// Rolling back to a savepoint undoes exactly the work behind it, however that failed.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_fails_apart_is_taken_back_alone() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let written = items.write(|tx| {
                add(tx, "a")?;
                tx.apart(|| add(tx, "b"))?;
                let (failed, is_untouched) = tx.is_untouched_by(|| {
                    tx.apart(|| {
                        add(tx, "c")?;
                        refused::<()>()
                    })
                });
                assert!(failed.is_err() && is_untouched);
                let twice = tx.apart(|| {
                    add(tx, "d")?;
                    tx.execute(&Sql::new("INSERT INTO items SELECT * FROM items"))
                        .map(|_| ())
                        .map_err(TestError::from)
                });
                assert!(twice.is_err());
                add(tx, "e")?;
                assert!(!tx.is_untouched_by(|| add(tx, "f").unwrap()).1);
                Ok(())
            });
            written.await.unwrap();
            assert_eq!(names(&items).await, ["a", "b", "e", "f"]);
        })
        .await;
    }
}
