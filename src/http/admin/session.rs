//! The cookie of a browser session.
//!
//! Its value is the key of a token of the kind `browser`. It has the prefix `__Host-` wherever browsers accept that: over
//! HTTPS and on `localhost`. Elsewhere no one can sign in unless the setting `admin_insecure` says so.

use std::sync::Arc;

use http::header::InvalidHeaderValue;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::look::cookie;
use crate::directory::model::TokenKey;
use crate::directory::{Identity, Origin, Unauthenticated};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::site::Site;

const SECURE: &str = "__Host-wardroom";
const INSECURE: &str = "wardroom";
const SECURE_FLAG: &str = "; Secure";

/// How the cookie of a session is called and protected at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionCookie {
    name: &'static str,
    secure: &'static str,
}

impl SessionCookie {
    /// Returns the cookie of a site; `None` where no one can sign in.
    pub(super) fn of(app: &App, site: &Site) -> Option<Self> {
        match site.is_trustworthy() {
            true => Some(Self { name: SECURE, secure: SECURE_FLAG }),
            false => app.settings().admin_insecure.then_some(Self { name: INSECURE, secure: "" }),
        }
    }

    /// Makes the cookie of a key.
    pub(super) fn set(self, key: &TokenKey) -> Result<HeaderValue, InvalidHeaderValue> {
        let Self { name, secure } = self;
        let mut value = HeaderValue::try_from(format!(
            "{name}={}; Path=/{secure}; HttpOnly; SameSite=Lax",
            key.reveal()
        ))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Makes the cookie that removes it.
    pub(super) fn remove(self) -> Result<HeaderValue, InvalidHeaderValue> {
        let Self { name, secure } = self;
        HeaderValue::try_from(format!("{name}=; Path=/{secure}; HttpOnly; SameSite=Lax; Max-Age=0"))
    }

    /// Returns the cookie that a request has sent, valid or not.
    pub(super) fn sent(headers: &HeaderMap) -> Option<Self> {
        let known = [Self { name: SECURE, secure: SECURE_FLAG }, Self { name: INSECURE, secure: "" }];
        known.into_iter().find(|cookie| cookie.key(headers).is_some())
    }

    fn key(self, headers: &HeaderMap) -> Option<&str> {
        cookie(headers, self.name).filter(|key| !key.is_empty())
    }
}

/// The person whose session a request belongs to.
#[derive(Clone, Default)]
pub(super) struct Session {
    /// The person; `None` without a session that is valid.
    pub(super) identity: Option<Arc<Identity>>,
    /// Whether a cookie was sent that is not valid any more.
    pub(super) has_ended: bool,
}

/// Finds the session of a request.
pub(super) async fn find(app: &App, parts: &Parts, site: &Site) -> Result<Session, ApiError> {
    let cookie = SessionCookie::of(app, site);
    let Some(key) = cookie.and_then(|cookie| cookie.key(&parts.headers)) else {
        return Ok(Session::default());
    };
    let origin = parts.extensions.get::<Origin>();
    match app.directory().authenticate_browser(key, origin.and_then(Origin::client)).await {
        Ok(identity) => {
            app.directory().note_use_of(&identity, origin.and_then(Origin::ip));
            Ok(Session { identity: Some(identity), has_ended: false })
        }
        Err(Unauthenticated::InvalidToken(_) | Unauthenticated::Inactive(_)) => {
            Ok(Session { identity: None, has_ended: true })
        }
        Err(Unauthenticated::Failed(error)) => Err(error.into()),
    }
}
