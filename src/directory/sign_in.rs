//! Signing in with a password, and signing out.
//!
//! Whoever fails learns one thing only: that it did not work. Unknown, inactive, without a password and
//! wrong are one answer and cost the same time.

use std::time::Duration;

use serde_json::json;

use super::access::{Action, Actor, Origin, Who, authorize};
use super::audit::{self, Object};
use super::change::Change;
use super::error::{Denial, Error};
use super::guard::attempts::Claimed;
use super::guard::network;
use super::model::{KeptDigest, Maker, Rule, Token, TokenKey, TokenKind, User, UserId, UserKey};
use super::password::{Password, PasswordCheck, PasswordOwner, QueueClient};
use super::store;
use super::store::tokens::NewToken;
use super::store::users::Credentials;
use super::tokens::{self, Issued, make_room, row};
use super::{Directory, users};

/// The name of a token that a sign-in made.
const TOKEN_NAME: &str = "sign-in";

impl Directory {
    /// Signs somebody in: a token with an end. The user name is trimmed, the password is not.
    pub async fn sign_in(
        &self,
        origin: &Origin,
        username: &str,
        password: Password,
    ) -> Result<Issued, Error> {
        // PostgreSQL cannot be asked for a NUL; nobody has one in their name.
        let username = username.trim();
        let known: Option<Credentials> = match username.contains('\0') {
            true => None,
            false => self.store.first(store::users::credentials(username)).await?,
        };
        let (attempt, place) = self.attempt(origin, Claimed::Name(username)).await?;
        let stored = known.as_ref().map(|known| known.password.as_str());
        let verdict = self.hasher.verify(place, username, stored, password.clone()).await?;
        let known = match (known, verdict) {
            (Some(known), PasswordCheck::Right | PasswordCheck::RightButOutdated) if known.is_active => known,
            (known, _) => return Err(self.refused(origin, known).await),
        };
        let hash = match verdict {
            PasswordCheck::RightButOutdated => self.renewed(attempt.share(), password).await?,
            _ => None,
        };
        let key = self.clock.token_key()?;
        let (shown, lifetime) = (key.clone(), self.sign_in_lifetime);
        let actor = Actor { who: Who::Anonymous, origin: origin.clone() };
        let token = self.change(&actor, move |change| {
            let token = admit(change, &known, hash.as_deref(), &key, lifetime)?;
            if token.is_some() {
                attempt.succeeded(change.tx, known.id, change.now)?;
            }
            Ok(token)
        });
        let token = token.await?;
        Ok(Issued { token: token.ok_or_else(wrong)?, key: shown })
    }

    /// What is kept from now on of a password in an older encoding; nothing when there is no place for one more hash
    /// now: the next sign-in will see to it.
    async fn renewed(&self, share: QueueClient, password: Password) -> Result<Option<String>, Error> {
        match self.hasher.reserve(share) {
            Ok(place) => self.hasher.renew(place, &self.clock, password).await.map(Some),
            Err(Error::Busy { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes a sign-in that failed, under the user it was tried for. What was typed for a name that
    /// nobody has is not noted: it may be a password in the wrong field.
    async fn refused(&self, origin: &Origin, known: Option<Credentials>) -> Error {
        let (actor, now) = (Actor { who: Who::Anonymous, origin: origin.clone() }, self.clock.now());
        let (client, account) = (origin.ip().map(network), known.as_ref().map(|known| known.id));
        let Some(left_out) = self.refused_sign_ins.take(now, client, account) else { return wrong() };
        let told = left_out.add_to(json!({}));
        let noted = self.change(&actor, move |change| {
            // An unknown name costs the same look-up, of an id that nobody gets.
            let id = known.as_ref().map(|known| known.id).or_else(|| UserId::try_from(i64::MAX).ok());
            let user = id.map(|id| change.tx.user(&UserKey::Id(id))).transpose()?.flatten();
            let object = user.as_ref().map_or(Object::Directory, Object::User);
            audit::record(change, "sign_in.refused", &object, told.clone())
        });
        noted.await.err().unwrap_or_else(wrong)
    }

    /// Replaces the actor's own password, for which the present one is needed. With `sign_out_others`, every sign-in of
    /// theirs ends with all that came of it, but for the calling token; other tokens go on.
    pub async fn change_own_password(
        &self,
        actor: &Actor,
        old: Password,
        new: Password,
        sign_out_others: bool,
    ) -> Result<(), Error> {
        authorize(actor, Action::ManageSelf)?;
        let Who::Person(identity) = &actor.who else { return Err(Denial::NoRight.into()) };
        let (user, token) = (identity.user.clone(), identity.token.id);
        let is_same = old.is(&new);
        let proof = self.prove(actor, &user, old).await?;
        if is_same {
            return Err(Error::invalid("new_password", &Rule::Other("This is the old password.".to_owned())));
        }
        let encoded =
            self.hasher.encode(self.place(actor)?, &self.clock, new, PasswordOwner::new(&user)).await;
        let hash = encoded.map_err(|error| error.of_field("password", "new_password"))?;
        self.change(actor, move |change| {
            change.check(Action::ManageSelf)?;
            proof.check(change)?;
            let user = users::existing(change.tx, &UserKey::Id(user.id))?;
            users::write_password(change, &user, &hash)?;
            if sign_out_others {
                let ended = change.tx.revoke_sign_ins(user.id, Some(token), change.now)?;
                let done = json!({ "everywhere": "others", "ended": ended });
                audit::record(change, "sign_out", &Object::User(&user), done)?;
            }
            Ok(())
        })
        .await
    }

    /// Checks the present password that comes with a change of `target`. Only people give one, about themselves; their
    /// own new password needs it.
    pub(super) async fn prove_own(
        &self,
        actor: &Actor,
        target: &User,
        is_needed: bool,
        present: Option<Password>,
    ) -> Result<Option<Proof>, Error> {
        let own = matches!(&actor.who, Who::Person(identity) if identity.user.id == target.id);
        match present {
            Some(present) if own => self.prove(actor, target, present).await.map(Some),
            Some(_) => Err(Error::invalid(
                "old_password",
                &Rule::Other("This field is for your own password only.".to_owned()),
            )),
            None if own && is_needed => Err(password_required()),
            None => Ok(None),
        }
    }

    /// Checks a person's present password, guarded against guessing as a sign-in is.
    async fn prove(&self, actor: &Actor, user: &User, present: Password) -> Result<Proof, Error> {
        let id = user.id;
        let known: Option<Credentials> = self.store.first(store::users::credentials(&user.username)).await?;
        let (attempt, place) = self.attempt(&actor.origin, Claimed::User(id)).await?;
        let stored = known.as_ref().map(|known| known.password.as_str());
        let verdict = self.hasher.verify(place, &user.username, stored, present).await?;
        let (Some(known), PasswordCheck::Right | PasswordCheck::RightButOutdated) = (known, verdict) else {
            return Err(self.wrong_password(actor, user.clone()).await);
        };
        self.change(actor, move |change| attempt.succeeded(change.tx, id, change.now)).await?;
        Ok(Proof(known))
    }

    async fn wrong_password(&self, actor: &Actor, user: User) -> Error {
        let noted = self.change(actor, move |change| {
            audit::record(change, "user.set_password.refused", &Object::User(&user), json!({}))
        });
        noted.await.err().unwrap_or_else(not_the_old_one)
    }

    /// Revokes the calling token, with all that came of it if it is a sign-in; with `everywhere` every sign-in of this
    /// person ends so.
    pub async fn sign_out(&self, actor: &Actor, everywhere: bool) -> Result<(), Error> {
        let Who::Person(identity) = &actor.who else { return Ok(()) };
        let (user, token) = (identity.user.id, identity.token.id);
        self.change(actor, move |change| {
            let user = users::existing(change.tx, &UserKey::Id(user))?;
            let calling = change.tx.token(token)?;
            let mut ended = calling.map(|token| tokens::end(change, &token)).transpose()?.unwrap_or(0);
            if everywhere {
                ended += change.tx.revoke_sign_ins(user.id, None, change.now)?;
            }
            let told = json!({ "everywhere": everywhere, "ended": ended });
            audit::record(change, "sign_out", &Object::User(&user), told)
        })
        .await
    }
}

/// Proof that a person knew their present password a moment ago.
pub(super) struct Proof(Credentials);

impl Proof {
    /// Refuses when the password was replaced since it was checked.
    pub(super) fn check(&self, change: &Change<'_, '_>) -> Result<(), Error> {
        let now = change.tx.credentials(self.0.id)?;
        if now.as_ref() == Some(&self.0) { Ok(()) } else { Err(not_the_old_one()) }
    }
}

/// A person's present password must come with what they ask for.
pub(super) fn password_required() -> Error {
    Error::invalid("old_password", &Rule::Required)
}

fn not_the_old_one() -> Error {
    Error::invalid("old_password", &Rule::Other("Invalid password.".to_owned()))
}

/// One text for whatever was wrong.
fn wrong() -> Error {
    let told = "Unable to log in with provided credentials.";
    Error::invalid("non_field_errors", &Rule::Other(told.to_owned()))
}

/// Makes the token of a sign-in whose password was right a moment ago; `None` when that is true no more.
fn admit(
    change: &Change<'_, '_>,
    known: &Credentials,
    hash: Option<&str>,
    key: &TokenKey,
    lifetime: Duration,
) -> Result<Option<Token>, Error> {
    let (tx, now) = (change.tx, change.now);
    let unchanged = tx.credentials(known.id)?.is_some_and(|now| now == *known);
    let user = tx.user(&UserKey::Id(known.id))?.filter(|_| unchanged);
    let Some(user) = user else { return Ok(None) };
    tx.signed_in(user.id, now, hash)?;
    let end = Some(now.plus(lifetime).map_err(|rule| Error::broken("a sign-in's end cannot be told", rule))?);
    let ended = make_room(change, user.id, None)?;
    let new = row(user.id, TOKEN_NAME.to_owned(), TokenKind::SignIn, key, now, end);
    let root = Some(KeptDigest::Sha256(key.digest()));
    let token = tx.insert_token(NewToken { made_by: Maker::SignIn, root, ..new })?;
    let mut told = json!({ "token": token.id.get() });
    tokens::tell(&mut told, &ended);
    audit::record(change, "sign_in", &Object::User(&user), told)?;
    Ok(Some(token))
}
