//! A row of an id and a text.

use crate::database::DatabaseError;
use crate::database::{FromRow, Row};

/// A text of a row with the row's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct Numbered(pub(in crate::directory) String, pub(in crate::directory) i64);

impl FromRow for Numbered {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(row.next()?, row.next()?))
    }
}
