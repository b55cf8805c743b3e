//! The way of a request from the server to the routes and back.
//!
//! [`Front`] first tries the express lane. Every other request gets its id, is checked (host, path, limits), is
//! answered by a route within the time limit, and is noted in the log, the metrics and the audit trail. An error or a
//! panic becomes an answer; it never breaks the connection.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::FutureExt;
use http::header::{ALLOW, CONTENT_LENGTH, DATE, EXPECT, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, StatusCode};
use tower::ServiceExt;
use tracing::Instrument;

use super::admin::ErrorPage;
use super::app::App;
use super::body::{AtMost, Awaited, AwaitsClient, announced_length, is_multipart, unreadable_body};
use super::error::ApiError;
use super::express::forward_auth::PreparedForwardAuth;
use super::express::media::PreparedMedia;
use super::express::{self, FastPathMiss, Prepared};
use super::forward_auth::ClientAddress;
use super::headers::{SECURE, X_REQUEST_ID, http_date, secure_lines, secure_lines_of_page};
use super::pipeline::{Rejection, with_reason};
use super::reason::{Reason, shown};
use super::request_log::{InFlight, RequestInfo, log_refused_message};
use super::resource::RouteName;
use super::site::{HOST_REFUSED, Site, host};
use super::{admin, api, cors, docs, forward_auth, media, ops, outgoing, path};
use crate::config::CorsOrigins;
use crate::directory::Origin;
use crate::network::client_network;
use crate::server::memory::MemoryBudget;
use crate::server::{Express, MessageBody, Peer, RefusalAnswer, RefusedMessage, Service};

/// Everything in front of the routes, and the routes.
#[derive(Clone)]
pub struct Front {
    app: App,
    routes: Router,
    /// The express lane. The metrics listener has none, and it checks no Host: it is called by address.
    express: Option<Arc<Lanes>>,
}

/// The express lanes.
struct Lanes {
    me: Prepared,
    media: PreparedMedia,
    forward_auth: PreparedForwardAuth,
}

impl Front {
    /// Makes the main listener's: the API, its documentation and the operators' routes.
    pub fn new(app: App) -> Self {
        let routes = Router::new().merge(api::router(&app)).merge(ops::router()).merge(docs::router());
        let routes = routes.merge(admin::router(&app)).route("/", any(admin::root));
        let routes = routes.route("/api", any(admin::api_roots));
        let routes = routes.fallback(media::answer);
        let (metrics, settings) = (app.metrics(), app.settings());
        let me = Prepared::new(metrics, app.resource(api::ME), settings);
        let media = PreparedMedia::new(metrics, &settings.media_path, settings.hsts.as_ref());
        let forward_auth = PreparedForwardAuth::new(metrics, settings);
        Self::of(app, routes, Some(Arc::new(Lanes { me, media, forward_auth })))
    }

    /// Makes the metrics listener's.
    pub fn metrics(app: App) -> Self {
        let routes = ops::metrics_router(&app).fallback(async || ApiError::NotFound);
        Self::of(app, routes, None)
    }

    fn of(app: App, routes: Router<App>, express: Option<Arc<Lanes>>) -> Self {
        let routes = routes.with_state(app.clone());
        Self { app, routes, express }
    }

    /// Answers a request that the express lane did not answer; the lane may have rejected it.
    async fn answer_common(&self, peer: Peer, request: Request<MessageBody>, miss: FastPathMiss) -> Response {
        let is_forward_auth = self.forward_auth_rule(request.uri().path()).is_some();
        let (info, span) = RequestInfo::of(&request, &self.app, peer);
        let response = self.respond(peer, request, &info, miss.rejection).instrument(span.clone()).await;
        span.in_scope(|| info.log(&self.app, &response, miss.started));
        let noted = info.note_refusal(&self.app, response.status(), response.extensions(), is_forward_auth);
        noted.instrument(span).await;
        response
    }

    /// Makes the answer. An error or a panic becomes a 500, not a broken connection.
    async fn respond(
        &self,
        peer: Peer,
        mut request: Request<MessageBody>,
        info: &RequestInfo,
        rejection: Option<Box<Rejection>>,
    ) -> Response {
        request.extensions_mut().insert(info.origin());
        let limit = self.app.settings().request_timeout;
        let is_read = request.method().is_safe() || self.forward_auth_rule(request.uri().path()).is_some();
        let allowed_origin =
            self.cors_for(&request).map(|origins| cors::allowed_origin(origins, request.headers()));
        let admin_page = self.admin_page(&request);
        let awaits = AwaitsClient::default();
        let request = request.map(|body| Awaited::new(body, awaits.clone()));
        let work = async {
            match rejection {
                Some(rejection) => Ok(rejection.into_response(&self.app)),
                None => self.route(peer, request).await,
            }
        };
        let outcome = match awaits.within(limit, AssertUnwindSafe(work).catch_unwind()).await {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(ApiError::Internal("a handler panicked".into())),
            None if is_read => Err(ApiError::TookTooLong),
            // Its change may be made later.
            None => Err(ApiError::Unconfirmed("the request took longer than request_timeout".to_owned())),
        };
        let response = outcome.unwrap_or_else(IntoResponse::into_response);
        let response = match admin_page {
            Some(page) => page.convert(&self.app, &info.id, response),
            None => response,
        };
        let route = response.extensions().get::<RouteName>().cloned();
        let mut response = outgoing::count(response, self.app.memory()).unwrap_or_else(|| {
            let mut response = ApiError::Overloaded.into_response();
            route.map(|route| response.extensions_mut().insert(route));
            response
        });
        self.set_headers(peer, info, &mut response);
        if let Some(allowed) = allowed_origin {
            cors::set_headers(allowed, response.headers_mut());
        }
        response
    }

    /// What an error page needs, if this is a request for a page of the admin site.
    fn admin_page<B>(&self, request: &Request<B>) -> Option<ErrorPage> {
        let path = request.uri().path();
        let is_on = self.app.settings().admin_site && self.express.is_some() && admin::is_path(path);
        is_on.then(|| ErrorPage::of(request))
    }

    /// The text of the rule, if this is a request of forward authentication.
    fn forward_auth_rule<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.express.as_ref().and_then(|_| forward_auth::rule_of(path))
    }

    /// The origins whose pages may read the response; `None` where the protocol is off: by the settings, for operators'
    /// routes, and for media files, which every page may read. A page that sends a key along, as after a redirect from
    /// `/avatar`, asks first. It is off for forward authentication, too, whose answers are for proxies: a preflight that a
    /// proxy passes on must not be answered here.
    fn cors_for<B>(&self, request: &Request<B>) -> Option<&CorsOrigins> {
        let settings = self.app.settings();
        let path = request.uri().path();
        let is_on = !settings.cors_origins.is_empty() && self.express.is_some();
        let is_media = request.method() != Method::OPTIONS && path.starts_with(&settings.media_path);
        let is_open = ops::HOSTLESS.contains(&path) || is_media || self.forward_auth_rule(path).is_some();
        (is_on && !is_open).then_some(&settings.cors_origins)
    }

    fn set_headers(&self, peer: Peer, info: &RequestInfo, response: &mut Response) {
        if response.status() == StatusCode::NOT_FOUND && response.extensions().get::<RouteName>().is_none() {
            // The router names the methods of a route whose path turned out to be unknown.
            response.headers_mut().remove(ALLOW);
        }
        if response.status() == StatusCode::NOT_MODIFIED {
            // The router gives an empty response to HEAD the length 0, which would be that of the file.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        let headers = response.headers_mut();
        for (name, value) in SECURE {
            // A page that loads scripts and styles has a policy of its own.
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if let Some(hsts) = self.app.settings().hsts.as_ref().filter(|_| peer.tls) {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if let Some(keyword) = headers.get_mut(WWW_AUTHENTICATE) {
            keyword.clone_from(self.app.settings().token_keywords.first());
        }
        if let Ok(id) = HeaderValue::from_str(&info.id) {
            headers.insert(X_REQUEST_ID, id);
        }
        if let Ok(date) = HeaderValue::try_from(http_date(self.app.directory().clock().now())) {
            headers.insert(DATE, date);
        }
    }

    /// Answers a request of forward authentication. Its body is not read.
    async fn forward_auth(&self, request: Request<Awaited<MessageBody>>) -> Response {
        let (parts, _body) = request.into_parts();
        let origin = parts.extensions.get::<Origin>();
        let address = origin.and_then(Origin::ip);
        let client = ClientAddress { address, known: origin.and_then(Origin::client) };
        let rule = self.forward_auth_rule(parts.uri.path()).unwrap_or_default();
        api::forward_auth::answer(&self.app, rule, &parts.headers, client).await
    }

    /// Checks host, path and limits, then calls the route.
    async fn route(
        &self,
        peer: Peer,
        mut request: Request<Awaited<MessageBody>>,
    ) -> Result<Response, ApiError> {
        let settings = self.app.settings();
        if self.forward_auth_rule(request.uri().path()).is_some() {
            return Ok(self.forward_auth(request).await);
        }
        if self.express.is_some() && !ops::HOSTLESS.contains(&request.uri().path()) {
            match Site::of(&request, &settings.site, peer.address, peer.tls) {
                Ok(site) => _ = request.extensions_mut().insert(site),
                Err(error) => return Ok(host_refused(error, &request)),
            }
        }
        if let Some(preflight) =
            self.cors_for(&request).and_then(|origins| cors::preflight(origins, &request))
        {
            return Ok(preflight);
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
        // The route's own limit is smaller, unless it takes a file.
        let file =
            if is_multipart(request.headers()) { self.app.media().studio().limits().max_bytes } else { 0 };
        let (request, skipped) = bounded(request, settings.max_body_bytes, file).await;
        // The router's own error type has no values.
        let response = self.routes.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        match skipped {
            // Without its body, it is no whole request.
            Err(error @ ApiError::BodyTooSlow) => Err(error),
            // The body is the last of all checks.
            skipped if response.status().is_success() => skipped.map(|()| response),
            _ => Ok(response),
        }
    }
}

impl Service for Front {
    type Body = Body;
    type Known = FastPathMiss;

    async fn express(
        &self,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Express<FastPathMiss> {
        match &self.express {
            Some(lanes) => match express::serve(&self.app, &lanes.me, peer, bytes, last, out).await {
                Express::NotMine => match lanes.media.serve(&self.app, peer, bytes, last, out) {
                    Express::NotMine => lanes.forward_auth.serve(&self.app, peer, bytes, last, out).await,
                    known => known,
                },
                known => known,
            },
            None => Express::NotMine,
        }
    }

    fn express_at_once(
        &self,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Option<Express<FastPathMiss>> {
        // On other databases each request of a user first waits for the change feed.
        if !self.app.directory().knows_at_once() {
            let media = &self.express.as_ref()?.media;
            let answered = media.serve(&self.app, peer, bytes, last, out);
            return matches!(answered, Express::Answered { .. }).then_some(answered);
        }
        pin!(self.express(peer, bytes, last, out)).now_or_never()
    }

    async fn answer(
        &self,
        peer: Peer,
        request: Request<MessageBody>,
        miss: Option<FastPathMiss>,
    ) -> Response {
        let miss = miss.unwrap_or_else(FastPathMiss::now);
        let started = miss.started;
        let metrics = self.app.metrics();
        let _in_flight = InFlight::new(&metrics.in_flight);
        // Boxed: its large state would otherwise be moved around with every request.
        let response = Box::pin(self.answer_common(peer, request, miss)).await;
        metrics.durations.0.observe(started.elapsed().as_secs_f64());
        response
    }

    fn note_refusal(&self, peer: Peer, refused: &RefusedMessage<'_>) -> RefusalAnswer {
        let id = log_refused_message(&self.app, peer, refused.status, refused.reason);
        let hsts = self.app.settings().hsts.as_ref().filter(|_| peer.tls);
        let page = self.express.as_ref().and_then(|_| admin::refused_page(&self.app, refused, &id));
        let (secure, RefusalAnswer { headers, body }) = match page {
            Some(page) => (secure_lines_of_page(hsts), page),
            None => (secure_lines(hsts), RefusalAnswer::default()),
        };
        RefusalAnswer { headers: format!("{secure}{headers}{X_REQUEST_ID}: {id}\r\n"), body }
    }

    fn network(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        (!self.app.settings().site.trusted_proxies.trusts(address)).then(|| client_network(address))
    }

    fn memory(&self) -> &MemoryBudget {
        self.app.memory()
    }
}

/// Makes the answer to a request under a host that is not allowed. The log names the host and the setting.
fn host_refused<B>(error: ApiError, request: &Request<B>) -> Response {
    let is_host = matches!(error, ApiError::BadRequest(HOST_REFUSED));
    let reason = is_host.then(|| match host(request) {
        // What precedes an `@` may be a password.
        Some(host) => {
            let host = host.rsplit('@').next().unwrap_or_default();
            Reason::new(format!("the Host {} is not in allowed_hosts", shown(host.as_bytes())))
        }
        None => Reason::new("the request has no Host, or one that is no text"),
    });
    with_reason(error.into_response(), reason)
}

/// Limits the size of the body, with a file where there may be one. Where no handler reads a body it is read and thrown away, as the framework does, so
/// that the connection can go on; the outcome of that is returned as well.
async fn bounded(
    request: Request<Awaited<MessageBody>>,
    limit: usize,
    file: usize,
) -> (Request<Body>, Result<(), ApiError>) {
    let (parts, body) = request.into_parts();
    if [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(&parts.method) {
        let body = Body::new(AtMost::new(body, limit.saturating_add(file)));
        return (Request::from_parts(parts, body), Ok(()));
    }
    let body = AtMost::new(body, limit);
    let announced = announced_length(&parts.headers);
    let skipped = match announced.is_some_and(|length| length > limit) {
        true => Err(ApiError::BodyTooLarge),
        false => body.skip().await.map_err(|error| unreadable_body(error.as_ref())),
    };
    (Request::from_parts(parts, Body::empty()), skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_host_is_logged_without_what_precedes_it() {
        for (target, host) in
            [("http://ann:hunter2@evil.example:81/", None), ("/", Some("ann:hunter2@evil.example:81"))]
        {
            let mut request = Request::builder().uri(target);
            if let Some(host) = host {
                request = request.header("Host", host);
            }
            let response = host_refused(ApiError::BadRequest(HOST_REFUSED), &request.body(()).unwrap());
            let why = &response.extensions().get::<Reason>().unwrap().why;
            assert_eq!(*why, "the Host evil.example:81 is not in allowed_hosts");
        }
    }
}
