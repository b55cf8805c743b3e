//! Looking at one token: by its id, or by its key, for someone who has found a key and wants to know whose it is.

use std::time::Duration;

use serde_json::json;

use crate::directory::Directory;
use crate::directory::access::{Action, Actor, Who, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::{Denial, Error};
use crate::directory::limiter::{Backoff, Waits};
use crate::directory::model::{KeptDigest, ListedToken, Scope, Token, TokenDigest, TokenId, UserId};
use crate::directory::store::token_list;

/// For keys that no token has.
const UNKNOWN_KEYS: Backoff = Backoff {
    name: "unknown key",
    free: 20,
    longest: Duration::from_mins(15),
    memory: Duration::from_hours(1),
};

impl Directory {
    /// Returns a token of any user, with its owner.
    pub async fn token(&self, actor: &Actor, id: TokenId) -> Result<ListedToken, Error> {
        authorize(actor, Action::ReadAllTokens)?;
        let found: Option<ListedToken> = self.store.first(token_list::find(id)).await?;
        let mut found = found.ok_or_else(|| Error::not_found("token", format!("with id {id}")))?;
        check_own(actor, &found.token)?;
        name_owner(actor, &mut found);
        self.know_idle_limits([&mut found.token].into_iter());
        Ok(found)
    }

    /// Returns the token of a key, whatever its state. Each look-up leaves an event. Keys that no token has are counted, so a
    /// person who tries many has to wait: see [`UNKNOWN_KEYS`].
    pub async fn find_token(&self, actor: &Actor, key: &str) -> Result<ListedToken, Error> {
        let digests = TokenDigest::of_presented(key).map(|own| (own, KeptDigest::of_another_system(key)));
        let found = self.change(actor, move |change| {
            change.check(Action::ReadAllTokens)?;
            let counted = match &change.actor.who {
                Who::Person(identity) => Some(UNKNOWN_KEYS.key([&identity.user.id.get().to_string(), ""])),
                Who::Operator(_) | Who::Anonymous => None,
            };
            if let Err(early) = check_wait(change, counted.as_ref())? {
                return Ok(Err(early));
            }
            match &digests {
                Some((own, others)) => found(change, *own, others.clone(), counted),
                None => not_found(change, counted),
            }
        });
        found.await?
    }
}

/// Returns the actor if one's own tokens are not for the actor to read: the calling token is narrow, and lacks the scope.
/// It may read those of all others.
pub(in crate::directory) fn unreadable_owner(actor: &Actor) -> Option<UserId> {
    match &actor.who {
        Who::Person(identity) if !identity.has(Scope::MeRead) => Some(identity.user.id),
        _ => None,
    }
}

fn check_own(actor: &Actor, token: &Token) -> Result<(), Error> {
    match unreadable_owner(actor) == Some(token.user_id) {
        true => Err(Denial::NoRight.into()),
        false => Ok(()),
    }
}

/// Removes the owner's name for an actor who may not read users.
pub(in crate::directory) fn name_owner(actor: &Actor, listed: &mut ListedToken) {
    if authorize(actor, Action::ReadUsers).is_err() {
        listed.username = None;
    }
}

/// What a transaction has to keep although the look-up failed is in the inner result.
type Kept<T> = Result<Result<T, Error>, Error>;

/// Returns [`Error::Busy`] while an actor has to wait.
fn check_wait(change: &Change<'_, '_>, counted: Option<&Vec<u8>>) -> Kept<()> {
    let Some(key) = counted else { return Ok(Ok(())) };
    let stored = change.tx.blocked(std::slice::from_ref(key), change.now)?;
    let waits = Waits::of(change.now, &[(UNKNOWN_KEYS, key.clone())], &stored);
    // A wait that was stored before the clock went back.
    if waits.are_too_long() {
        waits.shorten(change.tx)?;
    }
    Ok(waits.check())
}

fn found(
    change: &Change<'_, '_>,
    own: TokenDigest,
    others: [Option<KeptDigest>; 2],
    counted: Option<Vec<u8>>,
) -> Kept<ListedToken> {
    let mut listed: Option<ListedToken> = change.tx.first(&token_list::of_key(own))?;
    if listed.is_none() && others.iter().any(Option::is_some) {
        listed = change.tx.first(&token_list::of_imported_key(others))?;
    }
    let Some(mut listed) = listed else { return not_found(change, counted) };
    let details = json!({ "user_id": listed.token.user_id.get() });
    audit::record(change, "token.find", &AuditObject::Token(&listed.token), details)?;
    name_owner(&change.actor, &mut listed);
    Ok(check_own(&change.actor, &listed.token).map(|()| listed))
}

/// Counts a key that no token has.
fn not_found(change: &Change<'_, '_>, counted: Option<Vec<u8>>) -> Kept<ListedToken> {
    let mut details = json!({ "found": false });
    if let Some(key) = counted {
        let until = UNKNOWN_KEYS.add(change.tx, &key, 1, change.now)?;
        change.tx.forget_attempts(change.now)?;
        let wait = until.as_micros().saturating_sub(change.now.as_micros()) / 1_000_000;
        details = json!({ "found": false, "wait_seconds": wait });
    }
    audit::record(change, "token.find", &AuditObject::Directory, details)?;
    Ok(Err(Error::not_found("token", "with this key")))
}
