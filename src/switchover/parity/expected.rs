//! The differences that are intended, with the reason for each: what Wardroom does on purpose otherwise than
//! Django REST Framework, or what the framework leaves open.
//!
//! Each rule is as narrow as it can be told: what it lets pass is a fault that nobody will see. Never in here: a
//! rule that looks at how often something differs.

use std::collections::BTreeSet;

use http::Uri;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::client::Answer;
use crate::directory::model::Timestamp;

/// Why a redirect to the path with a slash was followed.
pub(super) const SLASH: &str = "Wardroom answers with and without a slash at the end, without a redirect";
/// Why another order of keys is no fault.
pub(super) const KEY_ORDER: &str = "the keys of a JSON object have no order";
/// Why another form of the same JSON is no fault.
pub(super) const FORM: &str = "the same JSON, written with other white space or escapes";
/// Why cookies may come and go.
pub(super) const COOKIE: &str = "Wardroom uses no cookies";
/// Why answers to `OPTIONS` differ.
pub(super) const DESCRIPTION: &str = "the answer to OPTIONS describes the server, not the person";
const PAGE: &str = "Django answers this with an HTML page, Wardroom with JSON";
const CHARSET: &str = "JSON is always UTF-8, whether the type says so or not";
const MORE_METHODS: &str = "Wardroom allows more methods here";
const VARIES: &str = "Wardroom's answers depend on Accept and Authorization, and on no cookie";
const TIME_FORM: &str = "Wardroom writes the same time in UTC with Z and always six digits";
const SIGNED_IN: &str = "last_login moves with a sign-in on one side";
const GROUPS: &str = "the framework leaves the order of groups open; Wardroom's ids ascend";
const ADDRESS: &str = "absolute URLs begin with each server's own address";
const PAGES_ONLY: &str = "it is about pages in a browser's window; Wardroom's answer is JSON";

/// Headers that protect, which must not be lost; and why one may be.
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

/// Fifteen minutes in microseconds, of which every time zone's offset is a multiple.
const ZONE_STEP: i64 = 15 * 60 * 1_000_000;
const SECOND: i64 = 1_000_000;

/// Two values of the same type in the field of this name.
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

/// The same time, written otherwise; the new one exactly as Wardroom writes it.
fn time(old: &str, new: &str) -> Option<&'static str> {
    let (was, is) = (moment(old)?, moment(new)?);
    (was == is && is.to_string() == new).then_some(TIME_FORM)
}

/// A sign-in moves the time by any amount. A fraction that got lost, or a time zone that was misread, moves it by
/// less than a second, or by quarters of an hour to the microsecond: these are faults.
fn signed_in(old: &str, new: &str) -> Option<&'static str> {
    let (was, is) = (moment(old)?, moment(new)?);
    let moved = is.as_micros().saturating_sub(was.as_micros());
    let by_accident = moved.abs() < SECOND || moved % ZONE_STEP == 0;
    (!by_accident && is.to_string() == new).then_some(SIGNED_IN)
}

/// A time to the microsecond at the finest: what is cut off could not be told apart.
fn moment(text: &str) -> Option<Timestamp> {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 6 { text.parse().ok() } else { None }
}

/// Two absolute URLs that differ in scheme and host alone.
pub(super) fn address(old: &str, new: &str) -> Option<&'static str> {
    (below_host(old)? == below_host(new)?).then_some(ADDRESS)
}

fn below_host(url: &str) -> Option<&str> {
    let uri: Uri = url.parse().ok()?;
    let site = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    let known = ["http", "https"].contains(&uri.scheme_str()?);
    url.get(site.len()..).filter(|_| known)
}

/// A refusal that Django made before the framework saw the request.
pub(super) fn page(old: &Answer, new: &Answer) -> Option<&'static str> {
    let refused = old.status == new.status && [400, 404].contains(&old.status);
    let html = media_type(header(old)?) == "text/html";
    // Answers to HEAD have no body to look at.
    let readable = if old.body.is_empty() { new.body.is_empty() } else { new.json().is_some() };
    let json = media_type(header(new)?) == "application/json" && readable;
    (refused && html && json).then_some(PAGE)
}

fn header(answer: &Answer) -> Option<&str> {
    answer.headers.get(CONTENT_TYPE)?.to_str().ok()
}

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

/// More methods than before take nothing away.
pub(super) fn allow(old: Option<&str>, new: Option<&str>) -> Option<&'static str> {
    set(new?).is_superset(&set(old.unwrap_or_default())).then_some(MORE_METHODS)
}

pub(super) fn vary(old: Option<&str>, new: Option<&str>) -> Option<&'static str> {
    let ours = set("accept, authorization");
    let theirs = set("accept, authorization, cookie");
    (set(new?) == ours && set(old.unwrap_or_default()).is_subset(&theirs)).then_some(VARIES)
}

/// The items of a list with commas, in lower case.
pub(super) fn set(list: &str) -> BTreeSet<String> {
    list.split(',').map(|item| item.trim().to_ascii_lowercase()).filter(|item| !item.is_empty()).collect()
}

/// Whether this is one of the keys of the framework's description of a route.
pub(super) fn describes(name: &str) -> bool {
    ["name", "description", "renders", "parses", "actions"].contains(&name)
}
