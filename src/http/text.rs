//! Text from outside: the charset that a client names, and the escapes of queries and forms.
//!
//! Bytes that are no text in their charset are refused by name. Nothing is replaced.

use std::borrow::Cow;

use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use percent_encoding::percent_decode;

use crate::directory::model::{ValidationErrors, Violation};

/// The charset of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charset {
    encoding: &'static Encoding,
    is_named: bool,
}

impl Charset {
    /// UTF-8, because nothing else was named.
    pub(super) const DEFAULT: Self = Self { encoding: UTF_8, is_named: false };

    /// Reads the charset that a media type names, by the names of the Encoding Standard. `None` if it names none; the
    /// name itself if it is unknown.
    pub(super) fn of(media_type: &str) -> Result<Option<Self>, &str> {
        let mut parameters = media_type.split(';').skip(1).filter_map(|part| part.split_once('='));
        let named = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        let name = named.map_or("", |(_, name)| name.trim().trim_matches('"'));
        if name.is_empty() {
            return Ok(None);
        }
        let encoding = Encoding::for_label(name.as_bytes()).filter(|encoding| *encoding != REPLACEMENT);
        encoding.map(|encoding| Some(Self { encoding, is_named: true })).ok_or(name)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.encoding.name()
    }

    /// Whether ASCII means itself in it, as the separators and escapes of a form need.
    pub(super) fn keeps_ascii(self) -> bool {
        self.encoding.is_ascii_compatible()
    }

    /// Decodes a text; `None` if the bytes are none.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        self.encoding.decode_without_bom_handling_and_without_replacement(bytes)
    }

    /// The error for bytes of a field that are no text.
    pub(super) fn violation(self) -> Violation {
        let hint = if self.is_named { "" } else { " Send UTF-8, or name the charset in the Content-Type." };
        Violation::Other(format!("Not valid {}.{hint}", self.name()))
    }
}

/// Decodes the pairs of a query, which is UTF-8. Empty pieces are ignored.
pub(super) fn query_pairs(query: &str) -> Result<Vec<(String, String)>, ValidationErrors> {
    let not_text = || Violation::Other("Not valid UTF-8.".to_owned());
    pieces(query.as_bytes()).map(|piece| pair(piece, Charset::DEFAULT, &not_text)).collect()
}

/// Decodes the pairs of a form. Empty pieces are ignored.
pub(super) fn form_pairs(form: &[u8], charset: Charset) -> Result<Vec<(String, String)>, ValidationErrors> {
    let not_text = || charset.violation();
    pieces(form).map(|piece| pair(piece, charset, &not_text)).collect()
}

/// Finds the last value of a query parameter. Parameters that are no text are left to the code that reads all.
pub(super) fn query_parameter(query: &str, name: &str) -> Option<Result<String, ValidationErrors>> {
    let not_text = || Violation::Other("Not valid UTF-8.".to_owned());
    let named = |piece: &&[u8]| {
        let (key, _) = split(piece);
        unescaped(key, Charset::DEFAULT).is_some_and(|key| key == name)
    };
    let last = pieces(query.as_bytes()).filter(named).last()?;
    Some(pair(last, Charset::DEFAULT, &not_text).map(|(_, value)| value))
}

fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty())
}

fn split(piece: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = piece.splitn(2, |byte| *byte == b'=');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn pair(
    piece: &[u8],
    charset: Charset,
    not_text: &dyn Fn() -> Violation,
) -> Result<(String, String), ValidationErrors> {
    let (name, value) = split(piece);
    // A name that is no text is shown as it was sent, in escapes.
    let as_sent = || name.iter().map(|byte| byte.escape_ascii().to_string()).collect::<String>();
    let name = unescaped(name, charset).ok_or_else(|| ValidationErrors::of(&as_sent(), &not_text()))?;
    let value = unescaped(value, charset).ok_or_else(|| ValidationErrors::of(&name, &not_text()))?;
    Ok((name, value))
}

/// Resolves the escapes of a form. As in the URL Standard, `%` without two digits stands for itself.
fn unescaped(text: &[u8], charset: Charset) -> Option<String> {
    let spaced: Cow<'_, [u8]> = match text.contains(&b'+') {
        true => text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>().into(),
        false => text.into(),
    };
    let bytes: Cow<'_, [u8]> = percent_decode(&spaced).into();
    charset.decode(&bytes).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(result: Result<Vec<(String, String)>, ValidationErrors>) -> String {
        match result {
            Ok(pairs) => format!("{pairs:?}"),
            Err(errors) => {
                errors.iter().map(|(name, texts)| format!("{name}: {}", texts.join(" "))).collect()
            }
        }
    }

    #[test]
    fn pairs_are_read_as_forms_write_them() {
        assert_eq!(
            rendered(query_pairs("a=1&&b=%C3%A9+x&c&=d&e=f=g&h=%zz%2")),
            r#"[("a", "1"), ("b", "é x"), ("c", ""), ("", "d"), ("e", "f=g"), ("h", "%zz%2")]"#
        );
        assert_eq!(rendered(query_pairs("")), "[]");
        assert_eq!(rendered(query_pairs("a=%FF")), "a: Not valid UTF-8.");
        assert_eq!(rendered(query_pairs("%FFa=1")), "%FFa: Not valid UTF-8.");
        // Overlong forms and surrogates are no UTF-8.
        assert_eq!(rendered(query_pairs("a=%C0%AF")), "a: Not valid UTF-8.");
        assert_eq!(rendered(query_pairs("a=%ED%A0%80")), "a: Not valid UTF-8.");
    }

    #[test]
    fn a_form_is_read_in_its_charset() {
        let read = |media_type: &str, form: &[u8]| match Charset::of(media_type) {
            Ok(charset) => rendered(form_pairs(form, charset.unwrap_or(Charset::DEFAULT))),
            Err(unknown) => format!("unknown: {unknown}"),
        };
        let hint = "Send UTF-8, or name the charset in the Content-Type.";
        assert_eq!(read("x/y", b"n=Ren%E9"), format!("n: Not valid UTF-8. {hint}"));
        assert_eq!(read("x/y", b"n=Ren\xe9"), format!("n: Not valid UTF-8. {hint}"));
        assert_eq!(read("x/y; a=b; CharSet=\"ISO-8859-1\"", b"n=Ren%E9"), r#"[("n", "René")]"#);
        assert_eq!(read("x/y;charset=latin1", b"n=Ren\xe9&e=%80"), r#"[("n", "René"), ("e", "€")]"#);
        assert_eq!(read("x/y; charset=shift_jis", b"n=%93%FA"), r#"[("n", "日")]"#);
        assert_eq!(read("x/y; charset=shift_jis", b"n=%93"), "n: Not valid Shift_JIS.");
        assert_eq!(read("x/y; charset=utf8", b"n=%C3%A9"), r#"[("n", "é")]"#);
        assert_eq!(read("x/y; charset=us-ascii", b"n=a"), r#"[("n", "a")]"#);
        assert_eq!(Charset::of("x/y; charset="), Ok(None));
        for unknown in ["klingon", "utf-7", "iso-2022-kr"] {
            assert_eq!(read(&format!("x/y; charset={unknown}"), b"a=1"), format!("unknown: {unknown}"));
        }
        assert!(!Charset::of("x/y; charset=utf-16").unwrap().unwrap().keeps_ascii());
    }

    #[test]
    fn the_last_value_of_a_parameter_counts() {
        let find = |query: &str| query_parameter(query, "a").map(|found| found.ok());
        assert_eq!(find("b=1"), None);
        assert_eq!(find("a=1&b=2&%61=3"), Some(Some("3".to_owned())));
        assert_eq!(find("a=%FF"), Some(None));
        assert_eq!(find("a=%FF&a="), Some(Some(String::new())));
        assert_eq!(find("%FF=1&a=2"), Some(Some("2".to_owned())));
    }
}
