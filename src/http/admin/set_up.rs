//! `/admin/set-up`: the first admin of a new installation, for who has the link that `serve` prints.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::form::{FormValues, Problems, Typed};
use super::page::SiteFrame;
use super::responses::page;
use super::safe_path::HOME;
use super::session::SessionCookie;
use super::sign_in::{LABELS, browser_of, entered};
use super::visit::Stranger;
use crate::directory::error::Error;
use crate::directory::password::Password;
use crate::directory::tokens::TokenWithKey;
use crate::directory::users::FirstAdmin;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/set_up.html")]
struct SetUpPage {
    page: SiteFrame,
    problems: Problems,
    username: String,
    code: String,
    is_closed: bool,
}

/// Checks the code of the link. It is worth nothing once there is a user.
async fn check(app: &App, code: &str) -> Result<(), ApiError> {
    if !app.is_set_up_code(code) || app.directory().first_admin().await? == FirstAdmin::Exists {
        return Err(ApiError::NotFound);
    }
    Ok(())
}

/// `GET /admin/set-up?code=...`.
pub(super) async fn show(State(app): State<App>, request: Stranger) -> Result<Response, ApiError> {
    let code = request.parameter("code").unwrap_or_default().to_owned();
    check(&app, &code).await?;
    let view = SetUpPage {
        page: SiteFrame::alone("Create the first admin", &request),
        problems: Problems::default(),
        username: String::new(),
        code,
        is_closed: SessionCookie::of(&app, &request.site).is_none(),
    };
    page(StatusCode::OK, &view)
}

/// What was typed into the form.
pub(super) struct TypedSetUp {
    code: String,
    username: String,
    password: String,
    repeated: String,
}

impl FormValues for TypedSetUp {
    fn read(fields: &mut Fields) -> Self {
        let mut text = |name: &str| fields.text(name).unwrap_or_default();
        let (code, username) = (text("code"), text("username"));
        Self { code, username, password: text("password"), repeated: text("password_again") }
    }
}

/// `POST /admin/set-up`: creates the admin and signs them in.
pub(super) async fn submit(
    State(app): State<App>,
    request: Stranger,
    headers: HeaderMap,
    Typed(typed): Typed<TypedSetUp>,
) -> Result<Response, ApiError> {
    check(&app, &typed.code).await?;
    let cookie = SessionCookie::of(&app, &request.site).ok_or(ApiError::NotFound)?;
    let problems = match typed.password == typed.repeated {
        false => Problems::whole("The two passwords differ."),
        true => match created(&app, &request, &browser_of(&headers), &typed).await {
            Ok(issued) => return Ok(entered(&issued, cookie, HOME)),
            Err(Error::Invalid(faults)) => Problems::of(&faults, LABELS),
            Err(error) => return Err(error.into()),
        },
    };
    let TypedSetUp { code, username, .. } = typed;
    let frame = SiteFrame::alone("Problem: create the first admin", &request);
    page(StatusCode::BAD_REQUEST, &SetUpPage { page: frame, problems, username, code, is_closed: false })
}

/// Creates the admin and signs them in.
async fn created(
    app: &App,
    request: &Stranger,
    browser: &str,
    typed: &TypedSetUp,
) -> Result<TokenWithKey, Error> {
    let (directory, origin) = (app.directory(), &request.origin);
    let password = || Password::new(typed.password.clone());
    let user = directory.create_first_admin(origin, &typed.username, password()).await?;
    let signed_in = directory.sign_in_browser(origin, &user.username, password(), browser).await;
    signed_in.map_err(|refused| refused.error)
}
