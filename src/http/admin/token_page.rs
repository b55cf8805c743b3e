//! `/admin/tokens/{id}`: one token of any user or of one's own, a new key for it, and its end.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::fields::{FieldKind, ShownField};
use super::form::{FormValues, Problems, Typed, refused};
use super::page::SiteFrame;
use super::places::TOKENS;
use super::responses::page;
use super::token_shown::{ListedTokenRow, networks_of, scopes_of};
use super::visit::{Visit, ask_for_proof, check_right};
use crate::directory::access::{ReadTokens, RevokeToken, UpdateToken, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{ListedToken, Token, TokenId, TokenKind, UserId, UserKey, Violation};
use crate::directory::query::{NumberRange, TokenFilters, TokenQuery};
use crate::directory::tokens::TokenWithKey;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

/// Reads the token of a path: any for who may read the tokens of all, one's own for others.
pub(super) async fn find(app: &App, visit: &Visit, id: &str) -> Result<ListedToken, ApiError> {
    let id: TokenId = id.parse().map_err(|_| ApiError::NotFound)?;
    if holds_permission::<ReadTokens>(&visit.identity) {
        return app.directory().token(&visit.actor, id).await.map_err(super::objects::hidden);
    }
    let mut query = TokenQuery::by_id(TokenFilters::default(), None, 1);
    query.filters.id = NumberRange { min: Some(id.get()), max: Some(id.get()) };
    let own = app.directory().list_own_tokens(&visit.actor, &query).await?;
    own.rows.into_iter().next().map(|listed| owned(visit, listed.token)).ok_or(ApiError::NotFound)
}

/// A token of the person, who may not be allowed to read users.
fn owned(visit: &Visit, token: Token) -> ListedToken {
    ListedToken { token, username: Some(visit.identity.user.username.clone()) }
}

/// Reads the tokens of the person.
pub(super) async fn own_tokens(app: &App, visit: &Visit) -> Result<Vec<ListedToken>, ApiError> {
    let own = &visit.identity.user;
    let tokens = app.directory().tokens(&visit.actor, &UserKey::Id(own.id)).await?;
    Ok(tokens.into_iter().map(|token| owned(visit, token)).collect())
}

/// Whether the person may change this token. The use case decides again.
pub(super) fn check_change(visit: &Visit, owner: UserId) -> Result<(), ApiError> {
    check_right(may_change(visit, owner))
}

fn may_change(visit: &Visit, owner: UserId) -> bool {
    owner == visit.identity.user.id || holds_permission::<UpdateToken>(&visit.identity)
}

#[derive(Template)]
#[template(path = "admin/token.html")]
struct TokenPage {
    page: SiteFrame,
    row: ListedTokenRow,
    made_by: &'static str,
    read_only: bool,
    scopes: Option<Vec<(String, String)>>,
    networks: Vec<String>,
    can_list: bool,
    can_change: bool,
    can_revoke: bool,
}

/// Who made a token, in words.
fn made_by(token: &Token) -> &'static str {
    match token.made_by.as_str() {
        "sign_in" => "A sign-in",
        "token" => "A person who was signed in, or a token",
        "operator" => "An operator at the command line",
        "import" => "An import",
        _ => "Not recorded",
    }
}

/// `GET /admin/tokens/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let listed = find(&app, &visit, &id).await?;
    page(StatusCode::OK, &TokenPage::new(&visit, &listed))
}

impl TokenPage {
    fn new(visit: &Visit, listed: &ListedToken) -> Self {
        let token = &listed.token;
        let (is_own, is_open) = (token.user_id == visit.identity.user.id, token.revoked_at.is_none());
        let name = if token.name.is_empty() { "Token without a name" } else { &token.name };
        Self {
            page: SiteFrame::new(name, TOKENS, visit),
            made_by: made_by(token),
            read_only: token.narrowing.read_only,
            scopes: scopes_of(token),
            networks: networks_of(token),
            can_list: holds_permission::<ReadTokens>(&visit.identity),
            can_change: is_open && token.kind != TokenKind::Browser && may_change(visit, token.user_id),
            can_revoke: is_open && (is_own || holds_permission::<RevokeToken>(&visit.identity)),
            row: ListedTokenRow::new(listed, visit),
        }
    }
}

/// The page with a new key: the only one that has it.
#[derive(Template)]
#[template(path = "admin/token_ready.html")]
pub(super) struct ReadyPage {
    page: SiteFrame,
    key: String,
    site: String,
    row: ListedTokenRow,
    read_only: bool,
    scopes: Option<Vec<(String, String)>>,
    networks: Vec<String>,
}

impl ReadyPage {
    pub(super) fn new(visit: &Visit, issued: &TokenWithKey, owner: Option<String>) -> Self {
        let token = &issued.token;
        let listed = ListedToken { token: token.clone(), username: owner };
        Self {
            page: SiteFrame::new(format!("Token {} is ready", token.name), TOKENS, visit),
            key: issued.key.reveal().to_owned(),
            site: visit.request.site.origin().to_owned(),
            row: ListedTokenRow::new(&listed, visit),
            read_only: token.narrowing.read_only,
            scopes: scopes_of(token),
            networks: networks_of(token),
        }
    }
}

/// How long the old key of a rotated token works: hours and words.
const OVERLAP: (&str, &str, &str, FieldKind) = (
    "overlap",
    "The old key",
    "Time for whatever uses it to get the new one.",
    FieldKind::Choice(&[
        ("0", "Stops at once"),
        ("1", "Works for 1 hour"),
        ("24", "Works for 24 hours"),
        ("168", "Works for 7 days"),
    ]),
);

#[derive(Template)]
#[template(path = "admin/token_rotate.html")]
struct RotatePage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    row: ListedTokenRow,
    field: ShownField,
}

impl RotatePage {
    fn new(visit: &Visit, listed: &ListedToken, overlap: &str, problems: Problems) -> Self {
        let title = format!("New key for {}?", listed.token.name);
        Self {
            page: SiteFrame::new(title, TOKENS, visit).marked(&problems),
            refused: "The token has no new key",
            row: ListedTokenRow::new(listed, visit),
            field: ShownField::new(OVERLAP, overlap, &problems),
            problems,
        }
    }
}

/// `GET /admin/tokens/{id}/rotate`.
pub(super) async fn ask_rotate(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let listed = find(&app, &visit, &id).await?;
    check_change(&visit, listed.token.user_id)?;
    if let Some(first) = visit.proof_first() {
        return Ok(first);
    }
    page(StatusCode::OK, &RotatePage::new(&visit, &listed, "24", Problems::default()))
}

/// How long the old key is to work, as it was typed.
pub(super) struct TypedOverlap(String);

impl FormValues for TypedOverlap {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text(OVERLAP.0).unwrap_or_default())
    }
}

impl TypedOverlap {
    fn time(&self) -> Result<Duration, Error> {
        match self.0.parse::<u64>() {
            Ok(hours @ 0..=168) => Ok(Duration::from_hours(hours)),
            _ => Err(Error::invalid(OVERLAP.0, &Violation::Other("Choose 0 to 168 hours.".to_owned()))),
        }
    }
}

/// `POST /admin/tokens/{id}/rotate`: shows the new key, this once.
pub(super) async fn rotate(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    Typed(overlap): Typed<TypedOverlap>,
) -> Result<Response, ApiError> {
    let listed = find(&app, &visit, &id).await?;
    let rotated = match overlap.time() {
        Ok(time) => app.directory().rotate_token(&visit.actor, None, listed.token.id, time).await,
        Err(error) => Err(error),
    };
    match rotated {
        Ok(issued) => page(StatusCode::OK, &ReadyPage::new(&visit, &issued, listed.username)),
        Err(Error::Denied(Denial::ProofTooOld)) => Ok(ask_for_proof(&visit.request.path)),
        Err(error) => {
            let (status, problems) = refused(error, &[(OVERLAP.0, OVERLAP.1)])?;
            page(status, &RotatePage::new(&visit, &listed, &overlap.0, problems))
        }
    }
}
