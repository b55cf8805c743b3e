//! A person's own password: checking the present one, and replacing it.

use serde_json::json;

use super::attempts::ClaimedAccount;
use super::notices;
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, Who, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::{Denial, Error};
use crate::directory::model::{User, UserKey, Violation};
use crate::directory::password::{Password, PasswordCheck, PasswordOwner};
use crate::directory::store::users::{StoredCredentials, credentials};

impl Directory {
    /// Replaces the actor's own password, which needs the present one. With `sign_out_others`, all sign-ins of this person
    /// end with all tokens that came from them, except the calling token. Other tokens stay valid.
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
            let message = "This is the old password.".to_owned();
            return Err(Error::invalid("new_password", &Violation::Other(message)));
        }
        let encoded =
            self.hasher.encode(self.hash_place(actor)?, &self.clock, new, PasswordOwner::new(&user)).await;
        let hash = encoded.map_err(|error| error.of_field("password", "new_password"))?;
        self.change(actor, move |change| {
            change.check(Action::ManageSelf)?;
            proof.check(change)?;
            let user = change.tx.existing_user(&UserKey::Id(user.id))?;
            write_password(change, &user, &hash)?;
            notices::of_password(change, &user)?;
            if sign_out_others {
                let ended = change.tx.revoke_sign_ins(user.id, Some(token), change.now)?;
                let details = json!({ "everywhere": "others", "ended": ended });
                audit::record(change, "sign_out", &AuditObject::User(&user), details)?;
            }
            Ok(())
        })
        .await
    }

    /// Checks the present password that comes with a change of `target`. Only a person can give one, for themselves; a new
    /// password of their own needs it.
    pub(in crate::directory) async fn prove_own(
        &self,
        actor: &Actor,
        target: &User,
        is_needed: bool,
        present: Option<Password>,
    ) -> Result<Option<PasswordProof>, Error> {
        let is_own = matches!(&actor.who, Who::Person(identity) if identity.user.id == target.id);
        match present {
            Some(present) if is_own => self.prove(actor, target, present).await.map(Some),
            Some(_) => Err(Error::invalid(
                "old_password",
                &Violation::Other("This field is for your own password only.".to_owned()),
            )),
            None if is_own && is_needed => Err(password_required()),
            None => Ok(None),
        }
    }

    /// Checks a person's present password, limited like a sign-in.
    pub(super) async fn prove(
        &self,
        actor: &Actor,
        user: &User,
        present: Password,
    ) -> Result<PasswordProof, Error> {
        let id = user.id;
        let known: Option<StoredCredentials> = self.store.first(credentials(&user.username)).await?;
        let (attempt, place) = self.attempt(&actor.origin, ClaimedAccount::User(id)).await?;
        let stored = known.as_ref().map(|known| known.password.as_str());
        let verdict = self.hasher.verify(place, &user.username, stored, present).await?;
        let (Some(known), PasswordCheck::Right | PasswordCheck::RightButOutdated) = (known, verdict) else {
            return Err(self.refuse_present_password(actor, user.clone()).await);
        };
        self.change(actor, move |change| attempt.succeeded(change.tx, id, change.now)).await?;
        Ok(PasswordProof(known))
    }

    /// Records that a person's present password was wrong.
    async fn refuse_present_password(&self, actor: &Actor, user: User) -> Error {
        let recorded = self.change(actor, move |change| {
            audit::record(change, "user.set_password.refused", &AuditObject::User(&user), json!({}))
        });
        recorded.await.err().unwrap_or_else(wrong_password)
    }
}

/// Proof that a person has just given their present password.
pub(in crate::directory) struct PasswordProof(StoredCredentials);

impl PasswordProof {
    /// Fails if the password was replaced since it was checked.
    pub(in crate::directory) fn check(&self, change: &Change<'_, '_>) -> Result<(), Error> {
        let now = change.tx.credentials(self.0.id)?;
        if now.as_ref() == Some(&self.0) { Ok(()) } else { Err(wrong_password()) }
    }
}

/// The error for a change that needs the person's present password.
pub(in crate::directory) fn password_required() -> Error {
    Error::invalid("old_password", &Violation::Required)
}

fn wrong_password() -> Error {
    Error::invalid("old_password", &Violation::Other("Invalid password.".to_owned()))
}

/// Writes the hash of a new password, with its event.
pub(in crate::directory) fn write_password(
    change: &Change<'_, '_>,
    user: &User,
    hash: &str,
) -> Result<(), Error> {
    change.tx.set_password(user.id, hash, change.now)?;
    audit::record(change, "user.set_password", &AuditObject::User(user), json!({}))
}
