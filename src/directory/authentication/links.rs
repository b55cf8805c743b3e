//! Links that are mailed to users: whether there are any, sending one, and the password that is set with it.
//!
//! A link leads to a page below `public_url`, never to the host of a request. A user has at most one of each kind. It works once,
//! and ends with its time, with a new password, with another e-mail address, and when its user is deactivated or deleted:
//! triggers of the database see to that, for every writer. Setting a password with it signs no one in, so what a sign-in needs in
//! addition is still needed.
//!
//! Never in here: who may have a link. That is in `invitations` and `password_reset`.

use std::time::Duration;

use serde_json::json;

use super::mails::mail;
use super::{notices, open_attempts};
use crate::directory::Directory;
use crate::directory::access::{Actor, Origin, Who};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::messages::Template;
use crate::directory::model::{
    Channel, DeliveryId, LinkKey, LinkKind, LinkState, MessageKind, NewMessage, SentLink, User, UserKey,
    Violation,
};
use crate::directory::password::{Password, PasswordOwner};
use crate::directory::settings::ChangePolicy;
use crate::directory::store::links::{self, NewLink};
use crate::directory::store::users::find;

/// The path of the page of a link, in front of its key.
pub const LINK_PATH: &str = "/admin/password/";

/// What the page of a link shows.
#[derive(Debug)]
pub enum FoundLink {
    /// A password can be set with it.
    Open {
        /// What it is for.
        kind: LinkKind,
        /// The name of its user.
        username: String,
    },
    /// It does not work any more, or never did. The state is `None` for a key that no link has.
    Closed(Option<LinkState>),
}

/// Why no link can be sent; `None` if links can be sent.
pub(super) fn why_off(policy: &ChangePolicy) -> Option<&'static str> {
    let sends = policy.outbox.as_ref().is_some_and(|outbox| outbox.settings.can_send(Channel::Mail));
    match (sends, &policy.links.base) {
        (false, _) => Some("this server sends no mail"),
        (true, None) => Some("public_url is not set, or the admin site is off"),
        (true, Some(_)) => None,
    }
}

/// Stores a link in the place of an earlier one, and puts the message with it into the outbox. For a user who does not exist, only
/// the message is written.
pub(super) fn send(
    change: &Change<'_, '_>,
    user: &User,
    to: &str,
    kind: LinkKind,
    key: &LinkKey,
) -> Result<(SentLink, DeliveryId), Error> {
    let links = &change.policy.links;
    let (template, message, lifetime) = match kind {
        LinkKind::Invitation => {
            (Template::InvitationMail, MessageKind::Invitation, links.invitation_lifetime)
        }
        LinkKind::PasswordReset => {
            (Template::PasswordResetMail, MessageKind::PasswordReset, links.password_reset_lifetime)
        }
    };
    let end = change.now.plus(lifetime);
    let expires_at = end.map_err(|error| Error::broken("the expiry of a link is out of range", error))?;
    let made_by = change.actor_name();
    let (created_at, id) = (change.now, user.id);
    change.tx.put_link(&NewLink { user: id, kind, key, created_at, expires_at, made_by })?;
    let base = links.base.as_deref().unwrap_or_default();
    let link = format!("{base}{LINK_PATH}{}", key.reveal());
    let [days, minutes] = in_units(lifetime);
    let values =
        [("username", user.username.as_str()), ("link", &link), ("days", &days), ("minutes", &minutes)];
    let mail = NewMessage { user: Some(id), expires_at, ..mail(change, template, message, to, &values) };
    let delivery = change.enqueue(&mail)?;
    let made_by = made_by.to_owned();
    let sent = SentLink { user: id, kind, created_at, expires_at, made_by, used_at: None, ended_at: None };
    Ok((sent, delivery))
}

/// Whole days and whole minutes, at least one.
fn in_units(lifetime: Duration) -> [String; 2] {
    [24 * 60 * 60, 60].map(|unit| (lifetime.as_secs() / unit).max(1).to_string())
}

impl Directory {
    /// Why no link can be sent to anyone; `None` if links can be sent.
    pub fn why_no_links(&self) -> Option<&'static str> {
        why_off(&self.policy)
    }

    /// Looks up the link of a key. It changes nothing, so a program that follows links in mails uses nothing up.
    pub async fn link(&self, sent: &str) -> Result<FoundLink, Error> {
        let Some(key) = LinkKey::parse(sent) else { return Ok(FoundLink::Closed(None)) };
        let found: Option<SentLink> = self.store.first(links::of_key(&key)).await?;
        let Some(link) = found else { return Ok(FoundLink::Closed(None)) };
        match link.state(self.clock.now()) {
            LinkState::Pending => {
                let user = self.existing_user(&link).await?;
                Ok(FoundLink::Open { kind: link.kind, username: user.username })
            }
            closed => Ok(FoundLink::Closed(Some(closed))),
        }
    }

    async fn existing_user(&self, link: &SentLink) -> Result<User, Error> {
        let found = self.store.first(find(&UserKey::Id(link.user))).await?;
        found.ok_or_else(closed)
    }

    /// Sets the password of the user of a link, which ends all sign-ins of the user with the tokens derived from them, and forgets
    /// failed attempts. It signs no one in.
    pub async fn set_password_by_link(
        &self,
        origin: &Origin,
        sent: &str,
        password: Password,
    ) -> Result<LinkKind, Error> {
        let key = LinkKey::parse(sent).ok_or_else(closed)?;
        // A key that no one was sent costs no slow hash.
        let found: Option<SentLink> = self.store.first(links::of_key(&key)).await?;
        let now = self.clock.now();
        let link = found.filter(|link| link.state(now) == LinkState::Pending).ok_or_else(closed)?;
        let user = self.existing_user(&link).await?;
        let actor = Actor { who: Who::Anonymous, origin: origin.clone() };
        let place = self.hash_place(&actor)?;
        let hash = self.hasher.encode(place, &self.clock, password, PasswordOwner::new(&user)).await?;
        self.change(&actor, move |change| use_link(change, &key, &hash)).await
    }
}

/// Uses a link up, and writes the password.
fn use_link(change: &Change<'_, '_>, key: &LinkKey, hash: &str) -> Result<LinkKind, Error> {
    let tx = change.tx;
    let link: SentLink = tx.first(&links::of_key(key))?.ok_or_else(closed)?;
    let user = tx.user(&UserKey::Id(link.user))?.filter(|user| user.is_active).ok_or_else(closed)?;
    if !tx.use_link(key, change.now)? {
        return Err(closed());
    }
    tx.set_password(user.id, hash, change.now)?;
    let ended = tx.revoke_sign_ins(user.id, None, change.now)?;
    open_attempts::forget(change, &user)?;
    let details = json!({ "link": link.kind.name(), "ended": ended });
    audit::record(change, "user.set_password", &AuditObject::User(&user), details)?;
    // Who was invited knows it, and so does the mailbox.
    if link.kind == LinkKind::PasswordReset {
        notices::of_password(change, &user)?;
    }
    Ok(link.kind)
}

/// The error for every link that cannot be used.
fn closed() -> Error {
    Error::invalid("key", &Violation::Other("Invalid or expired link.".to_owned()))
}
