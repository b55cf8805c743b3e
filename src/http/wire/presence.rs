//! What others may know of a connection: since when it has been waiting for its client, and that it is to close.
//!
//! It is written with each request of the busiest route, so a write is one plain store and nobody is waited for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// Instead of a time: a request is under way.
const BUSY: u64 = u64::MAX;

/// One connection's.
#[derive(Debug)]
pub(in crate::http) struct Presence {
    /// From when times are counted, the same for all connections that are compared.
    epoch: Instant,
    since: AtomicU64,
    leaving: AtomicBool,
    waker: AtomicWaker,
}

impl Presence {
    /// Of a new connection, which waits for its first request.
    pub(in crate::http) fn new(epoch: Instant) -> Self {
        let new = Self {
            epoch,
            since: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        };
        new.waits_since(Instant::now());
        new
    }

    /// No request is under way from now on.
    pub(super) fn waits_since(&self, now: Instant) {
        let age = now.saturating_duration_since(self.epoch);
        // Rises as time does, and needs no division.
        self.since.store((age.as_secs() << 30) | u64::from(age.subsec_nanos()), Ordering::Relaxed);
    }

    /// A request is under way.
    pub(in crate::http) fn is_busy(&self) {
        self.since.store(BUSY, Ordering::Relaxed);
    }

    /// Since when it has been waiting, in units of their own; nothing while a request is under way.
    pub(in crate::http) fn idle_since(&self) -> Option<u64> {
        Some(self.since.load(Ordering::Relaxed)).filter(|since| *since != BUSY)
    }

    /// Asks the connection to close. It does so when no request is under way.
    pub(in crate::http) fn ask_to_leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether it was asked to close.
    pub(in crate::http) fn is_asked_to_leave(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Waits to be asked to close.
    pub(in crate::http) fn poll_asked(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.is_asked_to_leave() { Poll::Ready(()) } else { Poll::Pending }
    }
}
