//! Limits how many audit events refusals may leave, so that outsiders can neither fill the disk nor hide an attack
//! behind another one.
//!
//! Each client and each account has an allowance for each minute, and the process has one for all of them. The first
//! refusal of a client, and of an account, is noted whatever the other has used up. What is left out is counted, for the
//! next event of the same client or account, and as a whole.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::guard::slots::Slots;
use super::model::{Timestamp, UserId};

/// Events of one client in a minute.
pub(super) const OF_CLIENT: u32 = 20;
/// Events of one account in a minute.
pub(super) const OF_ACCOUNT: u32 = 20;
/// Events of all of them in a minute.
pub(super) const OF_ALL: u32 = 600;
/// Further ones in a minute, each the first of its account.
pub(super) const OF_FIRST: u32 = 600;
/// Clients whose limiters are kept at once, and accounts; about 48 bytes each. Beyond, the one that has used least
/// is forgotten.
const KEPT_MOST: usize = 10_000;

const MINUTE: i64 = 60_000_000;

/// The limiter of refusals of one kind.
pub(super) struct RateLimiter(Mutex<State>);

struct State {
    clients: Slots<IpAddr, Used>,
    accounts: Slots<i64, Used>,
    all: Used,
    /// Used of [`OF_FIRST`].
    first: Used,
    /// When the last event was noted.
    last: Timestamp,
}

#[derive(Default)]
struct Used {
    minute: i64,
    count: u32,
    left_out: u64,
}

/// What has been left out since the last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Of this client, as far as it is remembered.
    pub(super) of_client: u64,
    /// Of this account, as far as it is remembered.
    pub(super) of_account: u64,
    /// Of everybody.
    pub(super) of_all: u64,
}

impl LeftOut {
    /// Adds it to what an event says of itself; what is nothing is not said.
    pub(super) fn add_to(self, mut changes: Value) -> Value {
        let Self { of_client, of_account, of_all } = self;
        let parts = [
            ("left_out_before", of_all),
            ("left_out_of_client", of_client),
            ("left_out_of_account", of_account),
        ];
        if let Value::Object(changes) = &mut changes {
            let counted = parts.into_iter().filter(|(_, count)| *count > 0);
            changes.extend(counted.map(|(name, count)| (name.to_owned(), count.into())));
        }
        changes
    }
}

impl Used {
    /// What is used of this minute's allowance.
    fn in_minute(&mut self, minute: i64) -> u32 {
        if self.minute != minute {
            (self.minute, self.count) = (minute, 0);
        }
        self.count
    }

    /// Counts an event, or one that is left out; what was left out before the event.
    fn settle(&mut self, noted: bool) -> u64 {
        if noted {
            self.count += 1;
            std::mem::take(&mut self.left_out)
        } else {
            self.left_out += 1;
            0
        }
    }

    /// What makes an entry worth keeping.
    fn weight(&self) -> (i64, u32, u64) {
        (self.minute, self.count, self.left_out)
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self(Mutex::new(State {
            clients: Slots::new(KEPT_MOST),
            accounts: Slots::new(KEPT_MOST),
            all: Used::default(),
            first: Used::default(),
            last: Timestamp::EPOCH,
        }))
    }
}

impl RateLimiter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a refusal may be noted now; if so, how many have been left out.
    pub(super) fn take(
        &self,
        now: Timestamp,
        client: Option<IpAddr>,
        account: Option<UserId>,
    ) -> Option<LeftOut> {
        self.lock().take(now, client, account.map(UserId::get))
    }

    /// Takes what has been left out, if nothing was noted for a minute that could say so, or at the `end`.
    pub(super) fn left_out(&self, now: Timestamp, end: bool) -> u64 {
        let mut state = self.lock();
        let quiet = now.as_micros().saturating_sub(state.last.as_micros()) >= MINUTE;
        if quiet || end { std::mem::take(&mut state.all.left_out) } else { 0 }
    }
}

impl State {
    fn take(&mut self, now: Timestamp, client: Option<IpAddr>, account: Option<i64>) -> Option<LeftOut> {
        let minute = now.as_micros().div_euclid(MINUTE);
        let Self { clients, accounts, all, first, last } = self;
        let of_client =
            client.map(|client| clients.with(client, Used::weight, |used| used.in_minute(minute)));
        let of_account =
            account.map(|account| accounts.with(account, Used::weight, |used| used.in_minute(minute)));
        let within =
            of_client.is_none_or(|used| used < OF_CLIENT) && of_account.is_none_or(|used| used < OF_ACCOUNT);
        let is_first = of_client == Some(0) || of_account == Some(0);
        let room = if all.in_minute(minute) < OF_ALL {
            Some(&mut *all)
        } else if of_account == Some(0) && first.in_minute(minute) < OF_FIRST {
            Some(first)
        } else {
            None
        };
        let noted = room.filter(|_| within || is_first).map(|room| room.count += 1).is_some();
        let left_out = LeftOut {
            of_client: client.map_or(0, |key| clients.with(key, Used::weight, |used| used.settle(noted))),
            of_account: account.map_or(0, |key| accounts.with(key, Used::weight, |used| used.settle(noted))),
            of_all: if noted { std::mem::take(&mut all.left_out) } else { 0 },
        };
        if noted {
            *last = now;
            return Some(left_out);
        }
        all.left_out += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000).unwrap()
    }

    fn client(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    fn account(number: i64) -> Option<UserId> {
        Some(number.try_into().unwrap())
    }

    #[test]
    fn each_client_and_each_account_has_its_ration_and_what_is_left_out_is_counted() {
        let limiter = RateLimiter::default();
        let noted = |range: std::ops::Range<i64>, client, account| {
            range.filter(|second| limiter.take(at(*second), client, account).is_some()).count()
        };
        assert_eq!(noted(0..60, client(1), account(1)), 20);
        assert_eq!(
            limiter.take(at(59), client(2), account(2)),
            Some(LeftOut { of_all: 40, ..LeftOut::default() })
        );
        assert_eq!(
            limiter.take(at(59), client(1), account(3)).map(|out| out.of_client),
            Some(40),
            "a first one"
        );
        assert_eq!(limiter.take(at(59), client(1), account(3)), None);
        assert_eq!(
            limiter.take(at(59), client(3), account(1)).map(|out| out.of_account),
            Some(40),
            "a first one"
        );
        assert_eq!(limiter.take(at(59), client(3), account(1)), None);
        let next = limiter.take(at(60), client(1), account(1)).unwrap();
        assert_eq!(next, LeftOut { of_client: 1, of_account: 1, of_all: 1 });
        assert_eq!(noted(120..180, client(9), None), 20, "nobody's account");
        assert_eq!(noted(180..240, None, account(9)), 20, "from nowhere");
    }

    #[test]
    fn all_of_them_have_a_ration_and_an_account_its_first_event_beyond_it() {
        let limiter = RateLimiter::default();
        let noted = |clients: std::ops::Range<u32>, account: fn(u32) -> Option<UserId>| {
            clients.filter(|number| limiter.take(at(0), client(*number), account(*number)).is_some()).count()
        };
        assert_eq!(noted(0..50_000, |_| None), 600);
        assert_eq!(noted(50_000..50_010, |_| account(1)), 1, "an account that was not met before");
        assert_eq!(noted(60_000..90_000, |number| account(number.into())), 599);
        let state = limiter.lock();
        assert!(state.clients.len() <= KEPT_MOST && state.accounts.len() <= KEPT_MOST);
    }

    #[test]
    fn what_was_left_out_is_told_in_the_end() {
        let limiter = RateLimiter::default();
        for _ in 0..50 {
            limiter.take(at(10), client(1), None);
        }
        assert_eq!([60, 70, 200].map(|second| limiter.left_out(at(second), false)), [0, 30, 0]);
        (0..30).for_each(|_| {
            limiter.take(at(210), client(1), None);
        });
        assert_eq!([false, true].map(|end| limiter.left_out(at(211), end)), [0, 10]);
    }
}
