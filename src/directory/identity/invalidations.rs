//! What is known of changes: whether something that was read once still holds.
//!
//! Nothing in here knows a database. Whoever read something remembers the [`Position`] from before it
//! read; the invalidations tell whether a change of that user has been applied since. So an invalidation is one
//! store, however many entries it concerns, and a load that runs while a change is applied cannot leave a
//! stale entry behind: entries are never removed, they cease to hold.

use super::IdentityChange;
use super::sync::{AtomicI64, AtomicU64, Ordering};

/// How far the changes had been applied when something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    era: u64,
    applied: i64,
}

/// Applied changes, by the hash of whom they concern. Two users in one slot cost a needless read now and
/// then, never a stale answer.
pub(crate) struct Invalidations {
    /// Even while numbers of one history are applied; odd while a new one begins.
    era: AtomicU64,
    applied: AtomicI64,
    tokens: AtomicI64,
    users: Box<[AtomicI64]>,
}

impl Invalidations {
    /// Invalidations that have applied nothing, with `slots` slots, at least one.
    pub(crate) fn new(slots: usize) -> Self {
        let users = (0..slots.max(1)).map(|_| AtomicI64::new(0)).collect();
        Self { era: AtomicU64::new(0), applied: AtomicI64::new(0), tokens: AtomicI64::new(0), users }
    }

    /// Whether a history has begun, and not only begins. What was read before will not hold.
    pub(crate) fn has_begun(&self) -> bool {
        self.era.load(Ordering::Acquire) >= 2
    }

    /// To be asked before reading what shall be kept.
    pub(crate) fn position(&self) -> Position {
        // The era first: a number read later belongs to that era, or to one that `holds` will refuse.
        let era = self.era.load(Ordering::Acquire);
        Position { era, applied: self.applied.load(Ordering::Acquire) }
    }

    /// Whether nothing that was applied since `seen` concerns this user.
    pub(crate) fn holds(&self, seen: Position, user: i64) -> bool {
        self.is_of_this_era(seen) && self.slot(user).load(Ordering::Acquire) <= seen.applied
    }

    /// Whether no token that was applied since `seen` could make an unknown key known.
    pub(crate) fn holds_unknown(&self, seen: Position) -> bool {
        self.is_of_this_era(seen) && self.tokens.load(Ordering::Acquire) <= seen.applied
    }

    /// Applies changes with their numbers, in rising order. One thread at a time.
    pub(crate) fn apply(&self, changes: impl IntoIterator<Item = (i64, IdentityChange)>) {
        let mut last = self.applied.load(Ordering::Relaxed);
        for (number, change) in changes {
            last = last.max(number);
            match change {
                IdentityChange::User(user) => self.slot(user).store(number, Ordering::Release),
                IdentityChange::Token(user) => {
                    self.slot(user).store(number, Ordering::Release);
                    self.tokens.store(number, Ordering::Release);
                }
                IdentityChange::All => _ = self.era.fetch_add(2, Ordering::AcqRel),
            }
        }
        // Last: who reads this number sees all the changes up to it.
        self.applied.store(last, Ordering::Release);
    }

    /// Forgets everything and goes on from this number: numbers of another history mean nothing here. One
    /// thread at a time.
    pub(crate) fn restart(&self, number: i64) {
        self.era.fetch_add(1, Ordering::AcqRel);
        for slot in self.users.iter().chain([&self.tokens]) {
            slot.store(0, Ordering::Release);
        }
        self.applied.store(number, Ordering::Release);
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    fn is_of_this_era(&self, seen: Position) -> bool {
        seen.era.is_multiple_of(2) && seen.era == self.era.load(Ordering::Acquire)
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the length is below it, and there is a slot")]
    fn slot(&self, user: i64) -> &AtomicI64 {
        // Neighbouring ids fall into neighbouring slots: as even as it gets.
        let slots = self.users.len() as u64;
        &self.users[usize::try_from(user.unsigned_abs() % slots).unwrap_or(0)]
    }
}
