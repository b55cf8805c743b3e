//! `GET /api/users/me` without detours: every page and every service asks it, so what is asked in the usual
//! way is answered here, from memory. Whatever is unusual (a query, a body, wishes beyond plain JSON) goes the
//! common way and gets the same answer; `tests/it/express.rs` holds the two together.
//!
//! Never in here: a rule. Each step calls the one that the common way calls.

use std::collections::HashMap;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request};
use prometheus_client::metrics::counter::Counter;

use super::api::view::Me;
use super::api::{self, ME};
use super::app::App;
use super::caller::{self, Presented};
use super::error::Failure;
use super::negotiate::{Negotiated, is_plain, negotiate};
use super::server::Peer;
use super::site::{self, Place, Site, SiteSettings};
use super::{X_REQUEST_ID, request_id, throttle};
use crate::config::AccessLog;
use crate::directory::{Denial, Identity, Recognised, Unauthenticated};
use crate::telemetry::{Metrics, OutcomeLabels, RequestLabels};

/// What became of a request here.
pub(super) enum Outcome {
    /// It is answered.
    Answered(Response),
    /// It is decided, and for the common way to tell.
    Refused(Failure),
    /// It is not one of these.
    NotMine,
}

/// Answers the request if it is one of the usual.
pub(super) async fn serve<B>(app: &App, peer: Peer, request: &Request<B>) -> Outcome {
    let Some(key) = usual(app, request) else { return Outcome::NotMine };
    let settings = app.settings();
    let Ok(place) = Place::of(request, &settings.site, peer.address, peer.tls) else {
        return Outcome::NotMine;
    };
    let draw = |identity: &Identity| Picture::draw(identity, &settings.site);
    let known = match app.directory().recognise(key, draw).await {
        Ok(known) => known,
        // Who sends no good token is counted where all of them are.
        Err(Unauthenticated::InvalidToken | Unauthenticated::Inactive) if app.directory().has_rates() => {
            return Outcome::NotMine;
        }
        Err(refused) => return Outcome::Refused(caller::refusal(app, refused)),
    };
    if !known.may_enter {
        caller::count(app, "accepted");
        return Outcome::Refused(Failure::Forbidden(Denial::NoRight.to_string()));
    }
    let standing = app.directory().count_token(known.token);
    if standing.is_some_and(|standing| standing.exceeded) {
        // Counted again there: one more or less makes no difference to who is over the limit.
        return Outcome::NotMine;
    }
    let Some(body) = Picture::hang(&known.picture, &place) else { return Outcome::NotMine };
    app.express().accepted.inc();
    app.express().answered.inc();
    app.directory().note_use(&known, || site::client(request.headers(), &settings.site, peer.address));
    let mut response = response(app, peer, request.headers(), &known, body);
    if let Some(standing) = standing {
        throttle::tell(&standing, response.headers_mut());
    }
    Outcome::Answered(response)
}

/// The key of a request that asks in the usual way and presents one.
fn usual<'a, B>(app: &App, request: &'a Request<B>) -> Option<&'a str> {
    let uri = request.uri();
    let asked = request.method() == Method::GET && matches!(uri.path(), "/api/users/me" | "/api/users/me/");
    if !asked || uri.query().is_some() || app.settings().access_log == AccessLog::All {
        return None;
    }
    let (mut credentials, mut wishes) = (None, None);
    for (name, value) in request.headers() {
        if name == AUTHORIZATION {
            if credentials.replace(value.as_bytes()).is_some() {
                return None;
            }
        } else if name == ACCEPT {
            if wishes.replace(value.as_bytes()).is_some() {
                return None;
            }
        } else if name == CONTENT_LENGTH || name == TRANSFER_ENCODING || name == EXPECT {
            return None;
        }
    }
    if wishes.is_some_and(|wishes| !is_plain(wishes))
        && negotiate(None, request.headers()).ok() != Some(Negotiated::PLAIN)
    {
        return None;
    }
    match caller::parse(credentials?) {
        Presented::Key(key) => Some(key),
        Presented::Nothing | Presented::Malformed(_) => None,
    }
}

/// What is kept of a person's answer: its JSON without the site in front of the avatar's path, after the
/// place (four bytes, little-endian) where the site belongs; 0 when there is no avatar.
struct Picture;

impl Picture {
    const AVATAR: &'static [u8] = b",\"avatar\":\"";

    fn draw(identity: &Identity, settings: &SiteSettings) -> Bytes {
        let me = Me::new(&identity.user, &Site::nowhere(settings));
        // A string holds no bare quote, so the first match is the key.
        let json = super::json::compact(&me).unwrap_or_default();
        let found = json.windows(Self::AVATAR.len()).position(|part| part == Self::AVATAR);
        let place = found.and_then(|start| u32::try_from(start + Self::AVATAR.len()).ok()).unwrap_or(0);
        let mut picture = BytesMut::with_capacity(4 + json.len());
        picture.extend_from_slice(&place.to_le_bytes());
        picture.extend_from_slice(&json);
        picture.freeze()
    }

    /// The body for a site. A site is letters, digits and `.:-[]/`, none of which JSON escapes.
    fn hang(picture: &Bytes, site: &Place<'_>) -> Option<Bytes> {
        let (place, json) = picture.split_first_chunk::<4>()?;
        match usize::try_from(u32::from_le_bytes(*place)).ok()? {
            0 if json.is_empty() => None,
            0 => Some(picture.slice(4..)),
            place => {
                let (before, after) = json.split_at_checked(place)?;
                let mut body = Vec::with_capacity(json.len() + 64);
                body.extend_from_slice(before);
                site.push_to(&mut body);
                body.extend_from_slice(after);
                Some(body.into())
            }
        }
    }
}

fn response(app: &App, peer: Peer, asked: &HeaderMap, known: &Recognised, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    // Copying a map costs less than filling one.
    let mut headers = app.express().headers.clone();
    if let Ok(id) = HeaderValue::from_maybe_shared(Bytes::from(request_id(app, peer, asked))) {
        headers.insert(X_REQUEST_ID, id);
    }
    if let Some(end) = known.expires_at.and_then(|end| HeaderValue::try_from(end.to_string()).ok()) {
        headers.insert("x-token-expires-at", end);
    }
    *response.headers_mut() = headers;
    response
}

/// What is the same for every answer here, made once.
pub(super) struct Prepared {
    /// The headers.
    headers: HeaderMap,
    /// Counts good answers of `GET /api/users/me`.
    answered: Counter,
    /// Counts keys accepted.
    accepted: Counter,
}

impl Prepared {
    /// For a server with these metrics and these routes.
    pub(super) fn new(metrics: &Metrics, resources: &HashMap<String, api::Resource>) -> Self {
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(me) = resources.get(ME) {
            headers.insert(ALLOW, me.allow());
        }
        headers.insert(VARY, HeaderValue::from_static(api::VARIES));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(api::UNCACHED));
        super::secure(&mut headers);
        let labels = RequestLabels { route: ME.to_owned(), method: "GET", status: 200 };
        let accepted = OutcomeLabels { outcome: "accepted" };
        Self {
            headers,
            answered: metrics.requests.get_or_create_owned(&labels),
            accepted: metrics.authentications.get_or_create_owned(&accepted),
        }
    }
}
