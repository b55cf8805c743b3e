//! The cache of identities: from the digest of a key to what the most frequent requests need of its identity.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle, EntryAction, EntryResult, PlaceholderGuard};
use quick_cache::{OptionsBuilder, Weighter};

use super::invalidations::{Invalidations, Position};
use super::unauthenticated::{EndedToken, TokenEnd};
use crate::directory::access::may_read_self;
use crate::directory::model::{
    Bearer, Identity, NamedIdentity, Networks, Scope, Timestamp, TokenDigest, TokenId, UserId,
};

/// Microseconds after a use of a token in which further uses are not noted.
const USE_INTERVAL: i64 = 60_000_000;
/// The bytes of an entry beside its own size and its body: its key, its slot in the map and what the allocator adds,
/// rounded up.
const OVERHEAD: u64 = 200;

/// What the body of a cached identity is for. A server that gets only one kind of request keeps only its bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CachedFor {
    /// `GET /api/users/me`.
    Me,
    /// Forward authentication, which needs the names of groups as well.
    ForwardAuth,
}

/// Makes the body that is cached with an identity.
pub trait Render: Copy + Send + Sync {
    /// What the body is for.
    const FOR: CachedFor;

    /// Makes the body.
    fn render(&self, found: &NamedIdentity) -> Bytes;

    /// Whether a key that is not in memory, and never was a good one there, is looked up. Otherwise it counts as unknown.
    fn may_look_up(&self) -> bool {
        true
    }
}

impl<F: Fn(&Identity) -> Bytes + Copy + Send + Sync> Render for F {
    const FOR: CachedFor = CachedFor::Me;

    fn render(&self, found: &NamedIdentity) -> Bytes {
        self(&found.identity)
    }
}

/// What the most frequent requests need of an identity, with the body of their answer.
#[derive(Debug)]
pub struct CachedIdentity {
    /// The token that was presented.
    pub token: TokenId,
    /// Its owner.
    pub user: UserId,
    /// When the token ends.
    pub expires_at: Option<Timestamp>,
    /// Whether the caller may read its own record: staff or admin, with a token that allows it.
    pub may_enter: bool,
    /// Whether the token has the scope for that, or has no scopes.
    pub has_me_read: bool,
    /// The body that was rendered when the identity was loaded.
    pub body: Box<[u8]>,
    /// When the token ends, or must be looked up anew because it seems unused; in microseconds. For one that is never valid
    /// it is the least number.
    good_until: i64,
    /// Why the token is not valid at any time: it is revoked, or a browser session.
    never: Option<TokenEnd>,
    /// Where the token may be used; `None` is anywhere.
    pub(super) networks: Option<Networks>,
    pub(super) is_active: bool,
    read_at: Position,
    /// When the last use was noted, in microseconds.
    used_at: AtomicI64,
}

impl CachedIdentity {
    pub(super) fn new(
        identity: &Identity,
        body: &[u8],
        read_at: Position,
        idle_end: Option<Timestamp>,
    ) -> Self {
        let (user, token) = (&identity.user, &identity.token);
        let ends = [token.expires_at, idle_end].into_iter().flatten().map(Timestamp::as_micros);
        let never = TokenEnd::never(token);
        let good_until = match never {
            Some(_) => i64::MIN,
            None => ends.min().unwrap_or(i64::MAX),
        };
        Self {
            token: token.id,
            user: user.id,
            expires_at: token.expires_at,
            may_enter: may_read_self(identity),
            has_me_read: identity.has(Scope::MeRead),
            body: body.into(),
            good_until,
            never,
            networks: token.narrowing.allowed_networks.clone(),
            is_active: user.is_active,
            read_at,
            used_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Returns the token and its owner.
    pub fn bearer(&self) -> Bearer {
        Bearer { token: self.token, user: self.user }
    }

    /// Whether the token is valid now, as far as this entry knows.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        now.as_micros() < self.good_until
    }

    /// Whether a token that is not valid would be, had it been used since this was read.
    pub(super) fn may_have_been_used(&self, now: Timestamp) -> bool {
        self.never.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// The token, which is not valid now, and why.
    #[cold]
    pub(super) fn ended(&self, now: Timestamp) -> EndedToken {
        let why = self.never.unwrap_or_else(|| TokenEnd::in_time(self.expires_at, now));
        EndedToken { bearer: self.bearer(), why }
    }

    /// Takes back [`Self::is_first_use`]: the use could not be noted.
    pub(super) fn forget_use(&self) {
        self.used_at.store(i64::MIN, Ordering::Relaxed);
    }

    /// Whether this use is the first in a minute and is to be noted.
    pub(super) fn is_first_use(&self, now: Timestamp) -> bool {
        let (now, last) = (now.as_micros(), self.used_at.load(Ordering::Relaxed));
        now.saturating_sub(last) >= USE_INTERVAL
            && self.used_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What is cached for a digest.
#[derive(Clone)]
pub(super) enum CacheEntry {
    Known(Arc<CachedIdentity>),
    /// There is no such token.
    Unknown(Position),
}

impl CacheEntry {
    /// Whether no change has been applied since that concerns this entry.
    pub(super) fn holds(&self, invalidations: &Invalidations) -> bool {
        match self {
            Self::Known(known) => invalidations.holds(known.read_at, known.user.get()),
            Self::Unknown(read_at) => invalidations.holds_unknown(*read_at),
        }
    }
}

/// The key of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EntryKey {
    pub(super) digest: TokenDigest,
    pub(super) kind: CachedFor,
}

/// Hashes a digest by its first bytes: digests are random already. The other part of an [`EntryKey`] does not count: few keys
/// are used for both.
#[derive(Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn write_isize(&mut self, _kind: isize) {}
}

/// Weighs an entry by its size in bytes.
#[derive(Clone)]
pub(super) struct ByBytes;

impl Weighter<EntryKey, CacheEntry> for ByBytes {
    fn weight(&self, _: &EntryKey, entry: &CacheEntry) -> u64 {
        match entry {
            CacheEntry::Known(known) => (size_of::<CachedIdentity>() + known.body.len()) as u64 + OVERHEAD,
            CacheEntry::Unknown(_) => OVERHEAD,
        }
    }
}

type IdentityMap = Cache<EntryKey, CacheEntry, ByBytes, BuildHasherDefault<DigestHasher>>;
/// The right to load one digest. Other requests for it wait.
pub(super) type Loading<'a> = PlaceholderGuard<
    'a,
    EntryKey,
    CacheEntry,
    ByBytes,
    BuildHasherDefault<DigestHasher>,
    DefaultLifecycle<EntryKey, CacheEntry>,
>;

/// Cached identities, bounded by their bytes; `None` where nothing is cached.
pub(super) struct IdentityCache(Option<IdentityMap>);

/// The result of a look into the cache.
pub(super) enum CacheLookup<'a> {
    CacheEntry(CacheEntry),
    /// The caller has to load it.
    Nothing(Option<Loading<'a>>),
}

impl IdentityCache {
    /// A cache of this many bytes; zero caches nothing.
    pub(super) fn new(bytes: u64) -> Self {
        let capacity = usize::try_from(bytes / 1024).unwrap_or(usize::MAX).max(1);
        let options = OptionsBuilder::new().estimated_items_capacity(capacity).weight_capacity(bytes).build();
        let map = options.ok().filter(|_| bytes > 0).map(|options| {
            Cache::with_options(options, ByBytes, BuildHasherDefault::default(), DefaultLifecycle::default())
        });
        Self(map)
    }

    /// Returns the entry of a digest if it still holds.
    pub(super) fn get(&self, key: &EntryKey, invalidations: &Invalidations) -> Option<CacheEntry> {
        self.0.as_ref()?.get(key).filter(|entry| entry.holds(invalidations))
    }

    /// Whether there is an entry of a token, whether it still holds or not.
    pub(super) fn has_token(&self, key: &EntryKey) -> bool {
        let entry = self.0.as_ref().and_then(|map| map.peek(key));
        matches!(entry, Some(CacheEntry::Known(_)))
    }

    /// Returns the entry, or the right to load it. Waits while another request loads it.
    pub(super) async fn get_or_load(&self, key: &EntryKey, invalidations: &Invalidations) -> CacheLookup<'_> {
        let Some(map) = &self.0 else { return CacheLookup::Nothing(None) };
        let checked = |_: &EntryKey, entry: &mut CacheEntry| match entry.holds(invalidations) {
            true => EntryAction::Retain(entry.clone()),
            false => EntryAction::ReplaceWithGuard,
        };
        match map.entry_async(key, checked).await {
            EntryResult::Retained(entry) => CacheLookup::CacheEntry(entry),
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => CacheLookup::Nothing(Some(guard)),
            EntryResult::Removed(..) | EntryResult::Timeout => CacheLookup::Nothing(None),
        }
    }

    /// Puts an entry in place of the one that is cached.
    pub(super) fn replace(&self, key: EntryKey, entry: CacheEntry) {
        if let Some(map) = &self.0 {
            map.insert(key, entry);
        }
    }

    /// The number of entries, and the bytes that they count for.
    pub(super) fn size(&self) -> (u64, u64) {
        self.0.as_ref().map_or((0, 0), |map| (map.len() as u64, map.weight()))
    }
}
