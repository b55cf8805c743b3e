//! Fills the bitmaps from one snapshot of the database.

use super::index::{BadId, UserIndex};
use crate::database::DatabaseError;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::store::Tx;
use crate::directory::store::bitmap_rows::{self, LiveTokenRow, MemberRow, UserFacts};
use crate::directory::store::changes::{self, FeedEnd};

/// Rows that are read at once.
const ROWS: i64 = 10_000;
/// Statements between two measurements of the memory.
const MEASURED_EVERY: usize = 50;

/// Why there are no bitmaps.
pub(super) enum BuildError {
    /// They would take more memory than the setting allows.
    TooLarge,
    /// Anything else.
    Failed(Error),
}

impl From<BadId> for BuildError {
    fn from(BadId: BadId) -> Self {
        Self::Failed(Error::broken("the bitmaps of users cannot be built", "a user has a negative id"))
    }
}

impl From<DatabaseError> for BuildError {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

/// Fills the bitmaps in a snapshot. The feed names what changes afterwards.
pub(super) fn index(tx: &Tx<'_>, now: Timestamp, limit: u64) -> Result<UserIndex, BuildError> {
    let position: Option<FeedEnd> = tx.first(&changes::end())?;
    let index = UserIndex::new(position.unwrap_or_default(), now.as_micros());
    let mut filling = Filling { index, limit, statements: 0 };
    filling.users(tx)?;
    filling.members(tx)?;
    filling.tokens(tx)?;
    filling.index.filled();
    filling.check()?;
    Ok(filling.index)
}

struct Filling {
    index: UserIndex,
    limit: u64,
    statements: usize,
}

impl Filling {
    fn users(&mut self, tx: &Tx<'_>) -> Result<(), BuildError> {
        let mut after = i64::MIN;
        loop {
            let rows: Vec<UserFacts> = tx.all(&bitmap_rows::users(after, ROWS))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.id;
            rows.iter().try_for_each(|facts| self.index.add(facts))?;
            self.measure()?;
        }
    }

    fn members(&mut self, tx: &Tx<'_>) -> Result<(), BuildError> {
        let mut after = MemberRow { group: i64::MIN, user: i64::MIN };
        loop {
            let rows: Vec<MemberRow> = tx.all(&bitmap_rows::members(after, ROWS))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = *last;
            rows.iter().try_for_each(|row| self.index.add_member(row.group, row.user))?;
            self.measure()?;
        }
    }

    fn tokens(&mut self, tx: &Tx<'_>) -> Result<(), BuildError> {
        let (mut user, mut token) = (i64::MIN, i64::MIN);
        loop {
            let rows: Vec<LiveTokenRow> = tx.all(&bitmap_rows::live_tokens(user, token, ROWS))?;
            let Some(last) = rows.last() else { return Ok(()) };
            (user, token) = (last.user, last.id);
            rows.iter().try_for_each(|row| self.index.add_token(row.user, row.expires_at))?;
            self.measure()?;
        }
    }

    fn measure(&mut self) -> Result<(), BuildError> {
        self.statements += 1;
        if self.statements.is_multiple_of(MEASURED_EVERY) { self.check() } else { Ok(()) }
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.index.bytes() > self.limit { Err(BuildError::TooLarge) } else { Ok(()) }
    }
}
