//! Two edits of one user that met: three values of each field, and a choice. Nothing is saved before it.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::events::ShownEvent;
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::page;
use super::user_values::UserValues;
use super::visit::Visit;
use super::words::display_name;
use crate::directory::access::{ReadAudit, holds_permission};
use crate::directory::model::{AuditFilter, UserId};
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/user_conflict.html")]
struct ConflictPage {
    page: SiteFrame,
    id: i64,
    name: String,
    /// The latest event about the user, for a person who may read it.
    latest: Option<ShownEvent>,
    rows: Vec<FieldInConflict>,
    /// The fields on which both agree, the values that were stored meanwhile, and their version.
    kept: Vec<(String, String)>,
    clashes: usize,
}

/// A field on which the stored values and the typed ones differ.
struct FieldInConflict {
    name: String,
    label: &'static str,
    was: String,
    theirs: String,
    yours: String,
    /// The same two values as the form sends them.
    values: [String; 2],
    /// Which of the two is chosen already: `theirs`, `yours`, or neither if both changed it.
    chosen: &'static str,
}

/// What people call the fields.
const LABELS: [(&str, &str); 8] = [
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("username", "User name"),
    ("email", "E-mail"),
    ("mobile_number", "Mobile number"),
    ("gender", "Gender"),
    ("is_active", "Active"),
    ("is_staff", "Staff"),
];

/// Shows both edits. `was` is what the form began with, `typed` what was sent.
pub(super) async fn show(
    app: &App,
    visit: &Visit,
    details: &UserDetails,
    was: &UserValues,
    typed: &UserValues,
) -> Result<Response, ApiError> {
    let current = UserValues::of(&details.user);
    let mut kept = current.pairs("was_");
    kept.push(("etag".to_owned(), details.version().as_str().to_owned()));
    let mut rows = Vec::new();
    let sides = was.pairs("").into_iter().zip(current.pairs("")).zip(typed.pairs(""));
    for (((name, was), (_, theirs)), (_, yours)) in sides {
        match theirs == yours {
            true => kept.push((name, theirs)),
            false => rows.push(FieldInConflict::new(name, &was, &theirs, &yours)),
        }
    }
    let name = display_name(&details.user);
    let view = ConflictPage {
        page: SiteFrame::new("Two edits met", USERS, visit),
        id: details.user.id.get(),
        name,
        latest: latest(app, visit, details.user.id).await?,
        clashes: rows.iter().filter(|row| row.chosen.is_empty()).count(),
        rows,
        kept,
    };
    page(StatusCode::CONFLICT, &view)
}

impl FieldInConflict {
    fn new(name: String, was: &str, theirs: &str, yours: &str) -> Self {
        let chosen = match (theirs == was, yours == was) {
            (true, _) => "yours",
            (_, true) => "theirs",
            _ => "",
        };
        let shown = |value: &str| match (name.starts_with("is_"), value) {
            (true, "true") => "Yes".to_owned(),
            (true, _) => "No".to_owned(),
            (false, value) => value.to_owned(),
        };
        Self {
            label: LABELS.iter().find(|(known, _)| *known == name).map_or("", |(_, label)| label),
            was: shown(was),
            theirs: shown(theirs),
            yours: shown(yours),
            values: [theirs.to_owned(), yours.to_owned()],
            chosen,
            name,
        }
    }
}

/// Reads the latest event about a user, which names who saved.
async fn latest(app: &App, visit: &Visit, id: UserId) -> Result<Option<ShownEvent>, ApiError> {
    if !holds_permission::<ReadAudit>(&visit.identity) {
        return Ok(None);
    }
    let filter = AuditFilter {
        object_kind: Some("user".to_owned()),
        object_id: Some(id.get()),
        ..AuditFilter::default()
    };
    let events = app.directory().audit_events(&visit.actor, &filter, 1).await?;
    Ok(events.first().map(|event| ShownEvent::of(event, visit.request.now)))
}
