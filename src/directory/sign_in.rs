//! Signing in with a password, and signing out.
//!
//! Whoever fails learns one thing only: that it did not work. Unknown, inactive, without a password and
//! wrong are one answer and cost the same time.

use std::time::Duration;

use serde_json::json;

use super::access::{Actor, Deed, Origin, Who, may};
use super::audit::{self, Object};
use super::error::{Denial, Error};
use super::model::{Moment, Rule, TokenKey, TokenKind, User, UserKey};
use super::password::{Owner, Password, Verdict};
use super::store::users::Credentials;
use super::store::{self, Tx};
use super::tokens::{Issued, row};
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
        let attempt = self.attempt(origin, username, known.as_ref().map(|known| known.id)).await?;
        let stored = known.as_ref().map(|known| known.password.as_str());
        let verdict = self.hasher.verify(stored, password.clone()).await?;
        let known = match (known, verdict) {
            (Some(known), Verdict::Right | Verdict::RightButOutdated) if known.is_active => known,
            (known, _) => return Err(self.refused(origin, known).await),
        };
        let hash = match verdict {
            Verdict::RightButOutdated => Some(self.hasher.renew(&self.clock, password).await?),
            _ => None,
        };
        let (key, now) = (self.clock.token_key()?, self.clock.now());
        let (origin, shown, lifetime) = (origin.clone(), key.clone(), self.sign_in_lifetime);
        let token = self.store.write(move |tx| {
            let token = admit(tx, now, &origin, &known, hash.as_deref(), &key, lifetime)?;
            if token.is_some() {
                attempt.succeeded(tx, known.id, now)?;
            }
            Ok(token)
        });
        let token = token.await?;
        Ok(Issued { token: token.ok_or_else(wrong)?, key: shown })
    }

    /// Notes a sign-in that failed, under the user it was tried for. What was typed for a name that
    /// nobody has is not noted: it may be a password in the wrong field.
    async fn refused(&self, origin: &Origin, known: Option<Credentials>) -> Error {
        let (actor, now) = (Actor { who: Who::Anonymous, origin: origin.clone() }, self.clock.now());
        let Some(left_out) = self.refused_sign_ins.take(now) else { return wrong() };
        let told = if left_out == 0 { json!({}) } else { json!({ "left_out_before": left_out }) };
        let noted = self.store.write(move |tx| {
            let user = known.as_ref().map(|known| tx.user(&UserKey::Id(known.id))).transpose()?.flatten();
            let object = user.as_ref().map_or(Object::Directory, Object::User);
            audit::record(tx, now, &actor, "sign_in.refused", &object, told.clone())
        });
        noted.await.err().unwrap_or_else(wrong)
    }

    /// Replaces the actor's own password, for which the present one is needed. With `sign_out_others`, every
    /// other token that a sign-in of theirs made is revoked; tokens issued by name go on.
    pub async fn change_own_password(
        &self,
        actor: &Actor,
        old: Password,
        new: Password,
        sign_out_others: bool,
    ) -> Result<(), Error> {
        may(actor, Deed::ManageSelf)?;
        let Who::Person(identity) = &actor.who else { return Err(Denial::NoRight.into()) };
        let (user, token) = (identity.user.clone(), identity.token.id);
        let id = user.id;
        let known: Option<Credentials> = self.store.first(store::users::credentials(&user.username)).await?;
        let attempt = self.attempt(&actor.origin, &user.username, Some(user.id)).await?;
        let stored = known.as_ref().map(|known| known.password.as_str());
        let verdict = self.hasher.verify(stored, old.clone()).await?;
        let (Some(known), Verdict::Right | Verdict::RightButOutdated) = (known, verdict) else {
            return Err(self.wrong_old_password(actor, user).await);
        };
        let now = self.clock.now();
        self.store.write(move |tx| attempt.succeeded(tx, id, now)).await?;
        if old.is(&new) {
            return Err(Error::invalid("new_password", &Rule::Other("This is the old password.".to_owned())));
        }
        let encoded = self.hasher.encode(&self.clock, new, Owner::new(&user)).await;
        let hash = encoded.map_err(|error| error.of_field("password", "new_password"))?;
        let (actor, now) = (actor.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                // Somebody may have replaced it since it was compared.
                if tx.credentials(known.id)?.is_none_or(|now| now != known) {
                    return Err(not_the_old_one());
                }
                let user = users::existing(tx, &UserKey::Id(known.id))?;
                users::write_password(tx, now, &actor, &user, &hash)?;
                if sign_out_others {
                    tx.revoke_sign_ins(user.id, token, now)?;
                    let done = json!({ "everywhere": "others" });
                    audit::record(tx, now, &actor, "sign_out", &Object::User(&user), done)?;
                }
                Ok(())
            })
            .await
    }

    async fn wrong_old_password(&self, actor: &Actor, user: User) -> Error {
        let (actor, now) = (actor.clone(), self.clock.now());
        let noted = self.store.write(move |tx| {
            audit::record(tx, now, &actor, "user.set_password.refused", &Object::User(&user), json!({}))
        });
        noted.await.err().unwrap_or_else(not_the_old_one)
    }

    /// Revokes the calling token, and with `everywhere` every token that a sign-in of this person made.
    pub async fn sign_out(&self, actor: &Actor, everywhere: bool) -> Result<(), Error> {
        let Who::Person(identity) = &actor.who else { return Ok(()) };
        let (user, token) = (identity.user.id, identity.token.id);
        let (actor, now) = (actor.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let user = users::existing(tx, &UserKey::Id(user))?;
                tx.revoke_token(token, now)?;
                if everywhere {
                    tx.revoke_sign_ins(user.id, token, now)?;
                }
                audit::record(
                    tx,
                    now,
                    &actor,
                    "sign_out",
                    &Object::User(&user),
                    json!({ "everywhere": everywhere }),
                )
            })
            .await
    }
}

fn not_the_old_one() -> Error {
    Error::invalid("old_password", &Rule::Other("Invalid password.".to_owned()))
}

/// One text for whatever was wrong.
fn wrong() -> Error {
    let told = "Unable to log in with provided credentials.";
    Error::invalid("non_field_errors", &Rule::Other(told.to_owned()))
}

/// Lets somebody in whose password was right a moment ago; `None` when that is true no more.
fn admit(
    tx: &Tx<'_>,
    now: Moment,
    origin: &Origin,
    known: &Credentials,
    hash: Option<&str>,
    key: &TokenKey,
    lifetime: Duration,
) -> Result<Option<super::model::Token>, Error> {
    let unchanged = tx.credentials(known.id)?.is_some_and(|now| now == *known);
    let user = tx.user(&UserKey::Id(known.id))?.filter(|_| unchanged);
    let Some(user) = user else { return Ok(None) };
    tx.signed_in(user.id, now, hash)?;
    let end = Some(now.plus(lifetime).map_err(|rule| Error::broken("a sign-in's end cannot be told", rule))?);
    let token = tx.insert_token(row(user.id, TOKEN_NAME.to_owned(), TokenKind::SignIn, key, now, end))?;
    record_sign_in(tx, now, origin, &user, &token)?;
    Ok(Some(token))
}

fn record_sign_in(
    tx: &Tx<'_>,
    now: Moment,
    origin: &Origin,
    user: &User,
    token: &super::model::Token,
) -> Result<(), Error> {
    let actor = Actor { who: Who::Anonymous, origin: origin.clone() };
    let made = json!({ "token": token.id.get() });
    audit::record(tx, now, &actor, "sign_in", &Object::User(user), made)
}
