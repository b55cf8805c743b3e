//! Lines of text that are broken between words where the terminal ends.

use super::Terminal;
use super::text::{printable, width};

/// Lines of text. Where a terminal is narrower than a line, the line continues below, indented.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Prose(Vec<ProseLine>);

#[derive(Clone, Debug)]
struct ProseLine {
    text: String,
    /// The column in which the line continues.
    hang: usize,
}

impl Prose {
    /// Adds a line. If it is too long, its other lines begin in the column `hang`.
    pub(in crate::cli) fn line(&mut self, hang: usize, text: impl AsRef<str>) {
        self.0.push(ProseLine { text: printable(text.as_ref()), hang });
    }

    /// Adds a line after an empty one.
    pub(in crate::cli) fn paragraph(&mut self, text: impl AsRef<str>) {
        self.line(0, "");
        self.line(0, text);
    }

    /// Formats the lines for a terminal, or each as long as it is.
    pub(in crate::cli) fn render(&self, terminal: &Terminal) -> String {
        let mut text = String::new();
        for line in &self.0 {
            let parts = match terminal.width() {
                Some(columns) => wrap(&line.text, columns, line.hang),
                None => vec![line.text.clone()],
            };
            text.extend(parts.into_iter().map(|part| part + "\n"));
        }
        text
    }
}

/// Breaks a text between words. Its indentation stays, and so does a word that is longer than a line, such as a path or a
/// URL, so that it can be copied.
pub(super) fn wrap(text: &str, columns: usize, hang: usize) -> Vec<String> {
    let words = text.trim_start_matches(' ');
    let mut line = " ".repeat(text.len() - words.len());
    let mut lines = Vec::new();
    for (number, word) in words.split(' ').enumerate() {
        if number > 0 && !word.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(hang)).trim_end().to_owned());
        } else if number > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_indentation_and_their_words() {
        assert_eq!(wrap("  2 x a note: one; two", 14, 6), ["  2 x a note:", "      one; two"]);
        assert_eq!(wrap("       3  GET /x: gone", 40, 12), ["       3  GET /x: gone"]);
        assert_eq!(
            wrap("see https://example.com/long now", 10, 2),
            ["see", "  https://example.com/long", "  now"]
        );
        assert_eq!(wrap("", 10, 2), [""]);
    }

    #[test]
    fn without_a_terminal_a_line_is_as_long_as_it_is() {
        let mut prose = Prose::default();
        prose.line(4, "  a\u{1b}b ".repeat(60));
        prose.paragraph("end");
        let text = prose.render(&Terminal::default());
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("  a\\u{1b}b ") && text.ends_with("\n\nend\n"), "{text}");
    }
}
