//! `/admin/tokens/revoke`: ends tokens, one or many, after one page that names them.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{FormValues, Problems, Typed, refused};
use super::page::SiteFrame;
use super::places::{ACCOUNT, TOKENS};
use super::responses::{page, see_other};
use super::token_page::{find, own_tokens};
use super::token_shown::ListedTokenRow;
use super::visit::{Visit, check_right};
use crate::directory::access::{ReadTokens, RevokeToken, holds_permission};
use crate::directory::error::Error;
use crate::directory::model::{ListedToken, TokenId, Violation};
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/token_revoke.html")]
struct RevokePage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    rows: Vec<ListedTokenRow>,
    has_sign_ins: bool,
    ids: Vec<i64>,
    back: &'static str,
}

impl RevokePage {
    fn new(visit: &Visit, tokens: &[ListedToken], ids: &[TokenId], problems: Problems) -> Self {
        let title = match ids.len() {
            1 => "Revoke this token?".to_owned(),
            number => format!("Revoke {number} tokens?"),
        };
        Self {
            page: SiteFrame::new(title, TOKENS, visit).marked(&problems),
            problems,
            refused: "Nothing was revoked",
            rows: tokens.iter().map(|listed| ListedTokenRow::new(listed, visit)).collect(),
            has_sign_ins: tokens.iter().any(|listed| listed.token.kind.is_sign_in()),
            ids: ids.iter().map(|id| id.get()).collect(),
            back: back(visit),
        }
    }
}

/// The list that the person has: all tokens, or their own.
fn back(visit: &Visit) -> &'static str {
    if holds_permission::<ReadTokens>(&visit.identity) { TOKENS } else { ACCOUNT }
}

/// `GET /admin/tokens/{id}/revoke`.
pub(super) async fn ask(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let listed = find(&app, &visit, &id).await?;
    let is_own = listed.token.user_id == visit.identity.user.id;
    check_right(is_own || holds_permission::<RevokeToken>(&visit.identity))?;
    let ids = [listed.token.id];
    page(StatusCode::OK, &RevokePage::new(&visit, &[listed], &ids, Problems::default()))
}

/// The tokens that were selected, and whether the page has named them already.
pub(super) struct SelectedTokens {
    ids: Vec<TokenId>,
    is_confirmed: bool,
}

impl FormValues for SelectedTokens {
    fn read(fields: &mut Fields) -> Self {
        let ids = fields.ids("id").unwrap_or_default();
        let mut ids: Vec<TokenId> = ids.into_iter().filter_map(|id| id.try_into().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        Self { ids, is_confirmed: fields.boolean("confirmed").unwrap_or_default() }
    }
}

/// `POST /admin/tokens/revoke`: asks for what a list has selected, and revokes what this page has named.
pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    Typed(SelectedTokens { ids, is_confirmed }): Typed<SelectedTokens>,
) -> Result<Response, ApiError> {
    if ids.is_empty() {
        return Ok(see_other(&format!("{}?done=nothing-selected", back(&visit))));
    }
    check_own(&app, &visit, &ids).await?;
    if !is_confirmed {
        return show(&app, &visit, &ids, (StatusCode::OK, Problems::default())).await;
    }
    match app.directory().revoke_tokens(&visit.actor, ids.clone()).await {
        Ok(_) => Ok(see_other(&format!("{}?done=tokens-revoked", back(&visit)))),
        Err(error) => show(&app, &visit, &ids, refused(whole(error), &[])?).await,
    }
}

/// Refuses tokens of others, and those that do not exist, to a person who may revoke only their own.
async fn check_own(app: &App, visit: &Visit, ids: &[TokenId]) -> Result<(), ApiError> {
    if holds_permission::<RevokeToken>(&visit.identity) {
        return Ok(());
    }
    let own = own_tokens(app, visit).await?;
    check_right(ids.iter().all(|id| own.iter().any(|listed| listed.token.id == *id)))
}

/// Shows the selected tokens, as far as the person may read them.
async fn show(
    app: &App,
    visit: &Visit,
    ids: &[TokenId],
    (status, problems): (StatusCode, Problems),
) -> Result<Response, ApiError> {
    let tokens = match holds_permission::<ReadTokens>(&visit.identity) {
        true => app.directory().selected_tokens(&visit.actor, ids).await?,
        false => {
            let own = own_tokens(app, visit).await?;
            own.into_iter().filter(|listed| ids.contains(&listed.token.id)).collect()
        }
    };
    page(status, &RevokePage::new(visit, &tokens, ids, problems))
}

/// Makes an error about one of many tokens one about all of them: none was revoked.
fn whole(error: Error) -> Error {
    match error {
        Error::DeniedItem { denial, .. } => Error::Denied(denial),
        Error::InvalidItems(items) => match items.into_iter().find(|faults| !faults.is_empty()) {
            Some(faults) => Error::Invalid(faults),
            None => Error::invalid("id", &Violation::Required),
        },
        other => other,
    }
}
