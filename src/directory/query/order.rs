//! The order of a list: its columns, and the position of a row in it.
//!
//! Every order ends with the id, so that no two rows have the same position and pages do not overlap. Nulls come first, and last
//! in descending order, on both databases.

use serde::{Deserialize, Serialize};

use crate::directory::model::Violation;

/// A column that a list can be ordered by.
pub trait Column: Copy + Eq + Send + Sync + 'static {
    /// The rows of the list.
    type Row: Send;
    /// Every column with its name.
    const ALL: &'static [(&'static str, Self)];
    /// The column in which no two rows are equal.
    const ID: Self;

    /// The type of the column.
    fn kind(self) -> ColumnType;

    /// Returns the value of a row in this column. It must be what the database orders by.
    fn value(self, row: &Self::Row) -> SortValue;
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A number, never null.
    Number,
    /// A text, never null.
    Text,
    /// A number or null.
    NullableNumber,
    /// A text or null.
    NullableText,
}

impl ColumnType {
    /// Whether there can be nulls.
    pub fn is_nullable(self) -> bool {
        matches!(self, Self::NullableNumber | Self::NullableText)
    }

    /// Returns the least value that is not null.
    pub fn least(self) -> SortValue {
        match self {
            Self::Number | Self::NullableNumber => SortValue::Number(i64::MIN),
            Self::Text | Self::NullableText => SortValue::Text(String::new()),
        }
    }

    /// Whether a value can be in the column.
    pub fn holds(self, value: &SortValue) -> bool {
        match value {
            SortValue::Null => self.is_nullable(),
            SortValue::Number(_) => matches!(self, Self::Number | Self::NullableNumber),
            // No stored text has a NUL, and PostgreSQL refuses one.
            SortValue::Text(text) => matches!(self, Self::Text | Self::NullableText) && !text.contains('\0'),
        }
    }
}

/// The value of a row in one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortValue {
    /// Null, which comes before everything.
    Null,
    /// A number, or a time in microseconds.
    Number(i64),
    /// A text, compared byte by byte.
    Text(String),
}

/// A column and a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortColumn<C> {
    /// The column.
    pub column: C,
    /// Whether the greatest value comes first.
    pub descending: bool,
}

/// Columns, each once, the last of them the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortOrder<C>(Vec<SortColumn<C>>);

impl<C: Column> Default for SortOrder<C> {
    fn default() -> Self {
        Self(vec![SortColumn { column: C::ID, descending: false }])
    }
}

impl<C: Column> SortOrder<C> {
    /// Parses names separated by commas, with `-` before a name for descending. Empty text is the default.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        if raw.is_empty() {
            return Ok(Self::default());
        }
        let mut sorted: Vec<SortColumn<C>> = Vec::new();
        for name in raw.split(',') {
            let (plain, descending) = name.strip_prefix('-').map_or((name, false), |plain| (plain, true));
            let known = C::ALL.iter().find(|(known, _)| *known == plain);
            let (_, column) = known.ok_or_else(|| Violation::Choice(name.to_owned()))?;
            if !sorted.iter().any(|earlier| earlier.column == *column) {
                sorted.push(SortColumn { column: *column, descending });
            }
        }
        Ok(Self::ending_with_id(sorted))
    }

    /// Adds the id in the direction of the column before it, as in the indexes: one scan gives both.
    fn ending_with_id(mut sorted: Vec<SortColumn<C>>) -> Self {
        match sorted.iter().position(|sorted| sorted.column == C::ID) {
            Some(id) => sorted.truncate(id + 1),
            None => {
                let descending = sorted.last().is_some_and(|last| last.descending);
                sorted.push(SortColumn { column: C::ID, descending });
            }
        }
        Self(sorted)
    }

    /// The columns, the most significant first.
    pub fn columns(&self) -> &[SortColumn<C>] {
        &self.0
    }

    /// Returns the values of a row in the columns of the order.
    pub fn values(&self, row: &C::Row) -> Vec<SortValue> {
        self.0.iter().map(|sorted| sorted.column.value(row)).collect()
    }

    /// Whether these can be the values of a row.
    pub fn holds(&self, values: &[SortValue]) -> bool {
        self.0.len() == values.len()
            && self.0.iter().zip(values).all(|(sorted, value)| sorted.column.kind().holds(value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::UserColumn::{self, Gender, Id, Username};
    use super::*;

    fn parsed(raw: &str) -> Vec<(UserColumn, bool)> {
        let order = SortOrder::<UserColumn>::parse(raw).unwrap();
        order.columns().iter().map(|sorted| (sorted.column, sorted.descending)).collect()
    }

    #[test]
    fn every_order_ends_with_the_id() {
        assert_eq!(parsed(""), [(Id, false)]);
        assert_eq!(parsed("-id,username"), [(Id, true)]);
        assert_eq!(parsed("gender,-username"), [(Gender, false), (Username, true), (Id, true)]);
        assert_eq!(parsed("username,-username,id"), [(Username, false), (Id, false)]);
    }

    #[test]
    fn what_is_no_column_is_refused() {
        for bad in ["password", "Id", "--id", "-", "id,", " id", "id;username"] {
            assert!(SortOrder::<UserColumn>::parse(bad).is_err(), "{bad}");
        }
    }
}
