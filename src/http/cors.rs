//! CORS: which pages of other origins may read responses. The protocol is that of the Fetch standard
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A page of an origin that is not named gets no header of the protocol and otherwise the same answer as any client.
//! There are no cookies: keys travel in `Authorization`, so no answer allows credentials.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request};

use super::headers::VARIES;
use super::resource::RouteName;
use crate::config::CorsOrigins;

/// `Vary` where the origin decides too.
pub(super) const VARIES_BY_ORIGIN: &str = "Accept, Authorization, Origin";
/// The headers of responses that pages may read, besides those that the standard lets every page read.
const EXPOSED: &str =
    "ETag, X-Request-Id, X-Token-Expires-At, RateLimit, RateLimit-Policy, Retry-After, Location";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// The headers of requests that pages may set. The last four have no effect here; django-cors-headers allows them, and
/// pages that were written for it send them.
const REQUEST_HEADERS: [&str; 9] = [
    "authorization",
    "content-type",
    "if-match",
    "if-none-match",
    "x-request-id",
    "accept",
    "user-agent",
    "x-csrftoken",
    "x-requested-with",
];
/// How long a browser may remember a preflight, in seconds: a day, as with django-cors-headers. Browsers shorten it.
const MAX_AGE: &str = "86400";

/// Returns the value of `Access-Control-Allow-Origin` for a request, if its origin is named.
pub(super) fn allowed_origin(origins: &CorsOrigins, headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(ORIGIN).iter();
    let origin = given.next().filter(|_| given.next().is_none())?;
    HeaderValue::from_bytes(named(origins, origin.as_bytes())?).ok()
}

/// The same, for an `Origin` header that is the only one.
pub(super) fn named<'a>(origins: &CorsOrigins, origin: &'a [u8]) -> Option<&'a [u8]> {
    match origins.allows(origin) {
        true if origins.allows_any() => Some(b"*"),
        true => Some(origin),
        false => None,
    }
}

/// Answers a preflight of a named origin. It is not an access: nothing is counted or checked for it.
pub(super) fn preflight<B>(origins: &CorsOrigins, request: &Request<B>) -> Option<Response> {
    let headers = request.headers();
    let is_preflight =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight || allowed_origin(origins, headers).is_none() {
        return None;
    }
    let mut response = ().into_response();
    let allowed = response.headers_mut();
    allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    allowed.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    if let Some(names) = allowed_headers(headers) {
        allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    response.extensions_mut().insert(RouteName("preflight".to_owned()));
    Some(response)
}

/// Lists the headers that a preflight asks for and that pages may set.
fn allowed_headers(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|line| line.to_str().ok());
    let asked: Vec<_> = asked.flat_map(|line| line.split(',')).map(str::trim).collect();
    let is_asked = |name: &&&str| asked.iter().any(|asked| asked.eq_ignore_ascii_case(name));
    let names: Vec<_> = REQUEST_HEADERS.iter().filter(is_asked).copied().collect();
    if names.is_empty() { None } else { HeaderValue::from_str(&names.join(", ")).ok() }
}

/// Adds the headers of the protocol to a response.
pub(super) fn set_headers(allowed: Option<HeaderValue>, headers: &mut HeaderMap) {
    let varies = match headers.get(VARY) {
        Some(other) if other != VARIES => [other.as_bytes(), b", Origin"].concat(),
        Some(_) => VARIES_BY_ORIGIN.into(),
        None => b"Origin".to_vec(),
    };
    if let Ok(varies) = HeaderValue::from_bytes(&varies) {
        headers.insert(VARY, varies);
    }
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// Writes the headers of an allowed origin as lines, for answers that are written byte by byte.
pub(super) fn push_lines(origin: &[u8], out: &mut Vec<u8>) {
    for part in [
        b"access-control-allow-origin: ",
        origin,
        b"\r\naccess-control-expose-headers: ",
        EXPOSED.as_bytes(),
        b"\r\n",
    ] {
        out.extend_from_slice(part);
    }
}
