//! `/admin/tokens` and `/admin/sessions`: the tokens of all users, with every filter of the API, and whose a key is.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::filter_inputs::{self, FilterChip, FilterKind, ListFilter, ShownFilter, ViewLink};
use super::form::{Problems, refused};
use super::listing::{ListAddress, SortLink};
use super::page::SiteFrame;
use super::places::{SESSIONS, TOKENS};
use super::responses::{page, see_other};
use super::token_shown::ListedTokenRow;
use super::visit::Visit;
use crate::directory::access::{ReadTokens, RevokeToken, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::ListedToken;
use crate::directory::query::{Page, TokenQuery};
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

/// The order without one in the address: newest first.
const ORDERING: &str = "-id";

const STATES: FilterKind = FilterKind::OneOf(&[
    ("active", "Valid", "valid"),
    ("expired", "Expired", "expired"),
    ("revoked", "Revoked", "revoked"),
]);
const KINDS: FilterKind = FilterKind::OneOf(&[
    ("api", "Issued by name", "issued by name"),
    ("imported", "Imported", "imported"),
    ("sign_in", "Sign-in to the API", "sign-ins to the API"),
    ("browser", "Session of this site", "sessions of this site"),
]);

macro_rules! flag {
    ($name:literal, $label:literal, $yes:literal, $no:literal) => {
        ListFilter {
            name: $name,
            label: $label,
            kind: FilterKind::OneOf(&[("true", "Yes", $yes), ("false", "No", $no)]),
        }
    };
}

macro_rules! typed {
    ($name:literal, $label:literal, $input:literal, $words:literal) => {
        ListFilter { name: $name, label: $label, kind: FilterKind::Typed($input, $words) }
    };
}

/// Every filter of the list of tokens.
const FILTERS: &[ListFilter] = &[
    ListFilter { name: "state", label: "State", kind: STATES },
    ListFilter { name: "kind", label: "Kind", kind: KINDS },
    typed!("user_id", "Owner's number", "text", "of the user with the number"),
    typed!("name", "Name is", "text", "with the name"),
    typed!("key", "Key shown as", "text", "shown as"),
    flag!("has_expiry", "Ends by itself", "that end by themselves", "without an end"),
    typed!("expires_date", "Ends on", "date", "that end on"),
    typed!("expires_from", "Ends since", "date", "that end since"),
    typed!("expires_to", "Ends until", "date", "that end until"),
    flag!("is_used", "Ever used", "that were used", "that were never used"),
    typed!("unused_since", "Not used since", "date", "not used since"),
    typed!("last_used_date", "Used on", "date", "last used on"),
    typed!("last_used_from", "Used since", "date", "last used since"),
    typed!("last_used_to", "Used until", "date", "last used until"),
    typed!("created_date", "Made on", "date", "made on"),
    typed!("created_from", "Made since", "date", "made since"),
    typed!("created_to", "Made until", "date", "made until"),
    flag!("has_scopes", "Has scopes", "with scopes", "without scopes"),
    typed!("scope", "With the scope", "text", "with the scope"),
    flag!("read_only", "Reads only", "that only read", "that also write"),
    flag!("has_networks", "Limited to networks", "limited to networks", "usable from anywhere"),
    typed!("network", "Usable from", "text", "usable from"),
    typed!("id_min", "Number from", "text", "with a number from"),
    typed!("id_max", "Number to", "text", "with a number up to"),
];

/// A list of tokens: its place and what is special about it.
struct TokenListKind {
    path: &'static str,
    title: &'static str,
    about: &'static str,
    /// Filters that hold unless the address has others of the same names.
    defaults: &'static [(&'static str, &'static str)],
    views: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

const ALL: TokenListKind = TokenListKind {
    path: TOKENS,
    title: "Tokens",
    about: "Keys of scripts and services, and sign-ins, of all people.",
    defaults: &[],
    views: &[
        ("All", &[]),
        ("Issued by name", &[("kind", "api"), ("state", "active")]),
        ("Imported", &[("kind", "imported"), ("state", "active")]),
        ("Without an end", &[("has_expiry", "false"), ("state", "active")]),
        ("Never used", &[("is_used", "false"), ("state", "active"), ("kind", "api")]),
        ("May do all that the owner may", &[("has_scopes", "false"), ("state", "active"), ("kind", "api")]),
    ],
};

const SIGN_INS: TokenListKind = TokenListKind {
    path: SESSIONS,
    title: "Sessions",
    about: "Who is signed in, to this site or to the API.",
    defaults: &[("kind", "browser"), ("state", "active")],
    views: &[
        ("In this site", &[]),
        ("Sign-ins to the API", &[("kind", "sign_in")]),
        ("Ended in this site", &[("state", "revoked")]),
    ],
};

#[derive(Template)]
#[template(path = "admin/tokens.html")]
struct TokenListPage {
    page: SiteFrame,
    problems: Problems,
    list: &'static TokenListKind,
    views: Vec<ViewLink>,
    filters: Vec<ShownFilter>,
    hidden: Vec<(String, String)>,
    chips: Vec<FilterChip>,
    sorted: SortedColumns,
    rows: Vec<ListedTokenRow>,
    can_revoke: bool,
    csv: String,
    next: Option<String>,
    previous: Option<String>,
}

struct SortedColumns {
    created: SortLink,
    last_used: SortLink,
    expires: SortLink,
}

impl TokenListPage {
    fn new(
        visit: &Visit,
        list: &'static TokenListKind,
        address: &ListAddress,
        found: Option<&Page<ListedToken>>,
        problems: Problems,
    ) -> Self {
        let rows = found.map(|found| &found.rows[..]).unwrap_or_default();
        let title =
            if problems.are_any() { format!("Problem: {}", list.title) } else { list.title.to_owned() };
        Self {
            page: SiteFrame::new(title, list.path, visit),
            list,
            views: views(list, address),
            filters: ShownFilter::all(FILTERS, address, &problems),
            hidden: address.hidden(&filter_inputs::inputs(FILTERS)),
            chips: chips(list, address),
            sorted: SortedColumns {
                created: address.sorted_by("created_at"),
                last_used: address.sorted_by("last_used_at"),
                expires: address.sorted_by("expires_at"),
            },
            rows: rows.iter().map(|listed| ListedTokenRow::new(listed, visit)).collect(),
            can_revoke: holds_permission::<RevokeToken>(&visit.identity),
            csv: address.at("/admin/tokens.csv"),
            next: found.and_then(|found| address.turn(&found.next)),
            previous: found.and_then(|found| address.turn(&found.previous)),
            problems,
        }
    }
}

fn views(list: &'static TokenListKind, address: &ListAddress) -> Vec<ViewLink> {
    let (_, current) = address.split_ordering();
    let link = |(label, pairs): &(&'static str, &'static [(&'static str, &'static str)])| {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let view = with_defaults(list, pairs.clone());
        let path = ListAddress::new(list.path, &pairs, ORDERING).whole();
        ViewLink { label, is_current: sorted(view) == sorted(current.clone()), path }
    };
    list.views.iter().map(link).collect()
}

/// The chips of the filters in force, without the defaults: taking one away would change nothing.
fn chips(list: &TokenListKind, address: &ListAddress) -> Vec<FilterChip> {
    let is_default = |chip: &FilterChip| {
        list.defaults.iter().any(|(name, value)| *name == chip.name && address.get(name) == *value)
    };
    filter_inputs::chips(FILTERS, address).into_iter().filter(|chip| !is_default(chip)).collect()
}

fn sorted(mut pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.sort_unstable();
    pairs
}

/// Adds the default of each filter that has no value.
fn with_defaults(list: &TokenListKind, mut pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    for (name, value) in list.defaults {
        if !pairs.iter().any(|(known, given)| known == name && !given.is_empty()) {
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    pairs
}

/// `GET /admin/tokens`.
pub(super) async fn list(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    show(&app, &visit, &ALL).await
}

/// `GET /admin/sessions`.
pub(super) async fn sessions(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    show(&app, &visit, &SIGN_INS).await
}

async fn show(app: &App, visit: &Visit, list: &'static TokenListKind) -> Result<Response, ApiError> {
    if !holds_permission::<ReadTokens>(&visit.identity) {
        return Err(ApiError::Forbidden(Denial::NoRight.to_string()));
    }
    let pairs = with_defaults(list, visit.request.query.clone());
    let address = ListAddress::new(list.path, &pairs, ORDERING);
    let query = match TokenQuery::parse(&address.api()) {
        Ok(query) => query,
        Err(faults) => {
            let problems = Problems::of(&faults, &filter_inputs::labels(FILTERS));
            let view = TokenListPage::new(visit, list, &address, None, problems);
            return page(StatusCode::BAD_REQUEST, &view);
        }
    };
    let found = app.directory().list_tokens(&visit.actor, &query).await?;
    page(StatusCode::OK, &TokenListPage::new(visit, list, &address, Some(&found), Problems::default()))
}

#[derive(Template)]
#[template(path = "admin/token_find.html")]
struct FindPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
}

impl FindPage {
    fn new(visit: &Visit, problems: Problems) -> Self {
        let title = if problems.are_any() { "Problem: whose is this key?" } else { "Whose is this key?" };
        Self { page: SiteFrame::new(title, TOKENS, visit), problems, refused: "The key was not found" }
    }
}

/// `GET /admin/tokens/find`.
pub(super) async fn show_find(visit: Visit) -> Result<Response, ApiError> {
    if !holds_permission::<ReadTokens>(&visit.identity) {
        return Err(ApiError::Forbidden(Denial::NoRight.to_string()));
    }
    page(StatusCode::OK, &FindPage::new(&visit, Problems::default()))
}

/// `POST /admin/tokens/find`: leads to the token of a key. The key is in the form alone, never in an address or a page.
pub(super) async fn find(
    State(app): State<App>,
    visit: Visit,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let key = fields.text("key").unwrap_or_default();
    fields.end()?;
    match app.directory().find_token(&visit.actor, key.trim()).await {
        Ok(listed) => Ok(see_other(&format!("{TOKENS}/{}", listed.token.id))),
        Err(error) => {
            let (status, problems) = not_found(error)?;
            page(status, &FindPage::new(&visit, problems))
        }
    }
}

/// Says why no token was found.
fn not_found(error: Error) -> Result<(StatusCode, Problems), ApiError> {
    match error {
        Error::NotFound { .. } => {
            let text = "No token has this key. It may be mistyped, or deleted some time after it ended.";
            Ok((StatusCode::NOT_FOUND, Problems::whole(text)))
        }
        Error::Busy { retry_after } => {
            let seconds = retry_after.as_secs().saturating_add(1);
            let text = format!("There were too many keys that no token has. Try again in {seconds} seconds.");
            Ok((StatusCode::TOO_MANY_REQUESTS, Problems::whole(text)))
        }
        error => refused(error, &[("key", "Key")]),
    }
}
