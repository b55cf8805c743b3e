//! Telephone numbers as messages need them: in the form of E.164.
//!
//! Numbers are stored as people write them. A number is complete if it begins with `+` or `00`, or with one `0` where the
//! operator has named the country that such numbers belong to. `store/codes.rs` finds numbers by their [`compact`] text.

use std::fmt;

/// The digits of a number that messages can be sent to, with those of its country (ITU-T E.164, section 6: at most 15).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The beginning of numbers in the form of E.164: `+` and 1 to 7 digits, such as `+49`, or `+1876` for Jamaica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallingCode(String);

impl CallingCode {
    /// Parses a calling code.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let is_good = (1..=7).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        is_good.then(|| Self(text.to_owned()))
    }

    /// Whether a number in the form of E.164 begins with it.
    pub fn begins(&self, number: &str) -> bool {
        number.starts_with(&self.0)
    }
}

impl fmt::Display for CallingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Removes what people write between the digits of a number, and the zero in `+49 (0)711` that is not dialled.
pub fn compact(text: &str) -> String {
    let text = text.replace("(0)", "");
    text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect()
}

/// Returns a number in the form of E.164; `None` if it is not complete. `home` is the country of numbers that begin with one
/// zero.
pub fn e164(text: &str, home: Option<&CallingCode>) -> Option<String> {
    let compact = compact(text);
    let digits = match (compact.strip_prefix('+'), compact.strip_prefix("00"), compact.strip_prefix('0')) {
        (Some(digits), ..) | (None, Some(digits), _) => digits.to_owned(),
        (None, None, Some(rest)) => format!("{}{rest}", home?.0.trim_start_matches('+')),
        (None, None, None) => return None,
    };
    let is_good = DIGITS.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_good.then(|| format!("+{digits}"))
}

/// Returns the [`compact`] texts of which [`e164`] makes this number: three, of which two can be the same.
pub(in crate::directory) fn spellings(number: &str, home: Option<&CallingCode>) -> [String; 3] {
    let digits = number.trim_start_matches('+');
    let national = home.and_then(|home| number.strip_prefix(home.0.as_str()));
    // A second zero would make it an international number.
    let national = national.filter(|rest| !rest.starts_with('0')).map(|rest| format!("0{rest}"));
    let international = format!("00{digits}");
    [number.to_owned(), national.unwrap_or_else(|| international.clone()), international]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_numbers_have_one_form_and_others_have_none() {
        let home = CallingCode::parse("+98").unwrap();
        for (text, abroad, at_home) in [
            ("+1-555-0123", Some("+15550123"), Some("+15550123")),
            ("+49 (0)711 123.45", Some("+4971112345"), Some("+4971112345")),
            ("0049 711/12345", None, None),
            ("0049 711 12345", Some("+4971112345"), Some("+4971112345")),
            ("0912 123 4567", None, Some("+989121234567")),
            ("+98 912 123 4567", Some("+989121234567"), Some("+989121234567")),
            ("912 123 4567", None, None),
            ("+0123456789", None, None),
            ("000123456789", None, None),
            ("+123456", None, None),
            ("+1234567890123456", None, None),
            ("+", None, None),
            ("", None, None),
            ("+۹۸۹۱۲۱۲۳۴۵۶۷", None, None),
            ("+98912123456\u{7}", None, None),
        ] {
            assert_eq!(e164(text, None).as_deref(), abroad, "{text}");
            assert_eq!(e164(text, Some(&home)).as_deref(), at_home, "{text}");
        }
    }

    #[test]
    fn every_spelling_is_the_number_again() {
        let home = CallingCode::parse("+98").unwrap();
        for number in ["+989121234567", "+4971112345", "+980912123456"] {
            for home in [None, Some(&home)] {
                for spelling in spellings(number, home) {
                    assert_eq!(e164(&spelling, home).as_deref(), Some(number), "{spelling}");
                }
            }
        }
        assert_eq!(spellings("+989121234567", Some(&home))[1], "09121234567");
    }

    #[test]
    fn calling_codes_are_a_plus_and_digits() {
        for good in ["+1", "+98", "+1876", "+1234567"] {
            assert!(CallingCode::parse(good).is_some(), "{good}");
        }
        for bad in ["", "+", "98", "+098", "+12345678", "+9 8", "+۹۸", "DE"] {
            assert!(CallingCode::parse(bad).is_none(), "{bad}");
        }
        assert!(CallingCode::parse("+1").unwrap().begins("+15550123"));
        assert!(!CallingCode::parse("+98").unwrap().begins("+9"));
    }
}
