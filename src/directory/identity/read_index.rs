//! Shares looks at the feed of a PostgreSQL database among the requests that wait for one.
//!
//! A request may use what is cached only after a look at the feed that *began after the request arrived*. One look serves
//! every request that was waiting when it began, so under load a look costs a fraction of a query per request, and there
//! are no leases, clocks or timeouts that could be wrong. Nothing in here knows what a look does.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How often a look lets other tasks run first, at most, while requests keep arriving.
const PATIENCE: u32 = 16;

/// Runs looks one after the other, each for all requests that wait.
pub(in crate::directory) struct ReadIndex {
    state: Mutex<Looks>,
    ended: watch::Sender<LookResult>,
}

#[derive(Default)]
struct Looks {
    /// Looks begun so far.
    begun: u64,
    /// The last look that a request waits for.
    wanted: u64,
    /// Requests that have arrived so far.
    arrived: u64,
    /// Whether a task is running looks.
    is_running: bool,
}

#[derive(Clone, Default)]
struct LookResult {
    /// The last look that ended.
    number: u64,
    /// Why it failed, if it did.
    failure: Option<String>,
}

impl ReadIndex {
    pub(in crate::directory) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), ended: watch::Sender::new(LookResult::default()) })
    }

    /// Waits until a look that began after this call has ended. Returns why it failed, if it did.
    pub(in crate::directory) async fn ensure_current<F>(
        self: &Arc<Self>,
        look: impl Fn() -> F + Send + 'static,
    ) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let mut ended = self.ended.subscribe();
        let (mine, is_idle) = {
            let mut state = self.state();
            state.wanted = state.begun + 1;
            state.arrived += 1;
            (state.wanted, !std::mem::replace(&mut state.is_running, true))
        };
        if is_idle {
            // A task of its own: the request that began it may go away while others still wait.
            tokio::spawn(LookTask(Some(Arc::clone(self))).run(look));
        }
        match ended.wait_for(|ended| ended.number >= mine).await {
            Ok(ended) => ended.failure.clone().map_or(Ok(()), Err),
            Err(_) => Err("the look at the feed of changes was dropped".to_owned()),
        }
    }

    /// Lets the tasks run that can run, for as long as requests keep arriving. Under load a look ends many waits at once, and
    /// the next requests of those clients arrive together: a look that begins after them serves them all.
    async fn gather(&self) {
        let mut arrived = self.state().arrived;
        for _ in 0..PATIENCE {
            tokio::task::yield_now().await;
            let now = self.state().arrived;
            if now == arrived {
                return;
            }
            arrived = now;
        }
    }

    fn state(&self) -> MutexGuard<'_, Looks> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that runs looks for as long as a request waits. If it ends early, the next request starts another.
struct LookTask(Option<Arc<ReadIndex>>);

impl LookTask {
    async fn run<F>(mut self, look: impl Fn() -> F + Send)
    where
        F: Future<Output = Result<(), String>> + Send,
    {
        let Some(index) = self.0.clone() else { return };
        while self.is_wanted(&index) {
            index.gather().await;
            let number = {
                let mut state = index.state();
                state.begun += 1;
                state.begun
            };
            let failure = look().await.err();
            index.ended.send_replace(LookResult { number, failure });
        }
    }
}

impl LookTask {
    /// Whether a request waits for a look that has not begun. If none does, the next request starts another task.
    fn is_wanted(&mut self, index: &ReadIndex) -> bool {
        let mut state = index.state();
        if state.begun < state.wanted {
            return true;
        }
        state.is_running = false;
        self.0 = None;
        false
    }
}

impl Drop for LookTask {
    fn drop(&mut self) {
        if let Some(index) = self.0.take() {
            let mut state = index.state();
            state.is_running = false;
            let number = state.begun;
            drop(state);
            index.ended.send_replace(LookResult {
                number,
                failure: Some("the look at the feed of changes was abandoned".to_owned()),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// The promise itself: a request goes on only after a look that began after it arrived.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_pass_waits_for_a_look_that_began_after_it() {
        let index = ReadIndex::new();
        let world = Arc::new(AtomicU64::new(0));
        let known = Arc::new(AtomicU64::new(0));
        let looks = Arc::new(AtomicU64::new(0));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (index, world, known, looks) =
                (Arc::clone(&index), Arc::clone(&world), Arc::clone(&known), Arc::clone(&looks));
            all.spawn(async move {
                for _ in 0..50 {
                    let written = world.fetch_add(1, Ordering::SeqCst) + 1;
                    let (world, seen, looks) = (Arc::clone(&world), Arc::clone(&known), Arc::clone(&looks));
                    let look = move || {
                        let (world, known) = (Arc::clone(&world), Arc::clone(&seen));
                        looks.fetch_add(1, Ordering::SeqCst);
                        async move {
                            let read = world.load(Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            known.fetch_max(read, Ordering::SeqCst);
                            Ok(())
                        }
                    };
                    index.ensure_current(look).await.unwrap();
                    assert!(known.load(Ordering::SeqCst) >= written, "passed without seeing its own write");
                }
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
        assert!(looks.load(Ordering::SeqCst) < 10_000, "each pass had a look of its own");
    }

    #[tokio::test]
    async fn requests_of_tasks_that_can_run_share_a_look() {
        let index = ReadIndex::new();
        let looks = Arc::new(AtomicU64::new(0));
        let mut all = tokio::task::JoinSet::new();
        let (first, mut before) = tokio::sync::oneshot::channel();
        for _ in 0..100 {
            let (index, looks) = (Arc::clone(&index), Arc::clone(&looks));
            let (next, this) = tokio::sync::oneshot::channel();
            let before = std::mem::replace(&mut before, this);
            // Each wakes the next one when it arrives, behind the task of the first look.
            all.spawn(async move {
                before.await.unwrap();
                tokio::spawn(async { next.send(()) });
                let look = move || {
                    looks.fetch_add(1, Ordering::SeqCst);
                    async { Ok(()) }
                };
                index.ensure_current(look).await
            });
        }
        first.send(()).unwrap();
        while let Some(done) = all.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(looks.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failed_look_fails_those_who_waited_and_the_next_is_tried_anew() {
        let index = ReadIndex::new();
        assert_eq!(index.ensure_current(|| async { Err("away".to_owned()) }).await, Err("away".to_owned()));
        assert_eq!(index.ensure_current(|| async { Ok(()) }).await, Ok(()));
    }

    #[tokio::test]
    async fn who_goes_away_takes_nobody_along() {
        let index = ReadIndex::new();
        let gate = Arc::new(Semaphore::new(0));
        let slow = {
            let gate = Arc::clone(&gate);
            move || {
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.map(|permit| permit.forget()).map_err(|error| error.to_string())
                }
            }
        };
        let first = {
            let (index, slow) = (Arc::clone(&index), slow.clone());
            tokio::spawn(async move { index.ensure_current(slow).await })
        };
        tokio::task::yield_now().await;
        first.abort();
        let second = tokio::spawn({
            let index = Arc::clone(&index);
            async move { index.ensure_current(slow).await }
        });
        tokio::task::yield_now().await;
        gate.add_permits(2);
        assert_eq!(second.await.unwrap(), Ok(()));
    }
}
