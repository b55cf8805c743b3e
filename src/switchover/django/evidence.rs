//! What the rows of the source say where declared keys are silent.

use crate::database::foreign::{ForeignColumn, ForeignDatabase, ForeignError, ForeignTable};
use crate::directory::transfer::import::error::ImportError;

/// The rows, as far as the mapping needs them.
pub(super) trait Evidence {
    /// Returns some values that a column has more than once.
    fn repeated(&self, table: &ForeignTable, column: &str) -> Result<Vec<String>, ImportError>;

    /// Returns whether a column whose type does not say so has whole numbers only.
    fn are_whole(&self, table: &ForeignTable, column: &ForeignColumn) -> Result<bool, ImportError>;

    /// Returns whether each row of a table has a row with the same key and the same value in another. Tables are given with
    /// their keys, and `value` is the column of each.
    fn are_same(
        &self,
        one: (&ForeignTable, &str),
        other: (&ForeignTable, &str),
        value: (&str, &str),
    ) -> Result<bool, ImportError>;

    /// Returns the different values of a column in rows where another column is filled.
    fn values_where(
        &self,
        table: &ForeignTable,
        column: &ForeignColumn,
        filled: Option<&ForeignColumn>,
    ) -> Result<Vec<String>, ImportError>;
}

impl From<ForeignError> for ImportError {
    fn from(error: ForeignError) -> Self {
        match error {
            ForeignError::Unreadable(why) => Self::Unreadable(why),
            ForeignError::InvalidUrl(why) => Self::Ambiguous(why),
        }
    }
}

impl Evidence for ForeignDatabase {
    fn repeated(&self, table: &ForeignTable, column: &str) -> Result<Vec<String>, ImportError> {
        Ok(self.repeated(table, column)?)
    }

    fn are_whole(&self, table: &ForeignTable, column: &ForeignColumn) -> Result<bool, ImportError> {
        // SQLite's types are suggestions, and PostgreSQL's `numeric` has whole numbers where Oracle's NUMBER was moved.
        if self.is_postgres() && column.kind != "numeric" {
            return Ok(false);
        }
        Ok(self.are_whole(table, &column.name)?)
    }

    fn are_same(
        &self,
        one: (&ForeignTable, &str),
        other: (&ForeignTable, &str),
        value: (&str, &str),
    ) -> Result<bool, ImportError> {
        Ok(self.count_different(one, other, value)? == 0)
    }

    fn values_where(
        &self,
        table: &ForeignTable,
        column: &ForeignColumn,
        filled: Option<&ForeignColumn>,
    ) -> Result<Vec<String>, ImportError> {
        Ok(self.values_where(table, column, filled)?)
    }
}
