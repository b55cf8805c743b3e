//! Limits for reads that may take long: how many run at once, how long each may take, and that a read stops when its
//! caller no longer waits.
//!
//! A read holds its [`ReadPermit`] until the database has stopped working on it, even after its caller has gone. So the
//! number of permits limits the number of running statements, threads and connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::error::DatabaseError;

/// How many snapshots may be read at once. On PostgreSQL each has a connection of its own, so that an export does not
/// delay requests.
pub(crate) const MAX_SNAPSHOTS: usize = 4;
/// The time limit of one statement of a snapshot, and of the wait for a permit.
pub(crate) const LONG_READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The right to run one long read.
pub(crate) type ReadPermit = OwnedSemaphorePermit;

/// The permits for one kind of long read.
#[derive(Clone)]
pub(crate) struct LongReads {
    permits: Arc<Semaphore>,
}

impl LongReads {
    /// Allows `max` reads at once.
    pub(crate) fn new(max: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(max)) }
    }

    /// Waits for a permit, for at most `limit`.
    pub(crate) async fn acquire(&self, limit: Duration) -> Result<ReadPermit, DatabaseError> {
        match timeout(limit, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed, so only the timeout ends here.
            Ok(Err(_)) | Err(_) => {
                Err(DatabaseError::Unavailable("too many lists and other long reads at once".to_owned()))
            }
        }
    }

    /// Returns a permit if there is one now.
    pub(crate) fn try_acquire(&self) -> Option<ReadPermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Returns how many more reads could begin now.
    #[cfg(test)]
    pub(crate) fn available(&self) -> usize {
        self.permits.available_permits()
    }
}

/// A signal that makes a running read stop. Clones share the flag.
#[derive(Clone)]
pub(crate) struct StopSignal {
    stopped: Arc<AtomicBool>,
    /// The time at which the read has to stop, if there is one.
    deadline: Option<Instant>,
}

impl StopSignal {
    /// Creates a signal that is set at `deadline`, or earlier when the caller is gone.
    pub(crate) fn at(deadline: Instant) -> Self {
        Self { stopped: Arc::default(), deadline: Some(deadline) }
    }

    /// Creates a signal that is set only when the caller is gone.
    pub(crate) fn without_deadline() -> Self {
        Self { stopped: Arc::default(), deadline: None }
    }

    /// Returns whether the read has to stop now.
    pub(crate) fn is_set(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Returns an error if the read has to stop now.
    pub(crate) fn check(&self) -> Result<(), DatabaseError> {
        if self.is_set() { Err(DatabaseError::stopped()) } else { Ok(()) }
    }

    /// Returns a guard that sets the signal when it is dropped. The caller keeps it for as long as it waits.
    pub(crate) fn stop_on_drop(&self) -> StopOnDrop {
        StopOnDrop(Arc::clone(&self.stopped))
    }
}

/// Stops a read when its caller no longer waits.
pub(crate) struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
