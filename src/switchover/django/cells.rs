//! A row of a foreign database, cell by cell: from bytes of text to values, with a sentence about each that is none.

use std::cell::RefCell;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::directory::model::Timestamp;
use crate::directory::transfer::import::ImportError;
use crate::directory::transfer::import::report::Notices;

/// What was met while reading.
#[derive(Default)]
pub(super) struct Met {
    /// What is left out or deserves a look.
    pub(super) notices: RefCell<Notices>,
    /// Rows that cannot be taken.
    pub(super) conflicts: RefCell<Notices>,
}

impl Met {
    /// What was read of a row; none of one that cannot be taken, which is noted.
    pub(super) fn taken<T>(&self, read: Result<T, ImportError>) -> Result<Option<T>, ImportError> {
        match read {
            Err(ImportError::Wrong(why)) => {
                self.conflicts.borrow_mut().add("rows that cannot be taken", why);
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    pub(super) fn note(&self, told: &str, example: impl std::fmt::Display) {
        self.notices.borrow_mut().add(told, example);
    }
}

/// A row on its way, with enough about it to say which one is wrong.
pub(super) struct Reading<'a> {
    pub(super) table: &'a str,
    /// What its key is; known once the key was read.
    pub(super) key: i64,
    pub(super) zone: &'a TimeZone,
    pub(super) met: &'a Met,
}

impl Reading<'_> {
    fn wrong(&self, column: &str, why: impl std::fmt::Display) -> ImportError {
        ImportError::Wrong(format!("{}.{column} of the row {}: {why}", self.table, self.key))
    }

    /// A text, or null.
    pub(super) fn text(&self, column: &str, cell: Option<Vec<u8>>) -> Result<Option<String>, ImportError> {
        let text = cell.map(String::from_utf8).transpose();
        text.map_err(|_| self.wrong(column, "it is not UTF-8"))
    }

    /// A text that cannot be null.
    pub(super) fn filled(&self, column: &str, cell: Option<Vec<u8>>) -> Result<String, ImportError> {
        self.text(column, cell)?.ok_or_else(|| self.wrong(column, "it is null"))
    }

    /// A number.
    pub(super) fn number(&self, column: &str, cell: Option<Vec<u8>>) -> Result<i64, ImportError> {
        let text = self.filled(column, cell)?;
        text.parse().map_err(|_| self.wrong(column, format!("{text:?} is not a 64-bit number")))
    }

    /// Yes or no; null is no.
    pub(super) fn boolean(&self, column: &str, cell: Option<Vec<u8>>) -> Result<bool, ImportError> {
        match self.text(column, cell)?.as_deref() {
            Some("1" | "true" | "t") => Ok(true),
            None | Some("0" | "false" | "f") => Ok(false),
            Some(other) => Err(self.wrong(column, format!("{other:?} is neither true nor false"))),
        }
    }

    /// A point in time; one without a zone is taken to be of the operator's.
    pub(super) fn moment(
        &self,
        column: &str,
        cell: Option<Vec<u8>>,
    ) -> Result<Option<Timestamp>, ImportError> {
        let Some(text) = self.text(column, cell)? else { return Ok(None) };
        match moment(&text, self.zone) {
            Some(Ok(moment)) => Ok(Some(moment)),
            Some(Err(nearest)) => {
                let row = format!("{}.{column} of the row {}", self.table, self.key);
                self.met
                    .notices
                    .borrow_mut()
                    .add(&format!("times beyond the last that can be kept are taken for {nearest}"), row);
                Ok(Some(nearest))
            }
            None => Err(self.wrong(column, format!("{text:?} is not a time"))),
        }
    }
}

/// What Django keeps a time as: `2025-08-06 14:23:45.123456`, the fraction left out at zero, with or without a zone.
/// The nearest there is, for one in the last day of the year 9999, a favourite "never".
fn moment(text: &str, zone: &TimeZone) -> Option<Result<Timestamp, Timestamp>> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(Ok(moment));
    }
    let civil: DateTime = text.trim_end_matches('Z').parse().ok()?;
    let timestamp = zone.to_timestamp(civil).ok();
    let kept = timestamp.and_then(|at| Timestamp::from_micros(at.as_microsecond()).ok());
    match kept {
        Some(moment) => Some(Ok(moment)),
        None if civil.year() >= 9999 => Some(Err(Timestamp::LAST)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_is_read() {
        let tehran = TimeZone::get("Asia/Tehran").unwrap();
        for (text, zone, expected) in [
            ("2025-08-06 14:23:45.123456", &TimeZone::UTC, "2025-08-06T14:23:45.123456Z"),
            ("2025-08-06 14:23:45", &TimeZone::UTC, "2025-08-06T14:23:45.000000Z"),
            ("2025-08-06T14:23:45.1Z", &tehran, "2025-08-06T14:23:45.100000Z"),
            ("2025-08-06 17:53:45+03:30", &TimeZone::UTC, "2025-08-06T14:23:45.000000Z"),
            ("2025-08-06 17:53:45", &tehran, "2025-08-06T14:23:45.000000Z"),
            ("1969-12-31 23:59:59.999999", &TimeZone::UTC, "1969-12-31T23:59:59.999999Z"),
            ("0800-01-02 03:04:05.000006", &TimeZone::UTC, "0800-01-02T03:04:05.000006Z"),
            ("2025-08-06", &TimeZone::UTC, "2025-08-06T00:00:00.000000Z"),
        ] {
            assert_eq!(moment(text, zone).unwrap().unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(moment("9999-12-31 23:59:59.999999", &TimeZone::UTC), Some(Err(Timestamp::LAST)));
        assert_eq!(moment("9999-12-31 23:59:59.999999Z", &TimeZone::UTC), Some(Err(Timestamp::LAST)));
        for wrong in ["infinity", "", "yesterday", "2025-13-01 00:00:00"] {
            assert_eq!(moment(wrong, &TimeZone::UTC), None, "{wrong}");
        }
    }
}
