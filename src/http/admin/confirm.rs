//! `/admin/confirm`: a person proves again who they are, before something dangerous.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::form::{FormValues, Problems, Typed};
use super::page::{SignedInPerson, SiteFrame};
use super::responses::page;
use super::safe_path::within_site;
use super::session::SessionCookie;
use super::sign_in::{entered, page_like, wrong_password};
use super::visit::Visit;
use super::words::{Face, When, display_name};
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/confirm.html")]
struct ConfirmPage {
    page: SiteFrame,
    problems: Problems,
    person: SignedInPerson,
    /// For password managers.
    username: String,
    proven: Option<When>,
    next: String,
}

impl ConfirmPage {
    fn new(visit: &Visit, next: &str) -> Self {
        let name = display_name(&visit.identity.user);
        let proven = visit.identity.token.authenticated_at();
        Self {
            page: SiteFrame::alone("Confirm that it is you", &visit.request),
            problems: Problems::default(),
            person: SignedInPerson { face: Face::of(&name), name },
            username: visit.identity.user.username.clone(),
            proven: When::maybe(proven, visit.request.now),
            next: within_site(next),
        }
    }
}

/// `GET /admin/confirm`.
pub(super) async fn show(visit: Visit) -> Result<Response, ApiError> {
    let next = visit.request.parameter("next").unwrap_or_default().to_owned();
    page(StatusCode::OK, &ConfirmPage::new(&visit, &next))
}

/// What every failed proof is answered with.
const WRONG: &str = "This is not your password. Nothing was changed.";

/// The password, and the page that the person comes from.
pub(super) struct TypedProof {
    password: Password,
    next: String,
}

impl FormValues for TypedProof {
    fn read(fields: &mut Fields) -> Self {
        let password = Password::new(fields.text("password").unwrap_or_default());
        Self { password, next: fields.text("next").unwrap_or_default() }
    }
}

/// `POST /admin/confirm`. The session gets a new key.
pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    Typed(TypedProof { password, next }): Typed<TypedProof>,
) -> Result<Response, ApiError> {
    let cookie = SessionCookie::of(&app, &visit.request.site).ok_or(ApiError::NotFound)?;
    let error = match app.directory().confirm_browser(&visit.actor, password).await {
        Ok(issued) => return Ok(entered(&issued, cookie, &within_site(&next))),
        Err(error) => error,
    };
    let Some(problems) = wrong_password(&error, WRONG) else { return Err(error.into()) };
    let mut view = ConfirmPage { problems, ..ConfirmPage::new(&visit, &next) };
    view.page.title = "Problem: confirm that it is you".to_owned();
    page_like(&ApiError::from(error).into_response(), &view)
}
