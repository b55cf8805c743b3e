//! `/admin`: what happened, and what needs attention.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::events::ShownEvent;
use super::page::SiteFrame;
use super::places::OVERVIEW;
use super::responses::page;
use super::visit::Visit;
use super::words::When;
use crate::directory::access::{ReadAudit, ReadTokens, holds_permission};
use crate::directory::model::{AuditFilter, ListedToken, TokenKind, TokenState};
use crate::directory::query::{TimeRange, TokenFilters, TokenQuery};
use crate::http::app::App;
use crate::http::error::ApiError;

/// How far ahead the end of a token is news.
const SOON: Duration = Duration::from_hours(7 * 24);
/// Tokens and events that the page shows.
const ROWS_MAX: u32 = 8;

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage {
    page: SiteFrame,
    ending: Vec<EndingToken>,
    refused: Vec<ShownEvent>,
    events: Option<Vec<ShownEvent>>,
    signed_in: When,
    expires: Option<When>,
}

/// A token that ends soon.
struct EndingToken {
    name: String,
    owner: String,
    user_id: i64,
    at: When,
}

/// `GET /admin`.
pub(super) async fn show(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let (directory, now) = (app.directory(), visit.request.now);
    let ending = match holds_permission::<ReadTokens>(&visit.identity) {
        true => directory.list_tokens(&visit.actor, &ending(&visit)).await?.rows,
        false => Vec::new(),
    };
    let (events, refused) = match holds_permission::<ReadAudit>(&visit.identity) {
        true => {
            let failed = AuditFilter { action: Some("sign_in.refused".to_owned()), ..AuditFilter::default() };
            let events = directory.audit_events(&visit.actor, &AuditFilter::default(), ROWS_MAX).await?;
            (Some(events), directory.audit_events(&visit.actor, &failed, ROWS_MAX).await?)
        }
        false => (None, Vec::new()),
    };
    let today = now.saturating_sub(Duration::from_hours(24));
    let view = OverviewPage {
        page: SiteFrame::new("Overview", OVERVIEW, &visit),
        ending: ending.iter().filter_map(|listed| EndingToken::new(listed, &visit)).collect(),
        refused: refused
            .iter()
            .filter(|event| event.at >= today)
            .map(|event| ShownEvent::of(event, now))
            .collect(),
        events: events.map(|events| events.iter().map(|event| ShownEvent::of(event, now)).collect()),
        signed_in: When::of(visit.identity.token.created_at, now),
        expires: When::maybe(visit.identity.token.expires_at, now),
    };
    page(StatusCode::OK, &view)
}

/// Tokens with a name that end soon.
fn ending(visit: &Visit) -> TokenQuery {
    let now = visit.request.now;
    let filters = TokenFilters {
        kind: Some(TokenKind::Api),
        state: Some(TokenState::Active),
        expires: TimeRange { from: Some(now), until: now.plus(SOON).ok() },
        ..TokenFilters::default()
    };
    TokenQuery::by_id(filters, None, ROWS_MAX)
}

impl EndingToken {
    fn new(listed: &ListedToken, visit: &Visit) -> Option<Self> {
        let token = &listed.token;
        Some(Self {
            name: token.name.clone(),
            owner: listed.username.clone().unwrap_or_default(),
            user_id: token.user_id.get(),
            at: When::of(token.expires_at?, visit.request.now),
        })
    }
}
