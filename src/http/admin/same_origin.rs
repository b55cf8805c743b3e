//! Whether a form was sent by a page of this site.
//!
//! Browsers say so in `Sec-Fetch-Site`. One that does not, as over plain HTTP, sends `Origin` with every form. Both are
//! headers that no page can set. A request without either is refused: no form of this site comes without. There is no token
//! in the forms, which would need a session before sign-in, and would be one more secret in pages.

use http::HeaderMap;
use http::header::{HeaderName, ORIGIN, REFERER};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a form was refused, for the log and the audit trail.
pub(super) const REFUSED: &str = "The form was not sent by a page of this site.";

/// Whether the headers prove that a page of the site with this origin sent the request.
pub(super) fn is_proven(headers: &HeaderMap, origin: &str) -> bool {
    match only(headers, &SEC_FETCH_SITE) {
        SentHeader::One(site) => site == b"same-origin",
        SentHeader::None => match only(headers, &ORIGIN) {
            SentHeader::One(given) => given.eq_ignore_ascii_case(origin.as_bytes()),
            SentHeader::None | SentHeader::Several => false,
        },
        SentHeader::Several => false,
    }
}

/// Whether a page of the site with this origin has led here: by a link, or by the redirect after a form. Only then does a page
/// say what was done, and offer to undo it; a link from elsewhere could lie. Without `Sec-Fetch-Site`, the `Referer` says it.
pub(super) fn leads_here(headers: &HeaderMap, origin: &str) -> bool {
    match only(headers, &SEC_FETCH_SITE) {
        SentHeader::One(site) => site == b"same-origin",
        SentHeader::None => match only(headers, &REFERER) {
            SentHeader::One(page) => {
                page.strip_prefix(origin.as_bytes()).is_some_and(|path| path.starts_with(b"/"))
            }
            SentHeader::None | SentHeader::Several => false,
        },
        SentHeader::Several => false,
    }
}

enum SentHeader<'a> {
    None,
    One(&'a [u8]),
    Several,
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> SentHeader<'a> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => SentHeader::None,
        (Some(line), None) => SentHeader::One(line.as_bytes()),
        (Some(_), Some(_)) => SentHeader::Several,
    }
}
