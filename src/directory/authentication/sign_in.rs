//! Signing in with a password, and signing out.
//!
//! A client that fails learns only that the sign-in failed. An unknown name, an inactive user, a user without a password and
//! a wrong password get one answer, after the same time.

use std::time::Duration;

use serde_json::json;

use super::attempts::ClaimedAccount;
use super::notices;
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, Origin, Who};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{
    ActivityKind, KeptDigest, Maker, Timestamp, Token, TokenKey, TokenKind, User, UserId, UserKey, Violation,
};
use crate::directory::password::{Password, PasswordCheck, QueueClient};
use crate::directory::store::tokens::NewToken;
use crate::directory::store::users::{StoredCredentials, credentials};
use crate::directory::tokens::{self, TokenWithKey, end_oldest_sign_ins, new_token};

/// The name of a token that a sign-in makes.
const TOKEN_NAME: &str = "sign-in";

/// The proof of a password (RFC 8176).
pub(super) const PASSWORD_PROOF: &str = "pwd";

/// What a sign-in is for.
pub(super) enum SignInKind {
    /// The API.
    Api,
    /// The admin site, in a browser of this name.
    Browser(String),
}

impl SignInKind {
    /// What is counted when it succeeds, fails, or is not checked.
    pub(super) fn activity(&self) -> [ActivityKind; 3] {
        match self {
            Self::Api => {
                [ActivityKind::ApiSignIn, ActivityKind::ApiSignInFailed, ActivityKind::ApiSignInLimited]
            }
            Self::Browser(_) => {
                [ActivityKind::SiteSignIn, ActivityKind::SiteSignInFailed, ActivityKind::SiteSignInLimited]
            }
        }
    }

    /// Returns the row of its token, without its maker. `proof` is what the user has just given.
    pub(super) fn token(
        &self,
        user: UserId,
        key: &TokenKey,
        now: Timestamp,
        end: Option<Timestamp>,
        proof: &'static str,
    ) -> NewToken {
        let amr = Some(proof.to_owned());
        match self {
            Self::Api => {
                let new = new_token(user, TOKEN_NAME.to_owned(), TokenKind::SignIn, key, now, end);
                // A password is what every token of a sign-in without this value was made with.
                NewToken { amr: amr.filter(|_| proof != PASSWORD_PROOF), ..new }
            }
            Self::Browser(name) => {
                NewToken { amr, ..new_token(user, name.clone(), TokenKind::Browser, key, now, end) }
            }
        }
    }
}

/// A sign-in that failed. A client learns the error alone.
#[derive(Debug)]
pub struct RefusedSignIn {
    /// What the client learns.
    pub error: Error,
    /// The user with the username that was sent.
    pub account: Option<UserId>,
    /// Why, for the log, where the error does not say it. It never has the username.
    pub why: Option<&'static str>,
}

impl From<Error> for RefusedSignIn {
    fn from(error: Error) -> Self {
        Self { error, account: None, why: None }
    }
}

impl Directory {
    /// Signs a user in and returns a token with an expiry. The username is trimmed, the password is not.
    pub async fn sign_in(
        &self,
        origin: &Origin,
        username: &str,
        password: Password,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        self.sign_in_as(origin, username, password, SignInKind::Api).await
    }

    /// Does the same for a session of the admin site in a browser of this name.
    pub async fn sign_in_browser(
        &self,
        origin: &Origin,
        username: &str,
        password: Password,
        browser: &str,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        self.sign_in_as(origin, username, password, SignInKind::Browser(browser.to_owned())).await
    }

    async fn sign_in_as(
        &self,
        origin: &Origin,
        username: &str,
        password: Password,
        kind: SignInKind,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        let [accepted, failed, limited] = kind.activity();
        let signed_in = self.check_name(origin, username, password, kind).await;
        match &signed_in {
            Ok(_) => self.activity.note(accepted),
            Err(RefusedSignIn { error: Error::Invalid(_), .. }) => self.activity.note(failed),
            Err(RefusedSignIn { error: Error::Busy { .. }, .. }) => self.activity.note(limited),
            Err(_) => {}
        }
        signed_in
    }

    /// Looks the username up, and checks the password.
    async fn check_name(
        &self,
        origin: &Origin,
        username: &str,
        password: Password,
        kind: SignInKind,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        // PostgreSQL refuses a NUL, and no stored name has one.
        let username = username.trim();
        let known: Option<StoredCredentials> = match username.contains('\0') {
            true => None,
            false => self.store.first(credentials(username)).await?,
        };
        let account = known.as_ref().map(|known| known.id);
        let checked = self.check_sign_in(origin, username, password, known, kind).await;
        checked.map_err(|refused| RefusedSignIn { account, ..refused })
    }

    /// Checks the password, and makes the token.
    async fn check_sign_in(
        &self,
        origin: &Origin,
        username: &str,
        password: Password,
        known: Option<StoredCredentials>,
        kind: SignInKind,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        let (attempt, place) = self.attempt(origin, ClaimedAccount::Name(username)).await?;
        let stored = known.as_ref().map(|known| known.password.as_str());
        let verdict = self.hasher.verify(place, username, stored, password.clone()).await?;
        let known = match (known, verdict) {
            (Some(known), PasswordCheck::Right | PasswordCheck::RightButOutdated) if known.is_active => known,
            (known, verdict) => {
                let why = why_refused(known.as_ref(), verdict);
                return Err(self.refuse_sign_in(origin, known, why).await);
            }
        };
        let hash = match verdict {
            PasswordCheck::RightButOutdated => self.rehash(attempt.share(), password).await?,
            _ => None,
        };
        let key = self.clock.token_key()?;
        let (shown, lifetime) = (key.clone(), self.sign_in_lifetime);
        let actor = Actor { who: Who::Anonymous, origin: origin.clone() };
        let token = self.change(&actor, move |change| {
            let token = issue_sign_in(change, &known, hash.as_deref(), (&key, &kind), lifetime)?;
            if token.is_some() {
                notices::of_network(change, known.id, attempt.network())?;
                attempt.succeeded(change.tx, known.id, change.now)?;
            }
            Ok(token)
        });
        let token = token.await?;
        let token =
            token.ok_or_else(|| wrong_credentials("the user was changed while the password was checked"))?;
        Ok(TokenWithKey { token, key: shown })
    }

    /// Hashes a password of an older encoding anew. Returns `None` when the queue has no place now: the next sign-in tries
    /// again.
    async fn rehash(&self, share: QueueClient, password: Password) -> Result<Option<String>, Error> {
        match self.hasher.reserve(share) {
            Ok(place) => self.hasher.renew(place, &self.clock, password).await.map(Some),
            Err(Error::Busy { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Records a failed sign-in under the user it was for. An unknown name is not recorded: it may be a password typed
    /// into the wrong field.
    async fn refuse_sign_in(
        &self,
        origin: &Origin,
        known: Option<StoredCredentials>,
        why: &'static str,
    ) -> RefusedSignIn {
        let (actor, now) = (Actor { who: Who::Anonymous, origin: origin.clone() }, self.clock.now());
        let (client, account) = (origin.network(), known.as_ref().map(|known| known.id));
        let Some(left_out) = self.refused_sign_ins.take(now, client, account) else {
            return wrong_credentials(why);
        };
        let details = left_out.add_to(json!({}));
        let recorded = self.change(&actor, move |change| {
            // An unknown name costs the same look-up, of an id that no user gets.
            let id = known.as_ref().map(|known| known.id).or_else(|| UserId::try_from(i64::MAX).ok());
            let user = id.map(|id| change.tx.user(&UserKey::Id(id))).transpose()?.flatten();
            let object = user.as_ref().map_or(AuditObject::Directory, AuditObject::User);
            audit::record(change, "sign_in.refused", &object, details.clone())
        });
        recorded.await.err().map_or_else(|| wrong_credentials(why), RefusedSignIn::from)
    }

    /// Revokes the calling token and, if it is a sign-in, all tokens that came from it. Every token may end itself. With
    /// `everywhere`, all sign-ins of this person end that way, if the token allows to change them.
    pub async fn sign_out(&self, actor: &Actor, everywhere: bool) -> Result<(), Error> {
        let Who::Person(identity) = &actor.who else { return Ok(()) };
        let (user, token) = (identity.user.id, identity.token.id);
        self.change(actor, move |change| {
            if everywhere {
                change.check(Action::ManageSelf)?;
            }
            let user = change.tx.existing_user(&UserKey::Id(user))?;
            let calling = change.tx.token(token)?;
            let mut ended = calling.map(|token| tokens::end(change, &token)).transpose()?.unwrap_or(0);
            if everywhere {
                ended += change.tx.revoke_sign_ins(user.id, None, change.now)?;
            }
            let details = json!({ "everywhere": everywhere, "ended": ended });
            audit::record(change, "sign_out", &AuditObject::User(&user), details)
        })
        .await
    }
}

impl Directory {
    /// Revokes all sign-ins of the actor with all tokens that came from them, except the calling token.
    pub async fn sign_out_others(&self, actor: &Actor) -> Result<u64, Error> {
        let Who::Person(identity) = &actor.who else { return Ok(0) };
        let (user, token) = (identity.user.id, identity.token.id);
        self.change(actor, move |change| {
            change.check(Action::ManageSelf)?;
            let user = change.tx.existing_user(&UserKey::Id(user))?;
            let ended = change.tx.revoke_sign_ins(user.id, Some(token), change.now)?;
            let details = json!({ "everywhere": "others", "ended": ended });
            audit::record(change, "sign_out", &AuditObject::User(&user), details)?;
            Ok(ended)
        })
        .await
    }
}

/// Why a checked password does not sign a user in.
fn why_refused(known: Option<&StoredCredentials>, verdict: PasswordCheck) -> &'static str {
    match (known, verdict) {
        (None, _) => "no user has this username",
        (Some(_), PasswordCheck::Wrong) => "the password is wrong, or the user has none",
        (Some(_), PasswordCheck::Right | PasswordCheck::RightButOutdated) => "the user is not active",
    }
}

/// The one error for every failed sign-in. `why` is for the log.
fn wrong_credentials(why: &'static str) -> RefusedSignIn {
    let message = "Unable to log in with provided credentials.";
    let error = Error::invalid("non_field_errors", &Violation::Other(message.to_owned()));
    RefusedSignIn { error, account: None, why: Some(why) }
}

/// Makes the token of a sign-in whose password was just checked. Returns `None` if the credentials have changed since.
fn issue_sign_in(
    change: &Change<'_, '_>,
    known: &StoredCredentials,
    hash: Option<&str>,
    (key, kind): (&TokenKey, &SignInKind),
    lifetime: Duration,
) -> Result<Option<Token>, Error> {
    let tx = change.tx;
    let is_unchanged = tx.credentials(known.id)?.is_some_and(|now| now == *known);
    let user = tx.user(&UserKey::Id(known.id))?.filter(|_| is_unchanged);
    let Some(user) = user else { return Ok(None) };
    tx.signed_in(user.id, change.now, hash)?;
    issue(change, &user, (key, kind), lifetime, PASSWORD_PROOF).map(Some)
}

/// Makes the token of a sign-in of a user who has just given this proof, with its event.
pub(super) fn issue(
    change: &Change<'_, '_>,
    user: &User,
    (key, kind): (&TokenKey, &SignInKind),
    lifetime: Duration,
    proof: &'static str,
) -> Result<Token, Error> {
    let (tx, now) = (change.tx, change.now);
    let end = now
        .plus(lifetime)
        .map_err(|error| Error::broken("the expiry of a sign-in is out of range", error))?;
    let ended = end_oldest_sign_ins(change, user.id, None)?;
    let root = Some(KeptDigest::Sha256(key.digest()));
    let new = kind.token(user.id, key, now, Some(end), proof);
    let token = tx.insert_token(NewToken { made_by: Maker::SignIn, root, ..new })?;
    let mut details = json!({ "token": token.id.get() });
    if let Some(details) = details.as_object_mut() {
        if let SignInKind::Browser(browser) = kind {
            details.insert("browser".to_owned(), browser.as_str().into());
        }
        if proof != PASSWORD_PROOF {
            details.insert("proof".to_owned(), proof.into());
        }
    }
    tokens::add_ended(&mut details, &ended);
    audit::record(change, "sign_in", &AuditObject::User(user), details)?;
    Ok(token)
}
