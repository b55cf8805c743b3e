//! `/admin/password/{key}`: sets a password by a link that was mailed.
//!
//! The page changes nothing before its form is sent, because programs that look for harmful links open it. Its path is a
//! secret: the log shows it without the key, and the browser sends no more than the site's origin as a referrer.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::REFERRER_POLICY;
use http::{HeaderValue, StatusCode};

use super::fields::{FieldKind, ShownField};
use super::form::{FormValues, Problems, Typed};
use super::page::SiteFrame;
use super::responses::{page, see_other};
use super::session::SessionCookie;
use super::visit::Stranger;
use crate::directory::authentication::{FoundLink, LINK_PATH};
use crate::directory::error::Error;
use crate::directory::model::{LinkKind, LinkState, Violation};
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

const NEW: (&str, &str, &str, FieldKind) = (
    "password",
    "New password",
    "A long one that no one can guess. Spaces are welcome.",
    FieldKind::NewPassword,
);
const AGAIN: (&str, &str, &str, FieldKind) =
    ("password_again", "New password again", "", FieldKind::NewPassword);

#[derive(Template)]
#[template(path = "admin/password_link.html")]
struct PasswordLinkPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    /// The path of the page, with the key.
    path: String,
    username: String,
    is_invitation: bool,
    fields: Vec<ShownField>,
    /// Why the link does not work; empty if it does.
    closed: &'static str,
    /// Whether another link can be asked for.
    can_ask: bool,
}

impl PasswordLinkPage {
    fn new(app: &App, request: &Stranger, key: &str, found: &FoundLink, problems: Problems) -> Self {
        let (username, is_invitation, closed) = match found {
            // As on the page for signing in.
            _ if SessionCookie::of(app, &request.site).is_none() => (String::new(), false, CLEAR_TEXT),
            FoundLink::Open { kind, username } => (username.clone(), *kind == LinkKind::Invitation, ""),
            FoundLink::Closed(state) => (String::new(), false, why_closed(*state)),
        };
        let title = if closed.is_empty() { "Choose a password" } else { "This link does not work" };
        Self {
            page: SiteFrame::alone(title, request).marked(&problems),
            refused: "The password was not set",
            path: format!("{LINK_PATH}{key}"),
            username,
            is_invitation,
            fields: [NEW, AGAIN].map(|field| ShownField::new(field, "", &problems)).into(),
            closed,
            can_ask: app.directory().resets_passwords(),
            problems,
        }
    }

    fn answer(&self, status: StatusCode) -> Result<Response, ApiError> {
        let status = match self.closed {
            "" => status,
            CLEAR_TEXT => StatusCode::FORBIDDEN,
            _ => StatusCode::NOT_FOUND,
        };
        Ok(without_referrer(page(status, self)?))
    }
}

/// Keeps the address of the link, which has its key, from the page that follows. Forms of the page still name their origin, which
/// `no-referrer` would keep back.
fn without_referrer(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

/// Why no password is set over plain HTTP.
const CLEAR_TEXT: &str = "This page came over plain HTTP, so the password would travel in clear text.";

fn why_closed(state: Option<LinkState>) -> &'static str {
    match state {
        Some(LinkState::Used) => "It was used already. A link works once.",
        Some(LinkState::Expired) => "Its time is over.",
        Some(LinkState::Ended) => "It was ended, because the account was changed after it was sent.",
        Some(LinkState::Pending) | None => {
            "It is not complete, or there is a newer one. Only the link of the last mail works."
        }
    }
}

/// `GET /admin/password/{key}`.
pub(super) async fn show(
    State(app): State<App>,
    request: Stranger,
    Path(key): Path<String>,
) -> Result<Response, ApiError> {
    let found = app.directory().link(&key).await?;
    PasswordLinkPage::new(&app, &request, &key, &found, Problems::default()).answer(StatusCode::OK)
}

/// The new password, twice.
pub(super) struct TypedTwice {
    new: String,
    again: String,
}

impl FormValues for TypedTwice {
    fn read(fields: &mut Fields) -> Self {
        let mut text = |name: &str| fields.text(name).unwrap_or_default();
        Self { new: text(NEW.0), again: text(AGAIN.0) }
    }
}

/// `POST /admin/password/{key}`.
pub(super) async fn submit(
    State(app): State<App>,
    request: Stranger,
    Path(key): Path<String>,
    Typed(typed): Typed<TypedTwice>,
) -> Result<Response, ApiError> {
    let found = app.directory().link(&key).await?;
    let view = PasswordLinkPage::new(&app, &request, &key, &found, Problems::default());
    if !view.closed.is_empty() {
        return view.answer(StatusCode::NOT_FOUND);
    }
    let error = match set(&app, &request, &key, typed).await {
        Ok(()) => return Ok(without_referrer(see_other("/admin/sign-in?done=password-chosen"))),
        Err(error) => error,
    };
    let (status, problems) = match error {
        Error::Invalid(faults) => {
            (StatusCode::BAD_REQUEST, Problems::of(&faults, &[labels(NEW), labels(AGAIN)]))
        }
        Error::Busy { .. } => {
            let text = "Too many passwords are being set. Try again in a few seconds.";
            (StatusCode::TOO_MANY_REQUESTS, Problems::whole(text))
        }
        error => return Err(error.into()),
    };
    let found = app.directory().link(&key).await?;
    PasswordLinkPage::new(&app, &request, &key, &found, problems).answer(status)
}

fn labels((name, label, ..): (&'static str, &'static str, &str, FieldKind)) -> (&'static str, &'static str) {
    (name, label)
}

/// Sets the password, if it was typed twice.
async fn set(app: &App, request: &Stranger, key: &str, typed: TypedTwice) -> Result<(), Error> {
    if typed.new != typed.again {
        let text = "The two passwords differ.".to_owned();
        return Err(Error::invalid(AGAIN.0, &Violation::Other(text)));
    }
    let password = Password::new(typed.new);
    app.directory().set_password_by_link(&request.origin, key, password).await.map(|_| ())
}
