//! Writes the answer of `GET /api/users/me` and of forward authentication byte by byte, head and body in one buffer.
//!
//! The caller decides what the answer depends on. What is the same for every answer is made once.

use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;

use crate::directory::limiter::RateLimitStatus;
use crate::directory::model::Timestamp;
use crate::http::api::ME;
use crate::http::cors::{self, VARIES_BY_ORIGIN};
use crate::http::headers::{UNCACHED, VARIES, http_date, secure_lines};
use crate::http::resource::Resource;
use crate::http::settings::HttpSettings;
use crate::http::throttle;
use crate::telemetry::{Metrics, OutcomeLabels, RequestLabels};

/// Room for the head of any answer, without the parts that a client may make long.
const HEAD_BYTES: usize = 768;

/// What is the same for every answer, made once.
pub(in crate::http) struct Prepared {
    /// The answer up to the request's id.
    head: Vec<u8>,
    /// The same over TLS.
    tls_head: Vec<u8>,
    date: Date,
    /// Counts good answers of the route.
    pub(super) answered: Counter,
    /// Counts keys accepted.
    pub(super) accepted: Counter,
}

/// What belongs to the head of one answer.
pub(super) struct AnswerHead<'a> {
    pub(super) now: Timestamp,
    /// When the token ends.
    pub(super) end: Option<Timestamp>,
    pub(super) status: Option<RateLimitStatus>,
    /// Whether the connection closes with it.
    pub(super) last: bool,
    /// The value of `Access-Control-Allow-Origin`, if the origin is named.
    pub(super) origin: Option<&'a [u8]>,
    /// Whether it goes out over TLS.
    pub(super) tls: bool,
    /// Headers of the route's own, each line with its end.
    pub(super) lines: &'a [u8],
    /// The length of the body.
    pub(super) length: usize,
}

impl Prepared {
    /// Prepares answers of `GET /api/users/me` for a server with these metrics and settings. `me` is the route.
    pub(in crate::http) fn new(metrics: &Metrics, me: Option<&Resource>, settings: &HttpSettings) -> Self {
        let varies = if settings.cors_origins.is_empty() { VARIES } else { VARIES_BY_ORIGIN };
        let allow = me.map(|me| String::from_utf8_lossy(me.allow().as_bytes()).into_owned());
        let allow = allow.map(|allow| format!("allow: {allow}\r\n")).unwrap_or_default();
        let own = format!("content-type: application/json\r\n{allow}");
        Self::of_route(metrics, ME, &own, varies, settings)
    }

    /// Prepares answers to `GET` of a route. `own` are the lines of headers that only its answers have.
    pub(super) fn of_route(
        metrics: &Metrics,
        route: &str,
        own: &str,
        varies: &str,
        settings: &HttpSettings,
    ) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\n{own}vary: {varies}\r\ncache-control: {UNCACHED}\r\n");
        let [head, tls_head] = [None, settings.hsts.as_ref()].map(|hsts| {
            let secure = secure_lines(hsts);
            format!("{head}{secure}x-request-id: ").into_bytes()
        });
        let labels = RequestLabels { route: route.to_owned(), method: "GET", status: 200 };
        let accepted = OutcomeLabels { outcome: "accepted" };
        Self {
            head,
            tls_head,
            date: Date::default(),
            answered: metrics.requests.get_or_create_owned(&labels),
            accepted: metrics.authentications.get_or_create_owned(&accepted),
        }
    }

    /// Appends the head of an answer; `id` appends the request's id.
    #[inline]
    pub(super) fn write_head(
        &self,
        answer: &AnswerHead<'_>,
        id: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        out.reserve(HEAD_BYTES + answer.lines.len() + answer.length);
        out.extend_from_slice(if answer.tls { &self.tls_head } else { &self.head });
        id(out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(answer.lines);
        if let Some(end) = answer.end {
            push(out, &[b"x-token-expires-at: ", end.to_string().as_bytes(), b"\r\n"]);
        }
        if let Some(status) = &answer.status {
            for (name, text) in throttle::headers(status) {
                push(out, &[name.as_str().as_bytes(), b": ", text.as_bytes(), b"\r\n"]);
            }
        }
        if let Some(origin) = answer.origin {
            cors::push_lines(origin, out);
        }
        if answer.last {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"content-length: ");
        push_decimal(out, answer.length);
        out.extend_from_slice(b"\r\ndate: ");
        self.date.push(answer.now, out);
        out.extend_from_slice(b"\r\n\r\n");
    }
}

pub(super) fn push(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

pub(super) fn push_decimal(out: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_decimal(out, number / 10);
    }
    out.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
}

/// The last second for which `Date` was written, and its text.
#[derive(Default)]
pub(super) struct Date(Mutex<(i64, String)>);

impl Date {
    pub(super) fn push(&self, now: Timestamp, out: &mut Vec<u8>) {
        let second = now.as_micros().div_euclid(1_000_000);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != second || last.1.is_empty() {
            *last = (second, http_date(now));
        }
        out.extend_from_slice(last.1.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_told_anew_each_second() {
        let date = Date::default();
        let written = |text: &str| {
            let mut out = Vec::new();
            date.push(text.parse().unwrap(), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("1970-01-01T00:00:00.5Z"), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(written("2026-11-25T22:46:03.999999Z"), "Wed, 25 Nov 2026 22:46:03 GMT");
        assert_eq!(written("2026-11-25T22:46:03Z"), "Wed, 25 Nov 2026 22:46:03 GMT");
        assert_eq!(written("2026-11-25T22:46:04Z"), "Wed, 25 Nov 2026 22:46:04 GMT");
        assert_eq!(
            written("2026-11-25T21:46:04Z"),
            "Wed, 25 Nov 2026 21:46:04 GMT",
            "also when the clock goes back"
        );
        assert_eq!(written("-000001-01-01T00:00:00Z"), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn lengths_are_written_as_format_writes_them() {
        for number in [0, 9, 10, 99, 100, 12_345, usize::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
