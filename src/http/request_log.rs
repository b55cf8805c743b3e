//! What is recorded of a request: its id, its line in the access log, its count in the metrics, and an event in the
//! audit trail when it was refused.
//!
//! Anyone can cause lines about refused requests. So their number is limited like that of audit events, for each client, each
//! account and in total, and the lines that are left out are counted.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::response::Response;
use http::{Extensions, HeaderMap, Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::MissedTickBehavior;
use tracing::{Instrument, Level, Span};

use super::app::App;
use super::error::DeniedReason;
use super::headers::X_REQUEST_ID;
use super::reason::{Reason, shown};
use super::resource::RouteName;
use super::site::{Client, forwarded_for, nearest, unreadable_scheme};
use crate::config::AccessLog;
use crate::directory::limiter::{LeftOut, RefusalLimiter};
use crate::directory::model::{ActivityKind, TokenId, UserId};
use crate::directory::{Bearer, Origin};
use crate::network::client_network;
use crate::server::{Peer, PeerAddress};
use crate::telemetry::RequestLabels;

/// How many characters of a path are logged. The path is the client's text, and the log must not grow with it.
const LOGGED_PATH: usize = 256;

/// What precedes the key of a link in a path, however it is written.
const BEFORE_KEY: &str = "/password/";

/// Returns a path as the log and the audit trail show it. The path of the page of a link is shown without its key.
pub(super) fn logged_path(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let key = decoded.find(BEFORE_KEY).map(|at| at + BEFORE_KEY.len()).filter(|at| *at < decoded.len());
    match key {
        Some(at) => format!("{}[key]", decoded.get(..at).unwrap_or_default().escape_debug()),
        None => path.chars().take(LOGGED_PATH).collect(),
    }
}

/// What the log and the metrics need of a request.
pub(super) struct RequestInfo {
    pub(super) id: String,
    method: Method,
    /// Without the query, which may contain secrets.
    path: String,
    client: Option<IpAddr>,
    /// Whether `client` is a trusted proxy's address.
    is_proxy: bool,
}

impl RequestInfo {
    /// Reads it, and begins the span of the request's lines in the log.
    pub(super) fn of<B>(request: &Request<B>, app: &App, peer: Peer) -> (Self, Span) {
        let given = request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
        let id =
            given_id(app, peer, given).map_or_else(|| app.directory().clock().request_id(), str::to_owned);
        let span = span(&id);
        let (client, is_proxy) = span.in_scope(|| {
            note_unreadable_scheme(app, request.headers(), peer);
            let forwarded_for = forwarded_for(request.headers());
            let client = nearest(&forwarded_for, &app.settings().site, peer.address);
            note_unreadable_client(app, client);
            (client.address, client.is_proxy)
        });
        let path = logged_path(request.uri().path());
        (Self { id, method: request.method().clone(), path, client, is_proxy }, span)
    }

    /// Where the request came from, for the audit trail.
    pub(super) fn origin(&self) -> Origin {
        let (address, request_id) = (Some(client_name(self.client)), Some(self.id.clone()));
        Origin { address, is_proxy: self.is_proxy, request_id }
    }

    /// Counts the request and writes its line in the access log.
    pub(super) fn log(&self, app: &App, response: &Response, started: Instant) {
        let status = response.status();
        let route =
            response.extensions().get::<RouteName>().map_or("none", |route| route.0.as_str()).to_owned();
        let labels = RequestLabels { route, method: known_method(&self.method), status: status.as_u16() };
        app.metrics().requests.get_or_create(&labels).inc();
        if self.path.starts_with("/api/") {
            app.directory().note_activity(activity_of(status));
        }
        let bearer = response.extensions().get::<Bearer>().copied();
        let reason = response.extensions().get::<Reason>().filter(|_| is_failure(status));
        let account = bearer.map(|bearer| bearer.user).or_else(|| reason.and_then(|reason| reason.account));
        let Some(left_out) = has_line(app, status, self.client, account) else { return };
        let line = Line {
            request: Some((self.method.as_str(), self.path.as_str())),
            account,
            token: bearer.map(|bearer| bearer.token),
            key: reason.and_then(|reason| reason.shown_key.as_deref()),
            micros: u64::try_from(started.elapsed().as_micros()).ok(),
            ..Line::new(status, self.client, reason.map(|reason| reason.why.as_ref()), left_out)
        };
        line.write();
    }

    /// Records in the audit trail that a request with a known token was refused. A request that changes something waits
    /// for that; a read waits for no write. Forward authentication is a read with any method: to refuse those who do not meet
    /// a rule is what it is for, and no event.
    pub(super) async fn note_refusal(
        &self,
        app: &App,
        status: StatusCode,
        extensions: &Extensions,
        is_forward_auth: bool,
    ) {
        let Some(bearer) = extensions.get::<Bearer>().copied() else { return };
        let why = match (status, extensions.get::<DeniedReason>()) {
            (StatusCode::UNAUTHORIZED, _) => None,
            (_, Some(DeniedReason(why))) if !is_forward_auth => Some(why.clone()),
            _ => return,
        };
        let route = extensions.get::<RouteName>().map_or(self.path.as_str(), |route| route.0.as_str());
        let operation = format!("{} {route}", self.method);
        let Some(refusal) = app.directory().refusal(bearer, self.origin(), operation, why) else { return };
        if is_forward_auth || [Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.method) {
            let app = app.clone();
            let noted = async move { app.directory().note_refusal(&refusal).await };
            drop(tokio::spawn(noted.in_current_span()));
        } else {
            app.directory().note_refusal(&refusal).await;
        }
    }
}

/// Logs that a message was refused before there was a request. Its client is the other end of the socket: no header was
/// read. Returns the id of the line.
pub(super) fn log_refused_message(app: &App, peer: Peer, status: u16, reason: &str) -> String {
    let (id, client) = (app.directory().clock().request_id(), peer.address.ip());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    if let Some(left_out) = has_line(app, status, client, None) {
        span(&id).in_scope(|| Line::new(status, client, Some(reason), left_out).write());
    }
    id
}

/// What the lines about one request have in common.
fn span(id: &str) -> Span {
    tracing::info_span!("request", request_id = %id)
}

/// What a status of the API counts as.
fn activity_of(status: StatusCode) -> ActivityKind {
    match status.as_u16() {
        401 | 403 | 429 => ActivityKind::RequestRefused,
        400..=499 => ActivityKind::RequestInvalid,
        500.. => ActivityKind::RequestFailed,
        _ => ActivityKind::RequestAnswered,
    }
}

fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// How the log and the audit trail name a client.
fn client_name(address: Option<IpAddr>) -> String {
    address.map_or_else(|| PeerAddress::Unix.to_string(), |address| address.to_string())
}

/// Whether an answer gets a line: then how many were left out before it.
fn has_line(
    app: &App,
    status: StatusCode,
    client: Option<IpAddr>,
    account: Option<UserId>,
) -> Option<LeftOut> {
    match app.settings().access_log {
        // All means all.
        AccessLog::All => Some(LeftOut::default()),
        // A failure of the server is logged whatever the setting says.
        AccessLog::None if !status.is_server_error() => None,
        AccessLog::Failures if !is_failure(status) => None,
        AccessLog::None | AccessLog::Failures => {
            app.refusal_lines().take(app.directory().clock().now(), Some(client_network(client)), account)
        }
    }
}

/// A line about an answer.
struct Line<'a> {
    /// Method and path, if there was a request.
    request: Option<(&'a str, &'a str)>,
    status: StatusCode,
    client: Option<IpAddr>,
    account: Option<UserId>,
    token: Option<TokenId>,
    key: Option<&'a str>,
    reason: Option<&'a str>,
    left_out: LeftOut,
    micros: Option<u64>,
}

impl<'a> Line<'a> {
    fn new(status: StatusCode, client: Option<IpAddr>, reason: Option<&'a str>, left_out: LeftOut) -> Self {
        let (request, account, token, key, micros) = (None, None, None, None, None);
        Self { request, status, client, account, token, key, reason, left_out, micros }
    }

    fn write(&self) {
        let Self { key, reason, micros, .. } = *self;
        let client = client_name(self.client);
        let (method, path) = self.request.unzip();
        let (account, token) = (self.account.map(UserId::get), self.token.map(TokenId::get));
        let [left_out_before, left_out_of_client, left_out_of_account] = above_zero(self.left_out);
        let status = self.status.as_u16();
        macro_rules! answered {
            ($level:expr) => {
                tracing::event!(
                    $level, method, path, status, %client, account, token, key, reason, left_out_before,
                    left_out_of_client, left_out_of_account, micros, "answered"
                )
            };
        }
        match status {
            500 => answered!(Level::ERROR),
            501.. => answered!(Level::WARN),
            _ => answered!(Level::INFO),
        }
    }
}

/// The counts of what was left out, each if it is above zero.
fn above_zero(left_out: LeftOut) -> [Option<u64>; 3] {
    let LeftOut { of_all, of_client, of_account } = left_out;
    [of_all, of_client, of_account].map(|count| Some(count).filter(|count| *count > 0))
}

/// Logs what a trusted proxy sent in the place of an address, if it is none.
pub(super) fn note_unreadable_client(app: &App, client: Client<'_>) {
    if let Some(text) = client.unreadable {
        note_unreadable(app, "X-Forwarded-For", text, client.address);
    }
}

/// Logs what a trusted proxy sent as the scheme, if it is neither `http` nor `https`.
fn note_unreadable_scheme(app: &App, headers: &HeaderMap, peer: Peer) {
    if let Some(text) = unreadable_scheme(headers, &app.settings().site, peer.address) {
        note_unreadable(app, "X-Forwarded-Proto", text, peer.address.ip());
    }
}

#[cold]
fn note_unreadable(app: &App, header: &str, text: &[u8], proxy: Option<IpAddr>) {
    let now = app.directory().clock().now();
    if let Some(left_out) = app.header_lines().take(now, Some(client_network(proxy)), None) {
        let [left_out_before, _, _] = above_zero(left_out);
        let (value, proxy) = (shown(text), client_name(proxy));
        tracing::warn!(header, value, %proxy, left_out_before, "cannot read a header of a trusted proxy");
    }
}

/// How often [`report_left_out`] looks.
const REPORTED_EVERY: Duration = Duration::from_mins(1);

/// Logs, once a minute, how many lines were left out, if no later line could report it. It runs until it is aborted.
pub async fn report_left_out(app: App) {
    let mut ticks = tokio::time::interval(REPORTED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        log_left_out(&app, false);
    }
}

/// Logs how many lines were left out, if no later line could report it, or at the `end`.
pub fn log_left_out(app: &App, end: bool) {
    let now = app.directory().clock().now();
    let left_out = |lines: &RefusalLimiter| lines.take_left_out(now, end);
    let (requests, headers) = (left_out(app.refusal_lines()), left_out(app.header_lines()));
    if requests + headers > 0 {
        tracing::info!(requests, headers, "lines were left out");
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
