//! Follows the commits to one SQLite file, from any process.
//!
//! A *sign* is a value that every commit changes before it is acknowledged: the header of the shared write-ahead-log index.
//! While the sign is the one last seen, nothing has been committed. If it differs, one request reads the feed of changes on
//! behalf of all that wait.
//!
//! Why no answer is older than its request: a commit that was acknowledged before the request was sent had changed the sign
//! before. Either an earlier catch-up saw that sign, and it read the feed *after* the sign and so found the changes of that
//! commit, or the sign is new and the feed is read now. A sign is remembered only after the changes have been applied.

use super::invalidations::Invalidations;
use super::sync::{AtomicU64, Mutex, Ordering, PoisonError};

/// The invalidations of one file, and the sign up to which they are complete. A sign has `WORDS` words.
pub(crate) struct Follower<M, const WORDS: usize> {
    invalidations: Invalidations,
    known: [AtomicU64; WORDS],
    /// Held by the one that reads the feed: the position to read on from.
    position: Mutex<M>,
}

impl<M, const WORDS: usize> Follower<M, WORDS> {
    /// Follows from `position`; no sign is known yet.
    pub(crate) fn new(invalidations: Invalidations, position: M) -> Self {
        Self { invalidations, known: [0; WORDS].map(AtomicU64::new), position: Mutex::new(position) }
    }

    /// The changes applied so far.
    pub(crate) fn invalidations(&self) -> &Invalidations {
        &self.invalidations
    }

    /// Applies every change that was committed before the call. `sign` returns `None` while a commit is writing the sign;
    /// `feed` reads on from its position into the invalidations.
    pub(crate) fn catch_up<E>(
        &self,
        sign: impl Fn() -> Option<[u64; WORDS]>,
        feed: impl FnOnce(&mut M, &Invalidations) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.knows(sign()) {
            return Ok(());
        }
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before the feed: a commit in between is found by the feed now, and by its sign later.
        let seen = sign();
        if self.knows(seen) {
            return Ok(());
        }
        feed(&mut position, &self.invalidations)?;
        for (word, seen) in self.known.iter().zip(seen.into_iter().flatten()) {
            word.store(seen, Ordering::Release);
        }
        Ok(())
    }

    /// Returns the position up to which the feed was read.
    pub(crate) fn position(&self) -> M
    where
        M: Copy,
    {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the sign is the known one. Another thread may be replacing the known sign word by word. A mixture that equals
    /// `sign` has every word that differs from the older sign in its newer form, and a thread that sees one of those sees
    /// the invalidations that were applied before it.
    fn knows(&self, sign: Option<[u64; WORDS]>) -> bool {
        sign.is_some_and(|sign| {
            self.known.iter().zip(sign).all(|(known, word)| known.load(Ordering::Acquire) == word)
        })
    }
}
