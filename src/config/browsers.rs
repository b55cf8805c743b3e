//! The types of two settings for clients that are not ours: the origins of pages that may read responses, and the
//! keywords before a key.
//!
//! Never in here: a request.

use http::HeaderValue;

use super::hosts::split_host;
use super::values::{SettingType, items, joined};

/// The origins whose pages may read responses: for the CORS protocol of the Fetch standard.
#[derive(Debug, Clone, Default)]
pub struct CorsOrigins(Vec<OriginPattern>);

#[derive(Debug, Clone)]
enum OriginPattern {
    Any,
    /// One origin, as browsers write it.
    Exact(String),
    /// Every subdomain of a host: what an origin begins with, and what it ends with.
    Subdomains(String, String),
}

impl CorsOrigins {
    /// Whether no origin is named, which turns CORS off.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every origin is allowed.
    pub fn allows_any(&self) -> bool {
        self.0.iter().any(|pattern| matches!(pattern, OriginPattern::Any))
    }

    /// Whether a page of this origin may read responses.
    ///
    /// Runs for each request with an `Origin` header and does not allocate.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.0.iter().any(|pattern| match pattern {
            OriginPattern::Any => true,
            OriginPattern::Exact(exact) => exact.as_bytes() == origin,
            OriginPattern::Subdomains(start, end) => origin
                .strip_prefix(start.as_bytes())
                .and_then(|rest| rest.strip_suffix(end.as_bytes()))
                .is_some_and(|name| {
                    !name.is_empty() && name.iter().all(is_host_byte) && !name.starts_with(b".")
                }),
        })
    }
}

fn is_host_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl SettingType for CorsOrigins {
    type Parsed = Self;
    const NAME: &'static str = "ORIGINS";
    const LIST: bool = true;

    fn allowed() -> String {
        "origins without path or final slash, separated by commas, such as https://app.example.com, \
         http://localhost:5173, https://*.example.com (its subdomains), or * for any, or an empty value"
            .into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        items(text)
            .map(|item| origin_pattern(item).ok_or_else(|| item.into()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn show(value: &Self) -> String {
        let shown = |pattern: &OriginPattern| match pattern {
            OriginPattern::Any => "*".to_owned(),
            OriginPattern::Exact(origin) => origin.clone(),
            OriginPattern::Subdomains(start, end) => format!("{start}*{end}"),
        };
        joined(&value.0.iter().map(shown).collect::<Vec<_>>())
    }
}

/// Parses an origin into the form in which browsers send it: lower case, without the scheme's own port.
fn origin_pattern(text: &str) -> Option<OriginPattern> {
    if text == "*" {
        return Some(OriginPattern::Any);
    }
    let lower = text.to_ascii_lowercase();
    let (scheme, host) = lower.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (subdomains, host) = match host.strip_prefix("*.") {
        Some(host) => (true, host),
        None => (false, host),
    };
    let (name, port) = split_host(host).filter(|(name, _)| is_scheme && !name.starts_with('.'))?;
    let port = match (scheme, port) {
        (_, None) | ("http", Some("80")) | ("https", Some("443")) => String::new(),
        (_, Some(port)) => format!(":{}", port.parse::<u16>().ok()?),
    };
    match subdomains {
        // An address has no subdomains, and `*.com` would be every site.
        true if name.starts_with('[') || !name.contains('.') => None,
        true => Some(OriginPattern::Subdomains(format!("{scheme}://"), format!(".{name}{port}"))),
        false => Some(OriginPattern::Exact(format!("{scheme}://{name}{port}"))),
    }
}

/// The words that may precede a key in the `Authorization` header.
#[derive(Debug, Clone)]
pub struct TokenKeywords {
    words: Vec<String>,
    first: HeaderValue,
}

impl TokenKeywords {
    /// The word of the documentation, which is always among them.
    pub const TOKEN: &'static str = "Token";

    /// Whether a word is one of them. Case is ignored.
    pub fn contains(&self, word: &[u8]) -> bool {
        self.words.iter().any(|keyword| word.eq_ignore_ascii_case(keyword.as_bytes()))
    }

    /// The first of them: the value of `WWW-Authenticate`.
    pub fn first(&self) -> &HeaderValue {
        &self.first
    }
}

impl Default for TokenKeywords {
    fn default() -> Self {
        Self { words: vec![Self::TOKEN.to_owned()], first: HeaderValue::from_static(Self::TOKEN) }
    }
}

impl SettingType for TokenKeywords {
    type Parsed = Self;
    const NAME: &'static str = "WORDS";
    const LIST: bool = true;

    fn allowed() -> String {
        "words separated by commas, such as Token,Bearer; Token must be one of them".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<String> = items(text).map(keyword).collect::<Result<_, _>>()?;
        let first = words.first().and_then(|word| HeaderValue::from_str(word).ok());
        match first {
            Some(first) if words.iter().any(|word| word.eq_ignore_ascii_case(Self::TOKEN)) => {
                Ok(Self { words, first })
            }
            _ => Err(text.into()),
        }
    }

    fn show(value: &Self) -> String {
        joined(&value.words)
    }
}

/// Checks a keyword: an `auth-scheme` of RFC 9110, section 11.1. `Basic` and `Digest` carry no key.
fn keyword(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    let good = (1..=32).contains(&text.len()) && text.bytes().all(is_plain);
    let taken = ["basic", "digest"].contains(&text.to_ascii_lowercase().as_str());
    if good && !taken { Ok(text.to_owned()) } else { Err(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(patterns: &str, origin: &str) -> bool {
        CorsOrigins::parse(patterns).unwrap().allows(origin.as_bytes())
    }

    #[test]
    fn an_origin_is_compared_whole() {
        let listed = "https://App.example.com:443, http://localhost:5173,https://[::1]:8443";
        for good in ["https://app.example.com", "http://localhost:5173", "https://[::1]:8443"] {
            assert!(allows(listed, good), "{good}");
        }
        for bad in [
            "",
            "null",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://evil-app.example.com",
            "https://app.example.com/",
            "http://localhost",
        ] {
            assert!(!allows(listed, bad), "{bad}");
        }
        assert!(!allows("", "https://app.example.com"));
    }

    #[test]
    fn a_star_stands_for_subdomains_at_any_depth_and_for_nothing_else() {
        for good in ["https://a.example.com", "https://a.b.example.com"] {
            assert!(allows("https://*.example.com", good), "{good}");
        }
        for bad in [
            "https://example.com",
            "https://.example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://a.example.com.evil.example",
            "https://evil.example/.example.com",
            "https://user@a.example.com",
            "https://evil.example:1.example.com",
        ] {
            assert!(!allows("https://*.example.com", bad), "{bad}");
        }
        assert!(allows("https://*.example.com:8443", "https://a.example.com:8443"));
        assert!(allows("*", "null") && allows("*", "https://anything.example"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in [
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://",
            "https://*",
            "https://*.com",
            "https://*.[::1]",
            "https://a.*.example.com",
            "https://*example.com",
            "https://user@example.com",
            "https://example.com:99999",
            "null",
            "https://bücher.example",
            "https://a.example.com,,https://b.example.com",
        ] {
            assert!(CorsOrigins::parse(bad).is_err(), "{bad}");
        }
        let shown =
            CorsOrigins::show(&CorsOrigins::parse("HTTPS://A.example.com:443, https://*.b.example").unwrap());
        assert_eq!(shown, "https://a.example.com,https://*.b.example");
    }

    #[test]
    fn keywords_are_plain_words_with_token_among_them() {
        let both = TokenKeywords::parse("Bearer, Token").unwrap();
        assert_eq!(both.first(), "Bearer");
        assert!(both.contains(b"bEARER") && both.contains(b"token") && !both.contains(b"Tok"));
        for bad in
            ["", "Bearer", "Token,", "Token,Basic", "Token,digest", "Token,two words", "Token,\u{212a}ey"]
        {
            assert!(TokenKeywords::parse(bad).is_err(), "{bad}");
        }
    }
}
