//! `/admin/groups/{id}`: one group, with its rights and its members, a page at a time.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::listing::ListAddress;
use super::objects::hidden;
use super::page::{SiteFrame, UndoForm};
use super::places::GROUPS;
use super::responses::page;
use super::visit::{Visit, escaped};
use super::words::{Face, When, display_name, right_in_words};
use crate::directory::access::{
    ChangeMembers, DeleteGroup, ReadPermissions, ReadUsers, UpdateGroup, holds_permission,
};
use crate::directory::groups::GroupDetails;
use crate::directory::model::{
    Group, GroupId, GroupKey, Permission, Timestamp, User, UserId, ValidationErrors,
};
use crate::directory::query::UserQuery;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Members on a page.
const MEMBERS: usize = 50;

#[derive(Template)]
#[template(path = "admin/group.html")]
struct GroupPage {
    page: SiteFrame,
    group: RecordedGroup,
    rights: Vec<NamedRight>,
    members: Option<MemberPage>,
    can_edit: bool,
    can_delete: bool,
    can_change_members: bool,
    can_read_permissions: bool,
}

/// A group as its pages show it.
pub(super) struct RecordedGroup {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) notes: String,
    pub(super) users_count: i64,
    pub(super) created: When,
    pub(super) updated: When,
}

impl RecordedGroup {
    pub(super) fn new(group: &Group, now: Timestamp) -> Self {
        Self {
            id: group.id.get(),
            name: group.name.clone(),
            notes: group.notes.clone().unwrap_or_default(),
            users_count: group.users_count,
            created: When::of(group.created_at, now),
            updated: When::of(group.updated_at, now),
        }
    }
}

/// A right in words.
pub(super) struct NamedRight {
    pub(super) id: i64,
    pub(super) code: i64,
    pub(super) name: String,
    pub(super) words: String,
}

impl NamedRight {
    pub(super) fn new(permission: &Permission) -> Self {
        Self {
            id: permission.id.get(),
            code: permission.code,
            name: permission.name.clone(),
            words: right_in_words(permission),
        }
    }
}

/// A person in a short list.
pub(super) struct ListedPerson {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) face: Face,
    pub(super) is_active: bool,
    pub(super) is_staff: bool,
    pub(super) is_admin: bool,
}

impl ListedPerson {
    pub(super) fn new(user: &User) -> Self {
        let name = display_name(user);
        Self {
            id: user.id.get(),
            face: Face::of(&name),
            name,
            username: user.username.clone(),
            email: user.email.clone().unwrap_or_default(),
            is_active: user.is_active,
            is_staff: user.is_staff,
            is_admin: user.is_admin,
        }
    }
}

/// A page of members.
struct MemberPage {
    search: String,
    problem: Option<String>,
    rows: Vec<ListedPerson>,
    next: Option<String>,
    previous: Option<String>,
}

/// Parses the id of a path; anything else is not found.
pub(super) fn group_id(id: &str) -> Result<GroupId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}

/// `GET /admin/groups/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    let details = app.directory().group_details(&visit.actor, &GroupKey::Id(id)).await.map_err(hidden)?;
    let members = match holds_permission::<ReadUsers>(&visit.identity) {
        true => Some(members(&app, &visit, id).await?),
        false => None,
    };
    let status = match members.as_ref().is_some_and(|members| members.problem.is_some()) {
        true => StatusCode::BAD_REQUEST,
        false => StatusCode::OK,
    };
    page(status, &GroupPage::new(&visit, &details, members))
}

impl GroupPage {
    fn new(visit: &Visit, details: &GroupDetails, members: Option<MemberPage>) -> Self {
        let (group, identity) = (&details.group, &visit.identity);
        let frame = SiteFrame::new(group.name.clone(), GROUPS, visit);
        Self {
            page: SiteFrame { undo: undo(visit, group.id), ..frame },
            group: RecordedGroup::new(group, visit.request.now),
            rights: details.permissions.iter().map(NamedRight::new).collect(),
            can_edit: holds_permission::<UpdateGroup>(identity),
            can_delete: holds_permission::<DeleteGroup>(identity),
            can_change_members: members.is_some() && holds_permission::<ChangeMembers>(identity),
            can_read_permissions: holds_permission::<ReadPermissions>(identity),
            members,
        }
    }
}

/// Reads a page of members: by the index of memberships, or by a search.
async fn members(app: &App, visit: &Visit, id: GroupId) -> Result<MemberPage, ApiError> {
    let address = ListAddress::new(format!("{GROUPS}/{id}"), &visit.request.query, "username");
    match address.get("search").is_empty() {
        true => all_members(app, visit, id, &address).await,
        false => members_found(app, visit, id, &address).await,
    }
}

async fn all_members(
    app: &App,
    visit: &Visit,
    id: GroupId,
    address: &ListAddress,
) -> Result<MemberPage, ApiError> {
    let path = address.path();
    let after = visit.request.parameter("after").and_then(|after| after.parse::<UserId>().ok());
    let limit = u32::try_from(MEMBERS + 1).unwrap_or(u32::MAX);
    let mut found = app.directory().members(&visit.actor, id, after, limit).await?;
    let more = found.len() > MEMBERS;
    found.truncate(MEMBERS);
    let next = found.last().filter(|_| more).map(|last| format!("{path}?after={}", last.id));
    let previous = after.map(|_| path.to_owned());
    let rows = found.iter().map(ListedPerson::new).collect();
    Ok(MemberPage { search: String::new(), problem: None, rows, next, previous })
}

async fn members_found(
    app: &App,
    visit: &Visit,
    id: GroupId,
    address: &ListAddress,
) -> Result<MemberPage, ApiError> {
    let search = address.get("search").to_owned();
    let mut pairs = address.api();
    pairs.push(("group_id".to_owned(), id.to_string()));
    let query = match UserQuery::parse(&pairs) {
        Ok(query) => query,
        Err(faults) => return Ok(MemberPage::refused(search, &faults)),
    };
    let found = app.directory().list_users(&visit.actor, &query).await?;
    let rows = found.rows.iter().map(ListedPerson::new).collect();
    let (next, previous) = (address.turn(&found.next), address.turn(&found.previous));
    Ok(MemberPage { search, problem: None, rows, next, previous })
}

impl MemberPage {
    fn refused(search: String, faults: &ValidationErrors) -> Self {
        let texts: Vec<_> = faults.iter().flat_map(|(_, texts)| texts.iter().cloned()).collect();
        Self { search, problem: Some(texts.join(" ")), rows: Vec::new(), next: None, previous: None }
    }
}

/// The form that takes back what was just done to members.
fn undo(visit: &Visit, id: GroupId) -> Option<UndoForm> {
    let action = match visit.request.parameter("done")? {
        "members-removed" => "add",
        _ => return None,
    };
    let users: Result<Vec<UserId>, _> = visit.request.said("undo")?.split(',').map(str::parse).collect();
    let fields = users.ok()?.iter().map(|user| ("users", user.to_string())).collect();
    Some(UndoForm { path: format!("{GROUPS}/{id}/members/{action}"), fields })
}

/// The address of a group's page with a note, and with the users whose membership an undo brings back.
pub(super) fn with_note(id: GroupId, note: &str, undo: &[User]) -> String {
    let ids: Vec<_> = undo.iter().map(|user| user.id.to_string()).collect();
    match ids.is_empty() {
        true => format!("{GROUPS}/{id}?done={note}"),
        false => format!("{GROUPS}/{id}?done={note}&undo={}", escaped(&ids.join(","))),
    }
}
