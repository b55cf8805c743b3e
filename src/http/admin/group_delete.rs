//! `/admin/groups/{id}/delete`: says what a deletion means before it happens.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::Problems;
use super::group::{NamedRight, RecordedGroup, group_id};
use super::group_edit::problems;
use super::page::SiteFrame;
use super::places::GROUPS;
use super::responses::{page, see_other};
use super::user::hidden;
use super::visit::{Visit, ask_for_proof};
use super::words::When;
use crate::directory::access::{DeleteGroup, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{Expected, GroupId, GroupKey};
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/group_delete.html")]
struct DeleteGroupPage {
    page: SiteFrame,
    group: RecordedGroup,
    rights: Vec<NamedRight>,
    version: String,
    /// Until when the group can be restored; `None` if nothing is kept.
    kept_until: Option<When>,
    problems: Problems,
}

async fn view(app: &App, visit: &Visit, id: GroupId) -> Result<DeleteGroupPage, ApiError> {
    let details = app.directory().group_details(&visit.actor, &GroupKey::Id(id)).await.map_err(hidden)?;
    if !holds_permission::<DeleteGroup>(&visit.identity) {
        return Err(ApiError::Forbidden(Denial::NoRight.to_string()));
    }
    let (now, kept_for) = (visit.request.now, app.directory().deleted_kept_for());
    let kept_until = now.plus(kept_for).ok().filter(|_| !kept_for.is_zero());
    Ok(DeleteGroupPage {
        page: SiteFrame::new(format!("Delete the group {}?", details.group.name), GROUPS, visit),
        group: RecordedGroup::new(&details.group, now),
        rights: details.permissions.iter().map(NamedRight::new).collect(),
        version: details.version().as_str().to_owned(),
        kept_until: When::maybe(kept_until, now),
        problems: Problems::default(),
    })
}

/// `GET /admin/groups/{id}/delete`. A deletion that cannot be taken back needs a new proof first.
pub(super) async fn ask(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let view = view(&app, &visit, group_id(&id)?).await?;
    match visit.proof_first().filter(|_| view.kept_until.is_none()) {
        Some(first) => Ok(first),
        None => page(StatusCode::OK, &view),
    }
}

/// `POST /admin/groups/{id}/delete`.
pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    let mut fields = Fields::from(body);
    let version = fields.text("version").unwrap_or_default();
    fields.end()?;
    let key = GroupKey::Id(id);
    let deleted = app.directory().delete_group_if(&visit.actor, &key, Expected::OneOf(vec![version])).await;
    let error = match deleted {
        Ok(_) if app.directory().deleted_kept_for().is_zero() => {
            return Ok(see_other(&format!("{GROUPS}?done=group-gone")));
        }
        Ok(_) => return Ok(see_other(&format!("{GROUPS}?done=group-deleted&undo={id}"))),
        Err(Error::Denied(Denial::ProofTooOld)) => return Ok(ask_for_proof(&visit.request.path)),
        Err(error) => error,
    };
    let mut view = view(&app, &visit, id).await?;
    let (status, problems) = match error {
        Error::Stale(_) => {
            let text = "The group has changed since you opened this page. Look at it again, then decide.";
            (StatusCode::PRECONDITION_FAILED, Problems::whole(text))
        }
        error => problems(error, &[])?,
    };
    view.page.title = format!("Problem: {}", view.page.title);
    view.problems = problems;
    page(status, &view)
}
