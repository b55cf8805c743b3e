//! The forms of text that a client may write, and the errors for everything else.
//!
//! These rules apply to values that are written here. Imported rows keep what they hold, so stored text is a plain
//! `String`: never parse a stored value with these types. The messages are those of Django REST Framework, because its
//! clients match on them.

use std::fmt;
use std::str::FromStr;

use email_address::EmailAddress;
use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;

/// Why a value is invalid. `Display` is the message that the client sees.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A required field is missing.
    #[error("This field is required.")]
    Required,
    /// Null where a value is required.
    #[error("This field may not be null.")]
    Null,
    /// Empty or only white space.
    #[error("This field may not be blank.")]
    Blank,
    /// More Unicode code points than the field holds.
    #[error("Ensure this field has no more than {0} characters.")]
    TooLong(usize),
    /// Fewer Unicode code points than the field needs.
    #[error("Ensure this field has at least {0} characters.")]
    TooShort(usize),
    /// U+0000, which PostgreSQL cannot store.
    #[error("Null characters are not allowed.")]
    NullCharacter,
    /// Another C0 or C1 control character, or DEL.
    #[error("Control characters are not allowed.")]
    Control,
    /// Not a number.
    #[error("A valid integer is required.")]
    Integer,
    /// A number that does not fit into a 64-bit id.
    #[error("An id is at most 9223372036854775807.")]
    IdRange,
    /// A number below the minimum.
    #[error("Ensure this value is greater than or equal to {0}.")]
    AtLeast(i64),
    /// Not one of the allowed values.
    #[error("\"{0}\" is not a valid choice.")]
    Choice(String),
    /// Not the form of an e-mail address (RFC 5321, RFC 5322).
    #[error("Enter a valid email address.")]
    Email,
    /// Not a telephone number.
    #[error(
        "Enter a valid mobile number: digits, with an optional leading + and blanks, dots, hyphens or parentheses between them."
    )]
    MobileNumber,
    /// Not a valid username.
    #[error(
        "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."
    )]
    Username,
    /// Not the form of a permission's name.
    #[error(
        "Enter a valid name: lower-case letters, digits and underscores, with a letter first, such as order_read."
    )]
    PermissionName,
    /// A username that could be mistaken for an id or an option on a command line.
    #[error("Enter a username that is not a number and does not begin with a hyphen.")]
    AmbiguousUsername,
    /// Not a time.
    #[error("Datetime has wrong format. Use RFC 3339, such as 2025-08-06T14:23:45.123456Z.")]
    Time,
    /// A time outside the years that can be stored.
    #[error("Datetime is out of range. The latest is 9999-12-31T23:59:59.999999Z.")]
    TimeRange,
    /// Another object has this value already.
    #[error("{noun} with this {} already exists.", .field.replace('_', " "))]
    Taken {
        /// The noun that must be unique, such as `user`.
        noun: &'static str,
        /// Its unique field.
        field: String,
    },
    /// A reference to an object that does not exist.
    #[error("Invalid pk \"{0}\" - object does not exist.")]
    NoSuchObject(i64),
    /// A password that attackers try first.
    #[error("This password is too common.")]
    TooCommon,
    /// A password similar to this field of its owner.
    #[error("The password is too similar to the {0}.")]
    TooSimilar(&'static str),
    /// Any other message.
    #[error("{0}")]
    Other(String),
}

/// Folds text for comparing and searching without regard to case: NFKC, full Unicode case folding, and NFKC again, because
/// folding can leave composable sequences behind.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        // The same result for ASCII, which is nearly all text.
        return text.to_ascii_lowercase();
    }
    let nfkc = ComposingNormalizer::new_nfkc();
    let folded = CaseMapper::new().fold_string(&nfkc.normalize(text)).into_owned();
    nfkc.normalize(&folded).into_owned()
}

/// Trims as CharField of Django REST Framework does, then checks for at most `max` code points and no control characters.
fn line(raw: &str, max: usize) -> Result<&str, Violation> {
    let text = raw.trim();
    if text.contains('\0') {
        return Err(Violation::NullCharacter);
    }
    if text.chars().any(char::is_control) {
        return Err(Violation::Control);
    }
    if text.chars().count() > max { Err(Violation::TooLong(max)) } else { Ok(text) }
}

fn filled(text: &str) -> Result<&str, Violation> {
    if text.is_empty() { Err(Violation::Blank) } else { Ok(text) }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, |$raw:ident| $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = Violation;
            fn from_str($raw: &str) -> Result<Self, Violation> {
                $parse.map(|text| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}

text! {
    /// A username: 1 to 150 code points of letters, digits and `@ . + - _`, as in Django.
    Username, |raw| line(raw, 150).and_then(filled).and_then(username)
}
text! {
    /// An e-mail address of at most 254 characters (RFC 5321, section 4.5.3.1.3).
    Email, |raw| line(raw, 254).and_then(filled).and_then(email)
}
text! {
    /// A telephone number as people write it: at most 32 characters, with 3 to 15 digits (ITU-T E.164).
    MobileNumber, |raw| line(raw, 32).and_then(filled).and_then(mobile_number)
}
text! {
    /// A first or last name of at most 150 code points; may be empty.
    PersonName, |raw| line(raw, 150)
}
text! {
    /// The name of a group: 1 to 150 code points.
    GroupName, |raw| line(raw, 150).and_then(filled)
}
text! {
    /// The name a person gives a token: 1 to 100 code points.
    TokenName, |raw| line(raw, 100).and_then(filled)
}
text! {
    /// The name of a saved view: 1 to 60 code points.
    ViewName, |raw| line(raw, 60).and_then(filled)
}
text! {
    /// The name of a permission: 1 to 100 lower-case letters, digits and underscores.
    PermissionName, |raw| line(raw, 100).and_then(filled).and_then(permission_name)
}
text! {
    /// Free text about a group: at most 2000 code points; line breaks and tabs are allowed.
    Notes, |raw| notes(raw)
}

/// A name that could be mistaken for a code is refused.
fn permission_name(text: &str) -> Result<&str, Violation> {
    let known = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if known && text.starts_with(|c: char| c.is_ascii_lowercase()) {
        Ok(text)
    } else {
        Err(Violation::PermissionName)
    }
}

fn username(text: &str) -> Result<&str, Violation> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '+' | '-' | '_');
    if text.chars().all(allowed) { Ok(text) } else { Err(Violation::Username) }
}

/// Whether a username could be mistaken for something else on a command line: digits alone for an id, a leading hyphen for
/// an option. No user gets such a name any more; imported users keep theirs.
pub fn is_ambiguous_username(name: &str) -> bool {
    name.starts_with('-') || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a stored avatar is the absolute URL of an image elsewhere, and not the name of a file: `http` or `https` with a
/// host.
pub fn is_absolute_url(text: &str) -> bool {
    let rest = text
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)));
    rest.is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with(['/', '?', '#']))
}

fn email(text: &str) -> Result<&str, Violation> {
    let form =
        email_address::Options::default().with_required_tld().without_display_text().without_domain_literal();
    EmailAddress::parse_with_options(text, form).map(|_| text).map_err(|_| Violation::Email)
}

fn mobile_number(text: &str) -> Result<&str, Violation> {
    let body = text.strip_prefix('+').unwrap_or(text);
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    let known = body.bytes().all(|b| b.is_ascii_digit() || b" -.()".contains(&b));
    if known && (3..=15).contains(&digits) { Ok(text) } else { Err(Violation::MobileNumber) }
}

fn notes(raw: &str) -> Result<&str, Violation> {
    const MAX: usize = 2000;
    let text = raw.trim();
    if text.contains('\0') {
        return Err(Violation::NullCharacter);
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Violation::Control);
    }
    if text.chars().count() > MAX { Err(Violation::TooLong(MAX)) } else { Ok(text) }
}

/// A gender that may be written. Imported users keep what their row held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
    /// `non-binary`
    NonBinary,
    /// `other`
    Other,
}

impl Gender {
    /// Every choice, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Male, Self::Female, Self::NonBinary, Self::Other];

    /// Returns the value on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
            Self::NonBinary => "non-binary",
            Self::Other => "other",
        }
    }
}

impl From<Gender> for String {
    fn from(gender: Gender) -> Self {
        gender.as_str().to_owned()
    }
}

impl FromStr for Gender {
    type Err = Violation;
    fn from_str(raw: &str) -> Result<Self, Violation> {
        let known = Self::ALL.into_iter().find(|gender| gender.as_str() == raw);
        known.ok_or_else(|| Violation::Choice(raw.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_ignores_case_in_every_script() {
        assert_eq!(fold("ÉCOLE Straße ΣΊΣΥΦΟΣ"), fold("école STRASSE σίσυφος"));
        assert_eq!(fold("e\u{301}"), fold("É"));
        assert_eq!(fold("ﬁle ２"), "file 2");
        // ASCII takes a shorter path to the same result.
        let ascii: String = (0..=0x7f).map(char::from).collect();
        assert_eq!(fold(&ascii) + "e", fold(&(ascii + "ｅ")));
    }

    #[test]
    fn user_names_are_django_s() {
        for good in ["alex_thompson", "ann@example.com", "Ñandú", "a+b-c.d"] {
            assert_eq!(good.parse::<Username>().unwrap().to_string(), good);
        }
        assert_eq!(" root ".parse::<Username>().unwrap().to_string(), "root");
        assert_eq!("".parse::<Username>(), Err(Violation::Blank));
        assert_eq!(" \t".parse::<Username>(), Err(Violation::Blank));
        assert_eq!("two words".parse::<Username>(), Err(Violation::Username));
        assert_eq!("a\0b".parse::<Username>(), Err(Violation::NullCharacter));
        assert_eq!("a\u{7}b".parse::<Username>(), Err(Violation::Control));
        assert_eq!("a".repeat(151).parse::<Username>(), Err(Violation::TooLong(150)));
        assert!("é".repeat(150).parse::<Username>().is_ok());
    }

    #[test]
    fn e_mail_addresses_have_a_local_part_and_a_domain() {
        assert!("alex.thompson@techcorp.com".parse::<Email>().is_ok());
        for bad in ["zz", "a@", "@b.c", "a b@c.de", "Ann <ann@example.com>", "root@localhost"] {
            assert_eq!(bad.parse::<Email>(), Err(Violation::Email), "{bad}");
        }
    }

    #[test]
    fn the_page_s_own_mobile_number_is_accepted() {
        for good in ["+1-555-0123", "0711 / 5".replace(" / ", " ").as_str(), "+49 (711) 123.45"] {
            assert!(good.parse::<MobileNumber>().is_ok(), "{good}");
        }
        for bad in ["12", "+12x45", "1234567890123456", "++123"] {
            assert_eq!(bad.parse::<MobileNumber>(), Err(Violation::MobileNumber), "{bad}");
        }
    }

    #[test]
    fn genders_are_the_four_choices_to_the_letter() {
        assert_eq!("non-binary".parse::<Gender>(), Ok(Gender::NonBinary));
        assert_eq!("Male".parse::<Gender>(), Err(Violation::Choice("Male".into())));
    }
}
