//! One budget of bytes for everything that requests make the server hold: bodies and large heads that come in, large
//! answers that go out.
//!
//! A message that does not fit is refused with 503, so no number of slow clients can exhaust the machine's memory. When
//! memory runs low, large heads are refused first, then large bodies, and small bodies last: the few clients who send
//! large messages cannot keep others from the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// The size up to which a message is small, in bytes. A small body may use the whole budget, other bodies three
/// quarters of it, and heads half. A small answer is not counted: its connection holds little more than without it.
pub const SMALL: usize = 16 * 1024;

/// The budget. A clone is the same budget.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    limit: usize,
    used: AtomicUsize,
    /// Bytes in use, for the metrics.
    gauge: Gauge,
    refused: Counter,
}

impl MemoryBudget {
    /// Makes a budget of `limit` bytes.
    pub fn new(limit: usize, gauge: Gauge, refused: Counter) -> Self {
        Self(Arc::new(BudgetState { limit, used: AtomicUsize::new(0), gauge, refused }))
    }

    /// Makes an empty share for a body.
    pub fn share(&self) -> MemoryShare {
        MemoryShare { memory: self.clone(), bytes: 0, is_head: false }
    }

    /// Makes an empty share for a head.
    pub fn share_for_head(&self) -> MemoryShare {
        MemoryShare { memory: self.clone(), bytes: 0, is_head: true }
    }

    /// The number of bytes in use.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    fn take(&self, more: usize, limit: usize) -> bool {
        let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= limit);
        let taken = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        match taken {
            true => _ = self.0.gauge.inc_by(signed(more)),
            false => _ = self.0.refused.inc(),
        }
        taken
    }

    fn give_back(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.0.gauge.dec_by(signed(bytes));
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The bytes that one message uses. They return to the budget when the share is dropped.
#[derive(Debug)]
pub struct MemoryShare {
    memory: MemoryBudget,
    bytes: usize,
    is_head: bool,
}

impl MemoryShare {
    /// The number of bytes in the share.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Grows the share to `bytes` in all. Returns false when the budget has no room for that.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes) else { return true };
        let quarter = self.memory.0.limit / 4;
        let limit = match bytes {
            _ if self.is_head => 2 * quarter,
            ..=SMALL => self.memory.0.limit,
            _ => 3 * quarter,
        };
        let grown = more == 0 || self.memory.take(more, limit);
        self.bytes = if grown { bytes } else { self.bytes };
        grown
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.memory.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_returns() {
        let memory = MemoryBudget::new(100_000, Gauge::default(), Counter::default());
        let (mut first, mut second) = (memory.share(), memory.share());
        assert!(first.grow_to(70_000) && first.grow_to(10) && first.grow_to(75_000));
        assert_eq!(memory.used(), 75_000);
        assert!(!second.grow_to(SMALL + 1), "large messages may use three quarters");
        assert!(second.grow_to(SMALL), "small ones the rest, too");
        assert!(!memory.share_for_head().grow_to(1), "heads may use half");
        assert!(!first.grow_to(76_000) && memory.used() == 75_000 + SMALL);
        drop((first, second));
        assert_eq!((memory.used(), memory.0.gauge.get(), memory.0.refused.get()), (0, 0, 3));
    }
}
