//! Query plans: how a database would run a statement.

use super::Database;
use super::error::DatabaseError;
use super::row::{FromRow, Row};
use super::sql::{Dialect, Sql};

/// A row of SQLite's `EXPLAIN QUERY PLAN`: two ids and an unused column, then the text.
struct SqlitePlanStep(String);

impl FromRow for SqlitePlanStep {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        for _ in 0..3 {
            row.next::<i64>()?;
        }
        Ok(Self(row.next()?))
    }
}

impl<E: From<DatabaseError> + Send + 'static> Database<E> {
    /// Returns the plan of a statement in the database's own words, one step a line.
    pub(crate) async fn plan(&self, sql: Sql) -> Result<String, E> {
        let lines: Vec<String> = match self.dialect() {
            Dialect::Sqlite => {
                let steps: Vec<SqlitePlanStep> = self.all(sql.with_prefix("EXPLAIN QUERY PLAN ")).await?;
                steps.into_iter().map(|step| step.0).collect()
            }
            Dialect::Postgres => self.all(sql.with_prefix("EXPLAIN ")).await?,
        };
        Ok(lines.join("\n"))
    }
}
