//! Whether the database can be asked, and whether what it holds is sound.

use super::row::FromRow;
use super::sql::Sql;
use super::{Backend, StoreError, row::Row};
use super::{Store, Tx};
use crate::directory::error::Error;

impl Store {
    /// Asks the database for nothing in particular.
    pub(in crate::directory) async fn ping(&self) -> Result<(), Error> {
        self.first::<i64>(Sql::new("SELECT count(*) FROM schema_migrations")).await.map(|_| ())
    }

    /// What the database is, in words: its kind and version.
    pub(in crate::directory) async fn describe(&self) -> Result<String, Error> {
        match &self.backend {
            Backend::Sqlite { directory, .. } => {
                Ok(format!("SQLite {} in {}", rusqlite::version(), directory.display()))
            }
            Backend::Postgres { .. } => {
                let version: Option<String> = self.first(Sql::new("SHOW server_version")).await?;
                Ok(format!("PostgreSQL {}", version.unwrap_or_default()))
            }
        }
    }

    /// Reads the whole database and tells what is wrong with it; nothing on PostgreSQL, which checks its
    /// own pages.
    pub(in crate::directory) async fn faults(&self) -> Result<Vec<String>, Error> {
        match self.backend {
            Backend::Sqlite { .. } => self.snapshot(|tx| Ok(faults(tx)?)).await,
            Backend::Postgres { .. } => Ok(Vec::new()),
        }
    }
}

/// What is wrong with a SQLite file, or with what its rows refer to.
pub(super) fn faults(tx: &Tx<'_>) -> Result<Vec<String>, StoreError> {
    let told: Vec<String> = tx.all(&Sql::new("PRAGMA integrity_check"))?;
    let mut faults: Vec<_> = told.into_iter().filter(|line| line != "ok").collect();
    let broken: Vec<Orphan> = tx.all(&Sql::new("SELECT \"table\" FROM pragma_foreign_key_check"))?;
    faults.extend(broken.into_iter().map(|Orphan(table)| format!("a row of {table} refers to nothing")));
    Ok(faults)
}

struct Orphan(String);

impl FromRow for Orphan {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        row.next().map(Self)
    }
}
