//! Authenticating the token of a request, and noting its use.

use std::net::IpAddr;
use std::sync::Arc;

use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::identity::{CachedIdentity, Render, Unauthenticated};
use crate::directory::model::{Identity, Timestamp};

impl Directory {
    /// Returns the identity of a key that a client at this address has sent. It never writes. Without a known address, a
    /// token that is limited to networks is refused. These parts may be older than the rest, and must not decide
    /// anything: when the token was last used, when its owner was last seen and last changed.
    pub fn authenticate(
        &self,
        key: &str,
        from: Option<IpAddr>,
    ) -> impl Future<Output = Result<Arc<Identity>, Unauthenticated>> + Send {
        self.authenticator.authenticate(key, from)
    }

    /// Returns what the most frequent requests need of the identity of a key, and when that was decided. It follows the
    /// rules of [`Directory::authenticate`]. `from` finds the client's address if it is known; few tokens need it. `render` makes the body that is cached with an identity when it is loaded.
    pub fn recognise(
        &self,
        key: &str,
        from: impl FnOnce() -> Option<IpAddr> + Send,
        render: impl Render,
    ) -> impl Future<Output = Result<(Arc<CachedIdentity>, Timestamp), Unauthenticated>> + Send {
        self.authenticator.recognise(key, from, render)
    }

    /// Whether [`Directory::recognise`] answers from memory without waiting.
    pub fn knows_at_once(&self) -> bool {
        self.authenticator.knows_at_once()
    }

    /// Notes the use of a token, at most once a minute for each cached one. It is written later.
    pub fn note_use(&self, known: &CachedIdentity, at: Timestamp, from: impl FnOnce() -> Option<IpAddr>) {
        self.authenticator.note_use(known, at, from);
    }

    /// Notes the use of the token of an identity that was just authenticated.
    pub fn note_use_of(&self, identity: &Identity, from: Option<IpAddr>) {
        self.authenticator.note_use_of(identity, from);
    }

    /// Writes the uses noted since the last call. A use that cannot be written is kept for the next call.
    pub async fn write_uses(&self) -> Result<(), Error> {
        self.authenticator.write_uses().await
    }

    /// The number of cached identities, and the bytes that they count for.
    pub fn cached(&self) -> (u64, u64) {
        self.authenticator.cached()
    }
}
