//! Ranges of numbers and of days that filter a list.

use jiff::civil::{Date, Time};

use super::Parameters;
use crate::directory::model::Timestamp;

/// A range of numbers that includes both ends. An empty range matches nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberRange {
    /// The least.
    pub min: Option<i64>,
    /// The greatest.
    pub max: Option<i64>,
}

impl NumberRange {
    /// Parses `<name>_min` and `<name>_max`.
    pub(super) fn read(parameters: &mut Parameters<'_>, [min, max]: [&str; 2]) -> Self {
        Self { min: parameters.integer(min), max: parameters.integer(max) }
    }
}

/// A range of time that includes `from` and excludes `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time in it.
    pub from: Option<Timestamp>,
    /// The first time after it.
    pub until: Option<Timestamp>,
}

impl TimeRange {
    /// Parses three parameters: a day (in UTC), a first day and a last day. All that are given must hold.
    pub(super) fn read(parameters: &mut Parameters<'_>, [on, first, last]: [&str; 3]) -> Self {
        let (on, first, last) = (parameters.day(on), parameters.day(first), parameters.day(last));
        let days = |days: [Option<Date>; 2]| days.into_iter().flatten();
        // The last day has no end.
        Self {
            from: days([on, first]).map(midnight).max(),
            until: days([on, last]).filter_map(|day| Some(midnight(day.tomorrow().ok()?))).min(),
        }
    }
}

fn midnight(day: Date) -> Timestamp {
    Timestamp::from_utc(day.to_datetime(Time::midnight()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(pairs: &[(&str, &str)]) -> String {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut parameters = Parameters::new(&pairs, |_| true);
        let TimeRange { from, until } = TimeRange::read(&mut parameters, ["on", "first", "last"]);
        let text = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
        format!("{}..{}", text(from), text(until))
    }

    #[test]
    fn days_are_whole_and_combine() {
        assert_eq!(span(&[("on", "2024-02-29")]), "2024-02-29T00:00:00.000000Z..2024-03-01T00:00:00.000000Z");
        assert_eq!(span(&[("last", "2024-12-31")]), "..2025-01-01T00:00:00.000000Z");
        assert_eq!(
            span(&[("first", "2024-01-01"), ("on", "2024-06-01"), ("last", "2024-05-01")]),
            "2024-06-01T00:00:00.000000Z..2024-05-02T00:00:00.000000Z"
        );
        assert_eq!(span(&[("on", "9999-12-31")]), "9999-12-31T00:00:00.000000Z..");
        assert_eq!(span(&[("on", "0000-01-01")]), "0000-01-01T00:00:00.000000Z..0000-01-02T00:00:00.000000Z");
        assert_eq!(span(&[]), "..");
    }
}
