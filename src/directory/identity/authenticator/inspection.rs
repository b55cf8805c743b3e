//! Looking at a key that another service was sent: it is no caller here, so its networks are not checked here, and the key
//! of a user who is not staff is as good as any.
//!
//! A key that is not valid takes the same way for every reason: the same digests, the same statements, the same entry in
//! the cache.

use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::super::inspected::InspectedKey;
use super::super::invalidations::Position;
use super::{Authenticator, TIMEOUT, look_up};
use crate::directory::error::Error;
use crate::directory::model::{
    Identity, KeptDigest, NamedIdentity, Timestamp, TokenDigest, TokenKey, TokenKind, TokenState, UserId,
};
use crate::directory::store::identities::{self, GroupNames};

/// How far the feed of changes had been applied at some time.
#[derive(Clone, Copy, Debug)]
pub struct FeedMark(Position);

/// The result of a look at a key.
pub(in crate::directory) struct Inspected {
    /// The identity of a key that is valid now, and whose owner is active.
    pub(in crate::directory) identity: Option<Arc<Identity>>,
    /// Whether the key could be one, and was looked up in the database: another one of these is a guess.
    pub(in crate::directory) is_guess: bool,
    /// Whether the feed of changes was looked at: see [`Authenticator::is_unchanged`].
    pub(in crate::directory) is_current: bool,
}

impl Authenticator {
    /// Returns the identity of a key that is valid. `check_limit` is called before a key is looked up that is not in memory.
    /// Beyond the limit, only keys are looked up that cannot be guessed, one after the other. It never writes. What the feed of changes leaves out may be older: see [`Authenticator::authenticate`].
    pub(in crate::directory) async fn inspect(
        &self,
        key: &str,
        check_limit: impl Fn() -> Result<(), Error>,
    ) -> Result<Inspected, Error> {
        let known = TokenDigest::of_presented(key);
        let malformed = || TokenKey::imported(shortened(key).to_owned()).digest();
        let (has_form, digest) = (known.is_some(), known.unwrap_or_else(malformed));
        let is_valid = |identity: &Arc<Identity>| has_form && self.is_valid(identity, self.clock.now());
        let is_current = self.look_at_feed().await;
        let kept = self.inspected.get(&digest, self.freshness.invalidations()).filter(|_| is_current);
        if let Some(InspectedKey { identity, .. }) = kept
            && !identity.as_ref().is_some_and(|identity| self.seems_unused(identity))
        {
            return Ok(Inspected { identity: identity.filter(is_valid), is_guess: false, is_current });
        }
        let _turn = match check_limit() {
            Err(busy) if TokenDigest::has_own_form(key) => Some(self.turn(busy).await?),
            checked => checked.map(|()| None)?,
        };
        let identity = self.in_time(self.store.timeout(), self.load_inspected(key, digest)).await?;
        Ok(Inspected { identity: identity.filter(is_valid), is_guess: has_form, is_current })
    }

    /// Waits for a turn among the look-ups beyond the limit, as long as for the database; then it is [`Error::Busy`] after
    /// all.
    async fn turn(&self, busy: Error) -> Result<SemaphorePermit<'_>, Error> {
        match timeout(self.store.timeout(), self.beyond_limit.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(busy),
        }
    }

    /// Brings the invalidations up to date, if anything is kept. Whether that succeeded: otherwise the database is read.
    async fn look_at_feed(&self) -> bool {
        self.inspected.is_enabled()
            && self.in_time(TIMEOUT, self.freshness.ensure_current(&self.store)).await.is_ok()
    }

    /// Returns how far the feed of changes is applied.
    pub(in crate::directory) fn mark(&self) -> FeedMark {
        FeedMark(self.freshness.invalidations().position())
    }

    /// Whether no change of this user was applied since a mark. It knows of changes up to the last look at the feed.
    pub(in crate::directory) fn is_unchanged(&self, since: FeedMark, user: UserId) -> bool {
        self.freshness.invalidations().holds(since.0, user.get())
    }

    /// Reads the identity of a key from the database and keeps it.
    async fn load_inspected(&self, key: &str, digest: TokenDigest) -> Result<Option<Arc<Identity>>, Error> {
        // The position first: changes during the read are not in what is read.
        let read_at = self.freshness.invalidations().position();
        let key = shortened(key);
        let found = look_up(key, digest, GroupNames::LeftOut, |sql| self.store.point_read(sql)).await?;
        let identity = found.map(|found| Arc::new(self.with_uses(found.identity)));
        let is_valid = |identity: &Arc<Identity>| self.is_valid(identity, self.clock.now());
        let others = KeptDigest::of_another_system(key);
        if identity.as_ref().is_some_and(|identity| !is_valid(identity)) && others.iter().any(Option::is_some)
        {
            // A key that no token has needs this statement; one that is no longer valid takes as long.
            let statement = identities::find_imported(others, GroupNames::LeftOut);
            let _: Vec<NamedIdentity> = self.store.point_read(statement).await?;
        }
        self.inspected.keep(digest, InspectedKey { identity: identity.clone(), read_at });
        Ok(identity)
    }

    fn is_valid(&self, identity: &Identity, now: Timestamp) -> bool {
        identity.user.is_active
            && identity.token.kind != TokenKind::Browser
            && identity.token.state(now) == TokenState::Active
            && !self.idle_timeout.has_ended(&identity.token, now)
    }

    /// Whether a token has ended only because it was not used, as far as memory knows: it does not have later uses.
    fn seems_unused(&self, identity: &Identity) -> bool {
        self.idle_timeout.has_ended(&identity.token, self.clock.now())
    }
}

/// The part of a text that can be a key: no longer than [`TokenDigest::of_presented`] allows.
fn shortened(key: &str) -> &str {
    key.get(..key.floor_char_boundary(KEY_BYTES_MAX)).unwrap_or_default()
}

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 256;
