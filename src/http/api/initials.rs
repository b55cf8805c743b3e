//! The picture of a user who has none: the initials of the name as an SVG image.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::directory::model::User;

/// The colors of the square. White letters have a contrast of at least 4.5:1 on each (WCAG 2.2, 1.4.3).
const COLORS: [&str; 12] = [
    "#1b5e20", "#0d47a1", "#4a148c", "#880e4f", "#b71c1c", "#bf360c", "#3e2723", "#263238", "#006064",
    "#1a237e", "#33691e", "#6a1b9a",
];
/// The side of the square if none is named.
const SIDE: u16 = 512;

/// Draws the initials of a user.
pub(super) fn svg(user: &User, side: Option<u16>) -> String {
    let full_name = user.full_name();
    let name = if full_name.is_empty() { user.username.as_str() } else { full_name.as_str() };
    let (label, letters) = (escaped(name), escaped(&initials(name)));
    let (side, color) = (side.unwrap_or(SIDE), color(user.id.get()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{side}\" height=\"{side}\" viewBox=\"0 0 64 64\" \
         role=\"img\" aria-label=\"{label}\"><rect width=\"64\" height=\"64\" fill=\"{color}\"/>\
         <text x=\"32\" y=\"32\" dy=\".35em\" fill=\"#fff\" font-family=\"sans-serif\" font-size=\"26\" \
         text-anchor=\"middle\">{letters}</text></svg>"
    )
}

/// The color of a user, always the same one.
fn color(id: i64) -> &'static str {
    let index = usize::try_from(id.unsigned_abs()).unwrap_or_default() % COLORS.len();
    COLORS.get(index).copied().unwrap_or("#000")
}

/// The first characters, as a reader sees them, of the first and the last word.
fn initials(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || "._-+@".contains(c));
    let mut firsts = words.filter_map(|word| word.graphemes(true).find(|part| is_shown(part)));
    let Some(first) = firsts.next() else { return String::new() };
    [Some(first), firsts.next_back()].into_iter().flatten().map(upper).collect()
}

/// Whether a character begins a name: a letter, a digit or a symbol, and no punctuation.
fn is_shown(part: &str) -> bool {
    part.chars().next().is_some_and(|c| c.is_alphanumeric() || !(c.is_ascii() || c.is_control()))
}

/// The capital of a letter that has one of its own.
fn upper(part: &str) -> String {
    let upper = part.to_uppercase();
    if upper.chars().count() == part.chars().count() { upper } else { part.to_owned() }
}

/// Escapes a text for XML. Characters that XML does not allow are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::model::Timestamp;

    #[test]
    fn initials_are_the_first_characters_that_a_reader_sees() {
        for (name, expected) in [
            ("Alex Thompson", "AT"),
            ("Ada", "A"),
            ("ada king lovelace", "AL"),
            ("emil_empty", "EE"),
            ("  (Zoë)  Ångström ", "ZÅ"),
            ("e\u{301}mile x", "E\u{301}X"),
            (
                "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} Lee",
                "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}L",
            ),
            ("\u{1f1eb}\u{1f1f7}", "\u{1f1eb}\u{1f1f7}"),
            ("شادی صدر", "شص"),
            ("ßen", "ß"),
            ("李小龍", "李"),
            ("", ""),
            ("...", ""),
            ("<script>", "S"),
        ] {
            assert_eq!(initials(name), expected, "{name:?}");
            assert!(initials(name).graphemes(true).count() <= 2);
        }
    }

    /// The relative luminance of WCAG.
    fn luminance(color: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn every_color_has_enough_contrast() {
        for color in COLORS {
            let contrast = 1.05 / (luminance(color) + 0.05);
            assert!(contrast >= 4.5, "{color}: {contrast}");
        }
        for id in [0, 1, 42, i64::MAX] {
            assert!(COLORS.contains(&color(id)));
        }
    }

    #[test]
    fn a_name_cannot_become_markup() {
        let attack = "\"><script>alert('1')</script>&\u{0}\u{8}\u{ffff}<b";
        let user = User { first_name: attack.into(), ..User::new("x".into(), Timestamp::EPOCH) };
        let image = svg(&user, Some(64));
        assert_eq!(image.matches('<').count(), 5, "{image}");
        assert!(
            image.starts_with("<svg ") && image.contains("role=\"img\"") && image.contains("width=\"64\"")
        );
        let label = "aria-label=\"&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&lt;b\"";
        assert!(image.contains(label), "{image}");
        assert!(!image.contains(|c: char| c.is_control()));
    }
}
