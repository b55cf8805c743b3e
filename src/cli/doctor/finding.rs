//! The result of one check.

use std::time::Duration;

use serde_json::json;

use crate::cli::terminal::{CellStyle, TableCell};
use crate::directory::Error;

/// The result of one check. Its text says what was found and, if it is not good, what to do.
pub(super) struct Finding {
    check: &'static str,
    pub(super) severity: Severity,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Ok,
    /// It works, but the operator should know.
    Warning,
    Fault,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }

    fn style(self) -> CellStyle {
        match self {
            Self::Ok => CellStyle::Good,
            Self::Warning | Self::Fault => CellStyle::Bad,
        }
    }
}

pub(super) fn good(check: &'static str, text: impl Into<String>) -> Finding {
    Finding { check, severity: Severity::Ok, text: text.into() }
}

pub(super) fn warning(check: &'static str, text: impl Into<String>) -> Finding {
    Finding { check, severity: Severity::Warning, text: text.into() }
}

pub(super) fn fault(check: &'static str, text: impl Into<String>) -> Finding {
    Finding { check, severity: Severity::Fault, text: text.into() }
}

/// A check that could not be made.
pub(super) fn failed(check: &'static str, error: &Error) -> Finding {
    fault(
        check,
        format!(
            "it cannot be checked: {error}; look for the cause in the other lines and in the log of the database"
        ),
    )
}

pub(super) fn or_failed(check: &'static str, outcome: Result<Option<Finding>, Error>) -> Option<Finding> {
    outcome.unwrap_or_else(|error| Some(failed(check, &error)))
}

impl Finding {
    pub(super) fn row(&self) -> [TableCell; 3] {
        let verdict = TableCell::from(self.severity.word()).styled(self.severity.style());
        [self.check.into(), verdict, TableCell::from(&self.text)]
    }

    pub(super) fn json(&self) -> serde_json::Value {
        json!({ "check": self.check, "verdict": self.severity.word(), "text": self.text })
    }
}

/// Formats a number of bytes with one digit after the point.
pub(super) fn bytes(count: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| count >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", count / unit, count % unit * 10 / unit),
        None => format!("{count} bytes"),
    }
}

/// Formats a time span in its largest whole unit.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("days", 86_400), ("hours", 3600), ("minutes", 60)];
    match units.into_iter().find(|(_, unit)| seconds >= 2 * unit) {
        Some((name, unit)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_readable() {
        for (count, expected) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (5 << 29, "2.5 GiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
        for (seconds, expected) in [
            (0, "0 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7200, "2 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }
}
