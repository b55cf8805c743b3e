//! `/api/users/groups/deleted`: deleted groups, which can still be restored.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{Conflicts, ListRefusals, Refusals};
use super::field_selection::FieldSelection;
use super::groups::written;
use super::list_parameters::{BinListParameters, DeletedGroupListParameters};
use super::list_request::ListRequest;
use super::samples;
use super::view::{DeletedGroupItem, GroupItem, Listing};
use crate::directory::access::{DeleteGroup, ReadDeletedGroups, RestoreGroup};
use crate::directory::model::GroupId;
use crate::directory::query::DeletedGroupQuery;
use crate::http::app::App;
use crate::http::caller::Require;
use crate::http::error::{ApiError, no_content};
use crate::http::site::Site;

fn group_id(id: &str) -> Result<GroupId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}

/// List Deleted Groups
///
/// The groups in the recycle bin, a page at a time. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/groups/deleted",
    operation_id = "groups_deleted_list",
    tag = "groups",
    security(("token" = [])),
    params(DeletedGroupListParameters, BinListParameters),
    responses(
        (status = 200, description = "A page of deleted groups", body = Listing<DeletedGroupItem>),
        ListRefusals,
        Refusals,
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadDeletedGroups>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let query = DeletedGroupQuery::parse(&request.parameters).map_err(ApiError::Invalid)?;
    let page = app.directory().list_deleted_groups(&actor, &query).await?;
    let kept_for = app.directory().deleted_kept_for();
    let item = |group: &_| DeletedGroupItem::new(group, kept_for);
    request.answer(&site, &query, &page, DeletedGroupItem::FIELDS, item)
}

/// Restore Group
///
/// Restore a deleted group with its id and with those of its permissions and members that still exist. For {callers} who
/// hold every right of the group, and who may change members if any come back.
#[utoipa::path(
    post,
    path = "/api/users/groups/deleted/{id}/restore",
    operation_id = "groups_deleted_restore",
    tag = "groups",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the deleted group", example = json!(samples::RESTORED_GROUP))),
    responses(
        (status = 200, description = "The group is restored", body = GroupItem,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        Conflicts,
        Refusals,
    ),
)]
pub(super) async fn restore(
    State(app): State<App>,
    Require { actor, .. }: Require<RestoreGroup>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let group = app.directory().restore_group(&actor, group_id(&id)?).await?;
    written(&app, StatusCode::OK, group, &FieldSelection::id()).await
}

/// Purge Group
///
/// Permanently remove a deleted group before its time. For {callers}.
#[utoipa::path(
    delete,
    path = "/api/users/groups/deleted/{id}",
    operation_id = "groups_deleted_purge",
    tag = "groups",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the deleted group", example = json!(samples::PURGED_GROUP))),
    responses((status = 204, description = "Only the audit trail is left of the group"), Refusals),
)]
pub(super) async fn purge(
    State(app): State<App>,
    Require { actor, .. }: Require<DeleteGroup>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    app.directory().purge_group(&actor, group_id(&id)?).await?;
    Ok(no_content())
}
