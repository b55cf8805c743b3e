//! Days and times on the command line: `2025-09-01`, `today`, `yesterday`, or a time of RFC 3339. Days are those of UTC.

use std::time::Duration;

use jiff::civil::{Date, Time};

use crate::directory::Clock;
use crate::directory::model::{Timestamp, Violation};

const DAY: &str = "use a day such as 2025-09-01, or `today` or `yesterday` (UTC)";
const TIME: &str =
    "use a day such as 2025-09-01, `today`, `yesterday`, or a time such as 2025-09-01T12:00:00Z";

/// Parses a day.
fn date(text: &str) -> Option<Date> {
    let back = match text {
        "today" => 0,
        "yesterday" => 1,
        // The other forms of a date are left to times.
        text if text.len() == 10 => return text.parse().ok(),
        _ => return None,
    };
    let now = Clock::system().ok()?.now().to_string();
    let today: Date = now.get(..10)?.parse().ok()?;
    if back == 0 { Some(today) } else { today.yesterday().ok() }
}

/// Parses a day and writes it as `YYYY-MM-DD`.
pub(super) fn day(text: &str) -> Result<String, &'static str> {
    date(text).map(|day| day.to_string()).ok_or(DAY)
}

/// Parses the first time of a range. A day begins at midnight.
pub(super) fn from(text: &str) -> Result<Timestamp, String> {
    date(text).map_or_else(|| time(text), |day| Ok(midnight(day)))
}

/// Parses the first time after a range. A day belongs to the range until its end.
pub(super) fn until(text: &str) -> Result<Timestamp, String> {
    match date(text) {
        Some(day) => day.tomorrow().map(midnight).map_err(|_| Violation::TimeRange.to_string()),
        None => time(text),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|violation| match violation {
        Violation::Time => TIME.to_owned(),
        other => other.to_string(),
    })
}

fn midnight(day: Date) -> Timestamp {
    Timestamp::from_utc(day.to_datetime(Time::midnight()))
}

/// Formats a span of time to the second, such as `30 days`.
pub(super) fn span_text(span: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(span.as_secs())).to_string();
    let mut spaced = String::with_capacity(text.len() + 4);
    for character in text.chars() {
        if character.is_alphabetic() && spaced.ends_with(|last: char| last.is_ascii_digit()) {
            spaced.push(' ');
        }
        spaced.push(character);
    }
    spaced
}

/// Formats a time to the second, as `from` and `until` read it.
pub(super) fn to_the_second(at: Timestamp) -> String {
    let text = at.to_string();
    let short = text.rfind('.').and_then(|point| text.get(..point));
    short.map_or_else(|| text.clone(), |short| format!("{short}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole() {
        assert_eq!(from("2025-09-01").unwrap().to_string(), "2025-09-01T00:00:00.000000Z");
        assert_eq!(until("2025-09-01").unwrap().to_string(), "2025-09-02T00:00:00.000000Z");
        assert_eq!(from("2025-09-01T12:00:00+02:00").unwrap().to_string(), "2025-09-01T10:00:00.000000Z");
        assert_eq!(until("yesterday").unwrap(), from("today").unwrap());
        assert_eq!(day("2024-02-29"), Ok("2024-02-29".to_owned()));
        for wrong in ["", "tomorrow", "2025-02-29", "2025-9-1", "20250901", "01.09.2025"] {
            assert!(day(wrong).is_err() && from(wrong).is_err() && until(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_shown_with_their_units() {
        for (hours, text) in [(24, "1 day"), (24 * 30, "30 days"), (25, "1 day 1 h")] {
            assert_eq!(span_text(Duration::from_hours(hours)), text);
        }
    }

    #[test]
    fn times_are_shown_to_the_second() {
        let at: Timestamp = "2025-08-06T14:23:45.123456Z".parse().unwrap();
        assert_eq!(to_the_second(at), "2025-08-06T14:23:45Z");
    }
}
