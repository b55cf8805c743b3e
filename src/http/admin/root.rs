//! `GET /`: a browser is led to the site. All other clients see what they would see without it.

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, VARY};
use http::{HeaderValue, Method};

use super::responses::see_other;
use crate::http::app::App;
use crate::http::media;

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

/// Whether the client names HTML among the formats that it accepts, as browsers do and programs do not.
fn wants_html(request: &Request) -> bool {
    let lines = request.headers().get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut ranges = lines.flat_map(|line| line.split(','));
    ranges.any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/html"))
}
