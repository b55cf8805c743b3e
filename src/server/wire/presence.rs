//! What a connection shows to the gate: since when it has been waiting for its client, and whether it was asked to
//! close.
//!
//! It is written with each request of the busiest route, so a write is one plain store without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// Stands in place of a time: a request is under way.
const BUSY: u64 = u64::MAX;

/// The state of one connection.
#[derive(Debug)]
pub(in crate::server) struct Presence {
    /// From when times are counted, the same for all connections of a gate.
    epoch: Instant,
    since: AtomicU64,
    asked_to_close: AtomicBool,
    waker: AtomicWaker,
}

impl Presence {
    /// Starts with a new connection, which waits for its first request.
    pub(in crate::server) fn new(epoch: Instant) -> Self {
        let new = Self {
            epoch,
            since: AtomicU64::new(0),
            asked_to_close: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        };
        new.set_idle_since(Instant::now());
        new
    }

    /// Notes that no request is under way from now on.
    pub(super) fn set_idle_since(&self, now: Instant) {
        let age = now.saturating_duration_since(self.epoch);
        // Rises as time does, and needs no division.
        self.since.store((age.as_secs() << 30) | u64::from(age.subsec_nanos()), Ordering::Relaxed);
    }

    /// Notes that a request is under way.
    pub(in crate::server) fn set_busy(&self) {
        self.since.store(BUSY, Ordering::Relaxed);
    }

    /// Since when the connection has been waiting, in a unit that only orders; `None` while a request is under way.
    pub(in crate::server) fn idle_since(&self) -> Option<u64> {
        Some(self.since.load(Ordering::Relaxed)).filter(|since| *since != BUSY)
    }

    /// Asks the connection to close. It does so when no request is under way.
    pub(in crate::server) fn ask_to_close(&self) {
        self.asked_to_close.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the connection was asked to close.
    pub(in crate::server) fn is_asked_to_close(&self) -> bool {
        self.asked_to_close.load(Ordering::Acquire)
    }

    /// Waits until the connection is asked to close.
    pub(in crate::server) fn poll_asked_to_close(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.is_asked_to_close() { Poll::Ready(()) } else { Poll::Pending }
    }
}
