//! The faults of an input, by field.
//!
//! An input can have any number of faults, and whoever sends it chooses how many. So their number is bounded here:
//! adding one costs the same however many there were before, and an answer stays short.

use indexmap::IndexMap;

use super::text::Violation;

/// The longest field name that is repeated in an answer, in characters.
const NAME_MAX: usize = 200;
/// The field under which the input as a whole is judged.
const WHOLE: &str = "non_field_errors";

/// The faults of an input, by field, in the order the fields were looked at. Small, because it travels in errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidationErrors(Option<Box<Kept>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    by_field: IndexMap<String, Vec<String>>,
    /// Messages kept, of all fields together.
    count: usize,
    /// Where the latest message is.
    latest: usize,
    /// Whether there were more than are kept.
    has_more: bool,
}

impl ValidationErrors {
    /// The most messages that one input gets.
    pub const MOST: usize = 20;
    /// The last message of an input that has more faults than are shown.
    pub const MORE: &'static str = "There are more errors than are shown here.";

    /// One fault of one field.
    pub fn of(field: &str, rule: &Violation) -> Self {
        let mut faults = Self::default();
        faults.add(field, rule);
        faults
    }

    /// One fault of the input as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self::of(WHOLE, &Violation::Other(message.into()))
    }

    /// Adds a fault to a field. Beyond [`Self::MOST`] only the fact is kept that there are more.
    pub fn add(&mut self, field: &str, rule: &Violation) {
        let kept = self.0.get_or_insert_default();
        if kept.has_more {
            return;
        }
        if kept.count == Self::MOST {
            kept.has_more = true;
            kept.drop_latest();
            kept.push(WHOLE, Self::MORE.to_owned());
            return;
        }
        kept.push(field, rule.to_string());
    }

    /// Keeps a good value and notes a bad one.
    pub fn take<T>(&mut self, field: &str, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|rule| self.add(field, &rule)).ok()
    }

    /// The same with one field called something else.
    #[must_use]
    pub fn renamed(mut self, field: &str, to: &str) -> Self {
        if let Some(kept) = &mut self.0 {
            kept.rename(field, to);
        }
        self
    }

    /// Field by field: its name and its messages.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        let by_field = self.0.iter().flat_map(|kept| &kept.by_field);
        by_field.map(|(field, messages)| (field.as_str(), messages.as_slice()))
    }

    /// Whether a field has a fault.
    pub fn has(&self, field: &str) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.by_field.contains_key(field))
    }

    /// How many messages there are, at most [`Self::MOST`].
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.count)
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// `Ok` when there was none.
    pub fn none(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Ids of things that may exist; one that no id can be does not. Each comes once.
    pub(super) fn ids<T: TryFrom<i64> + Ord>(
        &mut self,
        name: &str,
        raw: Option<&Vec<i64>>,
    ) -> Option<Vec<T>> {
        let parsed = raw?.iter().map(|id| T::try_from(*id).map_err(|_| Violation::NoSuchObject(*id)));
        let mut ids = self.take(name, parsed.collect::<Result<Vec<T>, Violation>>())?;
        ids.sort_unstable();
        ids.dedup();
        Some(ids)
    }

    pub(super) fn field<T: std::str::FromStr<Err = Violation>>(
        &mut self,
        name: &str,
        raw: Option<&str>,
    ) -> Option<T> {
        self.take(name, raw?.parse())
    }

    /// A field that can be emptied: `Some(None)` empties it.
    pub(super) fn nullable<T>(&mut self, name: &str, raw: Option<&Option<String>>) -> Option<Option<T>>
    where
        T: std::str::FromStr<Err = Violation>,
    {
        match raw?.as_deref() {
            None => Some(None),
            Some(text) => self.take(name, text.parse()).map(Some),
        }
    }
}

impl Kept {
    fn push(&mut self, field: &str, message: String) {
        let name = match field.char_indices().nth(NAME_MAX) {
            Some((end, _)) => format!("{}...", field.get(..end).unwrap_or_default()),
            None => field.to_owned(),
        };
        let entry = self.by_field.entry(name);
        self.latest = entry.index();
        entry.or_default().push(message);
        self.count += 1;
    }

    /// Makes room for the message that says that there are more.
    fn drop_latest(&mut self) {
        let Some((_, messages)) = self.by_field.get_index_mut(self.latest) else { return };
        messages.pop();
        if messages.is_empty() {
            self.by_field.shift_remove_index(self.latest);
        }
        self.count -= 1;
    }

    fn rename(&mut self, field: &str, to: &str) {
        let Some((index, _, messages)) = self.by_field.shift_remove_full(field) else { return };
        match self.by_field.get_mut(to) {
            Some(earlier) => earlier.extend(messages),
            None => _ = self.by_field.shift_insert(index, to.to_owned(), messages),
        }
        self.latest = self.by_field.len().saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(faults: &ValidationErrors) -> Vec<(String, usize)> {
        faults.iter().map(|(field, messages)| (field.to_owned(), messages.len())).collect()
    }

    /// Guards issue 13, number 1: 60,000 unknown names were each looked for among all before.
    #[test]
    fn finding_01_however_many_faults_there_are_twenty_messages_are_kept() {
        let mut faults = ValidationErrors::default();
        for number in 0..60_000 {
            faults.add(&format!("f{number}"), &Violation::Required);
        }
        assert_eq!(faults.count(), ValidationErrors::MOST);
        assert_eq!(told(&faults).len(), 20);
        let (last, messages) = faults.iter().last().unwrap();
        assert_eq!((last, messages), ("non_field_errors", &[ValidationErrors::MORE.to_owned()][..]));
        assert!(faults.has("f18") && !faults.has("f19"));
    }

    #[test]
    fn exactly_twenty_are_all_shown() {
        let mut faults = ValidationErrors::default();
        for _ in 0..2 {
            (0..10).for_each(|number| faults.add(&number.to_string(), &Violation::Null));
        }
        assert_eq!((faults.count(), told(&faults).len()), (20, 10));
        assert!(!faults.has("non_field_errors"));
        // One more takes the place of the latest, which stood in the middle.
        faults.add("0", &Violation::Null);
        assert_eq!(faults.count(), 20);
        assert_eq!(told(&faults)[9..], [("9".to_owned(), 1), ("non_field_errors".to_owned(), 1)]);
    }

    #[test]
    fn a_long_name_is_cut() {
        let faults = ValidationErrors::of(&"\u{e9}".repeat(1 << 16), &Violation::Null);
        assert_eq!(faults.iter().next().unwrap().0.chars().count(), NAME_MAX + 3);
        assert!(ValidationErrors::of(&"e".repeat(NAME_MAX), &Violation::Null).has(&"e".repeat(NAME_MAX)));
    }

    #[test]
    fn a_field_that_is_renamed_keeps_its_place() {
        let mut faults = ValidationErrors::of("a", &Violation::Null);
        faults.add("b", &Violation::Null);
        assert_eq!(told(&faults.clone().renamed("a", "c")), [("c".to_owned(), 1), ("b".to_owned(), 1)]);
        assert_eq!(told(&faults.clone().renamed("a", "b")), [("b".to_owned(), 2)]);
        assert_eq!(faults.clone().renamed("x", "y"), faults);
    }
}
