//! Notices and conflicts of an import: counted by their text, each with a few examples.
//!
//! Never in here: a whole secret, or a list that grows with the rows of the source. A list of its tables and columns may be
//! complete.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Value, json};

/// Examples kept of each notice.
const EXAMPLES: usize = 5;
/// Examples kept of a notice that an operator works off row by row.
const LISTED: usize = 50;

/// Notices by their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices(BTreeMap<String, Notice>);

/// How often something was found, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// How often.
    pub count: u64,
    /// The first cases, or all of them.
    pub examples: Vec<String>,
    /// Whether all of them are kept, however many there are.
    pub is_complete: bool,
    /// Whether it keeps [`LISTED`] examples.
    is_listed: bool,
}

impl Notice {
    fn most_examples(&self) -> usize {
        match (self.is_complete, self.is_listed) {
            (true, _) => usize::MAX,
            (false, true) => LISTED,
            (false, false) => EXAMPLES,
        }
    }
}

impl Notices {
    /// Adds one case to the notice with this text.
    pub fn add(&mut self, text: &str, example: impl Display) {
        if !self.0.contains_key(text) {
            self.0.insert(text.to_owned(), Notice::default());
        }
        if let Some(notice) = self.0.get_mut(text) {
            notice.count += 1;
            if notice.examples.len() < notice.most_examples() {
                notice.examples.push(example.to_string());
            }
        }
    }

    /// Does the same for a notice whose cases need a decision each: it keeps more of them.
    pub fn add_listed(&mut self, text: &str, example: impl Display) {
        self.0.entry(text.to_owned()).or_default().is_listed = true;
        self.add(text, example);
    }

    /// Adds cases to a notice that keeps all of its examples, which are few: tables and columns, not rows.
    pub fn add_all(&mut self, text: &str, count: u64, examples: Vec<String>) {
        if count > 0 || !examples.is_empty() {
            let notice = self.0.entry(text.to_owned()).or_default();
            notice.is_complete = true;
            notice.count += count;
            notice.examples.extend(examples);
        }
    }

    /// Adds all cases of `other`.
    pub fn extend(&mut self, other: Self) {
        for (text, notice) in other.0 {
            let known = self.0.entry(text).or_default();
            known.count += notice.count;
            known.is_complete |= notice.is_complete;
            known.is_listed |= notice.is_listed;
            let room = known.most_examples().saturating_sub(known.examples.len());
            known.examples.extend(notice.examples.into_iter().take(room));
        }
    }

    /// Takes the notices of `later`, which counted again what a notice with the same text has counted.
    pub(super) fn replace(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the notices with their texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Notice)> {
        self.0.iter().map(|(text, notice)| (text.as_str(), notice))
    }

    pub(super) fn to_json(&self) -> Value {
        self.iter()
            .map(|(text, notice)| json!({ "what": text, "count": notice.count, "examples": notice.examples }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_counts_all_cases_and_tells_the_first_few() {
        let (mut one, mut other) = (Notices::default(), Notices::default());
        (0..7).for_each(|number| one.add("odd", number));
        (0..3).for_each(|number| other.add("even", number));
        other.add("odd", "x");
        one.extend(other);
        let found: Vec<_> =
            one.iter().map(|(text, notice)| (text, notice.count, notice.examples.len())).collect();
        assert_eq!(found, [("even", 3, 3), ("odd", 8, 5)]);
    }

    #[test]
    fn cases_that_need_a_decision_each_are_listed() {
        let (mut one, mut other) = (Notices::default(), Notices::default());
        (0..30).for_each(|number| one.add_listed("another user", number));
        (0..30).for_each(|number| other.add_listed("another user", number));
        one.extend(other);
        let found: Vec<_> = one.iter().map(|(_, notice)| (notice.count, notice.examples.len())).collect();
        assert_eq!(found, [(60, 50)]);
    }

    #[test]
    fn a_list_of_tables_stays_complete() {
        let (mut one, mut all) = (Notices::default(), Notices::default());
        one.add_all("tables", 7, (0..7).map(|number| number.to_string()).collect());
        one.add_all("columns", 0, Vec::new());
        all.extend(one.clone());
        all.extend(one);
        let found: Vec<_> =
            all.iter().map(|(text, notice)| (text, notice.count, notice.examples.len())).collect();
        assert_eq!(found, [("tables", 14, 14)]);
    }
}
