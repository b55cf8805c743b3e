//! Cached answers while the database is unavailable, for as long as the operator allows.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use crate::directory::model::Timestamp;

/// How long cached identities may be answered while the database is unavailable, and since when it is.
pub(super) struct StalePolicy {
    allowed: Duration,
    /// In microseconds.
    last_success: AtomicI64,
    answers: Counter,
}

impl StalePolicy {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { allowed, last_success: AtomicI64::new(i64::MIN), answers: Counter::default() }
    }

    /// Records that the database answered now.
    pub(super) fn record_success(&self, now: Timestamp) {
        if !self.allowed.is_zero() {
            self.last_success.store(now.as_micros(), Ordering::Relaxed);
        }
    }

    /// Whether the operator allows an answer now that may be stale. Counts it if so.
    pub(super) fn allows(&self, now: Timestamp) -> bool {
        let since = now.as_micros().saturating_sub(self.last_success.load(Ordering::Relaxed));
        let is_allowed = !self.allowed.is_zero()
            && u128::try_from(since).is_ok_and(|since| since <= self.allowed.as_micros());
        if is_allowed {
            self.answers.inc();
        }
        is_allowed
    }

    /// The counter of answers that may have been stale.
    pub(super) fn answers(&self) -> Counter {
        self.answers.clone()
    }
}
