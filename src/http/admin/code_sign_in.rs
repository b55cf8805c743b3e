//! `/admin/sign-in/code`: signing in with a one-time code. The pages exist only if the setting `otp_sign_in` is on.
//!
//! No page says whether an account exists. A code proves less than a password: what is dangerous asks for the password first.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::form::{FormValues, Problems, Typed};
use super::page::SiteFrame;
use super::responses::{page, see_other};
use super::safe_path::within_site;
use super::session::SessionCookie;
use super::sign_in::{browser_of, end_earlier, entered, page_like, wrong_password};
use super::visit::{Stranger, escaped};
use crate::directory::authentication::{CodeBinding, RefusedSignIn};
use crate::directory::model::{Channel, CodeTarget, CodeTicket, TypedCode};
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::even_time::{EVEN_STEP, in_steps};
use crate::http::language::ClientLanguage;
use crate::http::pipeline::with_reason;
use crate::http::reason::Reason;

/// What every code that is not good is answered with.
const WRONG: &str = "This code is wrong, was used before, or is not valid any more. Nothing was changed.";
/// What a text that is neither a number nor an address is answered with.
const NO_CONTACT: &str =
    "Type a mobile number with its country code, such as +49 711 12345, or an e-mail address.";

#[derive(Template)]
#[template(path = "admin/code_ask.html")]
struct AskPage {
    page: SiteFrame,
    problems: Problems,
    /// What the field is called.
    label: &'static str,
    contact: String,
    next: String,
    /// The page for signing in with a password.
    by_password: String,
}

impl AskPage {
    fn new(app: &App, request: &Stranger, next: &str) -> Self {
        let next = within_site(next);
        let sends = |channel| app.directory().sends_codes_by(channel);
        Self {
            page: SiteFrame::alone("Sign in with a code", request),
            problems: Problems::default(),
            label: match (sends(Channel::Sms), sends(Channel::Mail)) {
                (true, false) => "Mobile number",
                (false, true) => "E-mail address",
                _ => "Mobile number or e-mail address",
            },
            contact: String::new(),
            by_password: format!("/admin/sign-in?next={}", escaped(&next)),
            next,
        }
    }

    fn again(mut self, status: StatusCode, problems: Problems) -> Result<Response, ApiError> {
        self.page = self.page.marked(&problems);
        page(status, &Self { problems, ..self })
    }
}

#[derive(Template)]
#[template(path = "admin/code_check.html")]
struct CheckPage {
    page: SiteFrame,
    problems: Problems,
    /// Binds the code to this page.
    ticket: String,
    /// For how many minutes the code is valid; `None` where that is not known.
    minutes: Option<u64>,
    next: String,
    /// The page for asking again.
    ask_again: String,
}

impl CheckPage {
    fn new(request: &Stranger, ticket: String, next: &str) -> Self {
        let next = within_site(next);
        Self {
            page: SiteFrame::alone("Type your code", request),
            problems: Problems::default(),
            ticket,
            minutes: None,
            ask_again: format!("/admin/sign-in/code?next={}", escaped(&next)),
            next,
        }
    }
}

/// `GET /admin/sign-in/code`.
pub(super) async fn show(State(app): State<App>, request: Stranger) -> Result<Response, ApiError> {
    let next = request.parameter("next").unwrap_or_default();
    if request.session.identity.is_some() || SessionCookie::of(&app, &request.site).is_none() {
        return Ok(see_other(&format!("/admin/sign-in?next={}", escaped(&within_site(next)))));
    }
    page(StatusCode::OK, &AskPage::new(&app, &request, next))
}

/// What a code is asked for with.
pub(super) struct TypedContact {
    contact: String,
    next: String,
}

impl FormValues for TypedContact {
    fn read(fields: &mut Fields) -> Self {
        let contact = fields.text("contact").unwrap_or_default();
        Self { contact, next: fields.text("next").unwrap_or_default() }
    }
}

/// `POST /admin/sign-in/code`. The page for the code follows, whether or not one is sent.
pub(super) async fn ask(
    State(app): State<App>,
    request: Stranger,
    ClientLanguage(locale): ClientLanguage,
    Typed(TypedContact { contact, next }): Typed<TypedContact>,
) -> Result<Response, ApiError> {
    let view = AskPage { contact: contact.clone(), ..AskPage::new(&app, &request, &next) };
    let home = app.directory().code_settings().and_then(|settings| settings.home.as_ref());
    let target = CodeTarget::parse(&contact, home).ok();
    let target = target.filter(|target| app.directory().sends_codes_by(target.channel()));
    let Some(target) = target else {
        return view.again(StatusCode::BAD_REQUEST, Problems::of_field("contact", "", NO_CONTACT));
    };
    let asked = app.directory().request_code(&request.origin, target, locale);
    match in_steps(EVEN_STEP, asked).await {
        Ok(asked) => {
            let minutes = Some(minutes(asked.left));
            let ticket = asked.ticket.as_str().to_owned();
            page(StatusCode::OK, &CheckPage { minutes, ..CheckPage::new(&request, ticket, &view.next) })
        }
        Err(error) => {
            let problems = wrong_password(&error, NO_CONTACT);
            let answer = ApiError::from(error).into_response();
            let Some(problems) = problems else { return Ok(answer) };
            let page = view.page.marked(&problems);
            page_like(&answer, &AskPage { page, problems, ..view })
        }
    }
}

/// A code, and what binds it.
pub(super) struct TypedCheck {
    code: String,
    ticket: String,
    next: String,
}

impl FormValues for TypedCheck {
    fn read(fields: &mut Fields) -> Self {
        let [code, ticket, next] =
            ["code", "ticket", "next"].map(|name| fields.text(name).unwrap_or_default());
        Self { code, ticket, next }
    }
}

/// `POST /admin/sign-in/code/check`. A session that the browser had ends.
pub(super) async fn check(
    State(app): State<App>,
    request: Stranger,
    headers: HeaderMap,
    Typed(TypedCheck { code, ticket, next }): Typed<TypedCheck>,
) -> Result<Response, ApiError> {
    let cookie = SessionCookie::of(&app, &request.site).ok_or(ApiError::NotFound)?;
    // A page of this site always has one; without it, the code belongs to no request.
    let ticket = ticket.parse::<CodeTicket>().map_err(|()| ApiError::BadRequest("The ticket is damaged."))?;
    let view = CheckPage::new(&request, ticket.as_str().to_owned(), &next);
    let (binding, typed) = (CodeBinding::Ticket(ticket), TypedCode::new(&code));
    let browser = browser_of(&headers);
    let checked = app.directory().sign_in_browser_with_code(&request.origin, binding, typed, &browser);
    match in_steps(EVEN_STEP, checked).await {
        Ok(issued) => end_earlier(&app, &request).await.map(|()| entered(&issued, cookie, &view.next)),
        Err(refused) => refuse(refused, view),
    }
}

/// Shows the form again, with what the log says of the code.
fn refuse(refused: RefusedSignIn, view: CheckPage) -> Result<Response, ApiError> {
    let RefusedSignIn { error, account, why } = refused;
    let Some(problems) = wrong_password(&error, WRONG) else { return Err(error.into()) };
    let page = view.page.marked(&problems);
    let answer = ApiError::from(error).into_response();
    let response = page_like(&answer, &CheckPage { page, problems, ..view })?;
    let reason = answer.extensions().get::<Reason>().cloned();
    Ok(with_reason(response, reason.map(|reason| reason.of_sign_in(why, account))))
}

/// Rounds a time up to minutes.
fn minutes(left: Duration) -> u64 {
    left.as_secs().div_ceil(60).max(1)
}
