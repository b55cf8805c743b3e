//! `/admin/users/{id}/groups`: the groups that a user is in. A membership is added or removed by itself: two people who do that
//! at once do not meet. A removal is asked about first, and the page after it offers to take it back.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::objects::{hidden, user_id};
use super::page::{SiteFrame, UndoForm};
use super::places::USERS;
use super::responses::{page, see_other};
use super::visit::{Visit, VisitWith, check_right, escaped};
use super::words::{display_name, right_in_words};
use crate::directory::access::{ChangeMembers, ReadGroups, holds_permission};
use crate::directory::groups::MemberChange;
use crate::directory::model::{Group, GroupId, GroupKey, UserKey};
use crate::directory::query::GroupQuery;
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

/// Groups that a search shows.
const GROUPS_MAX: &str = "20";

#[derive(Template)]
#[template(path = "admin/user_groups.html")]
struct OwnGroupsPage {
    page: SiteFrame,
    id: i64,
    name: String,
    groups: Vec<(i64, String)>,
    search: String,
    /// The search as a part of an address.
    escaped: String,
    /// What the search found, without the groups that the user is in; none for a person who may not read groups.
    found: Option<Vec<(i64, String)>>,
    has_more: bool,
}

/// `GET /admin/users/{id}/groups`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = member(&app, &visit, &id).await?;
    let mut view = OwnGroupsPage::new(&visit, &details);
    if holds_permission::<ReadGroups>(&visit.identity) {
        view.search_groups(&app, &visit, &details).await?;
    }
    page(StatusCode::OK, &view)
}

impl OwnGroupsPage {
    fn new(visit: &Visit, details: &UserDetails) -> Self {
        let name = display_name(&details.user);
        Self {
            page: SiteFrame {
                undo: undo(visit, details),
                ..SiteFrame::new(format!("Groups of {name}"), USERS, visit)
            },
            id: details.user.id.get(),
            name,
            groups: details.groups.iter().map(|group| (group.id.get(), group.name.clone())).collect(),
            escaped: escaped(visit.request.parameter("search").unwrap_or_default()),
            search: visit.request.parameter("search").unwrap_or_default().to_owned(),
            found: None,
            has_more: false,
        }
    }

    /// Looks for groups that the user is not in.
    async fn search_groups(
        &mut self,
        app: &App,
        visit: &Visit,
        details: &UserDetails,
    ) -> Result<(), ApiError> {
        let question =
            [("search", self.search.as_str()), ("ordering", "name"), ("limit", GROUPS_MAX), ("cursor", "")];
        let question = question.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query = GroupQuery::parse(&question).map_err(ApiError::Invalid)?;
        let found = app.directory().list_groups(&visit.actor, &query).await?;
        self.has_more = found.next.is_some();
        let others = found.rows.iter().filter(|group| !details.user.groups.contains(&group.id));
        self.found = Some(others.map(|group| (group.id.get(), group.name.clone())).collect());
        Ok(())
    }
}

/// Reads the user of the page, for a person who may change members of groups.
async fn member(app: &App, visit: &Visit, id: &str) -> Result<UserDetails, ApiError> {
    let key = UserKey::Id(user_id(id)?);
    let details = app.directory().user_details(&visit.actor, &key).await.map_err(hidden)?;
    check_right(holds_permission::<ChangeMembers>(&visit.identity)).map(|()| details)
}

/// The form that takes back a removal that was just made.
fn undo(visit: &Visit, details: &UserDetails) -> Option<UndoForm> {
    let group: GroupId = visit.request.said("undo")?.parse().ok()?;
    let is_removed =
        visit.request.said("done") == Some("group-removed") && !details.user.groups.contains(&group);
    let path = format!("{USERS}/{}/groups", details.user.id);
    is_removed.then(|| UndoForm { path, fields: vec![("add", group.to_string())] })
}

#[derive(Template)]
#[template(path = "admin/user_group_remove.html")]
struct LeaveGroupPage {
    page: SiteFrame,
    id: i64,
    name: String,
    group: i64,
    group_name: String,
    /// The rights that only this group gives the user.
    lost: Vec<String>,
    is_admin: bool,
    search: String,
}

impl LeaveGroupPage {
    fn new(visit: &Visit, details: &UserDetails, group: &Group) -> Self {
        let name = display_name(&details.user);
        let only_here = |code: i64| {
            let mut sources = details.held.iter().filter(|held| held.permission.code == code);
            sources.all(|held| held.group == Some(group.id))
        };
        let lost = details.effective_permissions.iter().filter(|permission| only_here(permission.code));
        Self {
            page: SiteFrame::new(format!("Remove {name} from {}?", group.name), USERS, visit),
            id: details.user.id.get(),
            name,
            group: group.id.get(),
            group_name: group.name.clone(),
            lost: lost.map(right_in_words).collect(),
            is_admin: details.user.is_admin,
            search: visit.request.parameter("search").unwrap_or_default().to_owned(),
        }
    }
}

/// `GET /admin/users/{id}/groups/remove?group=ID`: names what a removal takes from the user.
pub(super) async fn ask_remove(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = member(&app, &visit, &id).await?;
    let wanted: Option<GroupId> = visit.request.parameter("group").and_then(|id| id.parse().ok());
    let group = details.groups.iter().find(|group| Some(group.id) == wanted).ok_or(ApiError::NotFound)?;
    page(StatusCode::OK, &LeaveGroupPage::new(&visit, &details, group))
}

/// `POST /admin/users/{id}/groups`: adds the user to a group, or removes it from one.
pub(super) async fn save(
    State(app): State<App>,
    visit: VisitWith<ChangeMembers>,
    Path(id): Path<String>,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let mut fields = Fields::from(body);
    let (add, remove) = (fields.integer("add"), fields.integer("remove"));
    let search = fields.text("search").unwrap_or_default();
    fields.end()?;
    let (group, kind, done) = match (add, remove) {
        (Some(group), None) => (group, MemberChange::Add, "group-added"),
        (None, Some(group)) => (group, MemberChange::Remove, "group-removed"),
        _ => return Err(ApiError::BadRequest("Name one group to add or to remove.")),
    };
    let group = GroupId::try_from(group).map_err(|_| ApiError::NotFound)?;
    let change =
        app.directory().change_members(&visit.actor, &GroupKey::Id(group), &[UserKey::Id(id)], kind).await?;
    let undo = match kind {
        MemberChange::Remove if !change.value.changed.is_empty() => format!("&undo={group}"),
        _ => String::new(),
    };
    Ok(see_other(&format!("{USERS}/{id}/groups?done={done}{undo}&search={}", escaped(&search))))
}
