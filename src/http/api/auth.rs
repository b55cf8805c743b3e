//! `/api/users/auth`: sign-in and sign-out.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::answers::{BodyRefusals, Refusals, Throttled};
use super::bodies::{SignInBody, SignOutBody};
use super::samples;
use super::view::Detail;
use crate::directory::authentication::RefusedSignIn;
use crate::directory::model::Violation;
use crate::directory::password::Password;
use crate::directory::tokens::TokenWithKey;
use crate::directory::{Bearer, Origin};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::EndsItself;
use crate::http::error::{ApiError, answer, no_content};
use crate::http::headers::set_token_expiry;
use crate::http::pipeline::{with_bearer, with_reason};
use crate::http::reason::Reason;

/// The key of a sign-in.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedIn {
    /// The key, for `Authorization: Token <key>`.
    #[schema(example = json!(samples::KEY))]
    token: String,
}

/// Sign In
///
/// Get a token that expires for a username and a password. An unknown user, an inactive user and a wrong password get
/// the same answer.
#[utoipa::path(
    post,
    path = "/api/users/auth/pwd/signin",
    operation_id = "auth_password_sign_in",
    tag = "auth",
    request_body = SignInBody,
    responses(
        (status = 200, description = "The key of a new token", body = SignedIn,
            headers(("X-Token-Expires-At" = String, description = "When the token expires (RFC 3339)"))),
        (status = 401, description = "An `Authorization` header was sent and is not valid", body = Detail),
        BodyRefusals,
        Throttled,
    ),
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let (username, password) = (fields.text("username"), fields.text("password"));
    fields.require_filled("username", username.as_deref());
    fields.require_some("password", password.as_deref());
    for (name, text) in [("username", &username), ("password", &password)] {
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            fields.refuse(name, &Violation::NullCharacter);
        }
    }
    fields.end()?;
    let password = Password::new(password.unwrap_or_default());
    let issued = match app.directory().sign_in(&origin, &username.unwrap_or_default(), password).await {
        Ok(issued) => issued,
        Err(refused) => return Ok(refused_sign_in(refused)),
    };
    Ok(signed_in(&issued))
}

/// Makes the answer to a sign-in.
pub(super) fn signed_in(issued: &TokenWithKey) -> Response {
    let mut response = answer(StatusCode::OK, &SignedIn { token: issued.key.reveal().to_owned() });
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_token_expiry(response.headers_mut(), issued.token.expires_at);
    with_bearer(response, Some(Bearer { token: issued.token.id, user: issued.token.user_id }))
}

/// Makes the answer to a failed sign-in, with what the log says of it.
pub(super) fn refused_sign_in(refused: RefusedSignIn) -> Response {
    let RefusedSignIn { error, account, why } = refused;
    let response = ApiError::from(error).into_response();
    let reason = response.extensions().get::<Reason>().cloned();
    with_reason(response, reason.map(|reason| reason.of_sign_in(why, account)))
}

/// Sign Out
///
/// Revoke the calling token, with the tokens that came of it if it is a sign-in. Every token may end itself, whatever it is
/// narrowed to; `everywhere` needs one that may change what is mine. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/auth/signout",
    operation_id = "auth_sign_out",
    tag = "auth",
    security(("token" = [])),
    request_body = SignOutBody,
    responses((status = 204, description = "The token is revoked"), BodyRefusals, Refusals),
)]
pub(super) async fn sign_out(
    State(app): State<App>,
    EndsItself(actor): EndsItself,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let everywhere = fields.boolean("everywhere").unwrap_or(false);
    fields.end()?;
    app.directory().sign_out(&actor, everywhere).await?;
    Ok(no_content())
}
