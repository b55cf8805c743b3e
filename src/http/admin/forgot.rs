//! `/admin/forgot`: asks for a link to set a forgotten password. Where no links can be sent, there is no such page.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::fields::{FieldKind, ShownField};
use super::form::{FormValues, Problems, Typed};
use super::page::SiteFrame;
use super::responses::{page, see_other};
use super::visit::Stranger;
use crate::directory::authentication::ForgottenLogin;
use crate::directory::error::Error;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::even_time::{EVEN_STEP, in_steps};

/// The path of the page.
pub(super) const FORGOT: &str = "/admin/forgot";
/// The longest text that can name an account: that of an e-mail address.
const LONGEST: usize = 254;

const ACCOUNT: (&str, &str, &str, FieldKind) = (
    "account",
    "E-mail or user name",
    "The e-mail address of your account, or its user name.",
    FieldKind::Username,
);

#[derive(Template)]
#[template(path = "admin/forgot.html")]
struct ForgotPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    fields: [ShownField; 1],
    minutes: u64,
}

impl ForgotPage {
    fn new(app: &App, request: &Stranger, typed: &str, problems: Problems) -> Self {
        Self {
            page: SiteFrame::alone("Set a forgotten password", request).marked(&problems),
            refused: "That did not work",
            fields: [ShownField::new(ACCOUNT, typed, &problems)],
            minutes: app.directory().reset_minutes(),
            problems,
        }
    }
}

/// `GET /admin/forgot`.
pub(super) async fn show(State(app): State<App>, request: Stranger) -> Result<Response, ApiError> {
    check(&app)?;
    page(StatusCode::OK, &ForgotPage::new(&app, &request, "", Problems::default()))
}

fn check(app: &App) -> Result<(), ApiError> {
    if app.directory().resets_passwords() { Ok(()) } else { Err(ApiError::NotFound) }
}

/// The name of the account.
pub(super) struct TypedAccount(String);

impl FormValues for TypedAccount {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text(ACCOUNT.0).unwrap_or_default())
    }
}

/// `POST /admin/forgot`. The page that follows is the same for every account.
pub(super) async fn submit(
    State(app): State<App>,
    request: Stranger,
    Typed(TypedAccount(typed)): Typed<TypedAccount>,
) -> Result<Response, ApiError> {
    check(&app)?;
    if let Some(problem) = problem_of(&typed) {
        let problems = Problems::of_field(ACCOUNT.0, ACCOUNT.1, problem);
        return page(StatusCode::BAD_REQUEST, &ForgotPage::new(&app, &request, &typed, problems));
    }
    let account = ForgottenLogin::Either(typed.clone());
    match in_steps(EVEN_STEP, app.directory().request_password_reset(&request.origin, &account)).await {
        Ok(()) => Ok(see_other("/admin/sign-in?done=link-asked")),
        Err(Error::Busy { .. }) => {
            let problems = Problems::whole("Too many mails wait to be sent. Try again in a minute.");
            page(StatusCode::TOO_MANY_REQUESTS, &ForgotPage::new(&app, &request, &typed, problems))
        }
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with the form of a name, whatever accounts there are.
fn problem_of(typed: &str) -> Option<&'static str> {
    match typed.trim() {
        "" => Some("Type the e-mail address or the user name of your account."),
        text if text.contains('\0') || text.chars().count() > LONGEST => Some("No account has such a name."),
        _ => None,
    }
}
