//! The validation errors of an input, by field.
//!
//! The sender of an input decides how many errors it has. So their number is bounded: adding one costs the same however many
//! there are already, and an answer stays short.

use indexmap::IndexMap;

use super::text::Violation;

/// The longest field name that is repeated in an answer, in characters.
const NAME_MAX: usize = 200;
/// The field for errors of the input as a whole.
const WHOLE: &str = "non_field_errors";

/// The validation errors of an input, by field, in the order of checking. Small, because it is part of other errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidationErrors(Option<Box<Messages>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Messages {
    by_field: IndexMap<String, Vec<String>>,
    /// The number of messages of all fields.
    count: usize,
    /// The index of the field with the latest message.
    latest: usize,
    /// Whether there were more messages.
    has_more: bool,
}

impl ValidationErrors {
    /// The most messages for one input.
    pub const MAX: usize = 20;
    /// The last message for an input with more errors than are shown.
    pub const MORE: &'static str = "There are more errors than are shown here.";

    /// One error of one field.
    pub fn of(field: &str, violation: &Violation) -> Self {
        let mut errors = Self::default();
        errors.add(field, violation);
        errors
    }

    /// One error of the input as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self::of(WHOLE, &Violation::Other(message.into()))
    }

    /// Adds an error to a field. Beyond [`Self::MAX`] it is only remembered that there are more.
    pub fn add(&mut self, field: &str, violation: &Violation) {
        let messages = self.0.get_or_insert_default();
        if messages.has_more {
            return;
        }
        if messages.count == Self::MAX {
            messages.has_more = true;
            messages.drop_latest();
            messages.push(WHOLE, Self::MORE.to_owned());
            return;
        }
        messages.push(field, violation.to_string());
    }

    /// Returns a valid value, or adds its error.
    pub fn take<T>(&mut self, field: &str, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.add(field, &violation)).ok()
    }

    /// Renames a field.
    #[must_use]
    pub fn renamed(mut self, field: &str, to: &str) -> Self {
        if let Some(messages) = &mut self.0 {
            messages.rename(field, to);
        }
        self
    }

    /// Iterates over the fields with their messages.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        let by_field = self.0.iter().flat_map(|messages| &messages.by_field);
        by_field.map(|(field, messages)| (field.as_str(), messages.as_slice()))
    }

    /// Whether a field has an error.
    pub fn has(&self, field: &str) -> bool {
        self.0.as_ref().is_some_and(|messages| messages.by_field.contains_key(field))
    }

    /// The number of messages, at most [`Self::MAX`].
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |messages| messages.count)
    }

    /// Whether there is no error.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Returns `Ok` if there is no error.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Parses ids of objects, each once. A number that cannot be an id is an object that does not exist.
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

    /// Parses a field that was given.
    pub(super) fn field<T: std::str::FromStr<Err = Violation>>(
        &mut self,
        name: &str,
        raw: Option<&str>,
    ) -> Option<T> {
        self.take(name, raw?.parse())
    }

    /// Parses a field that can be emptied: `Some(None)` empties it.
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

impl Messages {
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

    /// Makes room for the message that there are more errors.
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

    fn counted(errors: &ValidationErrors) -> Vec<(String, usize)> {
        errors.iter().map(|(field, messages)| (field.to_owned(), messages.len())).collect()
    }

    /// Guards issue 13, number 1: each of 60,000 unknown names was searched for among all before it.
    #[test]
    fn finding_01_however_many_faults_there_are_twenty_messages_are_kept() {
        let mut errors = ValidationErrors::default();
        for number in 0..60_000 {
            errors.add(&format!("f{number}"), &Violation::Required);
        }
        assert_eq!(errors.count(), ValidationErrors::MAX);
        assert_eq!(counted(&errors).len(), 20);
        let (last, messages) = errors.iter().last().unwrap();
        assert_eq!((last, messages), ("non_field_errors", &[ValidationErrors::MORE.to_owned()][..]));
        assert!(errors.has("f18") && !errors.has("f19"));
    }

    #[test]
    fn exactly_twenty_are_all_shown() {
        let mut errors = ValidationErrors::default();
        for _ in 0..2 {
            (0..10).for_each(|number| errors.add(&number.to_string(), &Violation::Null));
        }
        assert_eq!((errors.count(), counted(&errors).len()), (20, 10));
        assert!(!errors.has("non_field_errors"));
        // One more replaces the latest, which was in the middle.
        errors.add("0", &Violation::Null);
        assert_eq!(errors.count(), 20);
        assert_eq!(counted(&errors)[9..], [("9".to_owned(), 1), ("non_field_errors".to_owned(), 1)]);
    }

    #[test]
    fn a_long_name_is_cut() {
        let errors = ValidationErrors::of(&"\u{e9}".repeat(1 << 16), &Violation::Null);
        assert_eq!(errors.iter().next().unwrap().0.chars().count(), NAME_MAX + 3);
        assert!(ValidationErrors::of(&"e".repeat(NAME_MAX), &Violation::Null).has(&"e".repeat(NAME_MAX)));
    }

    #[test]
    fn a_field_that_is_renamed_keeps_its_place() {
        let mut errors = ValidationErrors::of("a", &Violation::Null);
        errors.add("b", &Violation::Null);
        assert_eq!(counted(&errors.clone().renamed("a", "c")), [("c".to_owned(), 1), ("b".to_owned(), 1)]);
        assert_eq!(counted(&errors.clone().renamed("a", "b")), [("b".to_owned(), 2)]);
        assert_eq!(errors.clone().renamed("x", "y"), errors);
    }
}
