//! Content negotiation as Django REST Framework does it with JSON as the only format: `?format=`, then `Accept`. The
//! framework ignores quality values, and so does this.

use std::borrow::Cow;

use http::{HeaderMap, header};

use super::error::ApiError;
use super::text::query_parameter;

/// The framework's bounds of an Accept header.
const MEDIA_TYPES_MAX: usize = 64;
const MEDIA_TYPE_LENGTH_MAX: usize = 256;
const INDENT_MAX: i64 = 8;

/// The format of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Blanks per level of indented JSON; `None` is compact.
    pub indent: Option<usize>,
    /// Whether errors have the shape of RFC 9457, and not the framework's.
    pub problems: bool,
}

impl Negotiated {
    /// Compact JSON, errors in the framework's shape.
    pub const PLAIN: Self = Self { indent: None, problems: false };
}

/// Negotiates the response format. A route whose successes are not JSON also accepts its own format by name; its errors are
/// JSON.
pub fn negotiate(
    query: Option<&str>,
    headers: &HeaderMap,
    own_format: Option<&str>,
) -> Result<Negotiated, ApiError> {
    match query_parameter(query.unwrap_or_default(), "format") {
        None => {}
        Some(Ok(format)) if matches!(format.as_str(), "" | "json") => {}
        Some(_) => return Err(ApiError::NotFound),
    }
    let accept = accept(headers);
    match negotiate_accept(&accept) {
        Err(_) if own_format.is_some_and(|format| names(&accept, format)) => Ok(Negotiated::PLAIN),
        negotiated => negotiated,
    }
}

/// Whether one of the media types of Accept is this one.
fn names(accept: &str, format: &str) -> bool {
    let mut ranges = accept.split(',').take(MEDIA_TYPES_MAX).filter_map(MediaType::parse);
    ranges.any(|range| {
        format.split_once('/').is_some_and(|(main, sub)| {
            range.main.eq_ignore_ascii_case(main) && (range.sub == "*" || range.sub.eq_ignore_ascii_case(sub))
        })
    })
}

/// Negotiates the format from the text of Accept alone.
pub fn negotiate_accept(accept: &str) -> Result<Negotiated, ApiError> {
    let (mut best, mut problems): (Option<MediaType<'_>>, bool) = (None, false);
    for range in accept.split(',').take(MEDIA_TYPES_MAX).filter(|range| range.len() <= MEDIA_TYPE_LENGTH_MAX)
    {
        let Some(range) = MediaType::parse(range) else { continue };
        problems |= range.takes_problems();
        // The most specific media range wins, and among equals the first.
        let wins = range.takes_json() && best.is_none_or(|best| range.precedence() > best.precedence());
        best = if wins { Some(range) } else { best };
    }
    match best {
        Some(best) => Ok(Negotiated { indent: best.indent(), problems }),
        // A client that names only the format of errors accepts JSON for the rest.
        None if problems => Ok(Negotiated { indent: None, problems }),
        None => Err(ApiError::NotAcceptable),
    }
}

/// Whether this one Accept header certainly negotiates [`Negotiated::PLAIN`]. It recognises the most frequent headers,
/// those of browsers included, without parsing them; [`negotiate_accept`] decides the others.
pub fn is_plain(accept: &[u8]) -> bool {
    // The last is what the usual browser libraries send.
    if matches!(accept, b"*/*" | b"application/json" | b"application/json, text/plain, */*") {
        return true;
    }
    // No name that could be JSON, and one wild card for all with no parameter but its quality.
    let (mut stars, mut position, mut ranges) = (0, 0, 1);
    for (index, byte) in accept.iter().enumerate() {
        match byte {
            b'j' | b'J' => return false,
            b'*' => (stars, position) = (stars + 1, index),
            b',' => ranges += 1,
            _ => {}
        }
    }
    let (before, after) = accept.split_at_checked(position + 1).unwrap_or_default();
    // A media range starts after a comma or at the beginning.
    let starts =
        before.strip_suffix(b"*/*").is_some_and(|ahead| matches!(ahead.trim_ascii_end(), [] | [.., b',']));
    let end = match after.strip_prefix(b";q=") {
        Some(quality) => quality.iter().find(|byte| !b"0123456789.".contains(byte)),
        None => after.first(),
    };
    let ends = end.is_none_or(|byte| *byte == b',');
    // The common way decides about bytes that are not ASCII.
    accept.is_ascii()
        && accept.len() <= MEDIA_TYPE_LENGTH_MAX
        && ranges <= MEDIA_TYPES_MAX
        && stars == 2
        && starts
        && ends
}

/// Joins all Accept lines; without any, everything is accepted. A byte that is not ASCII is a character of a name that
/// matches nothing.
fn accept(headers: &HeaderMap) -> Cow<'_, str> {
    let mut lines = headers.get_all(header::ACCEPT).iter().map(|line| match line.to_str() {
        Ok(line) => Cow::from(line),
        Err(_) => line.as_bytes().iter().copied().map(char::from).collect::<String>().into(),
    });
    match (lines.next(), lines.next()) {
        (None, _) => "*/*".into(),
        (Some(only), None) => only,
        (Some(first), Some(second)) => {
            [first, second].into_iter().chain(lines).collect::<Vec<_>>().join(",").into()
        }
    }
}

#[derive(Clone, Copy)]
struct MediaType<'a> {
    main: &'a str,
    sub: &'a str,
    /// The text after the first semicolon, parsed only when it is needed.
    parameters: &'a str,
}

impl<'a> MediaType<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
        let (main, sub) = name.trim().split_once('/')?;
        Some(Self { main, sub, parameters })
    }

    fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.parameters.split(';').filter_map(|part| part.split_once('='));
        pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
    }

    fn takes_json(&self) -> bool {
        (self.main == "*" || self.main.eq_ignore_ascii_case("application"))
            && (self.sub == "*" || self.sub.eq_ignore_ascii_case("json"))
    }

    /// Only by its own name: clients of the framework send wild cards and know the framework's shape.
    fn takes_problems(&self) -> bool {
        self.main.eq_ignore_ascii_case("application") && self.sub.eq_ignore_ascii_case("problem+json")
    }

    fn precedence(&self) -> u8 {
        let only_quality = self.parameters().all(|(name, _)| name == "q");
        match (self.main, self.sub) {
            ("*", _) => 0,
            (_, "*") => 1,
            _ if only_quality => 2,
            _ => 3,
        }
    }

    fn indent(&self) -> Option<usize> {
        let (_, value) = self.parameters().filter(|(name, _)| name.eq_ignore_ascii_case("indent")).last()?;
        let blanks = value.parse::<i64>().ok()?.clamp(0, INDENT_MAX);
        usize::try_from(blanks).ok().filter(|blanks| *blanks > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::ACCEPT, http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn accept_is_read_as_the_framework_reads_it() {
        type Case = (&'static [&'static str], Result<Option<usize>, ()>);
        let table: [Case; 18] = [
            (&[], Ok(None)),
            (&["*/*"], Ok(None)),
            (&["application/json;q=0"], Ok(None)),
            (&["application/json;q=0.1, text/html;q=0.9"], Ok(None)),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Ok(None)),
            (&["APPLICATION/Json; charset=latin1"], Ok(None)),
            (&["*/json"], Ok(None)),
            (&["text/html", "application/*"], Ok(None)),
            (&["application/json; indent=4"], Ok(Some(4))),
            (&["application/json, application/json; indent=99"], Ok(Some(8))),
            (&["application/json; indent=0"], Ok(None)),
            (&["application/json; indent=x"], Ok(None)),
            (&["text/html"], Err(())),
            (&[""], Err(())),
            (&["*"], Err(())),
            (&["json"], Err(())),
            (&["application/"], Err(())),
            (&[",,,"], Err(())),
        ];
        for (accept, expected) in table {
            let got = negotiate(None, &accepting(accept), None).map(|found| found.indent).map_err(|_| ());
            assert_eq!(got, expected, "{accept:?}");
        }
    }

    #[test]
    fn a_route_accepts_its_own_format_by_name_alone() {
        for (accept, own_format, good) in [
            ("application/x-ndjson", Some("application/x-ndjson"), true),
            ("text/html, APPLICATION/X-NDJSON;q=0.5", Some("application/x-ndjson"), true),
            ("application/json", Some("application/x-ndjson"), true),
            ("application/x-ndjson", None, false),
            ("text/*", Some("application/x-ndjson"), false),
        ] {
            assert_eq!(negotiate(None, &accepting(&[accept]), own_format).is_ok(), good, "{accept}");
        }
    }

    #[test]
    fn format_knows_json_alone_and_its_last_value_wins() {
        for (query, good) in [
            ("format=json", true),
            ("format=", true),
            ("format=api&format=json", true),
            ("FORMAT=xml", true),
            ("format=json&format=api", false),
            ("format=JSON", false),
            ("format=json%2B", false),
            ("x=1;format=xml", true),
            ("format=%FF", false),
            ("x=%FF&format=json", true),
        ] {
            assert_eq!(negotiate(Some(query), &HeaderMap::new(), None).is_ok(), good, "{query}");
        }
        assert_eq!(
            negotiate(Some("format=json"), &accepting(&["text/html"]), None).unwrap_err().status(),
            http::StatusCode::NOT_ACCEPTABLE
        );
    }

    #[test]
    fn a_glance_never_says_plain_where_a_closer_look_does_not() {
        let types = [
            "*/*",
            "text/html",
            "application/*",
            "application/json",
            "image/jpeg",
            "*/*;q=0.8",
            "*/*;indent=4",
            "application/json, text/plain, */*",
            "a */*",
            "text/html; */*",
        ];
        let ends = ["", ";q=0.5", "; q=1", ";indent=2", "0", " ", ";q=", ";q=0.9;indent=3", ";v=b3;q=0.7"];
        let mut plain = 0;
        for first in types {
            for end in ends {
                for second in types {
                    for text in [
                        format!("{first}{end},{second}"),
                        format!("{second}, {first}{end}"),
                        format!("{first}{end}"),
                    ] {
                        let value = http::HeaderValue::from_str(&text).unwrap();
                        let closer = negotiate(None, &[(header::ACCEPT, value)].into_iter().collect(), None);
                        if is_plain(text.as_bytes()) {
                            plain += 1;
                            assert_eq!(closer.ok(), Some(Negotiated::PLAIN), "{text:?}");
                        }
                    }
                }
            }
        }
        assert!(plain > 20);
        let chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
        assert!(is_plain(chrome.as_bytes()) && !is_plain(format!("{}*/*", "a/b,".repeat(64)).as_bytes()));
    }
}
