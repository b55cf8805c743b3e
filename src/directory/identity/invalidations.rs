//! The changes applied so far: whether an entry that was read earlier still holds.
//!
//! Nothing in here knows a database. An entry keeps the [`Position`] from before it was read; the invalidations know whether
//! a change of its user has been applied since. So an invalidation is one store, however many entries it concerns, and a
//! load that runs while a change is applied cannot leave a stale entry behind: entries are not removed, they cease to hold.

use super::IdentityChange;
use super::sync::{AtomicI64, AtomicU64, Ordering};

/// How far changes had been applied when an entry was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    era: u64,
    applied: i64,
}

/// The changes applied, by the slot of the user they concern. Two users in one slot cost a needless read now and then,
/// never a stale answer.
pub(crate) struct Invalidations {
    /// Even while changes of one history are applied; odd while a new history begins.
    era: AtomicU64,
    applied: AtomicI64,
    tokens: AtomicI64,
    users: Box<[AtomicI64]>,
}

impl Invalidations {
    /// Nothing applied yet, with `slots` slots, at least one.
    pub(crate) fn new(slots: usize) -> Self {
        let users = (0..slots.max(1)).map(|_| AtomicI64::new(0)).collect();
        Self { era: AtomicU64::new(0), applied: AtomicI64::new(0), tokens: AtomicI64::new(0), users }
    }

    /// Whether a history has begun. What was read before does not hold.
    pub(crate) fn has_begun(&self) -> bool {
        self.era.load(Ordering::Acquire) >= 2
    }

    /// Returns the current position. Call it before reading an entry that is to be kept.
    pub(crate) fn position(&self) -> Position {
        // The era first: a number read later belongs to that era, or `holds` refuses the position.
        let era = self.era.load(Ordering::Acquire);
        Position { era, applied: self.applied.load(Ordering::Acquire) }
    }

    /// Whether no change that was applied since `read_at` concerns this user.
    pub(crate) fn holds(&self, read_at: Position, user: i64) -> bool {
        self.is_of_this_era(read_at) && self.slot(user).load(Ordering::Acquire) <= read_at.applied
    }

    /// Whether no token that was added since `read_at` could make an unknown key known.
    pub(crate) fn holds_unknown(&self, read_at: Position) -> bool {
        self.is_of_this_era(read_at) && self.tokens.load(Ordering::Acquire) <= read_at.applied
    }

    /// Applies changes by their numbers, in rising order. One thread at a time.
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
        // Last: a thread that reads this number sees all changes up to it.
        self.applied.store(last, Ordering::Release);
    }

    /// Ends every entry and goes on from this number: numbers of another history mean nothing here. One thread at a time.
    pub(crate) fn restart(&self, number: i64) {
        self.era.fetch_add(1, Ordering::AcqRel);
        for slot in self.users.iter().chain([&self.tokens]) {
            slot.store(0, Ordering::Release);
        }
        self.applied.store(number, Ordering::Release);
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    fn is_of_this_era(&self, read_at: Position) -> bool {
        read_at.era.is_multiple_of(2) && read_at.era == self.era.load(Ordering::Acquire)
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the length is below it, and there is a slot")]
    fn slot(&self, user: i64) -> &AtomicI64 {
        // Neighbouring ids fall into neighbouring slots, which is as even as possible.
        let slots = self.users.len() as u64;
        &self.users[usize::try_from(user.unsigned_abs() % slots).unwrap_or(0)]
    }
}
