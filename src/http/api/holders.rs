//! `/api/users/permissions/{id}/users` and `.../groups`: who has a permission.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::IntoParams;

use super::answers::{ListRefusals, Refusals};
use super::list_parameters::formats;
use super::list_request::ListRequest;
use super::permissions::key;
use super::samples;
use super::view::{GroupItem, HolderListing, UserItem};
use crate::directory::access::{ReadGroups, ReadPermissions, ReadUsers};
use crate::directory::query::HolderQuery;
use crate::http::app::App;
use crate::http::caller::RequireBoth;
use crate::http::error::{ApiError, answer};
use crate::http::site::Site;

/// List Users of a Permission
///
/// The users that a permission is attached to, ordered by id; they are not counted. Users who have it through a group
/// alone are not among them: see the groups. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/permissions/{id}/users",
    operation_id = "permissions_users",
    tag = "permissions",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the permission", example = json!(samples::PERMISSION)), HolderParameters),
    responses((status = 200, description = "A page of users", body = HolderListing<UserItem>), ListRefusals, Refusals),
)]
pub(super) async fn users(
    State(app): State<App>,
    RequireBoth { actor, .. }: RequireBoth<ReadPermissions, ReadUsers>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let page = HolderQuery::parse(&request.parameters).map_err(ApiError::Invalid)?;
    let (directory, permission) = (app.directory(), app.directory().permission(&actor, &key(&id)?).await?);
    let found = directory.users_with_permission(&actor, permission.id, page.after, page.one_more()).await?;
    let now = directory.clock().now();
    let items = found.iter().map(|user| UserItem::new(user, &site, now)).collect();
    Ok(listing(&request, &site, &page, items, |item: &UserItem| item.me.id))
}

/// List Groups of a Permission
///
/// The groups that a permission is attached to, ordered by id; they are not counted. Their members have it. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/permissions/{id}/groups",
    operation_id = "permissions_groups",
    tag = "permissions",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the permission", example = json!(samples::PERMISSION)), HolderParameters),
    responses((status = 200, description = "A page of groups", body = HolderListing<GroupItem>), ListRefusals, Refusals),
)]
pub(super) async fn groups(
    State(app): State<App>,
    RequireBoth { actor, .. }: RequireBoth<ReadPermissions, ReadGroups>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let page = HolderQuery::parse(&request.parameters).map_err(ApiError::Invalid)?;
    let (directory, permission) = (app.directory(), app.directory().permission(&actor, &key(&id)?).await?);
    let found = directory.groups_with_permission(&actor, permission.id, page.after, page.one_more()).await?;
    let items = found.iter().map(GroupItem::new).collect();
    Ok(listing(&request, &site, &page, items, |item: &GroupItem| item.id))
}

/// Answers with a page, of which one row more was read.
fn listing<T: Serialize, I>(
    request: &ListRequest,
    site: &Site,
    page: &HolderQuery<I>,
    mut results: Vec<T>,
    id: impl Fn(&T) -> i64,
) -> Response {
    let shown = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = results.len() > shown;
    results.truncate(shown);
    let next = results.last().filter(|_| more).map(|last| {
        let place = [("limit", page.limit.to_string()), ("after", id(last).to_string())];
        let place = place.map(|(name, value)| (name.to_owned(), value));
        site.link(request.kept(&["limit", "after"]).chain(place).collect())
    });
    answer(StatusCode::OK, &HolderListing { next, results })
}

/// The page of those who have a permission.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct HolderParameters {
    /// Rows per page, 1 to 1000; 10 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Only rows with a higher id, as in `next`.
    after: Option<i64>,
    /// The format of the response; there is only one.
    #[param(schema_with = formats)]
    format: Option<String>,
}
