//! `/api/users/deleted`: users who were deleted and can still be brought back.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{Conflicts, ListRefusals, Refusals};
use super::list::Asked;
use super::list_parameters::DeletedListParameters;
use super::users::{user_id, written};
use super::view::{DeletedItem, Listing, UserRecord};
use super::wanted::Wanted;
use crate::directory::query::DeletedQuery;
use crate::http::app::App;
use crate::http::caller::Holding;
use crate::http::error::{ApiError, nothing};
use crate::http::site::Site;

/// List Deleted Users
///
/// The recycle bin, a page at a time. For admins, and staff with permission 1224.
#[utoipa::path(
    get,
    path = "/api/users/deleted",
    operation_id = "users_deleted_list",
    tag = "users",
    security(("token" = [])),
    params(DeletedListParameters),
    responses(
        (status = 200, description = "A page of deleted users", body = Listing<DeletedItem>),
        ListRefusals,
        Refusals,
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Holding(actor): Holding<1224>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let asked = Asked::of(query.as_deref(), "/api/users/deleted")?;
    let query = DeletedQuery::parse(&asked.parameters).map_err(ApiError::Invalid)?;
    let page = app.directory().list_deleted(&actor, &query).await?;
    let kept_for = app.directory().deleted_kept_for();
    asked.answer(&site, &page, DeletedItem::FIELDS, |user| DeletedItem::new(user, kept_for))
}

/// Restore User
///
/// Bring a deleted user back, with its id, password, groups and permissions, but without its tokens. For admins,
/// and staff with permission 1224 who hold every right that comes back.
#[utoipa::path(
    post,
    path = "/api/users/deleted/{id}/restore",
    operation_id = "users_deleted_restore",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the deleted user")),
    responses(
        (status = 200, description = "The user is back", body = UserRecord,
            headers(("ETag" = String, description = "The version of what is written; for `If-Match`"))),
        Conflicts,
        Refusals,
    ),
)]
pub(super) async fn restore(
    State(app): State<App>,
    Holding(actor): Holding<1224>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let user = app.directory().restore_user(&actor, user_id(&id)?).await?;
    written(&app, StatusCode::OK, user, &Wanted::id(), &site).await
}

/// Purge User
///
/// Remove a deleted user for good, before its time. For admins, and staff with permission 1224.
#[utoipa::path(
    delete,
    path = "/api/users/deleted/{id}",
    operation_id = "users_deleted_purge",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the deleted user")),
    responses((status = 204, description = "Nothing is left but the audit trail"), Refusals),
)]
pub(super) async fn purge(
    State(app): State<App>,
    Holding(actor): Holding<1224>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    app.directory().purge_user(&actor, user_id(&id)?).await?;
    Ok(nothing())
}
