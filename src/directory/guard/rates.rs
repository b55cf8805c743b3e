//! How often anybody may ask: a number of requests in each stretch of time, per token and per client.
//!
//! A request is counted in memory, so counting costs no write. Every [`SHARED_EVERY`] the counts are added up in
//! the database, which is how replicas and a process that starts anew learn of them: so a limit can be overrun by
//! what the others let through in that time, and at the border of two stretches by what each allows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::network;
use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::model::{Moment, TokenId};

/// How often counts are to be shared by way of the database.
pub const SHARED_EVERY: Duration = Duration::from_secs(1);
/// Counts kept at once; about 64 bytes each. Whoever comes beyond them shares one count.
const MOST: usize = 200_000;
/// Counts written in one transaction.
const BATCH: usize = 500;

/// A number of requests in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least one.
    pub requests: u32,
    /// In which time: at least a second.
    pub window: Duration,
}

/// The limits that an operator sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of one token.
    pub per_token: Option<Rate>,
    /// Of one client that sends no good token.
    pub per_address: Option<Rate>,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Token(i64),
    Network(IpAddr),
    /// Everybody for whom there is no room.
    Others(&'static str),
}

/// How a request stands to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
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

#[derive(Default)]
struct Count {
    window: i64,
    /// Counted here and not yet shared.
    fresh: u64,
    /// Counted by all, as far as known.
    shared: u64,
}

/// The counts of this process.
#[derive(Default)]
pub(in crate::directory) struct Counts(Mutex<HashMap<Whose, Count>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Whose, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, policy: &'static str, whose: Whose, rate: Rate, now: Moment) -> Standing {
        let span = i64::try_from(rate.window.as_micros()).unwrap_or(i64::MAX).max(1);
        let window = now.as_micros().div_euclid(span).saturating_mul(span);
        let mut counts = self.lock();
        if counts.len() >= MOST && !counts.contains_key(&whose) {
            counts.retain(|_, count| count.window >= window || count.fresh > 0);
        }
        let whose = match counts.len() < MOST || counts.contains_key(&whose) {
            true => whose,
            false => Whose::Others(policy),
        };
        let count = counts.entry(whose).or_default();
        if count.window != window {
            *count = Count { window, ..Count::default() };
        }
        let used = count.fresh.saturating_add(count.shared);
        let exceeded = used >= u64::from(rate.requests);
        if !exceeded {
            count.fresh += 1;
        }
        let left = window.saturating_add(span).saturating_sub(now.as_micros());
        Standing {
            policy,
            rate,
            remaining: u64::from(rate.requests).saturating_sub(used + 1),
            reset: Duration::from_micros(u64::try_from(left).unwrap_or(0)),
            exceeded,
        }
    }

    /// What is to be shared, taken out.
    fn fresh(&self) -> Vec<(Whose, i64, u64)> {
        let mut counts = self.lock();
        let fresh = counts.iter_mut().filter(|(_, count)| count.fresh > 0);
        fresh
            .map(|(whose, count)| {
                let taken = std::mem::take(&mut count.fresh);
                count.shared += taken;
                (*whose, count.window, taken)
            })
            .collect()
    }

    /// What all have counted, as the database tells.
    fn learn(&self, whose: Whose, window: i64, total: u64) {
        if let Some(count) = self.lock().get_mut(&whose).filter(|count| count.window == window) {
            count.shared = count.shared.max(total);
        }
    }
}

impl Directory {
    /// Counts a request with a good token.
    pub fn count_token(&self, token: TokenId) -> Option<Standing> {
        let rate = self.rates.per_token?;
        Some(self.rate_counts.count("token", Whose::Token(token.get()), rate, self.clock.now()))
    }

    /// Counts a request without one.
    pub fn count_address(&self, address: IpAddr) -> Option<Standing> {
        let rate = self.rates.per_address?;
        Some(self.rate_counts.count("address", Whose::Network(network(address)), rate, self.clock.now()))
    }

    /// Whether anything is limited, so that counts are to be shared.
    pub fn has_rates(&self) -> bool {
        self.rates != Rates::default()
    }

    /// Adds what was counted here to what all have counted, and learns the sums.
    pub async fn share_rates(&self) -> Result<(), Error> {
        let longest =
            [self.rates.per_token, self.rates.per_address].into_iter().flatten().map(|rate| rate.window);
        let old = self.clock.now().saturating_sub(longest.max().unwrap_or_default() * 2);
        for batch in self.rate_counts.fresh().chunks(BATCH) {
            let keys: Vec<_> =
                batch.iter().map(|(whose, window, count)| (name(*whose), *window, *count)).collect();
            let totals = self.store.write(move |tx| tx.add_rates(&keys, old)).await?;
            for (whose, window, _) in batch {
                if let Some((_, _, total)) =
                    totals.iter().find(|(key, at, _)| *key == name(*whose) && at == window)
                {
                    self.rate_counts.learn(*whose, *window, *total);
                }
            }
        }
        Ok(())
    }
}

fn name(whose: Whose) -> String {
    match whose {
        Whose::Token(id) => format!("token:{id}"),
        Whose::Network(address) => format!("address:{address}"),
        Whose::Others(policy) => format!("others:{policy}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_allows_so_many_and_the_next_as_many_again() {
        let (counts, rate) = (Counts::default(), Rate { requests: 2, window: Duration::from_secs(60) });
        let at = |second: i64| Moment::from_micros(second * 1_000_000).unwrap();
        let ask = |second| {
            let standing = counts.count("token", Whose::Token(1), rate, at(second));
            (standing.exceeded, standing.remaining, standing.reset.as_secs())
        };
        assert_eq!([ask(0), ask(59), ask(59)], [(false, 1, 60), (false, 0, 1), (true, 0, 1)]);
        assert_eq!([ask(60), ask(61)], [(false, 1, 60), (false, 0, 59)]);
        let other = counts.count("token", Whose::Token(2), rate, at(61));
        assert!(!other.exceeded, "each has a count of its own");
    }

    #[test]
    fn what_others_have_counted_counts() {
        let (counts, rate) = (Counts::default(), Rate { requests: 10, window: Duration::from_secs(60) });
        let now = Moment::EPOCH;
        counts.count("token", Whose::Token(1), rate, now);
        assert_eq!(counts.fresh(), [(Whose::Token(1), 0, 1)]);
        assert_eq!(counts.fresh(), [], "what is shared is shared once");
        counts.learn(Whose::Token(1), 0, 9);
        assert!(!counts.count("token", Whose::Token(1), rate, now).exceeded);
        assert!(counts.count("token", Whose::Token(1), rate, now).exceeded);
    }

    #[test]
    fn memory_is_bounded_and_those_beyond_it_share_a_count() {
        let (counts, rate) = (Counts::default(), Rate { requests: 1, window: Duration::from_secs(60) });
        for id in 0..i64::try_from(MOST).unwrap() + 5 {
            counts.count("token", Whose::Token(id), rate, Moment::EPOCH);
        }
        assert_eq!(counts.lock().len(), MOST + 1);
        assert!(counts.count("token", Whose::Token(-7), rate, Moment::EPOCH).exceeded);
    }
}
