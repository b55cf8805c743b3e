//! A point in time as it is stored: whole microseconds since 1970-01-01T00:00:00Z.
//!
//! Never in here: the current time. Only `clock` reads it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::Violation;

/// A point in time, exact to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);
    /// The latest time, at the end of the year 9999.
    pub const LAST: Self = Self(jiff::Timestamp::MAX);

    /// Converts microseconds since the Unix epoch. Outside the years -9999 to 9999 it is an error.
    pub fn from_micros(micros: i64) -> Result<Self, Violation> {
        jiff::Timestamp::from_microsecond(micros).map(Self).map_err(|_| Violation::TimeRange)
    }

    /// Returns the microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Adds `span`. Beyond the year 9999 it is an error.
    pub fn plus(self, span: Duration) -> Result<Self, Violation> {
        let micros = i64::try_from(span.as_micros()).map_err(|_| Violation::TimeRange)?;
        Self::from_micros(self.as_micros().checked_add(micros).ok_or(Violation::TimeRange)?)
    }

    /// Subtracts `span`, at the earliest to the beginning of the year -9999.
    pub fn saturating_sub(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_sub(micros)).unwrap_or(Self(jiff::Timestamp::MIN))
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = Violation;
    fn try_from(micros: i64) -> Result<Self, Violation> {
        Self::from_micros(micros)
    }
}

/// RFC 3339 in UTC with `Z` and always six digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

/// RFC 3339 with any offset. Parts finer than microseconds are cut off.
impl FromStr for Timestamp {
    type Err = Violation;
    fn from_str(raw: &str) -> Result<Self, Violation> {
        let parsed: jiff::Timestamp = raw.parse().map_err(|_| Violation::Time)?;
        Self::from_micros(parsed.as_microsecond())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!("yesterday".parse::<Timestamp>(), Err(Violation::Time));
        assert_eq!(Timestamp::from_micros(i64::MAX), Err(Violation::TimeRange));
    }
}
