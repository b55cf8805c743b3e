//! Who has a token that is valid at a given time. Expiry depends on the time alone, so no change of the database announces it.

use std::collections::BTreeMap;

use roaring::RoaringTreemap;

use super::days::DAY;
use super::ends::Ends;
use super::weight::weight;

/// Microseconds.
const HOUR: i64 = DAY / 24;

/// Users by the end of their last token.
#[derive(Default)]
pub(super) struct LiveTokens {
    /// Those with a token that never expires.
    lasting: RoaringTreemap,
    /// When the last token of each other user expires, in microseconds. Ends that were long past are left out.
    ends: Ends,
    /// The same users by the hour of that end.
    by_hour: BTreeMap<i64, RoaringTreemap>,
    /// Those with a valid token at the time `at`.
    live: RoaringTreemap,
    at: i64,
    /// The latest `at`.
    latest: i64,
}

impl LiveTokens {
    /// No tokens yet, at this time.
    pub(super) fn at(now: i64) -> Self {
        Self { at: now, latest: now, ..Self::default() }
    }

    /// Sets the tokens of a user that are not revoked: whether one never expires, and when the last of the others does.
    pub(super) fn set(&mut self, user: u64, lasting: bool, end: Option<i64>) {
        self.remove(user);
        if lasting {
            self.lasting.insert(user);
            self.live.insert(user);
        } else if let Some(end) = end.filter(|end| *end > self.latest.saturating_sub(DAY)) {
            self.ends.insert(user, end);
            self.by_hour.entry(end.div_euclid(HOUR)).or_default().insert(user);
            if end > self.at {
                self.live.insert(user);
            }
        }
    }

    pub(super) fn remove(&mut self, user: u64) {
        self.lasting.remove(user);
        self.live.remove(user);
        let Some(end) = self.ends.remove(user) else { return };
        let hour = end.div_euclid(HOUR);
        if let Some(users) = self.by_hour.get_mut(&hour) {
            users.remove(user);
            if users.is_empty() {
                self.by_hour.remove(&hour);
            }
        }
    }

    /// Adds a token of a user. For filling.
    pub(super) fn add(&mut self, user: u64, end: Option<i64>) {
        if self.lasting.contains(user) {
            return;
        }
        let end = end.map(|end| self.ends.get(user).map_or(end, |known| end.max(known)));
        self.set(user, end.is_none(), end);
    }

    /// Leaves out who is not one of these users.
    pub(super) fn keep(&mut self, users: &RoaringTreemap) {
        self.lasting &= users;
        let gone: Vec<u64> = self.ends.users().filter(|user| !users.contains(*user)).collect();
        gone.into_iter().for_each(|user| self.remove(user));
        self.live &= users;
    }

    /// Returns those with a valid token at this time. `None` if the clock was set back so far that what is known does not
    /// reach.
    pub(super) fn live(&mut self, now: i64) -> Option<&RoaringTreemap> {
        if now <= self.latest.saturating_sub(DAY) {
            return None;
        }
        let (earlier, later) = (now.min(self.at), now.max(self.at));
        let is_later = now > self.at;
        for (hour, users) in self.by_hour.range(earlier.div_euclid(HOUR)..=later.div_euclid(HOUR)) {
            // A token is valid until its end, which is no longer part of it.
            let passed = |user: &u64| self.ends.get(*user).is_some_and(|end| earlier < end && end <= later);
            let is_whole = earlier < hour * HOUR && (hour + 1) * HOUR <= later;
            let some: RoaringTreemap;
            let moved = if is_whole {
                users
            } else {
                some = users.iter().filter(passed).collect();
                &some
            };
            match is_later {
                true => self.live -= moved,
                false => self.live |= moved,
            }
        }
        self.at = now;
        self.latest = self.latest.max(now);
        Some(&self.live)
    }

    pub(super) fn bytes(&self) -> u64 {
        let hours: u64 = self.by_hour.values().map(weight).sum();
        weight(&self.lasting) + weight(&self.live) + self.ends.bytes() + hours
    }

    /// Makes what was filled compact.
    pub(super) fn optimize(&mut self) {
        self.by_hour.values_mut().for_each(|users| _ = users.optimize());
        self.lasting.optimize();
        self.live.optimize();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum TokenStep {
        Set(u64, bool, Option<i64>),
        Remove(u64),
        Look(i64),
    }

    fn step() -> impl Strategy<Value = TokenStep> {
        let user = 1_u64..12;
        prop_oneof![
            (user.clone(), any::<bool>(), proptest::option::of(0_i64..200))
                .prop_map(|(user, lasting, end)| TokenStep::Set(user, lasting && user % 3 == 0, end)),
            user.prop_map(TokenStep::Remove),
            (0_i64..200).prop_map(TokenStep::Look),
        ]
    }

    /// With what the other bitmaps take, this has to stay below 40 bytes a user.
    #[test]
    fn users_whose_tokens_all_expire_take_at_most_twenty_bytes_each() {
        const USERS: u64 = 200_000;
        let mut tokens = LiveTokens::at(0);
        for user in 1..=USERS {
            let end =
                i64::try_from(user * 7_919 % USERS).unwrap() * (14 * DAY / i64::try_from(USERS).unwrap());
            tokens.set(user, false, Some(end + 1));
        }
        let each = tokens.bytes().div_ceil(USERS);
        assert!(each <= 20, "{each} bytes");
    }

    proptest! {
        /// Whatever the order of changes and times, a set-back clock included, the answer is that of a plain scan.
        #[test]
        fn the_answer_is_that_of_a_scan(steps in proptest::collection::vec(step(), 1..80)) {
            // A unit of the steps is a quarter of an hour, so that no clock is set back by more than a day.
            let unit = DAY / 4 / 24;
            let mut tokens = LiveTokens::at(0);
            let mut known: HashMap<u64, (bool, Option<i64>)> = HashMap::new();
            let mut latest: i64 = 0;
            for step in steps {
                match step {
                    TokenStep::Set(user, lasting, end) => {
                        let end = end.map(|end| end * unit);
                        tokens.set(user, lasting, end);
                        known.insert(user, (lasting, end));
                    }
                    TokenStep::Remove(user) => {
                        tokens.remove(user);
                        known.remove(&user);
                    }
                    TokenStep::Look(now) => {
                        let now = now * unit;
                        let is_far_back = now <= latest - DAY;
                        latest = latest.max(now);
                        let live = tokens.live(now).cloned();
                        prop_assert_eq!(live.is_none(), is_far_back);
                        let Some(live) = live else { continue };
                        let scanned: RoaringTreemap = known
                            .iter()
                            .filter(|(_, (lasting, end))| *lasting || end.is_some_and(|end| end > now))
                            .map(|(user, _)| *user)
                            .collect();
                        prop_assert_eq!(live, scanned);
                    }
                }
            }
        }
    }
}
