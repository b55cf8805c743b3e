//! `/api/users` and `/api/users/{id}`: the records of all users, for callers with the permission.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{BodyRefusals, HeaderRefusals, ListRefusals, Preconditions, Refusals};
use super::avatars::{change_of_avatar, visible};
use super::bodies::{NewUser, UserChange, UserReplacement};
use super::field_selection::FieldSelection;
use super::fields::full_user_draft;
use super::forms::{NewUserForm, UserForm, UserReplacementForm};
use super::list_parameters::{ListParameters, UserListParameters};
use super::list_request::ListRequest;
use super::samples;
use super::view::{FailedAttempts, Listing, Unlocked, UserDetail, UserItem};
use crate::directory::access::{CreateUser, DeleteUser, ReadUsers, UpdateUser};
use crate::directory::model::{Expected, User, UserId, UserKey, Violation};
use crate::directory::password::Password;
use crate::directory::query::UserQuery;
use crate::directory::users::{Passwords, UserDetails};
use crate::directory::{Actor, Written};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::Require;
use crate::http::conditions::{IfMatch, tagged};
use crate::http::error::{ApiError, answer, no_content};
use crate::http::site::Site;

/// Why a new user gets no invitation and a password.
const INVITED_WITH_PASSWORD: &str = "An invited user chooses the password: leave it out, or do not invite.";

/// Parses the user id from the path; anything that is not an id is a 404.
pub(super) fn user_id(id: &str) -> Result<UserId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}

/// Parses the user id from the path into a key.
pub(super) fn user_key(id: &str) -> Result<UserKey, ApiError> {
    user_id(id).map(UserKey::Id)
}

/// List Users
///
/// The users that match all filters, a page at a time. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users",
    operation_id = "users_list",
    tag = "users",
    security(("token" = [])),
    params(ListParameters, UserListParameters),
    responses((status = 200, description = "A page of users", body = Listing<UserItem>), ListRefusals, Refusals),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadUsers>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let query = UserQuery::parse(&request.parameters).map_err(ApiError::Invalid)?;
    let page = app.directory().list_users(&actor, &query).await?;
    let now = app.directory().clock().now();
    request.answer(&site, &query, &page, UserItem::FIELDS, |user| UserItem::new(user, &site, now))
}

/// Create User
///
/// Create a user. For {callers}, who cannot give a right that they do not hold. With `invite`, the user gets a mail with a
/// link to choose a password.
#[utoipa::path(
    post,
    path = "/api/users",
    operation_id = "users_create",
    tag = "users",
    security(("token" = [])),
    request_body(content((NewUser = "application/json"), (NewUserForm = "multipart/form-data"))),
    responses(
        (status = 201, description = "The new user", body = UserDetail,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        BodyRefusals,
        Refusals,
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    Require { actor, .. }: Require<CreateUser>,
    Extension(site): Extension<Site>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let draft = full_user_draft(&mut fields);
    let avatar = change_of_avatar(&app, &site, &mut fields, async { Ok(None) }).await?;
    let password = fields.text("password").map(Password::new);
    let invite = fields.boolean("invite").unwrap_or(false);
    let named = FieldSelection::written(&fields);
    fields.require("username", draft.username.is_some());
    if invite && password.is_some() {
        fields.refuse("password", &Violation::Other(INVITED_WITH_PASSWORD.to_owned()));
    }
    fields.end()?;
    let user = match invite {
        true => app.directory().create_invited_user(&actor, &draft, avatar).await?,
        false => app.directory().create_user_with(&actor, &draft, password, avatar).await?,
    };
    written(&app, StatusCode::CREATED, user, &named, &site).await
}

/// Retrieve User
///
/// A user with its groups and permissions. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    operation_id = "users_retrieve",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::USER))),
    responses(
        (status = 200, description = "The user", body = UserDetail,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        Refusals,
    ),
)]
pub(super) async fn retrieve(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadUsers>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = app.directory().user_details(&actor, &user_key(&id)?).await?;
    Ok(shown(&app, StatusCode::OK, &details, &site))
}

/// Change User
///
/// Change fields of a user; fields that are not sent do not change, and fields of the answer that cannot be written are
/// ignored. For {callers}.
#[utoipa::path(
    patch,
    path = "/api/users/{id}",
    operation_id = "users_update",
    tag = "users",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER)),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags, such as the `ETag` of a response; `*` or no header for any"),
    ),
    request_body(content((UserChange = "application/json"), (UserForm = "multipart/form-data"))),
    responses(
        (status = 200, description = "The user as it is now", body = UserDetail,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        BodyRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn update(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateUser>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, ApiError> {
    changed(&app, &actor, &id, &site, expected, Fields::from(body)).await
}

/// Replace User
///
/// As `PATCH`, but the fields that a new user needs are required. For {callers}.
#[utoipa::path(
    put,
    path = "/api/users/{id}",
    operation_id = "users_replace",
    tag = "users",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER)),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags, such as the `ETag` of a response; `*` or no header for any"),
    ),
    request_body(content((UserReplacement = "application/json"), (UserReplacementForm = "multipart/form-data"))),
    responses(
        (status = 200, description = "The user as it is now", body = UserDetail,
            headers(("ETag" = String, description = "The version of the writable fields; for `If-Match`"))),
        BodyRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn replace(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateUser>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    fields.require("username", fields.contains("username"));
    changed(&app, &actor, &id, &site, expected, fields).await
}

async fn changed(
    app: &App,
    actor: &Actor,
    id: &str,
    site: &Site,
    expected: Expected,
    mut fields: Fields,
) -> Result<Response, ApiError> {
    let key = user_key(id)?;
    let draft = full_user_draft(&mut fields);
    let seen = visible(app, actor, user_id(id)?);
    let avatar = change_of_avatar(app, site, &mut fields, seen).await?;
    let passwords = Passwords {
        new: fields.text("password").map(Password::new),
        present: fields.text("old_password").map(Password::new),
    };
    let named = FieldSelection::written(&fields);
    fields.ignore(UserItem::FIELDS);
    fields.ignore(UserDetail::DATA);
    fields.end()?;
    let changed = app.directory().update_user_with(actor, &key, &draft, passwords, expected, avatar);
    let user = changed.await?;
    written(app, StatusCode::OK, user, &named, site).await
}

/// Answers with the written user: the whole record, or the written fields if the caller may not read users.
pub(super) async fn written(
    app: &App,
    status: StatusCode,
    user: Written<User>,
    named: &FieldSelection,
    site: &Site,
) -> Result<Response, ApiError> {
    let details = app.directory().user_details_of_written(user.value).await?;
    if user.is_readable {
        return Ok(shown(app, status, &details, site));
    }
    let record = UserDetail::new(&details, site, app.directory().clock().now());
    Ok(answer(status, &named.apply(&record)?))
}

fn shown(app: &App, status: StatusCode, details: &UserDetails, site: &Site) -> Response {
    let record = UserDetail::new(details, site, app.directory().clock().now());
    tagged(answer(status, &record), &details.version())
}

/// Delete User
///
/// Move a user into the recycle bin; its tokens are permanently removed. For {callers}.
#[utoipa::path(
    delete,
    path = "/api/users/{id}",
    operation_id = "users_destroy",
    tag = "users",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the user", example = json!(samples::DELETED_USER)),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags, such as the `ETag` of a response; `*` or no header for any"),
    ),
    responses(
        (status = 204, description = "The user is in the recycle bin"),
        HeaderRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn destroy(
    State(app): State<App>,
    Require { actor, .. }: Require<DeleteUser>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<Response, ApiError> {
    app.directory().delete_user_if(&actor, &user_key(&id)?, expected).await?;
    Ok(no_content())
}

/// List Failed Attempts
///
/// List the failed sign-ins that count against a user, by the network that they came from. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/{id}/failed-attempts",
    operation_id = "users_failed_attempts",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER))),
    responses((status = 200, description = "The failed attempts", body = FailedAttempts), Refusals),
)]
pub(super) async fn failed_attempts(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadUsers>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let user = app.directory().visible_user(&actor, &user_key(&id)?).await?;
    let open = app.directory().open_attempts(&actor, &user).await?;
    Ok(answer(StatusCode::OK, &FailedAttempts::new(open)))
}

/// Unlock User
///
/// Forget the failed sign-ins that count against a user, so that the next attempt need not wait. For {callers} who hold
/// every right of the user, as for a new password.
#[utoipa::path(
    post,
    path = "/api/users/{id}/unlock",
    operation_id = "users_unlock",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER))),
    responses((status = 200, description = "How many failed attempts were forgotten", body = Unlocked), Refusals),
)]
pub(super) async fn unlock(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateUser>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let unlocked = app.directory().unlock_users(&actor, vec![user_key(&id)?]).await?;
    let failed_attempts = unlocked.first().map_or(0, |(_, failures)| *failures);
    Ok(answer(StatusCode::OK, &Unlocked { failed_attempts }))
}
