//! Two edits of one user that met: three values of each field, and a choice. Nothing is saved before it.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::events::{ShownEvent, events_of_user};
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::page;
use super::user_values::UserValues;
use super::visit::Visit;
use super::words::display_name;
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/user_conflict.html")]
struct ConflictPage {
    page: SiteFrame,
    id: i64,
    name: String,
    /// The latest event about the user, which names who saved, for a person who may read it.
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
    let (rows, kept) = compared(details, was, typed);
    let events = events_of_user(app, visit, details.user.id, 1).await?;
    let view = ConflictPage {
        page: SiteFrame::new("Two edits met", USERS, visit),
        id: details.user.id.get(),
        name: display_name(&details.user),
        latest: events.and_then(|events| events.into_iter().next()),
        clashes: rows.iter().filter(|row| row.chosen.is_empty()).count(),
        rows,
        kept,
    };
    page(StatusCode::CONFLICT, &view)
}

/// Returns the fields on which the two sides differ, and what the form keeps: the fields on which they agree, and the values
/// that were stored meanwhile with their version.
fn compared(
    details: &UserDetails,
    was: &UserValues,
    typed: &UserValues,
) -> (Vec<FieldInConflict>, Vec<(String, String)>) {
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
    (rows, kept)
}

/// Shows the value of a field; a flag in words.
fn shown(name: &str, value: &str) -> String {
    match (name.starts_with("is_"), value) {
        (true, "true") => "Yes".to_owned(),
        (true, _) => "No".to_owned(),
        (false, value) => value.to_owned(),
    }
}

impl FieldInConflict {
    fn new(name: String, was: &str, theirs: &str, yours: &str) -> Self {
        let chosen = match (theirs == was, yours == was) {
            (true, _) => "yours",
            (_, true) => "theirs",
            _ => "",
        };
        Self {
            label: LABELS.iter().find(|(known, _)| *known == name).map_or("", |(_, label)| label),
            was: shown(&name, was),
            theirs: shown(&name, theirs),
            yours: shown(&name, yours),
            values: [theirs.to_owned(), yours.to_owned()],
            chosen,
            name,
        }
    }
}
