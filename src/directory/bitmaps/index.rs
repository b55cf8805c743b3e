//! The bitmaps of all users, as they were at one position of the feed of changes.

use std::collections::{BTreeMap, HashMap};

use roaring::{MultiOps as _, RoaringTreemap};

use super::days::Days;
use super::live_tokens::LiveTokens;
use super::terms::SearchTerms;
use super::weight::weight;
use crate::directory::model::Gender;
use crate::directory::query::{Terms, UserColumn, UserFilters};
use crate::directory::store::bitmap_rows::{ListedUserRow, UserFacts};
use crate::directory::store::changes::FeedEnd;

/// The flags, in the order of their bits in [`UserFacts`].
const FLAGS: usize = 8;

/// The bitmaps of all users.
pub(super) struct UserIndex {
    /// The last row of the feed that is in them.
    pub(super) position: FeedEnd,
    /// The history of the database from which they were read.
    pub(super) history: u64,
    all: RoaringTreemap,
    flags: [RoaringTreemap; FLAGS],
    genders: [RoaringTreemap; Gender::ALL.len()],
    /// Those who are in some group.
    in_groups: RoaringTreemap,
    groups: BTreeMap<i64, RoaringTreemap>,
    tokens: LiveTokens,
    /// By the day of creation, of the last change and of the last sign-in.
    days: [Days; 3],
    terms: SearchTerms,
    /// Users that changed since the memory was last measured.
    unmeasured: usize,
}

/// The users that a list's filters select.
pub(super) struct SelectedUsers {
    pub(super) users: RoaringTreemap,
    /// Whether it is all users.
    pub(super) is_everyone: bool,
    /// Whether the terms of the search are decided. If not, a row is selected only if it contains them.
    pub(super) is_searched: bool,
}

/// Users that one request has read itself.
#[derive(Default)]
pub(super) struct ReadUsers {
    /// Those who are online.
    pub(super) online: Option<RoaringTreemap>,
    /// Those whose text contains a term.
    pub(super) with_term: HashMap<String, RoaringTreemap>,
}

/// Measures the memory after this many changed users.
const MEASURED_EVERY: usize = 1000;

/// A user whose id cannot be in a bitmap. No use case makes one.
pub(super) struct BadId;

pub(super) fn bit(id: i64) -> Result<u64, BadId> {
    u64::try_from(id).map_err(|_| BadId)
}

impl UserIndex {
    /// No users yet.
    pub(super) fn new(position: FeedEnd, now: i64) -> Self {
        Self {
            position,
            history: 0,
            all: RoaringTreemap::new(),
            flags: Default::default(),
            genders: Default::default(),
            in_groups: RoaringTreemap::new(),
            groups: BTreeMap::new(),
            tokens: LiveTokens::at(now),
            days: Default::default(),
            terms: SearchTerms::default(),
            unmeasured: 0,
        }
    }

    /// The number of users.
    pub(super) fn len(&self) -> u64 {
        self.all.len()
    }

    pub(super) fn terms(&mut self) -> &mut SearchTerms {
        &mut self.terms
    }

    /// Adds a new user. For filling.
    pub(super) fn add(&mut self, facts: &UserFacts) -> Result<(), BadId> {
        let user = bit(facts.id)?;
        self.all.insert(user);
        self.set_facts(user, facts);
        for (days, time) in self.days.iter_mut().zip(facts.times) {
            days.insert(user, time);
        }
        Ok(())
    }

    /// Adds a member of a group. For filling.
    pub(super) fn add_member(&mut self, group: i64, user: i64) -> Result<(), BadId> {
        let user = bit(user)?;
        self.in_groups.insert(user);
        self.groups.entry(group).or_default().insert(user);
        Ok(())
    }

    /// Adds a token that is not revoked. For filling.
    pub(super) fn add_token(&mut self, user: i64, end: Option<i64>) -> Result<(), BadId> {
        self.tokens.add(bit(user)?, end);
        Ok(())
    }

    /// Ends the filling. Memberships and tokens may refer to users that do not exist.
    pub(super) fn filled(&mut self) {
        self.in_groups &= &self.all;
        self.groups.values_mut().for_each(|members| *members &= &self.all);
        self.groups.retain(|_, members| !members.is_empty());
        self.tokens.keep(&self.all);
        for users in [&mut self.all, &mut self.in_groups]
            .into_iter()
            .chain(&mut self.flags)
            .chain(&mut self.genders)
            .chain(self.groups.values_mut())
        {
            users.optimize();
        }
        self.days.iter_mut().for_each(Days::optimize);
        self.tokens.optimize();
    }

    fn set_facts(&mut self, user: u64, facts: &UserFacts) {
        for (place, flag) in self.flags.iter_mut().enumerate() {
            set(flag, user, facts.flags >> place & 1 == 1);
        }
        for (gender, users) in Gender::ALL.iter().zip(&mut self.genders) {
            set(users, user, facts.gender.as_deref() == Some(gender.as_str()));
        }
    }

    /// Brings users up to date: as they are now, or `None` for those who do not exist. The feed has been read up to
    /// `position`.
    pub(super) fn apply(
        &mut self,
        position: FeedEnd,
        changed: &HashMap<i64, Option<ListedUserRow>>,
    ) -> Result<(), BadId> {
        let (mut members, mut moved) = (RoaringTreemap::new(), <[RoaringTreemap; 3]>::default());
        for (id, now) in changed {
            let user = bit(*id)?;
            if self.in_groups.contains(user) {
                members.insert(user);
            }
            let known = self.all.contains(user);
            for (place, (days, moved)) in self.days.iter().zip(&mut moved).enumerate() {
                let time = now.as_ref().map(|row| row.facts.times.get(place).copied().flatten());
                if known && !time.is_some_and(|time| days.holds(user, time)) {
                    moved.insert(user);
                }
            }
        }
        self.leave_groups(&members);
        for (days, moved) in self.days.iter_mut().zip(&moved) {
            if !moved.is_empty() {
                days.remove(moved);
            }
        }
        for (id, now) in changed {
            match now {
                Some(row) => self.set_user(bit(*id)?, row),
                None => self.remove_user(bit(*id)?),
            }
        }
        self.unmeasured += changed.len();
        self.position = position;
        Ok(())
    }

    fn leave_groups(&mut self, users: &RoaringTreemap) {
        if users.is_empty() {
            return;
        }
        self.in_groups -= users;
        self.groups.retain(|_, members| {
            if !members.is_disjoint(users) {
                *members -= users;
            }
            !members.is_empty()
        });
    }

    fn set_user(&mut self, user: u64, row: &ListedUserRow) {
        self.all.insert(user);
        self.set_facts(user, &row.facts);
        for (days, time) in self.days.iter_mut().zip(row.facts.times) {
            days.insert(user, time);
        }
        set(&mut self.in_groups, user, !row.groups.is_empty());
        for group in &row.groups {
            self.groups.entry(*group).or_default().insert(user);
        }
        self.tokens.set(user, row.has_lasting_token, row.tokens_end);
        self.terms.note(user, Some(&row.search_key));
    }

    fn remove_user(&mut self, user: u64) {
        for users in
            [&mut self.all, &mut self.in_groups].into_iter().chain(&mut self.flags).chain(&mut self.genders)
        {
            users.remove(user);
        }
        self.tokens.remove(user);
        self.terms.note(user, None);
    }

    /// Returns the users that the filters and the search select at this time; `None` if the bitmaps cannot decide it.
    pub(super) fn select(
        &mut self,
        filters: &UserFilters,
        terms: &Terms,
        read: &ReadUsers,
        now: i64,
    ) -> Option<SelectedUsers> {
        let (mut with, mut without, mut union) = (Vec::new(), Vec::new(), None);
        if filters.is_exact() {
            return None;
        }
        let ranges = [filters.created, filters.updated, filters.last_login];
        let mut ranged = Vec::new();
        for (days, range) in self.days.iter().zip(ranges) {
            if range.from.is_some() || range.until.is_some() {
                ranged.push(days.within(range)?);
            }
        }
        let live = match filters.has_token {
            Some(_) => Some(self.tokens.live(now)?),
            None => None,
        };
        let (mut is_searched, mut terms_of) = (true, Vec::new());
        for term in terms.iter() {
            match read.with_term.get(term).or_else(|| self.terms.get(term)) {
                Some(users) => terms_of.push(users.clone()),
                None => is_searched = false,
            }
        }
        let online = match filters.is_online {
            Some(_) => Some(read.online.as_ref()?),
            None => None,
        };
        for (wanted, users) in wanted_flags(filters).into_iter().zip(self.flags.iter().map(Some)).chain([
            (filters.has_groups, Some(&self.in_groups)),
            (filters.has_token, live),
            (filters.is_online, online),
        ]) {
            match (wanted, users) {
                (Some(true), Some(users)) => with.push(users),
                (Some(false), Some(users)) => without.push(users),
                _ => {}
            }
        }
        let none = RoaringTreemap::new();
        if let Some(gender) = filters.gender {
            let known = Gender::ALL.iter().zip(&self.genders).find(|(known, _)| **known == gender);
            with.push(known.map_or(&none, |(_, users)| users));
        }
        if let Some(group) = filters.group {
            with.push(self.groups.get(&group.get()).unwrap_or(&none));
        }
        if let Some(groups) = &filters.groups_in {
            let members = groups.iter().filter_map(|group| self.groups.get(&group.get()));
            union = Some(members.union());
        }
        with.extend(ranged.iter().chain(&terms_of).chain(&union));
        let is_everyone = with.is_empty()
            && without.is_empty()
            && is_searched
            && filters.id.min.is_none()
            && filters.id.max.is_none();
        let mut users = intersection(&self.all, with);
        without.into_iter().for_each(|others| users -= others);
        if let Some(least) = filters.id.min {
            users.remove_range(..u64::try_from(least).unwrap_or(0));
        }
        if let Some(most) = filters.id.max {
            users.remove_range(u64::try_from(most).map_or(0, |most| most.saturating_add(1))..);
        }
        Some(SelectedUsers { users, is_everyone, is_searched })
    }

    /// The days of a column, if it is a time.
    pub(super) fn days(&self, column: UserColumn) -> Option<&Days> {
        let [created, updated, last_login] = &self.days;
        match column {
            UserColumn::CreatedAt => Some(created),
            UserColumn::UpdatedAt => Some(updated),
            UserColumn::LastLogin => Some(last_login),
            UserColumn::Id | UserColumn::Username | UserColumn::Email | UserColumn::Gender => None,
        }
    }

    /// Whether it is time to measure the memory again.
    pub(super) fn needs_measuring(&mut self) -> bool {
        let is_time = self.unmeasured >= MEASURED_EVERY;
        if is_time {
            self.unmeasured = 0;
        }
        is_time
    }

    /// The memory that the bitmaps take, in bytes, without those of searches.
    pub(super) fn bytes(&self) -> u64 {
        let plain = [&self.all, &self.in_groups].into_iter().chain(&self.flags).chain(&self.genders);
        let users: u64 = plain.chain(self.groups.values()).map(weight).sum();
        users + self.days.iter().map(Days::bytes).sum::<u64>() + self.tokens.bytes()
    }
}

/// The filters that are flags, in the order of the bits.
fn wanted_flags(filters: &UserFilters) -> [Option<bool>; FLAGS] {
    [
        filters.is_active,
        filters.is_staff,
        filters.is_admin,
        filters.has_email,
        filters.has_avatar,
        filters.has_phone,
        filters.has_first_name,
        filters.has_last_name,
    ]
}

/// Intersects the smallest set with the others; all users if there is none.
fn intersection(all: &RoaringTreemap, mut sets: Vec<&RoaringTreemap>) -> RoaringTreemap {
    sets.sort_by_cached_key(|users| users.len());
    let mut sets = sets.into_iter();
    let mut users = sets.next().unwrap_or(all).clone();
    sets.for_each(|others| users &= others);
    users
}

fn set(users: &mut RoaringTreemap, user: u64, is_one: bool) {
    match is_one {
        true => users.insert(user),
        false => users.remove(user),
    };
}
