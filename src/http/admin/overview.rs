//! `/admin`: who is here, what happened, and what needs attention. At most six statements.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::attention::{Attention, ShownAttention};
use super::charts::{ChartSpan, Charts, SPANS, grouped};
use super::events::ShownEvent;
use super::page::SiteFrame;
use super::places::OVERVIEW;
use super::responses::page;
use super::visit::Visit;
use super::words::{Face, When, bytes_in_words, date_in_words, display_name};
use crate::directory::Directory;
use crate::directory::access::{ReadAudit, ReadTokens, ReadUsers, holds_permission};
use crate::directory::activity::SEEN_MAX;
use crate::directory::model::{AuditFilter, Timestamp, User, ValidationErrors, Violation};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::telemetry::Statistics;

/// Events that the page shows, and those that it looks at: refusals are none of the changes.
const EVENTS: usize = 6;
const EVENTS_READ: u32 = 50;
/// Users that the page shows.
const PEOPLE: usize = SEEN_MAX - 1;

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage {
    page: SiteFrame,
    today: String,
    attention: Vec<ShownAttention>,
    people: Option<OnlinePeople>,
    facts: Vec<(&'static str, String)>,
    events: Option<Vec<ShownEvent>>,
    charts: Option<Charts>,
    spans: &'static [ChartSpan],
    signed_in: When,
    expires: Option<When>,
}

/// Users who are online.
struct OnlinePeople {
    shown: Vec<OnlinePerson>,
    /// Whether there are more.
    more: bool,
}

struct OnlinePerson {
    id: i64,
    name: String,
    face: Face,
    seen: Option<When>,
}

/// `GET /admin`.
pub(super) async fn show(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let now = visit.request.now;
    let span = visit.request.parameter("span");
    let Some(span) = ChartSpan::named(span) else {
        let unknown = Violation::Choice(span.unwrap_or_default().to_owned());
        return Err(ApiError::Invalid(ValidationErrors::of("span", &unknown)));
    };
    let directory = app.directory();
    let charts = charts(directory, &visit, span).await?;
    let attention = Attention::read(directory, &visit, charts.as_ref()).await?;
    let view = OverviewPage {
        page: SiteFrame::new("Overview", OVERVIEW, &visit),
        today: now.to_string().get(..10).and_then(date_in_words).unwrap_or_default(),
        attention: attention.shown(&app, &visit),
        people: people(directory, &visit).await?,
        facts: facts(&app, &visit),
        events: changes(&app, &visit).await?,
        charts,
        spans: &SPANS,
        signed_in: When::of(visit.identity.token.created_at, now),
        expires: When::maybe(visit.identity.token.expires_at, now),
    };
    page(StatusCode::OK, &view)
}

/// Reads the latest events that are no refusals.
async fn changes(app: &App, visit: &Visit) -> Result<Option<Vec<ShownEvent>>, ApiError> {
    if !holds_permission::<ReadAudit>(&visit.identity) {
        return Ok(None);
    }
    let mut events = app.directory().audit_events(&visit.actor, &AuditFilter::default(), EVENTS_READ).await?;
    events.retain(|event| !ShownEvent::is_of_refusal(event));
    events.truncate(EVENTS);
    Ok(Some(ShownEvent::all(app, visit, &events).await?))
}

/// Draws the charts for those who may read the audit trail.
async fn charts(
    directory: &Directory,
    visit: &Visit,
    span: &'static ChartSpan,
) -> Result<Option<Charts>, ApiError> {
    if !holds_permission::<ReadAudit>(&visit.identity) {
        return Ok(None);
    }
    let now = visit.request.now;
    let counts = directory.activity(&visit.actor, span.read, span.since(now)).await?;
    Ok(Some(Charts::new(span, &counts, now)))
}

/// Reads who is online.
async fn people(directory: &Directory, visit: &Visit) -> Result<Option<OnlinePeople>, ApiError> {
    if !holds_permission::<ReadUsers>(&visit.identity) {
        return Ok(None);
    }
    let found = directory.users_online(&visit.actor).await?;
    let more = found.len() > PEOPLE;
    let shown = found.iter().take(PEOPLE).map(|user| OnlinePerson::new(user, visit.request.now)).collect();
    Ok(Some(OnlinePeople { shown, more }))
}

impl OnlinePerson {
    fn new(user: &User, now: Timestamp) -> Self {
        let name = display_name(user);
        Self { id: user.id.get(), face: Face::of(&name), name, seen: When::maybe(user.last_seen_at, now) }
    }
}

/// A fact about this installation: its name, and the words.
type Fact = (&'static str, String);

/// What is known of this installation without a statement: the server counts from time to time.
fn facts(app: &App, visit: &Visit) -> Vec<Fact> {
    let identity = &visit.identity;
    let counted = app.metrics().statistics.last().unwrap_or_default();
    let mut facts = Vec::new();
    if holds_permission::<ReadUsers>(identity) {
        facts.extend(counted.users.iter().filter_map(|(state, count)| fact(USERS, state, *count)));
    }
    if holds_permission::<ReadTokens>(identity) {
        let active = counted.tokens.iter().filter(|(_, state, _)| *state == "active");
        facts.extend(active.filter_map(|(kind, _, count)| fact(TOKENS, kind, *count)));
    }
    if identity.user.is_admin {
        facts.extend(house_facts(app, &counted));
    }
    facts
}

/// The names of counts of users, by state.
const USERS: &[(&str, &str)] = &[("active", "Active users"), ("inactive", "Inactive users")];
/// The names of counts of tokens that are active, by kind.
const TOKENS: &[(&str, &str)] = &[
    ("browser", "Sessions here"),
    ("sign_in", "Sign-ins to the API"),
    ("api", "Tokens"),
    ("imported", "Imported tokens"),
];

fn fact(names: &[(&str, &'static str)], of: &str, count: i64) -> Option<Fact> {
    let (_, name) = names.iter().find(|(known, _)| *known == of)?;
    Some((name, grouped(u64::try_from(count).ok()?)))
}

/// What only admins see: sizes and servers.
fn house_facts(app: &App, counted: &Statistics) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Ok(bytes @ 1..) = u64::try_from(counted.database_bytes) {
        facts.push(("Database", bytes_in_words(bytes)));
    }
    let servers = counted.servers.iter().map(|(version, count)| format!("{count} of version {version}"));
    let servers: Vec<_> = servers.collect();
    if !servers.is_empty() {
        facts.push(("Servers", servers.join(", ")));
    }
    if let Some((free, whole)) = app.directory().disk_space() {
        facts.push(("Disk", format!("{} of {} free", bytes_in_words(free), bytes_in_words(whole))));
    }
    facts
}
