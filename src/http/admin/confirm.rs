//! `/admin/confirm`: a person proves again who they are, before something dangerous.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;

use super::form::Problems;
use super::page::{SignedInPerson, SiteFrame};
use super::responses::page;
use super::safe_path::within_site;
use super::session::SessionCookie;
use super::sign_in::entered;
use super::visit::Visit;
use super::words::{Face, When, display_name};
use crate::directory::error::Error;
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
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

/// `POST /admin/confirm`. The session gets a new key.
pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let password = fields.text("password").unwrap_or_default();
    let next = fields.text("next").unwrap_or_default();
    fields.end()?;
    let cookie = SessionCookie::of(&app, &visit.request.site).ok_or(ApiError::NotFound)?;
    let error = match app.directory().confirm_browser(&visit.actor, Password::new(password)).await {
        Ok(issued) => return Ok(entered(&issued, cookie, &within_site(&next))),
        Err(error) => error,
    };
    let mut view = ConfirmPage::new(&visit, &next);
    view.page.title = "Problem: confirm that it is you".to_owned();
    view.problems = match &error {
        Error::Busy { retry_after } => Problems::whole(format!(
            "There were too many attempts. Try again in {} seconds.",
            retry_after.as_secs().saturating_add(1)
        )),
        Error::Invalid(_) => Problems::whole("This is not your password. Nothing was changed."),
        _ => return Err(error.into()),
    };
    let answer = ApiError::from(error).into_response();
    let mut response = page(answer.status(), &view)?;
    if let Some(seconds) = answer.headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, seconds.clone());
    }
    Ok(response)
}
