//! How the site looks in a browser: colours, density, and whether single keys act. A cookie remembers it, so that pages without
//! a person, and pages about a database that is away, look the same.

use http::HeaderMap;
use http::header::COOKIE;

const NAME: &str = "wardroom-look";
const THEMES: [&str; 3] = ["auto", "light", "dark"];
const DENSITIES: [&str; 2] = ["comfortable", "compact"];
const KEYS: [&str; 2] = ["on", "off"];

/// How the site looks in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Look {
    /// `auto`, `light` or `dark`.
    pub(super) theme: &'static str,
    /// `comfortable` or `compact`.
    pub(super) density: &'static str,
    /// `on` or `off`.
    pub(super) keys: &'static str,
}

impl Default for Look {
    fn default() -> Self {
        Self { theme: "auto", density: "comfortable", keys: "on" }
    }
}

fn known(values: &[&'static str], given: &str) -> Option<&'static str> {
    values.iter().find(|value| **value == given).copied()
}

impl Look {
    /// Reads the cookie. What is not known is as if it was not sent.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        let default = Self::default();
        let Some(value) = cookie(headers, NAME) else { return default };
        let mut parts = value.split('.');
        let mut next = |values: &[&'static str]| known(values, parts.next().unwrap_or_default());
        Self {
            theme: next(&THEMES).unwrap_or(default.theme),
            density: next(&DENSITIES).unwrap_or(default.density),
            keys: next(&KEYS).unwrap_or(default.keys),
        }
    }

    /// Changes one part; `None` for a part or a value that does not exist.
    pub(super) fn with(self, name: &str, value: &str) -> Option<Self> {
        Some(match name {
            "theme" => Self { theme: known(&THEMES, value)?, ..self },
            "density" => Self { density: known(&DENSITIES, value)?, ..self },
            "keys" => Self { keys: known(&KEYS, value)?, ..self },
            _ => return None,
        })
    }

    /// Makes the cookie that remembers it.
    pub(super) fn cookie(self) -> String {
        let Self { theme, density, keys } = self;
        format!("{NAME}={theme}.{density}.{keys}; Path=/admin; Max-Age=31536000; HttpOnly; SameSite=Lax")
    }
}

/// Returns the value of the first cookie of a name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}
