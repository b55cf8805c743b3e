//! The cache of recent callers that needed their whole identity. Such callers are few.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;

use super::cached::DigestHasher;
use super::invalidations::{Invalidations, Position};
use crate::directory::model::{Identity, TokenDigest};

/// The most identities that are kept; about 2 kB each, and less than 10.
const KEPT_MAX: usize = 1000;
/// Groups and rights of an identity together, beyond which it is not kept.
const SIZE_MAX: usize = 500;

/// A caller's identity, and how far the feed had been applied when it was read.
#[derive(Clone)]
pub(super) struct CachedCaller {
    pub(super) identity: Arc<Identity>,
    pub(super) read_at: Position,
}

impl CachedCaller {
    /// Whether the identity has not changed since it was read.
    pub(super) fn holds(&self, invalidations: &Invalidations) -> bool {
        invalidations.holds(self.read_at, self.identity.user.id.get())
    }
}

type CallerMap = Cache<TokenDigest, CachedCaller, UnitWeighter, BuildHasherDefault<DigestHasher>>;

/// The callers that are kept; `None` where nothing is cached.
pub(super) struct Callers(Option<CallerMap>);

impl Callers {
    pub(super) fn new(is_enabled: bool) -> Self {
        Self(is_enabled.then(|| {
            Cache::with(KEPT_MAX, KEPT_MAX as u64, UnitWeighter, Default::default(), Default::default())
        }))
    }

    /// Returns the caller of a digest if it is kept and still holds.
    pub(super) fn get(&self, digest: &TokenDigest, invalidations: &Invalidations) -> Option<CachedCaller> {
        self.0.as_ref()?.get(digest).filter(|caller| caller.holds(invalidations))
    }

    pub(super) fn keep(&self, digest: TokenDigest, caller: CachedCaller) {
        let Identity { user, rights, .. } = &*caller.identity;
        if let Some(map) = &self.0
            && user.groups.len() + rights.len() <= SIZE_MAX
        {
            map.insert(digest, caller);
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.0.is_some()
    }
}
