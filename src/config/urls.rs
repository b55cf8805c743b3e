//! The types of settings that are URLs or parts of one.
//!
//! A password in a URL is never printed. Never in here: the use of a URL.

use std::fmt;

use zeroize::Zeroizing;

use super::hosts::split_host;
use super::values::SettingType;
use crate::postgres_url::{FORM, PostgresUrl, UrlError};

/// The URL of a PostgreSQL database. Its password is not printed, and is wiped from memory when the value is dropped.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: Zeroizing<String>,
    shown: String,
}

impl DatabaseUrl {
    /// Returns the whole URL with its password, for connecting.
    pub fn expose(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

impl SettingType for DatabaseUrl {
    type Parsed = Self;
    const NAME: &'static str = "URL";
    const SECRET: bool = true;

    fn allowed() -> String {
        FORM.into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let parsed = PostgresUrl::parse(text).map_err(|_| text.to_owned())?;
        Ok(Self { url: Zeroizing::new(text.to_owned()), shown: parsed.shown().to_owned() })
    }

    fn reason(text: &str) -> Option<String> {
        match PostgresUrl::parse(text) {
            Err(UrlError::Refused(why)) => Some(why),
            Err(UrlError::Malformed) | Ok(_) => None,
        }
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
    /// Returns the URL without a final slash, such as `https://accounts.example.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the host, with the port if there is one, as in a Host header.
    pub fn host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }
}

impl SettingType for PublicUrl {
    type Parsed = Self;
    const NAME: &'static str = "URL";

    fn allowed() -> String {
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

/// The URL path of media files, or their absolute URL.
#[derive(Debug)]
pub enum MediaUrl {}

impl SettingType for MediaUrl {
    type Parsed = String;
    const NAME: &'static str = "PREFIX";

    fn allowed() -> String {
        "a path that begins and ends with '/', such as /media/, of letters, digits, '-', '.', '_' and '~', or such a path \
         after http:// or https:// and a host, such as https://cdn.example.com/media/"
            .into()
    }

    fn parse(text: &str) -> Result<String, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let segment = |part: &str| !["", ".", ".."].contains(&part) && part.bytes().all(plain);
        let is_path = |path: &str| {
            let inner = path.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
            inner.is_some_and(|inner| inner.split('/').all(segment))
        };
        let (origin, path) = match text.split_once("://") {
            Some((scheme, rest)) => {
                let host = rest.find('/').unwrap_or(rest.len());
                text.split_at_checked(scheme.len() + 3 + host).unwrap_or((text, ""))
            }
            None => ("", text),
        };
        // A whole host may be for files.
        let allowed = match origin {
            "" => is_path(path),
            origin => PublicUrl::parse(origin).is_ok() && (matches!(path, "" | "/") || is_path(path)),
        };
        match allowed {
            true if path.is_empty() => Ok(format!("{text}/")),
            true => Ok(text.into()),
            false => Err(text.into()),
        }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}
