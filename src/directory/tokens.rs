//! Use cases about tokens.
//!
//! A token remembers what made it, and the sign-in that it came of: `root`, which is copied to whatever it issues or
//! rotates. So ending a sign-in ends all of that at once (`ending`), however many generations there were.

mod ending;
mod upkeep;

use std::time::Duration;

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::audit::{self, AuditObject};
use super::change::{Change, Written};
use super::error::Error;
use super::model::{
    KeptDigest, Maker, Timestamp, Token, TokenId, TokenKey, TokenKind, TokenName, TokenState, User, UserId,
    UserKey, Violation,
};
use super::store::tokens::NewToken;
use super::store::{self, Tx};

pub use self::ending::SIGN_INS_MAX;
pub(super) use self::ending::{add_ended, end, end_all, end_oldest_sign_ins};

/// A token just issued, with its key: the only time the key is there to be seen.
#[derive(Debug)]
pub struct TokenWithKey {
    /// The token as it will be listed.
    pub token: Token,
    /// The key, to be shown once.
    pub key: TokenKey,
}

/// When a token shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Not at all; for a token whose maker has an end, when the maker ends.
    Default,
    /// Not at all.
    Never,
    /// Some time from now.
    After(Duration),
    /// At this moment, which must lie ahead.
    At(Timestamp),
}

impl Expiry {
    /// The moment, held to the rules: it lies ahead, and no token makes one that lives longer than itself.
    fn resolve(self, actor: &Actor, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let maker = match &actor.who {
            Who::Person(identity) => identity.token.expires_at,
            Who::Operator(_) | Who::Anonymous => None,
        };
        let end = match self {
            Self::Default => maker,
            Self::Never => None,
            Self::After(span) => Some(now.plus(span).map_err(|rule| Error::invalid("expires_at", &rule))?),
            Self::At(end) => Some(end),
        };
        let wrong = |told: &str| Err(Error::invalid("expires_at", &Violation::Other(told.to_owned())));
        if end.is_some_and(|end| end <= now) {
            return wrong("Ensure this time lies in the future.");
        }
        match (maker, end) {
            (Some(_), None) => wrong("A token cannot make one that lives longer than itself."),
            (Some(maker), Some(end)) if end > maker => {
                wrong("A token cannot make one that lives longer than itself.")
            }
            _ => Ok(end),
        }
    }
}

impl Directory {
    /// Issues a token that acts as this user.
    pub async fn issue_token(
        &self,
        actor: &Actor,
        owner: &UserKey,
        name: &str,
        end: Expiry,
    ) -> Result<TokenWithKey, Error> {
        let name = parse_name(name)?;
        let key = self.clock.token_key()?;
        let (owner, shown) = (owner.clone(), key.clone());
        let issue = move |change: &Change<'_, '_>| {
            let Change { tx, now, .. } = *change;
            let owner = tx.existing_user(&owner)?;
            change.check(Action::IssueToken(&owner, &tx.rights(owner.id)?.into()))?;
            let end = end.resolve(&change.actor, now)?;
            let new = new_token(owner.id, name.clone().into(), TokenKind::Api, &key, now, end);
            let token = tx.insert_token(descending(new, &change.actor))?;
            record(change, "token.issue", &token)?;
            Ok(token)
        };
        Ok(TokenWithKey { token: self.change(actor, issue).await?, key: shown })
    }

    /// A user's tokens, oldest first; expired and revoked ones too.
    pub async fn tokens(&self, actor: &Actor, owner: &UserKey) -> Result<Vec<Token>, Error> {
        let owner = self.existing(owner).await?;
        authorize(actor, Action::ReadTokens(&owner))?;
        self.store.all(store::tokens::of_user(owner.id)).await
    }

    /// Renames a token or moves its end; one that has expired lives again. A revoked one stays as it is. The token of a
    /// sign-in, and what came of it, keeps an end: see [`latest_end`].
    pub async fn update_token(
        &self,
        actor: &Actor,
        owner: Option<&UserKey>,
        id: TokenId,
        name: Option<&str>,
        end: Option<Expiry>,
    ) -> Result<Written<Token>, Error> {
        let name = name.map(parse_name).transpose()?;
        let (owner, lifetime) = (owner.cloned(), self.sign_in_lifetime);
        let update = move |change: &Change<'_, '_>| {
            let tx = change.tx;
            let (owner, old) = owned(tx, owner.as_ref(), id)?;
            change.check(Action::UpdateToken(&owner, &tx.rights(owner.id)?.into()))?;
            not_revoked(&old)?;
            let end = end.map(|end| end.resolve(&change.actor, change.now)).transpose()?;
            if let Some(end) = end {
                keep_an_end(end, latest_end(change, &old, lifetime)?)?;
                revive(change, &old)?;
            }
            let name = name.clone().map_or_else(|| old.name.clone(), String::from);
            tx.update_token(id, &name, end.unwrap_or(old.expires_at))?;
            if let (Some(_), TokenKind::SignIn, Some(root)) = (end, old.kind, &old.root)
                && let Some(last) = tx.end_of_sign_in(root)?
            {
                tx.cap_sign_in(root, last)?;
            }
            let (_, token) = owned(tx, None, id)?;
            let (before, after) = (audit::of_token(&old), audit::of_token(&token));
            if before != after {
                let changes = audit::difference(before, after);
                audit::record(change, "token.update", &AuditObject::Token(&token), changes)?;
            }
            Ok(change.written(token, Action::ReadTokens(&owner)))
        };
        self.change(actor, update).await
    }

    /// Replaces a token's key: a new token with the old one's name, kind and end; the old one is revoked, or goes
    /// on for `overlap` so that its users can change over. A sign-in itself can only be rotated by its owner, and what
    /// came of it by no other sign-in.
    pub async fn rotate_token(
        &self,
        actor: &Actor,
        owner: Option<&UserKey>,
        id: TokenId,
        overlap: Duration,
    ) -> Result<TokenWithKey, Error> {
        let key = self.clock.token_key()?;
        let (owner, shown) = (owner.cloned(), key.clone());
        let rotate = move |change: &Change<'_, '_>| {
            let Change { tx, now, .. } = *change;
            let (owner, old) = owned(tx, owner.as_ref(), id)?;
            change.check(Action::UpdateToken(&owner, &tx.rights(owner.id)?.into()))?;
            not_revoked(&old)?;
            not_of_another_sign_in(&change.actor, &old)?;
            let end = old.expires_at.map_or(Expiry::Never, Expiry::At).resolve(&change.actor, now)?;
            let new =
                descending(new_token(owner.id, old.name.clone(), old.kind, &key, now, end), &change.actor);
            if overlap.is_zero() {
                tx.revoke_token(id, now)?;
            } else {
                let last = now.plus(overlap).map_err(|rule| Error::invalid("overlap_seconds", &rule))?;
                tx.update_token(id, &old.name, Some(old.expires_at.map_or(last, |end| end.min(last))))?;
            }
            let ended = match old.kind {
                TokenKind::SignIn => end_oldest_sign_ins(change, owner.id, Some(&old))?,
                TokenKind::Api | TokenKind::Imported => Vec::new(),
            };
            let root = old.root.clone().or(new.root);
            let token = tx.insert_token(NewToken { root, ..new })?;
            let mut replaced = json!({ "replaces": id.get(), "overlap_seconds": overlap.as_secs() });
            add_ended(&mut replaced, &ended);
            audit::record(change, "token.rotate", &AuditObject::Token(&token), replaced)?;
            Ok(token)
        };
        Ok(TokenWithKey { token: self.change(actor, rotate).await?, key: shown })
    }

    /// Revokes a token: from the moment this returns it opens nothing, and neither does what came of it, if it is a
    /// sign-in. A token that was revoked before keeps the time of the first revocation. With an owner it must be that
    /// user's.
    pub async fn revoke_token(
        &self,
        actor: &Actor,
        owner: Option<&UserKey>,
        id: TokenId,
    ) -> Result<Token, Error> {
        let owner = owner.cloned();
        let revoke = move |change: &Change<'_, '_>| {
            let tx = change.tx;
            let (owner, token) = owned(tx, owner.as_ref(), id)?;
            change.check(Action::RevokeToken(&owner, &tx.rights(owner.id)?.into()))?;
            if token.revoked_at.is_none() {
                end(change, &token)?;
                record(change, "token.revoke", &token)?;
            }
            owned(tx, None, id).map(|(_, token)| token)
        };
        self.change(actor, revoke).await
    }
}

fn parse_name(name: &str) -> Result<TokenName, Error> {
    name.parse().map_err(|rule| Error::invalid("name", &rule))
}

/// A token with its owner; of another owner than the one named there is none.
fn owned(tx: &Tx<'_>, owner: Option<&UserKey>, id: TokenId) -> Result<(User, Token), Error> {
    let gone = || Error::not_found("token", format!("with id {id}"));
    let token = tx.token(id)?.ok_or_else(gone)?;
    let user = tx.existing_user(&UserKey::Id(token.user_id))?;
    match owner {
        Some(owner) if tx.existing_user(owner)?.id != user.id => Err(gone()),
        _ => Ok((user, token)),
    }
}

fn not_revoked(token: &Token) -> Result<(), Error> {
    match token.revoked_at {
        None => Ok(()),
        Some(_) => Err(Error::invalid(
            "non_field_errors",
            &Violation::Other("This token is revoked for good.".to_owned()),
        )),
    }
}

/// The latest end that a token may be given: its sign-in's for what came of one, `lifetime` from its making for a
/// sign-in; `None` where none at all is allowed as well. So a stolen sign-in cannot be made to last.
fn latest_end(
    change: &Change<'_, '_>,
    token: &Token,
    lifetime: Duration,
) -> Result<Option<Timestamp>, Error> {
    match (&token.root, token.kind) {
        (_, TokenKind::SignIn) if token.made_by != Maker::Token => {
            Ok(Some(token.created_at.plus(lifetime).unwrap_or(Timestamp::LAST)))
        }
        (Some(root), _) => Ok(Some(change.tx.end_of_sign_in(root)?.unwrap_or(change.now))),
        (None, _) => Ok(None),
    }
}

fn keep_an_end(end: Option<Timestamp>, latest: Option<Timestamp>) -> Result<(), Error> {
    let wrong = |told: String| Err(Error::invalid("expires_at", &Violation::Other(told)));
    match (end, latest) {
        (None, Some(_)) => wrong("The token of a sign-in needs an end.".to_owned()),
        (Some(end), Some(latest)) if end > latest => {
            wrong(format!("The token of a sign-in ends at {latest} at the latest."))
        }
        _ => Ok(()),
    }
}

/// A token that had expired lives by the leave of whoever moves its end: it ends with their sign-in.
fn revive(change: &Change<'_, '_>, token: &Token) -> Result<(), Error> {
    match &change.actor.who {
        Who::Person(identity) if token.state(change.now) == TokenState::Expired => match &identity.token.root
        {
            Some(root) => change.tx.bind_token(token.id, root),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// A sign-in belongs to whoever signed in: nobody else takes over its keys, and no other sign-in.
fn not_of_another_sign_in(actor: &Actor, token: &Token) -> Result<(), Error> {
    let (Who::Person(identity), Some(root)) = (&actor.who, &token.root) else { return Ok(()) };
    let is_other = identity.token.root.as_ref().is_some_and(|own| own != root);
    let is_foreign = token.kind == TokenKind::SignIn && identity.user.id != token.user_id;
    match is_other || is_foreign {
        false => Ok(()),
        true => Err(Error::invalid(
            "non_field_errors",
            &Violation::Other("This token came of another sign-in: revoke it and make a new one.".to_owned()),
        )),
    }
}

/// A new token as its maker leaves it: made by a token, it belongs to that one's sign-in.
fn descending(new: NewToken, actor: &Actor) -> NewToken {
    match &actor.who {
        Who::Person(identity) => NewToken { made_by: Maker::Token, root: identity.token.root.clone(), ..new },
        Who::Operator(_) | Who::Anonymous => NewToken { made_by: Maker::Operator, ..new },
    }
}

fn record(change: &Change<'_, '_>, action: &'static str, token: &Token) -> Result<(), Error> {
    audit::record(change, action, &AuditObject::Token(token), audit::whole(audit::of_token(token)))
}

/// The row that is kept of a key. Nobody is said to have made it yet.
pub(super) fn new_token(
    user_id: UserId,
    name: String,
    kind: TokenKind,
    key: &TokenKey,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
) -> NewToken {
    NewToken {
        user_id,
        name,
        kind,
        digest: KeptDigest::Sha256(key.digest()),
        prefix: key.prefix(),
        last_four: key.last_four(),
        created_at,
        expires_at,
        made_by: Maker::Unknown,
        root: None,
    }
}
