//! Counts that make waiting longer: some are free, and then each one more makes the next wait twice as long.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::store::Tx;

/// What is held to a count of its own.
#[derive(Clone, Copy)]
pub(in crate::directory) struct Count {
    pub(super) name: &'static str,
    /// Failures that cost nothing.
    pub(super) free: i64,
    pub(super) longest: Duration,
    /// Without a failure for so long, everything is forgotten.
    pub(super) memory: Duration,
}

impl Count {
    /// How long to wait after so many failures: a second, and twice as long for each more.
    pub(super) fn delay(self, failures: i64) -> Duration {
        match failures.saturating_sub(self.free) {
            beyond @ 1.. => Duration::from_secs(1 << (beyond - 1).min(20)).min(self.longest),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn key(self, parts: [&str; 2]) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [self.name, parts[0], parts[1]] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }
}

impl Tx<'_> {
    /// Counts so many more of a key; until when the next one has to wait.
    pub(super) fn count_more(
        &self,
        count: &Count,
        key: &[u8],
        more: i64,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        let failures = self.failures(key, now)?.saturating_add(more);
        let (until, end) = (after(now, count.delay(failures)), after(now, count.memory));
        self.count_failure(key, failures, until, end.max(until))?;
        Ok(until)
    }
}

pub(super) fn after(now: Timestamp, span: Duration) -> Timestamp {
    now.plus(span).unwrap_or(Timestamp::LAST)
}

/// Refuses while one of these moments lies ahead.
pub(super) fn wait(now: Timestamp, blocked: Vec<i64>) -> Result<(), Error> {
    let ahead = blocked.into_iter().max().unwrap_or(0).saturating_sub(now.as_micros());
    match u64::try_from(ahead) {
        Ok(micros @ 1..) => Err(Error::Busy { retry_after: Duration::from_micros(micros) }),
        _ => Ok(()),
    }
}
