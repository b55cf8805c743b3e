//! Users whose text contains a search term, for the terms that were searched last. Finding them costs a read of the search
//! index; afterwards the feed keeps them current, as it keeps every bitmap.

use std::collections::{HashMap, VecDeque};

use roaring::RoaringTreemap;

use super::weight::weight;

/// The most terms.
const MOST: usize = 32;

/// The terms that were searched last.
#[derive(Default)]
pub(super) struct SearchTerms {
    of: HashMap<String, SearchTerm>,
    /// Terms that were asked for and are not known, the newest last.
    asked: VecDeque<String>,
    /// Rises with each use.
    uses: u64,
}

#[derive(Default)]
struct SearchTerm {
    /// `None` while the users are being found.
    users: Option<RoaringTreemap>,
    /// Those who changed meanwhile, with the term and without.
    with: RoaringTreemap,
    without: RoaringTreemap,
    last_use: u64,
    /// The use that began to find them.
    begun: u64,
}

impl SearchTerms {
    /// Returns the users with a term, if they are known.
    pub(super) fn get(&mut self, term: &str) -> Option<&RoaringTreemap> {
        self.uses += 1;
        let known = self.of.get_mut(term)?;
        known.last_use = self.uses;
        known.users.as_ref()
    }

    /// Whether a term was asked for before. Notes that it is now.
    pub(super) fn is_asked_again(&mut self, term: &str) -> bool {
        let is_again = self.asked.iter().any(|known| known == term);
        if !is_again {
            if self.asked.len() >= MOST {
                self.asked.pop_front();
            }
            self.asked.push_back(term.to_owned());
        }
        is_again
    }

    /// Notes that the users with a term are going to be read. Returns a ticket for the one that keeps them, unless another one does.
    pub(super) fn begin(&mut self, term: &str) -> Option<u64> {
        if self.of.contains_key(term) {
            return None;
        }
        if self.of.len() >= MOST {
            let oldest = self.of.iter().min_by_key(|(_, known)| known.last_use).map(|(term, _)| term.clone());
            oldest.map(|term| self.of.remove(&term));
        }
        self.uses += 1;
        let new = SearchTerm { last_use: self.uses, begun: self.uses, ..SearchTerm::default() };
        self.of.insert(term.to_owned(), new);
        Some(self.uses)
    }

    /// Keeps the users that were read since [`Self::begin`].
    pub(super) fn keep(&mut self, term: &str, ticket: u64, mut users: RoaringTreemap) {
        let Some(known) = self.of.get_mut(term).filter(|known| known.is_begun_by(ticket)) else { return };
        users |= std::mem::take(&mut known.with);
        users -= std::mem::take(&mut known.without);
        known.users = Some(users);
    }

    /// Forgets a term whose users could not be read.
    pub(super) fn give_up(&mut self, term: &str, ticket: u64) {
        if self.of.get(term).is_some_and(|known| known.is_begun_by(ticket)) {
            self.of.remove(term);
        }
    }

    /// Notes the folded text of a user; `None` if there is no such user any more.
    pub(super) fn note(&mut self, user: u64, text: Option<&str>) {
        for (term, known) in &mut self.of {
            let has = text.is_some_and(|text| text.contains(term.as_str()));
            match &mut known.users {
                Some(users) if has => _ = users.insert(user),
                Some(users) => _ = users.remove(user),
                None => {
                    let (to, from) = match has {
                        true => (&mut known.with, &mut known.without),
                        false => (&mut known.without, &mut known.with),
                    };
                    to.insert(user);
                    from.remove(user);
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.of.values().filter_map(|known| known.users.as_ref()).map(weight).sum()
    }

    /// Forgets all terms.
    pub(super) fn clear(&mut self) {
        self.of.clear();
    }
}

impl SearchTerm {
    fn is_begun_by(&self, ticket: u64) -> bool {
        self.users.is_none() && self.begun == ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_during_the_read_win() {
        let mut terms = SearchTerms::default();
        let ticket = terms.begin("ann").unwrap();
        assert_eq!(terms.begin("ann"), None);
        assert!(terms.get("ann").is_none());
        terms.note(1, Some("bob"));
        terms.note(2, Some("joanna"));
        terms.note(3, Some("ann"));
        terms.note(3, None);
        terms.keep("ann", ticket, [1, 3, 4].into_iter().collect());
        assert_eq!(terms.get("ann").unwrap().iter().collect::<Vec<_>>(), [2, 4]);
        terms.note(4, Some("bob"));
        terms.note(5, Some("ann"));
        assert_eq!(terms.get("ann").unwrap().iter().collect::<Vec<_>>(), [2, 5]);
        // A second result for the same term is not kept: it may be older than the changes.
        terms.keep("ann", ticket, RoaringTreemap::new());
        assert_eq!(terms.get("ann").unwrap().len(), 2);
    }

    #[test]
    fn the_term_that_was_not_used_for_longest_makes_room() {
        let mut terms = SearchTerms::default();
        for number in 0..MOST {
            let ticket = terms.begin(&number.to_string()).unwrap();
            terms.keep(&number.to_string(), ticket, RoaringTreemap::new());
        }
        assert!(terms.get("0").is_some());
        let ticket = terms.begin("new").unwrap();
        terms.give_up("new", ticket + 1);
        assert_eq!(terms.begin("new"), None);
        terms.give_up("new", ticket);
        assert!(terms.get("0").is_some() && terms.get("1").is_none() && terms.get("new").is_none());
    }
}
