//! Reads the database of another program in one snapshot: its catalogue, and its rows as text. It never writes.
//!
//! The names of tables and columns are only known at run time. They enter a statement as [`Name`]s, which quote
//! themselves. This file does not know what the tables mean.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Handle;

use super::error::DatabaseError;
use super::link::{Driver, Link, WaitBudget};
use super::long_reads::LONG_READ_TIMEOUT;
use super::open::OpenError;
use super::postgres::{PostgresServer, ServerMessage};
use super::row::{FromRow, Row};
pub(crate) use super::sql::Name;
use super::sql::Sql;
use super::tx::Tx;
use crate::postgres_url::PostgresUrl;

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

/// A column of a foreign table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignColumn {
    pub(crate) table: String,
    pub(crate) name: String,
    /// The column's type as the database names it, in lower case.
    pub(crate) kind: String,
}

/// A foreign key of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    pub(crate) table: String,
    pub(crate) column: String,
    /// The table that it refers to.
    pub(crate) to: String,
}

/// The values of a row, each as the bytes of its text; `None` is `NULL`.
pub(crate) struct ForeignRow(pub(crate) Vec<Option<Vec<u8>>>);

impl FromRow for ForeignColumn {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { table: row.next()?, name: row.next()?, kind: row.next()? })
    }
}

impl FromRow for ForeignKey {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { table: row.next()?, column: row.next()?, to: row.next()? })
    }
}

impl FromRow for ForeignRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        (0..row.width()).map(|_| row.next()).collect::<Result<_, _>>().map(Self)
    }
}

impl From<DatabaseError> for ForeignError {
    fn from(error: DatabaseError) -> Self {
        Self::Unreadable(match error {
            DatabaseError::Unavailable(why)
            | DatabaseError::Transient(why)
            | DatabaseError::Unconfirmed(why)
            | DatabaseError::Damaged(why)
            | DatabaseError::Constraint(why) => why,
            DatabaseError::Broken(source) => match source.downcast::<ServerMessage>() {
                Ok(message) => message.for_reading().to_string(),
                // The last cause has the database's own message.
                Err(source) => {
                    std::iter::successors(Some(&*source as &dyn std::error::Error), |error| error.source())
                        .last()
                        .map_or_else(String::new, ToString::to_string)
                }
            },
        })
    }
}

impl ForeignDatabase {
    /// Opens a copy of a SQLite file, made with SQLite's backup API. Reading the file itself for minutes would block
    /// writes to a database that is not in WAL mode.
    pub(crate) fn sqlite(path: &Path) -> Result<Self, ForeignError> {
        let unreadable = |why: String| ForeignError::Unreadable(format!("{}: {why}", path.display()));
        let mut header = [0; 16];
        let mut file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
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
        link.batch(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0",
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

    /// Reads every column of every visible table and view.
    pub(crate) fn columns(&self) -> Result<Vec<ForeignColumn>, ForeignError> {
        let tx = self.tx();
        let sql = Sql::new(tx.either(
            "SELECT m.name, c.name, lower(c.type) FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' ORDER BY m.name, c.cid",
            "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT), format_type(a.atttypid, NULL) FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(c.oid) AND a.attnum > 0 \
             AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
             ORDER BY c.relname, a.attnum",
        ));
        Ok(tx.all(&sql)?)
    }

    /// Reads every foreign key of one column.
    pub(crate) fn references(&self) -> Result<Vec<ForeignKey>, ForeignError> {
        let tx = self.tx();
        let sql = Sql::new(tx.either(
            "SELECT m.name, k.\"from\", k.\"table\" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) k \
             WHERE m.type = 'table' ORDER BY 1, 2",
            "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT), CAST(t.relname AS TEXT) FROM pg_constraint k \
             JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] \
             WHERE k.contype = 'f' AND array_length(k.conkey, 1) = 1 AND pg_table_is_visible(c.oid) ORDER BY 1, 2",
        ));
        Ok(tx.all(&sql)?)
    }

    /// Counts the rows of a table.
    pub(crate) fn count(&self, table: &Name) -> Result<i64, ForeignError> {
        let mut sql = Sql::composed("SELECT count(*) FROM ");
        sql.push_name(table);
        Ok(self.tx().first(&sql)?.unwrap_or_default())
    }

    /// Returns whether a table has a row with this text in the given column.
    pub(crate) fn has(&self, table: &Name, column: &Name, text: &str) -> Result<bool, ForeignError> {
        let mut sql = Sql::composed("SELECT count(*) FROM ");
        sql.push_name(table).push(" WHERE ").push_name(column).push(" = ").push_arg(text);
        Ok(self.tx().first::<i64>(&sql)?.unwrap_or_default() > 0)
    }

    /// Reads the next rows of a table in the order of a key, which is the first value of each row: rows with a key
    /// above `after` and up to `last`, at most `limit` of them.
    pub(crate) fn rows(
        &self,
        table: &Name,
        key: &Name,
        columns: &[(&Name, &str)],
        after: i64,
        last: Option<i64>,
        limit: Option<i64>,
    ) -> Result<Vec<ForeignRow>, ForeignError> {
        let mut sql = Sql::composed("SELECT ");
        self.push_column(&mut sql, key, "");
        for (column, kind) in columns {
            sql.push(", ");
            self.push_column(&mut sql, column, kind);
        }
        sql.push(" FROM ").push_name(table).push(" WHERE ").push_name(key).push(" > CAST(").push_arg(after);
        sql.push(" AS BIGINT)");
        if let Some(last) = last {
            sql.push(" AND ").push_name(key).push(" <= CAST(").push_arg(last).push(" AS BIGINT)");
        }
        sql.push(" ORDER BY ").push_name(key);
        if let Some(limit) = limit {
            sql.push(" LIMIT ").push_arg(limit);
        }
        Ok(self.tx().all(&sql)?)
    }

    /// Appends an expression for a column as the bytes of its text. Times are in UTC, in the format that SQLite uses.
    fn push_column(&self, sql: &mut Sql, column: &Name, kind: &str) {
        match (self.is_postgres(), kind) {
            (false, _) => sql.push("CAST(").push_name(column).push(" AS BLOB)"),
            (true, "timestamp with time zone") => sql
                .push("convert_to(CASE WHEN isfinite(")
                .push_name(column)
                .push(") THEN to_char(")
                .push_name(column)
                .push(" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.USZ') ELSE CAST(")
                .push_name(column)
                .push(" AS TEXT) END, 'UTF8')"),
            (true, "timestamp without time zone") => sql
                .push("convert_to(CASE WHEN isfinite(")
                .push_name(column)
                .push(") THEN to_char(")
                .push_name(column)
                .push(", 'YYYY-MM-DD HH24:MI:SS.US') ELSE CAST(")
                .push_name(column)
                .push(" AS TEXT) END, 'UTF8')"),
            (true, _) => sql.push("convert_to(CAST(").push_name(column).push(" AS TEXT), 'UTF8')"),
        };
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
