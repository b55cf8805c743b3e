//! From two answers to the list of their differences: a pure function.
//!
//! Status first: answers of different status have nothing else to compare. Then the headers that a client could
//! depend on, then the body, field by field where it is JSON. Never in here: a request, or text for people.

use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

use super::client::{Answer, Outcome};
use super::expected;
use super::fields;
use super::finding::{Difference, Kind};

/// Everything in which the two differ, but for the JSON fields that are `ignored`.
pub(super) fn differences(
    method: &Method,
    old: &Outcome,
    new: &Outcome,
    ignored: &[String],
) -> Vec<Difference> {
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        _ => return vec![Difference::new(Kind::NoAnswer, "", Some(said(old)), Some(said(new)))],
    };
    let mut found = Vec::new();
    if old.slashed {
        let why = Some(expected::SLASH);
        let redirect = Difference::new(Kind::Redirect, "", Some("to the path with a slash".into()), None);
        found.push(redirect.expected(why));
    }
    if old.status != new.status {
        found.push(Difference::new(Kind::Status, "", Some(summary(old)), Some(summary(new))));
        found.extend(location(old, new));
        return found;
    }
    let page = expected::page(old, new);
    if let Some(why) = page {
        found.push(Difference::new(Kind::Body, "", Some(body(old)), Some(body(new))).expected(Some(why)));
    }
    found.extend(headers(old, new, page.is_some()));
    if page.is_none() {
        found.extend(bodies(method, old, new, ignored));
    }
    found
}

fn said(outcome: &Outcome) -> Value {
    match outcome {
        Ok(answer) => summary(answer),
        Err(why) => why.to_string().into(),
    }
}

/// Status and body in one line.
fn summary(answer: &Answer) -> Value {
    match body(answer) {
        Value::String(text) if text.is_empty() => answer.status.to_string().into(),
        Value::String(text) => format!("{} {text}", answer.status).into(),
        json => format!("{} {json}", answer.status).into(),
    }
}

/// The body as JSON, or else as text.
fn body(answer: &Answer) -> Value {
    answer.json().unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned().into())
}

fn bodies(method: &Method, old: &Answer, new: &Answer, ignored: &[String]) -> Vec<Difference> {
    if old.body == new.body {
        return vec![];
    }
    let (Some(was), Some(is)) = (old.json(), new.json()) else {
        return vec![Difference::new(Kind::Body, "", Some(body(old)), Some(body(new)))];
    };
    let found = fields::differences(method, &was, &is, ignored);
    if found.is_empty() && was == is {
        let lossy = |answer: &Answer| Some(String::from_utf8_lossy(&answer.body).into_owned().into());
        return vec![Difference::new(Kind::Form, "", lossy(old), lossy(new)).expected(Some(expected::FORM))];
    }
    found
}

fn headers(old: &Answer, new: &Answer, page: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    // A page of Django's has none of the headers that the framework adds, and says so by its type.
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
        found.push(Difference::new(Kind::Header, &title(&CONTENT_LENGTH), Some(was.into()), Some(is.into())));
    }
    found
}

fn location(old: &Answer, new: &Answer) -> Option<Difference> {
    differing(old, new, &LOCATION, |old, new| expected::address(old?, new?))
}

/// A header whose values differ, with the reason that a rule gives for it. Several lines are one list.
fn differing(
    old: &Answer,
    new: &Answer,
    name: &HeaderName,
    rule: impl Fn(Option<&str>, Option<&str>) -> Option<&'static str>,
) -> Option<Difference> {
    let (was, is) = (header(&old.headers, name), header(&new.headers, name));
    // A set may come in any order, and its items in any case.
    let differ = if [ALLOW, VARY].contains(name) {
        was.as_deref().map(expected::set) != is.as_deref().map(expected::set)
    } else {
        was != is
    };
    let why = rule(was.as_deref(), is.as_deref());
    differ.then(|| {
        Difference::new(Kind::Header, &title(name), was.map(Value::from), is.map(Value::from)).expected(why)
    })
}

/// A header that one side alone has. Values that move, or are secret, are not compared.
fn present(old: &Answer, new: &Answer, name: &HeaderName, why: Option<&'static str>) -> Option<Difference> {
    let shown = |answer: &Answer| match header(&answer.headers, name) {
        Some(_) if *name == SET_COOKIE => Some(Value::from("(set)")),
        value => value.map(Value::from),
    };
    let (was, is) = (shown(old), shown(new));
    let differ = was.is_some() != is.is_some();
    differ.then(|| Difference::new(Kind::Header, &title(name), was, is).expected(why))
}

/// What an answer to `HEAD` says of the length, compared with the body that the same server's `GET` got.
fn length_of_head(answer: &Answer) -> Option<String> {
    let length = answer.get_length?;
    Some(match header(&answer.headers, &CONTENT_LENGTH) {
        None => "none with HEAD".to_owned(),
        Some(said) if said == length.to_string() => "the length of GET".to_owned(),
        Some(said) => format!("{said} with HEAD, {length} with GET"),
    })
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// `content-type` as it is usually written.
fn title(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| match word {
        "www" => "WWW".to_owned(),
        _ => word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default(),
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests;
