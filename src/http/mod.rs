//! The HTTP floor: from a connection to an answer.
//!
//! A request's way, in running order: `server` accepts, `express` answers what is asked most, `wire` refuses what
//! is not strict HTTP/1.1, [`Front`] (below) gives the request its id, holds it to host, path and limits, and catches whatever
//! goes wrong; then the router: [`ops`] or [`api`], where `negotiate` and `caller` stand before the
//! handlers.
//!
//! Never in here: SQL, rules about users and rights. Handlers ask the directory.

pub mod api;
pub mod app;
pub mod body;
pub mod caller;
mod conditions;
mod docs;
pub mod error;
mod express;
pub mod json;
mod multipart;
pub mod negotiate;
pub mod ops;
mod outgoing;
mod path;
mod problem;
mod request_log;
pub mod site;
mod throttle;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, EXPECT, HeaderName, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use prometheus_client::metrics::gauge::Gauge;
use tower::ServiceExt;
use tracing::Instrument;

use self::app::App;
use self::error::ApiError;
use self::express::{Decided, Earlier};
use self::request_log::{Seen, given_id};
use self::site::Site;
use crate::directory::guard::network;
use crate::server::memory::Memory;
use crate::server::{Express, Peer, Service};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything in front of the routes, and the routes.
#[derive(Clone)]
pub struct Front {
    app: App,
    routes: Router,
    /// The metrics' listener is asked by address, not by name.
    checks_host: bool,
}

impl Front {
    /// The server proper: the API and the operators' routes.
    pub fn new(app: App) -> Self {
        let routes = Router::new().merge(api::router(&app)).merge(ops::router()).merge(docs::router());
        Self::of(app, routes, true)
    }

    /// The metrics' own listener.
    pub fn metrics(app: App) -> Self {
        let routes = ops::metrics_router(&app);
        Self::of(app, routes, false)
    }

    fn of(app: App, routes: Router<App>, checks_host: bool) -> Self {
        let routes = routes.fallback(async || ApiError::NotFound).with_state(app.clone());
        Self { app, routes, checks_host }
    }

    /// The way of every request that `express` does not answer; it may have decided what the answer is.
    async fn common(&self, peer: Peer, request: Request<Incoming>, earlier: Earlier) -> Response {
        let seen = Seen::of(&request, &self.app, peer);
        let span = tracing::info_span!("request", id = %seen.id);
        let response = self.respond(peer, request, &seen, earlier.decided).instrument(span.clone()).await;
        span.in_scope(|| seen.close(&self.app, &response, earlier.started));
        seen.note_refusal(&self.app, response.status(), response.extensions()).instrument(span).await;
        response
    }

    /// The answer, whatever happens: an error inside is a 500, not a broken connection.
    async fn respond(
        &self,
        peer: Peer,
        mut request: Request<Incoming>,
        seen: &Seen,
        decided: Option<Box<Decided>>,
    ) -> Response {
        request.extensions_mut().insert(seen.origin());
        let limit = self.app.settings().request_timeout;
        let work = async {
            match decided {
                Some(decided) => Ok(decided.told(&self.app)),
                None => self.route(peer, request).await,
            }
        };
        let outcome = match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(ApiError::Internal("a handler panicked".into())),
            Err(_) => Err(ApiError::TookTooLong),
        };
        let response = outcome.unwrap_or_else(IntoResponse::into_response);
        let route = response.extensions().get::<api::Route>().cloned();
        let mut response = outgoing::count(response, self.app.memory()).unwrap_or_else(|| {
            let mut response = ApiError::Overloaded.into_response();
            route.map(|route| response.extensions_mut().insert(route));
            response
        });
        if response.status() == StatusCode::NOT_FOUND && response.extensions().get::<api::Route>().is_none() {
            // The router names the methods of a route whose path turned out to be none.
            response.headers_mut().remove(ALLOW);
        }
        let headers = response.headers_mut();
        for (name, value) in SECURE {
            // A page that loads something has a policy of its own.
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if let Some(hsts) = self.app.settings().hsts.as_ref().filter(|_| peer.tls) {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if let Ok(id) = HeaderValue::from_str(&seen.id) {
            headers.insert(X_REQUEST_ID, id);
        }
        response
    }

    /// Host, path, limits, then the routes.
    async fn route(&self, peer: Peer, mut request: Request<Incoming>) -> Result<Response, ApiError> {
        let settings = self.app.settings();
        if self.checks_host && !ops::HOSTLESS.contains(&request.uri().path()) {
            let site = Site::of(&request, &settings.site, peer.address, peer.tls)?;
            request.extensions_mut().insert(site);
        }
        *request.uri_mut() = path::normalised(request.uri()).ok_or(ApiError::NotFound)?;
        if request
            .headers()
            .get_all(EXPECT)
            .iter()
            .any(|met| !met.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        {
            return Err(ApiError::Expectation);
        }
        let request = bounded(request, settings.max_body_bytes).await?;
        // The router's own error type has no values.
        Ok(self.routes.clone().oneshot(request).await.unwrap_or_else(|never| match never {}))
    }
}

impl Service for Front {
    type Body = Body;
    type Known = Earlier;

    async fn express(&self, peer: Peer, bytes: &[u8], last: bool, out: &mut Vec<u8>) -> Express<Earlier> {
        match self.checks_host {
            true => express::serve(&self.app, peer, bytes, last, out).await,
            false => Express::NotMine,
        }
    }

    fn express_at_once(
        &self,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Option<Express<Earlier>> {
        // Elsewhere each request waits for a look at the database.
        if !self.app.directory().knows_at_once() {
            return None;
        }
        self.express(peer, bytes, last, out).now_or_never()
    }

    async fn answer(&self, peer: Peer, request: Request<Incoming>, earlier: Option<Earlier>) -> Response {
        let earlier = earlier.unwrap_or_else(Earlier::nothing);
        let started = earlier.started;
        let metrics = self.app.metrics();
        let _in_flight = InFlight::new(&metrics.in_flight);
        // Boxed: what the common way needs room for would be moved around with every request.
        let response = Box::pin(self.common(peer, request, earlier)).await;
        metrics.durations.0.observe(started.elapsed().as_secs_f64());
        response
    }

    fn network(&self, address: IpAddr) -> Option<IpAddr> {
        (!self.app.settings().site.trusted_proxies.trusts(address)).then(|| network(address))
    }

    fn memory(&self) -> &Memory {
        self.app.memory()
    }

    fn refusal_headers(&self, tls: bool) -> String {
        secure_lines(self.app.settings().hsts.as_ref().filter(|_| tls))
    }
}

/// The security headers of an answer that is not made as others are, as lines.
fn secure_lines(hsts: Option<&HeaderValue>) -> String {
    let hsts = hsts.and_then(|value| value.to_str().ok()).map(|value| (STRICT_TRANSPORT_SECURITY, value));
    SECURE.into_iter().chain(hsts).map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

/// The headers that tell browsers what not to do with any answer.
const SECURE: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Counts a request as being answered for as long as it is, however that ends.
struct InFlight(Gauge);

impl InFlight {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Holds the body to the limit. Where no handler reads one it is read and thrown away, as the framework
/// does, so that the connection can go on.
async fn bounded(request: Request<Incoming>, limit: usize) -> Result<Request<Body>, ApiError> {
    let (parts, body) = request.into_parts();
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(ApiError::BodyTooLarge);
    }
    let mut body = Limited::new(body, limit);
    if [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(&parts.method) {
        return Ok(Request::from_parts(parts, Body::new(body)));
    }
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| unread(error.as_ref()))?;
    }
    Ok(Request::from_parts(parts, Body::empty()))
}

/// Why a body was not read to its end.
fn unread(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ApiError {
    if error.is::<http_body_util::LengthLimitError>() {
        ApiError::BodyTooLarge
    } else {
        ApiError::BadRequest("The request's body ended early or is not framed as announced.")
    }
}
