//! `/admin/users/{id}/rights`: the permissions attached to a user, and `/admin/users/{id}/groups`: the groups that it is in.
//!
//! The rights are saved as a whole, so their form carries the version that it was made from. A membership is added or removed
//! by itself: two people who do that at once do not meet.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::Problems;
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::{page, see_other};
use super::user::user_id;
use super::user_form::{changeable, refused};
use super::visit::{Visit, escaped};
use super::words::{capitalised, display_name};
use crate::directory::access::{
    ChangeMembers, ReadGroups, ReadPermissions, built_in, holds_permission, holds_right,
};
use crate::directory::error::{Denial, Error};
use crate::directory::groups::MemberChange;
use crate::directory::model::{Expected, Group, GroupId, GroupKey, Permission, UserDraft, UserKey};
use crate::directory::query::GroupQuery;
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

/// Groups that a search shows.
const GROUPS_MAX: &str = "20";

#[derive(Template)]
#[template(path = "admin/user_rights.html")]
struct RightsPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    id: i64,
    name: String,
    is_admin: bool,
    is_staff: bool,
    rights: Vec<RightBox>,
    /// Whether some rights are not listed, because the person may not read the list of permissions.
    is_partial: bool,
    was: Vec<i64>,
    etag: String,
    /// Whether someone else saved while the form was open.
    is_stale: bool,
}

/// A right that can be given.
struct RightBox {
    id: i64,
    code: i64,
    words: String,
    is_given: bool,
    /// Why it cannot be changed; empty if it can.
    locked: &'static str,
    /// Where else it comes from, or what happened to it meanwhile.
    hints: Vec<String>,
}

/// What the form for the rights was sent with: the permissions now, and those that it began with.
struct SentRights {
    given: Vec<i64>,
    was: Vec<i64>,
}

/// The permissions that the page lists: all that the person may read, and those that the user holds.
async fn listed(app: &App, visit: &Visit, details: &UserDetails) -> Result<Vec<Permission>, ApiError> {
    match holds_permission::<ReadPermissions>(&visit.identity) {
        true => Ok(app.directory().permissions(&visit.actor).await?),
        false => Ok(details.effective_permissions.clone()),
    }
}

impl RightsPage {
    async fn read(
        app: &App,
        visit: &Visit,
        details: &UserDetails,
        sent: Option<&SentRights>,
    ) -> Result<Self, ApiError> {
        let own: Vec<i64> = details.permissions.iter().map(|permission| permission.id.get()).collect();
        let permissions = listed(app, visit, details).await?;
        let boxes = permissions.iter().map(|permission| right_box(visit, details, permission, &own, sent));
        let name = display_name(&details.user);
        Ok(Self {
            page: SiteFrame::new(format!("Rights of {name}"), USERS, visit),
            problems: Problems::default(),
            refused: "The rights were not saved",
            id: details.user.id.get(),
            name,
            is_admin: details.user.is_admin,
            is_staff: details.user.is_staff,
            rights: boxes.collect(),
            is_partial: !holds_permission::<ReadPermissions>(&visit.identity),
            etag: details.version().as_str().to_owned(),
            is_stale: false,
            was: own,
        })
    }
}

fn right_box(
    visit: &Visit,
    details: &UserDetails,
    permission: &Permission,
    own: &[i64],
    sent: Option<&SentRights>,
) -> RightBox {
    let id = permission.id.get();
    let (is_own, was_own) = (own.contains(&id), sent.map(|sent| sent.was.contains(&id)));
    let through = |group: &Group| {
        details.held.iter().any(|held| held.permission.id == permission.id && held.group == Some(group.id))
    };
    let mut hints: Vec<_> = details
        .groups
        .iter()
        .filter(|group| through(group))
        .map(|group| format!("Also from the group {}.", group.name))
        .collect();
    match (was_own, is_own) {
        (Some(false), true) => hints.push("Given by someone else while your form was open.".to_owned()),
        (Some(true), false) => hints.push("Taken away by someone else while your form was open.".to_owned()),
        _ => {}
    }
    RightBox {
        id,
        code: permission.code,
        words: built_in(permission.code)
            .map_or_else(|| permission.name.clone(), |known| capitalised(known.allows)),
        is_given: sent.map_or(is_own, |sent| sent.given.contains(&id)),
        locked: match holds_right(&visit.identity, permission.code) {
            true => "",
            false => "You cannot give or take it: you do not hold this right.",
        },
        hints,
    }
}

/// `GET /admin/users/{id}/rights`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = changeable(&app, &visit, &id).await?;
    page(StatusCode::OK, &RightsPage::read(&app, &visit, &details, None).await?)
}

/// `POST /admin/users/{id}/rights`.
pub(super) async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let mut fields = Fields::from(body);
    let mut ids = |name: &str| fields.ids(name).unwrap_or_default();
    let sent = SentRights { given: ids("permissions"), was: ids("was") };
    let etag = fields.text("etag").unwrap_or_default();
    fields.end()?;
    let draft = UserDraft { permissions: Some(sent.given.clone()), ..UserDraft::default() };
    let (key, expected) = (UserKey::Id(id), Expected::OneOf(vec![etag]));
    let error = match app.directory().update_user_if(&visit.actor, &key, &draft, None, expected).await {
        Ok(_) => return Ok(see_other(&format!("/admin/users/{id}?done=rights-saved#rights"))),
        Err(error) => error,
    };
    let details = app.directory().user_details(&visit.actor, &key).await?;
    let mut view = RightsPage::read(&app, &visit, &details, Some(&sent)).await?;
    view.page.title = format!("Problem: {}", view.page.title);
    let status = match error {
        Error::Stale(_) => {
            view.is_stale = true;
            StatusCode::CONFLICT
        }
        error => {
            let (status, problems) = refused(error, &[])?;
            view.problems = problems;
            status
        }
    };
    page(status, &view)
}

#[derive(Template)]
#[template(path = "admin/user_groups.html")]
struct GroupsPage {
    page: SiteFrame,
    id: i64,
    name: String,
    groups: Vec<(i64, String)>,
    search: String,
    /// What the search found, without the groups that the user is in; none for a person who may not read groups.
    found: Option<Vec<(i64, String)>>,
    has_more: bool,
}

/// `GET /admin/users/{id}/groups`.
pub(super) async fn show_groups(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = member(&app, &visit, &id).await?;
    let search = visit.request.parameter("search").unwrap_or_default().to_owned();
    let mut view = GroupsPage {
        page: SiteFrame::new(format!("Groups of {}", display_name(&details.user)), USERS, &visit),
        id: details.user.id.get(),
        name: display_name(&details.user),
        groups: details.groups.iter().map(|group| (group.id.get(), group.name.clone())).collect(),
        search,
        found: None,
        has_more: false,
    };
    if holds_permission::<ReadGroups>(&visit.identity) {
        let question =
            [("search", view.search.as_str()), ("ordering", "name"), ("limit", GROUPS_MAX), ("cursor", "")];
        let question = question.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query = GroupQuery::parse(&question).map_err(ApiError::Invalid)?;
        let found = app.directory().list_groups(&visit.actor, &query).await?;
        view.has_more = found.next.is_some();
        let others = found.rows.iter().filter(|group| !details.user.groups.contains(&group.id));
        view.found = Some(others.map(|group| (group.id.get(), group.name.clone())).collect());
    }
    page(StatusCode::OK, &view)
}

/// Reads the user of the page, for a person who may change members of groups.
async fn member(app: &App, visit: &Visit, id: &str) -> Result<UserDetails, ApiError> {
    let key = UserKey::Id(user_id(id)?);
    let details = app.directory().user_details(&visit.actor, &key).await.map_err(super::user::hidden)?;
    match holds_permission::<ChangeMembers>(&visit.identity) {
        true => Ok(details),
        false => Err(ApiError::Forbidden(Denial::NoRight.to_string())),
    }
}

/// `POST /admin/users/{id}/groups`: adds the user to a group, or removes it from one.
pub(super) async fn save_groups(
    State(app): State<App>,
    visit: Visit,
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
    let group = GroupKey::Id(GroupId::try_from(group).map_err(|_| ApiError::NotFound)?);
    app.directory().change_members(&visit.actor, &group, &[UserKey::Id(id)], kind).await?;
    Ok(see_other(&format!("/admin/users/{id}/groups?done={done}&search={}", escaped(&search))))
}
