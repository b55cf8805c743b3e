//! Settings that are URLs, or parts of one.
//!
//! A secret in one is never printed. Never in here: what a URL is used for.

use std::fmt;

use zeroize::Zeroizing;

use super::hosts::split_host;
use super::values::Value;

/// Where a PostgreSQL database is, and the password to it, which is neither printed nor left in memory.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: Zeroizing<String>,
    shown: String,
}

impl DatabaseUrl {
    /// The whole URL, password included: only for the one who connects.
    pub fn expose(&self) -> &str {
        &self.url
    }

    /// The URL with `***` for a password. A raw `@` in a password would let the parser and this function
    /// disagree where the secret ends, so there may be one only, and what is left must hold no password.
    fn redacted(url: &str) -> Option<String> {
        if url.contains(char::is_control) {
            return None;
        }
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        let scheme = url.strip_suffix(rest)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (open, shown) = match rest.split_once('@') {
            None => (rest.to_owned(), rest.to_owned()),
            Some((_, place)) if !authority.contains('@') || place.contains('@') => return None,
            Some((login, place)) => match login.split_once(':') {
                Some((user, password)) if !password.is_empty() => {
                    (format!("{user}@{place}"), format!("{user}:***@{place}"))
                }
                _ => (rest.to_owned(), rest.to_owned()),
            },
        };
        let config: tokio_postgres::Config = format!("{scheme}{open}").parse().ok()?;
        let complete = !config.get_hosts().is_empty() || !config.get_hostaddrs().is_empty();
        let secretless = config.get_password().is_none_or(<[u8]>::is_empty);
        (complete && secretless).then(|| format!("{scheme}{shown}"))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

impl Value for DatabaseUrl {
    type Is = Self;
    const NAME: &'static str = "URL";
    const SECRET: bool = true;

    fn form() -> String {
        "postgres://user:password@host:port/name with %-escapes for special characters in the password".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let shown = Self::redacted(text).filter(|_| text.parse::<tokio_postgres::Config>().is_ok());
        let url = Zeroizing::new(text.to_owned());
        shown.map(|shown| Self { url, shown }).ok_or_else(|| text.into())
    }

    fn show(value: &Self) -> String {
        value.shown.clone()
    }

    fn holds_secret(value: &Self) -> bool {
        *value.url != value.shown
    }
}

/// The base of absolute URLs: scheme and host in lower case, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Such as `https://accounts.example.com`, ready to be followed by a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, with the port if there is one, as a Host header has it.
    pub fn host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }
}

impl Value for PublicUrl {
    type Is = Self;
    const NAME: &'static str = "URL";

    fn form() -> String {
        "http:// or https:// and a host, such as https://accounts.example.com, without path or query".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let url = text.to_ascii_lowercase();
        let url = url.strip_suffix('/').unwrap_or(&url);
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let allowed = host.and_then(split_host).is_some_and(|(name, port)| {
            !name.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok())
        });
        if allowed { Ok(Self(url.into())) } else { Err(text.into()) }
    }

    fn show(value: &Self) -> String {
        value.0.clone()
    }
}

/// The path under which the media files are served.
#[derive(Debug)]
pub enum MediaUrl {}

impl Value for MediaUrl {
    type Is = String;
    const NAME: &'static str = "PREFIX";

    fn form() -> String {
        "a path that begins and ends with '/', such as /media/, of letters, digits, '-', '.', '_' and '~'"
            .into()
    }

    fn parse(text: &str) -> Result<String, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let segment = |part: &str| !["", ".", ".."].contains(&part) && part.bytes().all(plain);
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let allowed = inner.is_some_and(|inner| inner.split('/').all(segment));
        if allowed { Ok(text.into()) } else { Err(text.into()) }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}
