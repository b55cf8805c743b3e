//! The cache: from a key's digest to what the busiest readers need of its identity.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle, EntryAction, EntryResult, PlaceholderGuard};
use quick_cache::{OptionsBuilder, Weighter};

use super::invalidations::{Invalidations, Position};
use crate::directory::model::{Identity, Timestamp, TokenDigest, TokenId, UserId};

/// Microseconds for which a use of a token is not noted again.
const NOTED_FOR: i64 = 60_000_000;
/// What an entry costs beside its own size and its picture: its key, its place in the map and what the
/// allocator adds, rounded up.
const OVERHEAD: u64 = 200;

/// As much of a confirmed identity as the busiest readers need, ready to be answered.
#[derive(Debug)]
pub struct CachedIdentity {
    /// The token that was presented.
    pub token: TokenId,
    /// Its owner.
    pub user: UserId,
    /// When the token ends.
    pub expires_at: Option<Timestamp>,
    /// May the owner enter the back office: staff or admin?
    pub may_enter: bool,
    /// What the reader drew of the identity when it was loaded.
    pub picture: Box<[u8]>,
    /// In microseconds: when it ends, or is to be looked at again because nobody seems to have used it. A revoked one
    /// ended before all time.
    good_until: i64,
    is_revoked: bool,
    pub(super) is_active: bool,
    seen: Position,
    noted: AtomicI64,
}

impl CachedIdentity {
    pub(super) fn new(
        identity: &Identity,
        picture: &[u8],
        seen: Position,
        idle_end: Option<Timestamp>,
    ) -> Self {
        let (user, token) = (&identity.user, &identity.token);
        let ends = [token.expires_at, idle_end].into_iter().flatten().map(Timestamp::as_micros);
        let good_until = match token.revoked_at {
            Some(_) => i64::MIN,
            None => ends.min().unwrap_or(i64::MAX),
        };
        Self {
            token: token.id,
            user: user.id,
            expires_at: token.expires_at,
            may_enter: user.is_staff || user.is_admin,
            picture: picture.into(),
            good_until,
            is_revoked: token.revoked_at.is_some(),
            is_active: user.is_active,
            seen,
            noted: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether the token opens the door, by what is kept here.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        now.as_micros() < self.good_until
    }

    /// Whether a token that is not good would be, had it been used since this was read.
    pub(super) fn may_have_been_used(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.expires_at.is_none_or(|end| now < end)
    }

    /// The use that was just found to be noted was not.
    pub(super) fn is_news_again(&self) {
        self.noted.store(i64::MIN, Ordering::Relaxed);
    }

    /// Whether this use is to be noted: the first in a minute.
    pub(super) fn is_news(&self, now: Timestamp) -> bool {
        let (now, last) = (now.as_micros(), self.noted.load(Ordering::Relaxed));
        now.saturating_sub(last) >= NOTED_FOR
            && self.noted.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What is cached of a digest.
#[derive(Clone)]
pub(super) enum Entry {
    Known(Arc<CachedIdentity>),
    /// There was no such token.
    Unknown(Position),
}

impl Entry {
    pub(super) fn holds(&self, invalidations: &Invalidations) -> bool {
        match self {
            Self::Known(known) => invalidations.holds(known.seen, known.user.get()),
            Self::Unknown(seen) => invalidations.holds_unknown(*seen),
        }
    }
}

/// Digests are as random as a hash can be: their first bytes do.
#[derive(Default)]
pub(super) struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

#[derive(Clone)]
pub(super) struct ByBytes;

impl Weighter<TokenDigest, Entry> for ByBytes {
    fn weight(&self, _: &TokenDigest, entry: &Entry) -> u64 {
        match entry {
            Entry::Known(known) => (size_of::<CachedIdentity>() + known.picture.len()) as u64 + OVERHEAD,
            Entry::Unknown(_) => OVERHEAD,
        }
    }
}

type Map = Cache<TokenDigest, Entry, ByBytes, BuildHasherDefault<Digested>>;
/// The right to load one digest; everybody else who wants it waits.
pub(super) type Loading<'a> = PlaceholderGuard<
    'a,
    TokenDigest,
    Entry,
    ByBytes,
    BuildHasherDefault<Digested>,
    DefaultLifecycle<TokenDigest, Entry>,
>;

/// Identities, bounded by the bytes they take.
pub(super) struct IdentityCache(Option<Map>);

/// What a look into the cache came to.
pub(super) enum Found<'a> {
    Entry(Entry),
    /// It is for the asker to load it.
    Nothing(Option<Loading<'a>>),
}

impl IdentityCache {
    /// Room for so many bytes; none at all keeps nothing.
    pub(super) fn new(bytes: u64) -> Self {
        let capacity = usize::try_from(bytes / 1024).unwrap_or(usize::MAX).max(1);
        let options = OptionsBuilder::new().estimated_items_capacity(capacity).weight_capacity(bytes).build();
        let map = options.ok().filter(|_| bytes > 0).map(|options| {
            Cache::with_options(options, ByBytes, BuildHasherDefault::default(), DefaultLifecycle::default())
        });
        Self(map)
    }

    /// What is kept and still holds.
    pub(super) fn get(&self, digest: &TokenDigest, invalidations: &Invalidations) -> Option<Entry> {
        self.0.as_ref()?.get(digest).filter(|entry| entry.holds(invalidations))
    }

    /// The same, or the right to load it once nobody else is loading it.
    pub(super) async fn get_or_load(&self, digest: &TokenDigest, invalidations: &Invalidations) -> Found<'_> {
        let Some(map) = &self.0 else { return Found::Nothing(None) };
        let checked = |_: &TokenDigest, entry: &mut Entry| match entry.holds(invalidations) {
            true => EntryAction::Retain(entry.clone()),
            false => EntryAction::ReplaceWithGuard,
        };
        match map.entry_async(digest, checked).await {
            EntryResult::Retained(entry) => Found::Entry(entry),
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => Found::Nothing(Some(guard)),
            EntryResult::Removed(..) | EntryResult::Timeout => Found::Nothing(None),
        }
    }

    /// Keeps an entry in the place of another.
    pub(super) fn replace(&self, digest: TokenDigest, entry: Entry) {
        if let Some(map) = &self.0 {
            map.insert(digest, entry);
        }
    }

    /// Entries kept, and the bytes they are counted with.
    pub(super) fn size(&self) -> (u64, u64) {
        self.0.as_ref().map_or((0, 0), |map| (map.len() as u64, map.weight()))
    }
}
