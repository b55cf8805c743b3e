//! The language of a client, for messages to people: `Accept-Language` (RFC 9110, section 12.5.4).

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;

use super::app::App;
use super::error::ApiError;
use crate::directory::model::Locale;

/// Languages that are looked at; a longer list is cut off.
const RANGES_MAX: usize = 16;

/// The language of the client, or the one that the operator has set.
pub(super) struct ClientLanguage(pub(super) Locale);

impl FromRequestParts<App> for ClientLanguage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(locale_of(&parts.headers).unwrap_or(app.directory().message_locale())))
    }
}

/// Returns the language that a client likes best of those that messages have; `None` if it names none of them.
fn locale_of(headers: &HeaderMap) -> Option<Locale> {
    let line = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    let ranges = line.split(',').take(RANGES_MAX).filter_map(range);
    // The first of those with the same weight counts.
    let best = ranges.reduce(|best, range| if range.1 > best.1 { range } else { best });
    best.map(|(locale, _)| locale)
}

/// Reads a language and its weight, from 1 to 1000.
fn range(text: &str) -> Option<(Locale, u16)> {
    let (tag, parameters) = text.split_once(';').unwrap_or((text, ""));
    let language = tag.trim().split('-').next().unwrap_or_default();
    let locale = Locale::from_name(&language.to_ascii_lowercase())?;
    let weight = match parameters.trim() {
        "" => 1_000,
        weight => weight_of(weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?)?,
    };
    (weight > 0).then_some((locale, weight))
}

/// Reads a weight: `0`, `1`, or one of them with up to three decimals.
fn weight_of(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_with_the_highest_weight_is_taken() {
        for (line, expected) in [
            ("fa", Some(Locale::Persian)),
            ("FA-IR", Some(Locale::Persian)),
            ("de, fa;q=0.8, en;q=0.7", Some(Locale::Persian)),
            ("de, fa;q=0.1, en;q=0.7", Some(Locale::English)),
            ("en, fa", Some(Locale::English)),
            ("fa;q=0, en;q=0.001", Some(Locale::English)),
            ("fa;q=0", None),
            ("fa;q=1.1", None),
            ("fa;q=x, en;q=0.1234", None),
            ("fa;level=1", None),
            ("*", None),
            ("de", None),
            ("", None),
            ("fas, eng", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, line.parse().unwrap());
            assert_eq!(locale_of(&headers), expected, "{line}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, format!("{}fa", "de,".repeat(5_000)).parse().unwrap());
        assert_eq!(locale_of(&headers), None);
        assert_eq!(locale_of(&HeaderMap::new()), None);
    }
}
