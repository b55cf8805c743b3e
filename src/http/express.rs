//! `GET /api/users/me` without detours: every page and every service asks it, so what is asked in the usual
//! way is answered here, from memory, before anybody parses it. Whatever is unusual (a query, a body, wishes
//! beyond plain JSON) goes the common way, through hyper and the routes, and gets the same answer; one that is refused
//! goes that way, too, with the refusal. `tests/it/express.rs` holds the two together.
//!
//! Never in here: a rule. Each step calls the one that the common way calls, in the contract's order.

mod answer;
mod head;
mod picture;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::response::Response;
use futures_util::FutureExt;

use self::answer::Answer;
pub(super) use self::answer::Prepared;
use self::head::Head;
use self::picture::{Picture, draw};
use super::api::{self, ME};
use super::app::App;
use super::caller::{self, Presented};
use super::error::ApiError;
use super::negotiate::{Negotiated, is_plain, wished};
use super::server::{Express, Peer};
use super::site::{Place, nearest};
use super::{InFlight, given_id, throttle};
use crate::config::AccessLog;
use crate::directory::limiter::RateLimitStatus;
use crate::directory::model::Timestamp;
use crate::directory::{Bearer, CachedIdentity, Denial, Identity, Unauthenticated};

/// What is known of a request that goes the common way.
pub struct Earlier {
    /// When it began.
    pub(super) started: Instant,
    /// What it is to be told, if that is known.
    pub(super) decided: Option<Box<Decided>>,
}

/// An answer that is not a success.
pub(super) struct Decided {
    failure: ApiError,
    /// How the request stands to its limit.
    status: Option<RateLimitStatus>,
    /// The end of the good token that it came with.
    end: Option<Timestamp>,
    /// Whose token it came with, if that is known.
    bearer: Option<Bearer>,
}

impl Earlier {
    /// Of a request that begins now.
    pub(super) fn nothing() -> Self {
        Self { started: Instant::now(), decided: None }
    }
}

impl Decided {
    /// The answer as the common way gives it.
    pub(super) fn told(self, app: &App) -> Response {
        let mut response = api::refused(self.failure, app, ME);
        api::tell_end(response.headers_mut(), self.end);
        if let Some(status) = self.status {
            throttle::tell(&status, response.headers_mut());
        }
        api::with_bearer(response, self.bearer)
    }
}

/// Answers the message that `bytes` begin with, if it is one of the usual, into `out`. It takes no longer than
/// [`Directory::recognise`](crate::directory::Directory::recognise), which is less than a second.
pub(super) async fn serve(
    app: &App,
    peer: Peer,
    bytes: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) -> Express<Earlier> {
    let Some(head) = Head::read(bytes) else { return Express::NotMine };
    if app.settings().access_log == AccessLog::All {
        return Express::NotMine;
    }
    let started = Instant::now();
    let _in_flight = InFlight::new(&app.metrics().in_flight);
    match unbroken(answer(app, peer, &head, last, out)).await {
        Ok(Some(last)) => {
            app.metrics().durations.0.observe(started.elapsed().as_secs_f64());
            Express::Answered { length: head.length, last }
        }
        Ok(None) => Express::HandedOn(Earlier { started, decided: None }),
        Err(decided) => Express::HandedOn(Earlier { started, decided: Some(decided) }),
    }
}

/// The outcome of `work`; a panic in it is an error inside, not a broken connection.
async fn unbroken<T>(work: impl Future<Output = Result<T, Box<Decided>>>) -> Result<T, Box<Decided>> {
    let broken = |_| Err(ApiError::Internal("the express lane panicked".into()).into());
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(broken)
}

/// Writes the answer and tells whether the connection closes with it; nothing when it is for the common way to
/// find it.
async fn answer(
    app: &App,
    peer: Peer,
    head: &Head<'_>,
    last: bool,
    out: &mut Vec<u8>,
) -> Result<Option<bool>, Box<Decided>> {
    let Some((place, key)) = usual(app, peer, head) else { return Ok(None) };
    let settings = &app.settings().site;
    let directory = app.directory();
    let client = || nearest(text(head.forwarded_for).unwrap_or_default(), settings, peer.address);
    let (known, now) = match directory.recognise(key, |identity: &Identity| draw(identity, settings)).await {
        Ok(known) => known,
        Err(refused) => {
            // Whoever sends no good token is counted before they are told so.
            let counted = !matches!(refused, Unauthenticated::Failed(_));
            let status = counted.then(|| directory.count_address(client())).flatten();
            let bearer = refused.bearer();
            let refusal = caller::refusal(app, refused);
            let failure = status.and_then(|status| throttle::allowed(app, &status).err());
            let failure = failure.unwrap_or(refusal);
            return Err(Box::new(Decided { failure, status, end: None, bearer }));
        }
    };
    let Some(picture) = Picture::of(&known.body) else { return Ok(None) };
    app.express().accepted.inc();
    directory.note_use(&known, now, client);
    let status = authorize(app, &known)?;
    app.express().answered.inc();
    let last = last || head.close;
    let answer = Answer { now, end: known.expires_at, status, picture, place, last, tls: peer.tls };
    let id = |out: &mut Vec<u8>| match given_id(app, peer, text(head.request_id)) {
        Some(id) => out.extend_from_slice(id.as_bytes()),
        None => directory.clock().write_request_id(out),
    };
    app.express().write(&answer, id, out);
    Ok(Some(last))
}

/// Whether somebody may have the answer, and how that counts against the limit.
fn authorize(app: &App, known: &CachedIdentity) -> Result<Option<RateLimitStatus>, Box<Decided>> {
    let refused = |failure, status| {
        let (end, bearer) = (known.expires_at, Some(known.bearer()));
        Box::new(Decided { failure, status, end, bearer })
    };
    if !known.may_enter {
        return Err(refused(ApiError::Forbidden(Denial::NoRight.to_string()), None));
    }
    let status = app.directory().count_token(known.token);
    match status.map_or(Ok(()), |status| throttle::allowed(app, &status)) {
        Ok(()) => Ok(status),
        Err(failure) => Err(refused(failure, status)),
    }
}

impl From<ApiError> for Box<Decided> {
    fn from(failure: ApiError) -> Self {
        Self::new(Decided { failure, status: None, end: None, bearer: None })
    }
}

/// Where a request that asks in the usual way arrived, and the key that it presents.
fn usual<'a>(app: &'a App, peer: Peer, head: &Head<'a>) -> Option<(Place<'a>, &'a str)> {
    let host = text(Some(head.host))?;
    let Peer { address, tls } = peer;
    let place = Place::of(Some(host), head.forwarded_proto, &app.settings().site, address, tls).ok()?;
    let plain = head.accept.is_none_or(|accept| {
        is_plain(accept)
            || text(Some(accept)).is_some_and(|text| wished(text).ok() == Some(Negotiated::PLAIN))
    });
    match caller::parse(head.authorization) {
        Presented::Key(key) if plain => Some((place, key)),
        _ => None,
    }
}

/// A header's value as text, if it is one by the common way's measure.
fn text(value: Option<&[u8]>) -> Option<&str> {
    value.filter(|value| value.is_ascii()).and_then(|value| std::str::from_utf8(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_inside() {
        assert_eq!(unbroken(async { Ok(1) }).await.ok(), Some(1));
        let broken = unbroken::<()>(async { panic!("asked for") }).await;
        assert!(broken.is_err_and(|decided| matches!(decided.failure, ApiError::Internal(_))));
    }
}
