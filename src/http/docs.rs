//! `/api/docs`: the documentation page of the API. Swagger UI renders it from `/api/openapi.json`. All its files are in
//! the program, so it works without access to the internet.
//!
//! A file's bytes exist once for all readers, so many slow readers cost no memory.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use utoipa_swagger_ui::{Config, serve};

use super::app::App;
use super::error::ApiError;
use super::outgoing::SharedBytes;

/// The page. Its `base` makes names of files relative to itself, because paths here have no slash at their end.
const PAGE: &str = include_str!("docs/page.html");
/// Our own files, with their media types. Swagger UI's files have other names.
const OWN: [(&str, &str, &str); 3] = [
    ("index.html", "text/html", PAGE),
    ("page.js", "text/javascript", include_str!("docs/page.js")),
    ("page.css", "text/css", include_str!("docs/page.css")),
];
/// The least that the page needs: its own scripts and styles, images in its styles, and requests to this server. Tested
/// in Chromium: with less, the page's images are missing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
     base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
);

/// The page and its files.
pub(super) fn router() -> Router<App> {
    let config = Arc::new(Config::from("/api/openapi.json"));
    Router::new()
        .route("/api/docs", get(async || response("text/html", PAGE.into())))
        .route("/api/docs/{*file}", get(async move |Path(name): Path<String>| answer(&name, config)))
}

fn answer(name: &str, config: Arc<Config<'static>>) -> Response {
    match file(name, config) {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

fn file(name: &str, config: Arc<Config<'static>>) -> Result<Response, ApiError> {
    if let Some((_, media_type, text)) = OWN.into_iter().find(|(own, ..)| *own == name) {
        return Ok(response(media_type, text.into()));
    }
    let found = serve(name, config);
    let found = found.map_err(|error| ApiError::Internal(format!("the documentation page: {error}")))?;
    let found = found.ok_or(ApiError::NotFound)?;
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(response(&found.content_type, bytes))
}

fn response(media_type: &str, bytes: Bytes) -> Response {
    let media_type = match media_type {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_str(&media_type);
    headers.insert(CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    response.extensions_mut().insert(SharedBytes);
    response
}
