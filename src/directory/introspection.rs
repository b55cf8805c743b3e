//! Introspection (RFC 7662): a service that was sent a key asks whose it is, and what it may do.
//!
//! The service learns that a token is valid only if it may also read the token's owner. Everything else is "not active",
//! and takes the same time. Keys that are not valid and not in memory are counted for each service, so that no service
//! can guess keys. Within the wait that follows, keys in memory are still answered: outsiders who send made-up keys to a
//! service do not lock out its users.

use std::sync::Arc;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::error::Error;
use super::identity::FeedMark;
use super::model::Identity;

impl Directory {
    /// Returns how far the feed of changes is applied, for [`Self::introspect`].
    pub fn feed_mark(&self) -> FeedMark {
        self.authenticator.mark()
    }

    /// Returns the identity of a key if it is valid, its owner is active, and the actor may know it. A valid key counts as
    /// used. `since` is a mark from before the actor was authenticated: the body of a request may arrive much later than its
    /// head, so an actor who has changed meanwhile is read again.
    pub async fn introspect(
        &self,
        actor: &Actor,
        key: &str,
        since: FeedMark,
    ) -> Result<Option<Arc<Identity>>, Error> {
        let service = match &actor.who {
            Who::Person(identity) => Some(identity.user.id),
            Who::Operator(_) | Who::Anonymous => None,
        };
        let now = self.clock.now();
        let check = || service.map_or(Ok(()), |service| self.requests.check_guesses(service, now));
        let inspected = self.authenticator.inspect(key, check).await?;
        let is_unchanged = |service| inspected.is_current && self.authenticator.is_unchanged(since, service);
        let confirmed = match service.is_none_or(is_unchanged) {
            true => None,
            false => Some(self.confirm(actor).await?),
        };
        let actor = confirmed.as_ref().unwrap_or(actor);
        authorize(actor, Action::Introspect)?;
        let identity = inspected.identity.filter(|identity| may_know(actor, identity));
        match (&identity, service) {
            (None, Some(service)) if inspected.is_guess => self.requests.count_guess(service, now),
            _ => {}
        }
        if let Some(identity) = identity.as_ref().filter(|_| actor.origin.address.is_some()) {
            self.authenticator.note_use_of(identity, actor.origin.ip());
        }
        Ok(identity)
    }
}

/// Whether an actor may know whose a key is: everyone knows themselves.
fn may_know(actor: &Actor, owner: &Identity) -> bool {
    let is_own = matches!(&actor.who, Who::Person(identity) if identity.user.id == owner.user.id);
    is_own || authorize(actor, Action::ReadUsers).is_ok()
}
