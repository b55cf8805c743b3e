//! Whether keys can be looked up, for health checks.
//!
//! Anyone may call a health check, as often as they like. So calls share a check: at most one runs at a time, and those that
//! come while it runs wait for its result. A good result is used again for [`GOOD_FOR`], unless a look-up has failed since; a
//! bad one for [`BAD_FOR`], so that a server that recovers is ready again at once. However many calls come, the database
//! gets at most one look-up per second while it is well, and ten while it is not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::directory::error::Error;

/// How long a good result is used.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long a bad result is used.
const BAD_FOR: Duration = Duration::from_millis(100);

/// The last result, shared by all calls.
#[derive(Default)]
pub(super) struct Readiness {
    last: Mutex<Option<CheckResult>>,
    /// The number of look-ups of requests that failed.
    failures: AtomicU64,
}

struct CheckResult {
    /// When the check began. Not the time of day, which can be set back.
    at: Instant,
    /// The failures before it began.
    failures: u64,
    outcome: Result<(), String>,
}

impl Readiness {
    /// Notes that the look-up of a request failed.
    #[cold]
    pub(super) fn note_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the last result if it may be used at `now`, when the call began, or that of a new check. The error is for the
    /// log.
    pub(super) async fn check<T, F>(&self, now: Instant, check: impl FnOnce() -> F) -> Result<(), String>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // A caller that goes away ends its check; the next one in the queue begins another.
        let mut last = self.last.lock().await;
        let failures = self.failures.load(Ordering::Relaxed);
        if let Some(result) = last.as_ref().filter(|result| result.is_usable(now, failures)) {
            return result.outcome.clone();
        }
        let outcome = check().await.map(|_| ()).map_err(Error::into_cause);
        *last = Some(CheckResult { at: now, failures, outcome: outcome.clone() });
        outcome
    }
}

impl CheckResult {
    fn is_usable(&self, now: Instant, failures: u64) -> bool {
        let age = now.saturating_duration_since(self.at);
        match self.outcome {
            Ok(()) => self.failures == failures && age < GOOD_FOR,
            Err(_) => age < BAD_FOR,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn away() -> Error {
        Error::Unavailable("away".to_owned())
    }

    #[tokio::test]
    async fn calls_share_a_check() {
        let (readiness, checks, now) = (Readiness::default(), AtomicU32::new(0), Instant::now());
        let check = || async {
            checks.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Error>(())
        };
        let all = futures_util::future::join_all((0..100).map(|_| readiness.check(now, check))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(checks.load(Ordering::Relaxed), 1);
        for (later, expected) in [(GOOD_FOR - Duration::from_millis(1), 1), (GOOD_FOR, 2), (GOOD_FOR, 2)] {
            readiness.check(now + later, check).await.unwrap();
            assert_eq!(checks.load(Ordering::Relaxed), expected, "{later:?}");
        }
    }

    #[tokio::test]
    async fn a_failed_look_up_ends_a_good_result_and_a_bad_one_is_short() {
        let (readiness, now) = (Readiness::default(), Instant::now());
        let good = async |at| readiness.check(at, async || Ok(())).await.is_ok();
        let bad = async |at| readiness.check(at, async || Err::<(), _>(away())).await.is_ok();
        assert!(good(now).await && bad(now).await, "the last result");
        readiness.note_failure();
        assert!(!bad(now).await, "checked again");
        assert!(!good(now).await, "the last result");
        assert!(good(now + BAD_FOR).await, "it has recovered");
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_no_one_waiting() {
        let (readiness, now) = (Readiness::default(), Instant::now());
        let gone = readiness.check(now, std::future::pending::<Result<(), Error>>);
        assert!(tokio::time::timeout(Duration::from_millis(1), gone).await.is_err());
        assert!(readiness.check(now, async || Ok(())).await.is_ok());
    }
}
