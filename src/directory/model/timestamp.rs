//! A point in time as it is stored: whole microseconds since 1970-01-01T00:00:00Z.
//!
//! Never in here: the current time. Only `clock` reads it.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::{DateTimePrinter, Pieces};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::Violation;

/// A point in time, exact to the microsecond, in the years -9999 to 9999 of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// 1970-01-01T00:00:00 in no time zone.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The earliest time, at the beginning of the year -9999.
    pub const FIRST: Self = Self(-377_705_116_800_000_000);
    /// The latest time, at the end of the year 9999.
    pub const LAST: Self = Self(253_402_300_799_999_999);

    /// Converts microseconds since the Unix epoch. Outside the years -9999 to 9999 it is an error.
    pub fn from_micros(micros: i64) -> Result<Self, Violation> {
        let is_known = (Self::FIRST.0..=Self::LAST.0).contains(&micros);
        if is_known { Ok(Self(micros)) } else { Err(Violation::TimeRange) }
    }

    /// Converts a time of day in UTC. Parts finer than microseconds are cut off.
    pub fn from_utc(utc: DateTime) -> Self {
        Self::at_offset(utc, 0).unwrap_or(Self::EPOCH)
    }

    /// Converts a time of day at an offset from UTC in seconds.
    pub fn at_offset(local: DateTime, offset: i32) -> Result<Self, Violation> {
        // Both are in the years -9999 to 9999, so nothing overflows.
        let nanos = local.duration_since(EPOCH).as_nanos();
        let micros = i64::try_from(nanos.div_euclid(1000)).map_err(|_| Violation::TimeRange)?;
        Self::from_micros(micros.saturating_sub(i64::from(offset) * 1_000_000))
    }

    /// Returns the microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Adds `span`. Beyond the year 9999 it is an error.
    pub fn plus(self, span: Duration) -> Result<Self, Violation> {
        let micros = i64::try_from(span.as_micros()).map_err(|_| Violation::TimeRange)?;
        Self::from_micros(self.0.checked_add(micros).ok_or(Violation::TimeRange)?)
    }

    /// Subtracts `span`, at the earliest to the beginning of the year -9999.
    pub fn saturating_sub(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros)).unwrap_or(Self::FIRST)
    }

    /// Returns how much later it is than another time; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns date and time of day in UTC.
    fn utc(self) -> DateTime {
        EPOCH.checked_add(SignedDuration::from_micros(self.0)).unwrap_or(EPOCH)
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = Violation;
    fn try_from(micros: i64) -> Result<Self, Violation> {
        Self::from_micros(micros)
    }
}

/// RFC 3339 in UTC with `Z` and always six digits. A year before 0, which RFC 3339 does not have, gets six digits and a
/// sign, as in ISO 8601.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PRINTER.print_datetime(&self.utc(), StdFmtWrite(&mut *f)).map_err(|_| fmt::Error)?;
        f.write_char('Z')
    }
}

/// RFC 3339 with any offset. Parts finer than microseconds are cut off.
impl FromStr for Timestamp {
    type Err = Violation;
    fn from_str(raw: &str) -> Result<Self, Violation> {
        if let Ok(parsed) = raw.parse::<jiff::Timestamp>() {
            return Self::from_micros(parsed.as_nanosecond().div_euclid(1000).try_into().unwrap_or(i64::MAX));
        }
        // That type lacks the first and the last day.
        match Pieces::parse(raw) {
            Ok(pieces) => {
                let (time, offset) = pieces.time().zip(pieces.to_numeric_offset()).ok_or(Violation::Time)?;
                Self::at_offset(pieces.date().to_datetime(time), offset.seconds())
            }
            Err(_) if has_long_year(raw) => Err(Violation::TimeRange),
            Err(_) => Err(Violation::Time),
        }
    }
}

/// Returns whether a text begins like a date whose year has more than four digits.
fn has_long_year(raw: &str) -> bool {
    let year = raw.strip_prefix(['+', '-']).unwrap_or(raw);
    let digits = year.bytes().take_while(u8::is_ascii_digit).count();
    digits > 4 && year.get(digits..).is_some_and(|rest| rest.starts_with('-'))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|rule| serde::de::Error::custom(format!("{text:?}: {rule}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn six_digits_are_always_printed() {
        for text in
            ["2024-03-15T09:30:00.000000Z", "2025-08-06T14:23:45.123456Z", "1969-12-31T23:59:59.999999Z"]
        {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2024-03-15T13:00:00+03:30".parse::<Timestamp>().unwrap().to_string(),
            "2024-03-15T09:30:00.000000Z"
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in [
            "yesterday",
            "",
            "9999-12-31",
            "9999-12-31T23:59:59",
            "2025-02-30T00:00:00Z",
            "12345",
            "infinity",
        ] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(Violation::Time), "{wrong}");
        }
        for outside in [
            "10000-01-01T00:00:00Z",
            "+010000-01-01T00:00:00Z",
            "-010000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "-009999-01-01T00:00:00+00:01",
        ] {
            assert_eq!(outside.parse::<Timestamp>(), Err(Violation::TimeRange), "{outside}");
        }
        for micros in [i64::MAX, i64::MIN, Timestamp::LAST.0 + 1, Timestamp::FIRST.0 - 1] {
            assert_eq!(Timestamp::from_micros(micros), Err(Violation::TimeRange));
        }
    }

    #[test]
    fn both_ends_are_printed_and_read() {
        assert_eq!(Timestamp::LAST.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::FIRST.to_string(), "-009999-01-01T00:00:00.000000Z");
        let year_zero = "0000-01-01T00:00:00.000000Z";
        assert_eq!(year_zero.parse::<Timestamp>().unwrap().to_string(), year_zero);
        let far = "9999-12-31T20:29:59.999999-03:30".parse::<Timestamp>();
        assert_eq!(far, Ok(Timestamp::LAST));
    }

    /// A day at each end, the beginning of the era of years, and everything between.
    fn any_time() -> impl Strategy<Value = i64> {
        const DAY: i64 = 86_400_000_000;
        let (first, last, zero) = (Timestamp::FIRST.0, Timestamp::LAST.0, -62_167_219_200_000_000);
        prop_oneof![
            first..=first + DAY,
            last - DAY * 2..=last,
            zero - DAY..=zero + DAY,
            -DAY..=DAY,
            first..=last,
        ]
    }

    proptest! {
        #[test]
        fn each_time_is_read_as_it_was_printed(micros in any_time()) {
            let time = Timestamp::from_micros(micros).unwrap();
            let text = time.to_string();
            prop_assert_eq!(text.parse(), Ok(time));
            prop_assert!(text.ends_with('Z'));
            prop_assert_eq!(text.len(), if text.starts_with('-') { 30 } else { 27 });
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        }
    }
}
