//! What is recorded of a request: its id, its line in the access log, its count in the metrics, and an event in the
//! audit trail when it was refused.

use std::net::IpAddr;
use std::time::Instant;

use axum::response::Response;
use http::{Extensions, Method, Request, StatusCode};
use prometheus_client::metrics::gauge::Gauge;
use tracing::Instrument;

use super::app::App;
use super::error::DeniedReason;
use super::headers::X_REQUEST_ID;
use super::resource::RouteName;
use super::site;
use crate::config::AccessLog;
use crate::directory::{Bearer, Origin};
use crate::server::Peer;
use crate::telemetry::RequestLabels;

/// How many characters of a path are logged. The path is the client's text, and the log must not grow with it.
const LOGGED_PATH: usize = 256;

/// What the log and the metrics need of a request.
pub(super) struct RequestInfo {
    pub(super) id: String,
    method: Method,
    /// Without the query, which may contain secrets.
    path: String,
    client: IpAddr,
}

impl RequestInfo {
    pub(super) fn of<B>(request: &Request<B>, app: &App, peer: Peer) -> Self {
        let site = &app.settings().site;
        let given = request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
        Self {
            id: given_id(app, peer, given)
                .map_or_else(|| app.directory().clock().request_id(), str::to_owned),
            method: request.method().clone(),
            path: request.uri().path().chars().take(LOGGED_PATH).collect(),
            client: site::client(request.headers(), site, peer.address),
        }
    }

    /// Where the request came from, for the audit trail.
    pub(super) fn origin(&self) -> Origin {
        Origin { address: Some(self.client.to_string()), request_id: Some(self.id.clone()) }
    }

    /// Counts the request and writes its line in the access log.
    pub(super) fn log(&self, app: &App, response: &Response, started: Instant) {
        let status = response.status();
        let route =
            response.extensions().get::<RouteName>().map_or("none", |route| route.0.as_str()).to_owned();
        let labels = RequestLabels { route, method: known_method(&self.method), status: status.as_u16() };
        app.metrics().requests.get_or_create(&labels).inc();
        let failed = status.is_client_error() || status.is_server_error();
        let is_logged = match app.settings().access_log {
            AccessLog::None => false,
            AccessLog::Failures => failed,
            AccessLog::All => true,
        };
        if is_logged {
            let (method, path, client) = (self.method.as_str(), self.path.as_str(), self.client);
            let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            let bearer = response.extensions().get::<Bearer>();
            let account = bearer.map(|bearer| bearer.user.get());
            let token = bearer.map(|bearer| bearer.token.get());
            let status = status.as_u16();
            tracing::info!(method, path, status, %client, account, token, micros, "answered");
        }
    }

    /// Records in the audit trail that a request with a known token was refused. A request that changes something waits
    /// for that; a read waits for no write.
    pub(super) async fn note_refusal(&self, app: &App, status: StatusCode, extensions: &Extensions) {
        let Some(bearer) = extensions.get::<Bearer>().copied() else { return };
        let why = match (status, extensions.get::<DeniedReason>()) {
            (StatusCode::UNAUTHORIZED, _) => None,
            (_, Some(DeniedReason(why))) => Some(why.clone()),
            _ => return,
        };
        let route = extensions.get::<RouteName>().map_or(self.path.as_str(), |route| route.0.as_str());
        let operation = format!("{} {route}", self.method);
        let Some(refusal) = app.directory().refusal(bearer, self.origin(), operation, why) else { return };
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.method) {
            let app = app.clone();
            let noted = async move { app.directory().note_refusal(&refusal).await };
            drop(tokio::spawn(noted.in_current_span()));
        } else {
            app.directory().note_refusal(&refusal).await;
        }
    }
}

/// The id that a trusted proxy gave the request. `given` is its X-Request-Id.
pub(super) fn given_id<'a>(app: &App, peer: Peer, given: Option<&'a str>) -> Option<&'a str> {
    given.filter(|id| is_id(id) && app.settings().site.trusted_proxies.trusts(peer.address.ip()))
}

/// Whether a proxy may give this id to a request: it must be short and safe in a log line.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// The method as a label. Clients can invent methods, so unknown ones share a label.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// Counts a request as in flight for as long as it lives, however it ends.
pub(super) struct InFlight(Gauge);

impl InFlight {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
