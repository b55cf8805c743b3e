//! Following the commits to one PostgreSQL database, whoever made them.
//!
//! A request may use what is cached only after a look at the feed that *began after the request arrived*.
//! One look serves every request that was waiting when it began, so under load a look costs a fraction of
//! a query per request; and there are no leases, clocks or time-outs that could be wrong. Nothing here knows
//! what a look does.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Looks, one after the other, each for all who wait.
pub(super) struct ReadIndex {
    state: Mutex<State>,
    ended: watch::Sender<Ended>,
}

#[derive(Default)]
struct State {
    /// Looks begun so far.
    begun: u64,
    /// The last look that somebody waits for.
    wanted: u64,
    /// Whether somebody is looking.
    looking: bool,
}

#[derive(Clone, Default)]
struct Ended {
    /// The last look that ended.
    number: u64,
    /// Why it told nothing, if so.
    failure: Option<String>,
}

impl ReadIndex {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), ended: watch::Sender::new(Ended::default()) })
    }

    /// Resolves when a look that began after this call has ended; tells why if it failed.
    pub(super) async fn pass<F>(self: &Arc<Self>, look: impl Fn() -> F + Send + 'static) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let mut ended = self.ended.subscribe();
        let (mine, nobody_looks) = {
            let mut state = self.state();
            state.wanted = state.begun + 1;
            (state.wanted, !std::mem::replace(&mut state.looking, true))
        };
        if nobody_looks {
            // A task of its own: whoever began it may go away, the others still wait.
            tokio::spawn(Looking(Some(Arc::clone(self))).run(look));
        }
        match ended.wait_for(|ended| ended.number >= mine).await {
            Ok(ended) => ended.failure.clone().map_or(Ok(()), Err),
            Err(_) => Err("nobody looks any more".to_owned()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that looks for as long as somebody waits. When it ends early, the next to come starts another.
struct Looking(Option<Arc<ReadIndex>>);

impl Looking {
    async fn run<F>(mut self, look: impl Fn() -> F + Send)
    where
        F: Future<Output = Result<(), String>> + Send,
    {
        let Some(index) = self.0.clone() else { return };
        loop {
            let number = {
                let mut state = index.state();
                if state.begun >= state.wanted {
                    state.looking = false;
                    self.0 = None;
                    return;
                }
                state.begun += 1;
                state.begun
            };
            let failure = look().await.err();
            index.ended.send_replace(Ended { number, failure });
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(index) = self.0.take() {
            let mut state = index.state();
            state.looking = false;
            let number = state.begun;
            drop(state);
            index.ended.send_replace(Ended { number, failure: Some("the look was given up".to_owned()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// The promise itself: whoever passes has seen a look that began after they came.
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
                    index.pass(look).await.unwrap();
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
    async fn a_failed_look_fails_those_who_waited_and_the_next_is_tried_anew() {
        let index = ReadIndex::new();
        assert_eq!(index.pass(|| async { Err("away".to_owned()) }).await, Err("away".to_owned()));
        assert_eq!(index.pass(|| async { Ok(()) }).await, Ok(()));
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
            tokio::spawn(async move { index.pass(slow).await })
        };
        tokio::task::yield_now().await;
        first.abort();
        let second = tokio::spawn({
            let index = Arc::clone(&index);
            async move { index.pass(slow).await }
        });
        tokio::task::yield_now().await;
        gate.add_permits(2);
        assert_eq!(second.await.unwrap(), Ok(()));
    }
}
