//! `GET /api/users/me` without detours: every page and every service asks it, so what is asked in the usual
//! way is answered here, from memory, before anybody parses it. Whatever is unusual (a query, a body, wishes
//! beyond plain JSON, an answer other than 200) goes the common way, through hyper and the routes, and gets the
//! same answer; `tests/it/express.rs` holds the two together.
//!
//! Never in here: a rule. Each step calls the one that the common way calls, in the contract's order.

mod answer;
mod head;
mod picture;

use std::time::Instant;

use self::answer::Answer;
pub(super) use self::answer::Prepared;
use self::head::Head;
use self::picture::{Picture, draw};
use super::app::App;
use super::caller::{self, Presented};
use super::error::Failure;
use super::negotiate::{Negotiated, is_plain, wished};
use super::server::{Express, Peer};
use super::site::{Place, nearest};
use super::{InFlight, given_id};
use crate::config::AccessLog;
use crate::directory::model::Moment;
use crate::directory::{Identity, Recognised, Unauthenticated};

/// Answers the message that `bytes` begin with, if it is one of the usual, into `out`.
pub(super) async fn serve(
    app: &App,
    peer: Peer,
    bytes: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) -> Express<Failure> {
    let Some(head) = Head::read(bytes) else { return Express::NotMine };
    if app.settings().access_log == AccessLog::All {
        return Express::NotMine;
    }
    let started = Instant::now();
    let _in_flight = InFlight::new(&app.metrics().in_flight);
    let served = answer(app, peer, &head, last, out).await;
    if let Express::Answered { .. } = served {
        app.metrics().durations.0.observe(started.elapsed().as_secs_f64());
    }
    served
}

async fn answer(app: &App, peer: Peer, head: &Head<'_>, last: bool, out: &mut Vec<u8>) -> Express<Failure> {
    let Some((place, key)) = usual(app, peer, head) else { return Express::NotMine };
    let settings = &app.settings().site;
    let directory = app.directory();
    let known = match directory.recognise(key, |identity: &Identity| draw(identity, settings)).await {
        Ok(known) => known,
        // Who sends no good token is counted where all of them are.
        Err(Unauthenticated::InvalidToken | Unauthenticated::Inactive) if directory.has_rates() => {
            return Express::NotMine;
        }
        Err(refused) => return Express::Decided(caller::refusal(app, refused)),
    };
    if !known.may_enter {
        // The common way knows what belongs to an answer about a good token: its end, and that it was used.
        return Express::NotMine;
    }
    let Some(picture) = Picture::of(&known.picture) else { return Express::NotMine };
    let standing = directory.count_token(known.token);
    if standing.is_some_and(|standing| standing.exceeded) {
        // Counted again there: one more or less makes no difference to who is over the limit.
        return Express::NotMine;
    }
    let now = directory.clock().now();
    note(app, peer, head, &known, now);
    let last = last || head.close;
    let answer = Answer { now, end: known.expires_at, standing, picture, place, last };
    let id = |out: &mut Vec<u8>| match given_id(app, peer, text(head.request_id)) {
        Some(id) => out.extend_from_slice(id.as_bytes()),
        None => directory.clock().write_request_id(out),
    };
    app.express().write(&answer, id, out);
    Express::Answered { length: head.length, last }
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

fn note(app: &App, peer: Peer, head: &Head<'_>, known: &Recognised, now: Moment) {
    app.express().accepted.inc();
    app.express().answered.inc();
    let site = &app.settings().site;
    app.directory()
        .note_use(known, now, || nearest(text(head.forwarded_for).unwrap_or_default(), site, peer.address));
}

/// A header's value as text, if it is one by the common way's measure.
fn text(value: Option<&[u8]>) -> Option<&str> {
    value.filter(|value| value.is_ascii()).and_then(|value| std::str::from_utf8(value).ok())
}
