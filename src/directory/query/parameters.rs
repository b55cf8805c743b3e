//! The parameters of a query: each must be known, be given once and parse.

use jiff::civil::Date;

use crate::directory::model::{ValidationErrors, Violation};

/// The parameters of every list. `fields` and `format` shape the answer and are read by the code that makes it.
pub const COMMON: [&str; 8] =
    ["search", "ordering", "limit", "offset", "cursor", "count", "fields", "format"];

const ONLY_ONCE: &str = "This parameter may be given only once.";

/// Parameters that are being parsed. Errors are collected, so that all of them are reported.
pub struct Parameters<'a> {
    pairs: &'a [(String, String)],
    errors: ValidationErrors,
}

impl<'a> Parameters<'a> {
    /// Adds errors for names that are not `known` and for those given twice.
    pub fn new(pairs: &'a [(String, String)], known: impl Fn(&str) -> bool) -> Self {
        let mut errors = ValidationErrors::default();
        for (position, (name, _)) in pairs.iter().enumerate() {
            let before = pairs.iter().take(position).filter(|(earlier, _)| earlier == name).count();
            match before {
                0 if !known(name) => errors.add(name, &other("Unknown parameter.")),
                1 => errors.add(name, &other(ONLY_ONCE)),
                _ => {}
            }
        }
        Self { pairs, errors }
    }

    /// Parses a parameter. `None` if it was not given, is empty or is invalid: an empty value filters nothing.
    pub fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Violation>) -> Option<T> {
        let value = self.value(name).filter(|value| !value.is_empty())?;
        self.errors.take(name, parse(value))
    }

    /// Returns the text of a parameter, which may be empty.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Parses `true`, `false`, `1` or `0`, in any case.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.parsed(name, |raw| match raw.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(other("Must be a valid boolean.")),
        })
    }

    /// Parses an integer of 64 bits.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        self.parsed(name, integer)
    }

    /// Parses a day, written `YYYY-MM-DD`.
    pub fn day(&mut self, name: &str) -> Option<Date> {
        self.parsed(name, day)
    }

    /// Refuses a parameter that comes under two names.
    pub(super) fn only_one(&mut self, name: &str, alias: &str) {
        if self.value(name).is_some() && self.value(alias).is_some() {
            self.refuse(alias, &other(ONLY_ONCE));
        }
    }

    /// Returns a valid value of a parameter, or adds its error.
    pub(super) fn take<T>(&mut self, name: &str, parsed: Result<T, Violation>) -> Option<T> {
        self.errors.take(name, parsed)
    }

    /// Adds an error that concerns several parameters.
    pub fn refuse(&mut self, name: &str, violation: &Violation) {
        self.errors.add(name, violation);
    }

    /// Returns `Ok` if there is no error.
    pub fn finish(self) -> Result<(), ValidationErrors> {
        self.errors.into_result()
    }
}

/// An error with a message of its own.
pub(super) fn other(message: impl Into<String>) -> Violation {
    Violation::Other(message.into())
}

/// Parses decimal digits with an optional minus. Everything else, overflow included, gets the message of Django REST Framework.
pub(super) fn integer(raw: &str) -> Result<i64, Violation> {
    let parsed = if raw.starts_with('+') { None } else { raw.parse().ok() };
    parsed.ok_or(Violation::Integer)
}

fn day(raw: &str) -> Result<Date, Violation> {
    let form = raw.len() == 10
        && raw.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let parsed = if form { raw.parse().ok() } else { None };
    parsed.ok_or_else(|| other("Date has wrong format. Use one of these formats instead: YYYY-MM-DD."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_integers_have_one_spelling() {
        assert!(day("2024-02-29").is_ok());
        for bad in ["", "2025-02-29", "20240229", "2024-2-29", "2024-02-29T00", "-024-02-29", "yesterday"] {
            assert!(day(bad).is_err(), "{bad}");
        }
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        for bad in ["", "+1", "1.0", " 1", "0x1", "99999999999999999999999", "١"] {
            assert_eq!(integer(bad), Err(Violation::Integer), "{bad}");
        }
    }

    #[test]
    fn all_faults_are_told_once_each() {
        let pairs = [("b", "x"), ("zz", ""), ("zz", ""), ("zz", ""), ("n", ""), ("B", "1")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut parameters = Parameters::new(&pairs, |name| ["b", "n"].contains(&name));
        let read = (parameters.flag("b"), parameters.integer("n"), parameters.day("d"));
        assert_eq!(read, (None, None, None));
        let found: Vec<_> =
            parameters.finish().unwrap_err().iter().map(|(f, m)| (f.to_owned(), m.len())).collect();
        // An empty value of a known name is no fault.
        assert_eq!(found, [("zz", 2), ("B", 1), ("b", 1)].map(|(f, n)| (f.to_owned(), n)));
    }
}
