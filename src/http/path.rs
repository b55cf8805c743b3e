//! The request's path in the form of routes: percent-decoded once, and without one slash at its end, which clients in
//! the field send or leave out.
//!
//! Nothing else is normalised: case, doubled slashes and dot segments stay.

use http::Uri;
use http::uri::{Parts, PathAndQuery};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The characters that stay encoded in a route's path.
const ROUTE: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// Normalises the path of a URI. `None` for an escape that is broken, that hides a NUL, a slash or a backslash, or that
/// is not UTF-8. Such a path is unknown, because a proxy in front may take it for a different one.
pub(super) fn normalised(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let plain = !path.contains('%');
    if plain && (path == "/" || !path.ends_with('/')) && uri.authority().is_none() {
        return Some(uri.clone());
    }
    let decoded = if plain { path.into() } else { decoded(path)? };
    let path = if decoded.len() > 1 { decoded.strip_suffix('/').unwrap_or(&decoded) } else { &decoded };
    let mut target = utf8_percent_encode(path, ROUTE).to_string();
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = Parts::default();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

fn decoded(path: &str) -> Option<std::borrow::Cow<'_, str>> {
    let escapes = path.split('%').skip(1);
    let good = |escape: &str| {
        let digits = escape.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| {
            let hidden = [b"00", b"2f", b"5c"].iter().any(|hidden| digits.eq_ignore_ascii_case(*hidden));
            !hidden && digits.iter().all(u8::is_ascii_hexdigit)
        })
    };
    if !escapes.into_iter().all(good) {
        return None;
    }
    percent_decode_str(path).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_escapes_reach_the_same_route() {
        for (written, route) in [
            ("/api/users/me", Some("/api/users/me")),
            ("/api/users/me/", Some("/api/users/me")),
            ("/api/users/me/?fields=id", Some("/api/users/me?fields=id")),
            ("/api/users/%6de", Some("/api/users/me")),
            ("/api/users%2Fme", None),
            ("/api/users/me%2f", None),
            ("/api/users%5Cme", None),
            ("/api/users/me%5c", None),
            ("/api/users%252Fme", Some("/api/users%252Fme")),
            ("http://host/api/users/me", Some("/api/users/me")),
            ("/api/users/me//", Some("/api/users/me/")),
            ("/api//users/me", Some("/api//users/me")),
            ("/", Some("/")),
            ("/%", None),
            ("/%4", None),
            ("/%zz", None),
            ("/a%00", None),
            ("/%ff", None),
            ("/a%3Fb%20c", Some("/a%3Fb%20c")),
        ] {
            let uri: Uri = written.parse().unwrap();
            assert_eq!(normalised(&uri).map(|uri| uri.to_string()).as_deref(), route, "{written}");
        }
    }
}
