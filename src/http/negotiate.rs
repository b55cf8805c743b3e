//! Content negotiation as Django REST Framework does it when JSON is all there is: `?format=`, then
//! `Accept`. Quality values are ignored there, so they are here.

use http::{HeaderMap, header};

use super::error::Failure;

/// The framework reads no more than this of an Accept header.
const MEDIA_TYPES_MAX: usize = 64;
const MEDIA_TYPE_LENGTH_MAX: usize = 256;
const INDENT_MAX: i64 = 8;

/// What the client will be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Blanks a level for indented JSON; `None` is compact.
    pub indent: Option<usize>,
    /// Errors as RFC 9457 has them, and not in the framework's shape.
    pub problems: bool,
}

impl Negotiated {
    /// Compact JSON, errors in the framework's shape.
    pub const PLAIN: Self = Self { indent: None, problems: false };
}

/// Holds the request's wishes against what can be served.
pub fn negotiate(query: Option<&str>, headers: &HeaderMap) -> Result<Negotiated, Failure> {
    match parameter(query.unwrap_or_default(), "format").as_deref() {
        None | Some("" | "json") => {}
        Some(_) => return Err(Failure::NotFound),
    }
    let accept = accept(headers);
    let wishes = accept.split(',').take(MEDIA_TYPES_MAX).filter(|wish| wish.len() <= MEDIA_TYPE_LENGTH_MAX);
    let wishes: Vec<_> = wishes.filter_map(MediaType::parse).collect();
    let problems = wishes.iter().any(MediaType::takes_problems);
    let matches = wishes.iter().filter(|wish| wish.takes_json());
    // The most specific wish counts, and among equals the first.
    match matches.reduce(|best, next| if next.precedence() > best.precedence() { next } else { best }) {
        Some(best) => Ok(Negotiated { indent: best.indent(), problems }),
        // Who names errors alone has said how they shall look, and takes JSON for the rest.
        None if problems => Ok(Negotiated { indent: None, problems }),
        None => Err(Failure::NotAcceptable),
    }
}

/// The last value of a query parameter.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = serde_urlencoded::from_str::<Vec<(String, String)>>(query).unwrap_or_default();
    pairs.into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// All Accept lines as one; without any, everything is accepted.
fn accept(headers: &HeaderMap) -> String {
    let lines: Vec<_> =
        headers.get_all(header::ACCEPT).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    if lines.is_empty() { "*/*".to_owned() } else { lines.join(",") }
}

struct MediaType<'a> {
    main: &'a str,
    sub: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> MediaType<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters =
            parameters.map(|(name, value)| (name.trim(), value.trim().trim_matches('"'))).collect();
        Some(Self { main, sub, parameters })
    }

    fn takes_json(&self) -> bool {
        (self.main == "*" || self.main.eq_ignore_ascii_case("application"))
            && (self.sub == "*" || self.sub.eq_ignore_ascii_case("json"))
    }

    /// By its own name only: a wild card is the framework's clients', who know its shape.
    fn takes_problems(&self) -> bool {
        self.main.eq_ignore_ascii_case("application") && self.sub.eq_ignore_ascii_case("problem+json")
    }

    fn precedence(&self) -> u8 {
        let only_quality = self.parameters.iter().all(|(name, _)| *name == "q");
        match (self.main, self.sub) {
            ("*", _) => 0,
            (_, "*") => 1,
            _ if only_quality => 2,
            _ => 3,
        }
    }

    fn indent(&self) -> Option<usize> {
        let (_, value) =
            self.parameters.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("indent"))?;
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
            let got = negotiate(None, &accepting(accept)).map(|found| found.indent).map_err(|_| ());
            assert_eq!(got, expected, "{accept:?}");
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
        ] {
            assert_eq!(negotiate(Some(query), &HeaderMap::new()).is_ok(), good, "{query}");
        }
        assert_eq!(
            negotiate(Some("format=json"), &accepting(&["text/html"])).unwrap_err().status(),
            http::StatusCode::NOT_ACCEPTABLE
        );
    }
}
