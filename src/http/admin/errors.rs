//! Errors as pages. They are drawn without asking the database, and show the id under which the log has the cause.
//!
//! Also those of messages that were refused before there was a request, as far as their path is known.

use askama::Template;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};

use super::look::Look;
use super::page::SiteFrame;
use super::responses::{page, page_lines, with_cookie, with_headers};
use super::same_origin::is_proven;
use super::session::SessionCookie;
use crate::http::app::App;
use crate::http::error::{DeniedReason, ErrorCode, RequestFault};
use crate::http::site::host;
use crate::server::{RefusalAnswer, RefusedMessage};

/// Whether a path is one of the site.
pub(in crate::http) fn is_path(path: &str) -> bool {
    path == "/admin" || path.starts_with("/admin/")
}

/// What an error page needs of its request.
pub(in crate::http) struct ErrorPage {
    look: Look,
    host: String,
    path: String,
    /// The cookie of a person who signs out: it goes, whatever happens to the session.
    leaving: Option<SessionCookie>,
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
    button: &'static str,
}

impl ErrorPage {
    /// Keeps what is needed of a request.
    pub(in crate::http) fn of<B>(request: &Request<B>) -> Self {
        let (headers, path) = (request.headers(), request.uri().path());
        // After a form, the page of its path may not exist.
        let again = if request.method() == Method::GET { path } else { "" };
        let host = host(request).unwrap_or_default().to_owned();
        let leaves = request.method() == Method::POST && path == "/admin/sign-out";
        Self {
            look: Look::of(headers),
            path: super::safe_path::within_site(again),
            leaving: SessionCookie::sent(headers).filter(|_| leaves && comes_from(headers, &host)),
            host,
        }
    }

    /// Turns an error into a page. Other responses stay as they are.
    pub(in crate::http) fn convert(&self, app: &App, id: &str, response: Response) -> Response {
        let Some(code) = response.extensions().get::<ErrorCode>().copied() else { return response };
        let status = response.status();
        let left = self.leaving.filter(|_| status.is_server_error());
        let denied = response.extensions().get::<DeniedReason>().map(|DeniedReason(why)| why.clone());
        let fault = response.extensions().get::<RequestFault>().map(|RequestFault(why)| why.clone());
        let said = denied.or(fault).filter(|_| left.is_none());
        let words = if left.is_some() { &LEFT } else { words(status, code.0) };
        let view = ErrorView {
            page: SiteFrame::bare(words.title, self.look, &self.host),
            path: if left.is_some() { SIGN_IN } else { &self.path },
            button: if left.is_some() { "Go to the sign-in" } else { button(status) },
            ..ErrorView::new(status, words, said.as_deref(), id)
        };
        let Ok(shown) = page(status, &view) else { return response };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        let (shown, body) = shown.into_parts();
        if let Some(media_type) = shown.headers.get(CONTENT_TYPE) {
            parts.headers.insert(CONTENT_TYPE, media_type.clone());
        }
        let response = with_headers(Response::from_parts(parts, body), app);
        match left {
            Some(cookie) => with_cookie(response, cookie.remove()),
            None => response,
        }
    }
}

/// The page for signing in.
const SIGN_IN: &str = "/admin/sign-in";

/// Whether a page of this host has sent a request.
fn comes_from(headers: &HeaderMap, host: &str) -> bool {
    ["https", "http"].iter().any(|scheme| is_proven(headers, &format!("{scheme}://{host}")))
}

fn button(status: StatusCode) -> &'static str {
    if status.is_server_error() { "Try again" } else { "Go to the overview" }
}

impl<'a> ErrorView<'a> {
    /// A page that knows nothing of its request.
    fn new(status: StatusCode, words: &'static ErrorWords, said: Option<&'a str>, id: &'a str) -> Self {
        Self {
            page: SiteFrame::bare(words.title, Look::default(), ""),
            status: status.as_u16(),
            text: said.unwrap_or(words.text),
            advice: words.advice,
            is_away: status.is_server_error(),
            id,
            path: super::safe_path::HOME,
            button: button(status),
        }
    }
}

/// Makes the page for a message that was refused before there was a request; `None` if it did not go to the site, or did not get as far as its path.
pub(in crate::http) fn refused_page(
    app: &App,
    refused: &RefusedMessage<'_>,
    id: &str,
) -> Option<RefusalAnswer> {
    if !app.settings().admin_site || !is_path(&path_of(refused.start)?) {
        return None;
    }
    let status = StatusCode::from_u16(refused.status).ok()?;
    let words = words(status, REFUSED);
    let said = Some(refused.detail).filter(|_| std::ptr::eq(words, &raw const NOT_UNDERSTOOD));
    let html = ErrorView::new(status, words, said, id).render().ok()?;
    Some(RefusalAnswer { headers: page_lines(app), body: Some(("text/html; charset=utf-8", html)) })
}

/// The path of a request line of which only the start may be known.
fn path_of(start: &[u8]) -> Option<String> {
    let line = start.split(|byte| b"\r\n".contains(byte)).find(|line| !line.is_empty())?;
    let target = line.split(|byte| *byte == b' ').nth(1)?;
    let target = String::from_utf8_lossy(target);
    let rooted = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..))?,
        _ => &target,
    };
    rooted.split(['?', '#']).next().map(str::to_owned)
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

/// The code of messages that were refused before there was a request.
const REFUSED: &str = "refused";

/// What is said to a person who has signed out, if the database did not take part.
static LEFT: ErrorWords = ErrorWords {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "",
    title: "You are signed out in this browser only",
    text: "The browser has forgotten the session. The server could not end it, because it cannot reach its database.",
    advice: "Without use, the session ends in about an hour. To end it earlier, sign in again when the database is back, \
             and end it on the page of your account.",
};

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
        status: StatusCode::URI_TOO_LONG,
        code: "",
        title: "The address is too long",
        text: "An address may have about 4,000 characters. Nothing was changed.",
        advice: "Use fewer or shorter filters, or select fewer people at once.",
    },
    ErrorWords {
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        code: "",
        title: "The browser has sent too much",
        text: "The header lines of the request are too large, mostly because of cookies. Nothing was changed.",
        advice: "Remove the cookies of this address in the browser, then sign in again.",
    },
    ErrorWords {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "",
        title: "The request took too long to arrive",
        text: "The server has not received all of it in time. Nothing was changed.",
        advice: "Check the connection, then try again.",
    },
    ErrorWords {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: REFUSED,
        title: "Wardroom is busy",
        text: "There are more requests than the server has memory for. Nothing was changed.",
        advice: "Wait a few seconds, then try again.",
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
static BROKEN: ErrorWords = ErrorWords {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    code: "",
    title: "Something is broken here",
    text: "The server met a fault. Your last action may not be saved.",
    advice: "Give the request number to the person who runs this server: the log has the cause.",
};

/// The words of all other errors.
static NOT_UNDERSTOOD: ErrorWords = ErrorWords {
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
