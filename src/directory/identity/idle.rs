//! When a sign-in ends because it is not used, if the setting says so.
//!
//! The last use of a token is known late: it is noted once a minute and written once a minute, possibly by another replica.
//! So memory alone never refuses a token: one that seems unused is looked up anew, and ends [`IDLE_GRACE`] later than the
//! setting says. Without the setting nothing is checked: a cached token has one end, the earliest of all.

use std::time::Duration;

use crate::directory::model::{Timestamp, Token, TokenKind};

/// How much later than the setting says an unused sign-in may end. A use is noted once a minute and written once a minute,
/// possibly by another replica. So a token that is used is never taken for unused.
pub(super) const IDLE_GRACE: Duration = Duration::from_mins(3);

/// How long a browser session may go unused.
const BROWSER_IDLE: Duration = Duration::from_hours(1);

/// How long the token of a sign-in may go unused; zero means without limit. A browser session has a limit of its own.
#[derive(Clone, Copy)]
pub(super) struct IdleTimeout(pub(super) Duration);

impl IdleTimeout {
    /// The limit of the setting, if there is one.
    fn get(self) -> Option<Duration> {
        Some(self.0).filter(|timeout| !timeout.is_zero())
    }

    /// Returns how long tokens of a kind may go unused, if there is a limit.
    pub(super) fn limit(self, kind: TokenKind) -> Option<Duration> {
        match kind {
            TokenKind::SignIn => self.get(),
            TokenKind::Browser => Some(BROWSER_IDLE),
            TokenKind::Api | TokenKind::Imported => None,
        }
    }

    /// Returns when a token ends because it is not used, as far as its uses are known.
    pub(super) fn end(self, token: &Token) -> Option<Timestamp> {
        Some(token.idle_end(self.limit(token.kind)?.saturating_add(IDLE_GRACE)))
    }

    /// Whether a token has ended because it was not used.
    pub(super) fn has_ended(self, token: &Token, now: Timestamp) -> bool {
        self.end(token).is_some_and(|end| end <= now)
    }
}
