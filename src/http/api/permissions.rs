//! `/api/users/permissions`: the catalogue of permissions.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::Refusals;
use super::view::{FieldErrors, PermissionItem};
use crate::directory::access::ReadPermissions;
use crate::directory::model::{Permission, ValidationErrors, Violation};
use crate::directory::query::Terms;
use crate::http::app::App;
use crate::http::caller::Require;
use crate::http::error::{ApiError, answer};
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
