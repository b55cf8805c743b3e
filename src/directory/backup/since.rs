//! What has happened in a directory since a backup of it was made, as far as it matters to whoever restores it: keys
//! that were taken away must not open doors again unnoticed.

use std::collections::VecDeque;

use crate::directory::error::Error;
use crate::directory::model::Moment;
use crate::directory::store::Tx;
use crate::directory::store::restoring::{
    ActiveUser, Mark, TokenState, active_users, last_event, mark, token_states,
};

/// What a restore would bring back, or has brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// Tokens that the backup holds as good and that were revoked since.
    pub revoked: u64,
    /// Tokens that it holds as good and that were deleted since, with their users; not known when the directory is
    /// not the one that the backup was made of.
    pub deleted: Option<u64>,
    /// Users that it holds as active and that were deactivated or deleted since; not known either.
    pub users: Option<u64>,
}

impl Since {
    /// Tokens that would open doors again.
    pub fn tokens(&self) -> u64 {
        self.revoked + self.deleted.unwrap_or_default()
    }
}

/// The same with the tokens by id.
#[derive(Default)]
pub(super) struct Gone {
    /// Tokens with the time they were revoked at.
    revoked: Vec<(i64, i64)>,
    deleted: Option<Vec<i64>>,
    users: Option<u64>,
}

impl Gone {
    /// Compares a backup with the directory that is there now.
    pub(super) fn between(backup: &Tx<'_>, present: &Tx<'_>, now: Moment) -> Result<Self, Error> {
        let mut gone = Self::default();
        if continues(backup, present)? {
            gone.deleted = Some(Vec::new());
            gone.users = Some(users_gone(backup, present)?);
        }
        gone.compare_tokens(backup, present, now)?;
        Ok(gone)
    }

    /// Both sides in the order of their digests: a token is the same whatever its id.
    fn compare_tokens(&mut self, backup: &Tx<'_>, present: &Tx<'_>, now: Moment) -> Result<(), Error> {
        let (mut before, mut after) = (Tokens::of(backup), Tokens::of(present));
        let mut other = after.next()?;
        while let Some(token) = before.next()? {
            if token.revoked_at.is_some() || token.expires_at.is_some_and(|end| end <= now.as_micros()) {
                continue;
            }
            while other.as_ref().is_some_and(|other| other.digest < token.digest) {
                other = after.next()?;
            }
            match other.as_ref().filter(|other| other.digest == token.digest) {
                Some(other) => self.revoked.extend(other.revoked_at.map(|at| (token.id, at))),
                None => self.deleted.iter_mut().for_each(|deleted| deleted.push(token.id)),
            }
        }
        Ok(())
    }

    /// Revokes in the backup what was revoked or deleted since.
    pub(super) fn keep(&self, backup: &Tx<'_>, now: Moment) -> Result<(), Error> {
        let deleted = self.deleted.iter().flatten().map(|id| (*id, now.as_micros()));
        self.revoked.iter().copied().chain(deleted).try_for_each(|(id, at)| backup.revoke_at(id, at))
    }

    pub(super) fn counts(&self) -> Since {
        Since {
            revoked: self.revoked.len() as u64,
            deleted: self.deleted.as_ref().map(|deleted| deleted.len() as u64),
            users: self.users,
        }
    }
}

/// Whether the audit trail of the present directory goes on where the backup's ends.
fn continues(backup: &Tx<'_>, present: &Tx<'_>) -> Result<bool, Error> {
    let Some(Mark { id, hash }) = backup.first(&last_event())? else { return Ok(false) };
    let there: Option<Mark> = present.first(&mark(id))?;
    Ok(there.is_some_and(|there| there.hash == hash))
}

fn users_gone(backup: &Tx<'_>, present: &Tx<'_>) -> Result<u64, Error> {
    let (mut before, mut after) = (Users::of(backup), Users::of(present));
    let (mut gone, mut other) = (0, after.next()?);
    while let Some(user) = before.next()? {
        while other.as_ref().is_some_and(|other| other.0 < user.0) {
            other = after.next()?;
        }
        if other.as_ref().is_none_or(|other| other.0 != user.0) {
            gone += 1;
        }
    }
    Ok(gone)
}

/// All tokens in the order of their digests, a page at a time.
struct Tokens<'a, 'b> {
    tx: &'a Tx<'b>,
    page: VecDeque<TokenState>,
    after: Vec<u8>,
}

impl<'a, 'b> Tokens<'a, 'b> {
    fn of(tx: &'a Tx<'b>) -> Self {
        Self { tx, page: VecDeque::new(), after: Vec::new() }
    }

    fn next(&mut self) -> Result<Option<TokenState>, Error> {
        if self.page.is_empty() {
            self.page = self.tx.all(&token_states(&self.after))?.into();
        }
        let token = self.page.pop_front();
        if let Some(token) = &token {
            self.after.clone_from(&token.digest);
        }
        Ok(token)
    }
}

/// All active users in the order of their ids, a page at a time.
struct Users<'a, 'b> {
    tx: &'a Tx<'b>,
    page: VecDeque<ActiveUser>,
    after: i64,
}

impl<'a, 'b> Users<'a, 'b> {
    fn of(tx: &'a Tx<'b>) -> Self {
        Self { tx, page: VecDeque::new(), after: i64::MIN }
    }

    fn next(&mut self) -> Result<Option<ActiveUser>, Error> {
        if self.page.is_empty() {
            self.page = self.tx.all(&active_users(self.after))?.into();
        }
        let user = self.page.pop_front();
        if let Some(ActiveUser(id)) = user {
            self.after = id;
        }
        Ok(user)
    }
}
