//! What was found, added up: however many requests there are, it keeps counts and a few examples.
//!
//! A key is hidden in whatever is kept. Never in here: a request, or what counts as a difference.

use std::collections::BTreeMap;

use super::client::{NoAnswer, Outcome};
use super::finding::{Difference, Kind};
use super::question::Question;

/// More groups than people can read are counted, but not kept apart.
const MOST_GROUPS: usize = 200;
/// The longest text of a value that is kept, in characters.
const LONGEST_TEXT: usize = 300;
/// So many requests in a row without an answer from one side end the run.
const MOST_UNANSWERED: u32 = 20;

/// The sums of a run.
pub struct Tally {
    /// Whether expected differences count like others.
    strict: bool,
    /// How many examples are kept of each group.
    examples: usize,
    /// How many requests both servers were sent.
    pub requests: u64,
    /// Those with no difference.
    pub identical: u64,
    /// With expected differences and no others.
    pub as_expected: u64,
    /// Those with a difference that counts.
    pub different: u64,
    /// Requests with a key that both servers answered with success.
    pub accepted: u64,
    /// The differences, grouped.
    pub groups: BTreeMap<Group, Found>,
    /// Differences beyond the number of groups that is kept.
    pub left_out: u64,
    /// Requests in a row that the old and the new server did not answer.
    unanswered: [u32; 2],
    /// Why the run ended early.
    pub stopped: Option<String>,
}

/// Differences that are told together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// What the request is called.
    pub request: String,
    /// The header or the path to the value.
    pub field: String,
    /// In what the two differ.
    pub kind: Kind,
    /// Why this is as intended; `None`: it is not.
    pub expected: Option<&'static str>,
    /// Whether it counts against the new server.
    pub counts: bool,
}

/// How often it was found, and some of it.
#[derive(Default)]
pub struct Found {
    /// How often.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Example>,
}

/// One difference that was found, without the key.
pub struct Example {
    /// Where the key stands, such as `line 17`; nothing for a request without one.
    pub source: Option<String>,
    /// The key, as far as it is shown.
    pub key: Option<String>,
    /// The path with the item's number, where the group has a `*`.
    pub at: Option<String>,
    /// JSON text, perhaps cut off; `None` for nothing.
    pub old: Option<String>,
    /// The same of the new answer.
    pub new: Option<String>,
}

impl Tally {
    pub(super) fn new(strict: bool, examples: usize) -> Self {
        Self {
            strict,
            examples,
            requests: 0,
            identical: 0,
            as_expected: 0,
            different: 0,
            accepted: 0,
            groups: BTreeMap::new(),
            left_out: 0,
            unanswered: [0; 2],
            stopped: None,
        }
    }

    /// Adds the differences of one request.
    pub(super) fn add(&mut self, question: &Question, old: &Outcome, new: &Outcome, found: Vec<Difference>) {
        self.requests += 1;
        let counts = |difference: &Difference| self.strict || difference.expected.is_none();
        match found.iter().find(|difference| counts(difference)) {
            Some(_) => self.different += 1,
            None if found.is_empty() => self.identical += 1,
            None => self.as_expected += 1,
        }
        let success =
            |outcome: &Outcome| outcome.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status));
        self.accepted += u64::from(question.key().is_some() && success(old) && success(new));
        self.watch("old", 0, old.as_ref().err());
        self.watch("new", 1, new.as_ref().err());
        for difference in found {
            self.file(question, difference);
        }
    }

    fn file(&mut self, question: &Question, difference: Difference) {
        let Difference { kind, field, at, old, new, expected } = difference;
        let counts = self.strict || expected.is_none();
        let group = Group { request: question.label(), field, kind, expected, counts };
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&group) {
            self.left_out += 1;
            return;
        }
        let found = self.groups.entry(group).or_default();
        found.count += 1;
        if found.examples.len() < self.examples {
            let key = question.key();
            let kept = |value: Option<serde_json::Value>| {
                value.map(|value| cut(&hide(question, &value.to_string())))
            };
            found.examples.push(Example {
                source: key.map(|key| key.source.clone()),
                key: key.map(super::keys::Key::shown),
                at,
                old: kept(old),
                new: kept(new),
            });
        }
    }

    /// Ends the run when a server has gone away: each of a million requests would wait for it in vain.
    fn watch(&mut self, side: &str, index: usize, failed: Option<&NoAnswer>) {
        let Some(unanswered) = self.unanswered.get_mut(index) else { return };
        *unanswered = if failed.is_some() { *unanswered + 1 } else { 0 };
        if let Some(why) = failed.filter(|_| *unanswered >= MOST_UNANSWERED) {
            let told = format!("the {side} server did not answer {unanswered} requests in a row: {why}");
            self.stopped.get_or_insert(told);
        }
    }
}

/// A text without the key of its request, which a server may send back.
fn hide(question: &Question, json: &str) -> String {
    let Some(key) = question.key() else { return json.to_owned() };
    let written = serde_json::Value::from(key.reveal()).to_string();
    let written = written.trim_matches('"');
    if written.is_empty() { json.to_owned() } else { json.replace(written, &key.shown()) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::uri::PathAndQuery;

    use super::super::client::Answer;
    use super::super::error::ParityError;
    use super::super::keys::Key;
    use super::super::question::questions;
    use super::*;

    /// Guards against a server that answers with ever new fields filling the memory.
    #[test]
    fn whatever_is_found_the_sums_stay_small() {
        let key = Key::new(b"0123456789abcdef0123", "line 1".to_owned());
        let keys = vec![key.map_err(|why| ParityError::Usage(why.to_owned()))];
        let paths = vec![PathAndQuery::from_static("/")];
        let question = questions(paths, Box::new(keys.into_iter()), true).next().unwrap().unwrap();
        let mut tally = Tally::new(false, 2);
        let good = Ok(Answer { status: 200, ..Answer::default() });
        for number in 0..1000 {
            let field = format!("field{}", number % 500);
            let long = format!("0123456789abcdef0123{}", "é".repeat(LONGEST_TEXT));
            let found = vec![Difference::new(Kind::Extra, &field, None, Some(long.into()))];
            tally.add(&question, &good, &good, found);
        }
        assert_eq!((tally.requests, tally.different, tally.accepted), (1000, 1000, 1000));
        assert_eq!((tally.groups.len(), tally.left_out), (MOST_GROUPS, 600));
        let found = tally.groups.values().next().unwrap();
        assert_eq!((found.count, found.examples.len()), (2, 2));
        let text = found.examples[0].new.as_deref().unwrap();
        assert!(text.starts_with("\"0123...0123é") && text.ends_with("é..."), "{text}");
        assert_eq!(text.chars().count(), LONGEST_TEXT + 3);
    }
}
