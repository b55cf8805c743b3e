//! Audit events for refused requests and for tokens that are no longer valid. Their number is limited; see
//! `limiter::refusals`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Directory;
use super::access::{Actor, Origin, Who};
use super::audit::{AuditObject, record};
use super::change::Change;
use super::error::Error;
use super::limiter::LeftOut;
use super::model::{Bearer, Identity, Timestamp, TokenKind, TokenState};
use super::store::identities;

/// A refusal that may be recorded.
pub struct Refusal {
    bearer: Bearer,
    origin: Origin,
    request: String,
    /// `None` when the token itself was not valid.
    reason: Option<String>,
    left_out: LeftOut,
}

impl Directory {
    /// Returns what is to be recorded when a request of the bearer of a token was refused; `None` if the limit is reached.
    /// The reason is `None` when the token itself is not valid.
    pub fn refusal(
        &self,
        bearer: Bearer,
        origin: Origin,
        request: String,
        reason: Option<String>,
    ) -> Option<Refusal> {
        let client = origin.network();
        let left_out = self.refusals.take(self.clock.now(), client, Some(bearer.user))?;
        Some(Refusal { bearer, origin, request, reason, left_out })
    }

    /// Records that a request without a known token was refused because of where it came from, unless the limit is reached.
    pub async fn note_refused_stranger(&self, origin: &Origin, request: String, why: &'static str) {
        let now = self.clock.now();
        let Some(left_out) = self.refusals.take(now, origin.network(), None) else { return };
        let changes = left_out.add_to(json!({ "asked": request, "why": why }));
        let actor = Actor { who: Who::Anonymous, origin: origin.clone() };
        let recorded = self.change(&actor, move |change| {
            record(change, "request.refused", &AuditObject::Directory, changes.clone())
        });
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "cannot record a refused request");
        }
    }

    /// Records a refusal. The refusal is final whether or not that succeeds.
    pub async fn note_refusal(&self, refusal: &Refusal) {
        let Refusal { bearer, origin, request, reason, left_out } = refusal;
        let (token, origin, left_out) = (bearer.token, origin.clone(), *left_out);
        let (request, reason, clock, policy) =
            (request.clone(), reason.clone(), self.clock.clone(), self.policy.clone());
        let recorded = self.store.write(move |tx| {
            let now = clock.now();
            let found = tx.first::<Identity>(&identities::of_token(token))?;
            // A user who was deleted meanwhile left an event of its own.
            let Some(identity) = found else { return Ok(()) };
            let state = state(&identity, &origin, now);
            let action = if reason.is_some() { "request.refused" } else { "token.refused" };
            let (user, token) = (identity.user.id, identity.token.clone());
            let is_known = reason.is_some() && state.is_none();
            let who = if is_known { Who::Person(Arc::new(identity)) } else { Who::Anonymous };
            let actor = Actor { who, origin: origin.clone() };
            let change = Change::begin(tx, now, &actor, policy.clone())?;
            let why = reason.as_deref().or(state).unwrap_or(match token.kind {
                TokenKind::Browser => "a browser session opens the admin site alone",
                _ => "it was not good",
            });
            let mut changes = json!({ "asked": request, "why": why });
            if is_known {
                return record(&change, action, &AuditObject::Directory, left_out.add_to(changes));
            }
            if let Value::Object(changes) = &mut changes {
                changes.insert("user_id".to_owned(), user.get().into());
            }
            record(&change, action, &AuditObject::Token(&token), left_out.add_to(changes))
        });
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "a refusal could not be recorded in the audit trail");
        }
    }

    /// Records how many refusals were left out, if no event of the last minute could report it, or at the `end`.
    pub async fn note_left_out(&self, end: bool) -> Result<(), Error> {
        let now = self.clock.now();
        let [requests, sign_ins] =
            [&self.refusals, &self.refused_sign_ins].map(|limiter| limiter.take_left_out(now, end));
        if requests + sign_ins == 0 {
            return Ok(());
        }
        let changes = json!({ "requests": requests, "sign_ins": sign_ins });
        self.change(&Actor::operator("guard"), move |change| {
            record(change, "refusals.left_out", &AuditObject::Directory, changes.clone())
        })
        .await
    }
}

/// Returns why a token is not valid; `None` if it is.
fn state(identity: &Identity, origin: &Origin, now: Timestamp) -> Option<&'static str> {
    match identity.token.state(now) {
        TokenState::Revoked => Some("the token is revoked"),
        TokenState::Expired => Some("the token has expired"),
        TokenState::Active if !identity.token.narrowing.admits(origin.client()) => {
            Some(match origin.is_proxy {
                false => "the client is outside the token's networks",
                true => "the client's address is not known, and the token has networks",
            })
        }
        TokenState::Active if !identity.user.is_active => Some("the token's owner is not active"),
        TokenState::Active => None,
    }
}
