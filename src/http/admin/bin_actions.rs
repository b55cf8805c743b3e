//! What is done with deleted users and groups: restored, or removed permanently, which needs a new proof.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::bin::BinnedRow;
use super::form::{Problems, refused};
use super::group::group_id;
use super::objects::{hidden, user_id};
use super::page::SiteFrame;
use super::places::{BIN, BIN_GROUPS, GROUPS, USERS};
use super::responses::{page, see_other};
use super::visit::{Visit, VisitWith, ask_for_proof};
use crate::directory::access::{
    DeleteGroup, DeleteUser, ReadGroups, ReadUsers, RestoreGroup, RestoreUser, holds_permission,
};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{GroupId, UserId};
use crate::directory::query::{DeletedFilters, DeletedGroupQuery, DeletedQuery, NumberRange, TimeRange};
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/bin_one.html")]
struct BinnedPage {
    page: SiteFrame,
    row: BinnedRow,
    of_group: bool,
    /// Whether it asks about a removal, and not only shows why a restore failed.
    is_removal: bool,
    problems: Problems,
}

/// The filter for one object.
fn only(id: i64) -> DeletedFilters {
    DeletedFilters { id: NumberRange { min: Some(id), max: Some(id) }, deleted: TimeRange::default() }
}

async fn of_user(app: &App, visit: &Visit, id: UserId) -> Result<BinnedPage, ApiError> {
    let query = DeletedQuery::by_id(only(id.get()), None, 1);
    let found = app.directory().list_deleted(&visit.actor, &query).await.map_err(hidden)?;
    let row = found.rows.first().ok_or(ApiError::NotFound)?;
    Ok(BinnedPage::new(visit, BinnedRow::of_user(app, row, visit.request.now), false))
}

async fn of_group(app: &App, visit: &Visit, id: GroupId) -> Result<BinnedPage, ApiError> {
    let query = DeletedGroupQuery::by_id(only(id.get()), None, 1);
    let found = app.directory().list_deleted_groups(&visit.actor, &query).await.map_err(hidden)?;
    let row = found.rows.first().ok_or(ApiError::NotFound)?;
    Ok(BinnedPage::new(visit, BinnedRow::of_group(app, row, visit.request.now), true))
}

impl BinnedPage {
    fn new(visit: &Visit, row: BinnedRow, of_group: bool) -> Self {
        let page = SiteFrame::new(format!("Remove {} permanently?", row.name), BIN, visit);
        Self { page, row, of_group, is_removal: true, problems: Problems::default() }
    }

    /// Shows why something did not work.
    fn failed(mut self, is_removal: bool, error: Error) -> Result<Response, ApiError> {
        let (status, problems) = refused(error, &[])?;
        self.page.title = match is_removal {
            true => format!("Problem: {}", self.page.title),
            false => format!("Problem: {} cannot be restored", self.row.name),
        };
        self.is_removal = is_removal;
        self.problems = problems;
        page(status, &self)
    }
}

/// `POST /admin/bin/users/{id}/restore`.
pub(super) async fn restore_user(
    State(app): State<App>,
    visit: VisitWith<RestoreUser>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    match app.directory().restore_user(&visit.actor, id).await {
        Ok(_) if holds_permission::<ReadUsers>(&visit.identity) => {
            Ok(see_other(&format!("{USERS}/{id}?done=user-restored")))
        }
        Ok(_) => Ok(see_other(&format!("{BIN}?done=user-restored"))),
        Err(Error::Denied(Denial::ProofTooOld)) => Ok(ask_for_proof(BIN)),
        Err(error) => of_user(&app, &visit, id).await?.failed(false, error),
    }
}

/// `POST /admin/bin/groups/{id}/restore`.
pub(super) async fn restore_group(
    State(app): State<App>,
    visit: VisitWith<RestoreGroup>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    match app.directory().restore_group(&visit.actor, id).await {
        Ok(_) if holds_permission::<ReadGroups>(&visit.identity) => {
            Ok(see_other(&format!("{GROUPS}/{id}?done=group-restored")))
        }
        Ok(_) => Ok(see_other(&format!("{BIN_GROUPS}?done=group-restored"))),
        Err(error) => of_group(&app, &visit, id).await?.failed(false, error),
    }
}

/// Shows the page that asks about a removal, after a new proof.
fn asked(visit: &Visit, view: &BinnedPage) -> Result<Response, ApiError> {
    match visit.proof_first() {
        Some(first) => Ok(first),
        None => page(StatusCode::OK, view),
    }
}

/// `GET /admin/bin/users/{id}/purge`.
pub(super) async fn ask_purge_user(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let view = of_user(&app, &visit, user_id(&id)?).await?;
    asked(&visit, &view)
}

/// `GET /admin/bin/groups/{id}/purge`.
pub(super) async fn ask_purge_group(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let view = of_group(&app, &visit, group_id(&id)?).await?;
    asked(&visit, &view)
}

/// `POST /admin/bin/users/{id}/purge`.
pub(super) async fn purge_user(
    State(app): State<App>,
    visit: VisitWith<DeleteUser>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    match app.directory().purge_user(&visit.actor, id).await {
        Ok(_) => Ok(see_other(&format!("{BIN}?done=user-gone"))),
        Err(Error::Denied(Denial::ProofTooOld)) => Ok(ask_for_proof(&visit.request.path)),
        Err(error) => of_user(&app, &visit, id).await?.failed(true, error),
    }
}

/// `POST /admin/bin/groups/{id}/purge`.
pub(super) async fn purge_group(
    State(app): State<App>,
    visit: VisitWith<DeleteGroup>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    match app.directory().purge_group(&visit.actor, id).await {
        Ok(_) => Ok(see_other(&format!("{BIN_GROUPS}?done=group-gone"))),
        Err(Error::Denied(Denial::ProofTooOld)) => Ok(ask_for_proof(&visit.request.path)),
        Err(error) => of_group(&app, &visit, id).await?.failed(true, error),
    }
}
