//! How the site looks in a browser: colours, density, and whether single keys act. A cookie remembers it, so that pages without
//! a person, and pages about a database that is away, look the same.

use axum::extract::State;
use axum::response::Response;
use http::header::{COOKIE, REFERER};
use http::{HeaderMap, HeaderValue};

use super::responses::{see_other, with_cookie};
use super::safe_path::within_site;
use super::visit::Stranger;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

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

    /// Changes one part.
    fn with(self, name: &str, value: &str) -> Option<Self> {
        Some(match name {
            "theme" => Self { theme: known(&THEMES, value)?, ..self },
            "density" => Self { density: known(&DENSITIES, value)?, ..self },
            "keys" => Self { keys: known(&KEYS, value)?, ..self },
            _ => return None,
        })
    }

    fn cookie(self) -> String {
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

/// `POST /admin/look`: changes how the site looks, and returns to the page that the form was on.
pub(super) async fn change(
    State(_): State<App>,
    stranger: Stranger,
    headers: HeaderMap,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let mut look = stranger.look;
    for name in ["theme", "density", "keys"] {
        if let Some(value) = fields.text(name) {
            look = look.with(name, &value).ok_or(ApiError::BadRequest("This is no way to show the site."))?;
        }
    }
    fields.end()?;
    let referer = headers.get(REFERER).and_then(|line| line.to_str().ok());
    let path = referer.and_then(|url| url.strip_prefix(stranger.site.origin()));
    Ok(with_cookie(see_other(within_site(path.unwrap_or_default())), HeaderValue::try_from(look.cookie())))
}
