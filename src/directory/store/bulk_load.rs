//! Writes many rows at once, with every column as it was elsewhere.
//!
//! [`Store::load`] fills a database without users in one transaction: it drops the indexes, inserts rows in bulk and
//! builds the indexes again, which takes a fifth of the time of updating them row by row. Until it commits, others see
//! a database without users. If it fails, nothing has changed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::task::spawn_blocking;

use super::Store;
use super::column_list::{self, Columns};
use super::import_rows::token_columns;
use super::permissions::{ids_of_codes, list};
use super::search_index::REBUILD;
use super::triggers::TriggersOff;
use super::users::written;
use crate::database::DatabaseError;
use crate::database::Sql;
use crate::database::{Backend, MIGRATION_TIMEOUT, sqlite};
use crate::database::{Driver, Link, Tx, WaitBudget};
use crate::directory::error::Error;
use crate::directory::model::stored::{StoredToken, StoredUser};
use crate::directory::model::{Permission, TokenId};

/// Rows in one statement.
const ROWS: usize = 50;
/// Kibibytes of SQLite's page cache while many rows are written.
const CACHE: i64 = 64 * 1024;

/// Lifts the limits for long statements.
const UNBOUNDED: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL maintenance_work_mem = '128MB'";
/// The tables whose triggers are off meanwhile.
const TABLES: [&str; 4] = ["users", "memberships", "user_permissions", "tokens"];

impl Store {
    /// Fills a database without users in one transaction; `work` inserts with [`Tx::insert_users`] and
    /// [`Tx::insert_tokens`].
    pub(in crate::directory) async fn load<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.admit_write()?;
        let backend = self.backend.clone();
        let loaded = spawn_blocking(move || {
            let link = backend.loader()?;
            // The connection is never used again: its transaction may still be open.
            let outcome = catch_unwind(AssertUnwindSafe(|| load(&link, work)))
                .unwrap_or_else(|_| Err(Error::broken("a write failed", "the work panicked")));
            link.discard();
            outcome
        });
        loaded.await.map_err(|error| Error::broken("a write failed", error))?
    }
}

impl Backend {
    fn loader(&self) -> Result<Link, DatabaseError> {
        match self {
            Self::Sqlite { directory, timeout, .. } => {
                let connection = sqlite::connect(directory, *timeout)?;
                connection.pragma_update(None, "cache_size", -CACHE)?;
                Ok(Link::Sqlite(connection))
            }
            Self::Postgres { long, runtime, .. } => {
                let client = runtime.block_on(long.get())?;
                let driver = Driver::Shared(runtime.clone());
                Ok(Link::Postgres {
                    client,
                    driver,
                    timeout: MIGRATION_TIMEOUT,
                    budget: WaitBudget::default(),
                })
            }
        }
    }
}

fn load<T>(link: &Link, work: impl FnOnce(&Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
    link.begin()?;
    let tx = Tx::new(link);
    if tx.has_users()? {
        return Err(Error::broken("the database cannot be filled", "it has users"));
    }
    link.batch(tx.either("SELECT 1", UNBOUNDED))?;
    let triggers = TriggersOff::begin(link, &TABLES)?;
    let indexes: Vec<Index> = tx.all(&Sql::new(tx.either(SQLITE_INDEXES, POSTGRES_INDEXES)))?;
    for index in &indexes {
        link.batch(&format!("DROP INDEX \"{}\"", index.name))?;
    }
    let outcome = work(&tx)?;
    for index in &indexes {
        link.batch(&index.definition)?;
    }
    link.batch(tx.either(REBUILD, "SELECT 1"))?;
    triggers.end(link)?;
    link.batch("INSERT INTO identity_changes (scope) VALUES ('all')")?;
    tx.count_members()?;
    tx.count_ids_on()?;
    link.batch("COMMIT")?;
    // Otherwise the statistics of the new rows would wait for the server's next automatic analysis.
    link.batch(tx.either("SELECT 1", "ANALYZE users, memberships, tokens"))?;
    Ok(outcome)
}

/// An index and the statement that creates it.
struct Index {
    name: String,
    definition: String,
}

impl super::FromRow for Index {
    fn from_row(row: &mut crate::database::Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { name: row.next()?, definition: row.next()? })
    }
}

const SQLITE_INDEXES: &str = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL \
     AND tbl_name IN ('users', 'memberships', 'tokens')";
const POSTGRES_INDEXES: &str = "SELECT CAST(i.indexname AS TEXT), i.indexdef FROM pg_indexes i \
     WHERE i.schemaname = ANY (current_schemas(false)) AND i.tablename IN ('users', 'memberships', 'tokens') \
     AND i.indexname NOT IN (SELECT conname FROM pg_constraint)";

impl Tx<'_> {
    /// Inserts new users with their groups and permissions, in bulk.
    pub(in crate::directory) fn insert_users(&self, users: &[StoredUser]) -> Result<(), Error> {
        let highest = users.iter().map(|row| row.user.id.get()).max().unwrap_or_default();
        self.insert_with_ids("users", highest, || self.insert_rows("users", users.iter().map(user_columns)))?;
        let members = users.iter().flat_map(|StoredUser { user, .. }| {
            user.groups.iter().map(|group| vec![("user_id", user.id.into()), ("group_id", (*group).into())])
        });
        self.insert_rows("memberships", members)?;
        let holders: Vec<_> = users.iter().filter(|row| !row.permissions.is_empty()).collect();
        let permissions: Vec<Permission> = match holders.is_empty() {
            true => Vec::new(),
            false => self.all(&list())?,
        };
        for StoredUser { user, permissions: codes, .. } in holders {
            self.attach_user_permissions(user.id, &ids_of_codes(&permissions, codes))?;
        }
        Ok(())
    }

    /// Inserts new tokens in bulk: those with an id first, because the others get the next ids.
    pub(in crate::directory) fn insert_tokens(&self, tokens: &[StoredToken]) -> Result<(), Error> {
        let (with_id, others): (Vec<_>, Vec<_>) =
            tokens.iter().partition(|row| row.token.id != TokenId::UNSAVED);
        let rows = with_id.iter().map(|row| {
            let mut columns = token_columns(row);
            columns.push(("id", row.token.id.into()));
            columns
        });
        let highest = with_id.iter().map(|row| row.token.id.get()).max().unwrap_or_default();
        self.insert_with_ids("tokens", highest, || self.insert_rows("tokens", rows))?;
        if !with_id.is_empty() {
            self.count_ids_on()?;
        }
        let next = if others.is_empty() { None } else { self.next_id("tokens")? };
        let rows = others.into_iter().zip(0..).map(|(row, place)| {
            let mut columns = token_columns(row);
            columns.extend(next.map(|next| ("id", (next + place).into())));
            columns
        });
        self.insert_rows("tokens", rows)
    }

    /// Runs one statement for every [`ROWS`] rows.
    fn insert_rows(&self, table: &'static str, rows: impl Iterator<Item = Columns>) -> Result<(), Error> {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            self.execute(&column_list::insert(table, rows.by_ref().take(ROWS)))?;
        }
        Ok(())
    }
}

fn user_columns(row: &StoredUser) -> Columns {
    let StoredUser { user, password, .. } = row;
    let mut columns = written(user, None);
    columns.push(("id", user.id.into()));
    columns.push(("password", password.as_str().into()));
    columns.push(("last_seen_at", user.last_seen_at.into()));
    columns.push(("updated_at", user.updated_at.into()));
    columns
}
