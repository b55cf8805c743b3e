//! Reads the database of another program in one snapshot: its catalogue, and its rows as text. It never writes.
//!
//! The names of tables and columns are only known at run time. They enter a statement as [`Name`]s, which quote
//! themselves. This file does not know what the tables mean.

mod catalogue;
mod questions;
mod rows;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Handle;

use super::error::DatabaseError;
use super::link::{Driver, Link, WaitBudget};
use super::long_reads::LONG_READ_TIMEOUT;
use super::open::OpenError;
use super::postgres::PostgresServer;
use super::sql::Sql;
use super::tx::Tx;
use crate::paths::remedy;
use crate::postgres_url::PostgresUrl;

pub(crate) use self::catalogue::{ForeignCatalogue, ForeignColumn, ForeignKey, ForeignShape, ForeignTable};
pub(crate) use self::rows::{ForeignRow, JoinedTable, KeyKind, KeyValue, RowQuery};

/// Why a foreign database cannot be read.
pub(crate) enum ForeignError {
    /// It cannot be opened or read.
    Unreadable(String),
    /// Its URL is malformed, or it allows an unprotected connection without saying so.
    InvalidUrl(String),
}

/// A snapshot of a foreign database.
pub(crate) struct ForeignDatabase {
    link: Link,
}

impl From<DatabaseError> for ForeignError {
    fn from(error: DatabaseError) -> Self {
        Self::Unreadable(catalogue::cause(&error))
    }
}

impl ForeignDatabase {
    /// Opens a copy of a SQLite file, made with SQLite's backup API. Reading the file itself for minutes would block
    /// writes to a database that is not in WAL mode.
    pub(crate) fn sqlite(path: &Path) -> Result<Self, ForeignError> {
        let unreadable = |why: String| ForeignError::Unreadable(format!("{}: {why}", path.display()));
        let mut header = [0; 16];
        let mut file =
            std::fs::File::open(path).map_err(|error| unreadable(format!("{error}: {}", remedy(&error))))?;
        if file.read_exact(&mut header).is_err() || header != *b"SQLite format 3\0" {
            return Err(unreadable("it is not a SQLite database".to_owned()));
        }
        let copy = copy_to_temporary(path).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { link: Link::Sqlite(copy) })
    }

    /// Connects to PostgreSQL and takes a snapshot there. It blocks the calling thread.
    pub(crate) fn postgres(url: &str, runtime: &Handle) -> Result<Self, ForeignError> {
        let opened = PostgresServer::new(url).map(Arc::new).and_then(|server| {
            let pool = server.pool(1, LONG_READ_TIMEOUT)?;
            Ok((server, pool))
        });
        let (server, pool) = opened.map_err(|error| match error {
            error @ (OpenError::Unprotected(_) | OpenError::InvalidUrl(_)) => {
                ForeignError::InvalidUrl(error.to_string())
            }
            other => ForeignError::Unreadable(other.to_string()),
        })?;
        runtime.block_on(server.check_sessions(LONG_READ_TIMEOUT))?;
        let client = runtime.block_on(pool.get()).map_err(DatabaseError::from)?;
        let link = Link::Postgres {
            client,
            driver: Driver::Shared(runtime.clone()),
            timeout: LONG_READ_TIMEOUT,
            budget: WaitBudget::default(),
        };
        // A policy that hides rows from this role is an error: rows must not be missing without a word.
        link.batch(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; \
             SET LOCAL row_security = off",
        )?;
        Ok(Self { link })
    }

    /// Describes the PostgreSQL database that a URL names, without its password.
    pub(crate) fn describe_url(url: &str) -> String {
        match PostgresUrl::parse(url) {
            Ok(url) => {
                format!(
                    "PostgreSQL database {:?} on {}",
                    url.config.get_dbname().unwrap_or_default(),
                    url.servers()
                )
            }
            Err(_) => "PostgreSQL".to_owned(),
        }
    }

    /// Returns whether it is PostgreSQL, whose columns have types.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.link, Link::Postgres { .. })
    }

    fn tx(&self) -> Tx<'_> {
        Tx::new(&self.link)
    }

    /// Reads what the database says about its tables.
    pub(crate) fn catalogue(&self) -> Result<ForeignCatalogue, ForeignError> {
        let tx = self.tx();
        Ok(match self.is_postgres() {
            true => ForeignCatalogue::of_postgres(&tx)?,
            false => ForeignCatalogue::of_sqlite(&tx)?,
        })
    }

    /// Reads a page of rows. The first value of each row is its key.
    pub(crate) fn rows(&self, query: &RowQuery<'_>) -> Result<Vec<ForeignRow>, ForeignError> {
        self.of_table(query.table, self.tx().all(&query.sql(self.is_postgres())))
    }

    /// Counts the rows of a table.
    pub(crate) fn count(&self, table: &ForeignTable) -> Result<i64, ForeignError> {
        self.number(table, &questions::count(table))
    }

    /// Counts the rows whose column is null.
    pub(crate) fn count_null(&self, table: &ForeignTable, column: &str) -> Result<i64, ForeignError> {
        self.number(table, &questions::count_null(table, column))
    }

    /// Returns whether a table has a row with this text in the given column.
    pub(crate) fn has(&self, table: &ForeignTable, column: &str, text: &str) -> Result<bool, ForeignError> {
        Ok(self.number(table, &questions::count_of(table, column, text))? > 0)
    }

    /// Returns some values that a column has more than once.
    pub(crate) fn repeated(&self, table: &ForeignTable, column: &str) -> Result<Vec<String>, ForeignError> {
        self.of_table(table, self.tx().all(&questions::repeated(table, column)))
    }

    /// Returns the different values of a column, as texts; only of rows where `filled` has a value other than false, zero
    /// or an empty text.
    pub(crate) fn values_where(
        &self,
        table: &ForeignTable,
        column: &ForeignColumn,
        filled: Option<&ForeignColumn>,
    ) -> Result<Vec<String>, ForeignError> {
        self.of_table(table, self.tx().all(&questions::values_where(table, column, filled)))
    }

    /// Returns whether every value of a column is a whole number, or null.
    pub(crate) fn are_whole(&self, table: &ForeignTable, column: &str) -> Result<bool, ForeignError> {
        Ok(self.number(table, &questions::count_not_whole(table, column, self.is_postgres()))? == 0)
    }

    /// Counts the rows of a table that have no row with the same key and value in another. Tables are given with their
    /// keys, and `value` is the column of each.
    pub(crate) fn count_different(
        &self,
        one: (&ForeignTable, &str),
        other: (&ForeignTable, &str),
        value: (&str, &str),
    ) -> Result<i64, ForeignError> {
        self.number(one.0, &questions::count_different(one, other, value))
    }

    /// Counts the rows of a table whose column refers to no row of `owner`.
    pub(crate) fn count_orphans(
        &self,
        table: &ForeignTable,
        column: &str,
        owner: (&ForeignTable, &str),
    ) -> Result<i64, ForeignError> {
        self.number(table, &questions::count_orphans(table, column, owner.0, owner.1))
    }

    fn number(&self, table: &ForeignTable, sql: &Sql) -> Result<i64, ForeignError> {
        Ok(self.of_table(table, self.tx().first(sql))?.unwrap_or_default())
    }

    /// Adds the name of the table that was read to an error.
    fn of_table<T>(&self, table: &ForeignTable, read: Result<T, DatabaseError>) -> Result<T, ForeignError> {
        read.map_err(|error| {
            let (role, why) = (self.is_postgres(), catalogue::cause(&error));
            let way = match role && why.starts_with("permission denied") {
                true => format!(": grant the role of the URL SELECT on {table}"),
                false => String::new(),
            };
            ForeignError::Unreadable(format!("the table {table}: {why}{way}"))
        })
    }
}

/// Copies a SQLite file into a temporary database (<https://www.sqlite.org/inmemorydb.html>, "temp databases"). No
/// other program can open it, and SQLite deletes it when the connection closes, even after a crash. It is on disk, in
/// SQLite's directory for temporary files.
fn copy_to_temporary(from: &Path) -> Result<Connection, rusqlite::Error> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(LONG_READ_TIMEOUT)?;
    let mut copy = Connection::open("")?;
    {
        // One step, under one lock: a copy in several steps would start again after each write.
        let backup = rusqlite::backup::Backup::new(&source, &mut copy)?;
        while backup.step(-1)? != rusqlite::backup::StepResult::Done {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    copy.pragma_update(None, "query_only", true)?;
    copy.execute_batch("BEGIN")?;
    Ok(copy)
}
