//! Converts the cells of a foreign row from bytes of text to values, with an error message for each that is invalid.

use std::cell::RefCell;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::gender::GenderTable;
use super::tables::MappedTable;
use crate::database::foreign::KeyValue;
use crate::directory::model::{Timestamp, Violation};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::notices::Notices;
use crate::directory::transfer::import::source::LeftOutUsers;

/// What a reader has found so far.
#[derive(Default)]
pub(super) struct Findings {
    /// What is left out or deserves a look.
    pub(super) notices: RefCell<Notices>,
    /// Rows that cannot be imported.
    pub(super) conflicts: RefCell<Notices>,
    /// Whether such rows are left out instead.
    pub(super) skips_invalid: bool,
    /// Users that are left out.
    pub(super) left_out: RefCell<LeftOutUsers>,
}

impl Findings {
    /// Returns what was read of a row. A row that cannot be imported is a conflict or left out, and `None`.
    pub(super) fn accept<T>(&self, read: Result<T, ImportError>) -> Result<Option<T>, ImportError> {
        match read {
            Err(ImportError::Invalid(why)) if self.skips_invalid => {
                self.note("rows that cannot be imported are left out", why);
                Ok(None)
            }
            Err(ImportError::Invalid(why)) => {
                let conflict = "rows that cannot be imported (--skip-invalid leaves them out)";
                self.conflicts.borrow_mut().add(conflict, why);
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    pub(super) fn note(&self, notice: &str, example: impl std::fmt::Display) {
        self.notices.borrow_mut().add(notice, example);
    }
}

/// The cells of a row after its key.
pub(super) type RowCells = Vec<Option<Vec<u8>>>;

/// Reads the cells of a row, and knows enough about it to name it in an error.
pub(super) struct RowReader<'a> {
    pub(super) table: &'a MappedTable,
    /// The key, once it was read.
    pub(super) key: &'a KeyValue,
    pub(super) zone: &'a TimeZone,
    pub(super) genders: &'a GenderTable,
    pub(super) findings: &'a Findings,
}

impl RowReader<'_> {
    fn wrong(&self, column: &str, why: impl std::fmt::Display) -> ImportError {
        ImportError::Invalid(format!("{}.{column} of the row {}: {why}", self.table.table, self.key))
    }

    /// Reads a text, or null.
    pub(super) fn text(&self, column: &str, cell: Option<Vec<u8>>) -> Result<Option<String>, ImportError> {
        let text =
            cell.map(String::from_utf8).transpose().map_err(|_| self.wrong(column, "it is not UTF-8"))?;
        match &text {
            Some(text) if text.contains('\0') => {
                Err(self.wrong(column, "it contains a null character, which cannot be stored"))
            }
            _ => Ok(text),
        }
    }

    /// Reads a text that cannot be null.
    pub(super) fn required_text(&self, column: &str, cell: Option<Vec<u8>>) -> Result<String, ImportError> {
        self.text(column, cell)?.ok_or_else(|| self.wrong(column, "it is null"))
    }

    /// Reads a truth value; null is false. Old tables have them as texts.
    pub(super) fn boolean(&self, column: &str, cell: Option<Vec<u8>>) -> Result<bool, ImportError> {
        let Some(text) = self.text(column, cell)? else { return Ok(false) };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
            _ => Err(self.wrong(column, format!("{text:?} is neither true nor false"))),
        }
    }

    /// Reads a time. One without a zone is in the zone that the operator chose.
    pub(super) fn timestamp(
        &self,
        column: &str,
        cell: Option<Vec<u8>>,
    ) -> Result<Option<Timestamp>, ImportError> {
        let Some(text) = self.text(column, cell)? else { return Ok(None) };
        match timestamp(&text, self.zone) {
            Some(Ok(timestamp)) => Ok(Some(timestamp)),
            Some(Err(nearest)) => {
                let row = format!("{}.{column} of the row {}", self.table.table, self.key);
                let notice = format!("times that cannot be stored are imported as the nearest: {nearest}");
                self.findings.note(&notice, row);
                Ok(Some(nearest))
            }
            None => Err(self.wrong(column, format!("{text:?} is not a time"))),
        }
    }
}

/// Parses a time as Django stores it: `2025-08-06 14:23:45.123456`, without the fraction if that is zero, with or without
/// a zone. What cannot be stored is returned as an error with the nearest timestamp: a time after the year 9999 in UTC, and
/// PostgreSQL's `infinity`.
fn timestamp(text: &str, zone: &TimeZone) -> Option<Result<Timestamp, Timestamp>> {
    match (text.parse::<Timestamp>(), text) {
        (Ok(timestamp), _) => return Some(Ok(timestamp)),
        (Err(Violation::TimeRange), _) if text.starts_with('-') => return Some(Err(Timestamp::FIRST)),
        (Err(Violation::TimeRange), _) | (_, "infinity") => return Some(Err(Timestamp::LAST)),
        (_, "-infinity") => return Some(Err(Timestamp::FIRST)),
        _ => {}
    }
    let civil: DateTime = text.trim_end_matches('Z').parse().ok()?;
    // The zone does not know the first and the last day: its offset is that of the day beside it.
    let offset = match zone.to_ambiguous_timestamp(civil).compatible() {
        Ok(at) => zone.to_offset(at),
        Err(_) if civil.year() < 0 => zone.to_offset(jiff::Timestamp::MIN),
        Err(_) => zone.to_offset(jiff::Timestamp::MAX),
    };
    let nearest = if civil.year() < 0 { Timestamp::FIRST } else { Timestamp::LAST };
    Some(Timestamp::at_offset(civil, offset.seconds()).map_err(|_| nearest))
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
            assert_eq!(timestamp(text, zone).unwrap().unwrap().to_string(), expected, "{text}");
        }
        for last in
            ["9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999Z", "9999-12-31 23:59:59.999999+00"]
        {
            assert_eq!(timestamp(last, &TimeZone::UTC), Some(Ok(Timestamp::LAST)), "{last}");
        }
        assert_eq!(
            timestamp("9999-12-31 00:00:00", &tehran).unwrap().unwrap().to_string(),
            "9999-12-30T20:30:00.000000Z"
        );
        let new_york = TimeZone::get("America/New_York").unwrap();
        for late in
            ["9999-12-31 23:00:00-05", "10000-01-01 00:00:00+00", "294276-12-31 23:59:59+00", "infinity"]
        {
            assert_eq!(timestamp(late, &TimeZone::UTC), Some(Err(Timestamp::LAST)), "{late}");
        }
        assert_eq!(timestamp("9999-12-31 23:00:00", &new_york), Some(Err(Timestamp::LAST)));
        assert_eq!(timestamp("-infinity", &TimeZone::UTC), Some(Err(Timestamp::FIRST)));
        for wrong in ["", "yesterday", "2025-13-01 00:00:00", "0044-03-15 00:00:00+00 BC"] {
            assert_eq!(timestamp(wrong, &TimeZone::UTC), None, "{wrong}");
        }
    }
}
