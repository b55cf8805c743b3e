//! `/admin/users`: the list of users, with every filter of the API.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::bulk::{self, BulkAction};
use super::form::Problems;
use super::listing::{ListAddress, SortLink};
use super::page::{SiteFrame, UndoForm};
use super::places::USERS;
use super::responses::page;
use super::visit::Visit;
use super::words::{Face, When, display_name};
use crate::directory::access::{CreateUser, holds_permission};
use crate::directory::model::{GroupId, Timestamp, User};
use crate::directory::query::{Page, UserQuery};
use crate::http::app::App;
use crate::http::error::ApiError;

/// The order without one in the address.
const ORDERING: &str = "username";

/// Filters with a choice: the name of the parameter, its label, the words for true and for false, and those in the sentence.
const CHOICES: &[(&str, &str, [&str; 2], [&str; 2])] = &[
    ("is_active", "May sign in", ["Active", "Inactive"], ["active", "inactive"]),
    ("is_staff", "Staff", ["Yes", "No"], ["staff", "not staff"]),
    ("is_admin", "Admin", ["Yes", "No"], ["admins", "not admins"]),
    ("is_online", "Online", ["Yes", "No"], ["online", "not online"]),
    ("has_token", "Has a token", ["Yes", "No"], ["with a token", "without a token"]),
    (
        "has_email",
        "Has an e-mail address",
        ["Yes", "No"],
        ["with an e-mail address", "without an e-mail address"],
    ),
    ("has_phone", "Has a mobile number", ["Yes", "No"], ["with a mobile number", "without a mobile number"]),
    ("has_avatar", "Has a picture", ["Yes", "No"], ["with a picture", "without a picture"]),
    ("has_groups", "In a group", ["Yes", "No"], ["in a group", "in no group"]),
    ("has_first_name", "Has a first name", ["Yes", "No"], ["with a first name", "without a first name"]),
    ("has_last_name", "Has a last name", ["Yes", "No"], ["with a last name", "without a last name"]),
];

/// Filters that are typed: the name, the label, the type of the input, and the words in the sentence.
const TYPED: &[(&str, &str, &str, &str)] = &[
    ("username", "User name is", "text", "with the user name"),
    ("email", "E-mail is", "text", "with the address"),
    ("mobile_number", "Mobile number is", "text", "with the number"),
    ("gender", "Gender is", "text", "of the gender"),
    ("group_id", "In the group with the number", "text", "in group"),
    ("groups_in", "In one of the groups", "text", "in one of the groups"),
    ("last_login_date", "Signed in on", "date", "signed in on"),
    ("last_login_from", "Signed in since", "date", "signed in since"),
    ("last_login_to", "Signed in until", "date", "signed in until"),
    ("created_date", "Created on", "date", "created on"),
    ("created_from", "Created since", "date", "created since"),
    ("created_to", "Created until", "date", "created until"),
    ("updated_date", "Changed on", "date", "changed on"),
    ("updated_from", "Changed since", "date", "changed since"),
    ("updated_to", "Changed until", "date", "changed until"),
    ("id_min", "Number from", "text", "with a number from"),
    ("id_max", "Number to", "text", "with a number up to"),
];

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
    problems: Problems,
    views: Vec<ViewLink>,
    search: String,
    choices: Vec<FlagFilter>,
    typed: Vec<TypedFilter>,
    hidden: Vec<(String, String)>,
    chips: Vec<FilterChip>,
    sorted: SortedColumns,
    rows: Vec<ListedUser>,
    next: Option<String>,
    previous: Option<String>,
    can_create: bool,
    actions: Vec<&'static BulkAction>,
    csv: String,
}

struct ViewLink {
    label: &'static str,
    path: String,
    is_current: bool,
}

struct FlagFilter {
    name: &'static str,
    label: &'static str,
    words: [&'static str; 2],
    value: String,
}

struct TypedFilter {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    problem: Option<String>,
}

/// A filter in force. Its link takes it away.
struct FilterChip {
    text: String,
    path: String,
}

struct SortedColumns {
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
    let query = match UserQuery::parse(&address.api()) {
        Ok(query) => query,
        Err(faults) => {
            let typed = TYPED.iter().map(|(name, label, ..)| (*name, *label));
            let labels: Vec<_> =
                CHOICES.iter().map(|(name, label, ..)| (*name, *label)).chain(typed).collect();
            let mut view = view(&visit, &address, None, &BTreeMap::new());
            view.problems = Problems::of(&faults, &labels);
            for typed in &mut view.typed {
                typed.problem = view.problems.about(typed.name).map(str::to_owned);
            }
            return page(StatusCode::BAD_REQUEST, &view);
        }
    };
    let found = app.directory().list_users(&visit.actor, &query).await?;
    let mut ids: Vec<GroupId> = found.rows.iter().flat_map(|user| user.groups.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let groups = app.directory().group_names(&visit.actor, &ids).await?;
    page(StatusCode::OK, &view(&visit, &address, Some(&found), &groups))
}

fn view(
    visit: &Visit,
    address: &ListAddress,
    found: Option<&Page<User>>,
    groups: &BTreeMap<GroupId, String>,
) -> UserListPage {
    let now = visit.request.now;
    let inputs: Vec<_> = ["search"]
        .into_iter()
        .chain(CHOICES.iter().map(|(name, ..)| *name))
        .chain(TYPED.iter().map(|(name, ..)| *name))
        .collect();
    let rows = found.map(|found| &found.rows[..]).unwrap_or_default();
    UserListPage {
        page: SiteFrame { undo: undo(visit), ..SiteFrame::new("Users", USERS, visit) },
        problems: Problems::default(),
        views: views(address),
        search: address.get("search").to_owned(),
        choices: CHOICES
            .iter()
            .map(|&(name, label, words, _)| FlagFilter {
                name,
                label,
                words,
                value: address.get(name).to_owned(),
            })
            .collect(),
        typed: TYPED
            .iter()
            .map(|&(name, label, kind, _)| TypedFilter {
                name,
                label,
                kind,
                value: address.get(name).to_owned(),
                problem: None,
            })
            .collect(),
        hidden: address.hidden(&inputs),
        chips: chips(address, groups),
        sorted: SortedColumns {
            person: address.sorted_by("username"),
            last_login: address.sorted_by("last_login"),
            created: address.sorted_by("created_at"),
        },
        rows: rows.iter().map(|user| ListedUser::new(user, groups, now)).collect(),
        next: found.and_then(|found| address.turn(&found.next)),
        previous: found.and_then(|found| address.turn(&found.previous)),
        can_create: holds_permission::<CreateUser>(&visit.identity),
        actions: bulk::offered(app, visit),
        csv: address.at("/admin/users.csv"),
    }
}

/// The form that takes back a deletion just before: the address names the users.
fn undo(visit: &Visit) -> Option<UndoForm> {
    let ids = visit.request.said("undo")?;
    let are_ids = !ids.is_empty() && ids.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    are_ids
        .then(|| UndoForm { path: "/admin/users/restore".to_owned(), fields: vec![("ids", ids.to_owned())] })
}

fn views(address: &ListAddress) -> Vec<ViewLink> {
    let whole = ListAddress::new(USERS, &[], ORDERING);
    let current = address.without("ordering");
    let link = |&(label, name, value): &(&'static str, &'static str, &'static str)| {
        let path = whole.with(name, value);
        ViewLink { label, is_current: path == current, path }
    };
    VIEWS.iter().map(link).collect()
}

fn chips(address: &ListAddress, groups: &BTreeMap<GroupId, String>) -> Vec<FilterChip> {
    let mut chips = Vec::new();
    let search = address.get("search");
    if !search.is_empty() {
        chips.push(FilterChip { text: format!("found by “{search}”"), path: address.without("search") });
    }
    for (name, _, _, words) in CHOICES {
        let text = match address.get(name).to_ascii_lowercase().as_str() {
            "true" | "1" => words[0],
            "false" | "0" => words[1],
            _ => continue,
        };
        chips.push(FilterChip { text: text.to_owned(), path: address.without(name) });
    }
    for (name, _, _, words) in TYPED {
        let value = address.get(name);
        if value.is_empty() {
            continue;
        }
        let group =
            value.parse::<GroupId>().ok().filter(|_| *name == "group_id").and_then(|id| groups.get(&id));
        let text = format!("{words} {}", group.map_or(value, String::as_str));
        chips.push(FilterChip { text, path: address.without(name) });
    }
    chips
}

impl ListedUser {
    fn new(user: &User, groups: &BTreeMap<GroupId, String>, now: Timestamp) -> Self {
        let name = display_name(user);
        Self {
            id: user.id.get(),
            face: Face::of(&name),
            name,
            username: user.username.clone(),
            email: user.email.clone().unwrap_or_default(),
            is_admin: user.is_admin,
            is_staff: user.is_staff,
            is_active: user.is_active,
            is_online: user.is_online(now),
            groups: user.groups.iter().filter_map(|id| groups.get(id).cloned()).collect(),
            last_login: When::maybe(user.last_login, now),
            created: When::of(user.created_at, now),
        }
    }
}
