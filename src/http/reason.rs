//! Why a request was refused, for the log.
//!
//! A client gets a short text that gives nothing away; the operator gets the reason, in the request's line in the log. Never
//! in a reason: a key, a password, or text of a body. Of a key, a reason has the first and last characters that a list of
//! tokens also shows.

use std::borrow::Cow;

use crate::directory::model::{TokenDigest, TokenKey, UserId};
use crate::directory::{TokenEnd, Unauthenticated};

/// How many characters of a client's text a reason has.
const TEXT_MAX: usize = 256;
/// Words that may precede a key. Any other word may itself be a key.
const SCHEMES: [&str; 10] =
    ["apikey", "basic", "bearer", "digest", "dpop", "jwt", "key", "negotiate", "ntlm", "oauth"];

/// Why a request was refused. It is kept with the answer until the request is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// The reason, a phrase.
    pub(super) why: Cow<'static, str>,
    /// The first and last characters of the key that was presented.
    pub(super) shown_key: Option<String>,
    /// The user that the request was for, if it came with no token of that user.
    pub(super) account: Option<UserId>,
}

impl Reason {
    /// A reason that concerns no key.
    pub(super) fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), shown_key: None, account: None }
    }

    /// A reason that concerns this key.
    fn about(key: &str, why: impl Into<Cow<'static, str>>) -> Self {
        Self { shown_key: Some(shown_key(key)), ..Self::new(why) }
    }

    /// Why a sign-in was refused. Without a reason of its own, it is the error's. It never has the username: where no
    /// user has it, it may be a password that was typed into the wrong field.
    pub(super) fn of_sign_in(self, why: Option<&'static str>, account: Option<UserId>) -> Self {
        Self { why: why.map_or(self.why, Cow::Borrowed), account, ..self }
    }

    /// Why a key was refused.
    pub(super) fn of_key(key: &str, refused: &Unauthenticated) -> Self {
        let why = match refused {
            Unauthenticated::InvalidToken(None) if TokenDigest::of_presented(key).is_none() => {
                "no key has this form: it is mistyped, cut off or too long"
            }
            Unauthenticated::InvalidToken(None) => "the key is unknown",
            Unauthenticated::InvalidToken(Some(ended)) => match ended.why {
                TokenEnd::Revoked => "the token is revoked",
                TokenEnd::Expired => "the token has expired",
                TokenEnd::Outside => "the client is outside the networks that the token may be used from",
                TokenEnd::Nowhere => {
                    "the token may be used from some networks only, and the client's address is not known: a trusted proxy sent \
                     no X-Forwarded-For, one that cannot be read, or only addresses of trusted proxies"
                }
                TokenEnd::Idle => "the sign-in was not used for longer than sign_in_idle_timeout",
                TokenEnd::Browser => "the key is that of a browser session, which opens the admin site alone",
            },
            Unauthenticated::Inactive(_) => "the token's owner is not active",
            Unauthenticated::Failed(error) => {
                return Self::new(format!("the key could not be looked up: {error}"));
            }
        };
        Self::about(key, why)
    }

    /// Why an `Authorization` header without a key was not taken for credentials.
    pub(super) fn of_other_header(header: Option<&[u8]>) -> Self {
        let Some(header) = header else { return Self::new("there is no Authorization header") };
        let mut words = header.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (first, second) = (words.next(), words.next());
        let Some(first) = first.map(String::from_utf8_lossy) else {
            return Self::new("the Authorization header is empty");
        };
        match second {
            _ if SCHEMES.contains(&first.to_ascii_lowercase().as_str()) => {
                Self::new(format!("the Authorization header has the scheme {first} instead of Token"))
            }
            Some(_) => Self::new("the Authorization header has another scheme than Token"),
            None => {
                Self::about(&first, "the Authorization header has no scheme: \"Token \" must precede the key")
            }
        }
    }
}

/// Shows what a list of tokens shows of a key: its first and last characters.
fn shown_key(key: &str) -> String {
    // A longer text is no key, and need not be read to its end.
    let key = TokenKey::imported(key.chars().take(TEXT_MAX).collect());
    format!("{}...{}", key.prefix(), key.last_four())
}

/// Shows the beginning of a client's text.
pub(super) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(..TEXT_MAX * 4).unwrap_or(text)).chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";

    #[test]
    fn a_header_that_is_not_ours_is_explained_and_never_quoted() {
        let of = |header: &str| {
            let Reason { why, shown_key, .. } = Reason::of_other_header(Some(header.as_bytes()));
            format!("{why} {}", shown_key.unwrap_or_default())
        };
        assert!(of("Bearer abc").contains("the scheme Bearer"));
        assert!(of("basic").contains("the scheme basic"));
        assert!(of(" \t").contains("is empty"));
        assert!(of(KEY).ends_with("no scheme: \"Token \" must precede the key f4e7...2070"), "{}", of(KEY));
        for secret in ["hunter2", "hunter2 x", "hunter2hunter2 Token", KEY, &format!("{KEY} {KEY}")] {
            let words: Vec<_> = secret.split(' ').collect();
            assert!(!words.iter().any(|word| word.len() > 5 && of(secret).contains(word)), "{}", of(secret));
        }
        assert_eq!(Reason::of_other_header(None).why, "there is no Authorization header");
    }

    #[test]
    fn of_a_key_a_third_is_shown_at_most() {
        for (key, expected) in [
            (KEY, "f4e7...2070"),
            ("wrd_nonsense", "w..."),
            ("hunter2", "..."),
            ("", "..."),
            ("a secret of 20 chars", "a s...ars"),
            ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", "\u{e9}..."),
        ] {
            assert_eq!(shown_key(key), expected);
        }
        assert_eq!(shown_key(&"x".repeat(100_000)), "xxxx...xxxx");
        assert_eq!(shown(&[b'x'; 5_000]).len(), TEXT_MAX);
    }
}
