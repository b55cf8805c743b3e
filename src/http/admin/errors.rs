//! Errors as pages. They are drawn without asking the database, and show the id under which the log has the cause.

use askama::Template;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use super::look::Look;
use super::page::SiteFrame;
use super::responses::{page, with_headers};
use crate::http::app::App;
use crate::http::error::{DeniedReason, ErrorCode};

/// Whether a path is one of the site.
pub(in crate::http) fn is_path(path: &str) -> bool {
    path == "/admin" || path.starts_with("/admin/")
}

/// What an error page needs of its request.
pub(in crate::http) struct ErrorPage {
    look: Look,
    host: String,
    path: String,
}

#[derive(Template)]
#[template(path = "admin/error.html")]
struct ErrorView<'a> {
    page: SiteFrame,
    status: u16,
    text: &'a str,
    advice: &'a str,
    is_away: bool,
    id: &'a str,
    path: &'a str,
}

impl ErrorPage {
    /// Keeps what is needed of a request.
    pub(in crate::http) fn of(headers: &HeaderMap, host: Option<&str>, path: &str) -> Self {
        Self {
            look: Look::of(headers),
            host: host.unwrap_or_default().to_owned(),
            path: super::safe_path::within_site(path),
        }
    }

    /// Turns an error into a page. Other responses stay as they are.
    pub(in crate::http) fn convert(&self, app: &App, id: &str, response: Response) -> Response {
        let Some(code) = response.extensions().get::<ErrorCode>().copied() else { return response };
        let status = response.status();
        let denied = response.extensions().get::<DeniedReason>().map(|DeniedReason(why)| why.clone());
        let (title, text, advice) = words(status, code.0);
        let text = denied.as_deref().unwrap_or(text);
        let is_away = status.is_server_error();
        let frame = SiteFrame::bare(title, self.look, &self.host);
        let path = &self.path;
        let view = ErrorView { page: frame, status: status.as_u16(), text, advice, is_away, id, path };
        let Ok(shown) = page(status, &view) else { return response };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        let (shown, body) = shown.into_parts();
        if let Some(media_type) = shown.headers.get(CONTENT_TYPE) {
            parts.headers.insert(CONTENT_TYPE, media_type.clone());
        }
        with_headers(Response::from_parts(parts, body), app)
    }
}

/// Title, sentence and advice of an error.
fn words(status: StatusCode, code: &str) -> (&'static str, &'static str, &'static str) {
    match status {
        StatusCode::FORBIDDEN => (
            "You may not do this",
            "You do not have the right that this page needs.",
            "Ask an administrator for the right, or sign in with another account.",
        ),
        StatusCode::NOT_FOUND => (
            "There is nothing here",
            "There is no page or object of this name, or you may not see it.",
            "Check the address, or start from the overview.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "This page does not work that way",
            "The page exists, but it does not take this kind of request.",
            "Go to the page and use its form.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many requests",
            "There were too many requests in a short time.",
            "Wait a minute, then try again.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("The form is too large", "Nothing was saved.", "Send less at once.")
        }
        StatusCode::SERVICE_UNAVAILABLE if code == "unconfirmed" => (
            "It is not known whether the change was saved",
            "The database did not confirm the change in time. It may have been saved.",
            "Look at the object before you repeat the change.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Wardroom cannot reach its database",
            "Your last action was not saved. Nothing is half done, and no one got more rights meanwhile.",
            "It usually lasts seconds. Wait about 15 seconds, then try again.",
        ),
        status if status.is_server_error() => (
            "Something is broken here",
            "The server met a fault. Your last action may not be saved.",
            "Give the request number to the person who runs this server: the log has the cause.",
        ),
        _ => (
            "This request was not understood",
            "The server could not read the request. Nothing was changed.",
            "Go back to the page, load it again and repeat what you did.",
        ),
    }
}
