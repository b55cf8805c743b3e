//! The cookie that binds a one-time code to the client that asked for it. It is worth nothing without the code.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::header::{COOKIE, InvalidHeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::app::App;
use super::error::ApiError;
use super::site::Site;
use crate::directory::model::CodeTicket;

const NAME: &str = "wardroom-otp";
/// No other path gets it.
const PATH: &str = "/api/users/auth/otp";

/// How the cookie is protected at a site.
#[derive(Clone, Copy)]
pub(super) struct TicketCookie {
    secure: &'static str,
}

impl TicketCookie {
    /// Returns the cookie of a site. Browsers drop a cookie with `Secure` that came over plain HTTP.
    fn of(site: &Site) -> Self {
        Self { secure: if site.is_trustworthy() { "; Secure" } else { "" } }
    }

    /// Adds the cookie of a ticket to a response, for as long as its code is valid.
    pub(super) fn add_to(self, response: &mut Response, ticket: &CodeTicket, left: Duration) {
        if let Ok(value) = self.set(ticket, left) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }

    /// Removes the cookie with a response.
    pub(super) fn end_with(self, response: &mut Response) {
        if let Ok(value) = self.remove() {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }

    fn set(self, ticket: &CodeTicket, left: Duration) -> Result<HeaderValue, InvalidHeaderValue> {
        let seconds = left.as_secs().saturating_add(1);
        let mut value = HeaderValue::try_from(format!(
            "{NAME}={}; Path={PATH}; Max-Age={seconds}{}; HttpOnly; SameSite=Strict",
            ticket.as_str(),
            self.secure
        ))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn remove(self) -> Result<HeaderValue, InvalidHeaderValue> {
        HeaderValue::try_from(format!(
            "{NAME}=; Path={PATH}; Max-Age=0{}; HttpOnly; SameSite=Strict",
            self.secure
        ))
    }
}

/// The cookie of a request.
pub(super) struct SentTicket {
    /// How a cookie is protected here.
    pub(super) cookie: TicketCookie,
    /// The ticket in the first cookie of this name, if it has the form of one. It has not been checked.
    pub(super) ticket: Option<CodeTicket>,
}

impl FromRequestParts<App> for SentTicket {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let site = parts.extensions.get::<Site>();
        let site = site.ok_or_else(|| ApiError::Internal("a request without a site".to_owned()))?;
        Ok(Self { cookie: TicketCookie::of(site), ticket: ticket_of(&parts.headers) })
    }
}

fn ticket_of(headers: &HeaderMap) -> Option<CodeTicket> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == NAME)?.1.parse().ok()
}
