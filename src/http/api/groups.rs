//! `/api/users/groups`: groups and their members.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{BodyRefusals, HeaderRefusals, ListRefusals, Preconditions, Refusals};
use super::bodies::{GroupChange, GroupReplacement, MemberList, NewGroup};
use super::field_selection::FieldSelection;
use super::fields::group_draft;
use super::list_parameters::{GroupListParameters, ListParameters};
use super::list_request::ListRequest;
use super::samples;
use super::view::{GroupDetail, GroupItem, Listing};
use crate::directory::access::{ChangeMembers, CreateGroup, DeleteGroup, ReadGroups, UpdateGroup};
use crate::directory::groups::MemberChange;
use crate::directory::model::{Expected, Group, GroupKey, UserId, UserKey, ValidationErrors, Violation};
use crate::directory::query::GroupQuery;
use crate::directory::{Actor, Written};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::Require;
use crate::http::conditions::{IfMatch, tagged};
use crate::http::error::{ApiError, answer, no_content};
use crate::http::site::Site;

fn group_key(id: &str) -> Result<GroupKey, ApiError> {
    id.parse().map(GroupKey::Id).map_err(|_| ApiError::NotFound)
}

/// List Groups
///
/// The groups that match all filters, a page at a time. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/groups",
    operation_id = "groups_list",
    tag = "groups",
    security(("token" = [])),
    params(ListParameters, GroupListParameters),
    responses((status = 200, description = "A page of groups", body = Listing<GroupItem>), ListRefusals, Refusals),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadGroups>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let query = GroupQuery::parse(&request.parameters).map_err(ApiError::Invalid)?;
    let page = app.directory().list_groups(&actor, &query).await?;
    request.answer(&site, &query, &page, GroupItem::FIELDS, GroupItem::new)
}

/// Create Group
///
/// Create a group. For {callers}, who cannot attach a right that they do not hold.
#[utoipa::path(
    post,
    path = "/api/users/groups",
    operation_id = "groups_create",
    tag = "groups",
    security(("token" = [])),
    request_body = NewGroup,
    responses(
        (status = 201, description = "The new group", body = GroupItem,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        BodyRefusals,
        Refusals,
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    Require { actor, .. }: Require<CreateGroup>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let draft = group_draft(&mut fields);
    let named = FieldSelection::written(&fields);
    fields.require("name", draft.name.is_some());
    fields.end()?;
    let group = app.directory().create_group(&actor, &draft).await?;
    written(&app, StatusCode::CREATED, group, &named).await
}

/// Retrieve Group
///
/// A group with its permissions. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/groups/{id}",
    operation_id = "groups_retrieve",
    tag = "groups",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the group", example = json!(samples::GROUP))),
    responses(
        (status = 200, description = "The group", body = GroupDetail,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        Refusals,
    ),
)]
pub(super) async fn retrieve(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadGroups>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = app.directory().group_details(&actor, &group_key(&id)?).await?;
    Ok(tagged(answer(StatusCode::OK, &GroupDetail::new(&details)), &details.version()))
}

/// Change Group
///
/// Change fields of a group; fields that are not sent do not change, and fields of the answer that cannot be written are
/// ignored. For {callers}.
#[utoipa::path(
    patch,
    path = "/api/users/groups/{id}",
    operation_id = "groups_update",
    tag = "groups",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the group", example = json!(samples::CHANGED_GROUP)),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags, such as the `ETag` of a response; `*` or no header for any"),
    ),
    request_body = GroupChange,
    responses(
        (status = 200, description = "The group as it is now", body = GroupItem,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        BodyRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn update(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateGroup>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, ApiError> {
    changed(&app, &actor, &id, expected, Fields::from(body)).await
}

/// Replace Group
///
/// As `PATCH`, but the fields that a new group needs are required. For {callers}.
#[utoipa::path(
    put,
    path = "/api/users/groups/{id}",
    operation_id = "groups_replace",
    tag = "groups",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the group", example = json!(samples::CHANGED_GROUP)),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags, such as the `ETag` of a response; `*` or no header for any"),
    ),
    request_body = GroupReplacement,
    responses(
        (status = 200, description = "The group as it is now", body = GroupItem,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        BodyRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn replace(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateGroup>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    fields.require("name", fields.contains("name"));
    changed(&app, &actor, &id, expected, fields).await
}

async fn changed(
    app: &App,
    actor: &Actor,
    id: &str,
    expected: Expected,
    mut fields: Fields,
) -> Result<Response, ApiError> {
    let key = group_key(id)?;
    let draft = group_draft(&mut fields);
    let named = FieldSelection::written(&fields);
    fields.ignore(GroupItem::FIELDS);
    fields.ignore(GroupDetail::DATA);
    fields.end()?;
    let group = app.directory().update_group_if(actor, &key, &draft, expected).await?;
    written(app, StatusCode::OK, group, &named).await
}

/// Answers with the written group: the whole record, or the written fields if the caller may not read groups.
pub(super) async fn written(
    app: &App,
    status: StatusCode,
    group: Written<Group>,
    named: &FieldSelection,
) -> Result<Response, ApiError> {
    if !group.is_readable {
        return Ok(answer(status, &named.apply(&GroupItem::new(&group))?));
    }
    let group = group.value;
    let details = app.directory().group_details_of_written(group).await?;
    Ok(tagged(answer(status, &GroupItem::new(&details.group)), &details.version()))
}

/// Delete Group
///
/// Delete a group; its members remain users. It can be restored for a time. For {callers}.
#[utoipa::path(
    delete,
    path = "/api/users/groups/{id}",
    operation_id = "groups_destroy",
    tag = "groups",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the group", example = json!(samples::DELETED_GROUP)),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags, such as the `ETag` of a response; `*` or no header for any"),
    ),
    responses((status = 204, description = "The group is deleted"), HeaderRefusals, Preconditions, Refusals),
)]
pub(super) async fn destroy(
    State(app): State<App>,
    Require { actor, .. }: Require<DeleteGroup>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<Response, ApiError> {
    app.directory().delete_group_if(&actor, &group_key(&id)?, expected).await?;
    Ok(no_content())
}

/// Add Members
///
/// Add users to a group, all or none of them; users who are members already are no error. For {callers} who hold every
/// right of the group.
#[utoipa::path(
    post,
    path = "/api/users/groups/{id}/members",
    operation_id = "groups_members_add",
    tag = "groups",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the group", example = json!(samples::CHANGED_GROUP))),
    request_body = MemberList,
    responses((status = 200, description = "The group as it is now", body = GroupItem), BodyRefusals, Refusals),
)]
pub(super) async fn add_members(
    State(app): State<App>,
    Require { actor, .. }: Require<ChangeMembers>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    changed_members(&app, &actor, &id, body, MemberChange::Add).await
}

/// Remove Members
///
/// Remove users from a group, all or none of them; users who are not members are no error. For {callers} who hold every
/// right of the group.
#[utoipa::path(
    delete,
    path = "/api/users/groups/{id}/members",
    operation_id = "groups_members_remove",
    tag = "groups",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the group", example = json!(samples::CHANGED_GROUP))),
    request_body = MemberList,
    responses((status = 200, description = "The group as it is now", body = GroupItem), BodyRefusals, Refusals),
)]
pub(super) async fn remove_members(
    State(app): State<App>,
    Require { actor, .. }: Require<ChangeMembers>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    changed_members(&app, &actor, &id, body, MemberChange::Remove).await
}

async fn changed_members(
    app: &App,
    actor: &Actor,
    id: &str,
    body: Body,
    change: MemberChange,
) -> Result<Response, ApiError> {
    let key = group_key(id)?;
    let mut fields = Fields::from(body);
    let users = fields.ids("users");
    fields.require("users", users.is_some());
    fields.end()?;
    let membership =
        app.directory().change_members(actor, &key, &user_keys(&users.unwrap_or_default())?, change).await?;
    let group = GroupItem::new(&membership.group);
    match membership.is_readable {
        true => Ok(answer(StatusCode::OK, &group)),
        false => Ok(answer(StatusCode::OK, &FieldSelection::id().apply(&group)?)),
    }
}

/// Turns ids into keys. A number that is not a valid id is refused as an unknown user.
fn user_keys(ids: &[i64]) -> Result<Vec<UserKey>, ApiError> {
    let missing = |id| ApiError::Invalid(ValidationErrors::of("users", &Violation::NoSuchObject(id)));
    ids.iter().map(|id| UserId::try_from(*id).map(UserKey::Id).map_err(|_| missing(*id))).collect()
}
