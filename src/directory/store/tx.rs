//! One transaction, as the work in it sees it: plain synchronous calls, on either database.
//!
//! It runs on the writer's own thread, where waiting is allowed; so a use case reads top to bottom and
//! needs no asynchronous closures.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use deadpool_postgres::Client;
use rusqlite::Connection;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::fault::StoreError;
use super::row::FromRow;
use super::sql::{Sql, Value};
use super::{Dialect, postgres, sqlite};
use crate::directory::error::Error;

/// An open connection on the writer's thread.
pub(super) enum Link {
    Sqlite(Connection),
    Postgres { client: Client, driver: Driver, patience: Duration },
}

/// Who moves the bytes of a connection while its thread waits for an answer.
pub(super) enum Driver {
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

/// PostgreSQL's lock of all who write; the triggers of `identity_changes` take the same one.
macro_rules! writers_lock {
    () => {
        "SELECT pg_advisory_xact_lock(6283734521)"
    };
}
pub(super) use writers_lock;

impl Link {
    /// A connection of its own to PostgreSQL. It waits, so it belongs on a thread that may, and so does its end.
    pub(super) fn postgres(url: &str, patience: Duration) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Broken(error.into()))?;
        let pool =
            postgres::pool_by_index(url, 1, patience).map_err(|error| StoreError::Broken(error.into()))?;
        let client = runtime.block_on(pool.get())?;
        Ok(Self::Postgres { client, driver: Driver::Own(Box::new(runtime)), patience })
    }

    pub(super) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::all(connection, sql),
            Self::Postgres { client, driver, patience } => {
                driver.block_on(postgres::all(client, sql, Instant::now() + *patience))
            }
        }
    }

    pub(super) fn execute(&self, sql: &Sql) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql),
            Self::Postgres { client, driver, patience } => {
                driver.block_on(postgres::execute(client, sql, Instant::now() + *patience))
            }
        }
    }

    pub(super) fn batch(&self, text: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(text)?),
            Self::Postgres { client, driver, patience } => {
                driver.block_on(postgres::batch(client, text, Instant::now() + *patience))
            }
        }
    }

    /// Runs an `INSERT` of one row for each row, or a `COPY` of columns of these types.
    pub(super) fn insert(&self, sql: &Sql, types: &[Type], rows: &[Vec<Value>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::insert(connection, sql.text(), rows),
            Self::Postgres { client, driver, patience } => {
                let copied = postgres::copy(client, sql.text(), types, rows, Instant::now() + *patience);
                driver.block_on(copied)
            }
        }
    }

    /// Closes a connection whose state is not known. It must not go back to the pool: a transaction may
    /// still be open on it.
    pub(super) fn discard(self) {
        if let Self::Postgres { client, .. } = self {
            drop(Client::take(client));
        }
    }

    /// Whether a transaction is open still: SQLite takes one back by itself when the disk is full or broken.
    pub(super) fn is_in_transaction(&self) -> bool {
        match self {
            Self::Sqlite(connection) => !connection.is_autocommit(),
            Self::Postgres { .. } => true,
        }
    }

    /// Takes back what the transaction has done, if nobody has yet.
    pub(super) fn roll_back(&self) -> Result<(), StoreError> {
        if self.is_in_transaction() { self.batch("ROLLBACK") } else { Ok(()) }
    }

    /// Begins a transaction that nobody else's write can come between, in this process or another:
    /// SQLite gives its one write lock, PostgreSQL an advisory lock that ends with the transaction.
    pub(super) fn begin(&self) -> Result<(), StoreError> {
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
pub(in crate::directory) struct Tx<'a> {
    link: &'a Link,
    /// The end of the audit trail, once this transaction has read or written it: nobody else writes meanwhile.
    pub(super) audit_head: RefCell<Option<Vec<u8>>>,
    /// Whether anything was sent but statements that read, and came back.
    touched: Cell<bool>,
    /// What was sent without waiting; `None` where each statement is waited for at once.
    ahead: Option<RefCell<Ahead<'a>>>,
}

/// Statements that are on their way.
#[derive(Default)]
struct Ahead<'a> {
    outcomes: Vec<Outcome<'a>>,
    /// Why an earlier one has failed.
    failed: Option<StoreError>,
}

/// Statements that may be on their way at once: what is known of each takes memory.
const MOST_AHEAD: usize = 64;

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<u64, StoreError>> + 'a>>;

impl<'a> Tx<'a> {
    pub(super) fn new(link: &'a Link) -> Self {
        Self { link, audit_head: RefCell::default(), touched: Cell::default(), ahead: None }
    }

    /// One that does not wait for what [`Tx::send`] sends, before [`Tx::settle`].
    pub(super) fn hasty(link: &'a Link) -> Self {
        Self { ahead: Some(RefCell::default()), ..Self::new(link) }
    }

    /// Runs a statement of which nobody needs to know more than that it has not failed. To PostgreSQL it may go along
    /// with what is sent next; when it fails there, all of the transaction is done again.
    pub(super) fn send(&self, sql: Sql) -> Result<(), StoreError> {
        let (Link::Postgres { client, driver, patience }, Some(ahead)) = (self.link, &self.ahead) else {
            return self.execute(&sql).map(|_| ());
        };
        self.touched.set(true);
        let prepared = driver.block_on(postgres::prepare(client, &sql, Instant::now() + *patience))?;
        let mut outcome: Outcome<'_> = Box::pin(postgres::run(client, prepared, sql.into_args()));
        // Asked once, it is on its way; who waits for it will ask again.
        if let Poll::Ready(outcome) = outcome.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome.map(|_| ());
        }
        ahead.borrow_mut().outcomes.push(outcome);
        if ahead.borrow().outcomes.len() < MOST_AHEAD { Ok(()) } else { self.wait() }
    }

    /// Waits for all that was sent; tells why any of it has failed.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        // What has failed before was told by nobody but this.
        let _ = self.wait();
        let failed = self.ahead.as_ref().and_then(|ahead| ahead.borrow_mut().failed.take());
        failed.map_or(Ok(()), Err)
    }

    fn wait(&self) -> Result<(), StoreError> {
        let (Link::Postgres { driver, patience, .. }, Some(ahead)) = (self.link, &self.ahead) else {
            return Ok(());
        };
        let outcomes = std::mem::take(&mut ahead.borrow_mut().outcomes);
        let deadline = Instant::now() + *patience;
        let waited = driver.block_on(async {
            for outcome in outcomes {
                postgres::by(deadline, outcome).await?;
            }
            Ok(())
        });
        let Err(error) = waited else { return Ok(()) };
        ahead.borrow_mut().failed.get_or_insert(error);
        Err(StoreError::Unavailable("a statement sent before has failed".to_owned()))
    }

    /// Forgets what it knows of its own writes: they were taken back.
    pub(super) fn forget(&mut self) {
        self.audit_head = RefCell::default();
    }

    /// Runs `work` behind a savepoint: when it fails, what it has written is taken back, and the transaction goes on.
    pub(in crate::directory) fn apart<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
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
            return Err(StoreError::Unavailable("the database took the transaction back".to_owned()).into());
        }
        self.link.batch("ROLLBACK TO apart; RELEASE apart")?;
        self.audit_head.replace(None);
        self.touched.set(before);
        result
    }

    /// Runs `work` and tells whether it has left the transaction as it was.
    pub(in crate::directory) fn is_untouched_by<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        let before = self.touched.replace(false);
        let result = work();
        let is_untouched = !self.touched.get();
        self.touched.set(before || !is_untouched);
        (result, is_untouched)
    }

    /// Whether the transaction is any other than it was when this was last asked.
    pub(super) fn take_touched(&self) -> bool {
        self.touched.take()
    }

    pub(in crate::directory) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, StoreError> {
        let rows = self.link.all(sql);
        if rows.is_err() || !sql.text().starts_with("SELECT") {
            self.touched.set(true);
        }
        rows
    }

    /// The first row, if there is one.
    pub(in crate::directory) fn first<T: FromRow>(&self, sql: &Sql) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql)?.into_iter().next())
    }

    pub(super) fn execute(&self, sql: &Sql) -> Result<u64, StoreError> {
        self.touched.set(true);
        self.link.execute(sql)
    }

    /// The connection it runs on, to do with as one likes.
    pub(super) fn link(&self) -> &'a Link {
        self.touched.set(true);
        self.link
    }

    /// Text that differs between the databases, both side by side at the call.
    pub(super) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Which database it is.
    pub(super) fn dialect(&self) -> Dialect {
        match self.link {
            Link::Sqlite(_) => Dialect::Sqlite,
            Link::Postgres { .. } => Dialect::Postgres,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::directory::error::Error;
    use crate::directory::store::trial::on_both;
    use crate::directory::store::{Sql, Store, Tx};

    fn group(tx: &Tx<'_>, name: &str) -> Result<(), Error> {
        let sql = "INSERT INTO groups (name, name_key, notes, created_at, updated_at, search_key) \
                   VALUES ($1, $1, '', 0, 0, '')";
        Ok(tx.send(Sql::new(sql).bind(name))?)
    }

    fn refused<T>() -> Result<T, Error> {
        Err(Error::not_found("group", "refused"))
    }

    /// What fails behind a savepoint is taken back, whatever failed there, and nothing else is.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_fails_apart_is_taken_back_alone() {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let written = store.write(|tx| {
                group(tx, "a")?;
                tx.apart(|| group(tx, "b"))?;
                let (failed, is_untouched) = tx.is_untouched_by(|| {
                    tx.apart(|| {
                        group(tx, "c")?;
                        refused::<()>()
                    })
                });
                assert!(failed.is_err() && is_untouched);
                let twice = tx.apart(|| {
                    group(tx, "d")?;
                    tx.execute(&Sql::new("INSERT INTO groups SELECT * FROM groups"))
                        .map(|_| ())
                        .map_err(Error::from)
                });
                assert!(twice.is_err());
                group(tx, "e")?;
                assert!(!tx.is_untouched_by(|| group(tx, "f").unwrap()).1);
                Ok(())
            });
            written.await.unwrap();
            let kept: Vec<String> = store.all(Sql::new("SELECT name FROM groups ORDER BY id")).await.unwrap();
            assert_eq!(kept, ["a", "b", "e", "f"]);
        })
        .await;
    }
}
