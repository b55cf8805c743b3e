//! Who is asking: from the `Authorization` header to an argument of the handler.
//!
//! The header is read as Django REST Framework reads it, byte for byte; no other place is looked at
//! for a key. Handlers take [`Staff`]; they never see the header.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

use super::app::App;
use super::error::ApiError;
use super::throttle;
use crate::directory::access::{Who, holds};
use crate::directory::{Actor, Bearer, Denial, Identity, Origin, Unauthenticated};
use crate::telemetry::OutcomeLabels;

const NOT_PROVIDED: &str = "Authentication credentials were not provided.";

/// What an `Authorization` header presents.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    /// No header, an empty one, or another scheme.
    Nothing,
    /// A key of unknown worth.
    Key(&'a str),
    /// Our scheme, wrongly used; the text says how.
    Malformed(&'static str),
}

/// Whoever sent a good key; put into the request once its credentials are checked.
#[derive(Clone)]
pub struct Caller(pub Arc<Identity>);

/// Credentials that are not good.
pub struct Rejected {
    /// How it is answered.
    pub failure: ApiError,
    /// Whose token was presented, if that is known.
    pub bearer: Option<Bearer>,
}

/// Reads the header and confirms the key. `None` is nobody, which some routes allow.
pub async fn identify(app: &App, headers: &HeaderMap) -> Result<Option<Caller>, Rejected> {
    let joined = authorization(headers);
    let key = match parse(&joined) {
        Presented::Nothing => return Ok(None),
        Presented::Malformed(detail) => {
            return Err(Rejected { failure: ApiError::Unauthenticated(detail), bearer: None });
        }
        Presented::Key(key) => key,
    };
    match app.directory().authenticate(key).await {
        Ok(identity) => {
            count(app, "accepted");
            Ok(Some(Caller(identity)))
        }
        Err(refused) => Err(Rejected { bearer: refused.bearer(), failure: refusal(app, refused) }),
    }
}

/// Why a key opened nothing, as it is answered; counted.
pub(super) fn refusal(app: &App, refused: Unauthenticated) -> ApiError {
    let (outcome, failure) = match refused {
        Unauthenticated::InvalidToken(_) => ("refused", ApiError::Unauthenticated("Invalid token.")),
        Unauthenticated::Inactive(_) => ("refused", ApiError::Unauthenticated("User inactive or deleted.")),
        Unauthenticated::Failed(error) => ("failed", error.into()),
    };
    count(app, outcome);
    failure
}

/// Counts what came of a key that was presented.
pub(super) fn count(app: &App, outcome: &'static str) {
    app.metrics().authentications.get_or_create(&OutcomeLabels { outcome }).inc();
}

/// All `Authorization` lines joined with commas, as the gateway interface below the framework does; two
/// lines never make a good header.
fn authorization(headers: &HeaderMap) -> Vec<u8> {
    let lines: Vec<_> =
        headers.get_all(header::AUTHORIZATION).iter().map(http::HeaderValue::as_bytes).collect();
    lines.join(&b","[..])
}

pub(super) fn parse(header: &[u8]) -> Presented<'_> {
    // As nearly everybody writes it, the rest of the header is the key.
    if let Some(key) = header.strip_prefix(b"Token ")
        && !key.is_empty()
        // Without stopping at the first: several bytes at a step.
        && key.iter().fold(true, |good, byte| good & byte.is_ascii_graphic())
    {
        return std::str::from_utf8(key).map_or(Presented::Nothing, Presented::Key);
    }
    // Python's bytes.split(): ASCII blanks alone; no Unicode blank separates or is trimmed.
    let mut parts = header.split(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).filter(|part| !part.is_empty());
    if !parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"token")) {
        return Presented::Nothing;
    }
    match (parts.next(), parts.next()) {
        (None, _) => Presented::Malformed("Invalid token header. No credentials provided."),
        (Some(_), Some(_)) => {
            Presented::Malformed("Invalid token header. Token string should not contain spaces.")
        }
        (Some(key), None) => match std::str::from_utf8(key) {
            Ok(key) => Presented::Key(key),
            Err(_) => Presented::Malformed(
                "Invalid token header. Token string should not contain invalid characters.",
            ),
        },
    }
}

/// Anybody who sent a good key: who asks, and from where. What they may do, the directory decides.
pub struct Authenticated(pub Actor);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().ok_or(ApiError::Unauthenticated(NOT_PROVIDED))?;
        throttle::count(app, parts, caller.0.token.id)?;
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        Ok(Self(Actor { who: Who::Person(Arc::clone(&caller.0)), origin }))
    }
}

/// Somebody who holds the permission of this code, asked before the body is read. Whether it suffices for
/// the object in question, the directory decides.
pub struct Holding<const CODE: i64>(pub Actor);

impl<const CODE: i64> FromRequestParts<App> for Holding<CODE> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().ok_or(ApiError::Unauthenticated(NOT_PROVIDED))?;
        if !holds(&caller.0, CODE) {
            return Err(ApiError::Forbidden(Denial::NoRight.to_string()));
        }
        let Authenticated(actor) = Authenticated::from_request_parts(parts, app).await?;
        Ok(Self(actor))
    }
}

/// A caller who may enter the back office: staff or admin.
pub struct Staff(pub Arc<Identity>);

impl FromRequestParts<App> for Staff {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().ok_or(ApiError::Unauthenticated(NOT_PROVIDED))?;
        let user = &caller.0.user;
        if user.is_staff || user.is_admin {
            throttle::count(app, parts, caller.0.token.id)?;
            Ok(Self(Arc::clone(&caller.0)))
        } else {
            Err(ApiError::Forbidden(Denial::NoRight.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";

    #[test]
    fn good_spellings_present_the_key() {
        for good in [format!("Token {KEY}"), format!("tOkEn\t \t{KEY}"), format!("  TOKEN {KEY}  \t")] {
            assert_eq!(parse(good.as_bytes()), Presented::Key(KEY), "{good:?}");
        }
        assert_eq!(
            parse(format!("Token {KEY}\u{3000}").as_bytes()),
            Presented::Key(&format!("{KEY}\u{3000}"))
        );
    }

    #[test]
    fn other_schemes_present_nothing() {
        for other in [
            "",
            "  ",
            "Bearer x",
            "Basic x y z",
            &format!("Token{KEY}"),
            "Token: k",
            "Token, k",
            "Token=k",
            KEY,
            "To\u{212a}en k",
        ] {
            assert_eq!(parse(other.as_bytes()), Presented::Nothing, "{other:?}");
        }
    }

    #[test]
    fn wrong_use_of_the_scheme_is_told_in_the_framework_s_order() {
        let told = |header: &[u8]| match parse(header) {
            Presented::Malformed(text) => text.trim_start_matches("Invalid token header. ").to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(told(b"Token"), "No credentials provided.");
        assert_eq!(told(b"Token \t "), "No credentials provided.");
        assert_eq!(told(b"Token \xff \xff"), "Token string should not contain spaces.");
        assert_eq!(told(b"Token a\xffb"), "Token string should not contain invalid characters.");
        assert_eq!(told(b"Token \xed\xa0\x80"), "Token string should not contain invalid characters.");
    }

    #[test]
    fn two_lines_never_make_a_good_header() {
        let two = |first: &str, second: &str| {
            let lines = [first, second].map(|line| (header::AUTHORIZATION, line.parse().unwrap()));
            authorization(&lines.into_iter().collect())
        };
        let good = format!("Token {KEY}");
        assert!(matches!(parse(&two(&good, &good)), Presented::Malformed(_)));
        assert_eq!(parse(&two("Bearer x", &good)), Presented::Nothing);
        assert_eq!(parse(&two("", &good)), Presented::Nothing);
        assert_eq!(parse(&two(&good, "")), Presented::Key(&format!("{KEY},")));
    }

    proptest! {
        #[test]
        fn a_key_comes_out_as_it_went_in(key in "[!-~]{1,60}", before in "[ \t]{0,4}", between in "[ \t]{1,4}", after in "[ \t]{0,4}") {
            let header = format!("{before}Token{between}{key}{after}");
            prop_assert_eq!(parse(header.as_bytes()), Presented::Key(&key));
        }

        #[test]
        fn what_is_taken_for_a_key_has_no_blank_and_follows_the_scheme(header in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Presented::Key(key) = parse(&header) {
                prop_assert!(!key.is_empty() && !key.bytes().any(|b| b.is_ascii_whitespace()));
                let text = header.to_ascii_lowercase();
                prop_assert!(text.trim_ascii_start().starts_with(b"token") || text.starts_with(b"\x0b"));
            }
        }
    }
}
