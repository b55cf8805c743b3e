//! Notes in the audit trail that somebody was refused what they asked for, or that a token no longer opened anything.
//! They are rationed; see [`rate_limiter`](super::rate_limiter).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Directory;
use super::access::{Actor, Origin, Who};
use super::audit::{Object, record};
use super::change::Change;
use super::error::Error;
use super::guard::network;
use super::model::{Bearer, Identity, Timestamp, TokenState};
use super::rate_limiter::LeftOut;
use super::store::identities;

/// A refusal for whose note there is room.
pub struct Refusal {
    bearer: Bearer,
    origin: Origin,
    asked: String,
    /// `None` when the token itself was not good.
    why: Option<String>,
    left_out: LeftOut,
}

impl Directory {
    /// What is to be noted when the bearer of a token was refused what they asked for, if there is room for it. The
    /// reason is `None` when the token itself is not good.
    pub fn refusal(
        &self,
        bearer: Bearer,
        origin: Origin,
        asked: String,
        why: Option<String>,
    ) -> Option<Refusal> {
        let client = origin.ip().map(network);
        let left_out = self.refusals.take(self.clock.now(), client, Some(bearer.user))?;
        Some(Refusal { bearer, origin, asked, why, left_out })
    }

    /// Notes a refusal, which stands whether or not that succeeds.
    pub async fn note_refusal(&self, refusal: &Refusal) {
        let Refusal { bearer, origin, asked, why, left_out } = refusal;
        let (token, origin, left_out) = (bearer.token, origin.clone(), *left_out);
        let (asked, why, clock, policy) = (asked.clone(), why.clone(), self.clock.clone(), self.policy);
        let noted = self.store.write(move |tx| {
            let now = clock.now();
            let found = tx.first::<Identity>(&identities::of_token(token))?;
            // Who was deleted meanwhile left an event of their own.
            let Some(identity) = found else { return Ok(()) };
            let state = state(&identity, now);
            let action = if why.is_some() { "request.refused" } else { "token.refused" };
            let (user, token) = (identity.user.id, identity.token.clone());
            let is_known = why.is_some() && state.is_none();
            let who = if is_known { Who::Person(Arc::new(identity)) } else { Who::Anonymous };
            let actor = Actor { who, origin: origin.clone() };
            let change = Change::begin(tx, now, &actor, policy)?;
            let mut changes =
                json!({ "asked": asked, "why": why.as_deref().or(state).unwrap_or("it was not good") });
            if is_known {
                return record(&change, action, &Object::Directory, left_out.add_to(changes));
            }
            if let Value::Object(changes) = &mut changes {
                changes.insert("user_id".to_owned(), user.get().into());
            }
            record(&change, action, &Object::Token(&token), left_out.add_to(changes))
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a refusal could not be noted in the audit trail");
        }
    }

    /// Notes how many refusals were left out, when no later note has said so for a minute, or at the `end`.
    pub async fn note_left_out(&self, end: bool) -> Result<(), Error> {
        let now = self.clock.now();
        let [requests, sign_ins] =
            [&self.refusals, &self.refused_sign_ins].map(|limiter| limiter.left_out(now, end));
        if requests + sign_ins == 0 {
            return Ok(());
        }
        let changes = json!({ "requests": requests, "sign_ins": sign_ins });
        self.change(&Actor::operator("guard"), move |change| {
            record(change, "refusals.left_out", &Object::Directory, changes.clone())
        })
        .await
    }
}

/// Why a token opens nothing; `None` if it does.
fn state(identity: &Identity, now: Timestamp) -> Option<&'static str> {
    match identity.token.state(now) {
        TokenState::Revoked => Some("the token is revoked"),
        TokenState::Expired => Some("the token has expired"),
        TokenState::Active if !identity.user.is_active => Some("the token's owner is not active"),
        TokenState::Active => None,
    }
}
