//! Counts the differences and keeps a few examples of each, however many requests there are.
//!
//! Keys are masked in everything that is kept. Never in here: a request, or what counts as a difference.

use std::collections::BTreeMap;

use super::client::{NoResponse, ProbeOutcome};
use super::finding::{Difference, DifferenceKind};
use super::probe::Probe;

/// Further groups are more than people can read. They are counted, but not kept.
const MAX_GROUPS: usize = 200;
/// The longest text of a value that is kept, in characters.
const MAX_TEXT: usize = 300;
/// The run ends after this many requests in a row without a response from one server.
const MAX_UNANSWERED: u32 = 20;

/// The result of a comparison.
pub struct ParityTally {
    /// Whether expected differences count like others.
    strict: bool,
    /// How many examples are kept of each group.
    examples: usize,
    /// How many requests both servers were sent.
    pub requests: u64,
    /// Those with no difference.
    pub identical: u64,
    /// Those with expected differences only.
    pub as_expected: u64,
    /// Those with a difference that counts.
    pub different: u64,
    /// Requests with a key that both servers accepted.
    pub accepted: u64,
    /// The differences, grouped.
    pub groups: BTreeMap<DifferenceGroup, GroupTally>,
    /// Differences that are not in `groups`, which has a maximum size.
    pub left_out: u64,
    /// The number of last requests without a response from the old and the new server.
    unanswered: [u32; 2],
    /// Why the run ended early.
    pub stopped: Option<String>,
}

/// The common properties of the differences of one group.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct DifferenceGroup {
    /// The name of the request.
    pub request: String,
    /// The header or the path to the value.
    pub field: String,
    /// The kind of difference.
    pub kind: DifferenceKind,
    /// Why this is expected; `None` if it is not.
    pub expected: Option<&'static str>,
    /// Whether it counts against the new server.
    pub counts: bool,
}

/// How often differences of one group were found, and examples.
#[derive(Default)]
pub struct GroupTally {
    /// How often.
    pub count: u64,
    /// The first few.
    pub examples: Vec<DifferenceExample>,
}

/// One difference, without the key.
pub struct DifferenceExample {
    /// Where the key was found, such as `line 17`; `None` for a request without a key.
    pub source: Option<String>,
    /// The masked key.
    pub key: Option<String>,
    /// The path with item numbers, if that of the group has a `*`.
    pub at: Option<String>,
    /// The old value as JSON text, possibly cut off; `None` if there is none.
    pub old: Option<String>,
    /// The new value, likewise.
    pub new: Option<String>,
}

impl ParityTally {
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
    pub(super) fn add(
        &mut self,
        probe: &Probe,
        old: &ProbeOutcome,
        new: &ProbeOutcome,
        found: Vec<Difference>,
    ) {
        self.requests += 1;
        let counts = |difference: &Difference| self.strict || difference.expected.is_none();
        match found.iter().find(|difference| counts(difference)) {
            Some(_) => self.different += 1,
            None if found.is_empty() => self.identical += 1,
            None => self.as_expected += 1,
        }
        let success = |outcome: &ProbeOutcome| {
            outcome.as_ref().is_ok_and(|response| (200..300).contains(&response.status))
        };
        self.accepted += u64::from(probe.key().is_some() && success(old) && success(new));
        self.watch("old", 0, old.as_ref().err());
        self.watch("new", 1, new.as_ref().err());
        for difference in found {
            self.record(probe, difference);
        }
    }

    fn record(&mut self, probe: &Probe, difference: Difference) {
        let Difference { kind, field, at, old, new, expected } = difference;
        let counts = self.strict || expected.is_none();
        let group = DifferenceGroup { request: probe.label(), field, kind, expected, counts };
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&group) {
            self.left_out += 1;
            return;
        }
        let found = self.groups.entry(group).or_default();
        found.count += 1;
        if found.examples.len() < self.examples {
            let key = probe.key();
            let kept =
                |value: Option<serde_json::Value>| value.map(|value| cut(&mask(probe, &value.to_string())));
            found.examples.push(DifferenceExample {
                source: key.map(|key| key.source.clone()),
                key: key.map(super::keys::ProbeKey::shown),
                at,
                old: kept(old),
                new: kept(new),
            });
        }
    }

    /// Ends the run when a server is gone: otherwise each of a million requests would wait for it.
    fn watch(&mut self, side: &str, index: usize, failed: Option<&NoResponse>) {
        let Some(unanswered) = self.unanswered.get_mut(index) else { return };
        *unanswered = if failed.is_some() { *unanswered + 1 } else { 0 };
        if let Some(why) = failed.filter(|_| *unanswered >= MAX_UNANSWERED) {
            let message =
                format!("the {side} server did not respond to {unanswered} requests in a row: {why}");
            self.stopped.get_or_insert(message);
        }
    }
}

/// Masks the key of the request in a text, because a server may echo it.
fn mask(probe: &Probe, json: &str) -> String {
    let Some(key) = probe.key() else { return json.to_owned() };
    let written = serde_json::Value::from(key.reveal()).to_string();
    let written = written.trim_matches('"');
    if written.is_empty() { json.to_owned() } else { json.replace(written, &key.shown()) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::uri::PathAndQuery;

    use super::super::client::Response;
    use super::super::error::ParityError;
    use super::super::keys::ProbeKey;
    use super::super::probe::ProbeList;
    use super::*;

    /// Guards against memory growth when a server responds with ever new fields.
    #[test]
    fn whatever_is_found_the_sums_stay_small() {
        let key = ProbeKey::new(b"0123456789abcdef0123", "line 1".to_owned());
        let keys = vec![key.map_err(|why| ParityError::Usage(why.to_owned()))];
        let paths = vec![PathAndQuery::from_static("/")];
        let asked = ProbeList { paths, origins: Vec::new(), only_tokens: true };
        let probe = asked.probes(Box::new(keys.into_iter())).next().unwrap().unwrap();
        let mut tally = ParityTally::new(false, 2);
        let good = Ok(Response { status: 200, ..Response::default() });
        for number in 0..1000 {
            let field = format!("field{}", number % 500);
            let long = format!("0123456789abcdef0123{}", "é".repeat(MAX_TEXT));
            let found = vec![Difference::new(DifferenceKind::Extra, &field, None, Some(long.into()))];
            tally.add(&probe, &good, &good, found);
        }
        assert_eq!((tally.requests, tally.different, tally.accepted), (1000, 1000, 1000));
        assert_eq!((tally.groups.len(), tally.left_out), (MAX_GROUPS, 600));
        let found = tally.groups.values().next().unwrap();
        assert_eq!((found.count, found.examples.len()), (2, 2));
        let text = found.examples[0].new.as_deref().unwrap();
        assert!(text.starts_with("\"0123...0123é") && text.ends_with("é..."), "{text}");
        assert_eq!(text.chars().count(), MAX_TEXT + 3);
    }
}
