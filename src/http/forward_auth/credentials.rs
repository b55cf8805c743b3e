//! The key in the `Authorization` header of a client whose proxy asks. Clients behind a proxy are of every kind, so more
//! schemes are read than on other routes: `Bearer`, and `Basic` with the key as password or as user name.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{SettingType, TokenKeywords};
use crate::http::caller::{NOT_PROVIDED, Presented, parse};

static BEARER: LazyLock<TokenKeywords> =
    LazyLock::new(|| TokenKeywords::parse("Token,Bearer").unwrap_or_default());

/// Returns the key, or the text of the answer.
pub(in crate::http) fn credentials<'a>(
    header: &'a [u8],
    keywords: &TokenKeywords,
) -> Result<Cow<'a, str>, &'static str> {
    match parse(header, keywords) {
        Presented::Key(key) => Ok(key.into()),
        Presented::Malformed(detail) => Err(detail),
        Presented::Nothing => match parse(header, &BEARER) {
            Presented::Key(key) => Ok(key.into()),
            Presented::Malformed(detail) => Err(detail),
            Presented::Nothing => basic(header),
        },
    }
}

/// Reads `Basic` (RFC 7617) with the framework's texts. The key is the password; without one it is the user name.
fn basic<'a>(header: &[u8]) -> Result<Cow<'a, str>, &'static str> {
    let mut parts = header.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
    if !parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic")) {
        return Err(NOT_PROVIDED);
    }
    let encoded = match (parts.next(), parts.next()) {
        (None, _) => return Err("Invalid basic header. No credentials provided."),
        (Some(_), Some(_)) => {
            return Err("Invalid basic header. Credentials string should not contain spaces.");
        }
        (Some(encoded), None) => encoded,
    };
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) = pair.ok_or("Invalid basic header. Credentials not correctly base64 encoded.")?;
    match (user, password) {
        ("", "") => Err("Invalid basic header. No credentials provided."),
        (key, "") | (_, key) => Ok(key.to_owned().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(header: &str) -> Result<String, &'static str> {
        credentials(header.as_bytes(), &TokenKeywords::default()).map(Cow::into_owned)
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn a_key_is_read_in_every_scheme() {
        for header in ["Token k", "token k", "TOKEN  k", "Bearer k", "bearer k", "bEaReR\tk"] {
            assert_eq!(key(header).as_deref(), Ok("k"), "{header}");
        }
        for pair in ["ann:k", ":k", "k:"] {
            assert_eq!(key(&basic(pair)).as_deref(), Ok("k"), "{pair}");
        }
        assert_eq!(key(&basic("ann:k:l")).as_deref(), Ok("k:l"), "a password may have a colon");
        assert_eq!(key(&basic("ann:k").replace("Basic", "bASIC")).as_deref(), Ok("k"));
    }

    #[test]
    fn what_is_no_key_has_the_text_of_the_framework() {
        for (header, text) in [
            ("", NOT_PROVIDED),
            ("Digest k", NOT_PROVIDED),
            ("k", NOT_PROVIDED),
            ("Token", "Invalid token header. No credentials provided."),
            ("Bearer", "Invalid token header. No credentials provided."),
            ("Bearer a b", "Invalid token header. Token string should not contain spaces."),
            ("Basic", "Invalid basic header. No credentials provided."),
            ("Basic YTpi YTpi", "Invalid basic header. Credentials string should not contain spaces."),
            ("Basic !", "Invalid basic header. Credentials not correctly base64 encoded."),
            ("Basic YQ==", "Invalid basic header. Credentials not correctly base64 encoded."),
            ("Basic Og==", "Invalid basic header. No credentials provided."),
            ("Basic //86Lw==", "Invalid basic header. Credentials not correctly base64 encoded."),
        ] {
            assert_eq!(key(header), Err(text), "{header}");
        }
    }
}
