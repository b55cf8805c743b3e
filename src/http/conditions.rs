//! `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1): a change that was made from an older state than the
//! present one is refused with 412.
//!
//! The tag covers the fields that can be written. Fields that change by themselves (`is_online`, `last_login`,
//! `users_count`, names of groups) do not change the tag, because no edit is stale for that.

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::header::{ETAG, HeaderValue, IF_MATCH};
use http::request::Parts;

use super::app::App;
use super::error::ApiError;
use crate::directory::model::{Expected, Version};

const MALFORMED: ApiError =
    ApiError::BadRequest("The If-Match header is malformed: give * or entity tags in double quotes.");

/// The most entity tags of an If-Match; an object has only one.
const TAGS_MAX: usize = 100;
const TOO_MANY: ApiError = ApiError::BadRequest("The If-Match header may have at most 100 entity tags.");

/// Extracts the versions that a request expects; without the header it expects any.
pub(super) struct IfMatch(pub(super) Expected);

impl FromRequestParts<App> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let lines: Result<Vec<_>, _> =
            parts.headers.get_all(IF_MATCH).iter().map(|line| line.to_str().map_err(|_| MALFORMED)).collect();
        let lines = lines?;
        if lines.is_empty() { Ok(Self(Expected::Any)) } else { parse(&lines.join(",")).map(Self) }
    }
}

fn parse(list: &str) -> Result<Expected, ApiError> {
    if list.trim() == "*" {
        return Ok(Expected::Any);
    }
    let (mut versions, mut count) = (Vec::new(), 0);
    let mut rest = list.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let weak = rest.starts_with("W/");
        let opened = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"').ok_or(MALFORMED)?;
        let (tag, after) = opened.split_once('"').ok_or(MALFORMED)?;
        if count == TAGS_MAX {
            return Err(TOO_MANY);
        }
        count += 1;
        // A weak tag is allowed, and matches nothing by the strong comparison.
        if !weak {
            versions.push(tag.to_owned());
        }
        let next = after.trim_start_matches([' ', '\t']);
        if !next.is_empty() && !next.starts_with(',') {
            return Err(MALFORMED);
        }
        rest = next.trim_start_matches([' ', '\t', ',']);
    }
    Ok(Expected::OneOf(versions))
}

/// Adds the object's tag to an answer.
pub(super) fn tagged(mut response: Response, version: &Version) -> Response {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", version.as_str())) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_are_read_and_the_rest_is_refused() {
        let of = |tags: &[&str]| Expected::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect());
        for (header, expected) in [
            ("*", Expected::Any),
            (" * ", Expected::Any),
            ("\"a\"", of(&["a"])),
            ("\"a\" , \"b,c\",,\"\"", of(&["a", "b,c", ""])),
            ("W/\"a\", \"b\"", of(&["b"])),
            ("", of(&[])),
        ] {
            assert_eq!(parse(header).unwrap(), expected, "{header}");
        }
        assert!(parse(&"\"a\",".repeat(TAGS_MAX)).is_ok());
        assert!(parse(&"W/\"a\",".repeat(TAGS_MAX + 1)).is_err());
        for bad in ["a", "\"a", "\"a\" \"b\"", "*, \"a\"", "w/\"a\"", "'a'", "\"a\";"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
