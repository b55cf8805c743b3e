//! How the site shows people, times and keys.

use crate::directory::access::built_in;
use crate::directory::model::{Permission, Timestamp, Token, User};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as a page shows it. The script of the site writes it in the browser's own time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct When {
    /// The value of `datetime`.
    pub(super) datetime: String,
    /// The text, in UTC.
    pub(super) text: String,
}

impl When {
    /// Shows a time, near ones as today or yesterday.
    pub(super) fn of(at: Timestamp, now: Timestamp) -> Self {
        let (full, today) = (at.to_string(), now.to_string());
        let yesterday = now.saturating_sub(std::time::Duration::from_hours(24)).to_string();
        let (Some(day), Some(clock)) = (full.get(..10), full.get(11..16)) else {
            return Self { datetime: full.clone(), text: full };
        };
        let text = match day {
            day if today.starts_with(day) => format!("Today {clock} UTC"),
            day if yesterday.starts_with(day) => format!("Yesterday {clock} UTC"),
            day => date_in_words(day).unwrap_or_else(|| full.clone()),
        };
        // A year that has not four digits has no other form.
        let datetime = full.get(..19).map_or(full.clone(), |whole| format!("{whole}Z"));
        Self { datetime, text }
    }

    /// The time of the day, in UTC.
    pub(super) fn clock(&self) -> &str {
        self.datetime.get(11..16).unwrap_or_default()
    }

    /// Shows a time that may be missing.
    pub(super) fn maybe(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.map(|at| Self::of(at, now))
    }
}

/// Writes a day such as `2025-09-01` as `1 Sep 2025`.
pub(super) fn date_in_words(day: &str) -> Option<String> {
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    Some(format!("{} {month} {year}", day.parse::<u8>().ok()?))
}

/// Writes a number of bytes as `1.9 GB`.
pub(super) fn bytes_in_words(bytes: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "kB", "MB", "GB"] {
        if bytes < unit.saturating_mul(1000) {
            return in_unit(bytes, unit, name);
        }
        unit = unit.saturating_mul(1000);
    }
    in_unit(bytes, unit, "TB")
}

/// Writes a number in a unit, with one digit after the point if it has one before it.
fn in_unit(bytes: u64, unit: u64, name: &str) -> String {
    match (bytes / unit, bytes % unit / (unit / 10).max(1)) {
        (whole @ 0..=9, tenths) if unit > 1 => format!("{whole}.{tenths} {name}"),
        (whole, _) => format!("{whole} {name}"),
    }
}

/// Returns the name that pages call a user by.
pub(super) fn display_name(user: &User) -> String {
    let full = user.full_name();
    if full.is_empty() { user.username.clone() } else { full }
}

/// Begins a text with a capital letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Says what a permission allows; one of one's own is called by its name.
pub(super) fn right_in_words(permission: &Permission) -> String {
    let known = built_in(permission.code);
    known.map_or_else(|| permission.name.clone(), |known| capitalised(known.allows))
}

/// The letters that stand for a person, and their tint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Face {
    /// One or two letters.
    pub(super) letters: String,
    /// The class of the tint; may be empty.
    pub(super) tint: &'static str,
}

impl Face {
    /// Makes the face of a name: two letters in Latin, Greek and Cyrillic, one in all other scripts. The tint means nothing.
    pub(super) fn of(name: &str) -> Self {
        let words: Vec<_> = name.split_whitespace().filter_map(|word| word.chars().next()).collect();
        let is_short = |letter: &char| *letter < '\u{530}';
        let letters: String = match words.as_slice() {
            [first, .., last] if is_short(first) && is_short(last) => {
                first.to_uppercase().chain(last.to_uppercase()).collect()
            }
            [first, ..] => first.to_uppercase().collect(),
            [] => "?".to_owned(),
        };
        let sum = name.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let tint = ["", "h1", "h2", "h3", "h4"].get(sum % 5).copied().unwrap_or_default();
        Self { letters, tint }
    }
}

/// Shows both ends of a key, as lists do.
pub(super) fn key_ends(token: &Token) -> String {
    format!("{}…{}", token.prefix, token.last_four)
}

/// The marks of browsers in a `User-Agent`. The first that is found names it: most name others, too.
const BROWSERS: &[(&str, &str)] = &[
    ("Firefox/", "Firefox"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
/// The marks of systems.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// Names the browser and the system of a `User-Agent`, in words of this program: the header is the client's text.
pub(super) fn browser_name(agent: &str) -> String {
    let first = |known: &[(&'static str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let (browser, system) = (first(BROWSERS), first(SYSTEMS));
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn near_times_are_days_and_others_are_dates() {
        let now = at("2026-03-01T00:10:00Z");
        for (time, text) in [
            ("2026-03-01T00:09:59.999Z", "Today 00:09 UTC"),
            ("2026-02-28T23:59:00Z", "Yesterday 23:59 UTC"),
            ("2026-02-27T23:59:00Z", "27 Feb 2026"),
            ("2027-01-05T00:00:00Z", "5 Jan 2027"),
        ] {
            assert_eq!(When::of(at(time), now).text, text);
        }
        assert_eq!(When::of(at("2026-02-27T23:59:00.5Z"), now).datetime, "2026-02-27T23:59:00Z");
        assert!(!When::of(Timestamp::FIRST, now).text.is_empty());
    }

    #[test]
    fn bytes_are_written_in_a_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_999_999, "1.9 MB"),
            (38_000_000_000, "38 GB"),
            (5_400_000_000_000_000, "5400 TB"),
        ] {
            assert_eq!(bytes_in_words(bytes), text);
        }
    }

    #[test]
    fn faces_have_two_letters_in_some_scripts_only() {
        for (name, letters) in [
            ("Jonas Weber", "JW"),
            ("Ulrike Freifrau von und zu Guttenstein", "UG"),
            ("شیرین رحمانی", "ش"),
            ("佐藤 美奈", "佐"),
            ("deploy-bot", "D"),
            ("  ", "?"),
            ("Анна Каренина", "АК"),
        ] {
            assert_eq!(Face::of(name).letters, letters);
        }
    }

    #[test]
    fn browsers_are_named_in_our_own_words() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";
        assert_eq!(browser_name(chrome), "Chrome on Linux");
        assert_eq!(
            browser_name("Mozilla/5.0 (iPhone; CPU iPhone OS 26) Version/26 Safari/604.1"),
            "Safari on iPhone"
        );
        assert_eq!(browser_name("<script>alert(1)</script>"), "Unknown browser");
    }
}
