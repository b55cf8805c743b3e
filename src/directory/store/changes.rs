//! Statements about the feed of changes that ends what is cached. Triggers write it.

use super::Tx;
use super::fault::StoreError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use crate::directory::error::Error;
use crate::directory::model::IdentityChange;

/// So many rows are kept for processes that read the feed seldom; one that missed more starts afresh.
const KEPT: i64 = 100_000;

/// One row of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct Noted {
    pub(in crate::directory) number: i64,
    /// Tells rows with one number in two histories apart.
    pub(in crate::directory) stamp: i64,
    pub(in crate::directory) change: IdentityChange,
}

impl FromRow for Noted {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        let (number, stamp) = (row.next()?, row.next()?);
        let (scope, user): (String, Option<i64>) = (row.next()?, row.next()?);
        let change = match (scope.as_str(), user) {
            ("user", Some(user)) => IdentityChange::User(user),
            ("tokens", Some(user)) => IdentityChange::Token(user),
            _ => IdentityChange::All,
        };
        Ok(Self { number, stamp, change })
    }
}

/// The row with this number, if it is still there, and those after it.
pub(in crate::directory) fn since(number: i64, limit: i64) -> Sql {
    Sql::new("SELECT id, stamp, scope, user_id FROM identity_changes WHERE id >= $1 ORDER BY id LIMIT $2")
        .bind(number)
        .bind(limit)
}

/// The newest row.
pub(in crate::directory) fn last() -> Sql {
    Sql::new("SELECT id, stamp, scope, user_id FROM identity_changes ORDER BY id DESC LIMIT 1")
}

impl Tx<'_> {
    /// Drops the rows that nobody reads any more.
    pub(in crate::directory) fn prune_changes(&self) -> Result<(), Error> {
        let sql = "DELETE FROM identity_changes WHERE id <= (SELECT max(id) FROM identity_changes) - $1";
        self.execute(&Sql::new(sql).bind(KEPT))?;
        Ok(())
    }
}
