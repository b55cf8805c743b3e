//! When a sign-in ends because it is not used, if the setting says so.
//!
//! The last use of a token is known late: it is noted once a minute and written once a minute, possibly by another replica.
//! So memory alone never refuses a token: one that seems unused is looked up anew, and ends [`IDLE_GRACE`] later than the
//! setting says. Without the setting nothing is checked: a cached token has one end, the earliest of all.

use std::time::Duration;

use crate::directory::model::{Timestamp, Token};

/// How much later than the setting says an unused sign-in may end. A use is noted once a minute and written once a minute,
/// possibly by another replica. So a token that is used is never taken for unused.
pub(in crate::directory) const IDLE_GRACE: Duration = Duration::from_mins(3);

/// How long the token of a sign-in may go unused; zero means without limit.
#[derive(Clone, Copy)]
pub(super) struct IdleTimeout(pub(super) Duration);

impl IdleTimeout {
    /// The limit, if there is one.
    pub(super) fn get(self) -> Option<Duration> {
        Some(self.0).filter(|timeout| !timeout.is_zero())
    }

    /// Returns when a token ends because it is not used, as far as its uses are known.
    pub(super) fn end(self, token: &Token) -> Option<Timestamp> {
        token.idle_end(self.get()?.saturating_add(IDLE_GRACE))
    }

    /// Whether a token has ended because it was not used.
    pub(super) fn has_ended(self, token: &Token, now: Timestamp) -> bool {
        self.end(token).is_some_and(|end| end <= now)
    }
}
