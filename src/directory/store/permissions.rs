//! Statements about permissions.

use super::fault::StoreError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use crate::directory::model::Permission;

impl FromRow for Permission {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.next_as::<i64, _>("permission id")?, code: row.next()?, name: row.next()? })
    }
}

/// Every permission, in the order of their codes.
pub(in crate::directory) fn list() -> Sql {
    Sql::new("SELECT id, code, name FROM permissions ORDER BY code")
}
