//! Introspection (RFC 7662): a service that was sent a key asks whose it is, and what it may do.
//!
//! The service learns that a token is valid only if it may also read the token's owner, and if its client is in the
//! networks of the token. Everything else is "not active", and takes the same time. So a service that does not compare
//! addresses does no harm: without the address of its client, no token with networks is active.
//!
//! # Guessing
//!
//! Look-ups of keys that are not valid and not in memory are counted for each service, because keys that come from another
//! system may be easy to guess. But who sends made-up keys to a service is often a stranger, and must not lock out its
//! users. So what happens beyond the limit depends on the key:
//!
//! - A key in memory is answered as always. That costs no look-up.
//! - A key of our own form with a right checksum is still looked up. Anyone can compute the checksum, so it proves nothing
//!   about the key. It does not have to: the key has 178 random bits, and no number of look-ups that a database can answer
//!   finds one. What has to be bounded is their cost. So those beyond the limit take turns, a few at a time in this process
//!   (`BEYOND_LIMIT_AT_ONCE`). A bound on their number in each minute would be a lock-out again, because strangers could
//!   use it up; taking turns, a user waits for those who came before.
//! - Any other key is refused until the minute is over. An imported key that no service has asked about lately may so
//!   be refused while strangers guess. A key of our own, issued in its place, is not.

use std::net::IpAddr;
use std::sync::Arc;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::error::Error;
use super::identity::FeedMark;
use super::model::{Identity, Scope};

impl Directory {
    /// Returns how far the feed of changes is applied, for [`Self::introspect`].
    pub fn feed_mark(&self) -> FeedMark {
        self.authenticator.mark()
    }

    /// Returns the identity of a key if it is valid, its owner is active, and the actor may know it. `client` is the address
    /// from which the service was sent the key, if the service says it; a token that is limited to networks is valid
    /// only with an address in one of them. A valid key counts as used. `since` is a mark from before the actor was authenticated: the body of a request may arrive much later than its
    /// head, so an actor who has changed meanwhile is read again.
    pub async fn introspect(
        &self,
        actor: &Actor,
        key: &str,
        client: Option<IpAddr>,
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
        let is_shown =
            |identity: &Arc<Identity>| identity.token.narrowing.admits(client) && may_know(actor, identity);
        let identity = inspected.identity.filter(is_shown);
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

/// Whether an actor may know whose a key is. One's own record needs no permission, but with a narrow token its scope.
fn may_know(actor: &Actor, owner: &Identity) -> bool {
    let is_own = matches!(
        &actor.who,
        Who::Person(identity) if identity.user.id == owner.user.id && identity.has(Scope::MeRead)
    );
    is_own || authorize(actor, Action::ReadUsers).is_ok()
}
