//! How long a text message is: GSM 7-bit characters if the text has no others, UTF-16 otherwise (3GPP TS 23.038).

use std::fmt;

/// The characters of the GSM 7-bit default alphabet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The characters of its extension, which take two places.
const EXTENDED: &str = "^{}\\[~]|€\u{c}";
/// The parts that a message may have if it does not fit into GSM 7-bit characters.
const MOST_PARTS: usize = 3;

/// How a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsEncoding {
    /// 160 characters in one part, 153 in each of several.
    Gsm,
    /// 70 code units in one part, 67 in each of several.
    Utf16,
}

/// The size of a text message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmsSize {
    /// How it is encoded.
    pub encoding: SmsEncoding,
    /// Characters or code units.
    pub units: usize,
    /// The parts that it is sent in.
    pub parts: usize,
}

impl SmsSize {
    /// Measures a text.
    pub fn of(text: &str) -> Self {
        let width = |letter: char| match letter {
            letter if BASIC.contains(letter) => Some(1),
            letter if EXTENDED.contains(letter) => Some(2),
            _ => None,
        };
        let gsm: Option<usize> = text.chars().map(width).sum();
        let (encoding, units, one, several) = match gsm {
            Some(units) => (SmsEncoding::Gsm, units, 160, 153),
            None => (SmsEncoding::Utf16, text.encode_utf16().count(), 70, 67),
        };
        let parts = if units <= one { 1 } else { units.div_ceil(several) };
        Self { encoding, units, parts }
    }

    /// Whether a message may be this long: one part of GSM characters, or up to three parts of others.
    pub fn is_allowed(&self) -> bool {
        match self.encoding {
            SmsEncoding::Gsm => self.parts == 1,
            SmsEncoding::Utf16 => self.parts <= MOST_PARTS,
        }
    }
}

impl fmt::Display for SmsSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, limit) = match self.encoding {
            SmsEncoding::Gsm => ("GSM characters", 160),
            SmsEncoding::Utf16 => ("UTF-16 code units", 67 * MOST_PARTS),
        };
        write!(f, "{} {what}, and {limit} are allowed", self.units)
    }
}
