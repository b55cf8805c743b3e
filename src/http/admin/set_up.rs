//! `/admin/set-up`: the first admin of a new installation, for who has the link that `serve` prints.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::form::Problems;
use super::page::SiteFrame;
use super::responses::page;
use super::safe_path::HOME;
use super::session::SessionCookie;
use super::sign_in::{browser_of, entered};
use super::visit::Stranger;
use crate::directory::error::Error;
use crate::directory::password::Password;
use crate::directory::users::FirstAdmin;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
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

/// `POST /admin/set-up`: creates the admin and signs them in.
pub(super) async fn submit(
    State(app): State<App>,
    request: Stranger,
    headers: HeaderMap,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let code = fields.text("code").unwrap_or_default();
    let username = fields.text("username").unwrap_or_default();
    let password = fields.text("password").unwrap_or_default();
    let repeated = fields.text("password_again").unwrap_or_default();
    fields.end()?;
    check(&app, &code).await?;
    let Some(cookie) = SessionCookie::of(&app, &request.site) else { return Err(ApiError::NotFound) };
    let problems = if password != repeated {
        Problems::whole("The two passwords differ.")
    } else {
        let made =
            app.directory().create_first_admin(&request.origin, &username, Password::new(password.clone()));
        match made.await {
            Ok(user) => {
                let (origin, password, browser) =
                    (&request.origin, Password::new(password), browser_of(&headers));
                let signed_in = app.directory().sign_in_browser(origin, &user.username, password, &browser);
                return Ok(match signed_in.await {
                    Ok(issued) => entered(&issued, cookie, HOME),
                    Err(refused) => return Err(refused.error.into()),
                });
            }
            Err(Error::Invalid(faults)) => {
                Problems::of(&faults, &[("username", "User name"), ("password", "Password")])
            }
            Err(error) => return Err(error.into()),
        }
    };
    let page_frame = SiteFrame::alone("Problem: create the first admin", &request);
    page(StatusCode::BAD_REQUEST, &SetUpPage { page: page_frame, problems, username, code, is_closed: false })
}
