//! `/admin/groups`: the list of groups, with every filter of the API.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::filters::{FilterField, FilterNames, FilterPanel, FilterWords};
use super::listing::{ListAddress, SortLink};
use super::page::{SiteFrame, UndoForm};
use super::places::GROUPS;
use super::responses::page;
use super::views;
use super::visit::Visit;
use super::words::When;
use crate::directory::access::{CreateGroup, holds_permission};
use crate::directory::model::{Group, GroupId, Timestamp};
use crate::directory::query::GroupQuery;
use crate::http::app::App;
use crate::http::error::ApiError;

/// The order without one in the address.
const ORDERING: &str = "name";
/// The longest part of the notes that a row shows, in characters.
const NOTES_MAX: usize = 120;

const FILTERS: &[FilterField] = &[
    FilterField::typed("users_count_min", "Members, at least", "with members from"),
    FilterField::typed("users_count_max", "Members, at most", "with members up to"),
    FilterField::day("created_date", "Created on", "created on"),
    FilterField::day("created_from", "Created since", "created since"),
    FilterField::day("created_to", "Created until", "created until"),
    FilterField::day("updated_date", "Changed on", "changed on"),
    FilterField::day("updated_from", "Changed since", "changed since"),
    FilterField::day("updated_to", "Changed until", "changed until"),
    FilterField::typed("id_min", "Number from", "with a number from"),
    FilterField::typed("id_max", "Number to", "with a number up to"),
];

const WORDS: FilterWords = FilterWords {
    search: "Search groups",
    searched: "Name or notes",
    submit: "Show these groups",
    sentence: "Only those",
};

#[derive(Template)]
#[template(path = "admin/groups.html")]
struct GroupListPage {
    page: SiteFrame,
    filters: FilterPanel,
    name: SortLink,
    users_count: SortLink,
    updated: SortLink,
    rows: Vec<ListedGroup>,
    next: Option<String>,
    previous: Option<String>,
    can_create: bool,
}

/// A group in a list.
struct ListedGroup {
    id: i64,
    name: String,
    notes: String,
    users_count: i64,
    updated: When,
}

impl ListedGroup {
    fn new(group: &Group, now: Timestamp) -> Self {
        Self {
            id: group.id.get(),
            name: group.name.clone(),
            notes: shortened(group.notes.as_deref().unwrap_or_default()),
            users_count: group.users_count,
            updated: When::of(group.updated_at, now),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(NOTES_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `GET /admin/groups`.
pub(super) async fn list(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let address = ListAddress::new(GROUPS, &visit.request.query, ORDERING);
    let mut view = GroupListPage {
        page: SiteFrame::new("Groups", GROUPS, &visit),
        filters: FilterPanel::new(&address, FILTERS, &WORDS, &FilterNames::default())
            .with_csv(address.at("/admin/groups.csv")),
        name: address.sorted_by("name"),
        users_count: address.sorted_by("users_count"),
        updated: address.sorted_by("updated_at"),
        rows: Vec::new(),
        next: None,
        previous: None,
        can_create: holds_permission::<CreateGroup>(&visit.identity),
    };
    view.page.undo = undo(&visit);
    let query = match GroupQuery::parse(&address.api()) {
        Ok(query) => query,
        Err(faults) => {
            view.filters = view.filters.refused(&faults);
            view.page.title = "Problem: groups".to_owned();
            return page(StatusCode::BAD_REQUEST, &view);
        }
    };
    let found = app.directory().list_groups(&visit.actor, &query).await?;
    view.filters = view.filters.with_saved(views::of_list(&app, &visit, &address).await?);
    view.rows = found.rows.iter().map(|group| ListedGroup::new(group, visit.request.now)).collect();
    view.next = address.turn(&found.next);
    view.previous = address.turn(&found.previous);
    page(StatusCode::OK, &view)
}

/// The form that restores the group that was just deleted.
fn undo(visit: &Visit) -> Option<UndoForm> {
    if visit.request.parameter("done") != Some("group-deleted") {
        return None;
    }
    let id: GroupId = visit.request.said("undo")?.parse().ok()?;
    Some(UndoForm { path: format!("/admin/bin/groups/{id}/restore"), fields: Vec::new() })
}
