//! How often a password may be tried.
//!
//! Failures are counted three times: of one account from one client, of one client whatever the account, and of
//! one account whoever tries. Beyond a free number each count makes its next attempt wait, twice as long with
//! every failure. An attempt is counted *before* the password is looked at and taken back when it was right, so
//! that many at once get no further than one after the other.
//!
//! A stranger cannot lock anybody out: whoever has signed in to the account before from the same network is not
//! held up by what others do to the account. An unknown name is counted like a known one.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::network;
use crate::directory::Directory;
use crate::directory::access::Origin;
use crate::directory::error::Error;
use crate::directory::model::{Moment, UserId, fold};
use crate::directory::store::Tx;
use crate::directory::store::attempts as stored;

/// Networks remembered of each user; the one not used for longest goes.
const NETWORKS_MAX: i64 = 20;

/// What is held to a count of its own.
#[derive(Clone, Copy)]
struct Count {
    name: &'static str,
    /// Failures that cost nothing.
    free: i64,
    longest: Duration,
    /// Without a failure for so long, everything is forgotten.
    memory: Duration,
}

const PAIR: Count =
    Count { name: "pair", free: 5, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };
const CLIENT: Count =
    Count { name: "client", free: 50, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };
const ACCOUNT: Count =
    Count { name: "account", free: 100, longest: Duration::from_mins(1), memory: Duration::from_hours(1) };

impl Count {
    /// How long to wait after so many failures: a second, and twice as long for each more.
    fn delay(self, failures: i64) -> Duration {
        match failures.saturating_sub(self.free) {
            beyond @ 1.. => Duration::from_secs(1 << (beyond - 1).min(20)).min(self.longest),
            _ => Duration::ZERO,
        }
    }

    fn key(self, parts: [&str; 2]) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [self.name, parts[0], parts[1]] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }
}

/// An attempt that is counted already.
pub(in crate::directory) struct Attempt {
    counts: Vec<Vec<u8>>,
    network: Option<IpAddr>,
}

impl Directory {
    /// Counts an attempt to prove to be `account`; [`Error::Busy`] when it comes too early.
    pub(in crate::directory) async fn attempt(
        &self,
        origin: &Origin,
        account: &str,
        user: Option<UserId>,
    ) -> Result<Attempt, Error> {
        let network = origin.ip().map(network);
        let now = self.clock.now();
        let counts = self.counts(account, network, user).await?;
        let keys: Vec<_> = counts.iter().map(|(_, key)| key.clone()).collect();
        // Who has to wait costs a read and no more.
        let blocked: Vec<i64> = self.store.few(stored::blocked(&keys, now)).await?;
        wait(now, blocked)?;
        // What no hash will be computed for need not be remembered: so rows grow no faster than hashes.
        self.hasher.check_room()?;
        let attempt = Attempt { counts: keys.clone(), network };
        self.store
            .write(move |tx| {
                wait(now, tx.blocked(&keys, now)?)?;
                for (count, key) in &counts {
                    let failures = tx.failures(key, now)? + 1;
                    let (until, end) = (after(now, count.delay(failures)), after(now, count.memory));
                    tx.count_failure(key, failures, until, end.max(until))?;
                }
                tx.forget_attempts(now)
            })
            .await?;
        Ok(attempt)
    }

    async fn counts(
        &self,
        account: &str,
        network: Option<IpAddr>,
        user: Option<UserId>,
    ) -> Result<Vec<(Count, Vec<u8>)>, Error> {
        let (account, from) = (fold(account), network.map(|network| network.to_string()).unwrap_or_default());
        // An unknown name costs the same look-up.
        let user = user.map_or(0, UserId::get);
        let known = self.store.first::<i64>(stored::knows(user, &from)).await?.is_some();
        let mut counts = vec![(PAIR, PAIR.key([&account, &from])), (CLIENT, CLIENT.key(["", &from]))];
        if !known {
            counts.push((ACCOUNT, ACCOUNT.key([&account, ""])));
        }
        Ok(counts)
    }
}

impl Attempt {
    /// Takes the count back: the password was right. The client is known from now on.
    pub(in crate::directory) fn succeeded(
        &self,
        tx: &Tx<'_>,
        user: UserId,
        now: Moment,
    ) -> Result<(), Error> {
        for (index, key) in self.counts.iter().enumerate() {
            // The pair has proved itself; the other counts may be full of somebody else's failures.
            if index == 0 { tx.forget_failures(key)? } else { tx.take_back_failure(key)? }
        }
        match self.network {
            Some(network) => tx.know_network(user, &network.to_string(), now, NETWORKS_MAX),
            None => Ok(()),
        }
    }
}

fn after(now: Moment, span: Duration) -> Moment {
    now.plus(span).unwrap_or(Moment::LAST)
}

/// Refuses while one of these moments lies ahead.
fn wait(now: Moment, blocked: Vec<i64>) -> Result<(), Error> {
    let ahead = blocked.into_iter().max().unwrap_or(0).saturating_sub(now.as_micros());
    match u64::try_from(ahead) {
        Ok(micros @ 1..) => Err(Error::Busy { retry_after: Duration::from_micros(micros) }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_longest() {
        let seconds: Vec<_> = (1..=20).map(|failures| PAIR.delay(failures).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]);
        assert_eq!((PAIR.delay(i64::MAX), PAIR.delay(i64::MIN)), (PAIR.longest, Duration::ZERO));
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(PAIR.key(["ab", "c"]), PAIR.key(["a", "bc"]));
        assert_ne!(PAIR.key(["a", ""]), ACCOUNT.key(["a", ""]));
    }
}
