//! Keys that were found where they do not belong, such as in a public repository. Who has a key can end its token, and
//! needs no other right: the key itself is the proof.
//!
//! Anyone may report, so a report must cost little. All reports are counted in memory, before their body is read, for each
//! client and for this process together. Only a client whose report has ended tokens is counted in the database, so that
//! replicas agree on it; made-up keys write nothing. Tokens are revoked in parts, so that no report keeps other writes
//! waiting for long.

use std::time::Duration;

use serde_json::json;

use super::Directory;
use super::access::{Actor, Origin};
use super::audit::{self, AuditObject};
use super::change::Change;
use super::error::Error;
use super::limiter::{Backoff, window_start};
use super::model::{KeptDigest, ListedToken, Timestamp, TokenDigest, TokenId, UserKey};
use super::store::attempts::{BlockedKey, blocked};
use super::store::tokens::ids_of_digests;
use super::tokens::end;
use crate::network::client_network;

/// The most keys of one report.
pub const LEAKED_MAX: usize = 1000;

/// How many tokens are revoked in one transaction.
pub const LEAKED_PART: usize = 50;

/// Reports of one client in each window.
const REPORTS_MAX: i64 = 60;
const WINDOW: Duration = Duration::from_hours(1);
/// Names the counts of reports in the table of attempts. They do not back off: a window ends at its time.
const REPORTS: Backoff = Backoff { name: "leaked", free: REPORTS_MAX, longest: WINDOW, memory: WINDOW };

impl Directory {
    /// Counts a report of leaked keys in memory, whatever it contains. Returns [`Error::Busy`] when its client has made too
    /// many, or all clients together have.
    pub fn count_leak_report(&self, origin: &Origin) -> Result<(), Error> {
        let network = origin.network().unwrap_or_else(|| client_network(None));
        self.requests.count_report(network, self.clock.now())
    }

    /// Revokes the tokens of reported keys. Returns [`Error::Busy`] when the client has ended tokens with too many reports,
    /// here or on other replicas.
    pub async fn report_leaked(&self, actor: &Actor, keys: &[String]) -> Result<(), Error> {
        let now = self.clock.now();
        let (key, end) = window_of(&actor.origin, now);
        let waiting: Vec<BlockedKey> =
            self.store.point_read(blocked(std::slice::from_ref(&key), now)).await?;
        if !waiting.is_empty() {
            let left = u64::try_from(end.as_micros().saturating_sub(now.as_micros())).unwrap_or(0);
            return Err(Error::Busy { retry_after: Duration::from_micros(left) });
        }
        if self.revoke_leaked(actor, keys).await?.is_empty() {
            return Ok(());
        }
        let counted = self.store.write(move |tx| {
            let reports = tx.failures(&key, now)?.saturating_add(1);
            tx.count_failure(&key, reports, if reports >= REPORTS_MAX { end } else { now }, end)?;
            tx.forget_attempts(now)
        });
        counted.await
    }

    /// Revokes the tokens of these keys, [`LEAKED_PART`] in one transaction, and returns them as they were. Texts that are
    /// the keys of no token are ignored, and so are tokens that are revoked already; expired ones could become valid again
    /// and are not.
    pub async fn revoke_leaked(&self, actor: &Actor, keys: &[String]) -> Result<Vec<ListedToken>, Error> {
        let mut found: Vec<i64> = Vec::new();
        for statement in ids_of_digests(&digests(keys)) {
            found.extend(self.store.point_read::<i64>(statement).await?);
        }
        found.sort_unstable();
        found.dedup();
        let mut revoked = Vec::new();
        for part in found.chunks(LEAKED_PART) {
            let ids: Vec<_> = part.iter().filter_map(|id| TokenId::try_from(*id).ok()).collect();
            let part = self.change(actor, move |change| {
                ids.iter().map(|id| revoke(change, *id)).collect::<Result<Vec<_>, Error>>()
            });
            revoked.extend(part.await?.into_iter().flatten());
        }
        Ok(revoked)
    }
}

/// Returns the key of the count of a client in the window of now, and the end of that window. With the window in its key, a
/// count of another window matters no more, also when the clock goes back.
fn window_of(origin: &Origin, now: Timestamp) -> (Vec<u8>, Timestamp) {
    let network = origin.network().map(|network| network.to_string()).unwrap_or_default();
    let length = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
    let start = window_start(now, length);
    let end = Timestamp::from_micros(start.saturating_add(length)).unwrap_or(Timestamp::LAST);
    (REPORTS.key([&network, &start.to_string()]), end)
}

/// The digests that these keys may be stored as.
fn digests(keys: &[String]) -> Vec<KeptDigest> {
    let of_key = |key: &String| {
        let own = TokenDigest::of_presented(key)?;
        Some([Some(KeptDigest::Sha256(own))].into_iter().chain(KeptDigest::of_another_system(key)).flatten())
    };
    keys.iter().filter_map(of_key).flatten().collect()
}

/// Revokes a token, with those that came from it if it is a sign-in, and names its owner in the audit trail.
fn revoke(change: &Change<'_, '_>, id: TokenId) -> Result<Option<ListedToken>, Error> {
    let token = change.tx.token(id)?.filter(|token| token.revoked_at.is_none());
    let Some(token) = token else { return Ok(None) };
    let owner = change.tx.existing_user(&UserKey::Id(token.user_id))?;
    let ended = end(change, &token)?;
    let details = json!({ "user_id": owner.id.get(), "username": owner.username, "ended": ended });
    audit::record(change, "token.leaked", &AuditObject::Token(&token), details)?;
    Ok(Some(ListedToken { token, username: Some(owner.username) }))
}
