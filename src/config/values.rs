//! The types of settings: which texts each allows, what a text is parsed into, and how a value is shown.
//!
//! Each rule is here once; the declaration in `config` names it with its limits. Never in here: the name or the default of a
//! setting, the source of a text, or a `show` that reveals a secret.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// A type of setting: converts between text and value.
pub trait SettingType {
    /// The parsed value.
    type Parsed;
    /// The placeholder in the help: `--listen <ADDRESSES>`.
    const NAME: &'static str;
    /// Whether the file may give an array of strings instead of one text with commas.
    const LIST: bool = false;
    /// Whether the text may hold a secret. No message quotes it then.
    const SECRET: bool = false;
    /// Describes the allowed texts in words that complete "use ...".
    fn allowed() -> String;
    /// Parses a text. The error is the part of it that is not allowed.
    fn parse(text: &str) -> Result<Self::Parsed, String>;
    /// Explains why a text is not allowed, without its secret, where `allowed` is not enough.
    fn reason(_text: &str) -> Option<String> {
        None
    }
    /// Formats a value for `config show`, without its secret.
    fn show(value: &Self::Parsed) -> String;
    /// Whether this value holds a secret.
    fn holds_secret(_value: &Self::Parsed) -> bool {
        false
    }
}

/// A setting that may be empty, which means "not set".
impl<V: SettingType> SettingType for Option<V> {
    type Parsed = Option<V::Parsed>;
    const NAME: &'static str = V::NAME;
    const LIST: bool = V::LIST;
    const SECRET: bool = V::SECRET;

    fn allowed() -> String {
        format!("{}, or an empty value", V::allowed())
    }

    fn parse(text: &str) -> Result<Self::Parsed, String> {
        if text.is_empty() { Ok(None) } else { V::parse(text).map(Some) }
    }

    fn reason(text: &str) -> Option<String> {
        V::reason(text)
    }

    fn show(value: &Self::Parsed) -> String {
        value.as_ref().map(V::show).unwrap_or_default()
    }

    fn holds_secret(value: &Self::Parsed) -> bool {
        value.as_ref().is_some_and(V::holds_secret)
    }
}

impl SettingType for PathBuf {
    type Parsed = Self;
    const NAME: &'static str = "PATH";

    fn allowed() -> String {
        "a path, such as /var/lib/wardroom".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') { Err(text.into()) } else { Ok(text.into()) }
    }

    fn show(value: &Self) -> String {
        value.display().to_string()
    }
}

/// A whole number within limits.
#[derive(Debug)]
pub enum Number<const MIN: u32, const MAX: u32> {}

impl<const MIN: u32, const MAX: u32> SettingType for Number<MIN, MAX> {
    type Parsed = u32;
    const NAME: &'static str = "NUMBER";

    fn allowed() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn parse(text: &str) -> Result<u32, String> {
        digits(text)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (MIN..=MAX).contains(number))
            .ok_or_else(|| text.into())
    }

    fn show(value: &u32) -> String {
        value.to_string()
    }
}

/// A time span within limits in milliseconds.
#[derive(Debug)]
pub enum TimeSpan<const MIN: u64, const MAX: u64> {}

impl<const MIN: u64, const MAX: u64> SettingType for TimeSpan<MIN, MAX> {
    type Parsed = Duration;
    const NAME: &'static str = "DURATION";

    fn allowed() -> String {
        let [min, max] = [MIN, MAX].map(|limit| Self::show(&Duration::from_millis(limit)));
        format!("a duration from {min} to {max} with its unit, such as 500ms, 10s or 1m")
    }

    fn parse(text: &str) -> Result<Duration, String> {
        let allowed = Duration::from_millis(MIN)..=Duration::from_millis(MAX);
        humantime::parse_duration(text).ok().filter(|span| allowed.contains(span)).ok_or_else(|| text.into())
    }

    fn show(value: &Duration) -> String {
        const DAY: u64 = 24 * 60 * 60;
        match value.as_secs() {
            // The library's months and years are not whole numbers of days.
            days if days >= 30 * DAY && *value == Duration::from_secs(days / DAY * DAY) => {
                format!("{}days", days / DAY)
            }
            _ => humantime::format_duration(*value).to_string(),
        }
    }
}

/// A maximum number of requests per time window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The number of requests.
    pub requests: u32,
    /// The time window.
    pub window: Duration,
}

const WINDOWS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];

impl SettingType for RateLimit {
    type Parsed = Self;
    const NAME: &'static str = "RATE";

    fn allowed() -> String {
        "a number from 1 to 1000000000 per second, minute, hour or day, such as 600/minute".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let rate = text.split_once('/').and_then(|(number, unit)| {
            let requests = digits(number).and_then(|number| u32::try_from(number).ok());
            let (_, seconds) = WINDOWS.iter().find(|(name, _)| *name == unit)?;
            let requests = requests.filter(|requests| (1..=1_000_000_000).contains(requests))?;
            Some(Self { requests, window: Duration::from_secs(*seconds) })
        });
        rate.ok_or_else(|| text.into())
    }

    fn show(value: &Self) -> String {
        let unit = WINDOWS.iter().find(|(_, seconds)| *seconds == value.window.as_secs());
        format!("{}/{}", value.requests, unit.map_or("second", |(name, _)| name))
    }
}

/// A number of bytes within limits.
#[derive(Debug)]
pub enum ByteSize<const MIN: usize, const MAX: usize> {}

const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl<const MIN: usize, const MAX: usize> SettingType for ByteSize<MIN, MAX> {
    type Parsed = usize;
    const NAME: &'static str = "BYTES";

    fn allowed() -> String {
        let [min, max] = [MIN, MAX].map(|limit| Self::show(&limit));
        format!("a number of bytes from {min} to {max}, such as 65536, 64KiB or 1MiB")
    }

    fn parse(text: &str) -> Result<usize, String> {
        let with_unit = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
        let (number, size) = with_unit.unwrap_or((text, 1));
        digits(number)
            .and_then(|number| usize::try_from(number).ok()?.checked_mul(size))
            .filter(|bytes| (MIN..=MAX).contains(bytes))
            .ok_or_else(|| text.into())
    }

    fn show(value: &usize) -> String {
        let unit = UNITS.iter().find(|(_, size)| *value >= *size && value.is_multiple_of(*size));
        unit.map_or_else(|| value.to_string(), |(unit, size)| format!("{}{unit}", value / size))
    }
}

/// Parses digits only: `u64::from_str` would also accept `+5`.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl SettingType for SocketAddr {
    type Parsed = Self;
    const NAME: &'static str = "ADDRESS";

    fn allowed() -> String {
        "an IP address and a port, such as 127.0.0.1:8000 or [::]:8000".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| text.into())
    }

    fn show(value: &Self) -> String {
        value.to_string()
    }
}

/// Words that passwords must not be based on, in lower case. More than a hundred would weaken the check: the estimate of
/// how guessable a password is depends on a word's position in the list.
#[derive(Debug)]
pub enum WordList {}

impl SettingType for WordList {
    type Parsed = Vec<String>;
    const NAME: &'static str = "WORDS";
    const LIST: bool = true;

    fn allowed() -> String {
        "up to 100 words of 3 to 64 characters, separated by commas, such as acme,roadrunner, or an empty value"
            .into()
    }

    fn parse(text: &str) -> Result<Vec<String>, String> {
        let allowed = |word: &str| (3..=64).contains(&word.chars().count()) && !word.contains('\0');
        let word = |word: &str| if allowed(word) { Ok(word.to_lowercase()) } else { Err(word.to_owned()) };
        let words: Vec<String> = items(text).map(word).collect::<Result<_, _>>()?;
        if words.len() > 100 { Err(text.into()) } else { Ok(words) }
    }

    fn show(value: &Vec<String>) -> String {
        joined(value)
    }
}

/// Which log lines are written, in the syntax of `EnvFilter`.
#[derive(Debug)]
pub enum LogLevel {}

impl SettingType for LogLevel {
    type Parsed = String;
    const NAME: &'static str = "FILTER";
    const LIST: bool = true;

    fn allowed() -> String {
        "error, warn, info, debug or trace, optionally per module, such as info,wardroom::http=debug".into()
    }

    fn parse(text: &str) -> Result<String, String> {
        // `EnvFilter` takes a single word that is not a level for a module, which would silence everything else.
        let is_directive = |part: &str| {
            let part = part.trim();
            part.contains('=') || (!part.is_empty() && part.parse::<LevelFilter>().is_ok())
        };
        let allowed = text.split(',').all(is_directive) && EnvFilter::builder().parse(text).is_ok();
        if allowed { Ok(text.into()) } else { Err(text.into()) }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

impl SettingType for bool {
    type Parsed = Self;
    const NAME: &'static str = "BOOLEAN";

    fn allowed() -> String {
        "true or false".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| text.into())
    }

    fn show(value: &Self) -> String {
        value.to_string()
    }
}

/// The value of `Strict-Transport-Security` (RFC 6797, section 6.1).
#[derive(Debug)]
pub enum Hsts {}

impl SettingType for Hsts {
    type Parsed = String;
    const NAME: &'static str = "POLICY";

    fn allowed() -> String {
        "max-age=SECONDS, optionally followed by includeSubDomains and preload, separated by semicolons"
            .into()
    }

    fn parse(text: &str) -> Result<String, String> {
        let mut directives = text.split(';').map(str::trim);
        let age = directives.next().and_then(|first| first.strip_prefix("max-age=")).and_then(digits);
        let known = |directive: &str| ["includeSubDomains", "preload"].contains(&directive);
        if age.is_some() && directives.all(known) { Ok(text.into()) } else { Err(text.into()) }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

/// Defines a setting with a few allowed texts.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])+ $variant,)+ }

        impl $crate::config::SettingType for $name {
            type Parsed = Self;
            const NAME: &'static str = "CHOICE";

            fn allowed() -> String {
                format!("one of {}", [$($text),+].join(", "))
            }

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(text.into()),
                }
            }

            fn show(value: &Self) -> String {
                match value { $(Self::$variant => $text,)+ }.into()
            }
        }
    };
}

pub(super) use choice;

choice! {
    /// The format of log lines.
    LogFormat {
        /// Readable text on a terminal, JSON otherwise.
        Auto = "auto",
        /// Readable text.
        Human = "human",
        /// One JSON object per line.
        Json = "json",
    }
}

choice! {
    /// Which requests are logged.
    AccessLog {
        /// None.
        None = "none",
        /// Those with a response of status 400 and above.
        Failures = "failures",
        /// All.
        All = "all",
    }
}

/// Splits a list into its items; an empty text is an empty list.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    let empty = text.trim().is_empty();
    text.split(',').map(str::trim).skip(usize::from(empty))
}

/// Joins items with commas.
pub(super) fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
