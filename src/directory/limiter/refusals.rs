//! Limits how many audit events and log lines refused requests leave, so that outsiders can neither fill the disk nor hide
//! an attack behind another one.
//!
//! Each client and each account has an allowance per minute, and the process has one for all of them. The first refusal
//! of a client, and of an account, is recorded even if the other has used up its allowance. What is left out is counted:
//! for the next event of the same client or account, and in total.

use std::net::IpAddr;
use std::sync::Mutex;

use serde_json::Value;

use super::slots::Slots;
use super::window::{lock, window_start};
use crate::directory::model::{Timestamp, UserId};

/// Events of one client per minute.
const OF_CLIENT: u32 = 20;
/// Events of one account per minute.
const OF_ACCOUNT: u32 = 20;
/// Events of all of them per minute.
const OF_ALL: u32 = 600;
/// Further events per minute, each the first of its account.
const OF_FIRST: u32 = 600;
/// Clients that are counted at once, and accounts; about 48 bytes each. Beyond that, the one that has used least is
/// forgotten.
const KEPT_MAX: usize = 10_000;

/// A minute in microseconds.
const MINUTE: i64 = 60_000_000;

/// Limits the events of one kind of refusal: audit events, or log lines.
pub struct RefusalLimiter(Mutex<Allowances>);

struct Allowances {
    clients: Slots<IpAddr, Allowance>,
    accounts: Slots<i64, Allowance>,
    all: Allowance,
    /// Of the first events of accounts, [`OF_FIRST`].
    first: Allowance,
    /// When the last event was recorded.
    last: Timestamp,
}

/// What is used of a minute's allowance.
#[derive(Default)]
struct Allowance {
    /// When the minute began.
    minute: i64,
    count: u32,
    left_out: u64,
}

/// How many refusals have been left out since the last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Of this client, as far as it is remembered.
    pub of_client: u64,
    /// Of this account, as far as it is remembered.
    pub of_account: u64,
    /// In total.
    pub of_all: u64,
}

impl LeftOut {
    /// Adds the counts above zero to the details of an event.
    pub(in crate::directory) fn add_to(self, mut changes: Value) -> Value {
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

impl Allowance {
    /// Returns what is used in this minute.
    fn used_in(&mut self, minute: i64) -> u32 {
        if self.minute != minute {
            (self.minute, self.count) = (minute, 0);
        }
        self.count
    }

    /// Counts an event, recorded or left out. Returns how many were left out before a recorded one.
    fn settle(&mut self, is_recorded: bool) -> u64 {
        if is_recorded {
            self.count += 1;
            std::mem::take(&mut self.left_out)
        } else {
            self.left_out += 1;
            0
        }
    }

    /// How much an entry is worth keeping. Every other minute is over, also one that lies ahead: the clock went back.
    fn weight(&self, minute: i64) -> (bool, u32, u64) {
        (self.minute == minute, self.count, self.left_out)
    }
}

impl Default for RefusalLimiter {
    fn default() -> Self {
        Self(Mutex::new(Allowances {
            clients: Slots::new(KEPT_MAX),
            accounts: Slots::new(KEPT_MAX),
            all: Allowance::default(),
            first: Allowance::default(),
            last: Timestamp::EPOCH,
        }))
    }
}

impl RefusalLimiter {
    /// Decides whether a refusal may be recorded now. If so, returns how many have been left out. `client` is a network,
    /// as `client_network` makes it.
    pub fn take(&self, now: Timestamp, client: Option<IpAddr>, account: Option<UserId>) -> Option<LeftOut> {
        lock(&self.0).take(now, client, account.map(UserId::get))
    }

    /// Takes the total of what was left out, if no event of the last minute could report it, or at the `end`.
    pub fn take_left_out(&self, now: Timestamp, end: bool) -> u64 {
        let mut state = lock(&self.0);
        let since = now.as_micros().saturating_sub(state.last.as_micros());
        // Below zero, the clock went back.
        let is_quiet = !(0..MINUTE).contains(&since);
        if is_quiet || end { std::mem::take(&mut state.all.left_out) } else { 0 }
    }
}

impl Allowances {
    fn take(&mut self, now: Timestamp, client: Option<IpAddr>, account: Option<i64>) -> Option<LeftOut> {
        let minute = window_start(now, MINUTE);
        let Self { clients, accounts, all, first, last } = self;
        let weight = |used: &Allowance| used.weight(minute);
        let of_client = client.map(|client| clients.with(client, weight, |used| used.used_in(minute)));
        let of_account = account.map(|account| accounts.with(account, weight, |used| used.used_in(minute)));
        let is_within =
            of_client.is_none_or(|used| used < OF_CLIENT) && of_account.is_none_or(|used| used < OF_ACCOUNT);
        let is_first = of_client == Some(0) || of_account == Some(0);
        let room = if all.used_in(minute) < OF_ALL {
            Some(&mut *all)
        } else if of_account == Some(0) && first.used_in(minute) < OF_FIRST {
            Some(first)
        } else {
            None
        };
        let is_recorded = room.filter(|_| is_within || is_first).map(|room| room.count += 1).is_some();
        let left_out = LeftOut {
            of_client: client.map_or(0, |key| clients.with(key, weight, |used| used.settle(is_recorded))),
            of_account: account.map_or(0, |key| accounts.with(key, weight, |used| used.settle(is_recorded))),
            of_all: if is_recorded { std::mem::take(&mut all.left_out) } else { 0 },
        };
        if is_recorded {
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
        let limiter = RefusalLimiter::default();
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
        let limiter = RefusalLimiter::default();
        let noted = |clients: std::ops::Range<u32>, account: fn(u32) -> Option<UserId>| {
            clients.filter(|number| limiter.take(at(0), client(*number), account(*number)).is_some()).count()
        };
        assert_eq!(noted(0..50_000, |_| None), 600);
        assert_eq!(noted(50_000..50_010, |_| account(1)), 1, "an account that was not met before");
        assert_eq!(noted(60_000..90_000, |number| account(number.into())), 599);
        let state = lock(&limiter.0);
        assert!(state.clients.len() <= KEPT_MAX && state.accounts.len() <= KEPT_MAX);
    }

    #[test]
    fn what_was_left_out_is_told_in_the_end() {
        let limiter = RefusalLimiter::default();
        for _ in 0..50 {
            limiter.take(at(10), client(1), None);
        }
        assert_eq!([60, 70, 200].map(|second| limiter.take_left_out(at(second), false)), [0, 30, 0]);
        (0..30).for_each(|_| {
            limiter.take(at(210), client(1), None);
        });
        assert_eq!([false, true].map(|end| limiter.take_left_out(at(211), end)), [0, 10]);
    }

    /// Guards against a clock that goes back: counts of minutes that lie ahead keep no event out, and no report.
    #[test]
    fn after_the_clock_went_back_the_ration_is_that_of_any_minute() {
        let limiter = RefusalLimiter::default();
        let take = |second: i64, number: u32| limiter.take(at(second), client(number), None).is_some();
        assert_eq!((0..50).filter(|_| take(7_200, 1)).count(), 20);
        assert_eq!(limiter.take_left_out(at(3_600), false), 30, "it does not wait for an hour");
        assert_eq!((0..50).filter(|_| take(3_600, 1)).count(), 20);
        assert_eq!((0..50).filter(|_| take(7_200, 1)).count(), 20, "and forward again");
    }
}
