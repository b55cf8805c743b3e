//! The order of a list: by which columns, and where a row stands in it.
//!
//! Every order ends with the id, so that no two rows stand at the same place and pages do not overlap.
//! Nulls come first, and last in descending order, on both databases.

use serde::{Deserialize, Serialize};

use crate::directory::model::Rule;

/// Something a list can be ordered by.
pub trait Column: Copy + Eq + Send + Sync + 'static {
    /// What the list is of.
    type Row: Send;
    /// Every column with its name.
    const ALL: &'static [(&'static str, Self)];
    /// The column in which no two rows are alike.
    const ID: Self;

    /// What the column holds.
    fn kind(self) -> Kind;

    /// Where a row stands in this column. It must be what the database orders by.
    fn mark(self, row: &Self::Row) -> Mark;
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, never null.
    Number,
    /// A text, never null.
    Text,
    /// A number or null.
    NullableNumber,
    /// A text or null.
    NullableText,
}

impl Kind {
    /// Whether there can be nulls.
    pub fn is_nullable(self) -> bool {
        matches!(self, Self::NullableNumber | Self::NullableText)
    }

    /// The value below which there is none but null.
    pub fn least(self) -> Mark {
        match self {
            Self::Number | Self::NullableNumber => Mark::Number(i64::MIN),
            Self::Text | Self::NullableText => Mark::Text(String::new()),
        }
    }

    /// Whether a value can stand in the column.
    pub fn holds(self, mark: &Mark) -> bool {
        match mark {
            Mark::Null => self.is_nullable(),
            Mark::Number(_) => matches!(self, Self::Number | Self::NullableNumber),
            // No stored text has a NUL, and PostgreSQL takes none.
            Mark::Text(text) => matches!(self, Self::Text | Self::NullableText) && !text.contains('\0'),
        }
    }
}

/// A row's place in one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Mark {
    /// Nothing, which comes before everything.
    Null,
    /// A number, or a time in microseconds.
    Number(i64),
    /// A text, compared byte by byte.
    Text(String),
}

/// A column and a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorted<C> {
    /// By what.
    pub column: C,
    /// Greatest first.
    pub descending: bool,
}

/// Columns, none twice, the last of them the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order<C>(Vec<Sorted<C>>);

impl<C: Column> Default for Order<C> {
    fn default() -> Self {
        Self(vec![Sorted { column: C::ID, descending: false }])
    }
}

impl<C: Column> Order<C> {
    /// Names with commas between, `-` in front of one for descending; empty text is the default.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        if raw.is_empty() {
            return Ok(Self::default());
        }
        let mut sorted: Vec<Sorted<C>> = Vec::new();
        for name in raw.split(',') {
            let (plain, descending) = name.strip_prefix('-').map_or((name, false), |plain| (plain, true));
            let known = C::ALL.iter().find(|(known, _)| *known == plain);
            let (_, column) = known.ok_or_else(|| Rule::Choice(name.to_owned()))?;
            if !sorted.iter().any(|earlier| earlier.column == *column) {
                sorted.push(Sorted { column: *column, descending });
            }
        }
        Ok(Self::ending_with_id(sorted))
    }

    /// The id goes the way of the column before it, as the indexes do: then one walk gives both.
    fn ending_with_id(mut sorted: Vec<Sorted<C>>) -> Self {
        match sorted.iter().position(|sorted| sorted.column == C::ID) {
            Some(id) => sorted.truncate(id + 1),
            None => {
                let descending = sorted.last().is_some_and(|last| last.descending);
                sorted.push(Sorted { column: C::ID, descending });
            }
        }
        Self(sorted)
    }

    /// The columns, the weightiest first.
    pub fn columns(&self) -> &[Sorted<C>] {
        &self.0
    }

    /// Where a row stands.
    pub fn marks(&self, row: &C::Row) -> Vec<Mark> {
        self.0.iter().map(|sorted| sorted.column.mark(row)).collect()
    }

    /// Whether a row could stand there.
    pub fn holds(&self, marks: &[Mark]) -> bool {
        self.0.len() == marks.len()
            && self.0.iter().zip(marks).all(|(sorted, mark)| sorted.column.kind().holds(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::super::UserColumn::{self, Gender, Id, Username};
    use super::*;

    fn parsed(raw: &str) -> Vec<(UserColumn, bool)> {
        let order = Order::<UserColumn>::parse(raw).unwrap();
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
            assert!(Order::<UserColumn>::parse(bad).is_err(), "{bad}");
        }
    }
}
