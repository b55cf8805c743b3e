//! `/admin/users/{id}/admin`: makes a user an admin, after a fresh proof and a page that says what it means.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::objects::{hidden, user_id};
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::{page, see_other};
use super::user::ShownUser;
use super::visit::{Visit, VisitOfAdmin, ask_for_proof};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{UserDraft, UserKey};
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/make_admin.html")]
struct MakeAdminPage {
    page: SiteFrame,
    user: ShownUser,
}

/// `GET /admin/users/{id}/admin`.
pub(super) async fn ask(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let key = UserKey::Id(user_id(&id)?);
    let user = app.directory().user(&visit.actor, &key).await.map_err(hidden)?;
    visit.check_admin()?;
    if let Some(first) = visit.proof_first() {
        return Ok(first);
    }
    let user = ShownUser::new(&user, visit.request.now);
    let title = format!("Make {} an admin?", user.name);
    page(StatusCode::OK, &MakeAdminPage { page: SiteFrame::new(title, USERS, &visit), user })
}

/// `POST /admin/users/{id}/admin`.
pub(super) async fn submit(
    State(app): State<App>,
    visit: VisitOfAdmin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let draft = UserDraft { is_admin: Some(true), ..UserDraft::default() };
    match app.directory().update_user(&visit.actor, &UserKey::Id(id), &draft, None).await {
        Ok(_) => Ok(see_other(&format!("/admin/users/{id}?done=made-admin"))),
        Err(Error::Denied(Denial::ProofTooOld)) => Ok(ask_for_proof(&visit.request.path)),
        Err(error) => Err(error.into()),
    }
}
