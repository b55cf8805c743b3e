//! Ending tokens before they expire: one, a sign-in with all tokens that came from it, or all of a user.

use serde_json::{Value, json};

use crate::directory::Directory;
use crate::directory::access::{Action, Actor};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{Token, User, UserId, UserKey};

/// How many sign-ins of one user are valid at the same time. Beyond that the oldest ends.
pub const SIGN_INS_MAX: usize = 100;

impl Directory {
    /// Revokes all tokens of a user and all that came from the user's sign-ins, of any owner. Returns the number of revoked
    /// tokens. It needs the right to revoke the user's tokens.
    pub async fn sign_out_user(&self, actor: &Actor, key: &UserKey) -> Result<u64, Error> {
        let key = key.clone();
        self.change(actor, move |change| {
            let user = change.tx.existing_user(&key)?;
            end_all(change, &user)
        })
        .await
    }
}

/// Revokes a token and, if it is a sign-in, all tokens that came from it. Returns their number.
pub(in crate::directory) fn end(change: &Change<'_, '_>, token: &Token) -> Result<u64, Error> {
    let ended = change.tx.revoke_token(token.id, change.now)?;
    match (token.kind.is_sign_in(), &token.root) {
        (true, Some(root)) => Ok(ended + change.tx.revoke_sign_in(root, change.now)?),
        _ => Ok(ended),
    }
}

/// Revokes all tokens of a user, if the actor may, with an event.
pub(in crate::directory) fn end_all(change: &Change<'_, '_>, user: &User) -> Result<u64, Error> {
    let tx = change.tx;
    change.check(Action::RevokeToken(user, &tx.rights(user.id)?.into()))?;
    let ended = tx.revoke_sign_ins(user.id, None, change.now)? + tx.revoke_all(user.id, change.now)?;
    let details = json!({ "everywhere": "all", "ended": ended });
    audit::record(change, "sign_out", &AuditObject::User(user), details)?;
    Ok(ended)
}

/// Ends a user's oldest sign-ins until one more is allowed, and returns the ids of their tokens. `rotated` is about to be
/// replaced: its sign-in goes on.
pub(in crate::directory) fn end_oldest_sign_ins(
    change: &Change<'_, '_>,
    user: UserId,
    rotated: Option<&Token>,
) -> Result<Vec<i64>, Error> {
    let live = change.tx.live_sign_ins(user, change.now)?;
    let excess = (live.len() + 1).saturating_sub(SIGN_INS_MAX);
    let mut ended = Vec::new();
    for token in live.iter().filter(|token| rotated.is_none_or(|old| old.id != token.id)).take(excess) {
        match rotated.is_some_and(|old| old.root == token.root) {
            // An earlier key of the same sign-in.
            true => change.tx.revoke_token(token.id, change.now)?,
            false => end(change, token)?,
        };
        ended.push(token.id.get());
    }
    Ok(ended)
}

/// Adds the ended sign-ins to the details of an event.
pub(in crate::directory) fn add_ended(changes: &mut Value, ended: &[i64]) {
    if let Value::Object(changes) = changes
        && !ended.is_empty()
    {
        changes.insert("ended".to_owned(), ended.into());
    }
}
