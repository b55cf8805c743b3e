//! `/admin/sign-in` and `/admin/sign-out`.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, StatusCode};

use super::form::Problems;
use super::page::SiteFrame;
use super::responses::{page, see_other, with_cookie};
use super::safe_path::within_site;
use super::session::SessionCookie;
use super::visit::{Stranger, escaped};
use super::words::browser_name;
use crate::directory::Bearer;
use crate::directory::authentication::RefusedSignIn;
use crate::directory::error::Error;
use crate::directory::model::{ValidationErrors, Violation};
use crate::directory::password::Password;
use crate::directory::tokens::TokenWithKey;
use crate::http::app::App;
use crate::http::body::{Body, Fields, FormBody};
use crate::http::error::ApiError;
use crate::http::pipeline::{with_bearer, with_reason};
use crate::http::reason::Reason;

/// What every failed sign-in is answered with.
const WRONG: &str =
    "User name and password do not fit together, or this account may not sign in. Nothing was changed.";

/// What people call the inputs of forms about a user name and a password.
pub(super) const LABELS: &[(&str, &str)] = &[("username", "User name"), ("password", "Password")];

#[derive(Template)]
#[template(path = "admin/sign_in.html")]
struct SignInPage {
    page: SiteFrame,
    problems: Problems,
    username: String,
    next: String,
    /// Whether no one can sign in here, because the password would travel in clear text.
    is_closed: bool,
    /// The page for signing in with a code, if there is one.
    by_code: Option<String>,
    /// Whether people can ask for a link when they have forgotten their password.
    can_ask: bool,
}

impl SignInPage {
    fn new(app: &App, request: &Stranger, next: &str) -> Self {
        let next = within_site(next);
        let has_codes = app.directory().code_settings().is_some();
        Self {
            by_code: has_codes.then(|| format!("/admin/sign-in/code?next={}", escaped(&next))),
            page: SiteFrame::alone("Sign in", request),
            problems: Problems::default(),
            username: String::new(),
            next,
            is_closed: SessionCookie::of(app, &request.site).is_none(),
            can_ask: app.directory().resets_passwords(),
        }
    }
}

/// `GET /admin/sign-in`.
pub(super) async fn show(State(app): State<App>, request: Stranger) -> Result<Response, ApiError> {
    let next = request.parameter("next").unwrap_or_default();
    if request.session.identity.is_some() {
        return Ok(see_other(&within_site(next)));
    }
    page(StatusCode::OK, &SignInPage::new(&app, &request, next))
}

/// What was typed into the form, and what is wrong with it.
struct TypedSignIn {
    username: String,
    password: Password,
    next: String,
    faults: ValidationErrors,
}

impl TypedSignIn {
    fn read(body: Body) -> Self {
        let mut fields = Fields::from(body);
        let (username, password) = (fields.text("username"), fields.text("password"));
        let next = fields.text("next").unwrap_or_default();
        fields.require_filled("username", username.as_deref());
        fields.require_some("password", password.as_deref());
        for (name, text) in [("username", &username), ("password", &password)] {
            if text.as_ref().is_some_and(|text| text.contains('\0')) {
                fields.refuse(name, &Violation::NullCharacter);
            }
        }
        let password = Password::new(password.unwrap_or_default());
        Self { username: username.unwrap_or_default(), password, next, faults: fields.faults() }
    }
}

/// `POST /admin/sign-in`. A session that the browser had ends.
pub(super) async fn submit(
    State(app): State<App>,
    request: Stranger,
    headers: HeaderMap,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let TypedSignIn { username, password, next, faults } = TypedSignIn::read(body);
    let mut view = SignInPage { username: username.clone(), ..SignInPage::new(&app, &request, &next) };
    let Some(cookie) = SessionCookie::of(&app, &request.site) else {
        return page(StatusCode::FORBIDDEN, &view);
    };
    if !faults.is_empty() {
        view.problems = Problems::of(&faults, LABELS);
        return again(StatusCode::BAD_REQUEST, view);
    }
    match app.directory().sign_in_browser(&request.origin, &username, password, &browser_of(&headers)).await {
        Ok(issued) => end_earlier(&app, &request).await.map(|()| entered(&issued, cookie, &view.next)),
        Err(refused) => refuse(refused, view),
    }
}

/// The name of the browser that sent a request.
pub(super) fn browser_of(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|line| line.to_str().ok());
    browser_name(agent.unwrap_or_default())
}

/// Leads a person who has just signed in to a page, with the cookie of the session.
pub(super) fn entered(issued: &TokenWithKey, cookie: SessionCookie, next: &str) -> Response {
    let bearer = Bearer { token: issued.token.id, user: issued.token.user_id };
    with_bearer(with_cookie(see_other(next), cookie.set(&issued.key)), Some(bearer))
}

/// Ends the session that the browser had before.
pub(super) async fn end_earlier(app: &App, request: &Stranger) -> Result<(), ApiError> {
    match request.actor() {
        Some(actor) => Ok(app.directory().sign_out(&actor, false).await?),
        None => Ok(()),
    }
}

/// The title of a form that was refused.
const PROBLEM: &str = "Problem: sign in";

fn again(status: StatusCode, mut view: SignInPage) -> Result<Response, ApiError> {
    view.page.title = PROBLEM.to_owned();
    page(status, &view)
}

/// What a form shows after a password that was refused; `None` for errors that are pages of their own.
pub(super) fn wrong_password(error: &Error, wrong: &'static str) -> Option<Problems> {
    match error {
        Error::Busy { retry_after } => {
            let seconds = retry_after.as_secs().saturating_add(1);
            let text = format!("There were too many attempts. Try again in {seconds} seconds.");
            Some(Problems::whole(text))
        }
        Error::Invalid(_) => Some(Problems::whole(wrong)),
        _ => None,
    }
}

/// Shows a form with the status of an answer of the API, and with the time to wait that it names.
pub(super) fn page_like(answer: &Response, view: &impl Template) -> Result<Response, ApiError> {
    let mut response = page(answer.status(), view)?;
    if let Some(seconds) = answer.headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, seconds.clone());
    }
    Ok(response)
}

/// Shows the form again after a failed sign-in, with what the log says of it.
fn refuse(refused: RefusedSignIn, mut view: SignInPage) -> Result<Response, ApiError> {
    let RefusedSignIn { error, account, why } = refused;
    let Some(problems) = wrong_password(&error, WRONG) else { return Err(error.into()) };
    view.problems = problems;
    view.page.title = PROBLEM.to_owned();
    let answer = ApiError::from(error).into_response();
    let response = page_like(&answer, &view)?;
    let reason = answer.extensions().get::<Reason>().cloned();
    Ok(with_reason(response, reason.map(|reason| reason.of_sign_in(why, account))))
}

/// `POST /admin/sign-out`. It also works without a session.
pub(super) async fn sign_out(State(app): State<App>, request: Stranger) -> Result<Response, ApiError> {
    end_earlier(&app, &request).await?;
    let response = see_other("/admin/sign-in?done=signed-out");
    Ok(match SessionCookie::of(&app, &request.site) {
        Some(cookie) => with_cookie(response, cookie.remove()),
        None => response,
    })
}
