//! `/admin/groups/{id}/delete`: says what a deletion means before it happens.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{FormValues, Problems, Typed, refused};
use super::group::{NamedRight, RecordedGroup, group_id};
use super::objects::hidden;
use super::page::SiteFrame;
use super::places::GROUPS;
use super::responses::{page, see_other};
use super::user_action::until;
use super::visit::{Visit, VisitWith, ask_for_proof, check_right};
use super::words::When;
use crate::directory::access::{DeleteGroup, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{Expected, GroupId, GroupKey};
use crate::http::app::App;
use crate::http::body::Fields;
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
    check_right(holds_permission::<DeleteGroup>(&visit.identity))?;
    Ok(DeleteGroupPage {
        page: SiteFrame::new(format!("Delete the group {}?", details.group.name), GROUPS, visit),
        group: RecordedGroup::new(&details.group, visit.request.now),
        rights: details.permissions.iter().map(NamedRight::new).collect(),
        version: details.version().as_str().to_owned(),
        kept_until: until(app, visit),
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

/// The version of the group that the page was about.
pub(super) struct SeenVersion(String);

impl FormValues for SeenVersion {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("version").unwrap_or_default())
    }
}

/// `POST /admin/groups/{id}/delete`.
pub(super) async fn submit(
    State(app): State<App>,
    visit: VisitWith<DeleteGroup>,
    Path(id): Path<String>,
    Typed(SeenVersion(version)): Typed<SeenVersion>,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    let (key, expected) = (GroupKey::Id(id), Expected::OneOf(vec![version]));
    match app.directory().delete_group_if(&visit.actor, &key, expected).await {
        Ok(_) if app.directory().deleted_kept_for().is_zero() => {
            Ok(see_other(&format!("{GROUPS}?done=group-gone")))
        }
        Ok(_) => Ok(see_other(&format!("{GROUPS}?done=group-deleted&undo={id}"))),
        Err(Error::Denied(Denial::ProofTooOld)) => Ok(ask_for_proof(&visit.request.path)),
        Err(error) => view(&app, &visit, id).await?.again(error),
    }
}

impl DeleteGroupPage {
    /// Shows the page again, with why the group was not deleted.
    fn again(mut self, error: Error) -> Result<Response, ApiError> {
        let (status, problems) = match error {
            Error::Stale(_) => {
                let text = "The group has changed since you opened this page. Look at it again, then decide.";
                (StatusCode::CONFLICT, Problems::whole(text))
            }
            error => refused(error, &[])?,
        };
        self.page = self.page.marked(&problems);
        self.problems = problems;
        page(status, &self)
    }
}
