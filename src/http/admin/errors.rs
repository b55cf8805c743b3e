//! Errors as pages. They are drawn without asking the database, and show the id under which the log has the cause.

use askama::Template;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use super::look::Look;
use super::page::SiteFrame;
use super::responses::{page, with_headers};
use crate::http::app::App;
use crate::http::error::{DeniedReason, ErrorCode, RequestFault};

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
        let words = words(status, code.0);
        let fault = response.extensions().get::<RequestFault>().map(|RequestFault(why)| why.clone());
        let said = denied.or(fault);
        let (text, advice) = (said.as_deref().unwrap_or(words.text), words.advice);
        let is_away = status.is_server_error();
        let frame = SiteFrame::bare(words.title, self.look, &self.host);
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

/// What the page of an error says.
struct ErrorWords {
    status: StatusCode,
    /// The code of the error; empty for all errors of this status.
    code: &'static str,
    title: &'static str,
    text: &'static str,
    advice: &'static str,
}

/// The words of errors: the first that fits.
const WORDS: &[ErrorWords] = &[
    ErrorWords {
        status: StatusCode::FORBIDDEN,
        code: "",
        title: "You may not do this",
        text: "You do not have the right that this page needs.",
        advice: "Ask an administrator for the right, or sign in with another account.",
    },
    ErrorWords {
        status: StatusCode::NOT_FOUND,
        code: "",
        title: "There is nothing here",
        text: "There is no page or object of this name, or you may not see it.",
        advice: "Check the address, or start from the overview.",
    },
    ErrorWords {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "",
        title: "This page does not work that way",
        text: "The page exists, but it does not take this kind of request.",
        advice: "Go to the page and use its form.",
    },
    ErrorWords {
        status: StatusCode::TOO_MANY_REQUESTS,
        code: "",
        title: "Too many requests",
        text: "There were too many requests in a short time.",
        advice: "Wait a minute, then try again.",
    },
    ErrorWords {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "",
        title: "The form is too large",
        text: "Nothing was saved.",
        advice: "Send less at once.",
    },
    ErrorWords {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "unconfirmed",
        title: "It is not known whether the change was saved",
        text: "The database did not confirm the change in time. It may have been saved.",
        advice: "Look at the object before you repeat the change.",
    },
    ErrorWords {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "",
        title: "Wardroom cannot reach its database",
        text: "Or it did not answer in time. Your last action was not saved, and nothing is half done.",
        advice: "It usually lasts seconds. Wait a few seconds, then try again.",
    },
];

/// The words of all other errors of the server.
const BROKEN: ErrorWords = ErrorWords {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    code: "",
    title: "Something is broken here",
    text: "The server met a fault. Your last action may not be saved.",
    advice: "Give the request number to the person who runs this server: the log has the cause.",
};

/// The words of all other errors.
const NOT_UNDERSTOOD: ErrorWords = ErrorWords {
    status: StatusCode::BAD_REQUEST,
    code: "",
    title: "This request was not understood",
    text: "The server could not read the request. Nothing was changed.",
    advice: "Go back to the page, load it again and repeat what you did.",
};

/// Returns the words of an error.
fn words(status: StatusCode, code: &str) -> &'static ErrorWords {
    let fits = |words: &&ErrorWords| words.status == status && ["", code].contains(&words.code);
    match WORDS.iter().find(fits) {
        Some(known) => known,
        None if status.is_server_error() => &BROKEN,
        None => &NOT_UNDERSTOOD,
    }
}
