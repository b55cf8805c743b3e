//! The confirmed callers: from a presented key to who that is.
//!
//! [`Directory::recognise`] is for readers that come with every page, [`Directory::authenticate`] for whoever wants
//! more than to know who they are. Both answer from memory, under the promise that **no answer shows the state before
//! a write that was acknowledged before the request was sent**. Whatever depends on time is decided here, on each
//! request anew.
//!
//! `invalidations` knows what still holds, `freshness` brings it up to date (`follower` on SQLite, `read_index` on
//! PostgreSQL), `recognised` and `callers` are the caches, `uses` gathers when tokens were used, `idle` ends
//! sign-ins that nobody uses.

mod cached;
mod callers;
pub(in crate::directory) mod follower;
mod freshness;
mod idle;
pub(in crate::directory) mod invalidations;
mod read_index;
mod sync;
pub(in crate::directory) mod uses;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use tokio::time::timeout;

pub use self::cached::CachedIdentity;
use self::cached::{Entry, Found, IdentityCache, Loading};
use self::callers::{Caller, Callers};
use self::freshness::Freshness;
pub use self::idle::IDLE_GRACE;
use super::error::Error;
use super::model::{Bearer, Identity, IdentityChange, KeptDigest, Timestamp, TokenDigest, TokenState};
use super::store::{Dialect, OpenError, Sql, Store, identities};
use super::{Directory, Settings};

/// How long a reader waits for a database that does not answer.
const PATIENCE: Duration = Duration::from_millis(900);

impl CachedIdentity {
    /// Whose token was presented.
    pub fn bearer(&self) -> Bearer {
        Bearer { token: self.token, user: self.user }
    }
}

/// Why a key opened nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// Unknown, or revoked or expired, and then whose it was; which of them is nobody's business.
    #[error("Invalid token.")]
    InvalidToken(Option<Bearer>),
    /// The key is good, its owner is not active.
    #[error("User inactive or deleted.")]
    Inactive(Bearer),
    /// It could not be found out.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Unauthenticated {
    /// Whose token was presented, if it is known.
    pub fn bearer(&self) -> Option<Bearer> {
        match self {
            Self::InvalidToken(bearer) => *bearer,
            Self::Inactive(bearer) => Some(*bearer),
            Self::Failed(_) => None,
        }
    }
}

/// What of the directory serves [`Directory::recognise`] and [`Directory::authenticate`].
pub(super) struct Authenticator {
    freshness: Freshness,
    recollection: IdentityCache,
    callers: Callers,
    loads: Counter,
    stale: StalePolicy,
    /// How long the token of a sign-in may go unused; zero is for ever.
    idle_timeout: Duration,
}

/// How long answers may go on when the database cannot be asked, and since when it cannot.
struct StalePolicy {
    allowed: Duration,
    last_pass: AtomicI64,
    served: Counter,
}

impl StalePolicy {
    /// The database could be asked now.
    fn passed(&self, now: Timestamp) {
        if !self.allowed.is_zero() {
            self.last_pass.store(now.as_micros(), Ordering::Relaxed);
        }
    }

    /// Whether the operator allows an answer now that may be stale.
    fn allows(&self, now: Timestamp) -> bool {
        let since = now.as_micros().saturating_sub(self.last_pass.load(Ordering::Relaxed));
        let allowed = !self.allowed.is_zero()
            && u128::try_from(since).is_ok_and(|since| since <= self.allowed.as_micros());
        if allowed {
            self.served.inc();
        }
        allowed
    }
}

impl Authenticator {
    pub(super) fn open(store: &Store, settings: &Settings) -> Result<Self, OpenError> {
        let stale = StalePolicy {
            allowed: settings.serve_stale_for,
            last_pass: AtomicI64::new(i64::MIN),
            served: Counter::default(),
        };
        let recollection = IdentityCache::new(settings.identity_cache_bytes);
        let callers = Callers::new(settings.identity_cache_bytes > 0);
        Ok(Self {
            freshness: Freshness::open(store)?,
            recollection,
            callers,
            loads: Counter::default(),
            stale,
            idle_timeout: settings.sign_in_idle_timeout,
        })
    }

    /// Identities read from the database, because memory had none that held.
    pub(super) fn loads(&self) -> Counter {
        self.loads.clone()
    }

    /// Answers given that may have been stale, because the operator allows it.
    pub(super) fn stale_answers(&self) -> Counter {
        self.stale.served.clone()
    }
}

impl Directory {
    /// Who presented this key? It never writes. What is in no feed may be older, and nobody may decide by it: when the
    /// token was last used, when its owner was last seen and changed.
    pub async fn authenticate(&self, key: &str) -> Result<Arc<Identity>, Unauthenticated> {
        let digest = TokenDigest::of_presented(key).ok_or(Unauthenticated::InvalidToken(None))?;
        let caller = self.in_time(self.store.timeout(), self.caller(key, digest));
        let mut identity = caller.await?.ok_or(Unauthenticated::InvalidToken(None))?;
        let now = self.clock.now();
        if self.is_idle(&identity.token, now) {
            // What is kept does not tell of later uses.
            let caller = self.in_time(self.store.timeout(), self.load_caller(key, digest));
            identity = caller.await?.ok_or(Unauthenticated::InvalidToken(None))?;
        }
        if identity.token.state(now) != TokenState::Active || self.is_idle(&identity.token, now) {
            return Err(Unauthenticated::InvalidToken(Some(identity.bearer())));
        }
        if !identity.user.is_active {
            return Err(Unauthenticated::Inactive(identity.bearer()));
        }
        Ok(identity)
    }

    /// The identity of a key, whatever its state.
    async fn caller(&self, key: &str, digest: TokenDigest) -> Result<Option<Arc<Identity>>, Error> {
        let Authenticator { freshness, callers, .. } = &self.authenticator;
        let invalidations = freshness.invalidations();
        let known = callers.get(&digest, invalidations);
        // Without a first look nothing that is read can be kept.
        if known.is_some() || (callers.keeps() && !invalidations.has_begun()) {
            let passed = self.in_time(PATIENCE, freshness.pass(&self.store)).await;
            // Without a look, what is read now is as fresh.
            if let Some(known) = known.filter(|known| passed.is_ok() && known.holds(invalidations)) {
                return Ok(Some(known.identity));
            }
        }
        self.load_caller(key, digest).await
    }

    async fn load_caller(&self, key: &str, digest: TokenDigest) -> Result<Option<Arc<Identity>>, Error> {
        let Authenticator { freshness, callers, .. } = &self.authenticator;
        // The position first: what changes while we read is not in what we keep.
        let seen = freshness.invalidations().position();
        let found = look_up(key, digest, |sql| self.store.point_read(sql)).await?;
        let found = found.map(|identity| Arc::new(self.with_uses(identity)));
        if let Some(identity) = &found {
            callers.keep(digest, Caller { identity: Arc::clone(identity), seen });
        }
        Ok(found)
    }

    /// What somebody waits for of the database, for so long at the most.
    async fn in_time<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match self.store.dialect() {
            // Nothing is waited for but a file.
            Dialect::Sqlite => work.await,
            Dialect::Postgres => timeout(patience, work)
                .await
                .unwrap_or_else(|_| Err(Error::Unavailable("PostgreSQL did not answer in time".to_owned()))),
        }
    }

    /// Who presented this key, and when was that decided? As [`Directory::authenticate`], for very many and of each
    /// no more than is needed; `draw` makes what is kept along with an identity when it is loaded.
    pub async fn recognise(
        &self,
        key: &str,
        draw: impl Fn(&Identity) -> Bytes + Send + Copy,
    ) -> Result<(Arc<CachedIdentity>, Timestamp), Unauthenticated> {
        let digest = TokenDigest::of_presented(key).ok_or(Unauthenticated::InvalidToken(None))?;
        let now = self.clock.now();
        // Pinned here, where it is made: nothing is moved along with every request.
        let entry = pin!(self.entry(key, digest, draw, now));
        let entry = self.in_time(PATIENCE, entry).await?;
        let Entry::Known(mut known) = entry else { return Err(Unauthenticated::InvalidToken(None)) };
        if !known.is_good(now) {
            known = Box::pin(self.used_since(key, digest, draw, &known, now)).await?;
        }
        if known.is_active { Ok((known, now)) } else { Err(Unauthenticated::Inactive(known.bearer())) }
    }

    /// Whether [`Directory::recognise`] need not wait for whom it knows: SQLite's changes show in memory.
    pub fn knows_at_once(&self) -> bool {
        self.store.dialect() == Dialect::Sqlite
    }

    async fn entry(
        &self,
        key: &str,
        digest: TokenDigest,
        draw: impl Fn(&Identity) -> Bytes + Send,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        let Authenticator { freshness, recollection, stale, .. } = &self.authenticator;
        let invalidations = freshness.invalidations();
        let kept = match recollection.get(&digest, invalidations) {
            Some(kept) => kept,
            None => {
                if !invalidations.has_begun() {
                    // Nothing that is read before the first look is kept for longer.
                    freshness.pass(&self.store).await?;
                }
                // Boxed: a future that holds a query is large, and would be moved around with every request.
                match Box::pin(recollection.get_or_load(&digest, invalidations)).await {
                    // What is read from now on needs no look: it is as fresh as one could make it.
                    Found::Nothing(loading) => {
                        return Box::pin(self.load(key, digest, draw, loading, now)).await;
                    }
                    // Somebody else began to read it, maybe before this request came.
                    Found::Entry(loaded) => loaded,
                }
            }
        };
        match freshness.pass(&self.store).await {
            Ok(()) => stale.passed(now),
            Err(error) => {
                // Nothing that is known to have changed, leave or not.
                return Some(kept).filter(|kept| kept.holds(invalidations) && stale.allows(now)).ok_or(error);
            }
        }
        if kept.holds(invalidations) {
            return Ok(kept);
        }
        match Box::pin(recollection.get_or_load(&digest, invalidations)).await {
            Found::Entry(entry) => Ok(entry),
            Found::Nothing(loading) => Box::pin(self.load(key, digest, draw, loading, now)).await,
        }
    }

    /// Reads an entry from the database, for all who wait for it.
    async fn load(
        &self,
        key: &str,
        digest: TokenDigest,
        draw: impl Fn(&Identity) -> Bytes + Send,
        loading: Option<Loading<'_>>,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        let Authenticator { freshness, loads, stale, .. } = &self.authenticator;
        // The position first: what changes while we read is not in what we keep.
        let seen = freshness.invalidations().position();
        loads.inc();
        let found = look_up(key, digest, |sql| self.store.priority_read(sql)).await?;
        stale.passed(now);
        let entry = match found {
            Some(identity) => {
                let identity = self.with_uses(identity);
                let idle_end = self.idle_end(&identity.token);
                Entry::Known(Arc::new(CachedIdentity::new(&identity, &draw(&identity), seen, idle_end)))
            }
            None => Entry::Unknown(seen),
        };
        if let Some(loading) = loading {
            // It may have been refused by the cache's bounds; the answer is good all the same.
            let _ = loading.insert(entry.clone());
        }
        Ok(entry)
    }

    /// Identities kept in memory, and the bytes they are counted with.
    pub fn cached(&self) -> (u64, u64) {
        self.authenticator.recollection.size()
    }
}

/// The identity of a key. Only one that is none of ours and may come from another system is looked for as that keeps
/// it: its digests cost more to make than ours.
async fn look_up<F>(
    key: &str,
    digest: TokenDigest,
    read: impl Fn(Sql) -> F,
) -> Result<Option<Identity>, Error>
where
    F: Future<Output = Result<Vec<Identity>, Error>>,
{
    if let Some(identity) = read(identities::find(digest)).await?.pop() {
        return Ok(Some(identity));
    }
    match KeptDigest::of_another_system(key) {
        [None, None] => Ok(None),
        digests => Ok(read(identities::find_imported(digests)).await?.pop()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::invalidations::Invalidations;
    use super::*;
    use crate::directory::model::{IdentityChange as Change, Maker, Timestamp, Token, TokenKind, User};

    /// An active user without any right, and its token.
    pub(crate) fn identity() -> Identity {
        let user = User {
            id: 1.try_into().unwrap(),
            username: "ann".into(),
            mobile_number: None,
            email: None,
            avatar: None,
            first_name: String::new(),
            last_name: String::new(),
            gender: None,
            is_active: true,
            is_staff: false,
            is_admin: false,
            last_login: None,
            last_seen_at: None,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            groups: vec![],
        };
        let token = Token {
            id: 1.try_into().unwrap(),
            user_id: user.id,
            name: "test".into(),
            kind: TokenKind::Api,
            prefix: "wrd_abcd".into(),
            last_four: "wxyz".into(),
            created_at: Timestamp::EPOCH,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            made_by: Maker::Operator,
            root: None,
        };
        Identity { token, user, rights: vec![] }
    }

    #[test]
    fn what_was_read_holds_until_a_change_of_its_user_is_applied() {
        let invalidations = Invalidations::new(64);
        invalidations.restart(10);
        let seen = invalidations.position();
        assert!(
            invalidations.holds(seen, 1) && invalidations.holds(seen, 2) && invalidations.holds_unknown(seen)
        );
        invalidations.apply([(11, Change::User(1))]);
        assert!(!invalidations.holds(seen, 1));
        assert!(invalidations.holds(seen, 2) && invalidations.holds_unknown(seen));
        assert!(invalidations.holds(invalidations.position(), 1), "what is read anew holds");
        invalidations.apply([(12, Change::Token(3))]);
        assert!(
            !invalidations.holds_unknown(seen)
                && !invalidations.holds(seen, 3)
                && invalidations.holds(seen, 2)
        );
        invalidations.apply([(13, Change::All)]);
        assert!(!invalidations.holds(seen, 2) && invalidations.holds(invalidations.position(), 2));
    }

    #[test]
    fn a_new_history_ends_what_was_read_in_the_old_one_whatever_its_numbers() {
        let invalidations = Invalidations::new(64);
        invalidations.restart(100);
        invalidations.apply([(101, Change::User(7))]);
        let seen = invalidations.position();
        invalidations.restart(5);
        assert!(
            !invalidations.holds(seen, 7)
                && !invalidations.holds(seen, 8)
                && !invalidations.holds_unknown(seen)
        );
        let seen = invalidations.position();
        assert!(invalidations.holds(seen, 7), "a number of the old history is forgotten");
        invalidations.apply([(6, Change::User(7))]);
        assert!(!invalidations.holds(seen, 7));
    }

    #[test]
    fn nothing_holds_before_the_first_history() {
        let invalidations = Invalidations::new(0);
        assert!(
            invalidations.holds(invalidations.position(), i64::MIN),
            "era 0 is a history of its own: nothing applied"
        );
    }
}
