//! Permissions of one's own: new, renamed, removed. Only admins may.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{FormValues, Problems, Typed, refused};
use super::group::NamedRight;
use super::objects::hidden;
use super::page::SiteFrame;
use super::permission::{existing, permission_key};
use super::places::PERMISSIONS;
use super::responses::{page, see_other};
use super::visit::{Visit, VisitOfAdmin, ask_for_proof, check_right};
use crate::directory::access::{OWN_CODE_MAX, OWN_CODE_MIN, built_in};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{Permission, Violation};
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

const LABELS: &[(&str, &str)] = &[("name", "Name"), ("code", "Code")];

#[derive(Template)]
#[template(path = "admin/permission_edit.html")]
struct PermissionFormPage {
    page: SiteFrame,
    /// The permission; `None` for a new one.
    permission: Option<NamedRight>,
    name: String,
    code: String,
    code_min: i64,
    code_max: i64,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "admin/permission_remove.html")]
struct RemovePermissionPage {
    page: SiteFrame,
    permission: NamedRight,
    users: i64,
    groups: i64,
    problems: Problems,
}

/// Refuses everyone but admins.
fn admins_only(visit: &Visit) -> Result<(), ApiError> {
    check_right(visit.identity.user.is_admin)
}

impl PermissionFormPage {
    fn new(visit: &Visit, permission: Option<&Permission>, name: String, code: String) -> Self {
        let title =
            permission.map_or_else(|| "New permission".to_owned(), |one| format!("Rename {}", one.name));
        Self {
            page: SiteFrame::new(title, PERMISSIONS, visit),
            permission: permission.map(NamedRight::new),
            name,
            code,
            code_min: OWN_CODE_MIN,
            code_max: OWN_CODE_MAX,
            problems: Problems::default(),
        }
    }

    /// Shows the form again, with what went wrong.
    fn again(mut self, error: Error) -> Result<Response, ApiError> {
        let (status, problems) = refused(error, LABELS)?;
        self.page = self.page.marked(&problems);
        self.problems = problems;
        page(status, &self)
    }
}

/// `GET /admin/permissions/new`.
pub(super) async fn ask_new(State(_): State<App>, visit: Visit) -> Result<Response, ApiError> {
    admins_only(&visit)?;
    page(StatusCode::OK, &PermissionFormPage::new(&visit, None, String::new(), String::new()))
}

/// What was typed into the form of a new permission.
pub(super) struct TypedPermission {
    name: String,
    code: String,
}

impl FormValues for TypedPermission {
    fn read(fields: &mut Fields) -> Self {
        let mut text = |name: &str| fields.text(name).unwrap_or_default();
        Self { name: text("name"), code: text("code") }
    }
}

impl TypedPermission {
    /// The code; `None` if the directory is to choose one.
    fn number(&self) -> Result<Option<i64>, Error> {
        match self.code.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Error::invalid("code", &Violation::Integer)),
        }
    }
}

/// `POST /admin/permissions/new`.
pub(super) async fn create(
    State(app): State<App>,
    visit: VisitOfAdmin,
    Typed(typed): Typed<TypedPermission>,
) -> Result<Response, ApiError> {
    let created = match typed.number() {
        Ok(number) => app.directory().create_permission(&visit.actor, number, &typed.name).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(made) => Ok(see_other(&format!("{PERMISSIONS}/{}?done=permission-created", made.id))),
        Err(error) => PermissionFormPage::new(&visit, None, typed.name, typed.code).again(error),
    }
}

/// Returns a permission of one's own, for an admin.
async fn own(app: &App, visit: &Visit, id: &str) -> Result<Permission, ApiError> {
    let permission = existing(app, visit, id).await?;
    admins_only(visit)?;
    match built_in(permission.code) {
        None => Ok(permission),
        Some(_) => {
            let text = format!("{} is built in: it cannot be renamed or removed.", permission.name);
            Err(ApiError::Forbidden(text))
        }
    }
}

/// `GET /admin/permissions/{id}/edit`.
pub(super) async fn ask_rename(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let permission = own(&app, &visit, &id).await?;
    let name = permission.name.clone();
    page(StatusCode::OK, &PermissionFormPage::new(&visit, Some(&permission), name, String::new()))
}

/// The new name that was typed.
pub(super) struct TypedName(String);

impl FormValues for TypedName {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("name").unwrap_or_default())
    }
}

/// `POST /admin/permissions/{id}/edit`.
pub(super) async fn rename(
    State(app): State<App>,
    visit: VisitOfAdmin,
    Path(id): Path<String>,
    Typed(TypedName(name)): Typed<TypedName>,
) -> Result<Response, ApiError> {
    let permission = own(&app, &visit, &id).await?;
    match app.directory().rename_permission(&visit.actor, &permission_key(&id)?, &name).await {
        Ok(_) => Ok(see_other(&format!("{PERMISSIONS}/{}?done=permission-renamed", permission.id))),
        Err(error) => PermissionFormPage::new(&visit, Some(&permission), name, String::new()).again(error),
    }
}

async fn removal(app: &App, visit: &Visit, id: &str) -> Result<RemovePermissionPage, ApiError> {
    let details =
        app.directory().permission_details(&visit.actor, &permission_key(id)?).await.map_err(hidden)?;
    Ok(RemovePermissionPage {
        page: SiteFrame::new(format!("Remove {}?", details.permission.name), PERMISSIONS, visit),
        permission: NamedRight::new(&details.permission),
        users: details.holders.users,
        groups: details.holders.groups,
        problems: Problems::default(),
    })
}

/// `GET /admin/permissions/{id}/remove`: names what happens, after a new proof.
pub(super) async fn ask_remove(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    own(&app, &visit, &id).await?;
    match visit.proof_first() {
        Some(first) => Ok(first),
        None => page(StatusCode::OK, &removal(&app, &visit, &id).await?),
    }
}

/// `POST /admin/permissions/{id}/remove`.
pub(super) async fn remove(
    State(app): State<App>,
    visit: VisitOfAdmin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    own(&app, &visit, &id).await?;
    let error = match app.directory().remove_permission(&visit.actor, &permission_key(&id)?).await {
        Ok(_) => return Ok(see_other(&format!("{PERMISSIONS}?done=permission-removed"))),
        Err(Error::Denied(Denial::ProofTooOld)) => return Ok(ask_for_proof(&visit.request.path)),
        Err(error) => error,
    };
    let mut view = removal(&app, &visit, &id).await?;
    let (status, problems) = refused(error, &[])?;
    view.problems = problems;
    page(status, &view)
}
