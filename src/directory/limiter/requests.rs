//! How many requests a token or a client may send: a number in each window of time.
//!
//! A request is counted in memory, so counting costs no write. Every [`SHARE_INTERVAL`] the counts are added up in the
//! database, which is how replicas and a restarted process learn of them. So a limit can be exceeded by what the other
//! replicas let through in that time, and at the border of two windows by what each allows.
//!
//! Memory, the cost of a request, and the rows that are written are bounded, however many addresses requests come from.
//! Beyond the bound a newcomer replaces the one with the fewest requests, which begins at zero again: no client is limited
//! because of others.

use std::collections::VecDeque;
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use super::slots::Slots;
use super::window::{lock, window_start};
use crate::directory::error::Error;
use crate::directory::model::{Rate, Rates, Timestamp, TokenId, UserId};
use crate::directory::store::Store;
use crate::network::{client_network, site_of};

/// How often counts are to be shared through the database.
pub const SHARE_INTERVAL: Duration = Duration::from_secs(1);
/// Tokens that are counted at once, and clients; about 64 bytes each.
pub const COUNTED_MAX: usize = 200_000;
/// Counts shared each time, of tokens and of clients; the others wait for the next time.
const SHARED_MAX: usize = 2_000;
/// Counts written in one transaction.
const BATCH: usize = 500;

/// Look-ups of keys that are not valid, which one service may cause.
const GUESSES: Rate = Rate { requests: 600, window: Duration::from_mins(1) };

/// Reports of leaked keys by one client.
const REPORTS: Rate = Rate { requests: 60, window: Duration::from_hours(1) };
/// Reports from one site of IPv6, which may be many clients. It is less than [`ALL_REPORTS`]: one site alone keeps no one else
/// from reporting.
const REPORTS_OF_SITE: Rate = Rate { requests: 100, window: Duration::from_hours(1) };
/// Reports of all clients together. Their window is short: if strangers use it up, others can report soon again.
const ALL_REPORTS: Rate = Rate { requests: 120, window: Duration::from_mins(1) };

/// How far a request is from its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitStatus {
    /// What is limited: `token`, `address` or `upload`.
    pub policy: &'static str,
    /// The limit.
    pub rate: Rate,
    /// Requests left in this window.
    pub remaining: u64,
    /// The time until the next window begins.
    pub reset: Duration,
    /// Whether this request is over the limit.
    pub exceeded: bool,
}

/// The requests of one token or client in one window.
#[derive(Default)]
struct RequestCount {
    window: i64,
    /// Counted here and not yet shared.
    unshared: u64,
    /// Counted by all processes, as far as known.
    shared: u64,
    /// Whether it waits in [`CountTable::waiting`].
    is_waiting: bool,
    /// Whether the database has a row of it.
    is_stored: bool,
}

impl RequestCount {
    fn used(&self) -> u64 {
        self.unshared.saturating_add(self.shared)
    }
}

/// The counts of tokens, or of clients.
struct CountTable<K> {
    counts: Slots<K, RequestCount>,
    /// The keys of counts that are to be shared, in order of arrival.
    waiting: VecDeque<K>,
    /// The window of the last request.
    current: i64,
    /// A window, and the number of rows that it was given.
    stored: (i64, usize),
}

impl<K: Copy + Eq + Hash> CountTable<K> {
    fn new() -> Self {
        Self {
            counts: Slots::new(COUNTED_MAX),
            waiting: VecDeque::new(),
            current: i64::MIN,
            stored: (i64::MIN, 0),
        }
    }

    /// Counts a request, unless it is over the limit.
    fn count(&mut self, policy: &'static str, key: K, rate: Rate, now: Timestamp) -> RateLimitStatus {
        let length = i64::try_from(rate.window.as_micros()).unwrap_or(i64::MAX).max(1);
        let window = window_start(now, length);
        self.current = window;
        let has_room = self.waiting.len() < COUNTED_MAX;
        // Every other window is over, also one that lies ahead: the clock went back.
        let weight = |count: &RequestCount| (count.window == window, count.used());
        let (used, exceeded, waits) = self.counts.with(key, weight, |count| {
            if count.window != window {
                *count = RequestCount { window, is_waiting: count.is_waiting, ..RequestCount::default() };
            }
            let used = count.used();
            let exceeded = used >= u64::from(rate.requests);
            if !exceeded {
                count.unshared += 1;
            }
            let waits = !exceeded && !count.is_waiting && has_room;
            count.is_waiting |= waits;
            (used, exceeded, waits)
        });
        if waits {
            self.waiting.push_back(key);
        }
        let left = window.saturating_add(length).saturating_sub(now.as_micros());
        RateLimitStatus {
            policy,
            rate,
            remaining: u64::from(rate.requests).saturating_sub(used + 1),
            reset: Duration::from_micros(u64::try_from(left).unwrap_or(0)),
            exceeded,
        }
    }

    /// Returns how long a key has to wait because its limit is reached. It counts nothing.
    fn wait(&mut self, key: &K, rate: Rate, now: Timestamp) -> Option<Duration> {
        let length = i64::try_from(rate.window.as_micros()).unwrap_or(i64::MAX).max(1);
        let window = window_start(now, length);
        let count = self.counts.get_mut(key)?;
        if count.window != window || count.used() < u64::from(rate.requests) {
            return None;
        }
        let left = window.saturating_add(length).saturating_sub(now.as_micros());
        Some(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
    }

    /// Takes out the counts that are to be shared now. In each window the database gets no more rows than there are counts
    /// in memory; beyond that, each process limits by its own counts.
    fn take_unshared(&mut self) -> Vec<(K, i64, u64)> {
        let Self { counts, waiting, current, stored } = self;
        let mut unshared = Vec::new();
        for key in waiting.drain(..waiting.len().min(SHARED_MAX)) {
            let Some(count) = counts.get_mut(&key) else { continue };
            let waited = std::mem::take(&mut count.is_waiting);
            // A count of a window that is over matters no more. After the clock went back, one that lies ahead does not
            // either.
            if !waited || count.unshared == 0 || count.window != *current {
                continue;
            }
            if stored.0 != count.window {
                *stored = (count.window, 0);
            }
            if !count.is_stored {
                if stored.1 >= COUNTED_MAX {
                    continue;
                }
                (stored.1, count.is_stored) = (stored.1 + 1, true);
            }
            let taken = std::mem::take(&mut count.unshared);
            count.shared += taken;
            unshared.push((key, count.window, taken));
        }
        unshared
    }

    /// Takes in the sum of all processes, as the database has it.
    fn learn(&mut self, key: &K, window: i64, total: u64) {
        if let Some(count) = self.counts.get_mut(key).filter(|count| count.window == window) {
            count.shared = count.shared.max(total);
        }
    }
}

/// The counts of this process, and the limits.
pub(in crate::directory) struct RequestLimiter {
    rates: Rates,
    tokens: Mutex<CountTable<i64>>,
    clients: Mutex<CountTable<IpAddr>>,
    uploads: Mutex<CountTable<i64>>,
    guesses: Mutex<CountTable<i64>>,
    /// Not shared: see `leaked_keys`.
    reports: Mutex<CountTable<IpAddr>>,
    reports_of_sites: Mutex<CountTable<IpAddr>>,
    all_reports: Mutex<CountTable<()>>,
}

impl RequestLimiter {
    /// A limiter that has counted nothing.
    pub(in crate::directory) fn new(rates: Rates) -> Self {
        let (tokens, clients) = (Mutex::new(CountTable::new()), Mutex::new(CountTable::new()));
        let (uploads, guesses) = (Mutex::new(CountTable::new()), Mutex::new(CountTable::new()));
        let (reports, reports_of_sites) = (Mutex::new(CountTable::new()), Mutex::new(CountTable::new()));
        let all_reports = Mutex::new(CountTable::new());
        Self { rates, tokens, clients, uploads, guesses, reports, reports_of_sites, all_reports }
    }

    /// Counts a request with a valid token; `None` where tokens are not limited.
    pub(in crate::directory) fn count_token(
        &self,
        token: TokenId,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<RateLimitStatus> {
        let rate = self.rates.per_token?;
        Some(lock(&self.tokens).count("token", token.get(), rate, now()))
    }

    /// Counts a request without one; `None` where clients are not limited.
    pub(in crate::directory) fn count_address(
        &self,
        address: impl Into<Option<IpAddr>>,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<RateLimitStatus> {
        let rate = self.rates.per_address?;
        Some(lock(&self.clients).count("address", client_network(address), rate, now()))
    }

    /// Whether a client without a valid token is over its limit. It counts nothing.
    pub(in crate::directory) fn is_address_over(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(rate) = self.rates.per_address else { return false };
        lock(&self.clients).wait(&client_network(address), rate, now).is_some()
    }

    /// Counts an upload by a person; `None` where uploads are not limited.
    pub(in crate::directory) fn count_upload(
        &self,
        person: UserId,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<RateLimitStatus> {
        let rate = self.rates.uploads?;
        Some(lock(&self.uploads).count("upload", person.get(), rate, now()))
    }

    /// Counts a key that a service asked about and that was not valid.
    pub(in crate::directory) fn count_guess(&self, service: UserId, now: Timestamp) {
        lock(&self.guesses).count("guess", service.get(), GUESSES, now);
    }

    /// Returns [`Error::Busy`] while a service has asked about too many keys that are not valid.
    pub(in crate::directory) fn check_guesses(&self, service: UserId, now: Timestamp) -> Result<(), Error> {
        match lock(&self.guesses).wait(&service.get(), GUESSES, now) {
            None => Ok(()),
            Some(retry_after) => Err(Error::Busy { retry_after }),
        }
    }

    /// Counts a report of leaked keys. Returns [`Error::Busy`] when this client, its site, or all together, have made too
    /// many. A client over its own limit takes nothing from the others. `network` is that of the client.
    pub(in crate::directory) fn count_report(&self, network: IpAddr, now: Timestamp) -> Result<(), Error> {
        let within = |status: RateLimitStatus| match status.exceeded {
            true => Err(Error::Busy { retry_after: status.reset }),
            false => Ok(()),
        };
        within(lock(&self.reports).count("report", network, REPORTS, now))?;
        if let Some(site) = site_of(network) {
            within(lock(&self.reports_of_sites).count("report", site, REPORTS_OF_SITE, now))?;
        }
        within(lock(&self.all_reports).count("report", (), ALL_REPORTS, now))
    }

    /// Adds the counts of this process to those of all processes, and learns the sums.
    pub(in crate::directory) async fn share(&self, store: &Store, now: Timestamp) -> Result<(), Error> {
        let Rates { per_token, per_address, uploads } = self.rates;
        let rates = [per_token, per_address, uploads, Some(GUESSES)];
        let windows = rates.into_iter().flatten().map(|rate| rate.window);
        let old = now.saturating_sub(windows.max().unwrap_or_default() * 2);
        share("token", &self.tokens, store, old).await?;
        share("upload", &self.uploads, store, old).await?;
        share("guess", &self.guesses, store, old).await?;
        share("address", &self.clients, store, old).await
    }
}

/// Shares one table. Rows of windows that began before `old` may go.
async fn share<K>(
    policy: &'static str,
    table: &Mutex<CountTable<K>>,
    store: &Store,
    old: Timestamp,
) -> Result<(), Error>
where
    K: Copy + Eq + Hash + Display,
{
    let unshared = lock(table).take_unshared();
    for batch in unshared.chunks(BATCH) {
        let rows: Vec<_> =
            batch.iter().map(|(key, window, count)| (format!("{policy}:{key}"), *window, *count)).collect();
        let totals = store.write(move |tx| tx.add_rates(&rows, old)).await?;
        let mut table = lock(table);
        for ((key, window, _), total) in batch.iter().zip(totals) {
            table.learn(key, *window, total);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_stretch_of_time_allows_so_many_and_the_next_as_many_again() {
        let (mut counts, rate) = (CountTable::<i64>::new(), Rate { requests: 2, window: MINUTE });
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
        let (mut counts, rate) = (CountTable::<i64>::new(), Rate { requests: 10, window: MINUTE });
        let now = Timestamp::EPOCH;
        counts.count("token", 1, rate, now);
        assert_eq!(counts.take_unshared(), [(1, 0, 1)]);
        assert_eq!(counts.take_unshared(), [], "what is shared is shared once");
        counts.learn(&1, 0, 9);
        assert!(!counts.count("token", 1, rate, now).exceeded);
        assert_eq!(counts.take_unshared(), [(1, 0, 1)]);
        assert!(counts.count("token", 1, rate, now).exceeded);
    }

    /// Guards against one count for all clients beyond the bound, and against an attacker who resets its own count by sending
    /// requests from very many addresses.
    #[test]
    fn beyond_the_bound_nobody_is_limited_for_others_and_who_asks_most_stays_limited() {
        let (mut counts, rate) = (CountTable::<u32>::new(), Rate { requests: 3, window: MINUTE });
        let mut ask = |client| counts.count("address", client, rate, Timestamp::EPOCH).exceeded;
        assert_eq!([ask(0), ask(0), ask(0), ask(0)], [false, false, false, true]);
        let strangers = 1..=2 * u32::try_from(COUNTED_MAX).unwrap();
        assert_eq!(strangers.filter(|client| ask(*client)).count(), 0);
        assert!(ask(0));
        assert!(counts.counts.len() <= COUNTED_MAX);
    }

    /// Guards against work that grows with the number of addresses: the counts shared each time, and the rows made in each window,
    /// are bounded.
    #[test]
    fn what_is_shared_is_bounded() {
        let (mut counts, rate) = (CountTable::<u32>::new(), Rate { requests: 3, window: MINUTE });
        let (mut at, mut shared) = (Timestamp::EPOCH, 0);
        let mut next = 0;
        for window in 1..=2 {
            for _ in 0..60 {
                for _ in 0..5_000 {
                    counts.count("address", next, rate, at);
                    next += 1;
                }
                let fresh = counts.take_unshared();
                assert!(fresh.len() <= SHARED_MAX);
                shared += fresh.len();
                at = at.plus(Duration::from_secs(1)).unwrap();
            }
            assert!(counts.waiting.len() <= COUNTED_MAX);
            assert!(shared <= window * COUNTED_MAX, "{shared}");
        }
        assert!(shared >= 100_000, "{shared}");
    }

    /// Guards against a clock that goes back: counts of windows that lie ahead limit no one, push no one out, and do not keep
    /// the counts of now from being shared.
    #[test]
    fn after_the_clock_went_back_windows_are_counted_and_shared_as_ever() {
        let (mut counts, rate) = (CountTable::<u32>::new(), Rate { requests: 2, window: MINUTE });
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000).unwrap();
        let sent = |counts: &mut CountTable<u32>, client, second| {
            let status = counts.count("address", client, rate, at(second));
            assert!(status.reset <= MINUTE, "{:?}", status.reset);
            !status.exceeded
        };
        for second in [7_200, 3_600, 7_260, 60] {
            assert_eq!(
                [1; 3].map(|client| sent(&mut counts, client, second)),
                [true, true, false],
                "{second}"
            );
            assert_eq!(counts.take_unshared(), [(1, second * 1_000_000, 2)], "{second}");
        }
        let crowd = 2 * u32::try_from(COUNTED_MAX).unwrap();
        for client in 10..10 + crowd {
            sent(&mut counts, client, 7_200);
        }
        let _ = [sent(&mut counts, 1, 3_600), sent(&mut counts, 1, 3_600)];
        for client in 10 + crowd..10 + 2 * crowd {
            sent(&mut counts, client, 3_600);
        }
        assert!(!sent(&mut counts, 1, 3_600), "the one with the most requests of now is still known");
    }
}
