//! `/admin/users`: the list of users, with every filter of the API.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::bulk::{self, BulkAction};
use super::chooser::{self, Asked};
use super::filters::{Chosen, FilterField, FilterNames, FilterPanel, FilterWords, ViewLink, flag};
use super::listing::{ListAddress, SortLink};
use super::page::{SiteFrame, UndoForm};
use super::picture;
use super::places::USERS;
use super::responses::page;
use super::views;
use super::visit::Visit;
use super::words::{Face, When, display_name};
use crate::directory::access::{CreateUser, holds_permission};
use crate::directory::model::User;
use crate::directory::query::UserQuery;
use crate::http::app::App;
use crate::http::error::ApiError;

/// The order without one in the address.
const ORDERING: &str = "username";

/// Every filter of the list.
const FILTERS: &[FilterField] = &[
    flag!("is_active", "May sign in", ["Active", "Inactive"], "active", "inactive"),
    flag!("is_staff", "Staff", "staff", "not staff"),
    flag!("is_admin", "Admin", "admins", "not admins"),
    flag!("is_online", "Online", "online", "not online"),
    flag!("has_token", "Has a token", "with a token", "without a token"),
    flag!("has_email", "Has an e-mail address", "with an e-mail address", "without an e-mail address"),
    flag!("has_phone", "Has a mobile number", "with a mobile number", "without a mobile number"),
    flag!("has_avatar", "Has a picture", "with a picture", "without a picture"),
    flag!("has_groups", "In a group", "in a group", "in no group"),
    flag!("has_first_name", "Has a first name", "with a first name", "without a first name"),
    flag!("has_last_name", "Has a last name", "with a last name", "without a last name"),
    FilterField::chosen("group_id", "In the group", Chosen::Group, "in"),
    FilterField::chosen("groups_in", "In one of the groups (one a line)", Chosen::Groups, "in"),
    FilterField::one_of(
        "gender",
        "Gender is",
        &[
            ("male", "male", "of the gender male"),
            ("female", "female", "of the gender female"),
            ("non-binary", "non-binary", "of the gender non-binary"),
            ("other", "other", "of the gender other"),
        ],
    ),
    FilterField::typed("username", "User name is", "with the user name"),
    FilterField::typed("email", "E-mail is", "with the address"),
    FilterField::typed("mobile_number", "Mobile number is", "with the number"),
    FilterField::day("last_login_date", "Signed in on", "signed in on"),
    FilterField::day("last_login_from", "Signed in since", "signed in since"),
    FilterField::day("last_login_to", "Signed in until", "signed in until"),
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
    search: "Search users",
    searched: "Name, user name, e-mail, number",
    submit: "Show these people",
    sentence: "People who are",
};

/// Views of the list that many look for: their words and their parameter.
const VIEWS: &[(&str, &str, &str)] = &[
    ("Everyone", "", ""),
    ("Staff", "is_staff", "true"),
    ("Admins", "is_admin", "true"),
    ("Inactive", "is_active", "false"),
    ("Online now", "is_online", "true"),
    ("Without a group", "has_groups", "false"),
];

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UserListPage {
    page: SiteFrame,
    views: Vec<ViewLink>,
    filters: FilterPanel,
    sorted: SortedUsers,
    rows: Vec<ListedUser>,
    next: Option<String>,
    previous: Option<String>,
    can_create: bool,
    actions: Vec<&'static BulkAction>,
}

struct SortedUsers {
    person: SortLink,
    last_login: SortLink,
    created: SortLink,
}

/// A user in a list.
struct ListedUser {
    id: i64,
    name: String,
    username: String,
    email: String,
    face: Face,
    picture: Option<String>,
    is_admin: bool,
    is_staff: bool,
    is_active: bool,
    is_online: bool,
    groups: Vec<String>,
    last_login: Option<When>,
    created: When,
}

/// `GET /admin/users`.
pub(super) async fn list(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let address = ListAddress::new(USERS, &visit.request.query, ORDERING);
    let query = match chooser::asked(&app, &visit, &address, (FILTERS, &WORDS), UserQuery::parse).await? {
        Asked::Elsewhere(list) => return Ok(list),
        Asked::Refused(panel) => {
            return page(StatusCode::BAD_REQUEST, &UserListPage::new(&app, &visit, &address, panel));
        }
        Asked::Query(query) => query,
    };
    let found = app.directory().list_users(&visit.actor, &query).await?;
    let groups = found.rows.iter().flat_map(|user| user.groups.clone());
    let names = chooser::names(&app, &visit, &address, FILTERS, groups).await?;
    let saved = views::of_list(&app, &visit, &address).await?;
    let panel = FilterPanel::new(&address, FILTERS, &WORDS, &names).with_saved(saved);
    let panel = panel.with_csv(address.at("/admin/users.csv"));
    let mut view = UserListPage::new(&app, &visit, &address, panel);
    let row = |user: &User| ListedUser::new(&app, &visit, user, &names);
    view.rows = found.rows.iter().map(row).collect();
    view.next = address.turn(&found.next);
    view.previous = address.turn(&found.previous);
    page(StatusCode::OK, &view)
}

impl UserListPage {
    /// The page without rows.
    fn new(app: &App, visit: &Visit, address: &ListAddress, filters: FilterPanel) -> Self {
        let title = if filters.problems.are_any() { "Problem: users" } else { "Users" };
        Self {
            page: SiteFrame { undo: undo(visit), ..SiteFrame::new(title, USERS, visit) },
            views: usual_views(address),
            filters,
            sorted: SortedUsers {
                person: address.sorted_by("username"),
                last_login: address.sorted_by("last_login"),
                created: address.sorted_by("created_at"),
            },
            rows: Vec::new(),
            next: None,
            previous: None,
            can_create: holds_permission::<CreateUser>(&visit.identity),
            actions: bulk::offered(app, visit),
        }
    }
}

/// The form that takes back a deletion just before: the address names the users.
fn undo(visit: &Visit) -> Option<UndoForm> {
    let ids = visit.request.said("undo")?;
    let are_ids = !ids.is_empty() && ids.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    are_ids
        .then(|| UndoForm { path: "/admin/users/restore".to_owned(), fields: vec![("ids", ids.to_owned())] })
}

fn usual_views(address: &ListAddress) -> Vec<ViewLink> {
    let whole = ListAddress::new(USERS, &[], ORDERING);
    let current = address.without("ordering");
    let link = |&(label, name, value): &(&'static str, &'static str, &'static str)| {
        let path = whole.with(name, value);
        ViewLink { label: label.to_owned(), is_current: path == current, path }
    };
    VIEWS.iter().map(link).collect()
}

impl ListedUser {
    fn new(app: &App, visit: &Visit, user: &User, names: &FilterNames) -> Self {
        let now = visit.request.now;
        let name = display_name(user);
        Self {
            id: user.id.get(),
            face: Face::of(&name),
            picture: picture::url(app, visit, user, 64),
            name,
            username: user.username.clone(),
            email: user.email.clone().unwrap_or_default(),
            is_admin: user.is_admin,
            is_staff: user.is_staff,
            is_active: user.is_active,
            is_online: user.is_online(now),
            groups: user.groups.iter().filter_map(|id| names.groups.get(&id.get()).cloned()).collect(),
            last_login: When::maybe(user.last_login, now),
            created: When::of(user.created_at, now),
        }
    }
}
