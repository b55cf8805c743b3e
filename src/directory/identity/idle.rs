//! Sign-ins that nobody uses end, where the setting says so.
//!
//! A token's last use is known late: it is noted once a minute and written once a minute, maybe by another replica. So
//! nobody is refused by what memory has of it: a token that seems unused is looked up anew, and is given [`IDLE_GRACE`].
//! Without the setting nothing is asked: what is kept of a token has one end, the earliest of all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::cached::Entry;
use super::{CachedIdentity, PATIENCE, Unauthenticated};
use crate::directory::Directory;
use crate::directory::model::{Identity, Timestamp, Token, TokenDigest, TokenKind};

/// How much later than the setting says a sign-in may end that nobody uses. A use is noted once a minute and written once
/// a minute, and whoever writes it may be another replica: a token that is used is never taken for one that is not.
pub const IDLE_GRACE: Duration = Duration::from_mins(3);

impl Directory {
    /// How long the token of a sign-in may go unused, if there is a limit.
    pub(in crate::directory) fn idle_timeout(&self) -> Option<Duration> {
        Some(self.authenticator.idle_timeout).filter(|timeout| !timeout.is_zero())
    }

    /// When a token ends because nobody uses it, as far as is known of its uses.
    pub(super) fn idle_end(&self, token: &Token) -> Option<Timestamp> {
        token.idle_end(self.idle_timeout()?.saturating_add(IDLE_GRACE))
    }

    pub(super) fn is_idle(&self, token: &Token, now: Timestamp) -> bool {
        self.idle_end(token).is_some_and(|end| end <= now)
    }

    /// An identity with what is known of its token's use and not written yet.
    pub(super) fn with_uses(&self, mut identity: Identity) -> Identity {
        if self.idle_timeout().is_some() && identity.token.kind == TokenKind::SignIn {
            let token = &mut identity.token;
            token.last_used_at = token.last_used_at.max(self.uses.last(token.id));
        }
        identity
    }

    /// A token that is not good by what is kept of it, if it is by what the database knows of its uses.
    #[cold]
    pub(super) async fn used_since(
        &self,
        key: &str,
        digest: TokenDigest,
        draw: impl Fn(&Identity) -> Bytes + Send,
        known: &CachedIdentity,
        now: Timestamp,
    ) -> Result<Arc<CachedIdentity>, Unauthenticated> {
        if !known.may_have_been_used(now) {
            return Err(Unauthenticated::InvalidToken(Some(known.bearer())));
        }
        let entry = self.in_time(PATIENCE, self.load(key, digest, draw, None, now)).await?;
        self.authenticator.recollection.replace(digest, entry.clone());
        match entry {
            Entry::Known(known) if known.is_good(now) => Ok(known),
            Entry::Known(known) => Err(Unauthenticated::InvalidToken(Some(known.bearer()))),
            Entry::Unknown(_) => Err(Unauthenticated::InvalidToken(None)),
        }
    }
}
