//! Rate limits of requests: when a request is counted, against what, and the headers that report it (`RateLimit-Policy`
//! and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10, `Retry-After` of RFC 9110).
//!
//! A request with a good token is counted when it is known to be allowed: after 401 and 403, before method and body.
//! One without is counted against its client.

use std::sync::{Arc, OnceLock};

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::app::App;
use super::error::ApiError;
use super::reason::Reason;
use crate::directory::Origin;
use crate::directory::limiter::RateLimitStatus;
use crate::telemetry::ThrottledLabels;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The rate limit of a request once it is counted. The extractor sets it and the pipeline reads it.
#[derive(Clone, Default)]
pub(super) struct CountedRequest(Arc<OnceLock<RateLimitStatus>>);

impl CountedRequest {
    /// Writes the headers, if there is a limit.
    pub(super) fn write_headers(&self, headers: &mut HeaderMap) {
        if let Some(status) = self.0.get() {
            write_headers(status, headers);
        }
    }

    /// Returns the reason to log, if the request was over the limit.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.0.get().and_then(reason)
    }
}

/// Returns the reason to log, if a request was over its limit.
pub(super) fn reason(status: &RateLimitStatus) -> Option<Reason> {
    let RateLimitStatus { policy, rate, exceeded, .. } = status;
    let text =
        || format!("over rate_limit_per_{policy}: {} requests in {} s", rate.requests, rate.window.as_secs());
    exceeded.then(|| Reason::new(text()))
}

/// Counts a request, once, against its token.
pub(super) fn count(
    app: &App,
    parts: &Parts,
    token: crate::directory::model::TokenId,
) -> Result<(), ApiError> {
    count_once(app, parts, || app.directory().count_token(token))
}

/// Counts a request without a good token against its client.
pub(super) fn count_client(app: &App, parts: &Parts) -> Result<(), ApiError> {
    let address = parts.extensions.get::<Origin>().and_then(Origin::ip);
    count_once(app, parts, || app.directory().count_address(address))
}

fn count_once(
    app: &App,
    parts: &Parts,
    count: impl FnOnce() -> Option<RateLimitStatus>,
) -> Result<(), ApiError> {
    let Some(counted) = parts.extensions.get::<CountedRequest>().filter(|counted| counted.0.get().is_none())
    else {
        return Ok(());
    };
    let Some(status) = count() else { return Ok(()) };
    let _ = counted.0.set(status);
    check(app, &status)
}

/// Checks that the request is within its limit.
pub(super) fn check(app: &App, status: &RateLimitStatus) -> Result<(), ApiError> {
    if !status.exceeded {
        return Ok(());
    }
    app.metrics().throttled.get_or_create(&ThrottledLabels { policy: status.policy }).inc();
    Err(ApiError::Throttled(seconds(status)))
}

fn seconds(status: &RateLimitStatus) -> u64 {
    status.reset.as_secs() + u64::from(status.reset.subsec_nanos() > 0)
}

/// Writes the headers.
pub(super) fn write_headers(status: &RateLimitStatus, map: &mut HeaderMap) {
    for (name, text) in headers(status) {
        if let Ok(value) = HeaderValue::try_from(text) {
            map.insert(name, value);
        }
    }
}

/// The names and values of the headers.
pub(super) fn headers(status: &RateLimitStatus) -> [(HeaderName, String); 2] {
    let RateLimitStatus { policy, rate, remaining, .. } = status;
    let policy_text = format!("\"{policy}\";q={};w={}", rate.requests, rate.window.as_secs());
    let state = format!("\"{policy}\";r={remaining};t={}", seconds(status));
    [(RATE_LIMIT_POLICY, policy_text), (RATE_LIMIT, state)]
}
