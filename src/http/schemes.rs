//! The schemes of `Authorization` that a route accepts. Programs of other people have no choice of theirs.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{SettingType, TokenKeywords};

/// The schemes that a route accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schemes {
    /// The words of `token_keywords`.
    Settings,
    /// Also `Token`, `Bearer`, and the password of `Basic`.
    Any,
}

/// The words that are accepted beside those of `token_keywords`.
pub(super) static TOKEN_AND_BEARER: LazyLock<TokenKeywords> =
    LazyLock::new(|| <TokenKeywords as SettingType>::parse("Token,Bearer").unwrap_or_default());

/// Reads the password of a header with the scheme `Basic` (RFC 7617); `None` if it has another scheme. The texts are
/// Django REST Framework's.
pub(super) fn basic_password(header: &[u8]) -> Result<Option<String>, &'static str> {
    let mut parts = header.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
    if !parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic")) {
        return Ok(None);
    }
    let credentials = match (parts.next(), parts.next()) {
        (None, _) => return Err("Invalid basic header. No credentials provided."),
        (Some(_), Some(_)) => {
            return Err("Invalid basic header. Credentials string should not contain spaces.");
        }
        (Some(credentials), None) => credentials,
    };
    let text = STANDARD.decode(credentials).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let password = text.as_ref().and_then(|text| text.split_once(':')).map(|(_, password)| password);
    match password {
        None => Err("Invalid basic header. Credentials not correctly base64 encoded."),
        Some("") => Err("Invalid basic header. No credentials provided."),
        Some(password) => Ok(Some(password.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";

    #[test]
    fn of_basic_credentials_the_password_is_the_key() {
        let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let read = |header: &str| basic_password(header.as_bytes());
        for user in ["", "service", "a b", "\u{e9}"] {
            assert_eq!(read(&header(&format!("{user}:{KEY}"))), Ok(Some(KEY.to_owned())), "{user}");
        }
        assert_eq!(read(&header("service:a:b")), Ok(Some("a:b".to_owned())));
        assert_eq!(read(&header("x:y").replacen("Basic ", " bASIC\t", 1)), Ok(Some("y".to_owned())));
        for other in ["", "Token x", "Basics x", "Bearer x"] {
            assert_eq!(read(other), Ok(None), "{other}");
        }
        for (bad, why) in [
            ("Basic".to_owned(), "No credentials provided."),
            (header("service:"), "No credentials provided."),
            ("Basic a b".to_owned(), "Credentials string should not contain spaces."),
            ("Basic !".to_owned(), "Credentials not correctly base64 encoded."),
            (header("no colon"), "Credentials not correctly base64 encoded."),
            (format!("{},{}", header("a:b"), header("c:d")), "Credentials string should not contain spaces."),
            (format!("{},", header("a:b")), "Credentials not correctly base64 encoded."),
            (format!("Basic {}", STANDARD.encode(b"a:\xff")), "Credentials not correctly base64 encoded."),
        ] {
            let refused = read(&bad).unwrap_err();
            assert_eq!(refused, format!("Invalid basic header. {why}"), "{bad}");
        }
    }
}
