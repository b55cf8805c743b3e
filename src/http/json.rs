//! JSON as Django REST Framework writes it: compact, UTF-8 unescaped, but U+2028 and U+2029 always escaped; indented if
//! the client wants that.

use std::io;

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Writes `value` on one line.
pub fn compact<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    let mut out = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut out, Separators(CompactFormatter)))?;
    Ok(out.into())
}

/// Writes JSON text again, indented by `blanks` per level.
pub fn indented(json: &[u8], blanks: usize) -> Result<Bytes, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_slice(json)?;
    let indent = " ".repeat(blanks);
    let formatter = Separators(PrettyFormatter::with_indent(indent.as_bytes()));
    let mut out = Vec::with_capacity(json.len() * 2);
    value.serialize(&mut Serializer::with_formatter(&mut out, formatter))?;
    Ok(out.into())
}

/// A formatter that also escapes the two separators that older JavaScript reads as line ends.
struct Separators<F>(F);

impl<F: Formatter> Formatter for Separators<F> {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((before, separator, after)) = split_at_separator(rest) {
            self.0.write_string_fragment(writer, before)?;
            writer.write_all(separator)?;
            rest = after;
        }
        self.0.write_string_fragment(writer, rest)
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

fn split_at_separator(text: &str) -> Option<(&str, &'static [u8], &str)> {
    // Both begin with this byte in UTF-8, and most texts have none of it.
    if !text.as_bytes().contains(&0xe2) {
        return None;
    }
    let at = text.find(['\u{2028}', '\u{2029}'])?;
    let (before, rest) = text.split_at(at);
    match rest.strip_prefix('\u{2028}') {
        Some(after) => Some((before, b"\\u2028", after)),
        None => Some((before, b"\\u2029", rest.strip_prefix('\u{2029}')?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_the_framework_does() {
        let text = "é\u{2028}\u{2029}\"\\\u{1}\u{7f}/<&\n";
        assert_eq!(compact(text).unwrap(), "\"é\\u2028\\u2029\\\"\\\\\\u0001\u{7f}/<&\\n\"");
    }

    #[test]
    fn indenting_keeps_order_and_large_integers() {
        let json = br#"{"z":9007199254740993,"a":[],"m":[1,{"k":null}]}"#;
        let pretty = indented(json, 2).unwrap();
        let expected = "{\n  \"z\": 9007199254740993,\n  \"a\": [],\n  \"m\": [\n    1,\n    {\n      \"k\": null\n    }\n  ]\n}";
        assert_eq!(pretty, expected);
    }
}
