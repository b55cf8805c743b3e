//! Compares two responses: a pure function from two responses to the list of their differences.
//!
//! The status comes first: responses with different status are not compared further. Then come the headers that a client could
//! depend on, and then the body, field by field if it is JSON. Never in here: a request, or the text of a report.

use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

use super::client::{ProbeOutcome, Response};
use super::expected;
use super::fields;
use super::finding::{Difference, DifferenceKind};

/// Returns all differences of two outcomes, without those in `ignored` JSON fields.
pub(super) fn differences(
    method: &Method,
    old: &ProbeOutcome,
    new: &ProbeOutcome,
    ignored: &[String],
) -> Vec<Difference> {
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        _ => {
            return vec![Difference::new(
                DifferenceKind::NoResponse,
                "",
                Some(describe(old)),
                Some(describe(new)),
            )];
        }
    };
    let mut found = Vec::new();
    if old.slashed {
        let why = Some(expected::SLASH);
        let redirect =
            Difference::new(DifferenceKind::Redirect, "", Some("to the path with a slash".into()), None);
        found.push(redirect.expected(why));
    }
    if old.status != new.status {
        found.push(Difference::new(DifferenceKind::Status, "", Some(summary(old)), Some(summary(new))));
        found.extend(location(old, new));
        return found;
    }
    let page = expected::page(old, new);
    if let Some(why) = page {
        found.push(
            Difference::new(DifferenceKind::Body, "", Some(body(old)), Some(body(new))).expected(Some(why)),
        );
    }
    found.extend(headers(old, new, page.is_some()));
    if page.is_none() {
        found.extend(bodies(method, old, new, ignored));
    }
    found
}

fn describe(outcome: &ProbeOutcome) -> Value {
    match outcome {
        Ok(response) => summary(response),
        Err(why) => why.to_string().into(),
    }
}

/// Formats status and body in one line.
fn summary(response: &Response) -> Value {
    match body(response) {
        Value::String(text) if text.is_empty() => response.status.to_string().into(),
        Value::String(text) => format!("{} {text}", response.status).into(),
        json => format!("{} {json}", response.status).into(),
    }
}

/// Returns the body as JSON, or else as text.
fn body(response: &Response) -> Value {
    response.json().unwrap_or_else(|| String::from_utf8_lossy(&response.body).into_owned().into())
}

fn bodies(method: &Method, old: &Response, new: &Response, ignored: &[String]) -> Vec<Difference> {
    if old.body == new.body {
        return vec![];
    }
    let (Some(was), Some(is)) = (old.json(), new.json()) else {
        return vec![Difference::new(DifferenceKind::Body, "", Some(body(old)), Some(body(new)))];
    };
    let found = fields::differences(method, &was, &is, ignored);
    if found.is_empty() && was == is {
        let lossy = |response: &Response| Some(String::from_utf8_lossy(&response.body).into_owned().into());
        return vec![
            Difference::new(DifferenceKind::Form, "", lossy(old), lossy(new)).expected(Some(expected::FORM)),
        ];
    }
    found
}

fn headers(old: &Response, new: &Response, page: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    // Django's own pages lack the headers that the framework adds, and have another content type.
    if !page {
        found.extend(differing(old, new, &CONTENT_TYPE, expected::content_type));
        found.extend(differing(old, new, &ALLOW, expected::allow));
        found.extend(differing(old, new, &VARY, expected::vary));
    }
    found.extend(differing(old, new, &WWW_AUTHENTICATE, |_, _| None));
    found.extend(location(old, new));
    found.extend(present(old, new, &RETRY_AFTER, None));
    found.extend(present(old, new, &SET_COOKIE, Some(expected::COOKIE)));
    for (name, why) in expected::SECURITY {
        let name = HeaderName::from_static(name);
        found.extend(present(old, new, &name, why).filter(|difference| difference.new.is_none()));
    }
    let lengths = [old, new].map(length_of_head);
    if let [Some(was), Some(is)] = lengths
        && was != is
    {
        found.push(Difference::new(
            DifferenceKind::Header,
            &title(&CONTENT_LENGTH),
            Some(was.into()),
            Some(is.into()),
        ));
    }
    found
}

fn location(old: &Response, new: &Response) -> Option<Difference> {
    differing(old, new, &LOCATION, |old, new| expected::address(old?, new?))
}

/// Compares a header by value. `rule` gives the reason if the difference is expected. Several lines are joined to one list.
fn differing(
    old: &Response,
    new: &Response,
    name: &HeaderName,
    rule: impl Fn(Option<&str>, Option<&str>) -> Option<&'static str>,
) -> Option<Difference> {
    let (was, is) = (header(&old.headers, name), header(&new.headers, name));
    // These headers are sets: order and case do not matter.
    let differ = if [ALLOW, VARY].contains(name) {
        was.as_deref().map(expected::set) != is.as_deref().map(expected::set)
    } else {
        was != is
    };
    let why = rule(was.as_deref(), is.as_deref());
    differ.then(|| {
        Difference::new(DifferenceKind::Header, &title(name), was.map(Value::from), is.map(Value::from))
            .expected(why)
    })
}

/// Compares whether a header is present. Its value may vary or be secret, so it is not compared.
fn present(
    old: &Response,
    new: &Response,
    name: &HeaderName,
    why: Option<&'static str>,
) -> Option<Difference> {
    let shown = |response: &Response| match header(&response.headers, name) {
        Some(_) if *name == SET_COOKIE => Some(Value::from("(set)")),
        value => value.map(Value::from),
    };
    let (was, is) = (shown(old), shown(new));
    let differ = was.is_some() != is.is_some();
    differ.then(|| Difference::new(DifferenceKind::Header, &title(name), was, is).expected(why))
}

/// Describes how the length of a `HEAD` response relates to the body of the same `GET`.
fn length_of_head(response: &Response) -> Option<String> {
    let length = response.get_length?;
    Some(match header(&response.headers, &CONTENT_LENGTH) {
        None => "none with HEAD".to_owned(),
        Some(given) if given == length.to_string() => "the length of GET".to_owned(),
        Some(given) => format!("{given} with HEAD, {length} with GET"),
    })
}

pub(super) fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// Formats a header name as usual: `Content-Type`.
fn title(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| match word {
        "www" => "WWW".to_owned(),
        _ => word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default(),
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests;
