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
    /// Parses `<name>_date`, a day (in UTC), `<name>_from`, the first day, and `<name>_to`, the last. All that are given
    /// must hold.
    pub(super) fn read(parameters: &mut Parameters<'_>, name: &str) -> Self {
        let on = parameters.day(&format!("{name}_date"));
        let [first, last] = ["from", "to"].map(|end| {
            let (name, alias) = (format!("{name}_{end}"), format!("{name}{OLD}{end}"));
            parameters.only_one(&name, &alias);
            parameters.day(&name).or_else(|| parameters.day(&alias))
        });
        let days = |days: [Option<Date>; 2]| days.into_iter().flatten();
        // The last day has no end.
        Self {
            from: days([on, first]).map(midnight).max(),
            until: days([on, last]).filter_map(|day| Some(midnight(day.tomorrow().ok()?))).min(),
        }
    }
}

/// What version 0.1 had before the end of a range: `created_date_from` for `created_from`. Its names are not documented
/// any more.
const OLD: &str = "_date_";

/// Returns the present name of a parameter that has a name of version 0.1.
pub(super) fn new_name(name: &str) -> String {
    name.replacen(OLD, "_", 1)
}

/// Returns the beginning of a day.
pub(super) fn midnight(day: Date) -> Timestamp {
    Timestamp::from_utc(day.to_datetime(Time::midnight()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(pairs: &[(&str, &str)]) -> String {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut parameters = Parameters::new(&pairs, |_| true);
        let TimeRange { from, until } = TimeRange::read(&mut parameters, "made");
        let text = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
        format!("{}..{}", text(from), text(until))
    }

    #[test]
    fn days_are_whole_and_combine() {
        assert_eq!(
            span(&[("made_date", "2024-02-29")]),
            "2024-02-29T00:00:00.000000Z..2024-03-01T00:00:00.000000Z"
        );
        assert_eq!(span(&[("made_to", "2024-12-31")]), "..2025-01-01T00:00:00.000000Z");
        assert_eq!(
            span(&[("made_from", "2024-01-01"), ("made_date", "2024-06-01"), ("made_to", "2024-05-01")]),
            "2024-06-01T00:00:00.000000Z..2024-05-02T00:00:00.000000Z"
        );
        assert_eq!(span(&[("made_date_to", "2024-12-31")]), "..2025-01-01T00:00:00.000000Z");
        assert_eq!(span(&[("made_date", "9999-12-31")]), "9999-12-31T00:00:00.000000Z..");
        assert_eq!(
            span(&[("made_date", "0000-01-01")]),
            "0000-01-01T00:00:00.000000Z..0000-01-02T00:00:00.000000Z"
        );
        assert_eq!(span(&[]), "..");
    }

    #[test]
    fn a_range_has_one_value_under_either_name() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let mut parameters = Parameters::new(&pairs, |_| true);
            let range = TimeRange::read(&mut parameters, "made");
            let faults =
                parameters.finish().map_err(|faults| faults.iter().map(|(n, _)| n.to_owned()).collect());
            faults.map(|()| range.from.is_some())
        };
        assert_eq!(read(&[("made_from", "2024-02-29")]), Ok(true));
        assert_eq!(read(&[("made_date_from", "2024-02-29")]), Ok(true));
        assert_eq!(read(&[("made_from", "")]), Ok(false));
        assert_eq!(
            read(&[("made_from", "2024-02-29"), ("made_date_from", "")]),
            Err("made_date_from".to_owned())
        );
        assert_eq!(read(&[("made_date_from", "x")]), Err("made_date_from".to_owned()));
        assert_eq!(new_name("made_date_to"), "made_to");
    }
}
