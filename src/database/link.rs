//! An open connection on a thread that may block, and how long its statements may wait.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Client;
use rusqlite::Connection;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::error::{self, DatabaseError};
use super::postgres::PostgresServer;
use super::row::FromRow;
use super::sql::{Sql, Value};
use super::{postgres, sqlite};

/// An open connection on a thread that may block.
pub(crate) enum Link {
    Sqlite(Connection),
    Postgres { client: Client, driver: Driver, timeout: Duration, budget: WaitBudget },
}

/// How long the statements of a transaction may wait for PostgreSQL, together. Without a budget each statement may wait
/// for the timeout of its connection.
#[derive(Default)]
pub(crate) struct WaitBudget(Cell<Option<Duration>>);

/// The time of a statement that counts as work, not as waiting.
const WORK: Duration = Duration::from_millis(50);

impl WaitBudget {
    /// Runs a statement with its deadline.
    pub(super) fn run<F: Future>(
        &self,
        driver: &Driver,
        timeout: Duration,
        statement: impl FnOnce(Instant) -> F,
    ) -> F::Output {
        let begun = Instant::now();
        let limit = self.0.get().map_or(timeout, |left| left.min(timeout));
        let outcome = driver.block_on(statement(begun + limit));
        self.0.set(self.0.get().map(|left| left.saturating_sub(begun.elapsed().saturating_sub(WORK))));
        outcome
    }
}

/// What drives the I/O of a connection while its thread waits for a response.
pub(crate) enum Driver {
    /// The runtime on which the connection was opened.
    Shared(Handle),
    /// A runtime on the waiting thread itself, which saves a switch of threads for each response. No I/O happens while
    /// the thread does not wait, so only the next statement notices that the connection was lost.
    Own(Box<Runtime>),
}

impl Driver {
    /// Runs what can run without waiting, such as handing statements to the network.
    pub(super) fn run_ready(&self) {
        self.block_on(tokio::task::yield_now());
    }

    fn block_on<F: Future>(&self, work: F) -> F::Output {
        match self {
            Self::Shared(runtime) => runtime.block_on(work),
            Self::Own(runtime) => runtime.block_on(work),
        }
    }
}

/// Takes PostgreSQL's advisory lock of all writers. Triggers of a schema may take the same lock.
macro_rules! writers_lock {
    () => {
        "SELECT pg_advisory_xact_lock(6283734521)"
    };
}
pub(crate) use writers_lock;

impl Link {
    /// Opens a connection to PostgreSQL outside the pools, within `connecting`. Both opening and closing it block the
    /// calling thread.
    pub(crate) fn postgres(
        server: &Arc<PostgresServer>,
        timeout: Duration,
        connecting: Duration,
    ) -> Result<Self, DatabaseError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DatabaseError::Broken(error.into()))?;
        let pool = server.pool_of_writes(timeout).map_err(|error| DatabaseError::Broken(error.into()))?;
        let client = runtime.block_on(async {
            postgres::before(Instant::now() + connecting, async {
                server.find_schema(timeout).await?;
                pool.get().await.map_err(DatabaseError::from)
            })
            .await
        })?;
        let driver = Driver::Own(Box::new(runtime));
        Ok(Self::Postgres { client, driver, timeout, budget: WaitBudget::default() })
    }

    /// Runs a statement and reads all its rows.
    pub(crate) fn all<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, DatabaseError> {
        match self {
            Self::Sqlite(connection) => sqlite::all(connection, sql),
            Self::Postgres { client, driver, timeout, budget } => {
                budget.run(driver, *timeout, |deadline| postgres::all(client, sql, deadline))
            }
        }
    }

    /// Runs a statement that returns no rows. Returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &Sql) -> Result<u64, DatabaseError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql),
            Self::Postgres { client, driver, timeout, budget } => {
                budget.run(driver, *timeout, |deadline| postgres::execute(client, sql, deadline))
            }
        }
    }

    /// Runs statements without parameters, such as a migration or `COMMIT`.
    pub(crate) fn batch(&self, text: &str) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(text)?),
            Self::Postgres { client, driver, timeout, budget } => {
                budget.run(driver, *timeout, |deadline| postgres::batch(client, text, deadline))
            }
        }
    }

    /// Commits the transaction. The error says whether the changes were undone or are unconfirmed.
    pub(super) fn commit(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("COMMIT").map_err(error::of_sqlite_commit),
            Self::Postgres { client, driver, timeout, budget } => {
                budget.run(driver, *timeout, |deadline| postgres::commit(client, deadline))
            }
        }
    }

    /// Inserts rows. On SQLite `sql` is an `INSERT` that runs once for each row; on PostgreSQL it is a `COPY` whose
    /// columns have these types.
    pub(crate) fn insert(&self, sql: &Sql, types: &[Type], rows: &[Vec<Value>]) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(connection) => sqlite::insert(connection, sql.text(), rows),
            Self::Postgres { client, driver, timeout, budget } => budget
                .run(driver, *timeout, |deadline| postgres::copy(client, sql.text(), types, rows, deadline)),
        }
    }

    /// Closes a connection whose state is unknown. It must not return to the pool, because a transaction may still be
    /// open on it.
    pub(crate) fn discard(self) {
        if let Self::Postgres { client, .. } = self {
            drop(Client::take(client));
        }
    }

    /// Returns whether a transaction is still open. SQLite rolls back by itself when the disk is full or fails.
    pub(crate) fn is_in_transaction(&self) -> bool {
        match self {
            Self::Sqlite(connection) => !connection.is_autocommit(),
            Self::Postgres { .. } => true,
        }
    }

    /// Rolls back the transaction, if it is still open.
    pub(crate) fn roll_back(&self) -> Result<(), DatabaseError> {
        if self.is_in_transaction() { self.batch("ROLLBACK") } else { Ok(()) }
    }

    /// Begins a transaction that excludes all other writers, in this process and in others. SQLite has one write lock;
    /// on PostgreSQL the transaction takes an advisory lock, which ends with it.
    pub(crate) fn begin(&self) -> Result<(), DatabaseError> {
        self.batch(match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            // READ COMMITTED, whatever the server's default: the statements must see all writes that were committed
            // before the lock was taken.
            Self::Postgres { .. } => {
                concat!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ", writers_lock!())
            }
        })
    }

    /// Begins the same transaction and waits for other writers for at most `limit`. On PostgreSQL a statement of it waits
    /// for a lock for at most `locks`, and the server ends it when it has been idle for `idle`.
    pub(super) fn begin_within(
        &self,
        limit: Duration,
        locks: Duration,
        idle: Duration,
    ) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(connection) => {
                connection.busy_timeout(limit)?;
                Ok(connection.execute_batch("BEGIN IMMEDIATE")?)
            }
            Self::Postgres { timeout, budget, .. } => {
                // The server's limit comes first: after an error of the server the connection can still be used.
                budget.0.set(Some(limit + *timeout / GRACE));
                self.batch(&format!(
                    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
                     SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL lock_timeout = {}; {}; \
                     SET LOCAL lock_timeout = {}",
                    millis(idle),
                    millis(limit),
                    writers_lock!(),
                    millis(locks)
                ))
            }
        }
    }

    /// Limits how long the statements of the transaction may wait for PostgreSQL, together. SQLite's statements wait for
    /// nothing once it has begun.
    pub(super) fn set_budget(&self, total: Option<Duration>) {
        if let Self::Postgres { budget, .. } = self {
            budget.0.set(total);
        }
    }
}

/// The part of the timeout by which this program waits longer than the server does.
const GRACE: u32 = 8;

/// Returns a setting of PostgreSQL in milliseconds. Zero would mean no limit.
fn millis(limit: Duration) -> u128 {
    limit.as_millis().max(1)
}
