//! Bounds on reads that may take long: how many run at once, how long each may take, and that one ends when nobody
//! waits for it any more.
//!
//! A read holds its [`Place`] until the database has stopped working on it, not until its caller has gone.
//! So the number of running statements, of threads and of connections is bounded by the number of places.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::error::DatabaseError;

/// Snapshots that are read at once. On PostgreSQL each has a connection beside the others: an export must not keep
/// requests waiting.
pub(crate) const LONG_CONNECTIONS: usize = 4;
/// The longest that one statement of a long read may take, and that it may wait for its turn.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// The right to run one long read.
pub(crate) type Place = OwnedSemaphorePermit;

/// The places for one kind of long read.
#[derive(Clone)]
pub(crate) struct LongReads {
    places: Arc<Semaphore>,
}

impl LongReads {
    /// So many at once.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)) }
    }

    /// Waits for a place, for at most `limit`.
    pub(crate) async fn place(&self, limit: Duration) -> Result<Place, DatabaseError> {
        match timeout(limit, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => {
                Err(DatabaseError::Unavailable("too many lists and other long reads at once".to_owned()))
            }
        }
    }

    /// How many more could begin now.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.places.available_permits()
    }
}

/// Tells a running read that it has to end. Clones share the flag.
#[derive(Clone)]
pub(crate) struct Stop {
    stopped: Arc<AtomicBool>,
    /// The time limit, if there is one.
    until: Option<Instant>,
}

impl Stop {
    /// Stops at this time, or when its caller is gone.
    pub(crate) fn at(until: Instant) -> Self {
        Self { stopped: Arc::default(), until: Some(until) }
    }

    /// Stops when its caller is gone.
    pub(crate) fn never() -> Self {
        Self { stopped: Arc::default(), until: None }
    }

    /// Whether the read has to end now.
    pub(crate) fn is_due(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// The same as an error.
    pub(crate) fn check(&self) -> Result<(), DatabaseError> {
        if self.is_due() { Err(DatabaseError::too_long()) } else { Ok(()) }
    }

    /// Stops the read when the returned value is dropped: the caller keeps it for as long as it waits.
    pub(crate) fn with_caller(&self) -> Waiting {
        Waiting(Arc::clone(&self.stopped))
    }
}

/// A caller that waits for a read.
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
