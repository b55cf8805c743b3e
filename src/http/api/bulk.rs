//! `/api/users/bulk`: many users in one request, all of them or none.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::answers::{BulkRefusals, Refusals};
use super::bodies::{ChangedUsers, DeletedUsers, NewUsers};
use super::field_selection::FieldSelection;
use super::fields::full_user_draft;
use super::view::{UserDetail, UserItem, UserItems};
use crate::directory::access::{CreateUser, DeleteUser, UpdateUser};
use crate::directory::bulk::BULK_MAX;
use crate::directory::model::{User, UserDraft, UserId, ValidationErrors, Violation};
use crate::directory::{Error, Written};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::Require;
use crate::http::error::{ApiError, answer, no_content};
use crate::http::site::Site;

/// The field of the body that holds the list.
const LIST: &str = "users";

/// Turns an error about an item into an answer.
fn in_list(error: Error) -> ApiError {
    ApiError::of_items(LIST, error)
}

/// Create Users
///
/// Create up to 1000 users, all or none. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/bulk",
    operation_id = "users_bulk_create",
    tag = "users",
    security(("token" = [])),
    request_body = NewUsers,
    responses((status = 201, description = "The new users, in order", body = UserItems), BulkRefusals, Refusals),
)]
pub(super) async fn create(
    State(app): State<App>,
    Require { actor, .. }: Require<CreateUser>,
    Extension(site): Extension<Site>,
    body: Body,
) -> Result<Response, ApiError> {
    let read = items(body, |fields| {
        let draft = full_user_draft(fields);
        let named = FieldSelection::written(fields);
        refuse_password(fields);
        fields.require("username", draft.username.is_some());
        (named, draft)
    })?;
    let (named, drafts): (Vec<_>, _) = read.into_iter().unzip();
    let users = app.directory().create_users(&actor, drafts).await.map_err(in_list)?;
    shown(&app, StatusCode::CREATED, &users, &named, &site)
}

/// Change Users
///
/// Change up to 1000 users, all or none; fields that are not sent do not change, and fields of the answer that cannot be
/// written are ignored. For {callers}.
#[utoipa::path(
    patch,
    path = "/api/users/bulk",
    operation_id = "users_bulk_update",
    tag = "users",
    security(("token" = [])),
    request_body = ChangedUsers,
    responses((status = 200, description = "The users as they are now, in order", body = UserItems), BulkRefusals, Refusals),
)]
pub(super) async fn update(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateUser>,
    Extension(site): Extension<Site>,
    body: Body,
) -> Result<Response, ApiError> {
    let read = items(body, |fields| {
        let (id, draft) = (fields.integer("id"), full_user_draft(fields));
        let named = FieldSelection::written(fields);
        refuse_password(fields);
        fields.ignore(UserItem::FIELDS);
        fields.ignore(UserDetail::DATA);
        fields.require("id", id.is_some());
        (named, (id, draft))
    })?;
    let (named, changes): (Vec<_>, _) = read.into_iter().unzip();
    let changes = identified(changes)?;
    let users = app.directory().update_users(&actor, changes).await.map_err(in_list)?;
    shown(&app, StatusCode::OK, &users, &named, &site)
}

/// Delete Users
///
/// Move up to 1000 users into the recycle bin, all or none. For {callers}.
#[utoipa::path(
    delete,
    path = "/api/users/bulk",
    operation_id = "users_bulk_destroy",
    tag = "users",
    security(("token" = [])),
    request_body = DeletedUsers,
    responses((status = 204, description = "The users are in the recycle bin"), BulkRefusals, Refusals),
)]
pub(super) async fn destroy(
    State(app): State<App>,
    Require { actor, .. }: Require<DeleteUser>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let ids = fields.ids(LIST);
    fields.require(LIST, ids.is_some());
    fields.end()?;
    let ids = ids.unwrap_or_default().into_iter().map(|id| (Some(id), UserDraft::default())).collect();
    let ids = identified(ids)?.into_iter().map(|(id, _)| id).collect();
    app.directory().delete_users(&actor, ids).await.map_err(in_list)?;
    Ok(no_content())
}

/// Reads the items of a body with `read`. The faults of all items are reported together.
fn items<T>(body: Body, read: impl Fn(&mut Fields) -> T) -> Result<Vec<T>, ApiError> {
    let mut fields = Fields::from(body);
    let items = fields.items(LIST);
    fields.require(LIST, items.is_some());
    if items.as_ref().is_some_and(|items| items.len() > BULK_MAX) {
        let message = format!("Ensure this field has no more than {BULK_MAX} elements.");
        fields.refuse(LIST, &Violation::Other(message));
    }
    fields.end()?;
    let read = items.unwrap_or_default().into_iter().map(|mut item| {
        let value = read(&mut item);
        (value, item.faults())
    });
    valid(read.collect())
}

/// Returns the values if none of them has a fault.
fn valid<T>(read: Vec<(T, ValidationErrors)>) -> Result<Vec<T>, ApiError> {
    let (values, faults): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    if faults.iter().all(ValidationErrors::is_empty) {
        Ok(values)
    } else {
        Err(ApiError::InvalidItems(LIST, faults))
    }
}

/// Checks that each item has an id that a user can have.
fn identified(changes: Vec<(Option<i64>, UserDraft)>) -> Result<Vec<(UserId, UserDraft)>, ApiError> {
    let known = changes.into_iter().map(|(id, draft)| {
        let id = id.unwrap_or_default();
        match UserId::try_from(id) {
            Ok(known) => ((Some(known), draft), ValidationErrors::default()),
            Err(_) => ((None, draft), ValidationErrors::of("id", &Violation::NoSuchObject(id))),
        }
    });
    let known = valid(known.collect())?;
    Ok(known.into_iter().filter_map(|(id, draft)| Some((id?, draft))).collect())
}

/// Refuses passwords: a thousand hashes would keep the machine busy for a minute while every sign-in waits.
fn refuse_password(fields: &mut Fields) {
    if fields.text("password").is_some() {
        let message = "Passwords cannot be set in bulk: each takes the machine a while. Set them one by one.";
        fields.refuse("password", &Violation::Other(message.to_owned()));
    }
}

/// Answers with the written users in the order of the body. Each is reduced to the written fields if the writer may not
/// read users.
fn shown(
    app: &App,
    status: StatusCode,
    users: &Written<Vec<User>>,
    named: &[FieldSelection],
    site: &Site,
) -> Result<Response, ApiError> {
    let now = app.directory().clock().now();
    let items = users.iter().map(|user| UserItem::new(user, site, now));
    if users.is_readable {
        return Ok(answer(status, &UserItems { users: items.collect() }));
    }
    let items: Vec<_> = items.zip(named).map(|(item, named)| named.apply(&item)).collect::<Result<_, _>>()?;
    Ok(answer(status, &json!({ LIST: items })))
}
