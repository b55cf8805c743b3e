//! Translates values of gender by the table that the operator gave.

use std::collections::BTreeMap;

use crate::directory::model::Gender;
use crate::directory::transfer::import::error::ImportError;

/// The values of the API, or null, by those of the source.
#[derive(Default)]
pub(super) struct GenderTable(BTreeMap<String, Option<Gender>>);

impl GenderTable {
    /// Parses the table `[gender]` of a mapping file.
    pub(super) fn new(table: &BTreeMap<String, String>) -> Result<Self, ImportError> {
        let choices = || Gender::ALL.map(Gender::as_str).join(", ");
        let parse = |(from, to): (&String, &String)| match to.as_str() {
            "" => Ok((from.clone(), None)),
            to => to.parse().map(|gender| (from.clone(), Some(gender))).map_err(|_| {
                ImportError::Ambiguous(format!(
                    "[gender] {from:?} = {to:?}: there is no such gender; use one of {}, or \"\" for null",
                    choices()
                ))
            }),
        };
        table.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Returns what a value of the source stands for. A value that is not in the table is kept.
    pub(super) fn translate(&self, value: Option<String>) -> Option<String> {
        match value.as_ref().and_then(|value| self.0.get(value)) {
            Some(known) => known.map(String::from),
            None => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pairs: &[(&str, &str)]) -> Result<GenderTable, ImportError> {
        GenderTable::new(&pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect())
    }

    #[test]
    fn values_of_the_table_are_translated_and_others_kept() {
        let table = table(&[("f", "female"), ("1", "male"), ("u", ""), ("", "other")]).unwrap();
        for (from, to) in
            [("f", Some("female")), ("1", Some("male")), ("u", None), ("", Some("other")), ("F", Some("F"))]
        {
            assert_eq!(table.translate(Some(from.to_owned())).as_deref(), to, "{from}");
        }
        assert_eq!(table.translate(None), None);
    }

    #[test]
    fn a_gender_that_does_not_exist_is_refused_with_the_choices() {
        let error = table(&[("f", "Female")]).err().unwrap().to_string();
        assert!(error.contains("\"Female\"") && error.contains("male, female, non-binary, other"), "{error}");
    }
}
