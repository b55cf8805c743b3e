//! `/admin/permissions`: every permission, with what it opens.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::filters::{FilterField, FilterNames, FilterPanel, FilterWords};
use super::group::NamedRight;
use super::listing::ListAddress;
use super::page::SiteFrame;
use super::places::PERMISSIONS;
use super::responses::page;
use super::views;
use super::visit::Visit;
use crate::directory::access::built_in;
use crate::directory::model::{Permission, ValidationErrors, Violation, fold};
use crate::directory::query::Terms;
use crate::http::app::App;
use crate::http::error::ApiError;

const FILTERS: &[FilterField] = &[FilterField::one_of(
    "ordering",
    "Order",
    &[
        ("code", "by code", "sorted by code"),
        ("-code", "by code, highest first", "sorted by code, highest first"),
        ("name", "by name", "sorted by name"),
        ("-name", "by name, last first", "sorted by name, last first"),
        ("id", "by number", "sorted by number"),
        ("-id", "by number, highest first", "sorted by number, highest first"),
    ],
)];
const WORDS: FilterWords = FilterWords {
    search: "Search permissions",
    searched: "What it opens, code or name",
    submit: "Show these permissions",
    sentence: "Permissions",
};
/// The names of the parameters.
const KNOWN: [&str; 2] = ["search", "ordering"];

#[derive(Template)]
#[template(path = "admin/permissions.html")]
struct PermissionListPage {
    page: SiteFrame,
    filters: FilterPanel,
    built_in: Vec<NamedRight>,
    own: Vec<NamedRight>,
    can_change: bool,
}

/// `GET /admin/permissions`.
pub(super) async fn list(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let known = app.directory().permissions(&visit.actor).await?;
    let address = ListAddress::new(PERMISSIONS, &visit.request.query, "code");
    let mut view = PermissionListPage {
        page: SiteFrame::new("Permissions", PERMISSIONS, &visit),
        filters: FilterPanel::new(&address, FILTERS, &WORDS, &FilterNames::default())
            .with_csv(address.at("/admin/permissions.csv")),
        built_in: Vec::new(),
        own: Vec::new(),
        can_change: visit.identity.user.is_admin,
    };
    match narrowed(known, address.parameters()) {
        Ok(found) => {
            let named = |found: &[&Permission]| found.iter().map(|one| NamedRight::new(one)).collect();
            let (built_in, own): (Vec<&Permission>, Vec<&Permission>) =
                found.iter().partition(|one| built_in(one.code).is_some());
            (view.built_in, view.own) = (named(&built_in), named(&own));
            view.filters = view.filters.with_saved(views::of_list(&app, &visit, &address).await?);
            page(StatusCode::OK, &view)
        }
        Err(faults) => {
            view.filters = view.filters.refused(&faults);
            view.page.title = "Problem: permissions".to_owned();
            page(StatusCode::BAD_REQUEST, &view)
        }
    }
}

/// Keeps the permissions in which each term is found, in words, code or name, in the order of the address.
pub(super) fn narrowed(
    mut known: Vec<Permission>,
    parameters: &[(String, String)],
) -> Result<Vec<Permission>, ValidationErrors> {
    let value = |name: &str| {
        parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    };
    let mut faults = ValidationErrors::default();
    for (name, _) in parameters.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
        faults.add(name, &Violation::Other("Unknown parameter.".to_owned()));
    }
    let terms = faults.take("search", Terms::parse(value("search"))).unwrap_or_default();
    let text = |one: &Permission| {
        let words = built_in(one.code).map(|known| known.allows).unwrap_or_default();
        fold(&format!("{} {} {} {words}", one.id, one.code, one.name))
    };
    known.retain(|one| terms.iter().all(|term| text(one).contains(term)));
    let ordering = value("ordering");
    match ordering.trim_start_matches('-') {
        "" | "code" => {}
        "name" => known.sort_by(|a, b| a.name.cmp(&b.name)),
        "id" => known.sort_by_key(|one| one.id),
        _ => faults.add("ordering", &Violation::Choice(ordering.to_owned())),
    }
    if ordering.starts_with('-') {
        known.reverse();
    }
    faults.into_result().map(|()| known)
}
