//! One-time codes: what a code is asked for with, what binds it to a browser, and the settings.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use sha2::{Digest, Sha256};

use super::phone::{CallingCode, compact, e164};
use super::{Channel, Email, MobileNumber, Violation, fold};

/// How codes are made, and how many are sent.
#[derive(Clone, Debug)]
pub struct CodeSettings {
    /// The digits of a code.
    pub digits: u32,
    /// How long a code is valid.
    pub lifetime: Duration,
    /// Whether admins may sign in with a code.
    pub for_admins: bool,
    /// Codes are sent to numbers that begin with one of these; if empty, to any.
    pub countries: Vec<CallingCode>,
    /// The country of numbers that begin with one zero.
    pub home: Option<CallingCode>,
    /// Codes are sent only to numbers and addresses that someone else set longer ago than this.
    pub contact_settle: Duration,
    /// Codes of one account in an hour.
    pub per_account_hour: u32,
    /// Codes of one account in a day.
    pub per_account_day: u32,
    /// Codes that one client asked for in an hour.
    pub per_client_hour: u32,
    /// Numbers and addresses that one client may ask for in an hour.
    pub targets_per_client_hour: u32,
    /// Codes of all accounts in an hour.
    pub per_hour: u32,
}

/// As a new installation has them.
impl Default for CodeSettings {
    fn default() -> Self {
        Self {
            digits: 6,
            lifetime: Duration::from_mins(5),
            for_admins: false,
            countries: vec![],
            home: None,
            contact_settle: Duration::from_hours(24),
            per_account_hour: 5,
            per_account_day: 10,
            per_client_hour: 10,
            targets_per_client_hour: 20,
            per_hour: 500,
        }
    }
}

/// The number or address that a code is asked for with, in its one form.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeTarget {
    channel: Channel,
    text: String,
}

impl CodeTarget {
    /// The target of a number. Two spellings of a complete number are one target.
    pub fn of_number(number: &MobileNumber, home: Option<&CallingCode>) -> Self {
        let text = number.to_string();
        Self { channel: Channel::Sms, text: e164(&text, home).unwrap_or_else(|| compact(&text)) }
    }

    /// The target of an address. Upper and lower case are the same.
    pub fn of_mail(address: &Email) -> Self {
        Self { channel: Channel::Mail, text: fold(&address.to_string()) }
    }

    /// Parses what a person types where either is allowed.
    pub fn parse(text: &str, home: Option<&CallingCode>) -> Result<Self, Violation> {
        match text.contains('@') {
            true => text.parse().map(|address| Self::of_mail(&address)),
            false => text.parse().map(|number| Self::of_number(&number, home)),
        }
    }

    /// The target of a contact that is stored; `None` for a number that is not complete.
    pub(in crate::directory) fn of_stored(
        channel: Channel,
        contact: &str,
        home: Option<&CallingCode>,
    ) -> Option<Self> {
        let text = match channel {
            Channel::Sms => e164(contact, home)?,
            Channel::Mail => fold(contact),
        };
        Some(Self { channel, text })
    }

    /// A target that was stored before.
    pub(in crate::directory) fn from_stored(channel: Channel, text: String) -> Self {
        Self { channel, text }
    }

    /// The way that its messages take.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The text.
    pub(in crate::directory) fn text(&self) -> &str {
        &self.text
    }

    /// Returns what it is stored under.
    pub(in crate::directory) fn digest(&self) -> Vec<u8> {
        let hash = Sha256::new_with_prefix(self.channel.name());
        hash.chain_update([0]).chain_update(&self.text).finalize().to_vec()
    }
}

/// Numbers and addresses stay out of logs.
impl fmt::Debug for CodeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeTarget({})", self.channel.name())
    }
}

/// Binds a code to the browser that asked for it: the id of the request and its HMAC, in hexadecimal digits. It is worth
/// nothing without the code.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeTicket(String);

/// The longest ticket that is looked at.
const TICKET_MAX: usize = 200;
/// Digits of the id.
const ID_DIGITS: usize = 16;

impl CodeTicket {
    /// Makes a ticket from its parts.
    pub(in crate::directory) fn new(id: i64, mac: &[u8]) -> Self {
        let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{id:016x}{mac}"))
    }

    /// Returns the id and the HMAC, which has not been checked.
    pub(in crate::directory) fn parts(&self) -> Option<(i64, Vec<u8>)> {
        let (id, mac) = self.0.split_at_checked(ID_DIGITS)?;
        let bytes = mac.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        Some((i64::from_str_radix(id, 16).ok()?, bytes.collect::<Option<_>>()?))
    }

    /// Returns the text, for a cookie or a form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CodeTicket {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let is_good = text.len() <= TICKET_MAX && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_good { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Debug for CodeTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeTicket(***)")
    }
}

/// The longest text that is compared with a code.
const CODE_MAX: usize = 16;

/// A code as a person typed it: its digits, in the form of ASCII.
#[derive(Clone)]
pub struct TypedCode(String);

impl TypedCode {
    /// Reads a code, with or without blanks and hyphens. A text that cannot be one is a code that no request has: it costs a try like any other.
    pub fn new(text: &str) -> Self {
        let is_part = |c: &char| !c.is_whitespace() && *c != '-';
        let digits = text.chars().filter(is_part).take(CODE_MAX).map(ascii_digit);
        Self(digits.collect())
    }

    /// Returns the digits.
    pub(in crate::directory) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedCode(***)")
    }
}

/// Keyboards of Arabic and Persian have digits of their own.
fn ascii_digit(c: char) -> char {
    let value = match c {
        '\u{660}'..='\u{669}' => u32::from(c) - 0x660,
        '\u{6f0}'..='\u{6f9}' => u32::from(c) - 0x6f0,
        _ => return c,
    };
    char::from_digit(value, 10).unwrap_or(c)
}

/// The labels of what happens with codes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabels {
    /// `sms` or `mail`; `none` for a code that belongs to no request.
    pub channel: &'static str,
    /// `asked`, `sent`, `verified`, `refused`, `limited`, or why a code was not sent.
    pub result: &'static str,
}

/// A request for a code that was taken. It says nothing about accounts.
#[derive(Clone, Debug)]
pub struct CodeRequest {
    /// How long the code is valid, if one is sent.
    pub left: Duration,
    /// Binds it to the browser.
    pub ticket: CodeTicket,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_number_or_address_are_one_target() {
        let home = CallingCode::parse("+49").unwrap();
        let target = |text| CodeTarget::parse(text, Some(&home)).unwrap();
        assert_eq!(target("+49 (711) 123-45"), target("0711 12345"));
        assert_eq!(target("Ada@Example.com"), target(" ada@example.COM "));
        assert_ne!(target("+4971112345").digest(), target("+4971112346").digest());
        assert_eq!(target("711 12345").text(), "71112345");
        assert_eq!(CodeTarget::parse("x", None), Err(Violation::MobileNumber));
        assert_eq!(CodeTarget::parse("x@", None), Err(Violation::Email));
        assert_eq!(format!("{:?}", target("+4971112345")), "CodeTarget(sms)");
    }

    #[test]
    fn a_ticket_is_read_back_and_nothing_else_is_one() {
        let ticket = CodeTicket::new(4711, &[1, 2, 255]);
        assert_eq!(ticket.as_str(), "00000000000012670102ff");
        let read: CodeTicket = ticket.as_str().parse().unwrap();
        assert_eq!(read.parts(), Some((4711, vec![1, 2, 255])));
        for text in ["", "12", "zz", "0000000000001267 102ff"] {
            assert_eq!(text.parse::<CodeTicket>().ok().and_then(|ticket| ticket.parts()), None, "{text}");
        }
        assert!("a".repeat(201).parse::<CodeTicket>().is_err());
        assert_eq!("f".repeat(16).parse::<CodeTicket>().unwrap().parts(), None);
    }

    #[test]
    fn a_code_may_be_typed_with_other_digits() {
        assert_eq!(TypedCode::new(" ۰۱۲۳٤٥ ").as_str(), "012345");
        assert_eq!(TypedCode::new("012-3 45").as_str(), "012345");
        assert_eq!(TypedCode::new(&"9".repeat(9_000)).as_str().len(), 16);
    }
}
