//! `/admin/users/{id}/rights`: the permissions attached to a user. They are saved as a whole, so their form carries the version
//! that it was made from.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{FormValues, Problems, Typed, refused};
use super::objects::user_id;
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::{page, see_other};
use super::user_form::changeable;
use super::visit::{Visit, VisitWith};
use super::words::{display_name, right_in_words};
use crate::directory::access::{ReadPermissions, UpdateUser, holds_permission, holds_right};
use crate::directory::error::Error;
use crate::directory::model::{Expected, Group, Permission, UserDraft, UserKey};
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

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

/// What the form for the rights was sent with: the permissions now, those that it began with, and the version they were of.
pub(super) struct SentRights {
    given: Vec<i64>,
    was: Vec<i64>,
    etag: String,
}

impl FormValues for SentRights {
    fn read(fields: &mut Fields) -> Self {
        Self {
            given: fields.ids("permissions").unwrap_or_default(),
            was: fields.ids("was").unwrap_or_default(),
            etag: fields.text("etag").unwrap_or_default(),
        }
    }
}

/// The permissions that the page lists: all that the person may read, and those that the user holds.
async fn listed(app: &App, visit: &Visit, details: &UserDetails) -> Result<Vec<Permission>, ApiError> {
    match holds_permission::<ReadPermissions>(&visit.identity) {
        true => Ok(app.directory().permissions(&visit.actor).await?),
        false => Ok(details.effective_permissions.clone()),
    }
}

impl RightsPage {
    fn new(visit: &Visit, details: &UserDetails, listed: &[Permission], sent: Option<&SentRights>) -> Self {
        let own: Vec<i64> = details.permissions.iter().map(|permission| permission.id.get()).collect();
        let boxes = listed.iter().map(|permission| right_box(visit, details, permission, &own, sent));
        let name = display_name(&details.user);
        Self {
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
        }
    }

    /// Shows the form again, with what went wrong.
    fn again(mut self, error: Error) -> Result<Response, ApiError> {
        let status = match error {
            Error::Stale(_) => {
                self.is_stale = true;
                StatusCode::CONFLICT
            }
            error => {
                let (status, problems) = refused(error, &[])?;
                self.problems = problems;
                status
            }
        };
        self.page.title = format!("Problem: {}", self.page.title);
        page(status, &self)
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
    let is_own = own.contains(&id);
    let is_held = holds_right(&visit.identity, permission.code);
    RightBox {
        id,
        code: permission.code,
        words: right_in_words(permission),
        is_given: sent.map_or(is_own, |sent| sent.given.contains(&id)),
        locked: if is_held { "" } else { "You cannot give or take it: you do not hold this right." },
        hints: through_groups(details, permission).chain(changed(id, is_own, sent)).collect(),
    }
}

/// Names the groups that a right comes from.
fn through_groups(details: &UserDetails, permission: &Permission) -> impl Iterator<Item = String> {
    let is_through = move |group: &Group| {
        details.held.iter().any(|held| held.permission.id == permission.id && held.group == Some(group.id))
    };
    let groups = details.groups.iter().filter(move |group| is_through(group));
    groups.map(|group| format!("Also from the group {}.", group.name))
}

/// Says what someone else did to a right while the form was open.
fn changed(id: i64, is_own: bool, sent: Option<&SentRights>) -> Option<String> {
    match (sent?.was.contains(&id), is_own) {
        (false, true) => Some("Given by someone else while your form was open.".to_owned()),
        (true, false) => Some("Taken away by someone else while your form was open.".to_owned()),
        _ => None,
    }
}

/// `GET /admin/users/{id}/rights`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = changeable(&app, &visit, &id).await?;
    let listed = listed(&app, &visit, &details).await?;
    page(StatusCode::OK, &RightsPage::new(&visit, &details, &listed, None))
}

/// `POST /admin/users/{id}/rights`.
pub(super) async fn save(
    State(app): State<App>,
    visit: VisitWith<UpdateUser>,
    Path(id): Path<String>,
    Typed(sent): Typed<SentRights>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let draft = UserDraft { permissions: Some(sent.given.clone()), ..UserDraft::default() };
    let (key, expected) = (UserKey::Id(id), Expected::OneOf(vec![sent.etag.clone()]));
    let error = match app.directory().update_user_if(&visit.actor, &key, &draft, None, expected).await {
        Ok(_) => return Ok(see_other(&format!("/admin/users/{id}?done=rights-saved#rights"))),
        Err(error) => error,
    };
    let details = app.directory().user_details(&visit.actor, &key).await?;
    let listed = listed(&app, &visit, &details).await?;
    RightsPage::new(&visit, &details, &listed, Some(&sent)).again(error)
}
