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

use super::fault::StoreError;

/// The right to run one long read.
pub(super) type Place = OwnedSemaphorePermit;

/// The places for one kind of long read.
#[derive(Clone)]
pub(super) struct LongReads {
    places: Arc<Semaphore>,
}

impl LongReads {
    /// So many at once.
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)) }
    }

    /// Waits for a place, for at most `patience`.
    pub(super) async fn place(&self, patience: Duration) -> Result<Place, StoreError> {
        match timeout(patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => {
                Err(StoreError::Unavailable("too many lists and other long reads at once".to_owned()))
            }
        }
    }

    /// How many more could begin now.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.places.available_permits()
    }
}

/// Tells a running read that it has to end. Clones share the flag.
#[derive(Clone)]
pub(super) struct Stop {
    stopped: Arc<AtomicBool>,
    /// The time limit, if there is one.
    until: Option<Instant>,
}

impl Stop {
    /// Stops at this time, or when its caller is gone.
    pub(super) fn at(until: Instant) -> Self {
        Self { stopped: Arc::default(), until: Some(until) }
    }

    /// Stops when its caller is gone.
    pub(super) fn never() -> Self {
        Self { stopped: Arc::default(), until: None }
    }

    /// Whether the read has to end now.
    pub(super) fn is_due(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// The same as an error.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.is_due() { Err(too_long()) } else { Ok(()) }
    }

    /// Stops the read when the returned value is dropped: the caller keeps it for as long as it waits.
    pub(super) fn with_caller(&self) -> Waiting {
        Waiting(Arc::clone(&self.stopped))
    }
}

/// A caller that waits for a read.
pub(super) struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A read that was ended before its end.
pub(super) fn too_long() -> StoreError {
    StoreError::Unavailable("the read took too long and was ended".to_owned())
}

#[cfg(test)]
mod tests;
