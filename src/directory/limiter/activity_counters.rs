//! How often things happened that a chart shows, and the database does not know yet.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::directory::model::ActivityKind;

/// One counter for each kind.
pub(in crate::directory) struct ActivityCounters(Vec<AtomicU64>);

impl Default for ActivityCounters {
    fn default() -> Self {
        Self(ActivityKind::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl ActivityCounters {
    /// Counts one.
    #[inline]
    pub(in crate::directory) fn note(&self, kind: ActivityKind) {
        self.add(kind, 1);
    }

    /// Takes what was counted since the last call; kinds without a count are left out.
    pub(in crate::directory) fn take(&self) -> Vec<(ActivityKind, u64)> {
        let taken = ActivityKind::ALL.iter().zip(&self.0);
        let taken = taken.map(|(kind, counter)| (*kind, counter.swap(0, Ordering::Relaxed)));
        taken.filter(|(_, count)| *count > 0).collect()
    }

    /// Puts back what could not be written.
    pub(in crate::directory) fn put_back(&self, counts: &[(ActivityKind, u64)]) {
        for (kind, count) in counts {
            self.add(*kind, *count);
        }
    }

    fn add(&self, kind: ActivityKind, count: u64) {
        if let Some(counter) = self.0.get(kind.index()) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }
}
