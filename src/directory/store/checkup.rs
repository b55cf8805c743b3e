//! Statements of `doctor`: rows that cannot be read, avatars, the clock and the settings of the database.

use std::collections::BTreeSet;

use super::deleted_groups::{self, ReadableDeletedGroup};
use super::{Dialect, FromRow, Sql, Store, Tx, deleted, export_rows};
use crate::database::{DatabaseError, Row};
use crate::directory::error::Error;
use crate::directory::model::stored::{StoredDeletedUser, StoredGroup, StoredToken, StoredUser};

/// The number of rows read at once.
const PAGE: i64 = 2000;
/// After this many unreadable rows, no more are looked for.
const MOST: usize = 1000;

/// How a PostgreSQL server commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSettings {
    /// `synchronous_commit` as set for the server, the database, the role or in the URL.
    pub configured: String,
    /// `synchronous_standby_names`.
    pub standbys: String,
}

impl FromRow for CommitSettings {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { configured: row.next()?, standbys: row.next()? })
    }
}

impl Store {
    /// Returns the rows that a server could not read, each with the reason.
    pub(in crate::directory) async fn unreadable_rows(&self) -> Result<Vec<String>, Error> {
        self.snapshot(|tx| {
            let mut found = Vec::new();
            look::<StoredUser>(tx, "users", &export_rows::users_after, &mut found)?;
            look::<StoredGroup>(tx, "groups", &export_rows::groups_after, &mut found)?;
            look::<StoredToken>(tx, "tokens", &export_rows::tokens_after, &mut found)?;
            look::<ReadableDeletedUser>(tx, "deleted_users", &export_rows::deleted_after, &mut found)?;
            look::<ReadableDeletedGroup>(tx, "deleted_groups", &deleted_groups::after, &mut found)?;
            Ok(found)
        })
        .await
    }

    /// Returns the avatars of all users, deleted ones included.
    pub(in crate::directory) async fn avatars(&self) -> Result<BTreeSet<String>, Error> {
        self.snapshot(|tx| {
            let sql = Sql::new("SELECT DISTINCT avatar FROM users WHERE avatar IS NOT NULL AND avatar <> ''");
            let mut avatars: BTreeSet<String> = tx.all::<String>(&sql)?.into_iter().collect();
            let sql = Sql::new("SELECT remains FROM deleted_users WHERE remains LIKE '%\"avatar\":\"%'");
            avatars.extend(tx.all::<String>(&sql)?.iter().filter_map(|remains| deleted::avatar(remains)));
            Ok(avatars)
        })
        .await
    }

    /// Returns the clock of a PostgreSQL server in microseconds. SQLite has none of its own.
    pub(in crate::directory) async fn database_clock(&self) -> Result<Option<i64>, Error> {
        match self.dialect() {
            Dialect::Sqlite => Ok(None),
            Dialect::Postgres => {
                let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
                self.first(Sql::new(sql)).await
            }
        }
    }

    /// Returns the time of the newest audit event, in microseconds.
    pub(in crate::directory) async fn newest_event(&self) -> Result<Option<i64>, Error> {
        self.first(Sql::new("SELECT at FROM audit_events ORDER BY id DESC LIMIT 1")).await
    }

    /// Returns how a PostgreSQL server commits, or `None` on SQLite.
    pub(in crate::directory) async fn commit_settings(&self) -> Result<Option<CommitSettings>, Error> {
        match self.dialect() {
            Dialect::Sqlite => Ok(None),
            Dialect::Postgres => {
                let sql = "SELECT CAST(reset_val AS TEXT), CAST(current_setting('synchronous_standby_names') AS TEXT) \
                           FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit'";
                self.first(Sql::new(sql)).await
            }
        }
    }
}

/// A deleted user whose JSON can be read.
struct ReadableDeletedUser;

impl FromRow for ReadableDeletedUser {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let user = StoredDeletedUser::from_row(row)?;
        match deleted::user_of(user.id, &user.remains) {
            Ok(_) => Ok(Self),
            Err(_) => Err(DatabaseError::corrupt("deleted user")),
        }
    }
}

/// Reads a table in pages. If a page cannot be read, it reads its rows one by one.
fn look<T: FromRow>(
    tx: &Tx<'_>,
    table: &'static str,
    page: &dyn Fn(i64, i64) -> Sql,
    found: &mut Vec<String>,
) -> Result<(), DatabaseError> {
    let mut after = i64::MIN;
    while found.len() < MOST {
        let mut ids = Sql::new("SELECT id FROM ");
        ids.push(table).push(" WHERE id > ").push_arg(after);
        ids.push(" ORDER BY id LIMIT ").push_arg(PAGE);
        let ids: Vec<i64> = tx.all(&ids)?;
        let Some(last) = ids.last() else { break };
        if read::<T>(tx, &page(after, PAGE))?.is_some() {
            for id in &ids {
                let why = read::<T>(tx, &page(id.saturating_sub(1), 1))?;
                found.extend(why.map(|why| format!("{table}, id {id}: {why}")));
            }
        }
        after = *last;
    }
    Ok(())
}

/// Reads rows. Returns why they cannot be converted.
fn read<T: FromRow>(tx: &Tx<'_>, rows: &Sql) -> Result<Option<String>, DatabaseError> {
    match tx.all::<T>(rows) {
        Ok(_) => Ok(None),
        Err(DatabaseError::Broken(why)) => Ok(Some(why.to_string())),
        Err(error) => Err(error),
    }
}
