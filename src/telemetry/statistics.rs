//! Numbers about the content of the database. Counting takes a while, so they are counted from time to time, and a scrape
//! shows the last count and its age.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// One count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Users by state.
    pub users: Vec<(&'static str, i64)>,
    /// Tokens by kind and state.
    pub tokens: Vec<(String, &'static str, i64)>,
    /// The size of the database in bytes.
    pub database_bytes: i64,
    /// Rows of the change feed that this process has not read.
    pub feed_unread: i64,
    /// Users whose entry in the search index is outdated.
    pub search_pending: i64,
    /// How long the oldest of them has waited.
    pub search_waited: Duration,
    /// Messages in the outbox by kind, channel and state: waiting or dead.
    pub messages: Vec<(&'static str, &'static str, &'static str, i64)>,
    /// How long the oldest of them has waited.
    pub messages_waited: Duration,
    /// Servers on this database by version, for the admin site; none on SQLite.
    pub servers: Vec<(String, i64)>,
}

/// The last count, shared with the job that counts.
#[derive(Clone, Debug, Default)]
pub struct LastStatistics(Arc<Mutex<Option<(Instant, Statistics)>>>);

impl LastStatistics {
    /// Replaces the last count.
    pub fn set(&self, statistics: Statistics) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), statistics));
    }

    /// Returns the last count, if there is one.
    pub fn last(&self) -> Option<Statistics> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(_, statistics)| statistics.clone())
    }
}

impl Collector for LastStatistics {
    /// Writes nothing before the first count: a zero would be wrong.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((at, counted)) = last else { return Ok(()) };
        let about = "Users by state: active, inactive or deleted";
        let mut users = encoder.encode_descriptor("users", about, None, MetricType::Gauge)?;
        for (state, count) in &counted.users {
            ConstGauge::new(*count).encode(users.encode_family(&[("state", *state)])?)?;
        }
        let about = "Tokens by kind and state: active or ended";
        let mut tokens = encoder.encode_descriptor("tokens", about, None, MetricType::Gauge)?;
        for (kind, state, count) in &counted.tokens {
            let labels = [("kind", kind.as_str()), ("state", *state)];
            ConstGauge::new(*count).encode(tokens.encode_family(&labels)?)?;
        }
        let about = "Messages in the outbox by kind, channel and state: waiting, or dead (failed or expired)";
        let mut messages = encoder.encode_descriptor("outbox_messages", about, None, MetricType::Gauge)?;
        for (kind, channel, state, count) in &counted.messages {
            let labels = [("kind", *kind), ("channel", *channel), ("state", *state)];
            ConstGauge::new(*count).encode(messages.encode_family(&labels)?)?;
        }
        let mut gauge = |name: &str, about: &str, unit: Option<&Unit>, value: f64| {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, about, unit, MetricType::Gauge)?)
        };
        let number = |count: i64| count as f64;
        let (bytes, seconds) = (Unit::Bytes, Unit::Seconds);
        gauge("database_size", "The size of the database", Some(&bytes), number(counted.database_bytes))?;
        let about = "Rows of the change feed that this process has not read yet";
        gauge("feed_unread_rows", about, None, number(counted.feed_unread))?;
        let about = "Users whose entry in the search index is outdated; searches find them all the same";
        gauge("search_pending_users", about, None, number(counted.search_pending))?;
        let about = "The age of the oldest change that is not in the search index";
        gauge("search_pending_age", about, Some(&seconds), counted.search_waited.as_secs_f64())?;
        let about = "How long the oldest message in the outbox has waited";
        gauge("outbox_oldest_age", about, Some(&seconds), counted.messages_waited.as_secs_f64())?;
        let about =
            "The age of the numbers of users, tokens, the database's size, the feed and the search index";
        gauge("statistics_age", about, Some(&seconds), at.elapsed().as_secs_f64())
    }
}
