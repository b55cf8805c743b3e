//! Search terms, each of which must be found in some field of a row.
//!
//! A row has all searched fields in one folded text. Terms are folded in the same way, so that both databases find the same rows
//! in every script.

use crate::directory::model::{Violation, fold};

use super::parameters::other;

/// The most code points of a search, and the most terms. They bound the cost of a page.
const LENGTH_MAX: usize = 500;
const TERMS_MAX: usize = 16;
/// The most trigrams that are looked up in the index. The rest is checked in the rows that it finds.
const TRIGRAMS_MAX: usize = 32;

/// Folded terms. None is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms(Vec<String>);

impl Terms {
    /// Splits text at white space and commas. U+001C to U+001F count as white space, as in Python; U+001F separates the fields of a
    /// row.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        if raw.contains('\0') {
            return Err(Violation::NullCharacter);
        }
        if raw.chars().count() > LENGTH_MAX {
            return Err(Violation::TooLong(LENGTH_MAX));
        }
        let between = |c: char| c == ',' || c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
        let mut terms = Vec::new();
        for term in raw.split(between).map(fold).filter(|term| !term.is_empty()) {
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        if terms.len() > TERMS_MAX {
            return Err(other(format!("A search has at most {TERMS_MAX} terms.")));
        }
        Ok(Self(terms))
    }

    /// Iterates over the folded terms.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns each term as a pattern of `LIKE ... ESCAPE '\'` that finds it anywhere.
    pub fn patterns(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|term| {
            let escaped: String = term.chars().flat_map(|c| escape(c).into_iter().chain([c])).collect();
            format!("%{escaped}%")
        })
    }

    /// Returns the trigrams that a row must have, as a query for SQLite's full-text index. `None` if every term is shorter than
    /// three code points.
    pub fn trigrams(&self) -> Option<String> {
        let mut trigrams: Vec<String> = Vec::new();
        'enough: for term in &self.0 {
            let letters: Vec<char> = term.chars().collect();
            for trigram in letters.windows(3) {
                if trigrams.len() == TRIGRAMS_MAX {
                    break 'enough;
                }
                let trigram: String = trigram.iter().collect();
                let quoted = format!("\"{}\"", trigram.replace('"', "\"\""));
                if !trigrams.contains(&quoted) {
                    trigrams.push(quoted);
                }
            }
        }
        (!trigrams.is_empty()).then(|| trigrams.join(" AND "))
    }
}

fn escape(c: char) -> Option<char> {
    matches!(c, '%' | '_' | '\\').then_some('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_folded_apart_and_each_once() {
        let terms = Terms::parse(" Straße,ÉCOLE\u{1f}straSSE\t,, x ").unwrap();
        assert_eq!(terms.patterns().collect::<Vec<_>>(), ["%strasse%", "%école%", "%x%"]);
        assert_eq!(Terms::parse(" , ").unwrap(), Terms::default());
        assert_eq!(Terms::parse("a\0b"), Err(Violation::NullCharacter));
        assert_eq!(Terms::parse(&"é".repeat(501)), Err(Violation::TooLong(500)));
        let many: Vec<_> = (0..17).map(|n| n.to_string()).collect();
        assert!(Terms::parse(&many.join(" ")).is_err());
        assert!(Terms::parse(&many[1..].join(",")).is_ok());
    }

    #[test]
    fn patterns_match_their_term_alone() {
        let terms = Terms::parse(r"50%_\x").unwrap();
        assert_eq!(terms.patterns().collect::<Vec<_>>(), [r"%50\%\_\\x%"]);
    }

    #[test]
    fn trigrams_are_whole_code_points_and_quoted() {
        assert_eq!(Terms::parse("ab é").unwrap().trigrams(), None);
        let terms = Terms::parse("a\"bÉ abab").unwrap();
        assert_eq!(terms.trigrams().unwrap(), r#""a""b" AND """bé" AND "aba" AND "bab""#);
    }
}
