//! `/api/docs`: the API's documentation as a page, made by Swagger UI out of `/api/openapi.json`. Everything
//! it needs is in the program; it works without a way to the internet.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use utoipa_swagger_ui::{Config, serve};

use super::app::App;
use super::error::Failure;

const PAGE: &str = "index.html";
/// The page names its files relative to itself. Paths here have no slash at their end, so it is told where
/// it stands.
const BASE: &str = "<head>\n    <base href=\"/api/docs/\">";

/// The page and its files.
pub(super) fn router() -> Router<App> {
    let config = Arc::new(
        Config::from("/api/openapi.json").deep_linking(true).use_base_layout().validator_url("none"),
    );
    let (page, files) = (Arc::clone(&config), config);
    Router::new()
        .route("/api/docs", get(async move || file(PAGE, page)))
        .route("/api/docs/{*file}", get(async move |Path(name): Path<String>| file(&name, files)))
}

fn file(name: &str, config: Arc<Config<'static>>) -> Response {
    let found = match serve(name, config) {
        Ok(Some(found)) => found,
        Ok(None) => return Failure::NotFound.into_response(),
        Err(error) => return Failure::Internal(format!("the documentation page: {error}")).into_response(),
    };
    let body = match name {
        PAGE => Body::from(String::from_utf8_lossy(&found.bytes).replacen("<head>", BASE, 1)),
        _ => Body::from(found.bytes.into_owned()),
    };
    let mut response = Response::new(body);
    let media_type = HeaderValue::from_str(&found.content_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("text/plain")));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
