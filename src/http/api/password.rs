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
/// Replace my password; the present one is needed. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/me/password",
    operation_id = "users_me_password",
    tag = "users",
    security(("token" = [])),
    request_body = PasswordChange,
    responses((status = 204, description = "The new password holds"), BodyRefusals, Refusals),
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

/// An old password and a new one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct PasswordChange {
    /// The present password.
    old_password: String,
    /// The new one, held to the rule for passwords.
    new_password: String,
    /// Whether every sign-in of mine ends with all that came of it, but for the calling token; other tokens go on.
    /// False when not said.
    sign_out_others: Option<bool>,
}
