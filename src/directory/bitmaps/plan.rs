//! How a page of users is read, decided by the numbers that the bitmaps know.
//!
//! A page in the order of the ids is in the bitmap itself. Another page is read from few users by their ids, from the users of
//! the days in which it lies, or along the index of its order, whatever is least work.

use roaring::RoaringTreemap;

use super::days::Wanted;
use super::index::{ReadUsers, SelectedUsers, UserIndex};
use crate::directory::model::Timestamp;
use crate::directory::query::{Direction, PageStart, SortColumn, SortValue, UserColumn, UserQuery};
use crate::directory::store::user_list::{ChosenUsers, OrderSpan, Reading};

/// The most users that a statement names by their ids.
const NAMED_MAX: u64 = 20_000;
/// The most users whose texts a statement compares with the terms of a search that was not decided before.
const COMPARED_MAX: u64 = 5_000;
/// What reading and sorting a user by its id costs, and a step along an index with the checks of the filters.
const NAMED_COST: u64 = 3;
const STEP_COST: u64 = 2;

/// How a list is answered.
pub(in crate::directory) struct FoundUsers {
    /// The number of users on all pages; `None` if the search is not decided yet, or the request leaves it out.
    pub(in crate::directory) count: Option<u64>,
    /// How the page is read.
    pub(in crate::directory) reading: Reading,
    /// The offset that is left to the statement, if the page has an offset.
    pub(in crate::directory) offset: u64,
    /// The rows that the statement must find. If it finds fewer, users have changed meanwhile.
    pub(in crate::directory) at_least: u64,
}

/// What is known about a list.
pub(super) enum Step {
    Found(FoundUsers),
    /// The users with these terms have to be read first.
    Search(Vec<String>),
    /// The bitmaps cannot help.
    Unknown,
}

/// Decides how a page is read.
pub(super) fn plan(index: &mut UserIndex, query: &UserQuery, read: &ReadUsers, now: Timestamp) -> Step {
    let Some(selected) = index.select(&query.filters, &query.terms, read, now.as_micros()) else {
        return Step::Unknown;
    };
    let known = selected.users.len();
    if !selected.is_searched {
        return undecided(index, query, &selected.users);
    }
    let page = PageOf::new(query);
    let count = query.paging.is_counted().then_some(known);
    let nothing = FoundUsers { count, reading: Reading::Planned, offset: page.skip, at_least: 0 };
    if known <= page.skip {
        return Step::Found(FoundUsers { reading: Reading::Nothing, ..nothing });
    }
    let steps = (page.skip.saturating_add(page.take)).saturating_mul(index.len()) / known.max(1);
    let most = NAMED_MAX.min(steps.saturating_mul(STEP_COST) / NAMED_COST);
    let by_ids = page.by_id(&selected.users).or_else(|| page.by_day(index, &selected, most.min(known)));
    let found = by_ids.unwrap_or_else(|| {
        let is_few = known <= most;
        let reading = if is_few { Reading::Among(ChosenUsers::of(&selected.users)) } else { Reading::Walk };
        FoundUsers { reading, ..nothing }
    });
    Step::Found(FoundUsers { count, ..found })
}

/// A search that is not decided: few users are compared with it, many are looked up by its terms.
fn undecided(index: &mut UserIndex, query: &UserQuery, users: &RoaringTreemap) -> Step {
    if users.len() <= COMPARED_MAX {
        let reading = Reading::Among(ChosenUsers::of(users));
        let page = PageOf::new(query);
        return Step::Found(FoundUsers { count: None, reading, offset: page.skip, at_least: 0 });
    }
    // One page is cheaper without knowing all of them. More pages are not.
    let again = query.terms.iter().filter(|term| index.terms().is_asked_again(term)).count();
    let is_again = again == query.terms.iter().count();
    if !query.paging.is_counted() && !is_again {
        let offset = PageOf::new(query).skip;
        let searched = FoundUsers { count: None, reading: Reading::Searched, offset, at_least: 0 };
        return if query.terms.trigrams().is_some() { Step::Found(searched) } else { Step::Unknown };
    }
    let terms = query.terms.iter().filter(|term| index.terms().get(term).is_none());
    Step::Search(terms.map(str::to_owned).collect())
}

/// Where a page lies in its order, seen in the direction in which it is read.
struct PageOf<'a> {
    first: Option<SortColumn<UserColumn>>,
    descending: bool,
    /// Selected users before it.
    skip: u64,
    /// Its length, and one more.
    take: u64,
    /// The value of the first column of the row that it lies beyond.
    beyond: Option<&'a SortValue>,
}

impl<'a> PageOf<'a> {
    fn new(query: &'a UserQuery) -> Self {
        let first = query.order.columns().first().copied();
        let (skip, backward, beyond) = match &query.paging.start {
            PageStart::Offset(offset) => (*offset, false, None),
            PageStart::Cursor(position) => {
                let values = position.values.as_ref().and_then(|values| values.first());
                (0, position.direction == Direction::Backward, values)
            }
        };
        let descending = first.is_some_and(|first| first.descending) != backward;
        Self { first, descending, skip, take: u64::from(query.paging.limit) + 1, beyond }
    }

    /// A page in the order of the ids.
    fn by_id(&self, users: &RoaringTreemap) -> Option<FoundUsers> {
        self.first.filter(|first| first.column == UserColumn::Id)?;
        let beyond = match self.beyond {
            Some(SortValue::Number(id)) => Some(u64::try_from(*id).unwrap_or(0)),
            _ => None,
        };
        let before = match (beyond, self.descending) {
            (None, _) => self.skip,
            (Some(id), false) => users.rank(id),
            (Some(id), true) => users.len() - id.checked_sub(1).map_or(0, |below| users.rank(below)),
        };
        let ids = stretch_of(users, before, self.take, self.descending);
        let at_least = ids.len() as u64;
        let chosen = ChosenUsers { ids: text(ids.into_iter()), within: None };
        Some(FoundUsers { count: None, reading: Reading::Among(chosen), offset: 0, at_least })
    }

    /// A page in the order of a time, if at most so many users have to be named.
    fn by_day(&self, index: &UserIndex, selected: &SelectedUsers, most: u64) -> Option<FoundUsers> {
        let column = self.first?.column;
        let days = index.days(column)?;
        let beyond = match self.beyond {
            Some(SortValue::Number(time)) => Some(Some(*time)),
            Some(SortValue::Null) => Some(None),
            Some(SortValue::Text(_)) => return None,
            None => None,
        };
        let wanted = Wanted { descending: self.descending, skip: self.skip, take: self.take, beyond };
        let stretch = days.stretch((!selected.is_everyone).then_some(&selected.users), wanted);
        if stretch.ids.len() > most {
            return None;
        }
        let known = selected.users.len();
        let at_least = match beyond {
            None => self.take.min(known.saturating_sub(self.skip)),
            Some(_) if stretch.is_more => self.take,
            Some(_) => 0,
        };
        let within = OrderSpan { column, times: stretch.times, has_null: stretch.has_undated };
        let chosen = ChosenUsers { ids: text(stretch.ids.iter()), within: Some(within) };
        let offset = self.skip.saturating_sub(stretch.skipped);
        Some(FoundUsers { count: None, reading: Reading::Among(chosen), offset, at_least })
    }
}

/// Returns ids of a set in rising or falling order, after the first few.
fn stretch_of(users: &RoaringTreemap, before: u64, take: u64, descending: bool) -> Vec<u64> {
    let take = usize::try_from(take).unwrap_or(usize::MAX);
    let mut ids = users.iter();
    if descending {
        let place = users.len().checked_sub(before.saturating_add(1));
        let Some(first) = place.and_then(|place| users.select(place)) else { return Vec::new() };
        ids.advance_back_to(first);
        return ids.rev().take(take).collect();
    }
    let Some(first) = users.select(before) else { return Vec::new() };
    ids.advance_to(first);
    ids.take(take).collect()
}

/// Writes ids with commas between them.
fn text(ids: impl Iterator<Item = u64>) -> String {
    let mut text = String::new();
    for id in ids {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&id.to_string());
    }
    text
}

impl ChosenUsers {
    /// All users of a set.
    fn of(users: &RoaringTreemap) -> Self {
        Self { ids: text(users.iter()), within: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stretch_of_ids_is_that_of_the_sorted_list(
            ids in proptest::collection::btree_set(0_u64..1 << 40, 0..50), before in 0_u64..60, take in 0_u64..20, descending in any::<bool>(),
        ) {
            let users: RoaringTreemap = ids.iter().copied().collect();
            let mut sorted: Vec<u64> = ids.into_iter().collect();
            if descending { sorted.reverse(); }
            let expected: Vec<u64> =
                sorted.into_iter().skip(usize::try_from(before).unwrap()).take(usize::try_from(take).unwrap()).collect();
            prop_assert_eq!(stretch_of(&users, before, take, descending), expected);
        }
    }
}
