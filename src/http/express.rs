//! The express lane: answers `GET /api/users/me` from memory, before a parser reads the request.
//!
//! Every page and every service sends this request. One in the usual form is answered here. An unusual one (a query, a
//! body, an Accept beyond plain JSON) goes the common way, through hyper and the routes, and gets the same answer. One
//! that is rejected here goes the common way with its rejection. `tests/it/express.rs` compares the two ways.
//!
//! There is no rule here: each step calls the function that the common way calls, in the contract's order.

mod answer;
mod body;
pub(super) mod forward_auth;
mod head;
pub(super) mod media;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Instant;

use futures_util::FutureExt;

use self::answer::AnswerHead;
pub(super) use self::answer::Prepared;
use self::body::{CachedBody, render};
use self::head::Head;
use super::api::ME;
use super::app::App;
use super::caller::{self, Presented, lacks};
use super::cors;
use super::error::ApiError;
use super::negotiate::{Negotiated, is_plain, negotiate_accept};
use super::pipeline::Rejection;
use super::reason::Reason;
use super::request_log::{InFlight, given_id, note_unreadable_client};
use super::site::{BaseUrl, nearest};
use super::throttle;
use crate::config::AccessLog;
use crate::directory::limiter::RateLimitStatus;
use crate::directory::model::{ActivityKind, Scope};
use crate::directory::{CachedIdentity, Denial, Identity, Unauthenticated};
use crate::server::{Express, Peer};

/// What the express lane knows of a request that goes the common way.
pub struct FastPathMiss {
    /// When it began.
    pub(super) started: Instant,
    /// Why it is rejected, if it is.
    pub(super) rejection: Option<Box<Rejection>>,
}

impl FastPathMiss {
    /// For a request that begins now and of which nothing is known.
    pub(super) fn now() -> Self {
        Self { started: Instant::now(), rejection: None }
    }
}

/// Answers the message that `bytes` begin with, if it has the usual form, into `out`. It takes no longer than
/// [`Directory::recognise`](crate::directory::Directory::recognise), which is less than a second.
pub(super) async fn serve(
    app: &App,
    prepared: &Prepared,
    peer: Peer,
    bytes: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) -> Express<FastPathMiss> {
    let Some(head) = Head::read(bytes) else { return Express::NotMine };
    if app.settings().access_log == AccessLog::All {
        return Express::NotMine;
    }
    let started = Instant::now();
    let _in_flight = InFlight::new(&app.metrics().in_flight);
    // Pinned where it is made, like each future below: it is large, and no request moves it.
    let work = pin!(answer(app, prepared, peer, &head, last, out));
    match catch_panic(work).await {
        Ok(Some(last)) => {
            app.metrics().durations.0.observe(started.elapsed().as_secs_f64());
            Express::Answered { length: head.length, last }
        }
        Ok(None) => Express::HandedOn(FastPathMiss { started, rejection: None }),
        Err(rejection) => Express::HandedOn(FastPathMiss { started, rejection: Some(rejection) }),
    }
}

/// Runs `work`. A panic in it becomes an internal error, not a broken connection.
async fn catch_panic<T>(work: impl Future<Output = Result<T, Box<Rejection>>>) -> Result<T, Box<Rejection>> {
    let panicked = |_| Err(Rejection::new(ApiError::Internal("the express lane panicked".into()), ME));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(panicked)
}

/// Writes the answer and returns whether the connection closes with it; `None` leaves the answer to the common way.
async fn answer(
    app: &App,
    prepared: &Prepared,
    peer: Peer,
    head: &Head<'_>,
    last: bool,
    out: &mut Vec<u8>,
) -> Result<Option<bool>, Box<Rejection>> {
    let Some((base, key)) = usual(app, peer, head) else { return Ok(None) };
    let settings = &app.settings().site;
    let directory = app.directory();
    let client = || nearest(head.forwarded_for.unwrap_or_default(), settings, peer.address);
    let from = || client().known();
    let recognised = pin!(directory.recognise(key, from, |identity: &Identity| render(identity, settings)));
    let (known, now) = match recognised.await {
        Ok(known) => known,
        Err(refused) => {
            // A request without a good token is counted before it is answered.
            let counted = !matches!(refused, Unauthenticated::Failed(_));
            let status = counted.then(|| directory.count_address(client().address)).flatten();
            let (bearer, reason) = (refused.bearer(), Some(Reason::of_key(key, &refused)));
            let refusal = caller::refusal(app, refused);
            let throttled = status.and_then(|status| throttle::check(app, &status).err());
            let error = throttled.unwrap_or(refusal);
            return Err(Box::new(Rejection { error, route: ME, status, end: None, bearer, reason }));
        }
    };
    let Some(body) = CachedBody::parse(&known.body) else { return Ok(None) };
    prepared.accepted.inc();
    let mut found = None;
    directory.note_use(&known, now, || found.insert(client()).address);
    let status = authorize(app, &known)?;
    prepared.answered.inc();
    directory.note_activity(ActivityKind::RequestAnswered);
    let last = last || head.close;
    let origin = head.origin.and_then(|origin| cors::named(&app.settings().cors_origins, origin));
    let (end, length, tls) = (known.expires_at, body.length(&base), peer.tls);
    let parts = AnswerHead { now, end, status, last, origin, tls, lines: &[], length };
    let id = |out: &mut Vec<u8>| match given_id(app, peer, text(head.request_id)) {
        Some(id) => out.extend_from_slice(id.as_bytes()),
        None => directory.clock().write_request_id(out),
    };
    prepared.write_head(&parts, id, out);
    body.push(&base, out);
    // The common way logs this too, of what is answered there.
    if let Some(client) = found {
        note_unreadable_client(app, client);
    }
    Ok(Some(last))
}

/// Checks that the user may have the answer, and counts the request against the token's limit.
fn authorize(app: &App, known: &CachedIdentity) -> Result<Option<RateLimitStatus>, Box<Rejection>> {
    let rejection = |error, status| {
        let (end, bearer) = (known.expires_at, Some(known.bearer()));
        Box::new(Rejection { error, route: ME, status, end, bearer, reason: None })
    };
    if !known.may_enter {
        let error = match known.has_me_read {
            true => ApiError::Forbidden(Denial::NoRight.to_string()),
            false => lacks(Scope::MeRead),
        };
        return Err(rejection(error, None));
    }
    let status = app.directory().count_token(known.token);
    match status.map_or(Ok(()), |status| throttle::check(app, &status)) {
        Ok(()) => Ok(status),
        Err(error) => Err(rejection(error, status)),
    }
}

/// The base URL and the key of a request in the usual form.
fn usual<'a>(app: &'a App, peer: Peer, head: &Head<'a>) -> Option<(BaseUrl<'a>, &'a str)> {
    let host = text(Some(head.host))?;
    let Peer { address, tls } = peer;
    let base = BaseUrl::of(Some(host), head.forwarded_proto, &app.settings().site, address, tls).ok()?;
    if !base.is_scheme_known() {
        return None;
    }
    let plain = head.accept.is_none_or(|accept| {
        is_plain(accept)
            || text(Some(accept)).is_some_and(|text| negotiate_accept(text).ok() == Some(Negotiated::PLAIN))
    });
    match caller::parse(head.authorization, &app.settings().token_keywords) {
        Presented::Key(key) if plain => Some((base, key)),
        _ => None,
    }
}

/// A header's value as text, if the common way would take it for text.
fn text(value: Option<&[u8]>) -> Option<&str> {
    value.filter(|value| value.is_ascii()).and_then(|value| std::str::from_utf8(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_inside() {
        assert_eq!(catch_panic(async { Ok(1) }).await.ok(), Some(1));
        let panicked = catch_panic::<()>(async { panic!("asked for") }).await;
        assert!(panicked.is_err_and(|rejection| matches!(rejection.error, ApiError::Internal(_))));
    }
}
