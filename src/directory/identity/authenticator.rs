//! The authenticator: answers whose key was presented, from the caches or from the database.

mod inspection;

pub use self::inspection::FeedMark;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::cached::{
    CacheEntry, CacheLookup, CachedFor, CachedIdentity, EntryKey, IdentityCache, Loading, Render,
};
use super::callers::{CachedCaller, Callers};
use super::freshness::Freshness;
use super::idle::{IDLE_GRACE, IdleTimeout};
use super::inspected::InspectedKeys;
use super::outage::StalePolicy;
use super::readiness::Readiness;
use super::unauthenticated::{EndedToken, TokenEnd, Unauthenticated};
use super::uses::TokenUses;
use crate::directory::clock::Clock;
use crate::directory::error::Error;
use crate::directory::model::{
    Identity, KeptDigest, NamedIdentity, Timestamp, TokenDigest, TokenKind, TokenState, TokenUse,
};
use crate::directory::settings::Settings;
use crate::directory::store::identities::{self, GroupNames};
use crate::directory::store::{Dialect, OpenError, Sql, Store};

/// How long a request waits for a database that does not answer.
const TIMEOUT: Duration = Duration::from_millis(900);
/// How long a request waits for the feed of changes before its cached answer counts as one that may be stale. Shorter than
/// [`TIMEOUT`], because a request that arrives during a look waits for the next one as well.
const FEED_TIMEOUT: Duration = Duration::from_millis(800);

/// How many look-ups of services that have caused too many take place at once: see `Directory::introspect`.
const BEYOND_LIMIT_AT_ONCE: usize = 2;

/// Answers whose key was presented.
pub(in crate::directory) struct Authenticator {
    // Dropped before the store, which then is the last to close SQLite's file.
    freshness: Freshness,
    store: Arc<Store>,
    clock: Clock,
    cache: IdentityCache,
    callers: Callers,
    inspected: InspectedKeys,
    beyond_limit: Semaphore,
    uses: TokenUses,
    loads: Counter,
    stale: StalePolicy,
    idle_timeout: IdleTimeout,
    readiness: Readiness,
}

impl Authenticator {
    pub(in crate::directory) fn open(
        store: &Arc<Store>,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            store: Arc::clone(store),
            clock: clock.clone(),
            freshness: Freshness::open(store)?,
            cache: IdentityCache::new(settings.identity_cache_bytes),
            callers: Callers::new(settings.identity_cache_bytes > 0),
            inspected: InspectedKeys::new(settings.identity_cache_bytes > 0),
            beyond_limit: Semaphore::new(BEYOND_LIMIT_AT_ONCE),
            uses: TokenUses::default(),
            loads: Counter::default(),
            stale: StalePolicy::new(settings.serve_stale_for),
            idle_timeout: IdleTimeout(settings.sign_in_idle_timeout),
            readiness: Readiness::default(),
        })
    }

    /// The counter of identities that were read from the database.
    pub(in crate::directory) fn loads(&self) -> Counter {
        self.loads.clone()
    }

    /// The number of the last row of the change feed that was read.
    pub(in crate::directory) fn feed_position(&self) -> i64 {
        self.freshness.position()
    }

    /// The counter of answers that may have been stale.
    pub(in crate::directory) fn stale_answers(&self) -> Counter {
        self.stale.answers()
    }

    /// The number of cached identities, and the bytes that they count for.
    pub(in crate::directory) fn cached(&self) -> (u64, u64) {
        self.cache.size()
    }

    /// How long a token of this kind may go unused, as far as its uses are known, if there is a limit.
    pub(in crate::directory) fn idle_limit(&self, kind: TokenKind) -> Option<Duration> {
        Some(self.idle_timeout.limit(kind)?.saturating_add(IDLE_GRACE))
    }

    /// Returns the identity of a key that a client at this address has sent. It never writes. What the feed of changes leaves out may be older, and must not
    /// decide anything: when the token was last used, when its owner was last seen and last changed. The key of a browser
    /// session is refused.
    pub(in crate::directory) async fn authenticate(
        &self,
        key: &str,
        from: Option<IpAddr>,
    ) -> Result<Arc<Identity>, Unauthenticated> {
        let identity = self.authenticate_any(key, from).await?;
        match TokenEnd::never(&identity.token) {
            None => Ok(identity),
            Some(why) => {
                let bearer = identity.bearer();
                Err(Unauthenticated::InvalidToken(Some(EndedToken { bearer, why })))
            }
        }
    }

    /// Does the same for the key in the cookie of a browser session. All other keys are refused.
    pub(in crate::directory) async fn authenticate_browser(
        &self,
        key: &str,
        from: Option<IpAddr>,
    ) -> Result<Arc<Identity>, Unauthenticated> {
        // Only this program makes such keys.
        if !TokenDigest::has_own_form(key) {
            return Err(Unauthenticated::InvalidToken(None));
        }
        let identity = self.authenticate_any(key, from).await?;
        match identity.token.kind {
            TokenKind::Browser => Ok(identity),
            _ => Err(Unauthenticated::InvalidToken(None)),
        }
    }

    /// Returns the identity of a key of any kind that is valid.
    async fn authenticate_any(
        &self,
        key: &str,
        from: Option<IpAddr>,
    ) -> Result<Arc<Identity>, Unauthenticated> {
        let digest = TokenDigest::of_presented(key).ok_or(Unauthenticated::InvalidToken(None))?;
        let caller = self.in_time(self.store.timeout(), self.caller(key, digest));
        let mut identity = caller.await?.ok_or(Unauthenticated::InvalidToken(None))?;
        let now = self.clock.now();
        if self.idle_timeout.has_ended(&identity.token, now) {
            // A cached identity does not have later uses.
            let caller = self.in_time(self.store.timeout(), self.load_caller(key, digest));
            identity = caller.await?.ok_or(Unauthenticated::InvalidToken(None))?;
        }
        let is_active = identity.token.state(now) == TokenState::Active;
        if !is_active || self.idle_timeout.has_ended(&identity.token, now) {
            let (bearer, token) = (identity.bearer(), &identity.token);
            let why = TokenEnd::of(token, now);
            return Err(Unauthenticated::InvalidToken(Some(EndedToken { bearer, why })));
        }
        if !identity.token.narrowing.admits(from) {
            let (bearer, why) = (identity.bearer(), TokenEnd::outside(from));
            return Err(Unauthenticated::InvalidToken(Some(EndedToken { bearer, why })));
        }
        if !identity.user.is_active {
            return Err(Unauthenticated::Inactive(identity.bearer()));
        }
        Ok(identity)
    }

    /// Returns the identity of a key, whatever its state.
    async fn caller(&self, key: &str, digest: TokenDigest) -> Result<Option<Arc<Identity>>, Error> {
        let Self { freshness, callers, .. } = self;
        let invalidations = freshness.invalidations();
        let known = callers.get(&digest, invalidations);
        // Before the first look at the feed nothing that is read can be kept.
        if known.is_some() || (callers.is_enabled() && !invalidations.has_begun()) {
            let current = self.in_time(TIMEOUT, freshness.ensure_current(&self.store)).await;
            // Without that look the identity is read now, which is as fresh.
            if let Some(known) = known.filter(|known| current.is_ok() && known.holds(invalidations)) {
                return Ok(Some(known.identity));
            }
        }
        self.load_caller(key, digest).await
    }

    /// Reads the identity of a key from the database and caches it.
    async fn load_caller(&self, key: &str, digest: TokenDigest) -> Result<Option<Arc<Identity>>, Error> {
        let Self { freshness, callers, .. } = self;
        // The position first: changes during the read are not in what is read.
        let read_at = freshness.invalidations().position();
        let found = look_up(key, digest, GroupNames::LeftOut, |sql| self.store.point_read(sql)).await?;
        let found = found.map(|found| Arc::new(self.with_uses(found.identity)));
        if let Some(identity) = &found {
            callers.keep(digest, CachedCaller { identity: Arc::clone(identity), read_at });
        }
        Ok(found)
    }

    /// Runs a database call with a timeout. SQLite needs none: its calls wait for a file only.
    async fn in_time<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match self.store.dialect() {
            Dialect::Sqlite => work.await,
            Dialect::Postgres => timeout(limit, work)
                .await
                .unwrap_or_else(|_| Err(Error::Unavailable("PostgreSQL did not answer in time".to_owned()))),
        }
    }

    /// Returns what the most frequent requests need of the identity of a key, and when that was decided. It follows the
    /// rules of [`Self::authenticate`]. `from` finds the client's address if it is known; few tokens need it. `render` makes the body that is cached with an identity when it is loaded.
    pub(in crate::directory) async fn recognise(
        &self,
        key: &str,
        from: impl FnOnce() -> Option<IpAddr> + Send,
        render: impl Render,
    ) -> Result<(Arc<CachedIdentity>, Timestamp), Unauthenticated> {
        let digest = TokenDigest::of_presented(key).ok_or(Unauthenticated::InvalidToken(None))?;
        let now = self.clock.now();
        // Pinned where it is made, so that no request moves it.
        let entry = pin!(self.entry(key, digest, render, now));
        let entry = self.in_time(TIMEOUT, entry).await?;
        let CacheEntry::Known(mut known) = entry else { return Err(Unauthenticated::InvalidToken(None)) };
        if !known.is_good(now) {
            known = Box::pin(self.used_since(key, digest, render, &known, now)).await?;
        }
        if let Some(networks) = &known.networks {
            let from = from();
            if !from.is_some_and(|address| networks.contain(address)) {
                let (bearer, why) = (known.bearer(), TokenEnd::outside(from));
                return Err(Unauthenticated::InvalidToken(Some(EndedToken { bearer, why })));
            }
        }
        if known.is_active { Ok((known, now)) } else { Err(Unauthenticated::Inactive(known.bearer())) }
    }

    /// Whether [`Self::recognise`] answers from memory without waiting: SQLite's changes show in shared memory.
    pub(in crate::directory) fn knows_at_once(&self) -> bool {
        self.store.dialect() == Dialect::Sqlite
    }

    /// Returns the entry of a digest, from the cache or from the database.
    async fn entry(
        &self,
        key: &str,
        digest: TokenDigest,
        render: impl Render,
        now: Timestamp,
    ) -> Result<CacheEntry, Error> {
        let Self { freshness, cache, stale, .. } = self;
        let invalidations = freshness.invalidations();
        let entry_key = EntryKey { digest, kind: kind_of(&render) };
        let kept = match cache.get(&entry_key, invalidations) {
            Some(kept) => kept,
            None => {
                if !self.may_look_up(&entry_key, &render) {
                    return Ok(CacheEntry::Unknown(invalidations.position()));
                }
                if !invalidations.has_begun() {
                    // What is read before the first look at the feed cannot be kept.
                    freshness.ensure_current(&self.store).await?;
                }
                // Boxed: a future that holds a query is large, and every request would move it.
                match Box::pin(cache.get_or_load(&entry_key, invalidations)).await {
                    // What is read from now on is as fresh as a look at the feed could make it.
                    CacheLookup::Nothing(loading) => {
                        return Box::pin(self.load(key, digest, render, loading, now)).await;
                    }
                    // Another request began to read it, possibly before this one arrived.
                    CacheLookup::CacheEntry(loaded) => loaded,
                }
            }
        };
        let current = pin!(freshness.ensure_current(&self.store));
        match self.in_time(FEED_TIMEOUT, current).await {
            Ok(()) => stale.record_success(now),
            Err(error) => {
                // An entry that is known to have changed is never answered, whatever the operator allows.
                return Some(kept).filter(|kept| kept.holds(invalidations) && stale.allows(now)).ok_or(error);
            }
        }
        if kept.holds(invalidations) {
            return Ok(kept);
        }
        if !self.may_look_up(&entry_key, &render) {
            return Ok(CacheEntry::Unknown(invalidations.position()));
        }
        match Box::pin(cache.get_or_load(&entry_key, invalidations)).await {
            CacheLookup::CacheEntry(entry) => Ok(entry),
            CacheLookup::Nothing(loading) => Box::pin(self.load(key, digest, render, loading, now)).await,
        }
    }

    /// Whether a key may be looked up that is not in memory, or is no longer current there. That of a token is: it is no guess.
    fn may_look_up(&self, key: &EntryKey, render: &impl Render) -> bool {
        render.may_look_up() || self.cache.has_token(key)
    }

    /// Reads an entry from the database, for all requests that wait for it.
    async fn load(
        &self,
        key: &str,
        digest: TokenDigest,
        render: impl Render,
        loading: Option<Loading<'_>>,
        now: Timestamp,
    ) -> Result<CacheEntry, Error> {
        let Self { freshness, loads, stale, .. } = self;
        // The position first: changes during the read are not in what is read.
        let read_at = freshness.invalidations().position();
        loads.inc();
        let found =
            look_up(key, digest, names_for(kind_of(&render)), |sql| self.store.priority_read(sql)).await?;
        stale.record_success(now);
        let entry = match found {
            Some(found) => {
                let identity = self.with_uses(found.identity);
                let found = NamedIdentity { identity, ..found };
                let idle_end = self.idle_timeout.end(&found.identity.token);
                CacheEntry::Known(Arc::new(CachedIdentity::new(
                    &found.identity,
                    &render.render(&found),
                    read_at,
                    idle_end,
                )))
            }
            None => CacheEntry::Unknown(read_at),
        };
        if let Some(loading) = loading {
            // The cache may refuse it for its size; the answer is good all the same.
            let _ = loading.insert(entry.clone());
        }
        Ok(entry)
    }

    /// Looks up anew a token that its cache entry calls ended: a use that the database knows of may have kept it alive.
    #[cold]
    async fn used_since(
        &self,
        key: &str,
        digest: TokenDigest,
        render: impl Render,
        known: &CachedIdentity,
        now: Timestamp,
    ) -> Result<Arc<CachedIdentity>, Unauthenticated> {
        if !known.may_have_been_used(now) {
            return Err(Unauthenticated::InvalidToken(Some(known.ended(now))));
        }
        let entry = self.in_time(TIMEOUT, self.load(key, digest, render, None, now)).await?;
        self.cache.replace(EntryKey { digest, kind: kind_of(&render) }, entry.clone());
        match entry {
            CacheEntry::Known(known) if known.is_good(now) => Ok(known),
            CacheEntry::Known(known) => Err(Unauthenticated::InvalidToken(Some(known.ended(now)))),
            CacheEntry::Unknown(_) => Err(Unauthenticated::InvalidToken(None)),
        }
    }

    /// Notes that the look-up of a request failed, so that the next [`Self::check`] does not use an earlier result.
    pub(in crate::directory) fn note_failure(&self) {
        self.readiness.note_failure();
    }

    /// Checks that keys can be looked up: it does what a request with a key does that is in no cache. Calls share a check; see
    /// [`Readiness`].
    pub(in crate::directory) async fn check(&self) -> Result<(), Error> {
        let look_up = async {
            self.freshness.ensure_current(&self.store).await?;
            // No token has this digest. The statement reads the tables and the index that every look-up reads.
            let sql = identities::find(TokenDigest::of_no_token(), GroupNames::LeftOut);
            self.store.priority_read::<NamedIdentity>(sql).await
        };
        let checked = self.readiness.check(Instant::now(), || self.in_time(TIMEOUT, look_up));
        checked.await.map_err(Error::Unavailable)
    }

    /// Adds the use of a token that is known here and not written yet.
    fn with_uses(&self, mut identity: Identity) -> Identity {
        let token = &mut identity.token;
        if self.idle_limit(token.kind).is_some() {
            token.last_used_at = token.last_used_at.max(self.uses.last(token.id));
        }
        identity
    }

    /// Notes the use of a token, at most once a minute for each cached one. It is written later.
    pub(in crate::directory) fn note_use(
        &self,
        known: &CachedIdentity,
        at: Timestamp,
        from: impl FnOnce() -> Option<IpAddr>,
    ) {
        if known.is_first_use(at)
            && !self.uses.note(TokenUse { token: known.token, user: known.user, at, from: from() })
        {
            known.forget_use();
        }
    }

    /// Notes the use of the token of an identity that was just authenticated.
    pub(in crate::directory) fn note_use_of(&self, identity: &Identity, from: Option<IpAddr>) {
        let at = self.clock.now();
        let _ = self.uses.note(TokenUse { token: identity.token.id, user: identity.user.id, at, from });
    }

    /// Writes the uses noted since the last call. A use that cannot be written is kept for the next call.
    pub(in crate::directory) async fn write_uses(&self) -> Result<(), Error> {
        self.uses.write(&self.store).await
    }
}

/// What the bodies of a renderer are for.
fn kind_of<R: Render>(_: &R) -> CachedFor {
    R::FOR
}

/// Whether bodies of this kind need the names of groups.
fn names_for(kind: CachedFor) -> GroupNames {
    if kind == CachedFor::ForwardAuth { GroupNames::Read } else { GroupNames::LeftOut }
}

/// Reads the identity of a key. Only a key that is not of our form, and may come from another system, is looked up by the
/// digests of that system: they cost more than ours.
async fn look_up<F>(
    key: &str,
    digest: TokenDigest,
    names: GroupNames,
    read: impl Fn(Sql) -> F,
) -> Result<Option<NamedIdentity>, Error>
where
    F: Future<Output = Result<Vec<NamedIdentity>, Error>>,
{
    if let Some(found) = read(identities::find(digest, names)).await?.pop() {
        return Ok(Some(found));
    }
    match KeptDigest::of_another_system(key) {
        [None, None] => Ok(None),
        digests => Ok(read(identities::find_imported(digests, names)).await?.pop()),
    }
}
