//! `/api/users/{id}/invitation`: the link by which a user without a password chooses one.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{Refusals, RuleRefusals};
use super::samples;
use super::users::user_key;
use super::view::Invitation;
use crate::directory::access::{ReadUsers, UpdateUser};
use crate::http::app::App;
use crate::http::caller::Require;
use crate::http::error::{ApiError, answer, no_content};

/// Retrieve Invitation
///
/// The last invitation of a user. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/{id}/invitation",
    operation_id = "users_invitation",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::INVITED_USER))),
    responses((status = 200, description = "The invitation", body = Invitation), Refusals),
)]
pub(super) async fn retrieve(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadUsers>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let status = app.directory().invitation(&actor, &user_key(&id)?).await?;
    Ok(answer(StatusCode::OK, &Invitation::new(&status)))
}

/// Send Invitation
///
/// Send a link by mail, with which a user who has no password chooses one. It ends the link that was sent before. For
/// {callers} who hold every right of the user, as for a new password; not for oneself.
#[utoipa::path(
    post,
    path = "/api/users/{id}/invitation",
    operation_id = "users_invite",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::INVITED_USER))),
    responses((status = 201, description = "The new invitation", body = Invitation), RuleRefusals, Refusals),
)]
pub(super) async fn send(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateUser>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let invited = app.directory().invite_users(&actor, vec![user_key(&id)?]).await;
    // No field of a body has this name.
    let invited = invited.map_err(|error| error.of_field("invite", "non_field_errors"))?;
    let (_, status) = invited.first().ok_or(ApiError::NotFound)?;
    Ok(answer(StatusCode::CREATED, &Invitation::new(status)))
}

/// Revoke Invitation
///
/// End the pending invitation of a user; without one it is a 404. For {callers} who hold every right of the user; not for oneself.
#[utoipa::path(
    delete,
    path = "/api/users/{id}/invitation",
    operation_id = "users_uninvite",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::INVITED_USER))),
    responses((status = 204, description = "The invitation is revoked"), Refusals),
)]
pub(super) async fn revoke(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateUser>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    app.directory().revoke_invitations(&actor, vec![user_key(&id)?]).await?;
    Ok(no_content())
}
