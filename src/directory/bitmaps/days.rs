//! Users by the day (UTC) of one of their times. Filters by time name whole days, and a late page of an order by time skips
//! whole days by their counts.

use std::collections::BTreeMap;

use roaring::{MultiOps as _, RoaringTreemap};

use super::weight::weight;
use crate::directory::query::TimeRange;

/// Microseconds.
pub(super) const DAY: i64 = 86_400_000_000;

/// Users by day.
#[derive(Default)]
pub(super) struct Days {
    undated: RoaringTreemap,
    of: BTreeMap<i64, RoaringTreemap>,
}

/// Users of neighbouring days who are selected, in which a page lies.
pub(super) struct Stretch {
    pub(super) ids: RoaringTreemap,
    /// How many selected users come before the first of these days.
    pub(super) skipped: u64,
    /// The first time of these days, and the first one after them, in microseconds.
    pub(super) times: Option<(i64, i64)>,
    /// Whether those without a time are among them.
    pub(super) has_undated: bool,
    /// Whether selected users come after them.
    pub(super) is_more: bool,
}

/// Where a stretch begins, and how many users it needs.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) descending: bool,
    /// Selected users before the page.
    pub(super) skip: u64,
    /// Selected users on the page.
    pub(super) take: u64,
    /// The time of the row that the page lies beyond. All users of its day are taken.
    pub(super) beyond: Option<Option<i64>>,
}

fn day(time: i64) -> i64 {
    time.div_euclid(DAY)
}

impl Days {
    pub(super) fn insert(&mut self, user: u64, time: Option<i64>) {
        self.bucket(time).insert(user);
    }

    fn bucket(&mut self, time: Option<i64>) -> &mut RoaringTreemap {
        match time {
            Some(time) => self.of.entry(day(time)).or_default(),
            None => &mut self.undated,
        }
    }

    /// Whether a user has this time, as far as days go.
    pub(super) fn holds(&self, user: u64, time: Option<i64>) -> bool {
        match time {
            Some(time) => self.of.get(&day(time)).is_some_and(|users| users.contains(user)),
            None => self.undated.contains(user),
        }
    }

    /// Removes users from whatever day they are in.
    pub(super) fn remove(&mut self, users: &RoaringTreemap) {
        self.undated -= users;
        self.of.retain(|_, day| {
            if !day.is_disjoint(users) {
                *day -= users;
            }
            !day.is_empty()
        });
    }

    /// Returns the users with a time in a range; `None` if the range does not begin and end with a day.
    pub(super) fn within(&self, range: TimeRange) -> Option<RoaringTreemap> {
        let [from, until] = [range.from, range.until].map(|end| end.map(|end| end.as_micros()));
        if [from, until].into_iter().flatten().any(|end| end.rem_euclid(DAY) != 0) {
            return None;
        }
        let (first, end) = (from.map_or(i64::MIN, day), until.map_or(i64::MAX, day));
        if first >= end {
            return Some(RoaringTreemap::new());
        }
        Some(self.of.range(first..end).map(|(_, users)| users).union())
    }

    /// Returns the days in which a page of the selected users lies. `None` selects all users.
    pub(super) fn stretch(&self, selected: Option<&RoaringTreemap>, wanted: Wanted) -> Stretch {
        let mut stretch = Stretch {
            ids: RoaringTreemap::new(),
            skipped: 0,
            times: None,
            has_undated: false,
            is_more: false,
        };
        let (mut skip, mut missing) = (wanted.skip, wanted.take);
        let mut is_first = wanted.beyond.is_some();
        for (day, users) in self.in_order(wanted) {
            let count = selected.map_or_else(|| users.len(), |selected| selected.intersection_len(users));
            if count == 0 && !is_first {
                continue;
            }
            if missing == 0 {
                stretch.is_more = true;
                break;
            }
            if count <= skip && !is_first {
                skip -= count;
                stretch.skipped += count;
                continue;
            }
            stretch.add(day, users, selected);
            // How many of the day of the cursor's row lie beyond it is not known.
            if !std::mem::take(&mut is_first) {
                missing = missing.saturating_sub(count - skip);
                skip = 0;
            }
        }
        stretch
    }

    /// Iterates over the days in an order that begins with those without a time, or ends with them.
    fn in_order(&self, wanted: Wanted) -> Box<dyn Iterator<Item = (Option<i64>, &RoaringTreemap)> + '_> {
        let undated = std::iter::once((None, &self.undated));
        let dated = |(day, users): (&i64, _)| (Some(*day), users);
        match (wanted.descending, wanted.beyond) {
            (false, None | Some(None)) => Box::new(undated.chain(self.of.iter().map(dated))),
            (false, Some(Some(time))) => Box::new(self.of.range(day(time)..).map(dated)),
            (true, None) => Box::new(self.of.iter().rev().map(dated).chain(undated)),
            (true, Some(Some(time))) => {
                let until = self.of.range(..=day(time)).rev();
                Box::new(until.map(dated).chain(undated))
            }
            (true, Some(None)) => Box::new(undated),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        weight(&self.undated) + self.of.values().map(weight).sum::<u64>()
    }

    pub(super) fn optimize(&mut self) {
        self.undated.optimize();
        self.of.values_mut().for_each(|users| _ = users.optimize());
    }
}

impl Stretch {
    fn add(&mut self, day: Option<i64>, users: &RoaringTreemap, selected: Option<&RoaringTreemap>) {
        match selected {
            Some(selected) => self.ids |= users & selected,
            None => self.ids |= users,
        }
        match day {
            None => self.has_undated = true,
            Some(day) => {
                let (first, end) = (day.saturating_mul(DAY), day.saturating_add(1).saturating_mul(DAY));
                let (least, most) = self.times.unwrap_or((first, end));
                self.times = Some((least.min(first), most.max(end)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A stretch holds its page: the rows of a sorted list after the skipped ones, wherever the page begins.
        #[test]
        fn a_stretch_holds_its_page(
            times in proptest::collection::vec(proptest::option::of(-3 * DAY..3 * DAY), 1..60),
            picked in proptest::collection::vec(any::<bool>(), 60),
            descending in any::<bool>(), skip in 0_u64..70, take in 1_u64..20, by_cursor in any::<bool>(),
        ) {
            let mut days = Days::default();
            let mut rows: Vec<(Option<i64>, u64)> = Vec::new();
            let mut selected = RoaringTreemap::new();
            for (user, time) in (1_u64..).zip(&times) {
                days.insert(user, *time);
                if picked[usize::try_from(user).unwrap() - 1] {
                    selected.insert(user);
                    rows.push((*time, user));
                }
            }
            rows.sort_unstable();
            if descending { rows.reverse(); }
            let at = usize::try_from(skip).unwrap();
            let row = rows.get(at).copied().filter(|_| by_cursor);
            let wanted = match row {
                Some((time, _)) => Wanted { descending, skip: 0, take, beyond: Some(time) },
                None => Wanted { descending, skip, take, beyond: None },
            };
            let stretch = days.stretch(Some(&selected), wanted);
            let begin = if row.is_some() { at + 1 } else { at };
            let page: Vec<_> = rows.iter().skip(begin).take(usize::try_from(take).unwrap()).collect();
            for (time, user) in &page {
                prop_assert!(stretch.ids.contains(*user));
                match time {
                    None => prop_assert!(stretch.has_undated),
                    Some(time) => prop_assert!(stretch.times.is_some_and(|(from, end)| from <= *time && *time < end)),
                }
            }
            if row.is_none() && !page.is_empty() {
                // What is left to skip is skipped among the ids.
                let mut among: Vec<_> = rows.iter().filter(|(_, user)| stretch.ids.contains(*user)).collect();
                among.drain(..usize::try_from(skip - stretch.skipped).unwrap());
                among.truncate(page.len());
                prop_assert_eq!(among, page);
            }
            let last = rows.iter().rposition(|(_, user)| stretch.ids.contains(*user));
            prop_assert_eq!(stretch.is_more, last.is_some_and(|last| last + 1 < rows.len()));
        }
    }
}
