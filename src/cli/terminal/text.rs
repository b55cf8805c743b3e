//! Text that is safe to print, and lists of fields.

use unicode_width::UnicodeWidthStr as _;

/// The width of the names of fields.
const NAME_WIDTH: usize = 14;

/// Escapes what would move the cursor, change colours or reverse the direction of writing: imported rows hold any text.
pub(in crate::cli) fn printable(text: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { printable.extend(c.escape_default()) } else { printable.push(c) }
    }
    printable
}

/// Formats fields, one a line. Further lines of a value are indented like the first.
pub(in crate::cli) fn fields<N: AsRef<str>>(lines: &[(N, Vec<String>)]) -> String {
    let mut text = String::new();
    for (name, values) in lines {
        let values = if values.is_empty() { &[String::new()][..] } else { values };
        for (number, value) in values.iter().enumerate() {
            let name = if number == 0 { name.as_ref() } else { "" };
            text.push_str(format!("{name:<NAME_WIDTH$} {}", printable(value)).trim_end());
            text.push('\n');
        }
    }
    text
}

/// The columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stored_text_moves_the_cursor() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d é"), "a\\u{1b}[31mb\\nc\\u{202e}d é");
    }

    #[test]
    fn fields_have_one_column_of_names() {
        let lines = [
            ("id", vec!["7".to_owned()]),
            ("groups", vec!["a".to_owned(), "b".to_owned()]),
            ("email", vec![]),
        ];
        assert_eq!(fields(&lines), "id             7\ngroups         a\n               b\nemail\n");
    }
}
