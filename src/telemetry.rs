//! Logs and metrics. Every metric is declared once, in [`Metrics`].
//!
//! Never in here: a token, a password or a query string. The number of labels is bounded: they are routes and classes of
//! responses, never text that a user or client chose.

mod exposition;
mod json_lines;
mod process;
mod statistics;

use std::io::IsTerminal;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

pub use self::exposition::Exposition;
use self::exposition::plain;
use self::json_lines::FlatJson;
use self::process::ProcessMetrics;
pub use self::statistics::{LastStatistics, Statistics};
use crate::directory::model::CodeLabels;

/// The bucket bounds of the duration histogram, in seconds.
const DURATIONS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0];

/// All metrics. [`Metrics::registry`] documents each.
#[derive(Clone, Default)]
pub struct Metrics {
    /// `wardroom_http_requests_total{route,method,status}`
    pub requests: Family<RequestLabels, Counter>,
    /// `wardroom_http_request_duration_seconds`
    pub durations: Durations,
    /// `wardroom_http_requests_in_flight`
    pub in_flight: Gauge,
    /// `wardroom_http_connections_*`
    pub connections: ConnectionMetrics,
    /// `wardroom_http_body_bytes`
    pub body_bytes: Gauge,
    /// `wardroom_http_bodies_refused_total`
    pub bodies_refused: Counter,
    /// `wardroom_authentications_total{outcome}`
    pub authentications: Family<OutcomeLabels, Counter>,
    /// `wardroom_forward_auth_requests_total{rule,result}`
    pub forward_auth: Family<ForwardAuthLabels, Counter>,
    /// `wardroom_introspections_total{result}`
    pub introspections: Family<IntrospectionLabels, Counter>,
    /// `wardroom_throttled_total{policy}`
    pub throttled: Family<ThrottledLabels, Counter>,
    /// `wardroom_messages_total{kind,channel,outcome}`
    pub messages: Family<MessageLabels, Counter>,
    /// `wardroom_outbound_calls_total{kind,result}`
    pub outbound_calls: Family<OutboundLabels, Counter>,
    /// `wardroom_database_up`
    pub database_up: Gauge,
    /// `wardroom_database_writes_total`
    pub database_writes: Counter,
    /// `wardroom_database_reads_total`
    pub database_reads: Counter,
    /// `wardroom_identity_loads_total`
    pub identity_loads: Counter,
    /// `wardroom_stale_answers_total`
    pub stale_answers: Counter,
    /// `wardroom_one_time_codes_total{channel,result}`
    pub codes: Family<CodeLabels, Counter>,
    /// `wardroom_list_bitmaps_bytes`
    pub list_bitmaps: Gauge,
    /// `wardroom_password_hashes_total`
    pub password_hashes: Counter,
    /// `wardroom_users{state}`, `wardroom_tokens{kind,state}` and other counts of the database's content.
    pub statistics: LastStatistics,
    /// `wardroom_tls_certificate_expiry_timestamp_seconds`
    pub certificate_expiry: ExpiryMetric,
    /// `process_start_time_seconds`
    pub started_at: Option<i64>,
}

/// A gauge that is absent until it is set.
pub type ExpiryMetric = Family<[(String, String); 0], Gauge>;

/// The labels of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The pattern of the route; `none` for paths without a route.
    pub route: String,
    /// The method; `other` for methods that no route has.
    pub method: &'static str,
    /// The status of the response.
    pub status: u16,
}

/// The labels of an authentication.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// `accepted`, `refused` or `failed`.
    pub outcome: &'static str,
}

/// The labels of a request of forward authentication.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ForwardAuthLabels {
    /// The kinds of conditions that the rule has, without numbers; `unknown` for a rule that is none.
    pub rule: String,
    /// `allowed`, `unauthenticated`, `forbidden`, `throttled`, `unavailable` or `unknown_rule`.
    pub result: &'static str,
}

/// The labels of an introspection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct IntrospectionLabels {
    /// `active`, `inactive` or `refused`.
    pub result: &'static str,
}

/// The labels of a throttled request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ThrottledLabels {
    /// `token` or `address`.
    pub policy: &'static str,
}

/// The labels of an attempt to send a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MessageLabels {
    /// What the message is for, such as `code`.
    pub kind: &'static str,
    /// `sms` or `mail`.
    pub channel: &'static str,
    /// `sent`, `retried`, `failed`, `expired` or `lost`.
    pub outcome: &'static str,
}

/// The labels of a call of another server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutboundLabels {
    /// `webhook`, `twilio`, `smtp` or `s3`.
    pub kind: &'static str,
    /// `2xx`, `3xx`, `4xx`, `5xx`, `forbidden`, `timeout` or `failed`.
    pub result: &'static str,
}

/// The metrics of connections.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    /// `wardroom_http_connections_open`
    pub open: Gauge,
    /// `wardroom_http_connections_accepted_total`
    pub accepted: Counter,
    /// `wardroom_http_connections_refused_total`
    pub refused: Counter,
    /// `wardroom_http_connections_timed_out_total`
    pub timed_out: Counter,
    /// `wardroom_http_connections_evicted_total`
    pub evicted: Counter,
    /// `wardroom_http_connections_over_share_total`
    pub over_share: Counter,
}

/// A histogram with our bucket bounds.
#[derive(Clone)]
pub struct Durations(pub Histogram);

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new(DURATIONS))
    }
}

impl Metrics {
    /// Builds the registry for Prometheus: every metric with its name and meaning.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessMetrics { started_at: self.started_at }));
        self.register(registry.sub_registry_with_prefix("wardroom"));
        registry
    }

    /// Counts an introspection.
    pub(crate) fn count_introspection(&self, result: &'static str) {
        self.introspections.get_or_create(&IntrospectionLabels { result }).inc();
    }

    fn register(&self, root: &mut Registry) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        root.register("build", "The version of the server", version);
        self.register_http(root.sub_registry_with_prefix("http"));
        let about = "Authentications by outcome: accepted, refused or failed (database unavailable)";
        root.register("authentications", about, self.authentications.clone());
        let about = "Requests of forward authentication, by the kinds of conditions of the rule and result";
        root.register("forward_auth_requests", about, self.forward_auth.clone());
        let about = "Introspections by result: active, inactive, or refused (status 401, 403 or 429)";
        root.register("introspections", about, self.introspections.clone());
        let about = "Requests refused with status 429 by a rate limit, by policy: token or address";
        root.register("throttled", about, self.throttled.clone());
        let about =
            "Attempts to send messages, by kind, channel and outcome: sent, retried, failed, expired or lost";
        root.register("messages", about, self.messages.clone());
        let about = "Calls of other servers, by kind and by result: the class of the status, forbidden, timeout or failed";
        root.register("outbound_calls", about, self.outbound_calls.clone());
        root.register(
            "database_up",
            "1 if the last readiness check reached the database",
            self.database_up.clone(),
        );
        root.register("database_writes", "Write transactions requested", self.database_writes.clone());
        root.register("database_reads", "Read statements requested", self.database_reads.clone());
        let about = "Identities read from the database because the cache had no valid one";
        root.register("identity_loads", about, self.identity_loads.clone());
        let about = "Responses that may have been stale, as serve_stale_for allows";
        root.register("stale_answers", about, self.stale_answers.clone());
        let about = "One-time codes by channel and result: asked, sent, verified, refused, limited, or why none was sent";
        root.register("one_time_codes", about, self.codes.clone());
        let about = "Memory of the bitmaps of users that lists use; 0 while they do not stand";
        root.register_with_unit("list_bitmaps", about, Unit::Bytes, self.list_bitmaps.clone());
        root.register("password_hashes", "Password hashes computed", self.password_hashes.clone());
        let about = "When the certificate that new connections get expires, in Unix time";
        let expiry = self.certificate_expiry.clone();
        root.register_with_unit("tls_certificate_expiry_timestamp", about, Unit::Seconds, expiry);
        root.register_collector(Box::new(self.statistics.clone()));
    }

    fn register_http(&self, http: &mut Registry) {
        http.register("requests", "Requests, by route, method and status", self.requests.clone());
        let about = "Time from the head of a request to the head of its response";
        http.register_with_unit("request_duration", about, Unit::Seconds, self.durations.0.clone());
        http.register("requests_in_flight", "Requests in progress", self.in_flight.clone());
        let about = "Bytes of request bodies and large responses in memory; the limit is body_memory";
        http.register("body_bytes", about, self.body_bytes.clone());
        let about = "Bodies refused with status 503 because body_memory was used up";
        http.register("bodies_refused", about, self.bodies_refused.clone());
        let connections = &self.connections;
        http.register("connections_open", "Open connections", connections.open.clone());
        http.register("connections_accepted", "Connections accepted", connections.accepted.clone());
        let about = "Connections closed because of invalid HTTP";
        http.register("connections_refused", about, connections.refused.clone());
        let about = "Connections closed because the client was too slow or idle";
        http.register("connections_timed_out", about, connections.timed_out.clone());
        let about = "Idle connections closed to make room for new ones";
        http.register("connections_evicted", about, connections.evicted.clone());
        let about = "Connections refused because their network had used its share";
        http.register("connections_over_share", about, connections.over_share.clone());
    }
}

/// Formats the metrics.
pub fn render(registry: &Registry, format: Exposition) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(if format == Exposition::Plain { plain(&text) } else { text })
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStyle {
    /// Readable text on a terminal, JSON otherwise.
    Auto,
    /// Readable text.
    Human,
    /// One JSON object per line.
    Json,
}

/// Keeps logging alive. Dropping it writes the lines that are still queued.
pub struct Logging(#[expect(dead_code, reason = "kept for its drop")] WorkerGuard);

/// Starts logging to standard error. `filter` is a directive such as `info` or `wardroom=debug`.
///
/// Lines go through a bounded queue to a thread of their own: a reader that is slow, stuck or gone loses lines, but never
/// delays a response.
pub fn start_logging(filter: &str, style: LogStyle) -> Result<Logging, String> {
    let cap = cap_others(filter);
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let human = match style {
        LogStyle::Auto => std::io::stderr().is_terminal(),
        LogStyle::Human => true,
        LogStyle::Json => false,
    };
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).thread_name("log").finish(std::io::stderr());
    let lines = fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    let started = if human {
        lines.with_target(false).finish().with(cap).try_init()
    } else {
        let lines = lines.event_format(FlatJson).fmt_fields(JsonFields::new());
        lines.finish().with(cap).try_init()
    };
    started.map(|()| Logging(guard)).map_err(|error| error.to_string())
}

/// Our own crate. Its events contain no secrets at any level.
const OURS: &str = "wardroom";

/// Limits other crates to `warn`, whatever the filter says, except for modules that it names one by one.
///
/// At `debug`, the PostgreSQL driver logs the parameters of every statement, including password hashes and token digests.
/// This is a second filter, because a directive for a span lets every event inside it through.
fn cap_others(filter: &str) -> FilterFn<impl Fn(&Metadata<'_>) -> bool + use<>> {
    let named = named_modules(filter);
    filter_fn(move |event| {
        let named = named.iter().filter(|(module, _)| is_within(event.target(), module));
        *event.level() <= Level::WARN
            || is_within(event.target(), OURS)
            || named.map(|(_, most)| *most).max().is_some_and(|most| *event.level() <= most)
    })
}

/// Returns the modules that a filter names, each with its level.
fn named_modules(filter: &str) -> Vec<(String, LevelFilter)> {
    let directives = filter.split(',').filter_map(|directive| directive.trim().rsplit_once('='));
    let is_module =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:-.".contains(&byte));
    directives
        .filter(|(module, _)| !module.is_empty() && is_module(module))
        .filter_map(|(module, level)| Some((module.to_owned(), level.parse().ok()?)))
        .collect()
}

/// Whether a target is a module or is inside it. `tokio` is not `tokio_postgres`.
fn is_within(target: &str, module: &str) -> bool {
    target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_crates_are_named_one_by_one() {
        let level = |text: &str| text.parse::<LevelFilter>().unwrap();
        for (filter, expected) in [
            ("trace", vec![]),
            ("debug,tokio_postgres=debug", vec![("tokio_postgres", "debug")]),
            ("info, wardroom::http=trace,hyper=5", vec![("wardroom::http", "trace"), ("hyper", "trace")]),
            // Spans and empty names are not modules.
            ("[request]=trace", vec![]),
            ("tokio_postgres[request]=trace", vec![]),
            ("[request{id=1,x=2}]=trace", vec![]),
            ("=trace", vec![]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(module, most)| (module.to_owned(), level(most))).collect();
            assert_eq!(named_modules(filter), expected, "{filter}");
        }
        assert!(is_within("tokio_postgres::query", "tokio_postgres"));
        assert!(is_within("tokio_postgres", "tokio_postgres"));
        assert!(!is_within("tokio_postgres::query", "tokio"));
        assert!(!is_within("wardroom_other", OURS));
    }

    #[test]
    fn every_metric_is_shown_with_its_meaning() {
        let metrics = Metrics::default();
        metrics.authentications.get_or_create(&OutcomeLabels { outcome: "accepted" }).inc();
        metrics
            .requests
            .get_or_create(&RequestLabels { route: "none".into(), method: "GET", status: 404 })
            .inc();
        let text = render(&metrics.registry(), Exposition::OpenMetrics).unwrap();
        for name in [
            "wardroom_build_info{version=",
            "wardroom_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1",
            "wardroom_http_request_duration_seconds_bucket",
            "wardroom_http_connections_open 0",
            "wardroom_authentications_total{outcome=\"accepted\"} 1",
            "wardroom_password_hashes_total 0",
            "process_open_fds ",
            "process_cpu_seconds_total ",
        ] {
            assert!(text.contains(name), "{name} is missing in:\n{text}");
        }
    }
}
