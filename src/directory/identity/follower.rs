//! Following the commits of one SQLite file, whoever made them.
//!
//! A *sign* is a value that any commit changes before it is acknowledged (the header of the shared
//! write-ahead-log index). While the sign is the one that was last dealt with, nothing has happened. When
//! it is another, whoever comes first reads the feed of changes and the others wait for it.
//!
//! Why no answer is older than the request: a commit that was acknowledged before the request was sent had
//! changed the sign before. Either that sign was taken up by an earlier catch-up, which read the feed
//! *after* it had read the sign and so found that commit's changes, or the sign is new now and the feed is
//! read now. Signs are remembered only after the invalidations have taken the changes in.

use super::invalidations::Invalidations;
use super::sync::{AtomicU64, Mutex, Ordering, PoisonError};

/// The invalidations of one file, with the sign up to which it is complete. A sign has so many words.
pub(crate) struct Follower<M, const WORDS: usize> {
    invalidations: Invalidations,
    known: [AtomicU64; WORDS],
    /// Whose turn it is to read the feed, with the place they read on from.
    turn: Mutex<M>,
}

impl<M, const WORDS: usize> Follower<M, WORDS> {
    /// Follows from `place`; no sign is known yet.
    pub(crate) fn new(invalidations: Invalidations, place: M) -> Self {
        Self { invalidations, known: [0; WORDS].map(AtomicU64::new), turn: Mutex::new(place) }
    }

    /// What is known of changes.
    pub(crate) fn invalidations(&self) -> &Invalidations {
        &self.invalidations
    }

    /// On return the invalidations have every change that was committed before the call. `sign` tells none while a
    /// commit is writing it; `feed` reads on from its place into the invalidations.
    pub(crate) fn catch_up<E>(
        &self,
        sign: impl Fn() -> Option<[u64; WORDS]>,
        feed: impl FnOnce(&mut M, &Invalidations) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.knows(sign()) {
            return Ok(());
        }
        let mut place = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the feed: a commit in between is found by the feed now, and once more by its sign.
        let seen = sign();
        if self.knows(seen) {
            return Ok(());
        }
        feed(&mut place, &self.invalidations)?;
        for (word, seen) in self.known.iter().zip(seen.into_iter().flatten()) {
            word.store(seen, Ordering::Release);
        }
        Ok(())
    }

    /// Another thread may be replacing the known sign word by word. A mixture that equals `sign` holds each
    /// word that differs from the older one in its newer form, and whoever sees one of those sees the invalidations
    /// that went before it.
    fn knows(&self, sign: Option<[u64; WORDS]>) -> bool {
        sign.is_some_and(|sign| {
            self.known.iter().zip(sign).all(|(known, word)| known.load(Ordering::Acquire) == word)
        })
    }
}
