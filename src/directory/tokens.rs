//! Use cases about tokens.
//!
//! A token keeps what made it, and the sign-in that it came from: its `root`, which is copied to every token that it issues or
//! rotates. So ending a sign-in ends all of them at once (`ending`), however many generations there were.

mod ending;
mod finding;
mod narrowing;
mod upkeep;

use std::time::Duration;

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::audit::{self, AuditObject};
use super::change::{Change, Written};
use super::error::Error;
use super::model::{
    KeptDigest, Maker, Narrowing, Timestamp, Token, TokenId, TokenKey, TokenKind, TokenName, TokenState,
    User, UserId, UserKey, Violation,
};
use super::store::tokens::NewToken;
use super::store::users::first_reads_of_holder;
use super::store::{self, Tx};

pub use self::ending::SIGN_INS_MAX;
pub(super) use self::ending::{add_ended, end, end_all, end_oldest_sign_ins};
pub(super) use self::finding::{name_owner, unreadable_owner};
pub use self::narrowing::NarrowingDraft;

/// A token that was just issued, with its key, which is shown only now.
#[derive(Debug)]
pub struct TokenWithKey {
    /// The token as listed.
    pub token: Token,
    /// The key, to be shown once.
    pub key: TokenKey,
}

/// When a token expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// When the token that makes it expires; never, if that one does not.
    Default,
    /// Never.
    Never,
    /// Some time from now.
    After(Duration),
    /// At this time, which must lie ahead.
    At(Timestamp),
}

impl Expiry {
    /// Whether it names this time, or none.
    fn is(self, end: Option<Timestamp>) -> bool {
        match self {
            Self::Never => end.is_none(),
            Self::At(at) => end == Some(at),
            Self::Default | Self::After(_) => false,
        }
    }

    /// Returns the time of expiry. It must lie ahead, and no token makes one that lives longer than itself.
    fn resolve(self, actor: &Actor, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let maker = expiry_of_caller(actor);
        let end = match self {
            Self::Default => maker,
            Self::Never => None,
            Self::After(span) => {
                Some(now.plus(span).map_err(|violation| Error::invalid("expires_at", &violation))?)
            }
            Self::At(end) => Some(end),
        };
        let wrong = |message: &str| Err(Error::invalid("expires_at", &Violation::Other(message.to_owned())));
        if end.is_some_and(|end| end <= now) {
            return wrong("Ensure this time lies in the future.");
        }
        match lives_longer(end, maker) {
            true => wrong("A token cannot make one that lives longer than itself."),
            false => Ok(end),
        }
    }
}

/// When the calling token expires; `None` also for actors without one. A browser session does not count: it makes and changes
/// tokens only shortly after its owner proved who they are, which a stolen cookie cannot.
fn expiry_of_caller(actor: &Actor) -> Option<Timestamp> {
    match &actor.who {
        Who::Person(identity) if identity.token.kind != TokenKind::Browser => identity.token.expires_at,
        Who::Person(_) | Who::Operator(_) | Who::Anonymous => None,
    }
}

/// The sign-in that tokens belong to which the actor makes; a browser session makes independent ones.
fn sign_in_of(actor: &Actor) -> Option<&KeptDigest> {
    match &actor.who {
        Who::Person(identity) if identity.token.kind != TokenKind::Browser => identity.token.root.as_ref(),
        Who::Person(_) | Who::Operator(_) | Who::Anonymous => None,
    }
}

/// Whether a token with this expiry outlives one with the `other`.
fn lives_longer(end: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    other.is_some_and(|other| end.is_none_or(|end| end > other))
}

/// Checks that a token which is given more than it had does not outlive the calling one.
fn check_lifetime(actor: &Actor, end: Option<Timestamp>) -> Result<(), Error> {
    match lives_longer(end, expiry_of_caller(actor)) {
        false => Ok(()),
        true => Err(Error::invalid(
            "expires_at",
            &Violation::Other(
                "A token cannot widen one that lives longer than itself: use one that lives as long, or set an earlier \
                 expiry as well."
                    .to_owned(),
            ),
        )),
    }
}

impl Directory {
    /// Issues a token that acts as this user. It has what the calling token has.
    pub async fn issue_token(
        &self,
        actor: &Actor,
        owner: &UserKey,
        name: &str,
        end: Expiry,
    ) -> Result<TokenWithKey, Error> {
        self.issue_token_with(actor, owner, name, end, &NarrowingDraft::default()).await
    }

    /// Does the same with a token that is narrowed.
    pub async fn issue_token_with(
        &self,
        actor: &Actor,
        owner: &UserKey,
        name: &str,
        end: Expiry,
        narrowing: &NarrowingDraft,
    ) -> Result<TokenWithKey, Error> {
        let (name, fields) = (parse_name(name)?, narrowing.parse()?);
        let key = self.clock.token_key()?;
        let (owner, shown, first) = (owner.clone(), key.clone(), first_reads_of_holder(owner));
        let issue = move |change: &Change<'_, '_>| {
            let Change { tx, now, .. } = *change;
            let owner = tx.existing_user(&owner)?;
            change.check(Action::IssueToken(&owner, &tx.rights(owner.id)?.into()))?;
            change.check_proof_age()?;
            let end = end.resolve(&change.actor, now)?;
            let narrowing = narrowing::of_new(change, &fields)?;
            let new = new_token(owner.id, name.clone().into(), TokenKind::Api, &key, now, end);
            let token = tx.insert_token(NewToken { narrowing, ..made_by_actor(new, &change.actor) })?;
            record(change, "token.issue", &token)?;
            Ok(token)
        };
        Ok(TokenWithKey { token: self.change_after(actor, first, issue).await?, key: shown })
    }

    /// Returns a user's tokens, oldest first, with the expired and revoked ones.
    pub async fn tokens(&self, actor: &Actor, owner: &UserKey) -> Result<Vec<Token>, Error> {
        let owner = self.existing(owner).await?;
        authorize(actor, Action::ReadTokens(&owner))?;
        let mut tokens = self.store.all(store::tokens::of_user(owner.id)).await?;
        self.know_idle_limits(tokens.iter_mut());
        Ok(tokens)
    }

    /// Renames a token or moves its expiry. An expired token becomes valid again, a revoked one cannot be changed. The token of a
    /// sign-in, and those that came from it, keep an expiry: see [`latest_end`].
    pub async fn update_token(
        &self,
        actor: &Actor,
        owner: Option<&UserKey>,
        id: TokenId,
        name: Option<&str>,
        end: Option<Expiry>,
    ) -> Result<Written<Token>, Error> {
        self.update_token_with(actor, owner, id, name, end, &NarrowingDraft::default()).await
    }

    /// Does the same, and changes what the token is narrowed to. Tokens that it made before stay as they are. A token that outlives
    /// the calling one is not widened: what the caller may do would outlive the caller.
    pub async fn update_token_with(
        &self,
        actor: &Actor,
        owner: Option<&UserKey>,
        id: TokenId,
        name: Option<&str>,
        end: Option<Expiry>,
        narrowing: &NarrowingDraft,
    ) -> Result<Written<Token>, Error> {
        let (name, fields) = (name.map(parse_name).transpose()?, narrowing.parse()?);
        let (owner, lifetime) = (owner.cloned(), self.sign_in_lifetime);
        let update = move |change: &Change<'_, '_>| {
            let tx = change.tx;
            let (owner, old) = owned(tx, owner.as_ref(), id)?;
            change.check(Action::UpdateToken(&owner, &tx.rights(owner.id)?.into()))?;
            change.check_proof_age()?;
            check_not_revoked(&old)?;
            let narrowing = narrowing::of_changed(change, &fields, &old.narrowing)?;
            // An expiry that stays as it is, is no change. For an actor who may not read the token it is one: otherwise the
            // answer to a right guess would differ.
            let reads = change.check(Action::ReadTokens(&owner)).is_ok();
            let end = end.filter(|end| !reads || !end.is(old.expires_at));
            let end = end.map(|end| end.resolve(&change.actor, change.now)).transpose()?;
            if let Some(end) = end {
                check_latest_end(end, latest_end(change, &old, lifetime)?)?;
            }
            let is_revived = end.is_some() && old.state(change.now) == TokenState::Expired;
            let last = end.unwrap_or(old.expires_at);
            let name = name.clone().map_or_else(|| old.name.clone(), String::from);
            let is_more = match reads {
                true => !narrowing.is_within(&old.narrowing),
                false => !fields.is_empty(),
            };
            if is_more {
                check_lifetime(&change.actor, last)?;
            }
            if is_more || is_revived {
                bind_to_sign_in(change, id)?;
            }
            tx.update_token(id, &name, last)?;
            if narrowing != old.narrowing {
                tx.narrow_token(id, &narrowing)?;
            }
            if let (Some(_), TokenKind::SignIn, Some(root)) = (end, old.kind, &old.root)
                && let Some(last) = tx.end_of_sign_in(root)?
            {
                tx.cap_sign_in(root, last)?;
            }
            let (_, token) = owned(tx, None, id)?;
            let (before, after) = (audit::token_snapshot(&old), audit::token_snapshot(&token));
            if before != after {
                let changes = audit::difference(before, after);
                audit::record(change, "token.update", &AuditObject::Token(&token), changes)?;
            }
            Ok(change.written(token, Action::ReadTokens(&owner)))
        };
        self.change(actor, update).await
    }

    /// Replaces a token's key by a new token with the same name, kind and expiry, narrowed to the same. The old token is revoked, or stays valid for
    /// `overlap` so that its users can switch over. The token of a sign-in can only be rotated by its owner, and a token that
    /// came from it by no other sign-in.
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
            change.check_proof_age()?;
            check_not_revoked(&old)?;
            check_same_sign_in(&change.actor, &old)?;
            narrowing::check_reach(change, &old.narrowing)?;
            let end = old.expires_at.map_or(Expiry::Never, Expiry::At).resolve(&change.actor, now)?;
            let new =
                made_by_actor(new_token(owner.id, old.name.clone(), old.kind, &key, now, end), &change.actor);
            if overlap.is_zero() {
                tx.revoke_token(id, now)?;
            } else {
                let last =
                    now.plus(overlap).map_err(|violation| Error::invalid("overlap_seconds", &violation))?;
                tx.update_token(id, &old.name, Some(old.expires_at.map_or(last, |end| end.min(last))))?;
            }
            let ended = match old.kind {
                TokenKind::SignIn => end_oldest_sign_ins(change, owner.id, Some(&old))?,
                TokenKind::Api | TokenKind::Imported | TokenKind::Browser => Vec::new(),
            };
            let root = old.root.clone().or(new.root);
            let token = tx.insert_token(NewToken { root, narrowing: old.narrowing.clone(), ..new })?;
            let mut replaced = json!({ "replaces": id.get(), "overlap_seconds": overlap.as_secs() });
            add_ended(&mut replaced, &ended);
            audit::record(change, "token.rotate", &AuditObject::Token(&token), replaced)?;
            Ok(token)
        };
        Ok(TokenWithKey { token: self.change(actor, rotate).await?, key: shown })
    }

    /// Revokes a token and, if it is a sign-in, all tokens that came from it. When this returns, they are no longer valid. A
    /// token that was revoked before keeps the time of the first revocation. If an owner is given, the token must belong to it.
    pub async fn revoke_token(
        &self,
        actor: &Actor,
        owner: Option<&UserKey>,
        id: TokenId,
    ) -> Result<Token, Error> {
        let owner = owner.cloned();
        self.change(actor, move |change| revoke(change, owner.as_ref(), id)).await
    }
}

/// Revokes a token, if the actor may.
pub(super) fn revoke(change: &Change<'_, '_>, owner: Option<&UserKey>, id: TokenId) -> Result<Token, Error> {
    let tx = change.tx;
    let (owner, token) = owned(tx, owner, id)?;
    change.check(Action::RevokeToken(&owner, &tx.rights(owner.id)?.into()))?;
    if token.revoked_at.is_none() {
        end(change, &token)?;
        record(change, "token.revoke", &token)?;
    }
    owned(tx, None, id).map(|(_, token)| token)
}

fn parse_name(name: &str) -> Result<TokenName, Error> {
    name.parse().map_err(|violation| Error::invalid("name", &violation))
}

/// Returns a token with its owner. If an owner is given and the token is another user's, it is not found.
fn owned(tx: &Tx<'_>, owner: Option<&UserKey>, id: TokenId) -> Result<(User, Token), Error> {
    let gone = || Error::not_found("token", format!("with id {id}"));
    let token = tx.token(id)?.ok_or_else(gone)?;
    let user = tx.existing_user(&UserKey::Id(token.user_id))?;
    match owner {
        Some(owner) if tx.existing_user(owner)?.id != user.id => Err(gone()),
        _ => Ok((user, token)),
    }
}

/// Checks that a token can be changed: it is neither revoked nor a browser session.
fn check_not_revoked(token: &Token) -> Result<(), Error> {
    let wrong =
        |message: &str| Err(Error::invalid("non_field_errors", &Violation::Other(message.to_owned())));
    match token.revoked_at {
        Some(_) => wrong("This token is revoked for good."),
        // Each of its keys is the proof that a person has just given.
        None if token.kind == TokenKind::Browser => {
            wrong("This is a browser session: it can only be revoked.")
        }
        None => Ok(()),
    }
}

/// Returns the latest expiry that a token may be given: for a sign-in `lifetime` after its creation, for a token that came from
/// one the expiry of that sign-in. `None` if the token may also have no expiry. So a stolen sign-in cannot be made to last.
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

/// Checks an expiry against the latest one allowed.
fn check_latest_end(end: Option<Timestamp>, latest: Option<Timestamp>) -> Result<(), Error> {
    let wrong = |message: String| Err(Error::invalid("expires_at", &Violation::Other(message)));
    match (end, latest) {
        (None, Some(_)) => wrong("The token of a sign-in needs an end.".to_owned()),
        (Some(end), Some(latest)) if end > latest => {
            wrong(format!("The token of a sign-in ends at {latest} at the latest."))
        }
        _ => Ok(()),
    }
}

/// Binds a token that gets a new life, or more rights, to the sign-in that gives it, so that it ends with that sign-in.
fn bind_to_sign_in(change: &Change<'_, '_>, id: TokenId) -> Result<(), Error> {
    match sign_in_of(&change.actor) {
        Some(root) => change.tx.bind_token(id, root),
        None => Ok(()),
    }
}

/// Checks that a token came from no other sign-in than the actor's. A sign-in belongs to the person who signed in: no
/// other user takes over its keys.
fn check_same_sign_in(actor: &Actor, token: &Token) -> Result<(), Error> {
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

/// Sets what made a new token. A token that a token makes belongs to the sign-in of that one.
fn made_by_actor(new: NewToken, actor: &Actor) -> NewToken {
    match &actor.who {
        Who::Person(_) => NewToken { made_by: Maker::Token, root: sign_in_of(actor).cloned(), ..new },
        Who::Operator(_) | Who::Anonymous => NewToken { made_by: Maker::Operator, ..new },
    }
}

fn record(change: &Change<'_, '_>, action: &'static str, token: &Token) -> Result<(), Error> {
    audit::record(change, action, &AuditObject::Token(token), audit::all_fields(audit::token_snapshot(token)))
}

/// Returns the row for a key, without its maker.
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
        narrowing: Narrowing::default(),
        amr: None,
    }
}
