//! Compares what a browser would let a page of another origin do: the rules of the Fetch standard
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>), applied to the responses of both servers.
//!
//! Only the outcome is compared. A server may say it in its own way: with `*` or the origin, with more methods or fewer.

use std::collections::BTreeSet;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
};
use http::{HeaderName, Method};
use serde_json::Value;

use super::client::{ProbeOutcome, Response};
use super::difference::{differences, header};
use super::expected::set;
use super::finding::{Difference, DifferenceKind};
use super::probe::{PageRequest, Preflight, Probe};

/// Headers that every page may read (the Fetch standard's safelist).
const READABLE: &str =
    "cache-control,content-language,content-length,content-type,expires,last-modified,pragma";

/// Returns all differences of two outcomes, without those in `ignored` JSON fields.
pub(super) fn all_differences(
    probe: &Probe,
    old: &ProbeOutcome,
    new: &ProbeOutcome,
    ignored: &[String],
) -> Vec<Difference> {
    let others = || differences(&probe.method, old, new, ignored);
    match (&probe.page, old, new) {
        (Some(page), Ok(old), Ok(new)) => match &page.preflight {
            Some(preflight) => {
                outcomes(preflight_outcome(page, preflight, old), preflight_outcome(page, preflight, new))
            }
            None => others().into_iter().chain(reading(page, old, new)).collect(),
        },
        _ => others(),
    }
}

/// Compares two outcomes: a page may do something, or why not.
fn outcomes(old: Result<(), String>, new: Result<(), String>) -> Vec<Difference> {
    if old.is_ok() == new.is_ok() {
        return Vec::new();
    }
    let shown = |outcome: Result<(), String>| {
        Some(Value::from(outcome.map_or_else(|why| format!("refused: {why}"), |()| "allowed".to_owned())))
    };
    vec![Difference::new(DifferenceKind::Header, "CORS", shown(old), shown(new))]
}

/// Compares what a page may read of a response.
fn reading(page: &PageRequest, old: &Response, new: &Response) -> Vec<Difference> {
    let [was, is] = [old, new].map(|response| origin_outcome(page, response));
    let is_readable = was.is_ok() && is.is_ok();
    let mut found = outcomes(was, is);
    if is_readable {
        found.extend(lost(old, new, &ACCESS_CONTROL_EXPOSE_HEADERS, "Access-Control-Expose-Headers"));
        // A page that sends `credentials: "include"` may read nothing without it.
        found.extend(lost(old, new, &ACCESS_CONTROL_ALLOW_CREDENTIALS, "Access-Control-Allow-Credentials"));
    }
    found
}

/// Returns the difference if the new response lacks items of the old one in this header.
fn lost(old: &Response, new: &Response, name: &HeaderName, shown: &str) -> Option<Difference> {
    let [was, is] = [old, new].map(|response| listed(response, name));
    let missing = was.iter().any(|item| !is.contains(item) && !set(READABLE).contains(item));
    let value = |response: &Response| header(&response.headers, name).map(Value::from);
    missing.then(|| Difference::new(DifferenceKind::Header, shown, value(old), value(new)))
}

fn preflight_outcome(page: &PageRequest, asked: &Preflight, response: &Response) -> Result<(), String> {
    if !(200..300).contains(&response.status) {
        return Err(format!("the status of the preflight is {}", response.status));
    }
    origin_outcome(page, response)?;
    let methods = listed(response, &ACCESS_CONTROL_ALLOW_METHODS);
    let method = asked.method.as_str().to_ascii_lowercase();
    let is_simple = [Method::GET, Method::HEAD, Method::POST].contains(&asked.method);
    if !is_simple && !methods.contains(&method) && !methods.contains("*") {
        return Err(format!("the method {} is not allowed", asked.method));
    }
    let allowed = listed(response, &ACCESS_CONTROL_ALLOW_HEADERS);
    let by_star = |name: &str| allowed.contains("*") && name != "authorization";
    match set(asked.headers).into_iter().find(|name| !allowed.contains(name) && !by_star(name)) {
        Some(name) => Err(format!("the header {name} is not allowed")),
        None => Ok(()),
    }
}

/// Whether the page's origin is allowed.
fn origin_outcome(page: &PageRequest, response: &Response) -> Result<(), String> {
    match header(&response.headers, &ACCESS_CONTROL_ALLOW_ORIGIN) {
        None => Err("there is no Access-Control-Allow-Origin".to_owned()),
        Some(allowed) if allowed == "*" || allowed.as_bytes() == page.origin.as_bytes() => Ok(()),
        Some(allowed) => Err(format!("Access-Control-Allow-Origin is {allowed}")),
    }
}

fn listed(response: &Response, name: &HeaderName) -> BTreeSet<String> {
    set(&header(&response.headers, name).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    const ORIGIN: HeaderValue = HeaderValue::from_static("https://app.example");

    fn response(status: u16, lines: &[(&'static str, &'static str)]) -> Response {
        let headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Response { status, headers, ..Response::default() }
    }

    const ALLOWED: (&str, &str) = ("access-control-allow-origin", "https://app.example");

    #[test]
    fn a_preflight_is_judged_as_a_browser_judges_it() {
        let methods = ("access-control-allow-methods", "GET, PATCH");
        let headers = ("access-control-allow-headers", "Authorization, content-type");
        let page = PageRequest { origin: ORIGIN, preflight: None };
        let asked = Preflight { method: Method::PATCH, headers: "authorization,content-type" };
        let outcome = |status, lines: &[(&'static str, &'static str)]| {
            preflight_outcome(&page, &asked, &response(status, lines)).err().unwrap_or_default()
        };
        assert_eq!(outcome(200, &[ALLOWED, methods, headers]), "");
        let star = ("access-control-allow-origin", "*");
        let stars = ("access-control-allow-methods", "*");
        assert_eq!(outcome(204, &[star, stars, headers]), "");
        for (status, lines, why) in [
            (401, vec![ALLOWED, methods, headers], "the status of the preflight is 401"),
            (200, vec![methods, headers], "there is no Access-Control-Allow-Origin"),
            (
                200,
                vec![("access-control-allow-origin", "https://b.example"), methods, headers],
                "Access-Control-Allow-Origin is https://b.example",
            ),
            (
                200,
                vec![ALLOWED, ("access-control-allow-methods", "GET"), headers],
                "the method PATCH is not allowed",
            ),
            (200, vec![ALLOWED, methods], "the header authorization is not allowed"),
            (
                200,
                vec![ALLOWED, methods, ("access-control-allow-headers", "*")],
                "the header authorization is not allowed",
            ),
        ] {
            assert_eq!(outcome(status, &lines), why);
        }
    }

    #[test]
    fn what_a_page_may_read_is_compared() {
        let page = PageRequest { origin: ORIGIN, preflight: None };
        let fields = |old: &[(&'static str, &'static str)], new: &[(&'static str, &'static str)]| {
            let found = reading(&page, &response(200, old), &response(200, new));
            found.into_iter().map(|difference| difference.field).collect::<Vec<_>>()
        };
        let exposed = ("access-control-expose-headers", "X-Total, Content-Type");
        let more = ("access-control-expose-headers", "etag, x-total");
        let credentials = ("access-control-allow-credentials", "true");
        assert!(fields(&[ALLOWED, exposed], &[ALLOWED, more]).is_empty());
        assert!(fields(&[], &[]).is_empty());
        assert!(fields(&[ALLOWED], &[("access-control-allow-origin", "*")]).is_empty());
        assert_eq!(fields(&[ALLOWED, more], &[ALLOWED, exposed]), ["Access-Control-Expose-Headers"]);
        assert_eq!(fields(&[ALLOWED, credentials], &[ALLOWED]), ["Access-Control-Allow-Credentials"]);
        assert_eq!(fields(&[ALLOWED], &[]), ["CORS"]);
        assert_eq!(fields(&[], &[ALLOWED]), ["CORS"]);
    }
}
