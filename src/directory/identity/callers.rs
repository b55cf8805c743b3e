//! The callers who lately asked for more than who they are: their whole identities, as few as such callers are.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;

use super::cached::Digested;
use super::invalidations::{Invalidations, Position};
use crate::directory::model::{Identity, TokenDigest};

/// Identities that are kept: about 2 kB each, and less than 10.
const MOST: usize = 1000;
/// Groups and rights of an identity together, beyond which it is not kept.
const LARGEST: usize = 500;

/// What was read of a caller.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) identity: Arc<Identity>,
    pub(super) seen: Position,
}

impl Caller {
    pub(super) fn holds(&self, invalidations: &Invalidations) -> bool {
        invalidations.holds(self.seen, self.identity.user.id.get())
    }
}

type Map = Cache<TokenDigest, Caller, UnitWeighter, BuildHasherDefault<Digested>>;

/// The callers that are kept; none where nothing is to be kept.
pub(super) struct Callers(Option<Map>);

impl Callers {
    pub(super) fn new(keeps: bool) -> Self {
        Self(
            keeps.then(|| {
                Cache::with(MOST, MOST as u64, UnitWeighter, Default::default(), Default::default())
            }),
        )
    }

    /// Who is kept and still holds.
    pub(super) fn get(&self, digest: &TokenDigest, invalidations: &Invalidations) -> Option<Caller> {
        self.0.as_ref()?.get(digest).filter(|caller| caller.holds(invalidations))
    }

    pub(super) fn keep(&self, digest: TokenDigest, caller: Caller) {
        let Identity { user, rights, .. } = &*caller.identity;
        if let Some(map) = &self.0
            && user.groups.len() + rights.len() <= LARGEST
        {
            map.insert(digest, caller);
        }
    }

    pub(super) fn keeps(&self) -> bool {
        self.0.is_some()
    }
}
