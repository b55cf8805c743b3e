//! `/api/users/permissions`: the built-in permissions, and those of other services.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{BodyRefusals, BuiltIn, Refusals};
use super::bodies::{PermissionChange, PermissionDraft};
use super::samples;
use super::view::{FieldErrors, PermissionDetail, PermissionItem};
use crate::directory::access::ReadPermissions;
use crate::directory::model::{Permission, PermissionKey, ValidationErrors, Violation};
use crate::directory::query::Terms;
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::{MayChangePermissions, Require};
use crate::http::error::{ApiError, answer, no_content};
use crate::http::text::query_pairs;

const KNOWN: [&str; 3] = ["search", "ordering", "format"];

/// List Permissions
///
/// Every permission, as a bare array. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/permissions",
    operation_id = "permissions_list",
    tag = "permissions",
    security(("token" = [])),
    params(
        ("search" = Option<String>, Query, description = "Terms; each must be found in id, code or name. Example: `user`"),
        ("ordering" = Option<String>, Query, description = "`id`, `code` or `name`; `-` in front for descending order, such as `-code`"),
    ),
    responses(
        (status = 200, description = "The permissions", body = Vec<PermissionItem>),
        (status = 400, description = "An unknown parameter or a value that is not valid", body = FieldErrors),
        Refusals,
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadPermissions>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let permissions = app.directory().permissions(&actor).await?;
    let pairs = query_pairs(&query.unwrap_or_default()).map_err(ApiError::Invalid)?;
    let items = narrowed(permissions, &pairs).map_err(ApiError::Invalid)?;
    Ok(answer(StatusCode::OK, &items.iter().map(PermissionItem::new).collect::<Vec<_>>()))
}

/// Retrieve Permission
///
/// A permission, with the number of users and groups that have it. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/permissions/{id}",
    operation_id = "permissions_retrieve",
    tag = "permissions",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the permission", example = json!(samples::PERMISSION))),
    responses((status = 200, description = "The permission", body = PermissionDetail), Refusals),
)]
pub(super) async fn retrieve(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadPermissions>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = app.directory().permission_details(&actor, &key(&id)?).await?;
    Ok(answer(StatusCode::OK, &PermissionDetail::new(&details)))
}

/// Create Permission
///
/// Create a permission for another service. It is stored and shown, and allows nothing here. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/permissions",
    operation_id = "permissions_create",
    tag = "permissions",
    security(("token" = [])),
    request_body = PermissionDraft,
    responses((status = 201, description = "The new permission", body = PermissionItem), BodyRefusals, Refusals),
)]
pub(super) async fn create(
    State(app): State<App>,
    MayChangePermissions(actor): MayChangePermissions,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let (name, code) = (fields.text("name"), fields.integer("code"));
    fields.require("name", name.is_some());
    fields.end()?;
    let made = app.directory().create_permission(&actor, code, &name.unwrap_or_default()).await?;
    Ok(answer(StatusCode::CREATED, &PermissionItem::new(&made)))
}

/// Rename Permission
///
/// Give a permission of another service another name; its code stays. The built-in ones cannot be renamed. For
/// {callers}.
#[utoipa::path(
    patch,
    path = "/api/users/permissions/{id}",
    operation_id = "permissions_update",
    tag = "permissions",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the permission", example = json!(samples::CHANGED_PERMISSION))),
    request_body = PermissionChange,
    responses((status = 200, description = "The permission as it is now", body = PermissionItem), BodyRefusals, Refusals),
)]
pub(super) async fn update(
    State(app): State<App>,
    MayChangePermissions(actor): MayChangePermissions,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let key = key(&id)?;
    let mut fields = Fields::from(body);
    let name = fields.text("name");
    fields.require("name", name.is_some());
    fields.ignore(PermissionItem::FIELDS);
    fields.ignore(PermissionDetail::COUNTS);
    fields.end()?;
    let renamed = app.directory().rename_permission(&actor, &key, &name.unwrap_or_default()).await?;
    Ok(answer(StatusCode::OK, &PermissionItem::new(&renamed)))
}

/// Remove Permission
///
/// Remove a permission of another service, also from the users and groups that have it. This cannot be undone. How many
/// have it is in the permission before, and in the audit event afterwards. The built-in ones cannot be removed. For
/// {callers}.
#[utoipa::path(
    delete,
    path = "/api/users/permissions/{id}",
    operation_id = "permissions_destroy",
    tag = "permissions",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the permission", example = json!(samples::REMOVED_PERMISSION))),
    responses((status = 204, description = "No user and no group has the permission any more"), BuiltIn, Refusals),
)]
pub(super) async fn destroy(
    State(app): State<App>,
    MayChangePermissions(actor): MayChangePermissions,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    app.directory().remove_permission(&actor, &key(&id)?).await?;
    Ok(no_content())
}

/// Parses the id of a permission from the path; anything that is not an id is a 404.
pub(super) fn key(id: &str) -> Result<PermissionKey, ApiError> {
    id.parse().map(PermissionKey::Id).map_err(|_| ApiError::NotFound)
}

fn narrowed(
    mut permissions: Vec<Permission>,
    pairs: &[(String, String)],
) -> Result<Vec<Permission>, ValidationErrors> {
    let mut faults = ValidationErrors::default();
    for (name, _) in pairs.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
        faults.add(name, &Violation::Other("Unknown parameter.".to_owned()));
    }
    let value =
        |known: &str| pairs.iter().rev().find(|(name, _)| name == known).map(|(_, value)| value.as_str());
    let terms = faults.take("search", Terms::parse(value("search").unwrap_or_default())).unwrap_or_default();
    for term in terms.iter() {
        permissions.retain(|p| {
            [p.id.to_string(), p.code.to_string(), p.name.clone()].iter().any(|f| f.contains(term))
        });
    }
    let ordering = value("ordering").filter(|ordering| !ordering.is_empty()).unwrap_or("code");
    match ordering.trim_start_matches('-') {
        "id" => permissions.sort_by_key(|permission| permission.id),
        "code" => permissions.sort_by_key(|permission| permission.code),
        "name" => permissions.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => faults.add("ordering", &Violation::Choice(ordering.to_owned())),
    }
    if ordering.starts_with('-') {
        permissions.reverse();
    }
    faults.into_result().map(|()| permissions)
}
