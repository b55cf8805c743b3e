//! `/admin/tokens` and `/admin/sessions`: the tokens of all users, with every filter of the API, and whose a key is.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::chooser::{self, Asked};
use super::filters::{Chosen, FilterField, FilterPanel, FilterWords, ViewLink, flag};
use super::form::{Problems, refused};
use super::listing::{ListAddress, SortLink};
use super::page::SiteFrame;
use super::places::{SESSIONS, TOKENS};
use super::responses::{page, see_other};
use super::token_shown::ListedTokenRow;
use super::views;
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

/// Every filter of the list of tokens.
const FILTERS: &[FilterField] = &[
    FilterField::one_of(
        "state",
        "State",
        &[("active", "Valid", "valid"), ("expired", "Expired", "expired"), ("revoked", "Revoked", "revoked")],
    ),
    FilterField::one_of(
        "kind",
        "Kind",
        &[
            ("api", "Issued by name", "issued by name"),
            ("imported", "Imported", "imported"),
            ("sign_in", "Sign-in to the API", "sign-ins to the API"),
            ("browser", "Session of this site", "sessions of this site"),
        ],
    ),
    FilterField::chosen("user_id", "Owner's user name", Chosen::User, "of"),
    FilterField::typed("name", "Name is", "with the name"),
    FilterField::typed("key", "Key shown as", "shown as"),
    flag!("has_expiry", "Ends by itself", "that end by themselves", "without an end"),
    FilterField::day("expires_date", "Ends on", "that end on"),
    FilterField::day("expires_from", "Ends since", "that end since"),
    FilterField::day("expires_to", "Ends until", "that end until"),
    flag!("is_used", "Ever used", "that were used", "that were never used"),
    FilterField::day("unused_since", "Not used since", "not used since"),
    FilterField::day("last_used_date", "Used on", "last used on"),
    FilterField::day("last_used_from", "Used since", "last used since"),
    FilterField::day("last_used_to", "Used until", "last used until"),
    FilterField::day("created_date", "Made on", "made on"),
    FilterField::day("created_from", "Made since", "made since"),
    FilterField::day("created_to", "Made until", "made until"),
    flag!("has_scopes", "Has scopes", "with scopes", "without scopes"),
    FilterField::typed("scope", "With the scope", "with the scope"),
    flag!("read_only", "Reads only", "that only read", "that also write"),
    flag!("has_networks", "Limited to networks", "limited to networks", "usable from anywhere"),
    FilterField::typed("network", "Usable from", "usable from"),
    FilterField::typed("id_min", "Number from", "with a number from"),
    FilterField::typed("id_max", "Number to", "with a number up to"),
];

/// A list of tokens: its place and what is special about it.
struct TokenListKind {
    path: &'static str,
    title: &'static str,
    about: &'static str,
    words: FilterWords,
    csv: &'static str,
    /// Filters that hold unless the address has others of the same names.
    defaults: &'static [(&'static str, &'static str)],
    views: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

static ALL: TokenListKind = TokenListKind {
    path: TOKENS,
    title: "Tokens",
    about: "Keys of scripts and services, and sign-ins, of all people.",
    words: FilterWords { search: "", searched: "", submit: "Show these tokens", sentence: "Tokens that are" },
    csv: "/admin/tokens.csv",
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

static SIGN_INS: TokenListKind = TokenListKind {
    path: SESSIONS,
    title: "Sessions",
    about: "Who is signed in, to this site or to the API.",
    words: FilterWords {
        search: "",
        searched: "",
        submit: "Show these sessions",
        sentence: "Sessions that are",
    },
    csv: "/admin/sessions.csv",
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
    list: &'static TokenListKind,
    views: Vec<ViewLink>,
    filters: FilterPanel,
    sorted: SortedTokens,
    rows: Vec<ListedTokenRow>,
    can_revoke: bool,
    next: Option<String>,
    previous: Option<String>,
}

struct SortedTokens {
    created: SortLink,
    expires: SortLink,
}

impl TokenListPage {
    fn new(
        visit: &Visit,
        list: &'static TokenListKind,
        address: &ListAddress,
        mut filters: FilterPanel,
        found: Option<&Page<ListedToken>>,
    ) -> Self {
        let rows = found.map(|found| &found.rows[..]).unwrap_or_default();
        let title = match filters.problems.are_any() {
            true => format!("Problem: {}", list.title),
            false => list.title.to_owned(),
        };
        // Taking a default away would change nothing.
        let is_default = |name: &str| list.defaults.contains(&(name, address.get(name)));
        filters.in_force.retain(|one| !is_default(one.name));
        Self {
            page: SiteFrame::new(title, list.path, visit),
            list,
            views: usual_views(list, address),
            filters,
            sorted: SortedTokens {
                created: address.sorted_by("created_at"),
                expires: address.sorted_by("expires_at"),
            },
            rows: rows.iter().map(|listed| ListedTokenRow::new(listed, visit)).collect(),
            can_revoke: holds_permission::<RevokeToken>(&visit.identity),
            next: found.and_then(|found| address.turn(&found.next)),
            previous: found.and_then(|found| address.turn(&found.previous)),
        }
    }
}

fn usual_views(list: &'static TokenListKind, address: &ListAddress) -> Vec<ViewLink> {
    let (_, current) = address.split_ordering();
    let link = |(label, pairs): &(&'static str, &'static [(&'static str, &'static str)])| {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let view = with_defaults(list, pairs.clone());
        let path = ListAddress::new(list.path, &pairs, ORDERING).whole();
        ViewLink { label: (*label).to_owned(), is_current: sorted(view) == sorted(current.clone()), path }
    };
    list.views.iter().map(link).collect()
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

/// Adds the filters that make a list of tokens one of sessions.
pub(super) fn session_filters(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    with_defaults(&SIGN_INS, pairs)
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
    let filters = (FILTERS, &list.words);
    let query = match chooser::asked(app, visit, &address, filters, TokenQuery::parse).await? {
        Asked::Elsewhere(list) => return Ok(list),
        Asked::Refused(panel) => {
            return page(StatusCode::BAD_REQUEST, &TokenListPage::new(visit, list, &address, panel, None));
        }
        Asked::Query(query) => query,
    };
    let found = app.directory().list_tokens(&visit.actor, &query).await?;
    let names = chooser::names(app, visit, &address, FILTERS, std::iter::empty()).await?;
    let saved = views::of_list(app, visit, &address).await?;
    let panel = FilterPanel::new(&address, FILTERS, &list.words, &names).with_saved(saved);
    let panel = panel.with_csv(address.at(list.csv));
    page(StatusCode::OK, &TokenListPage::new(visit, list, &address, panel, Some(&found)))
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
