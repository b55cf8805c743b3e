//! `/api/users/tokens`: the tokens of all users together, by their ids or by a key.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answers::{BodyRefusals, ListRefusals, Refusals};
use super::bodies::{FoundKey, KEY_MAX, Rotation, TokenChange};
use super::list_parameters::TokenListParameters;
use super::list_request::ListRequest;
use super::samples;
use super::tokens::{rotated, shown_once, token_id, updated};
use super::view::{Listing, OwnedTokenItem, RotatedToken, TokenItem};
use crate::directory::access::{ReadTokens, RevokeToken, UpdateToken};
use crate::directory::model::{ListedToken, Violation};
use crate::directory::query::TokenQuery;
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::Require;
use crate::http::error::{ApiError, answer, no_content};
use crate::http::site::Site;

/// List Tokens of All Users
///
/// The tokens that match all filters, a page at a time, including expired and revoked ones. Keys are not stored, so
/// none is shown. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/tokens",
    operation_id = "tokens_list",
    tag = "tokens",
    security(("token" = [])),
    params(TokenListParameters),
    responses((status = 200, description = "A page of tokens", body = Listing<OwnedTokenItem>), ListRefusals, Refusals),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadTokens>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let query = TokenQuery::parse(&request.parameters).map_err(ApiError::Invalid)?;
    let page = app.directory().list_tokens(&actor, &query).await?;
    let now = app.directory().clock().now();
    request.answer(&site, &query, &page, OwnedTokenItem::FIELDS, |listed| OwnedTokenItem::new(listed, now))
}

/// Find Token by Key
///
/// The token of a key, whatever its state, such as a key that was found where it does not belong. The key is sent in
/// the body, because logs contain paths. Each call is recorded in the audit trail. A caller who tries many keys that no
/// token has must wait. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/tokens/find",
    operation_id = "tokens_find",
    tag = "tokens",
    security(("token" = [])),
    request_body = FoundKey,
    responses((status = 200, description = "The token", body = OwnedTokenItem), BodyRefusals, Refusals),
)]
pub(super) async fn find(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadTokens>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let key = fields.text("key").map(|key| key.trim().to_owned());
    fields.require_filled("key", key.as_deref());
    if key.as_ref().is_some_and(|key| key.chars().count() > KEY_MAX) {
        fields.refuse("key", &Violation::TooLong(KEY_MAX));
    }
    fields.end()?;
    let found = app.directory().find_token(&actor, &key.unwrap_or_default()).await?;
    Ok(shown(&app, &found))
}

/// Retrieve Token of Any User
///
/// A token with its owner. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/tokens/{token}",
    operation_id = "tokens_retrieve",
    tag = "tokens",
    security(("token" = [])),
    params(("token" = i64, Path, description = "ID of the token", example = json!(samples::TOKENS[0]))),
    responses((status = 200, description = "The token", body = OwnedTokenItem), Refusals),
)]
pub(super) async fn retrieve(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadTokens>,
    Path(token): Path<String>,
) -> Result<Response, ApiError> {
    Ok(shown(&app, &app.directory().token(&actor, token_id(&token)?).await?))
}

/// Change Token of Any User
///
/// Rename a token, change when it expires or what it is narrowed to, as below its owner's path. For {callers} who hold every right of the owner.
#[utoipa::path(
    patch,
    path = "/api/users/tokens/{token}",
    operation_id = "tokens_update",
    tag = "tokens",
    security(("token" = [])),
    params(("token" = i64, Path, description = "ID of the token", example = json!(samples::TOKENS[0]))),
    request_body = TokenChange,
    responses((status = 200, description = "The token as it is now", body = TokenItem), BodyRefusals, Refusals),
)]
pub(super) async fn update(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateToken>,
    Path(token): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    updated(&app, &actor, None, token_id(&token)?, body).await
}

/// Revoke Token of Any User
///
/// Revoke a token, with the tokens derived from it if it is a sign-in. For {callers} who hold every right of the owner.
#[utoipa::path(
    delete,
    path = "/api/users/tokens/{token}",
    operation_id = "tokens_revoke",
    tag = "tokens",
    security(("token" = [])),
    params(("token" = i64, Path, description = "ID of the token", example = json!(samples::TOKENS[2]))),
    responses((status = 204, description = "The token is revoked; it stays listed"), Refusals),
)]
pub(super) async fn revoke(
    State(app): State<App>,
    Require { actor, .. }: Require<RevokeToken>,
    Path(token): Path<String>,
) -> Result<Response, ApiError> {
    app.directory().revoke_token(&actor, None, token_id(&token)?).await?;
    Ok(no_content())
}

/// Rotate Token of Any User
///
/// Replace a token by a new one with the same owner, name, kind and expiry. For {callers} who hold every right of the
/// owner.
#[utoipa::path(
    post,
    path = "/api/users/tokens/{token}/rotate",
    operation_id = "tokens_rotate",
    tag = "tokens",
    security(("token" = [])),
    params(("token" = i64, Path, description = "ID of the token", example = json!(samples::TOKENS[1]))),
    request_body = Rotation,
    responses((status = 201, description = "The new token with its key, shown only this once", body = RotatedToken), BodyRefusals, Refusals),
)]
pub(super) async fn rotate(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateToken>,
    Path(token): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let issued = rotated(&app, &actor, None, token_id(&token)?, body).await?;
    Ok(shown_once(&RotatedToken::new(&issued, app.directory().clock().now())))
}

fn shown(app: &App, listed: &ListedToken) -> Response {
    answer(StatusCode::OK, &OwnedTokenItem::new(listed, app.directory().clock().now()))
}
