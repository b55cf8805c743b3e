//! Fixed windows of time, and the lock around the counts of one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::directory::model::Timestamp;

/// Returns the start of the window that `now` lies in; both in microseconds, as is `length`, at least 1.
pub(in crate::directory) fn window_start(now: Timestamp, length: i64) -> i64 {
    now.as_micros().div_euclid(length).saturating_mul(length)
}

/// Locks counts. A panic while they were locked leaves counts that are as good as before.
pub(super) fn lock<T>(counts: &Mutex<T>) -> MutexGuard<'_, T> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
