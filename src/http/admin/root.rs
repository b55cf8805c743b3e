//! `GET /` and `GET /api`: a browser is led to the site, or sees the roots of the API. All other clients see what they would
//! see without the site.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, VARY};
use http::{HeaderValue, Method, StatusCode};

use super::look::Look;
use super::page::SiteFrame;
use super::responses::{page, see_other, with_headers};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::media;
use crate::http::site::Site;

/// Answers a request for `/`.
pub(in crate::http) async fn answer(State(app): State<App>, request: Request) -> Response {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    if !is_read || !app.settings().admin_site || !wants_html(&request) {
        return media::answer(State(app), request).await;
    }
    let mut response = see_other("/admin");
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// The roots of the API, and what each is for.
const ROOTS: &[(&str, &str)] = &[
    ("/api/docs", "The documentation of every call"),
    ("/api/openapi.json", "The same for programs (OpenAPI)"),
    ("/api/users/me", "Who is calling, and what may they do?"),
    ("/api/users", "Users"),
    ("/api/users/groups", "Groups"),
    ("/api/users/permissions", "Permissions"),
    ("/api/users/tokens", "Tokens of all"),
    ("/api/users/audit", "The audit trail"),
];

#[derive(Template)]
#[template(path = "admin/api_roots.html")]
struct ApiRootsPage {
    page: SiteFrame,
    roots: &'static [(&'static str, &'static str)],
}

/// Answers a request for `/api`; a slash at the end of a path is taken away before.
pub(in crate::http) async fn answer_api(
    State(app): State<App>,
    request: Request,
) -> Result<Response, ApiError> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    if !is_read || !app.settings().admin_site || !wants_html(&request) {
        return Ok(media::answer(State(app), request).await);
    }
    let host = request.extensions().get::<Site>().map(|site| site.host().to_owned()).unwrap_or_default();
    let frame = SiteFrame::bare("The API of Wardroom", Look::of(request.headers()), &host);
    let mut response = with_headers(page(StatusCode::OK, &ApiRootsPage { page: frame, roots: ROOTS })?, &app);
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept, Cookie"));
    Ok(response)
}

/// Whether the client names HTML among the formats that it accepts, as browsers do and programs do not.
fn wants_html(request: &Request) -> bool {
    let lines = request.headers().get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut ranges = lines.flat_map(|line| line.split(','));
    ranges.any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/html"))
}
