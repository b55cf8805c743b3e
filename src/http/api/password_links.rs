//! `/api/users/auth/pwd/forgot` and `/api/users/auth/pwd/reset`: a link for a forgotten password, and the password that is set
//! with a link.

use axum::Extension;
use axum::body::Body as RawBody;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::answers::{BodyRefusals, Throttled};
use super::bodies::{ForgottenPassword, PasswordByLink};
use super::view::Detail;
use crate::directory::Origin;
use crate::directory::authentication::ForgottenLogin;
use crate::directory::model::Violation;
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::error::{ApiError, no_content};
use crate::http::even_time::{EVEN_STEP, in_steps};

/// The longest password that is accepted.
const LONGEST_PASSWORD: usize = 1024;
/// The longest email and the longest username.
const LONGEST: [(&str, usize); 2] = [("email", 254), ("username", 150)];

/// Ask For A Link
///
/// Send a link to the email of a user who has forgotten the password. No token is needed. The answer and its time are the same
/// whether there is such a user or not, and whether the user gets a link. The link works once and for a short time, and
/// a newer one ends it. A server that cannot send links, or does not want to, answers with 404.
#[utoipa::path(
    post,
    path = "/api/users/auth/pwd/forgot",
    operation_id = "auth_password_forgot",
    tag = "auth",
    request_body = ForgottenPassword,
    responses(
        (status = 202, description = "The request was received"),
        (status = 401, description = "An `Authorization` header was sent and is not valid", body = Detail),
        (status = 404, description = "This server sends no such links", body = Detail),
        BodyRefusals,
        Throttled,
    ),
)]
pub(super) async fn forgot(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    body: Body,
) -> Result<Response, ApiError> {
    // What is wrong with the body is said first. Where no links are sent, the use case finds nothing.
    let account = forgotten_login(Fields::from(body))?;
    in_steps(EVEN_STEP, app.directory().request_password_reset(&origin, &account)).await?;
    let mut response = Response::new(RawBody::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Reads what the account is named by: an email or a username.
fn forgotten_login(mut fields: Fields) -> Result<ForgottenLogin, ApiError> {
    let [email, username] = LONGEST.map(|(name, longest)| {
        let text = fields.text(name);
        if text.is_some() {
            fields.require_filled(name, text.as_deref());
        }
        let characters = text.as_deref().unwrap_or_default();
        if characters.contains('\0') {
            fields.refuse(name, &Violation::NullCharacter);
        } else if characters.chars().count() > longest {
            fields.refuse(name, &Violation::TooLong(longest));
        }
        text
    });
    let both = "Name the account by its email or by its username, not by both.";
    match (&email, &username) {
        (None, None) => fields.require("email", false),
        (Some(_), Some(_)) => fields.refuse("non_field_errors", &Violation::Other(both.to_owned())),
        _ => {}
    }
    fields.end()?;
    Ok(match (email, username) {
        (Some(email), _) => ForgottenLogin::Email(email),
        (None, username) => ForgottenLogin::Username(username.unwrap_or_default()),
    })
}

/// Set A Password By A Link
///
/// Set the password of the user of a link: an invitation, or one for a forgotten password. No token is needed. All sign-ins of the
/// user end, with the tokens derived from them, and failed attempts no longer count. It signs no one in.
#[utoipa::path(
    post,
    path = "/api/users/auth/pwd/reset",
    operation_id = "auth_password_reset",
    tag = "auth",
    request_body = PasswordByLink,
    responses(
        (status = 204, description = "The password is set"),
        (status = 401, description = "An `Authorization` header was sent and is not valid", body = Detail),
        BodyRefusals,
        Throttled,
    ),
)]
pub(super) async fn reset(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let (key, password) = (fields.text("key"), fields.text("password"));
    fields.require_some("key", key.as_deref());
    fields.require_some("password", password.as_deref());
    // Before the key is looked up: the rest of the rules is checked for who has a link.
    if password.as_ref().is_some_and(|password| password.chars().count() > LONGEST_PASSWORD) {
        fields.refuse("password", &Violation::TooLong(LONGEST_PASSWORD));
    }
    fields.end()?;
    let password = Password::new(password.unwrap_or_default());
    app.directory().set_password_by_link(&origin, &key.unwrap_or_default(), password).await?;
    Ok(no_content())
}
