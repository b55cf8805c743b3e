//! `/api/users/me`: the caller's own record.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{BodyRefusals, Refusals};
use super::avatars::change_of_avatar;
use super::bodies::MeChange;
use super::field_selection::FieldSelection;
use super::fields::user_draft;
use super::forms::MeForm;
use super::view::{FieldErrors, Me, MeDetail};
use crate::directory::model::Scope;
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::{ReadsMe, Staff, WritesOwn};
use crate::http::error::{ApiError, answer};
use crate::http::site::Site;
use crate::http::text::query_parameter;

/// The route that the express lane also answers.
pub(in crate::http) const ME: &str = "/api/users/me";

/// Retrieve Me
///
/// Retrieve information about the currently authenticated user.
#[utoipa::path(
    get,
    path = "/api/users/me",
    operation_id = "users_me_retrieve",
    tag = "users",
    security(("token" = [])),
    params(
        ("fields" = Option<String>, Query, description = "Only these fields: names, separated by commas. `is_staff`, `is_admin`, `is_active`, `permissions` and `token` are shown only if they are named. Example: `id,groups,permissions`"),
        ("format" = Option<String>, Query, description = "`json`, the only format"),
    ),
    responses(
        (status = 200, description = "User information retrieved successfully", body = MeDetail,
            headers(("X-Token-Expires-At" = String, description = "When the token expires (RFC 3339); absent if it does not"))),
        (status = 400, description = "Bad request: invalid parameters", body = FieldErrors),
        Refusals,
    ),
)]
pub(super) async fn retrieve(
    ReadsMe(identity): ReadsMe,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let fields = query_parameter(query.as_deref().unwrap_or_default(), "fields").transpose();
    match FieldSelection::parse(fields.map_err(ApiError::Invalid)?.as_deref(), &MeDetail::fields())? {
        None => Ok(answer(StatusCode::OK, &Me::new(&identity.user, &site))),
        Some(selection) => Ok(answer(StatusCode::OK, &selection.apply(&MeDetail::new(&identity, &site))?)),
    }
}

/// Change Me
///
/// Change the currently authenticated user. Fields that are not sent do not change; null or an empty text
/// removes a mobile number, an email, an avatar or a gender. A multipart form can have a new avatar. Fields of the answer that cannot be written here are ignored.
#[utoipa::path(
    patch,
    path = "/api/users/me",
    operation_id = "users_me_update",
    tag = "users",
    security(("token" = [])),
    request_body(content((MeChange = "application/json"), (MeForm = "multipart/form-data"))),
    responses((status = 200, description = "The user as it is now", body = MeDetail), BodyRefusals, Refusals),
)]
pub(super) async fn update(
    State(app): State<App>,
    WritesOwn(actor): WritesOwn,
    Staff(identity): Staff,
    Extension(site): Extension<Site>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let draft = user_draft(&mut fields);
    let own = async { Ok(Some(identity.user.clone())) };
    let avatar = change_of_avatar(&app, &site, &mut fields, own).await?;
    let present = fields.text("old_password").map(Password::new);
    let named = FieldSelection::written(&fields);
    fields.ignore(Me::FIELDS);
    fields.end()?;
    let user = app.directory().update_self_with(&actor, &draft, present, avatar).await?;
    let me = Me::new(&user, &site);
    match identity.has(Scope::MeRead) {
        true => Ok(answer(StatusCode::OK, &me)),
        false => Ok(answer(StatusCode::OK, &named.apply(&me)?)),
    }
}
