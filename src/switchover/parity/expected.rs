//! The expected differences, each with its reason: what Wardroom deliberately does differently from Django REST Framework, or
//! what the framework leaves open.
//!
//! Each rule is as narrow as possible, because a fault that it matches goes unnoticed. Never in here: a rule that depends on
//! how often something differs.

use std::collections::BTreeSet;

use http::Uri;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::client::Response;
use crate::directory::model::Timestamp;

/// Why a redirect to the path with a final slash is expected.
pub(super) const SLASH: &str = "Wardroom accepts paths with and without a final slash, without a redirect";
/// Why a different order of keys is expected.
pub(super) const KEY_ORDER: &str = "the keys of a JSON object have no order";
/// Why a different form of the same JSON is expected.
pub(super) const FORM: &str = "the same JSON with different white space or escapes";
/// Why a difference in cookies is expected.
pub(super) const COOKIE: &str = "Wardroom uses no cookies";
/// Why responses to `OPTIONS` differ.
pub(super) const DESCRIPTION: &str = "the response to OPTIONS describes the server, not the user";
const PAGE: &str = "Django responds with an HTML page, Wardroom with JSON";
const CHARSET: &str = "JSON is always UTF-8, whether Content-Type says so or not";
const MORE_METHODS: &str = "Wardroom allows more methods here";
const VARIES: &str =
    "Wardroom's responses depend on Accept, Authorization and, with CORS, Origin; not on cookies";
const TIME_FORM: &str = "Wardroom writes the same time in UTC, with Z and always six digits";
const SIGNED_IN: &str = "last_login changes when a user signs in on one side";
const GROUPS: &str = "the framework leaves the order of groups open; Wardroom sorts by id";
const ADDRESS: &str = "absolute URLs begin with each server's own address";
const PAGES_ONLY: &str = "it concerns pages in a browser window; Wardroom responds with JSON";

/// Security headers that the new response must not lose, and why one may be missing.
pub(super) const SECURITY: [(&str, Option<&str>); 8] = [
    ("content-security-policy", None),
    ("cross-origin-opener-policy", Some(PAGES_ONLY)),
    ("cross-origin-resource-policy", None),
    ("permissions-policy", None),
    ("referrer-policy", None),
    ("strict-transport-security", None),
    ("x-content-type-options", None),
    ("x-frame-options", None),
];

/// Fifteen minutes in microseconds. The offset of every time zone is a multiple of it.
const ZONE_STEP: i64 = 15 * 60 * 1_000_000;
const SECOND: i64 = 1_000_000;

/// Checks two values of the same type in the field of this name.
pub(super) fn value(name: &str, old: &Value, new: &Value) -> Option<&'static str> {
    match (old, new) {
        (Value::String(old), Value::String(new)) => {
            let moved = || (name == "last_login").then(|| signed_in(old, new))?;
            time(old, new).or_else(moved).or_else(|| address(old, new))
        }
        (Value::Array(old), Value::Array(new)) if name == "groups" => {
            let ids = |values: &[Value]| values.iter().map(Value::as_i64).collect::<Option<Vec<_>>>();
            let (mut old, new) = (ids(old)?, ids(new)?);
            old.sort_unstable();
            (old == new).then_some(GROUPS)
        }
        _ => None,
    }
}

/// Checks for the same time in another form. The new one must be exactly as Wardroom writes it.
fn time(old: &str, new: &str) -> Option<&'static str> {
    let (was, is) = (timestamp(old)?, timestamp(new)?);
    (was == is && is.to_string() == new).then_some(TIME_FORM)
}

/// Checks for a time that a sign-in changed. A lost fraction changes it by less than a second, and a misread time zone by an
/// exact multiple of a quarter of an hour: those are faults.
fn signed_in(old: &str, new: &str) -> Option<&'static str> {
    let (was, is) = (timestamp(old)?, timestamp(new)?);
    let moved = is.as_micros().saturating_sub(was.as_micros());
    let by_accident = moved.abs() < SECOND || moved % ZONE_STEP == 0;
    (!by_accident && is.to_string() == new).then_some(SIGNED_IN)
}

/// Parses a time. More than six digits are refused, because the rest would be cut off unnoticed.
fn timestamp(text: &str) -> Option<Timestamp> {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 6 { text.parse().ok() } else { None }
}

/// Checks for two absolute URLs that differ only in scheme and host.
pub(super) fn address(old: &str, new: &str) -> Option<&'static str> {
    (below_host(old)? == below_host(new)?).then_some(ADDRESS)
}

fn below_host(url: &str) -> Option<&str> {
    let uri: Uri = url.parse().ok()?;
    let site = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    let known = ["http", "https"].contains(&uri.scheme_str()?);
    url.get(site.len()..).filter(|_| known)
}

/// Checks for an error page that Django returned before the framework saw the request.
pub(super) fn page(old: &Response, new: &Response) -> Option<&'static str> {
    let refused = old.status == new.status && [400, 404].contains(&old.status);
    let html = media_type(header(old)?) == "text/html";
    // Responses to HEAD have no body to check.
    let readable = if old.body.is_empty() { new.body.is_empty() } else { new.json().is_some() };
    let json = media_type(header(new)?) == "application/json" && readable;
    (refused && html && json).then_some(PAGE)
}

fn header(response: &Response) -> Option<&str> {
    response.headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// Checks for two JSON content types that differ only in `charset`.
pub(super) fn content_type(old: Option<&str>, new: Option<&str>) -> Option<&'static str> {
    let (old, new) = (old?, new?);
    let json = media_type(old) == "application/json" && media_type(new) == "application/json";
    let utf8 = |value: &str| match value.split_once(';') {
        None => true,
        Some((_, parameter)) => parameter.trim().to_ascii_lowercase().replace('"', "") == "charset=utf-8",
    };
    (json && utf8(old) && utf8(new)).then_some(CHARSET)
}

fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Checks that the new response allows at least the methods of the old one.
pub(super) fn allow(old: Option<&str>, new: Option<&str>) -> Option<&'static str> {
    set(new?).is_superset(&set(old.unwrap_or_default())).then_some(MORE_METHODS)
}

/// Checks for the `Vary` headers that both servers are known to send.
pub(super) fn vary(old: Option<&str>, new: Option<&str>) -> Option<&'static str> {
    let (old, new) = (set(old.unwrap_or_default()), set(new?));
    // `Origin` on the old side alone means that only that one speaks CORS, which is worth a look.
    let ours =
        set(if new.contains("origin") { "accept, authorization, origin" } else { "accept, authorization" });
    let theirs: BTreeSet<_> = ours.iter().cloned().chain(set("cookie")).collect();
    (new == ours && old.is_subset(&theirs)).then_some(VARIES)
}

/// Splits a comma-separated list into its items, in lower case.
pub(super) fn set(list: &str) -> BTreeSet<String> {
    list.split(',').map(|item| item.trim().to_ascii_lowercase()).filter(|item| !item.is_empty()).collect()
}

/// Whether this is a key of the framework's description of a route.
pub(super) fn describes(name: &str) -> bool {
    ["name", "description", "renders", "parses", "actions"].contains(&name)
}
