//! `/api/users` and `/api/users/{id}`: other people's records, for those who hold the right.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use utoipa::ToSchema;

use super::answers::{BodyRefusals, HeaderRefusals, ListRefusals, Preconditions, Refusals};
use super::fields::full_user_draft;
use super::list::Asked;
use super::list_parameters::{ListParameters, UserListParameters};
use super::view::{Listing, UserItem, UserRecord};
use super::wanted::Wanted;
use crate::directory::model::{Expected, User, UserId, UserKey};
use crate::directory::password::Password;
use crate::directory::query::UserQuery;
use crate::directory::users::{Passwords, UserDetails};
use crate::directory::{Actor, Written};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::Holding;
use crate::http::conditions::{IfMatch, tagged};
use crate::http::error::{ApiError, answer, nothing};
use crate::http::site::Site;

/// The id that a path names; what is none is nobody's.
pub(super) fn user_id(id: &str) -> Result<UserId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}

/// The same as a key.
pub(super) fn user_key(id: &str) -> Result<UserKey, ApiError> {
    user_id(id).map(UserKey::Id)
}

/// List Users
///
/// The users that every given filter keeps, a page at a time. For admins, and staff with permission 1222.
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
    Holding(actor): Holding<1222>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let asked = Asked::of(query.as_deref(), "/api/users")?;
    let query = UserQuery::parse(&asked.parameters).map_err(ApiError::Invalid)?;
    let page = app.directory().list_users(&actor, &query).await?;
    let now = app.directory().clock().now();
    asked.answer(&site, &page, UserItem::FIELDS, |user| UserItem::new(user, &site, now))
}

/// Create User
///
/// Make a user. For admins, and staff with permission 1221, who can give no right that they do not hold.
#[utoipa::path(
    post,
    path = "/api/users",
    operation_id = "users_create",
    tag = "users",
    security(("token" = [])),
    request_body = UserBody,
    responses(
        (status = 201, description = "The new user", body = UserRecord,
            headers(("ETag" = String, description = "The version of what is written; for `If-Match`"))),
        BodyRefusals,
        Refusals,
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    Holding(actor): Holding<1221>,
    Extension(site): Extension<Site>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let named = Wanted::written(&fields);
    let draft = full_user_draft(&mut fields);
    let password = fields.text("password").map(Password::new);
    fields.require("username", draft.username.is_some());
    fields.end()?;
    let user = app.directory().create_user(&actor, &draft, password).await?;
    written(&app, StatusCode::CREATED, user, &named, &site).await
}

/// Retrieve User
///
/// A user with its groups and permissions. For admins, and staff with permission 1222.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    operation_id = "users_retrieve",
    tag = "users",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user")),
    responses(
        (status = 200, description = "The user", body = UserRecord,
            headers(("ETag" = String, description = "The version of what is written; for `If-Match`"))),
        Refusals,
    ),
)]
pub(super) async fn retrieve(
    State(app): State<App>,
    Holding(actor): Holding<1222>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = app.directory().user_details(&actor, &user_key(&id)?).await?;
    Ok(shown(&app, StatusCode::OK, &details, &site))
}

/// Change User
///
/// Change fields of a user; those not named stay as they are. For admins, and staff with permission 1223.
#[utoipa::path(
    patch,
    path = "/api/users/{id}",
    operation_id = "users_update",
    tag = "users",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the user"),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags; `*` or nothing for any", example = "*"),
    ),
    request_body = UserChange,
    responses(
        (status = 200, description = "The user as it is now", body = UserRecord,
            headers(("ETag" = String, description = "The version of what is written; for `If-Match`"))),
        BodyRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn update(
    State(app): State<App>,
    Holding(actor): Holding<1223>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, ApiError> {
    changed(&app, &actor, &id, &site, expected, Fields::from(body)).await
}

/// Replace User
///
/// As `PATCH`, but the fields that a new user needs must be there. For admins, and staff with permission 1223.
#[utoipa::path(
    put,
    path = "/api/users/{id}",
    operation_id = "users_replace",
    tag = "users",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the user"),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags; `*` or nothing for any", example = "*"),
    ),
    request_body = UserChange,
    responses(
        (status = 200, description = "The user as it is now", body = UserRecord,
            headers(("ETag" = String, description = "The version of what is written; for `If-Match`"))),
        BodyRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn replace(
    State(app): State<App>,
    Holding(actor): Holding<1223>,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    fields.require("username", fields.names("username"));
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
    let named = Wanted::written(&fields);
    let draft = full_user_draft(&mut fields);
    let passwords = Passwords {
        new: fields.text("password").map(Password::new),
        present: fields.text("old_password").map(Password::new),
    };
    fields.end()?;
    let user = app.directory().update_user_if(actor, &key, &draft, passwords, expected).await?;
    written(app, StatusCode::OK, user, &named, site).await
}

/// The answer to whoever has written a user: the whole record, or what they wrote if they may not read it.
pub(super) async fn written(
    app: &App,
    status: StatusCode,
    user: Written<User>,
    named: &Wanted,
    site: &Site,
) -> Result<Response, ApiError> {
    let details = app.directory().user_details_of_written(user.value).await?;
    if user.is_readable {
        return Ok(shown(app, status, &details, site));
    }
    let record = UserRecord::new(&details, site, app.directory().clock().now());
    Ok(answer(status, &named.of_object(&record)?))
}

fn shown(app: &App, status: StatusCode, details: &UserDetails, site: &Site) -> Response {
    let record = UserRecord::new(details, site, app.directory().clock().now());
    tagged(answer(status, &record), &details.version())
}

/// Delete User
///
/// Move a user into the recycle bin; its tokens are gone for good. For admins, and staff with permission 1224.
#[utoipa::path(
    delete,
    path = "/api/users/{id}",
    operation_id = "users_destroy",
    tag = "users",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the user"),
        ("If-Match" = Option<String>, Header, description = "Only if the object still has one of these entity tags; `*` or nothing for any", example = "*"),
    ),
    responses(
        (status = 204, description = "The user is gone"),
        HeaderRefusals,
        Preconditions,
        Refusals,
    ),
)]
pub(super) async fn destroy(
    State(app): State<App>,
    Holding(actor): Holding<1224>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<Response, ApiError> {
    app.directory().delete_user_if(&actor, &user_key(&id)?, expected).await?;
    Ok(nothing())
}

/// What is written about a user. Only `username` is required, and only for a new one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct UserBody {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    username: Option<String>,
    /// Without one, the user can only use tokens.
    password: Option<String>,
    /// Whether all tokens of the user end with this change, as with `POST /api/users/{id}/sign-out`. False when not said.
    sign_out: Option<bool>,
    /// At most 32 characters with 3 to 15 digits, not yet taken; null removes it.
    mobile_number: Option<String>,
    /// At most 254 characters, not yet taken; null removes it.
    email: Option<String>,
    /// At most 150 characters.
    first_name: Option<String>,
    /// At most 150 characters.
    last_name: Option<String>,
    /// `male`, `female`, `non-binary` or `other`; null removes it.
    gender: Option<String>,
    /// May it authenticate? True when not said.
    is_active: Option<bool>,
    /// May it enter the back office? False when not said.
    is_staff: Option<bool>,
    /// May it do everything? False when not said; only an admin may say true.
    is_admin: Option<bool>,
    /// IDs of all groups it shall belong to.
    groups: Option<Vec<i64>>,
    /// IDs of all permissions that shall be attached to it.
    permissions: Option<Vec<i64>>,
}

/// What is changed of a user.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct UserChange {
    #[schema(inline)]
    #[serde(flatten)]
    fields: UserBody,
    /// The present password: needed with a new `password` for one's own record, and for nobody else's.
    old_password: Option<String>,
}
