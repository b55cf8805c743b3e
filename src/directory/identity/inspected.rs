//! The cache of keys that services ask about: whole identities, and keys that no token has.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::cached::DigestHasher;
use super::invalidations::{Invalidations, Position};
use crate::directory::model::{Identity, TokenDigest};

/// The bytes of all entries together.
const BYTES_MAX: u64 = 16 << 20;
/// The bytes of an entry without an identity, rounded up.
const UNKNOWN_BYTES: u64 = 200;
/// The bytes of an identity besides its texts and lists, rounded up.
const IDENTITY_BYTES: u64 = 1000;

/// What is known of a key, and how far the feed had been applied when it was read.
#[derive(Clone)]
pub(super) struct InspectedKey {
    /// `None` if no token has the key.
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) read_at: Position,
}

impl InspectedKey {
    /// Whether nothing has changed since it was read.
    pub(super) fn holds(&self, invalidations: &Invalidations) -> bool {
        match &self.identity {
            Some(identity) => invalidations.holds(self.read_at, identity.user.id.get()),
            None => invalidations.holds_unknown(self.read_at),
        }
    }
}

/// Weighs an entry by its size in bytes.
#[derive(Clone)]
struct ByBytes;

impl Weighter<TokenDigest, InspectedKey> for ByBytes {
    fn weight(&self, _: &TokenDigest, key: &InspectedKey) -> u64 {
        let Some(identity) = &key.identity else { return UNKNOWN_BYTES };
        let Identity { user, rights, token, .. } = &**identity;
        let texts = [&user.username, &user.first_name, &user.last_name, &token.name].map(String::len);
        let optional = [&user.email, &user.avatar, &user.mobile_number, &user.gender];
        let optional = optional.into_iter().flatten().map(String::len);
        let numbers = 8 * (user.groups.len() + rights.len());
        let bytes = texts.into_iter().chain(optional).sum::<usize>() + numbers;
        IDENTITY_BYTES.saturating_add(bytes as u64)
    }
}

type KeyMap = Cache<TokenDigest, InspectedKey, ByBytes, BuildHasherDefault<DigestHasher>>;

/// The keys that are kept; `None` where nothing is cached.
pub(super) struct InspectedKeys(Option<KeyMap>);

impl InspectedKeys {
    pub(super) fn new(is_enabled: bool) -> Self {
        let capacity = usize::try_from(BYTES_MAX / IDENTITY_BYTES).unwrap_or(usize::MAX);
        let options =
            OptionsBuilder::new().estimated_items_capacity(capacity).weight_capacity(BYTES_MAX).build();
        let options = options.ok().filter(|_| is_enabled);
        Self(options.map(|options| {
            Cache::with_options(options, ByBytes, BuildHasherDefault::default(), DefaultLifecycle::default())
        }))
    }

    /// Returns what is kept of a digest if it still holds.
    pub(super) fn get(&self, digest: &TokenDigest, invalidations: &Invalidations) -> Option<InspectedKey> {
        self.0.as_ref()?.get(digest).filter(|key| key.holds(invalidations))
    }

    pub(super) fn keep(&self, digest: TokenDigest, key: InspectedKey) {
        if let Some(map) = &self.0 {
            map.insert(digest, key);
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.0.is_some()
    }
}
