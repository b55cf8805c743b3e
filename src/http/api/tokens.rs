//! `/api/users/me/tokens` and `/api/users/{id}/tokens`: the caller's own tokens, and other users'.
//!
//! Each operation has a handler for either path; both call the same function below. `all_tokens` has the third path.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::answers::{BodyRefusals, Refusals};
use super::bodies::{Rotation, TokenChange, TokenDraft};
use super::field_selection::FieldSelection;
use super::samples;
use super::users::user_key;
use super::view::{IssuedToken, OwnedTokenItem, TokenItem};
use crate::directory::Actor;
use crate::directory::access::{IssueToken, ReadTokens, RevokeToken, UpdateToken};
use crate::directory::model::{TokenId, UserKey};
use crate::directory::tokens::{Expiry, TokenWithKey};
use crate::directory::users::own_key;
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::caller::{ReadsOwn, Require, Staff, WritesOwn};
use crate::http::error::{ApiError, answer, no_content};

/// The longest time for which an old key may stay valid beside the new one: 30 days.
const LONGEST_OVERLAP: u64 = 30 * 24 * 60 * 60;

/// List Tokens of Mine
///
/// My tokens, oldest first, including expired and revoked ones. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/me/tokens",
    operation_id = "me_tokens_list",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 200, description = "The tokens", body = Vec<TokenItem>), Refusals),
)]
pub(super) async fn list_own(
    State(app): State<App>,
    ReadsOwn(actor): ReadsOwn,
) -> Result<Response, ApiError> {
    listed(&app, &actor, &own_key(&actor)?).await
}

/// List Tokens
///
/// A user's tokens, oldest first, including expired and revoked ones. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/{id}/tokens",
    operation_id = "users_tokens_list",
    tag = "tokens",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::USER))),
    responses((status = 200, description = "The tokens", body = Vec<TokenItem>), Refusals),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadTokens>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    listed(&app, &actor, &user_key(&id)?).await
}

/// Create Token of Mine
///
/// Issue a token that acts as me. It cannot expire later than the calling token. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/me/tokens",
    operation_id = "me_tokens_create",
    tag = "tokens",
    security(("token" = [])),
    request_body = TokenDraft,
    responses((status = 201, description = "The token with its key, shown only this once", body = IssuedToken), BodyRefusals, Refusals),
)]
pub(super) async fn issue_own(
    State(app): State<App>,
    WritesOwn(actor): WritesOwn,
    _: Staff,
    body: Body,
) -> Result<Response, ApiError> {
    issued(&app, &actor, &own_key(&actor)?, body).await
}

/// Create Token
///
/// Issue a token that acts as the user. For {callers} who hold every right of the user.
#[utoipa::path(
    post,
    path = "/api/users/{id}/tokens",
    operation_id = "users_tokens_create",
    tag = "tokens",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER))),
    request_body = TokenDraft,
    responses((status = 201, description = "The token with its key, shown only this once", body = IssuedToken), BodyRefusals, Refusals),
)]
pub(super) async fn issue(
    State(app): State<App>,
    Require { actor, .. }: Require<IssueToken>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    issued(&app, &actor, &user_key(&id)?, body).await
}

/// Change Token of Mine
///
/// Rename one of my tokens or change when it expires; an expired one can become valid again. The token of a sign-in,
/// and those that came of it, must expire. For {callers}.
#[utoipa::path(
    patch,
    path = "/api/users/me/tokens/{token}",
    operation_id = "me_tokens_update",
    tag = "tokens",
    security(("token" = [])),
    params(("token" = i64, Path, description = "ID of the token", example = json!(samples::OWN_TOKENS[0]))),
    request_body = TokenChange,
    responses((status = 200, description = "The token as it is now", body = TokenItem), BodyRefusals, Refusals),
)]
pub(super) async fn update_own(
    State(app): State<App>,
    WritesOwn(actor): WritesOwn,
    _: Staff,
    Path(token): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    updated(&app, &actor, Some(&own_key(&actor)?), token_id(&token)?, body).await
}

/// Change Token
///
/// Rename a user's token or change when it expires; an expired one can become valid again. The token of a sign-in, and
/// those that came of it, must expire. For {callers} who hold every right of the user.
#[utoipa::path(
    patch,
    path = "/api/users/{id}/tokens/{token}",
    operation_id = "users_tokens_update",
    tag = "tokens",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER)), ("token" = i64, Path, description = "ID of the token", example = json!(samples::TOKENS[0]))),
    request_body = TokenChange,
    responses((status = 200, description = "The token as it is now", body = TokenItem), BodyRefusals, Refusals),
)]
pub(super) async fn update(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateToken>,
    Path((id, token)): Path<(String, String)>,
    body: Body,
) -> Result<Response, ApiError> {
    updated(&app, &actor, Some(&user_key(&id)?), token_id(&token)?, body).await
}

/// Revoke Token of Mine
///
/// Revoke one of my tokens, with the tokens that came of it if it is a sign-in. For {callers}.
#[utoipa::path(
    delete,
    path = "/api/users/me/tokens/{token}",
    operation_id = "me_tokens_revoke",
    tag = "tokens",
    security(("token" = [])),
    params(("token" = i64, Path, description = "ID of the token", example = json!(samples::OWN_TOKENS[2]))),
    responses((status = 204, description = "The token is revoked; it stays listed"), Refusals),
)]
pub(super) async fn revoke_own(
    State(app): State<App>,
    WritesOwn(actor): WritesOwn,
    Path(token): Path<String>,
) -> Result<Response, ApiError> {
    revoked(&app, &actor, &own_key(&actor)?, token_id(&token)?).await
}

/// Revoke Token
///
/// Revoke a user's token, with the tokens that came of it if it is a sign-in. For {callers} who hold every right of the
/// user.
#[utoipa::path(
    delete,
    path = "/api/users/{id}/tokens/{token}",
    operation_id = "users_tokens_revoke",
    tag = "tokens",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER)), ("token" = i64, Path, description = "ID of the token", example = json!(samples::TOKENS[2]))),
    responses((status = 204, description = "The token is revoked; it stays listed"), Refusals),
)]
pub(super) async fn revoke(
    State(app): State<App>,
    Require { actor, .. }: Require<RevokeToken>,
    Path((id, token)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    revoked(&app, &actor, &user_key(&id)?, token_id(&token)?).await
}

/// Rotate Token of Mine
///
/// Replace one of my tokens by a new one with the same name, kind and expiry. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/me/tokens/{token}/rotate",
    operation_id = "me_tokens_rotate",
    tag = "tokens",
    security(("token" = [])),
    params(("token" = i64, Path, description = "ID of the token", example = json!(samples::OWN_TOKENS[1]))),
    request_body = Rotation,
    responses((status = 201, description = "The new token with its key, shown only this once", body = IssuedToken), BodyRefusals, Refusals),
)]
pub(super) async fn rotate_own(
    State(app): State<App>,
    WritesOwn(actor): WritesOwn,
    _: Staff,
    Path(token): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let issued = rotated(&app, &actor, Some(&own_key(&actor)?), token_id(&token)?, body).await?;
    Ok(shown_once(&IssuedToken::new(&issued, app.directory().clock().now())))
}

/// Rotate Token
///
/// Replace a user's token by a new one with the same name, kind and expiry. For {callers} who hold every right of the
/// user.
#[utoipa::path(
    post,
    path = "/api/users/{id}/tokens/{token}/rotate",
    operation_id = "users_tokens_rotate",
    tag = "tokens",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::CHANGED_USER)), ("token" = i64, Path, description = "ID of the token", example = json!(samples::TOKENS[1]))),
    request_body = Rotation,
    responses((status = 201, description = "The new token with its key, shown only this once", body = IssuedToken), BodyRefusals, Refusals),
)]
pub(super) async fn rotate(
    State(app): State<App>,
    Require { actor, .. }: Require<UpdateToken>,
    Path((id, token)): Path<(String, String)>,
    body: Body,
) -> Result<Response, ApiError> {
    let issued = rotated(&app, &actor, Some(&user_key(&id)?), token_id(&token)?, body).await?;
    Ok(shown_once(&IssuedToken::new(&issued, app.directory().clock().now())))
}

/// Sign Me Out
///
/// Revoke all my tokens of every kind, the calling one included. For {callers}.
#[utoipa::path(
    post,
    path = "/api/users/me/sign-out",
    operation_id = "users_me_sign_out",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 200, description = "How many tokens were revoked", body = SignedOut), Refusals),
)]
pub(super) async fn sign_out_own(
    State(app): State<App>,
    WritesOwn(actor): WritesOwn,
) -> Result<Response, ApiError> {
    signed_out(&app, &actor, &own_key(&actor)?).await
}

/// Sign User Out
///
/// Revoke all tokens of a user, of every kind. For {callers} who hold every right of the user.
#[utoipa::path(
    post,
    path = "/api/users/{id}/sign-out",
    operation_id = "users_sign_out",
    tag = "tokens",
    security(("token" = [])),
    params(("id" = i64, Path, description = "ID of the user", example = json!(samples::SIGNED_OUT_USER))),
    responses((status = 200, description = "How many tokens were revoked", body = SignedOut), Refusals),
)]
pub(super) async fn sign_out(
    State(app): State<App>,
    Require { actor, .. }: Require<RevokeToken>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    signed_out(&app, &actor, &user_key(&id)?).await
}

async fn signed_out(app: &App, actor: &Actor, owner: &UserKey) -> Result<Response, ApiError> {
    let ended = app.directory().sign_out_user(actor, owner).await?;
    Ok(answer(StatusCode::OK, &SignedOut { ended }))
}

/// The result of a sign-out.
#[derive(Serialize, ToSchema)]
struct SignedOut {
    /// How many tokens were revoked.
    #[schema(example = 3)]
    ended: u64,
}

async fn listed(app: &App, actor: &Actor, owner: &UserKey) -> Result<Response, ApiError> {
    let now = app.directory().clock().now();
    let tokens = app.directory().tokens(actor, owner).await?;
    Ok(answer(StatusCode::OK, &tokens.iter().map(|token| TokenItem::new(token, now)).collect::<Vec<_>>()))
}

async fn issued(app: &App, actor: &Actor, owner: &UserKey, body: Body) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let name = fields.text("name");
    let end =
        fields.timestamp("expires_at").map_or(Expiry::Default, |end| end.map_or(Expiry::Never, Expiry::At));
    fields.require("name", name.is_some());
    fields.end()?;
    let issued = app.directory().issue_token(actor, owner, &name.unwrap_or_default(), end).await?;
    Ok(shown_once(&IssuedToken::new(&issued, app.directory().clock().now())))
}

pub(super) async fn updated(
    app: &App,
    actor: &Actor,
    owner: Option<&UserKey>,
    id: TokenId,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let name = fields.text("name");
    let end = fields.timestamp("expires_at").map(|end| end.map_or(Expiry::Never, Expiry::At));
    let named = FieldSelection::written(&fields);
    // A list of all tokens also shows the owner.
    fields.ignore(OwnedTokenItem::FIELDS);
    fields.end()?;
    let token = app.directory().update_token(actor, owner, id, name.as_deref(), end).await?;
    let item = TokenItem::new(&token, app.directory().clock().now());
    match token.is_readable {
        true => Ok(answer(StatusCode::OK, &item)),
        false => Ok(answer(StatusCode::OK, &named.apply(&item)?)),
    }
}

async fn revoked(app: &App, actor: &Actor, owner: &UserKey, id: TokenId) -> Result<Response, ApiError> {
    app.directory().revoke_token(actor, Some(owner), id).await?;
    Ok(no_content())
}

pub(super) async fn rotated(
    app: &App,
    actor: &Actor,
    owner: Option<&UserKey>,
    id: TokenId,
    body: Body,
) -> Result<TokenWithKey, ApiError> {
    let mut fields = Fields::from(body);
    let overlap = fields.at_most("overlap_seconds", LONGEST_OVERLAP).unwrap_or_default();
    fields.end()?;
    Ok(app.directory().rotate_token(actor, owner, id, Duration::from_secs(overlap)).await?)
}

/// Makes the only kind of answer that contains a key. No cache may keep it.
pub(super) fn shown_once<T: Serialize>(issued: &T) -> Response {
    let mut response = answer(StatusCode::CREATED, issued);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Parses the token id from the path; anything that is not an id is a 404.
pub(super) fn token_id(id: &str) -> Result<TokenId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}
