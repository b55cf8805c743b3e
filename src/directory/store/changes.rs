//! Statements about the feed of changes that ends cached identities. Triggers write it.

use crate::database::{DatabaseError, FromRow, Row, Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::IdentityChange;

/// The rows kept for processes that read the feed seldom. A process that missed more starts anew.
const KEPT: i64 = 100_000;

/// One row of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct FeedRow {
    pub(in crate::directory) number: i64,
    /// Random, so that rows with the same number in two histories differ.
    pub(in crate::directory) stamp: i64,
    pub(in crate::directory) change: IdentityChange,
}

impl FromRow for FeedRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let (number, stamp) = (row.next()?, row.next()?);
        let (scope, user): (String, Option<i64>) = (row.next()?, row.next()?);
        let change = match (scope.as_str(), user) {
            ("user", Some(user)) => IdentityChange::User(user),
            ("tokens", Some(user)) => IdentityChange::Token(user),
            // "rights" concerns no list; see `bitmap_rows`.
            _ => IdentityChange::All,
        };
        Ok(Self { number, stamp, change })
    }
}

/// The number and the stamp of a row of the feed, such as the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::directory) struct FeedEnd {
    pub(in crate::directory) number: i64,
    pub(in crate::directory) stamp: i64,
}

impl FromRow for FeedEnd {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { number: row.next()?, stamp: row.next()? })
    }
}

/// Selects the end of the feed.
pub(in crate::directory) fn end() -> Sql {
    Sql::new("SELECT id, stamp FROM identity_changes ORDER BY id DESC LIMIT 1")
}

/// Selects the row with this number, if it still exists, and those after it.
pub(in crate::directory) fn since(number: i64, limit: i64) -> Sql {
    Sql::new("SELECT id, stamp, scope, user_id FROM identity_changes WHERE id >= $1 ORDER BY id LIMIT $2")
        .bind(number)
        .bind(limit)
}

/// Selects the newest row.
pub(in crate::directory) fn last() -> Sql {
    Sql::new("SELECT id, stamp, scope, user_id FROM identity_changes ORDER BY id DESC LIMIT 1")
}

impl Tx<'_> {
    /// Deletes the rows that no process needs any more.
    pub(in crate::directory) fn prune_changes(&self) -> Result<(), Error> {
        let sql = "DELETE FROM identity_changes WHERE id <= (SELECT max(id) FROM identity_changes) - $1";
        self.execute(&Sql::new(sql).bind(KEPT))?;
        Ok(())
    }
}
