//! Views of lists that a person saved: the filters and the order of a list under a name, at `/admin/views`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::fields::{FieldKind, ShownField};
use super::filters::ViewLink;
use super::form::{Problems, refused};
use super::listing::ListAddress;
use super::page::SiteFrame;
use super::places::{ACCOUNT, AUDIT, BIN, BIN_GROUPS, GROUPS, PERMISSIONS, SESSIONS, TOKENS, USERS};
use super::responses::{page, see_other};
use super::visit::Visit;
use crate::directory::error::Error;
use crate::directory::model::{SavedView, Violation};
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;
use crate::http::text::query_pairs;

/// The lists that have views, and what people call them.
const LISTS: [(&str, &str); 8] = [
    (USERS, "Users"),
    (GROUPS, "Groups"),
    (PERMISSIONS, "Permissions"),
    (TOKENS, "Tokens"),
    (SESSIONS, "Sessions"),
    (AUDIT, "Audit trail"),
    (BIN, "Recycle bin: users"),
    (BIN_GROUPS, "Recycle bin: groups"),
];

const NAME: (&str, &str, &str, FieldKind) =
    ("name", "Name of the view", "Only you see it. A view with this name is replaced.", FieldKind::Text);

/// A view on the page of the person's own account.
pub(super) struct OwnView {
    pub(super) place: String,
    pub(super) list: &'static str,
    pub(super) name: String,
    pub(super) path: String,
}

#[derive(Template)]
#[template(path = "admin/view_form.html")]
struct ViewFormPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    field: ShownField,
    place: String,
    query: String,
    back: String,
}

/// The path of a view; `None` for a list that does not exist, or a query that cannot be read.
fn path_of(view: &SavedView) -> Option<String> {
    let (place, _) = LISTS.iter().find(|(place, _)| *place == view.place)?;
    let pairs = query_pairs(&view.query).ok()?;
    Some(ListAddress::new(*place, &pairs, "").without("before"))
}

/// The parameters of an address, in one order.
fn sorted(path: &str) -> Vec<&str> {
    let mut parts: Vec<_> = path.split(['?', '&']).collect();
    parts.sort_unstable();
    parts
}

/// The views that the person saved of a list.
pub(super) async fn of_list(
    app: &App,
    visit: &Visit,
    address: &ListAddress,
) -> Result<Vec<ViewLink>, ApiError> {
    let saved = app.directory().saved_views(&visit.actor, Some(address.path())).await?;
    let current = address.without("before");
    let link = |view: &SavedView| {
        let path = path_of(view)?;
        let is_current = sorted(&path) == sorted(&current);
        Some(ViewLink { label: view.name.clone(), path, is_current })
    };
    Ok(saved.iter().filter_map(link).collect())
}

/// All views that the person saved.
pub(super) async fn own(app: &App, visit: &Visit) -> Result<Vec<OwnView>, ApiError> {
    let saved = app.directory().saved_views(&visit.actor, None).await?;
    let shown = |view: SavedView| {
        let (_, list) = LISTS.iter().find(|(place, _)| *place == view.place)?;
        Some(OwnView { list, path: path_of(&view)?, place: view.place, name: view.name })
    };
    Ok(saved.into_iter().filter_map(shown).collect())
}

/// `POST /admin/views`.
pub(super) async fn save(
    State(app): State<App>,
    visit: Visit,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let mut text = |name: &str| fields.text(name).unwrap_or_default();
    let typed = SavedView { place: text("place"), name: text("name"), query: text("query") };
    fields.end()?;
    let path = path_of(&typed).ok_or(ApiError::BadRequest("Save a view on the page of its list."))?;
    let outcome = match path.split_once('?') {
        Some((_, query)) => {
            let view = SavedView { query: query.to_owned(), ..typed.clone() };
            app.directory().save_view(&visit.actor, &view).await.map(drop)
        }
        None => Err(Error::invalid(NAME.0, &Violation::Other("The list has no filter to save.".to_owned()))),
    };
    let error = match outcome {
        Ok(()) => return Ok(see_other(&format!("{path}&done=view-saved"))),
        Err(error) => error,
    };
    let (status, problems) = refused(error, &[(NAME.0, NAME.1)])?;
    let view = ViewFormPage {
        page: SiteFrame::new("Save a view", &typed.place, &visit).marked(&problems),
        refused: "The view was not saved",
        field: ShownField::new(NAME, &typed.name, &problems),
        place: typed.place,
        query: typed.query,
        back: path,
        problems,
    };
    page(status, &view)
}

/// `POST /admin/views/remove`.
pub(super) async fn remove(
    State(app): State<App>,
    visit: Visit,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let (place, name) = (fields.text("place").unwrap_or_default(), fields.text("name").unwrap_or_default());
    fields.end()?;
    match app.directory().remove_view(&visit.actor, &place, &name).await {
        // If it is gone already, that is what was wanted.
        Ok(()) | Err(Error::NotFound { .. }) => Ok(see_other(&format!("{ACCOUNT}?done=view-removed"))),
        Err(error) => Err(error.into()),
    }
}
