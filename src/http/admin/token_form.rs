//! The form for a token: `/admin/users/{id}/tokens/new` and `/admin/tokens/{id}/edit`. The key of a new token is on the page
//! after the form alone, and never again.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::fields::ShownField;
use super::form::{Problems, Typed, refused};
use super::objects::{hidden, user_id};
use super::page::SiteFrame;
use super::places::TOKENS;
use super::responses::{page, see_other};
use super::token_page::{ReadyPage, check_change, find};
use super::token_shown::scope_words;
use super::token_values::{END_OF_NEW, END_OF_OLD, FIELDS, TokenValues};
use super::visit::{Visit, check_right};
use super::words::display_name;
use crate::directory::access::{BUILT_IN, IssueToken, ReadPermissions, holds_permission};
use crate::directory::error::Error;
use crate::directory::model::{Scope, TokenId, User, UserId, UserKey};
use crate::directory::tokens::{Expiry, TokenWithKey};
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/token_form.html")]
struct TokenFormPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    action: String,
    back: String,
    /// The name of the token that is changed; none for a new one.
    token: Option<String>,
    owner: String,
    name: ShownField,
    end: ShownField,
    until: ShownField,
    networks: ShownField,
    has_all: bool,
    scopes: Vec<ScopeBox>,
    read_only: bool,
}

/// A scope that can be chosen.
struct ScopeBox {
    name: String,
    words: String,
    is_chosen: bool,
}

/// What is in the form, and what is wrong with it.
struct FilledForm<'a> {
    values: &'a TokenValues,
    problems: Problems,
}

impl<'a> FilledForm<'a> {
    /// A form that was not sent yet.
    fn of(values: &'a TokenValues) -> Self {
        Self { values, problems: Problems::default() }
    }
}

/// Every scope that the person may know of.
async fn scopes(app: &App, visit: &Visit, chosen: &TokenValues) -> Result<Vec<ScopeBox>, ApiError> {
    let built_in = BUILT_IN.iter().map(|known| Scope::Permission(known.code));
    let mut all: Vec<_> =
        [Scope::MeRead, Scope::MeWrite].into_iter().chain(built_in).map(scope_words).collect();
    if holds_permission::<ReadPermissions>(&visit.identity) {
        let permissions = app.directory().permissions(&visit.actor).await?;
        let own = permissions.into_iter().filter(|one| BUILT_IN.iter().all(|known| known.code != one.code));
        all.extend(own.map(|permission| (permission.name, permission.code.to_string())));
    }
    let unknown = chosen.scopes.iter().filter(|name| !all.iter().any(|(_, known)| known == *name));
    let unknown: Vec<_> = unknown.map(|name| (name.clone(), name.clone())).collect();
    let shown = all.into_iter().chain(unknown).map(|(words, name)| ScopeBox {
        is_chosen: chosen.scopes.contains(&name),
        words,
        name,
    });
    Ok(shown.collect())
}

impl TokenFormPage {
    async fn new(app: &App, visit: &Visit, title: String, form: FilledForm<'_>) -> Result<Self, ApiError> {
        let FilledForm { values, problems } = form;
        let [name, until, networks] = FIELDS;
        Ok(Self {
            page: SiteFrame::new(title, TOKENS, visit).marked(&problems),
            refused: "The token was not saved",
            action: String::new(),
            back: String::new(),
            token: None,
            owner: String::new(),
            name: ShownField::new(name, &values.name, &problems),
            end: ShownField::new(END_OF_NEW, &values.end, &problems),
            until: ShownField::new(until, &values.until, &problems),
            networks: ShownField::new(networks, &values.networks, &problems),
            has_all: values.has_all,
            scopes: scopes(app, visit, values).await?,
            read_only: values.read_only,
            problems,
        })
    }
}

/// The labels of the form, for the summary of errors.
const LABELS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("end", "Ends"),
    ("until", "Last day"),
    ("scopes", "What it may do"),
    ("allowed_networks", "Networks"),
];

/// The form after it was refused. Renames what the API calls otherwise.
fn refused_form(error: Error, values: &TokenValues) -> Result<(StatusCode, FilledForm<'_>), ApiError> {
    let error = error.of_field("expires_at", if values.end == "until" { "until" } else { "end" });
    let (status, problems) = refused(error, LABELS)?;
    Ok((status, FilledForm { values, problems }))
}

/// Reads the user that a token is for, if the person may issue it.
async fn owner(app: &App, visit: &Visit, id: UserId) -> Result<User, ApiError> {
    let user = app.directory().visible_user(&visit.actor, &UserKey::Id(id)).await.map_err(hidden)?;
    let is_own = id == visit.identity.user.id;
    if !is_own {
        check_right(holds_permission::<IssueToken>(&visit.identity))?;
        if user.is_admin {
            visit.check_admin()?;
        }
    }
    Ok(user)
}

async fn new_form(
    app: &App,
    visit: &Visit,
    user: &User,
    form: FilledForm<'_>,
) -> Result<TokenFormPage, ApiError> {
    let owner = display_name(user);
    let form = TokenFormPage::new(app, visit, format!("New token for {owner}"), form).await?;
    let back = match user.id == visit.identity.user.id {
        true => "/admin/account".to_owned(),
        false => format!("/admin/users/{}", user.id),
    };
    Ok(TokenFormPage { action: format!("/admin/users/{}/tokens/new", user.id), back, owner, ..form })
}

/// `GET /admin/users/{id}/tokens/new`.
pub(super) async fn show_new(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let user = owner(&app, &visit, user_id(&id)?).await?;
    if let Some(first) = visit.proof_first() {
        return Ok(first);
    }
    let form = new_form(&app, &visit, &user, FilledForm::of(&TokenValues::of_new())).await?;
    page(StatusCode::OK, &form)
}

/// `POST /admin/users/{id}/tokens/new`: shows the key, this once.
pub(super) async fn issue(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    Typed(values): Typed<TokenValues>,
) -> Result<Response, ApiError> {
    let user = owner(&app, &visit, user_id(&id)?).await?;
    match issued(&app, &visit, user.id, &values).await {
        Ok(issued) => page(StatusCode::OK, &ReadyPage::new(&visit, &issued, Some(display_name(&user)))),
        Err(error) => {
            let (status, form) = refused_form(error, &values)?;
            page(status, &new_form(&app, &visit, &user, form).await?)
        }
    }
}

async fn issued(app: &App, visit: &Visit, id: UserId, values: &TokenValues) -> Result<TokenWithKey, Error> {
    let (key, end) = (UserKey::Id(id), values.expiry()?.unwrap_or(Expiry::Default));
    app.directory().issue_token_with(&visit.actor, &key, &values.name, end, &values.narrowing()).await
}

/// `GET /admin/tokens/{id}/edit`.
pub(super) async fn show_edit(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let listed = find(&app, &visit, &id).await?;
    check_change(&visit, listed.token.user_id)?;
    if let Some(first) = visit.proof_first() {
        return Ok(first);
    }
    let values = TokenValues::of(&listed.token);
    let form = FilledForm::of(&values);
    page(StatusCode::OK, &edit_form(&app, &visit, listed.token.id, &listed.token.name, form).await?)
}

async fn edit_form(
    app: &App,
    visit: &Visit,
    id: TokenId,
    name: &str,
    form: FilledForm<'_>,
) -> Result<TokenFormPage, ApiError> {
    let end = ShownField::new(END_OF_OLD, &form.values.end, &form.problems);
    let form = TokenFormPage::new(app, visit, format!("Change {name}"), form).await?;
    Ok(TokenFormPage {
        action: format!("{TOKENS}/{id}/edit"),
        back: format!("{TOKENS}/{id}"),
        token: Some(name.to_owned()),
        end,
        ..form
    })
}

/// `POST /admin/tokens/{id}/edit`.
pub(super) async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    Typed(values): Typed<TokenValues>,
) -> Result<Response, ApiError> {
    let listed = find(&app, &visit, &id).await?;
    let id = listed.token.id;
    match saved(&app, &visit, id, &values).await {
        Ok(()) => Ok(see_other(&format!("{TOKENS}/{id}?done=token-saved"))),
        Err(error) => {
            let (status, form) = refused_form(error, &values)?;
            page(status, &edit_form(&app, &visit, id, &listed.token.name, form).await?)
        }
    }
}

async fn saved(app: &App, visit: &Visit, id: TokenId, values: &TokenValues) -> Result<(), Error> {
    let (end, narrowing) = (values.expiry()?, values.narrowing());
    app.directory().update_token_with(&visit.actor, None, id, Some(&values.name), end, &narrowing).await?;
    Ok(())
}
