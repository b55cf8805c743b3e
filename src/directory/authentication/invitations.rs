//! Invitations: a link by which a user who has no password yet sets one.
//!
//! To send one is to set the password of another user: it needs the same right and the same proof, and the actor must hold every
//! right of the user. No one invites themselves, because a token would become a password. A user who has a password is not
//! invited: the page for forgotten passwords is for them.

use serde_json::json;

use super::links::{send, why_off};
use super::mails::address_of;
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, Rights, Who, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::{Denial, Error};
use crate::directory::model::{
    LinkKey, LinkKind, MessageKind, SentLink, Timestamp, User, UserFields, UserKey, ValidationErrors,
    Violation, masked,
};
use crate::directory::password::has_password;
use crate::directory::store::links::last;
use crate::directory::store::users::find;

/// What is known of the invitation of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationStatus {
    /// The last one; `None` if there is none.
    pub last: Option<SentLink>,
    /// When that was read.
    pub at: Timestamp,
}

impl InvitationStatus {
    /// Returns the name of the state: `none`, `pending`, `used`, `ended` or `expired`.
    pub fn state(&self) -> &'static str {
        self.last.as_ref().map_or("none", |link| link.state(self.at).name())
    }
}

impl Directory {
    /// Returns what is known of the invitation of a user.
    pub async fn invitation(&self, actor: &Actor, key: &UserKey) -> Result<InvitationStatus, Error> {
        authorize(actor, Action::ReadUsers)?;
        let found = self.store.first(find(key)).await?;
        let user: User = found.ok_or_else(|| Error::not_found("user", key))?;
        let last = self.store.first(last(user.id, LinkKind::Invitation)).await?;
        Ok(InvitationStatus { last, at: self.clock.now() })
    }

    /// Sends invitations to users, all or none. Each ends the earlier one of its user. An error of one user says which it is.
    pub async fn invite_users(
        &self,
        actor: &Actor,
        keys: Vec<UserKey>,
    ) -> Result<Vec<(User, InvitationStatus)>, Error> {
        let keys = keys.into_iter().map(|key| Ok((key, self.clock.link_key()?)));
        let keys = keys.collect::<Result<Vec<_>, Error>>()?;
        self.change(actor, move |change| {
            let invited = keys.iter().enumerate().map(|(index, (key, link_key))| {
                let invited = concerned(change, key).and_then(|user| {
                    let last = Some(invite(change, &user, link_key)?);
                    Ok((user, InvitationStatus { last, at: change.now }))
                });
                invited.map_err(|error| of_item(error, index, keys.len()))
            });
            invited.collect()
        })
        .await
    }

    /// Ends the invitations of users, all or none, and withdraws what was not sent yet.
    pub async fn revoke_invitations(&self, actor: &Actor, keys: Vec<UserKey>) -> Result<Vec<User>, Error> {
        self.change(actor, move |change| {
            let revoked = keys.iter().enumerate();
            let revoked = revoked
                .map(|(index, key)| revoke(change, key).map_err(|error| of_item(error, index, keys.len())));
            revoked.collect()
        })
        .await
    }
}

/// Ends the invitation of a user, if the actor may.
fn revoke(change: &Change<'_, '_>, key: &UserKey) -> Result<User, Error> {
    let user = concerned(change, key)?;
    change.withdraw(user.id, Some(MessageKind::Invitation))?;
    if !change.tx.end_link(user.id, LinkKind::Invitation, change.now)? {
        return Err(Error::not_found("pending invitation", format!("of {}", user.username)));
    }
    audit::record(change, "invitation.revoke", &AuditObject::User(&user), json!({}))?;
    Ok(user)
}

/// Says which of several users an error is about.
fn of_item(error: Error, index: usize, count: usize) -> Error {
    match error {
        error if count == 1 => error,
        Error::Invalid(errors) => {
            let before = std::iter::repeat_with(ValidationErrors::default).take(index);
            Error::InvalidItems(before.chain([errors]).collect())
        }
        Error::Denied(denial) => Error::DeniedItem { index, denial },
        error => error,
    }
}

/// Returns the user that an invitation is for, if the actor may set the user's password.
fn concerned(change: &Change<'_, '_>, key: &UserKey) -> Result<User, Error> {
    let user = change.tx.existing_user(key)?;
    let rights = Rights::from(change.tx.rights(user.id)?);
    change.check(Action::UpdateUser(&user, &UserFields::default(), &rights))?;
    if matches!(&change.actor.who, Who::Person(identity) if identity.user.id == user.id) {
        return Err(Denial::NoRight.into());
    }
    change.check_proof_age()?;
    Ok(user)
}

/// Sends an invitation to a user that the actor may set a password for.
pub(in crate::directory) fn invite(
    change: &Change<'_, '_>,
    user: &User,
    key: &LinkKey,
) -> Result<SentLink, Error> {
    let refused = |field: &str, text: &str| Err(Error::invalid(field, &Violation::Other(text.to_owned())));
    if let Some(why) = why_off(&change.policy) {
        return refused("invite", &format!("No one can be invited: {why}."));
    }
    let Some(to) = address_of(user) else {
        return refused("email", "An invitation needs an e-mail address.");
    };
    if !user.is_active {
        return refused("is_active", "An invitation needs an active user.");
    }
    let stored = change.tx.credentials(user.id)?;
    if stored.is_some_and(|stored| has_password(&stored.password)) {
        return refused("invite", "This user has a password. An invitation is for users without one.");
    }
    change.withdraw(user.id, Some(MessageKind::Invitation))?;
    let (link, _) = send(change, user, to, LinkKind::Invitation, key)?;
    let details = json!({ "to": masked(to), "expires_at": link.expires_at.to_string() });
    audit::record(change, "invitation.send", &AuditObject::User(user), details)?;
    Ok(link)
}
