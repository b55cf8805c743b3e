//! How often anybody may ask: a number of requests in each stretch of time, per token and per client.
//!
//! A request is counted in memory, so counting costs no write. Every [`SHARED_EVERY`] the counts are added up in
//! the database, which is how replicas and a process that starts anew learn of them: so a limit can be overrun by
//! what the others let through in that time, and at the border of two stretches by what each allows.
//!
//! Memory, the cost of a request, and what is written of all this are bounded, whoever asks from however many
//! addresses. Beyond the bound a newcomer takes the place of whoever has asked least, who begins at nothing again:
//! nobody pays for others.

use std::collections::VecDeque;
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::network;
use super::slots::Slots;
use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::model::{Rate, Rates, Timestamp, TokenId};

/// How often counts are to be shared by way of the database.
pub const SHARED_EVERY: Duration = Duration::from_secs(1);
/// Tokens that are counted at once, and clients; about 64 bytes each.
pub const COUNTED_MOST: usize = 200_000;
/// Counts shared each time, of tokens and of clients; the others wait for the next time.
const SHARED_MOST: usize = 2_000;
/// Counts written in one transaction.
const BATCH: usize = 500;

/// How a request stands to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitStatus {
    /// What is limited: `token` or `address`.
    pub policy: &'static str,
    /// The limit.
    pub rate: Rate,
    /// Requests left in this stretch of time.
    pub remaining: u64,
    /// When the next one begins.
    pub reset: Duration,
    /// Whether this request is one too many.
    pub exceeded: bool,
}

/// What one token or client has asked for in a stretch of time.
#[derive(Default)]
struct Count {
    window: i64,
    /// Counted here and not yet shared.
    fresh: u64,
    /// Counted by all, as far as known.
    shared: u64,
    /// Whether it waits in [`Table::unshared`].
    is_waiting: bool,
    /// Whether the database has a row of it.
    is_stored: bool,
}

impl Count {
    fn used(&self) -> u64 {
        self.fresh.saturating_add(self.shared)
    }
}

/// The counts of tokens, or of clients.
struct Table<K> {
    counts: Slots<K, Count>,
    /// Whose counts are to be shared, in the order in which they came.
    unshared: VecDeque<K>,
    /// The latest stretch of time, and the rows that it was given.
    stored: (i64, usize),
}

impl<K: Copy + Eq + Hash> Table<K> {
    fn new() -> Self {
        Self { counts: Slots::new(COUNTED_MOST), unshared: VecDeque::new(), stored: (i64::MIN, 0) }
    }

    fn count(&mut self, policy: &'static str, key: K, rate: Rate, now: Timestamp) -> RateLimitStatus {
        let span = i64::try_from(rate.window.as_micros()).unwrap_or(i64::MAX).max(1);
        let window = now.as_micros().div_euclid(span).saturating_mul(span);
        let room = self.unshared.len() < COUNTED_MOST;
        let weight = |count: &Count| (count.window, count.used());
        let (used, exceeded, waits) = self.counts.with(key, weight, |count| {
            if count.window != window {
                *count = Count { window, is_waiting: count.is_waiting, ..Count::default() };
            }
            let used = count.used();
            let exceeded = used >= u64::from(rate.requests);
            if !exceeded {
                count.fresh += 1;
            }
            let waits = !exceeded && !count.is_waiting && room;
            count.is_waiting |= waits;
            (used, exceeded, waits)
        });
        if waits {
            self.unshared.push_back(key);
        }
        let left = window.saturating_add(span).saturating_sub(now.as_micros());
        RateLimitStatus {
            policy,
            rate,
            remaining: u64::from(rate.requests).saturating_sub(used + 1),
            reset: Duration::from_micros(u64::try_from(left).unwrap_or(0)),
            exceeded,
        }
    }

    /// What is to be shared now, taken out. In each stretch of time no more rows come into the database than there
    /// are counts in memory; what is beyond them is limited by each process for itself.
    fn fresh(&mut self) -> Vec<(K, i64, u64)> {
        let Self { counts, unshared, stored } = self;
        let mut fresh = Vec::new();
        for key in unshared.drain(..unshared.len().min(SHARED_MOST)) {
            let Some(count) = counts.get_mut(&key) else { continue };
            let waited = std::mem::take(&mut count.is_waiting);
            // What belongs to a stretch of time that is over concerns nobody any more.
            if !waited || count.fresh == 0 || count.window < stored.0 {
                continue;
            }
            if stored.0 < count.window {
                *stored = (count.window, 0);
            }
            if !count.is_stored {
                if stored.1 >= COUNTED_MOST {
                    continue;
                }
                (stored.1, count.is_stored) = (stored.1 + 1, true);
            }
            let taken = std::mem::take(&mut count.fresh);
            count.shared += taken;
            fresh.push((key, count.window, taken));
        }
        fresh
    }

    /// What all have counted, as the database has it.
    fn learn(&mut self, key: &K, window: i64, total: u64) {
        if let Some(count) = self.counts.get_mut(key).filter(|count| count.window == window) {
            count.shared = count.shared.max(total);
        }
    }
}

/// The counts of this process.
pub(in crate::directory) struct Counts {
    tokens: Mutex<Table<i64>>,
    clients: Mutex<Table<IpAddr>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { tokens: Mutex::new(Table::new()), clients: Mutex::new(Table::new()) }
    }
}

fn lock<K>(table: &Mutex<Table<K>>) -> MutexGuard<'_, Table<K>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    /// Counts a request with a good token.
    pub fn count_token(&self, token: TokenId) -> Option<RateLimitStatus> {
        let rate = self.rates.per_token?;
        Some(lock(&self.rate_counts.tokens).count("token", token.get(), rate, self.clock.now()))
    }

    /// Counts a request without one.
    pub fn count_address(&self, address: IpAddr) -> Option<RateLimitStatus> {
        let rate = self.rates.per_address?;
        Some(lock(&self.rate_counts.clients).count("address", network(address), rate, self.clock.now()))
    }

    /// Whether anything is limited, so that counts are to be shared.
    pub fn has_rates(&self) -> bool {
        self.rates != Rates::default()
    }

    /// Adds what was counted here to what all have counted, and learns the sums.
    pub async fn share_rates(&self) -> Result<(), Error> {
        self.share("token", &self.rate_counts.tokens).await?;
        self.share("address", &self.rate_counts.clients).await
    }

    async fn share<K>(&self, policy: &'static str, table: &Mutex<Table<K>>) -> Result<(), Error>
    where
        K: Copy + Eq + Hash + Display,
    {
        let longest =
            [self.rates.per_token, self.rates.per_address].into_iter().flatten().map(|rate| rate.window);
        let old = self.clock.now().saturating_sub(longest.max().unwrap_or_default() * 2);
        let fresh = lock(table).fresh();
        for batch in fresh.chunks(BATCH) {
            let rows: Vec<_> = batch
                .iter()
                .map(|(key, window, count)| (format!("{policy}:{key}"), *window, *count))
                .collect();
            let totals = self.store.write(move |tx| tx.add_rates(&rows, old)).await?;
            let mut table = lock(table);
            for ((key, window, _), total) in batch.iter().zip(totals) {
                table.learn(key, *window, total);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_stretch_of_time_allows_so_many_and_the_next_as_many_again() {
        let (mut counts, rate) = (Table::<i64>::new(), Rate { requests: 2, window: MINUTE });
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000).unwrap();
        let mut ask = |token, second| {
            let status = counts.count("token", token, rate, at(second));
            (status.exceeded, status.remaining, status.reset.as_secs())
        };
        assert_eq!([ask(1, 0), ask(1, 59), ask(1, 59)], [(false, 1, 60), (false, 0, 1), (true, 0, 1)]);
        assert_eq!([ask(1, 60), ask(1, 61)], [(false, 1, 60), (false, 0, 59)]);
        assert!(!ask(2, 61).0, "each has a count of its own");
    }

    #[test]
    fn what_others_have_counted_counts() {
        let (mut counts, rate) = (Table::<i64>::new(), Rate { requests: 10, window: MINUTE });
        let now = Timestamp::EPOCH;
        counts.count("token", 1, rate, now);
        assert_eq!(counts.fresh(), [(1, 0, 1)]);
        assert_eq!(counts.fresh(), [], "what is shared is shared once");
        counts.learn(&1, 0, 9);
        assert!(!counts.count("token", 1, rate, now).exceeded);
        assert_eq!(counts.fresh(), [(1, 0, 1)]);
        assert!(counts.count("token", 1, rate, now).exceeded);
    }

    /// Guards against a count that is shared by all beyond the bound, and against an attacker who forgets its own
    /// count by coming from very many addresses.
    #[test]
    fn beyond_the_bound_nobody_is_limited_for_others_and_who_asks_most_stays_limited() {
        let (mut counts, rate) = (Table::<u32>::new(), Rate { requests: 3, window: MINUTE });
        let mut ask = |client| counts.count("address", client, rate, Timestamp::EPOCH).exceeded;
        assert_eq!([ask(0), ask(0), ask(0), ask(0)], [false, false, false, true]);
        let strangers = 1..=2 * u32::try_from(COUNTED_MOST).unwrap();
        assert_eq!(strangers.filter(|client| ask(*client)).count(), 0);
        assert!(ask(0));
        assert!(counts.counts.len() <= COUNTED_MOST);
    }

    /// Guards against work that grows with the addresses that somebody comes from: each time so many counts are
    /// shared, and so many rows are made in a stretch of time.
    #[test]
    fn what_is_shared_is_bounded() {
        let (mut counts, rate) = (Table::<u32>::new(), Rate { requests: 3, window: MINUTE });
        let (mut at, mut shared) = (Timestamp::EPOCH, 0);
        let mut next = 0;
        for window in 1..=2 {
            for _ in 0..60 {
                for _ in 0..5_000 {
                    counts.count("address", next, rate, at);
                    next += 1;
                }
                let fresh = counts.fresh();
                assert!(fresh.len() <= SHARED_MOST);
                shared += fresh.len();
                at = at.plus(Duration::from_secs(1)).unwrap();
            }
            assert!(counts.unshared.len() <= COUNTED_MOST);
            assert!(shared <= window * COUNTED_MOST, "{shared}");
        }
        assert!(shared >= 100_000, "{shared}");
    }
}
