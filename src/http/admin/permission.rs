//! `/admin/permissions/{id}`: one permission, what it opens, and who has it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::group::{ListedPerson, NamedRight};
use super::objects::hidden;
use super::page::SiteFrame;
use super::places::PERMISSIONS;
use super::responses::page;
use super::visit::Visit;
use crate::directory::access::{ReadGroups, ReadUsers, built_in, holds_permission};
use crate::directory::model::{Group, GroupId, Permission, PermissionId, PermissionKey, UserId};
use crate::http::app::App;
use crate::http::error::ApiError;

/// Users or groups on a page.
const HOLDERS: usize = 50;

#[derive(Template)]
#[template(path = "admin/permission.html")]
struct PermissionPage {
    page: SiteFrame,
    permission: NamedRight,
    is_built_in: bool,
    can_change: bool,
    /// `None` if the person may not read groups.
    groups: Option<HolderPage<HoldingGroup>>,
    /// `None` if the person may not read users.
    users: Option<HolderPage<ListedPerson>>,
}

/// A group that has a permission.
struct HoldingGroup {
    id: i64,
    name: String,
    users_count: i64,
}

impl HoldingGroup {
    fn new(group: &Group) -> Self {
        Self { id: group.id.get(), name: group.name.clone(), users_count: group.users_count }
    }
}

/// A page of those that have a permission.
struct HolderPage<T> {
    rows: Vec<T>,
    next: Option<String>,
    /// The address of the first page, on others.
    first: Option<String>,
}

/// Parses the id of a path; anything else is not found.
pub(super) fn permission_key(id: &str) -> Result<PermissionKey, ApiError> {
    id.parse().map(PermissionKey::Id).map_err(|_| ApiError::NotFound)
}

/// Returns the permission of a path.
pub(super) async fn existing(app: &App, visit: &Visit, id: &str) -> Result<Permission, ApiError> {
    let key = permission_key(id)?;
    app.directory().permission(&visit.actor, &key).await.map_err(hidden)
}

/// `GET /admin/permissions/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let permission = existing(&app, &visit, &id).await?;
    let view = PermissionPage {
        page: SiteFrame::new(permission.name.clone(), PERMISSIONS, &visit),
        is_built_in: built_in(permission.code).is_some(),
        can_change: visit.identity.user.is_admin && built_in(permission.code).is_none(),
        groups: groups(&app, &visit, permission.id).await?,
        users: users(&app, &visit, permission.id).await?,
        permission: NamedRight::new(&permission),
    };
    page(StatusCode::OK, &view)
}

async fn groups(
    app: &App,
    visit: &Visit,
    id: PermissionId,
) -> Result<Option<HolderPage<HoldingGroup>>, ApiError> {
    if !holds_permission::<ReadGroups>(&visit.identity) {
        return Ok(None);
    }
    let after: Option<GroupId> = visit.request.parameter("after_group").and_then(|after| after.parse().ok());
    let found = app.directory().groups_with_permission(&visit.actor, id, after, one_more()).await?;
    let last = last_of_page(&found, |group: &Group| group.id.get());
    Ok(Some(HolderPage {
        rows: found.iter().take(HOLDERS).map(HoldingGroup::new).collect(),
        next: last.map(|last| format!("{PERMISSIONS}/{id}?after_group={last}#groups")),
        first: after.map(|_| format!("{PERMISSIONS}/{id}#groups")),
    }))
}

async fn users(
    app: &App,
    visit: &Visit,
    id: PermissionId,
) -> Result<Option<HolderPage<ListedPerson>>, ApiError> {
    if !holds_permission::<ReadUsers>(&visit.identity) {
        return Ok(None);
    }
    let after: Option<UserId> = visit.request.parameter("after_user").and_then(|after| after.parse().ok());
    let found = app.directory().users_with_permission(&visit.actor, id, after, one_more()).await?;
    let last = last_of_page(&found, |user| user.id.get());
    Ok(Some(HolderPage {
        rows: found.iter().take(HOLDERS).map(ListedPerson::new).collect(),
        next: last.map(|last| format!("{PERMISSIONS}/{id}?after_user={last}#users")),
        first: after.map(|_| format!("{PERMISSIONS}/{id}#users")),
    }))
}

/// A page and one more row, which shows that there is another page.
fn one_more() -> u32 {
    u32::try_from(HOLDERS + 1).unwrap_or(u32::MAX)
}

/// The id after which the next page begins, if there is one.
fn last_of_page<T>(found: &[T], id: impl Fn(&T) -> i64) -> Option<i64> {
    found.get(HOLDERS).and(found.get(HOLDERS - 1)).map(id)
}
