//! `/api/users/deleted`: deleted users, who can still be restored.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{Conflicts, ListRefusals, Refusals};
use super::field_selection::FieldSelection;
use super::list_parameters::{BinListParameters, DeletedListParameters};
use super::list_request::ListRequest;
use super::samples;
use super::users::{user_id, written};
use super::view::{DeletedItem, Listing, UserDetail};
use crate::directory::access::{DeleteUser, ReadDeleted, RestoreUser};
use crate::directory::query::DeletedQuery;
use crate::http::app::App;
use crate::http::caller::Require;
use crate::http::error::{ApiError, no_content};
use crate::http::site::Site;

/// List Deleted Users
///
/// The users in the recycle bin, a page at a time. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/deleted",
    operation_id = "users_deleted_list",
    tag = "users",
    security(("token" = [])),
    params(DeletedListParameters, BinListParameters),
    responses(
        (status = 200, description = "A page of deleted users", body = Listing<DeletedItem>),
        ListRefusals,
        Refusals,
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadDeleted>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let query = DeletedQuery::parse(&request.parameters).map_err(ApiError::Invalid)?;
    let page = app.directory().list_deleted(&actor, &query).await?;
    let kept_for = app.directory().deleted_kept_for();
    request.answer(&site, &query, &page, DeletedItem::FIELDS, |user| DeletedItem::new(user, kept_for))
}

/// Restore User
///
/// Restore a deleted user with its id, password, groups and permissions, but without its tokens. For {callers} who hold
/// every right of the user.
#[utoipa::path(
    post,
    path = "/api/users/deleted/{id}/restore",
    operation_id = "users_deleted_restore",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the deleted user", example = json!(samples::RESTORED_USER))),
    responses(
        (status = 200, description = "The user is restored", body = UserDetail,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        Conflicts,
        Refusals,
    ),
)]
pub(super) async fn restore(
    State(app): State<App>,
    Require { actor, .. }: Require<RestoreUser>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let user = app.directory().restore_user(&actor, user_id(&id)?).await?;
    written(&app, StatusCode::OK, user, &FieldSelection::id(), &site).await
}

/// Purge User
///
/// Permanently remove a deleted user before its time. For {callers}.
#[utoipa::path(
    delete,
    path = "/api/users/deleted/{id}",
    operation_id = "users_deleted_purge",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the deleted user", example = json!(samples::PURGED_USER))),
    responses((status = 204, description = "Only the audit trail is left of the user"), Refusals),
)]
pub(super) async fn purge(
    State(app): State<App>,
    Require { actor, .. }: Require<DeleteUser>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    app.directory().purge_user(&actor, user_id(&id)?).await?;
    Ok(no_content())
}
