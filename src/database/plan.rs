//! What a database says about how it would answer a statement.

use super::Database;
use super::error::DatabaseError;
use super::row::{FromRow, Row};
use super::sql::{Dialect, Sql};

/// A line of SQLite's `EXPLAIN QUERY PLAN`: two ids and an unused column, then the text.
struct SqliteLine(String);

impl FromRow for SqliteLine {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        for _ in 0..3 {
            row.next::<i64>()?;
        }
        Ok(Self(row.next()?))
    }
}

impl<E: From<DatabaseError> + Send + 'static> Database<E> {
    /// The plan of a statement, a step a line, in the database's own words.
    pub(crate) async fn plan(&self, sql: Sql) -> Result<String, E> {
        let lines: Vec<String> = match self.dialect() {
            Dialect::Sqlite => {
                let lines: Vec<SqliteLine> = self.all(sql.after("EXPLAIN QUERY PLAN ")).await?;
                lines.into_iter().map(|line| line.0).collect()
            }
            Dialect::Postgres => self.all(sql.after("EXPLAIN ")).await?,
        };
        Ok(lines.join("\n"))
    }
}
