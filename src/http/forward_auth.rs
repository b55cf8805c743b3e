//! Forward authentication: a proxy asks, for each request of a client, whether the client may pass, and who it is.
//!
//! `GET /api/auth/forward/{rule}` with any method, and with anything behind the rule: some proxies append the path, the query
//! and the method of the client's request. Nothing of them decides: the proxy's own configuration selects the rule. Neither
//! the query nor the body is read. No Host is checked: nothing in a response depends on it, and some proxies send the Host of
//! the application, which would have to be allowed for all routes.
//!
//! The status is exactly 200, 401, 403, 404 (no such rule), 429 (if the setting is on) or 503. A proxy lets a request through
//! at 200 alone. The identity is answered from memory, under the same promise as `GET /api/users/me`.

mod caller_facts;
mod credentials;
mod rule;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue};

use self::caller_facts::{CallerFacts, RenderFacts};
pub(super) use self::credentials::credentials;
pub(super) use self::rule::{Rule, RuleKinds};
use super::app::App;
use super::caller;
use super::error::ApiError;
use super::headers::set_token_expiry;
use super::pipeline::{Rejection, with_bearer, with_common_headers};
use super::reason::Reason;
use super::throttle;
use crate::directory::limiter::RateLimitStatus;
use crate::directory::model::Timestamp;
use crate::directory::{CachedIdentity, Unauthenticated};
use crate::telemetry::ForwardAuthLabels;

/// The route.
pub(super) const ROUTE: &str = "/api/auth/forward/{rule}";
/// The path before the rule.
pub(super) const PREFIX: &str = "/api/auth/forward/";
/// The rule that is shown in the metrics for a text that is none.
const UNKNOWN: &str = "unknown";
/// Why a key was refused of which nothing is known.
const NOT_LOOKED_UP: &str = "over rate_limit_per_address: the key is not in memory, and was not looked up";
/// The framework's answer to two headers, which it joins with a comma and a blank.
const SEVERAL: &str = "Invalid token header. Token string should not contain spaces.";

/// The address of the client.
#[derive(Clone, Copy)]
pub(super) struct ClientAddress {
    /// For limits and records: if the client's is not known, that of the last trusted proxy.
    pub(super) address: Option<IpAddr>,
    /// The client's own, if it is known.
    pub(super) known: Option<IpAddr>,
}

/// A user who is let through.
pub(super) struct Allowed {
    known: Arc<CachedIdentity>,
    /// When that was decided.
    pub(super) now: Timestamp,
    /// The token's rate limit, if the request was counted.
    pub(super) status: Option<RateLimitStatus>,
    /// Whether the use of the token was noted with this request.
    pub(super) is_noted: bool,
}

/// Returns the text of the rule if this is a path of the route. What is behind the rule is ignored.
pub(super) fn rule_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(PREFIX)?;
    Some(rest.split_once('/').map_or(rest, |(rule, _)| rule))
}

/// Answers a request of the common way.
pub(super) async fn answer(app: &App, rule: &str, headers: &HeaderMap, client: ClientAddress) -> Response {
    match check(app, rule, headers, client).await {
        Ok(allowed) => allowed.into_response(app),
        Err(rejection) => rejection.into_response(app),
    }
}

async fn check(
    app: &App,
    rule: &str,
    headers: &HeaderMap,
    client: ClientAddress,
) -> Result<Allowed, Box<Rejection>> {
    let Some(rule) = Rule::parse(rule) else {
        count(app, UNKNOWN.to_owned(), "unknown_rule");
        let mut rejection = Rejection::new(ApiError::NotFound, ROUTE);
        rejection.reason = Some(Reason::new("there is no such rule of forward authentication"));
        return Err(rejection);
    };
    let mut lines = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let (first, second) = (lines.next().unwrap_or_default(), lines.next());
    let presented = match second {
        None => credentials(first, &app.settings().token_keywords),
        Some(_) => Err(SEVERAL),
    };
    match presented {
        Ok(key) => {
            let allowed = decide(app, &rule, &key, || caller::count(app, "accepted"), || client).await?;
            count(app, rule.kinds().label(), "allowed");
            Ok(allowed)
        }
        Err(detail) => {
            let mut rejection = Rejection::new(ApiError::Unauthenticated(detail), ROUTE);
            rejection.reason = Some(caller::explain(headers));
            count_client(app, &mut rejection, client.address);
            count(app, rule.kinds().label(), result_of(&rejection.error));
            Err(rejection)
        }
    }
}

/// Decides whether the owner of a key is let through, and notes the use of the token. `accepted` counts a key that is good.
pub(super) async fn decide(
    app: &App,
    rule: &Rule<'_>,
    key: &str,
    accepted: impl FnOnce(),
    client: impl Fn() -> ClientAddress + Send + Sync,
) -> Result<Allowed, Box<Rejection>> {
    let decided = pin!(decide_uncounted(app, rule, key, accepted, client));
    let decided = decided.await;
    if let Err(rejection) = &decided {
        count(app, rule.kinds().label(), result_of(&rejection.error));
    }
    decided
}

async fn decide_uncounted(
    app: &App,
    rule: &Rule<'_>,
    key: &str,
    accepted: impl FnOnce(),
    client: impl Fn() -> ClientAddress + Send + Sync,
) -> Result<Allowed, Box<Rejection>> {
    let (directory, settings) = (app.directory(), app.settings());
    let from = || client().known;
    let is_limited = AtomicBool::new(false);
    let may_look_up = || {
        let is_over = directory.is_address_over(client().address);
        is_limited.store(is_over, Ordering::Relaxed);
        !is_over
    };
    let facts = RenderFacts { names: &settings.identity_headers, may_look_up: &may_look_up };
    let recognised = pin!(directory.recognise(key, from, facts));
    let (known, now) = match recognised.await {
        Ok(known) => known,
        Err(refused) => {
            let mut rejection = refuse(app, key, refused, client().address);
            if is_limited.load(Ordering::Relaxed) {
                rejection.reason = Some(Reason::new(NOT_LOOKED_UP));
            }
            return Err(rejection);
        }
    };
    accepted();
    let mut is_noted = false;
    directory.note_use(&known, now, || {
        is_noted = true;
        client().address
    });
    let rejected = |error, status| {
        let mut rejection = Rejection::new(error, ROUTE);
        (rejection.status, rejection.end, rejection.bearer) =
            (status, known.expires_at, Some(known.bearer()));
        rejection
    };
    let Some(facts) = CallerFacts::parse(&known.body) else {
        return Err(rejected(ApiError::Internal("the facts of a caller cannot be read".into()), None));
    };
    if let Some(why) = facts.refusal(rule) {
        return Err(rejected(ApiError::Forbidden(why), None));
    }
    let status = if settings.forward_auth_rate_limits { directory.count_token(known.token) } else { None };
    match status.map_or(Ok(()), |status| throttle::check(app, &status)) {
        Ok(()) => Ok(Allowed { known, now, status, is_noted }),
        Err(error) => Err(rejected(error, status)),
    }
}

#[cold]
fn refuse(app: &App, key: &str, refused: Unauthenticated, client: Option<IpAddr>) -> Box<Rejection> {
    let is_failure = matches!(refused, Unauthenticated::Failed(_));
    let is_guess = matches!(refused, Unauthenticated::InvalidToken(None));
    let (bearer, reason) = (refused.bearer(), Some(Reason::of_key(key, &refused)));
    let mut rejection = Rejection::new(caller::refusal(app, refused), ROUTE);
    (rejection.bearer, rejection.reason) = (bearer, reason);
    if app.settings().forward_auth_rate_limits && !is_failure {
        count_client(app, &mut rejection, client);
    } else if is_guess {
        // Without the setting no status is 429. But what is over the limit is not looked up.
        let _ = app.directory().count_address(client);
    }
    rejection
}

/// Counts a request without a good token against its client, if the setting is on.
fn count_client(app: &App, rejection: &mut Rejection, client: Option<IpAddr>) {
    let is_counted = app.settings().forward_auth_rate_limits;
    let Some(status) = is_counted.then(|| app.directory().count_address(client)).flatten() else { return };
    rejection.status = Some(status);
    if let Err(error) = throttle::check(app, &status) {
        rejection.error = error;
    }
}

fn result_of(error: &ApiError) -> &'static str {
    match error {
        ApiError::Unauthenticated(_) => "unauthenticated",
        ApiError::Forbidden(_) => "forbidden",
        ApiError::Throttled(_) => "throttled",
        _ => "unavailable",
    }
}

fn count(app: &App, rule: String, result: &'static str) {
    app.metrics().forward_auth.get_or_create_owned(&ForwardAuthLabels { rule, result }).inc();
}

impl Allowed {
    /// When the token ends.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.known.expires_at
    }

    /// The lines of the identity headers.
    pub(super) fn lines(&self) -> &[u8] {
        CallerFacts::parse(&self.known.body).map_or(&[], |facts| facts.lines)
    }

    fn into_response(self, app: &App) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        for line in self.lines().split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
            let value = parts.next().and_then(|value| HeaderValue::from_bytes(value.trim_ascii()).ok());
            if let (Some(name), Some(value)) = (name, value) {
                headers.insert(name, value);
            }
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        set_token_expiry(headers, self.end());
        if let Some(status) = &self.status {
            throttle::write_headers(status, headers);
        }
        with_bearer(with_common_headers(response, app, ROUTE), Some(self.known.bearer()))
    }
}
