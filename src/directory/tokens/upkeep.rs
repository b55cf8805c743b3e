//! Periodic work on tokens: ended ones are deleted, unused sign-ins are ended.

use std::time::Duration;

use serde_json::json;

use super::ending::end;
use crate::directory::Directory;
use crate::directory::access::Actor;
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::TokenKind;
use crate::directory::store;

/// Tokens of one transaction, so that other writers do not wait long.
const BATCH: i64 = 500;

impl Directory {
    /// Deletes tokens that were revoked or expired longer ago than the setting allows, and returns their number. Only lists of
    /// tokens depend on it.
    pub async fn prune_tokens(&self) -> Result<u64, Error> {
        let until = self.clock.now().saturating_sub(self.keep_ended_tokens_for);
        let actor = Actor::operator("retention");
        let mut pruned = 0;
        loop {
            let batch = self.change(&actor, move |change| {
                let gone = change.tx.prune_tokens(until, BATCH, change.now)?;
                if gone > 0 {
                    audit::record(change, "token.prune", &AuditObject::Directory, json!({ "pruned": gone }))?;
                }
                Ok(gone)
            });
            match batch.await? {
                0 => return Ok(pruned),
                more => pruned += more,
            }
        }
    }

    /// Ends sign-ins that were not used for longer than the setting allows, and unused browser sessions, with all tokens that
    /// came from them, and returns their number. Each request checks for itself that such a token is no longer valid.
    pub async fn end_idle_sign_ins(&self) -> Result<u64, Error> {
        Ok(self.end_idle(TokenKind::SignIn).await? + self.end_idle(TokenKind::Browser).await?)
    }

    async fn end_idle(&self, kind: TokenKind) -> Result<u64, Error> {
        let Some(timeout) = self.authenticator.idle_limit(kind) else { return Ok(0) };
        let actor = Actor::operator("retention");
        let mut ended = 0;
        loop {
            let batch = self.change(&actor, move |change| end_idle(change, kind, timeout));
            match batch.await? {
                0 => return Ok(ended),
                more => ended += more,
            }
        }
    }
}

impl Directory {
    /// Returns the ids of some tokens of active admins that limit nothing: they do not expire, and may do everything that the admin
    /// may, from anywhere. At most `limit` of them, in the order of their ids.
    pub async fn unlimited_admin_tokens(&self, limit: i64) -> Result<Vec<i64>, Error> {
        self.store.all(store::tokens::unlimited_of_admins(limit)).await
    }
}

/// Ends a batch of unused sign-ins.
fn end_idle(change: &Change<'_, '_>, kind: TokenKind, timeout: Duration) -> Result<u64, Error> {
    let idle = change.tx.idle_sign_ins(kind, change.now.saturating_sub(timeout), change.now, BATCH)?;
    if idle.is_empty() {
        return Ok(0);
    }
    let ended = idle.iter().try_fold(0, |sum, token| Ok::<_, Error>(sum + end(change, token)?))?;
    let ids: Vec<i64> = idle.iter().map(|token| token.id.get()).collect();
    let details = json!({ "sign_ins": ids, "ended": ended });
    audit::record(change, "sign_in.idle", &AuditObject::Directory, details)?;
    Ok(ended)
}
