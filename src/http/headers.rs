//! Headers that many answers share.

use std::time::{Duration, SystemTime};

use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

use crate::directory::model::Timestamp;

/// The id of a request, in the request and in its answer.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_TOKEN_EXPIRES_AT: HeaderName = HeaderName::from_static("x-token-expires-at");

/// The value of `Vary`: the request headers that an answer depends on.
pub(super) const VARIES: &str = "Accept, Authorization";
/// The value of `Cache-Control` for answers that no cache may keep.
pub(super) const UNCACHED: &str = "private, no-store";

/// The headers that restrict what browsers do with any answer.
pub(super) const SECURE: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Writes the security headers as lines, for answers that are written byte by byte.
pub(super) fn secure_lines(hsts: Option<&HeaderValue>) -> String {
    lines_without(None, hsts)
}

/// Does the same for an answer that has a policy of its own.
pub(super) fn secure_lines_of_page(hsts: Option<&HeaderValue>) -> String {
    lines_without(Some(CONTENT_SECURITY_POLICY), hsts)
}

fn lines_without(left_out: Option<HeaderName>, hsts: Option<&HeaderValue>) -> String {
    let hsts = hsts.and_then(|value| value.to_str().ok()).map(|value| (STRICT_TRANSPORT_SECURITY, value));
    let kept = SECURE.into_iter().filter(|(name, _)| left_out.as_ref() != Some(name));
    kept.chain(hsts).map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

/// Writes a time as HTTP's headers have it (RFC 9110, section 5.6.7).
pub(super) fn http_date(now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_micros().div_euclid(1_000_000)).unwrap_or(0);
    // HTTP has no dates before 1970 and after 9999, and no real clock shows them.
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799)))
}

/// Adds the time at which a token ends, if it ends.
pub(super) fn set_token_expiry(headers: &mut HeaderMap, end: Option<Timestamp>) {
    if let Some(end) = end.and_then(|end| HeaderValue::try_from(end.to_string()).ok()) {
        headers.insert(X_TOKEN_EXPIRES_AT, end);
    }
}
