//! Exponential backoff: some failures are free, and each further one doubles the wait before the next attempt.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::store::Tx;
use crate::directory::store::attempts::BlockedKey;

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

/// How much longer than its failures cause a stored wait may be: the clocks of replicas may differ by this much.
const TOLERANCE: Duration = Duration::from_mins(1);

/// The waits of one attempt.
#[derive(Default)]
pub(in crate::directory) struct Waits {
    longest: Duration,
    too_long: Vec<ShorterWait>,
}

/// A wait that ends later than its failures cause, and when it is to end.
struct ShorterWait {
    key: Vec<u8>,
    until: Timestamp,
    expires_at: Timestamp,
}

impl Waits {
    /// Determines the waits of these counts from those that are stored. No wait is longer than the longest of its backoff, or
    /// much longer than its failures cause. A stored time that lies further ahead was written before the clock went back;
    /// then the wait is the one that the failures cause, from now on.
    pub(in crate::directory) fn of(
        now: Timestamp,
        counts: &[(Backoff, Vec<u8>)],
        stored: &[BlockedKey],
    ) -> Self {
        let mut waits = Self::default();
        for BlockedKey { key, failures, until } in stored {
            let Some((backoff, _)) = counts.iter().find(|(_, counted)| counted == key) else { continue };
            let ahead = u64::try_from(until.saturating_sub(now.as_micros())).unwrap_or(0);
            let (ahead, caused) = (Duration::from_micros(ahead), backoff.delay(*failures));
            if ahead <= caused.saturating_add(TOLERANCE).min(backoff.longest) {
                waits.longest = waits.longest.max(ahead);
            } else {
                waits.longest = waits.longest.max(caused);
                let (until, expires_at) = (after(now, caused), after(now, backoff.memory));
                waits.too_long.push(ShorterWait { key: key.clone(), until, expires_at });
            }
        }
        waits
    }

    /// Returns [`Error::Busy`] while there is a wait.
    pub(in crate::directory) fn check(&self) -> Result<(), Error> {
        match self.longest {
            Duration::ZERO => Ok(()),
            retry_after => Err(Error::Busy { retry_after }),
        }
    }

    /// Whether a stored wait is too long.
    pub(in crate::directory) fn are_too_long(&self) -> bool {
        !self.too_long.is_empty()
    }

    /// Stores the ends of the waits that were too long, so that time ends them.
    pub(in crate::directory) fn shorten(&self, tx: &Tx<'_>) -> Result<(), Error> {
        let mut shorter = self.too_long.iter();
        shorter.try_for_each(|wait| tx.shorten_wait(&wait.key, wait.until, wait.expires_at))
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

    /// Guards against a clock that goes back: one failure made an account wait until the clock was there again.
    #[test]
    fn no_one_waits_longer_than_the_failures_cause_whatever_is_stored() {
        let now = Timestamp::from_micros(1_000_000_000).unwrap();
        let counts = [(BACKOFF, b"a".to_vec()), (Backoff { free: 0, ..BACKOFF }, b"b".to_vec())];
        let waits = |key: &[u8], failures, until: i64| {
            let waits = Waits::of(now, &counts, &[BlockedKey { key: key.into(), failures, until }]);
            (waits.longest.as_millis(), waits.are_too_long())
        };
        let ahead = |millis: i64| now.as_micros() + millis * 1_000;
        for (key, failures, until, expected) in [
            (b"a", 6, ahead(1_000), (1_000, false)),
            (b"a", 6, ahead(250), (250, false)),
            (b"a", 6, ahead(0), (0, false)),
            (b"a", 6, i64::MIN, (0, false)),
            // The clocks of replicas differ.
            (b"a", 6, ahead(61_000), (61_000, false)),
            (b"a", 5, ahead(7_000), (7_000, false)),
            (b"a", 100, ahead(900_000), (900_000, false)),
            (b"a", 100, ahead(900_001), (900_000, true)),
            // The clock went back.
            (b"a", 6, ahead(3_601_000), (1_000, true)),
            (b"a", 7, i64::MAX, (2_000, true)),
            (b"a", i64::MAX, i64::MAX, (900_000, true)),
            (b"a", 5, i64::MAX, (0, true)),
            (b"a", i64::MIN, i64::MAX, (0, true)),
            (b"b", 1, ahead(3_600_000), (1_000, true)),
            // Not a count of this attempt.
            (b"c", 9, i64::MAX, (0, false)),
        ] {
            assert_eq!(waits(key, failures, until), expected, "{failures} {until}");
        }
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(BACKOFF.key(["ab", "c"]), BACKOFF.key(["a", "bc"]));
        assert_ne!(BACKOFF.key(["a", ""]), Backoff { name: "account", ..BACKOFF }.key(["a", ""]));
    }
}
