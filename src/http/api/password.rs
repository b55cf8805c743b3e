//! `/api/users/me/password`: the caller's own password.

use axum::extract::State;
use axum::response::Response;

use super::answers::{BodyRefusals, Refusals};
use super::bodies::PasswordChange;
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::WritesOwn;
use crate::http::error::{ApiError, no_content};

/// Change My Password
///
/// Change my password; the current one is required. For {callers}.
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
    WritesOwn(actor): WritesOwn,
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
