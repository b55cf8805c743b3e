//! `/admin/bin`: deleted users and groups, which can be restored for a time.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::filters::{FilterField, FilterNames, FilterPanel, FilterWords, ViewLink};
use super::listing::{ListAddress, SortLink};
use super::page::SiteFrame;
use super::places::{BIN, BIN_GROUPS};
use super::responses::{page, see_other};
use super::views;
use super::visit::Visit;
use super::words::When;
use crate::directory::access::{ReadDeleted, ReadDeletedGroups, holds_permission};
use crate::directory::model::{DeletedGroup, DeletedUser, Timestamp, ValidationErrors};
use crate::directory::query::{DeletedGroupQuery, DeletedQuery, PageLink};
use crate::http::app::App;
use crate::http::error::ApiError;

/// The order without one in the address.
const ORDERING: &str = "-deleted_at";

const FILTERS: &[FilterField] = &[
    FilterField::day("deleted_date", "Deleted on", "deleted on"),
    FilterField::day("deleted_from", "Deleted since", "deleted since"),
    FilterField::day("deleted_to", "Deleted until", "deleted until"),
    FilterField::typed("id_min", "Number from", "with a number from"),
    FilterField::typed("id_max", "Number to", "with a number up to"),
];

const USER_WORDS: FilterWords = FilterWords {
    search: "Search deleted users",
    searched: "User name or e-mail",
    submit: "Show these users",
    sentence: "Only those",
};

const GROUP_WORDS: FilterWords = FilterWords {
    search: "Search deleted groups",
    searched: "Name",
    submit: "Show these groups",
    sentence: "Only those",
};

#[derive(Template)]
#[template(path = "admin/bin.html")]
struct BinPage {
    page: SiteFrame,
    filters: FilterPanel,
    /// Whether it shows groups.
    of_groups: bool,
    has_users: bool,
    has_groups: bool,
    name: SortLink,
    deleted: SortLink,
    /// How many days deleted users and groups are kept.
    days: u64,
    rows: Vec<BinnedRow>,
    next: Option<String>,
    previous: Option<String>,
}

/// A user or a group in the recycle bin.
pub(super) struct BinnedRow {
    pub(super) id: i64,
    pub(super) name: String,
    /// The address of a user, or the members of a group.
    pub(super) more: String,
    pub(super) deleted: When,
    pub(super) deleted_by: String,
    pub(super) purge_at: When,
}

impl BinnedRow {
    pub(super) fn of_user(app: &App, user: &DeletedUser, now: Timestamp) -> Self {
        Self {
            id: user.id.get(),
            name: user.username.clone(),
            more: user.email.clone().unwrap_or_default(),
            deleted: When::of(user.deleted_at, now),
            deleted_by: user.deleted_by.clone(),
            purge_at: When::of(user.purge_at(app.directory().deleted_kept_for()), now),
        }
    }

    pub(super) fn of_group(app: &App, group: &DeletedGroup, now: Timestamp) -> Self {
        let members = if group.users_count == 1 { "member" } else { "members" };
        Self {
            id: group.id.get(),
            name: group.name.clone(),
            more: format!("{} {members}", group.users_count),
            deleted: When::of(group.deleted_at, now),
            deleted_by: group.deleted_by.clone(),
            purge_at: When::of(group.purge_at(app.directory().deleted_kept_for()), now),
        }
    }
}

impl BinPage {
    fn new(app: &App, visit: &Visit, address: &ListAddress, faults: Option<&ValidationErrors>) -> Self {
        let of_groups = address.path() == BIN_GROUPS;
        let (words, csv) = match of_groups {
            true => (&GROUP_WORDS, "/admin/bin/groups.csv"),
            false => (&USER_WORDS, "/admin/bin.csv"),
        };
        let mut filters = FilterPanel::new(address, FILTERS, words, &FilterNames::default());
        if let Some(faults) = faults {
            filters = filters.refused(faults);
        }
        let mut frame = SiteFrame::new("Recycle bin", BIN, visit);
        if faults.is_some() {
            frame.title = "Problem: recycle bin".to_owned();
        }
        Self {
            page: frame,
            filters: filters.with_csv(address.at(csv)),
            of_groups,
            has_users: holds_permission::<ReadDeleted>(&visit.identity),
            has_groups: holds_permission::<ReadDeletedGroups>(&visit.identity),
            name: address.sorted_by(if of_groups { "name" } else { "username" }),
            deleted: address.sorted_by("deleted_at"),
            days: app.directory().deleted_kept_for().as_secs() / (24 * 60 * 60),
            rows: Vec::new(),
            next: None,
            previous: None,
        }
    }

    fn filled(
        mut self,
        address: &ListAddress,
        saved: Vec<ViewLink>,
        rows: Vec<BinnedRow>,
        [next, previous]: [&Option<PageLink>; 2],
    ) -> Result<Response, ApiError> {
        self.filters = self.filters.with_saved(saved);
        self.rows = rows;
        (self.next, self.previous) = (address.turn(next), address.turn(previous));
        page(StatusCode::OK, &self)
    }
}

/// `GET /admin/bin`: deleted users. Who may see deleted groups alone is led to them.
pub(super) async fn users(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let identity = &visit.identity;
    if !holds_permission::<ReadDeleted>(identity) && holds_permission::<ReadDeletedGroups>(identity) {
        return Ok(see_other(BIN_GROUPS));
    }
    let address = ListAddress::new(BIN, &visit.request.query, ORDERING);
    let query = match DeletedQuery::parse(&address.api()) {
        Ok(query) => query,
        Err(faults) => {
            return page(StatusCode::BAD_REQUEST, &BinPage::new(&app, &visit, &address, Some(&faults)));
        }
    };
    let found = app.directory().list_deleted(&visit.actor, &query).await?;
    let row = |user: &DeletedUser| BinnedRow::of_user(&app, user, visit.request.now);
    let rows = found.rows.iter().map(row).collect();
    let saved = views::of_list(&app, &visit, &address).await?;
    BinPage::new(&app, &visit, &address, None).filled(&address, saved, rows, [&found.next, &found.previous])
}

/// `GET /admin/bin/groups`: deleted groups.
pub(super) async fn groups(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let address = ListAddress::new(BIN_GROUPS, &visit.request.query, ORDERING);
    let query = match DeletedGroupQuery::parse(&address.api()) {
        Ok(query) => query,
        Err(faults) => {
            return page(StatusCode::BAD_REQUEST, &BinPage::new(&app, &visit, &address, Some(&faults)));
        }
    };
    let found = app.directory().list_deleted_groups(&visit.actor, &query).await?;
    let row = |group: &DeletedGroup| BinnedRow::of_group(&app, group, visit.request.now);
    let rows = found.rows.iter().map(row).collect();
    let saved = views::of_list(&app, &visit, &address).await?;
    BinPage::new(&app, &visit, &address, None).filled(&address, saved, rows, [&found.next, &found.previous])
}
