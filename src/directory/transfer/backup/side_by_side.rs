//! Reading the rows of two databases side by side, in the order of their keys, a page at a time.

use std::collections::VecDeque;

use crate::directory::error::Error;
use crate::directory::store::transfer::access_rows::{self, NameRow, PairRow, TokenRow, UserRow};
use crate::directory::store::{FromRow, Sql, Tx};

/// The rows of one database, in the order of their keys.
pub(super) struct SortedRows<'a, 'b, T, K> {
    tx: &'a Tx<'b>,
    /// Builds the statement that reads the page after a key.
    page: fn(&K) -> Sql,
    key: fn(&T) -> K,
    after: K,
    rows: VecDeque<T>,
}

impl<T: FromRow, K> SortedRows<'_, '_, T, K> {
    fn next(&mut self) -> Result<Option<T>, Error> {
        if self.rows.is_empty() {
            self.rows = self.tx.all(&(self.page)(&self.after))?.into();
        }
        let row = self.rows.pop_front();
        if let Some(row) = &row {
            self.after = (self.key)(row);
        }
        Ok(row)
    }
}

/// Rows that link two ids.
pub(super) type SortedPairs<'a, 'b> = SortedRows<'a, 'b, PairRow, (i64, i64)>;

/// Reads the tokens by their digests.
pub(super) fn tokens<'a, 'b>(tx: &'a Tx<'b>) -> SortedRows<'a, 'b, TokenRow, Vec<u8>> {
    let page = |after: &Vec<u8>| access_rows::tokens(after);
    SortedRows { tx, page, key: |token| token.digest.clone(), after: Vec::new(), rows: VecDeque::new() }
}

/// Reads the users by their ids.
pub(super) fn users<'a, 'b>(tx: &'a Tx<'b>) -> SortedRows<'a, 'b, UserRow, i64> {
    let page = |after: &i64| access_rows::users(*after);
    SortedRows { tx, page, key: |user| user.id, after: i64::MIN, rows: VecDeque::new() }
}

/// Reads the groups by their ids.
pub(super) fn groups<'a, 'b>(tx: &'a Tx<'b>) -> SortedRows<'a, 'b, NameRow, i64> {
    let page = |after: &i64| access_rows::groups(*after);
    SortedRows { tx, page, key: |group| group.0, after: i64::MIN, rows: VecDeque::new() }
}

/// Reads pairs of ids with this statement.
pub(super) fn pairs<'a, 'b>(tx: &'a Tx<'b>, page: fn(&(i64, i64)) -> Sql) -> SortedPairs<'a, 'b> {
    SortedRows { tx, page, key: |pair| (pair.0, pair.1), after: (i64::MIN, i64::MIN), rows: VecDeque::new() }
}

/// Calls `each` with every row of one side, and the row with the same key on the other.
pub(super) fn side_by_side<T: FromRow, K: Ord>(
    mut before: SortedRows<'_, '_, T, K>,
    mut after: SortedRows<'_, '_, T, K>,
    mut each: impl FnMut(&T, Option<&T>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut other = after.next()?;
    while let Some(row) = before.next()? {
        let key = (before.key)(&row);
        while other.as_ref().is_some_and(|other| (after.key)(other) < key) {
            other = after.next()?;
        }
        each(&row, other.as_ref().filter(|other| (after.key)(other) == key))?;
    }
    Ok(())
}

/// Returns the pairs of one side that the other does not have.
pub(super) fn missing(
    before: SortedPairs<'_, '_>,
    after: SortedPairs<'_, '_>,
) -> Result<Vec<PairRow>, Error> {
    let mut missing = Vec::new();
    side_by_side(before, after, |before, after| {
        missing.extend(after.is_none().then_some(*before));
        Ok(())
    })?;
    Ok(missing)
}
