//! `/api/users/me/password`: the caller's own password.

use axum::extract::State;
use axum::response::Response;
use utoipa::ToSchema;

use super::answers::{BodyRefusals, Refusals};
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::Authenticated;
use crate::http::error::{ApiError, no_content};

/// Change My Password
///
/// Change my password; the present one is required. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/me/password",
    operation_id = "users_me_password",
    tag = "users",
    security(("token" = [])),
    request_body = PasswordChange,
    responses((status = 204, description = "The password is changed"), BodyRefusals, Refusals),
)]
pub(super) async fn change(
    State(app): State<App>,
    Authenticated(actor): Authenticated,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let (old, new) = (fields.text("old_password"), fields.text("new_password"));
    let others = fields.boolean("sign_out_others").unwrap_or(false);
    fields.require("old_password", old.is_some());
    fields.require("new_password", new.is_some());
    fields.end()?;
    let (old, new) = (Password::new(old.unwrap_or_default()), Password::new(new.unwrap_or_default()));
    app.directory().change_own_password(&actor, old, new, others).await?;
    Ok(no_content())
}

/// The present password and the new one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct PasswordChange {
    /// The present password.
    old_password: String,
    /// The new password, which must follow the rule for passwords.
    new_password: String,
    /// Whether all my sign-ins end, with the tokens that came of them, except for the calling token; other tokens stay
    /// valid. False by default.
    sign_out_others: Option<bool>,
}
