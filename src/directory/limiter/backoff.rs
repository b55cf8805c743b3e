//! Exponential backoff: some failures are free, and each further one doubles the wait before the next attempt.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::store::Tx;

/// How failures of one kind make attempts wait. The database keeps a count for each key.
#[derive(Clone, Copy)]
pub(in crate::directory) struct Backoff {
    /// Part of each key, so that kinds do not share counts.
    pub(in crate::directory) name: &'static str,
    /// Failures that cost nothing.
    pub(in crate::directory) free: i64,
    /// The longest wait.
    pub(in crate::directory) longest: Duration,
    /// How long after the last failure a count is forgotten.
    pub(in crate::directory) memory: Duration,
}

impl Backoff {
    /// Returns the wait after this many failures: a second, doubled for each further failure.
    pub(in crate::directory) fn delay(self, failures: i64) -> Duration {
        match failures.saturating_sub(self.free) {
            beyond @ 1.. => Duration::from_secs(1 << (beyond - 1).min(20)).min(self.longest),
            _ => Duration::ZERO,
        }
    }

    /// Returns the key of a count. Lengths are hashed along, so that parts do not run into each other.
    pub(in crate::directory) fn key(self, parts: [&str; 2]) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [self.name, parts[0], parts[1]] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }

    /// Adds failures to the count of a key and returns until when the next attempt has to wait.
    pub(in crate::directory) fn add(
        &self,
        tx: &Tx<'_>,
        key: &[u8],
        more: i64,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        let failures = tx.failures(key, now)?.saturating_add(more);
        let (until, end) = (after(now, self.delay(failures)), after(now, self.memory));
        tx.count_failure(key, failures, until, end.max(until))?;
        Ok(until)
    }
}

fn after(now: Timestamp, span: Duration) -> Timestamp {
    now.plus(span).unwrap_or(Timestamp::LAST)
}

/// Returns [`Error::Busy`] while one of these times, in microseconds, lies ahead.
pub(in crate::directory) fn check_wait(now: Timestamp, blocked: Vec<i64>) -> Result<(), Error> {
    let ahead = blocked.into_iter().max().unwrap_or(0).saturating_sub(now.as_micros());
    match u64::try_from(ahead) {
        Ok(micros @ 1..) => Err(Error::Busy { retry_after: Duration::from_micros(micros) }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { name: "pair", free: 5, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };

    #[test]
    fn the_wait_doubles_up_to_its_longest() {
        let seconds: Vec<_> = (1..=20).map(|failures| BACKOFF.delay(failures).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]);
        assert_eq!((BACKOFF.delay(i64::MAX), BACKOFF.delay(i64::MIN)), (BACKOFF.longest, Duration::ZERO));
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(BACKOFF.key(["ab", "c"]), BACKOFF.key(["a", "bc"]));
        assert_ne!(BACKOFF.key(["a", ""]), Backoff { name: "account", ..BACKOFF }.key(["a", ""]));
    }
}
