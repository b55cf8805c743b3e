//! Pages and redirects as responses, with the headers of the site.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use http::header::VARY;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, InvalidHeaderValue, LOCATION, SET_COOKIE,
};
use http::{HeaderValue, StatusCode};

use crate::directory::model::is_absolute_url;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Renders a page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Result<Response, ApiError> {
    let html = template
        .render()
        .map_err(|error| ApiError::Internal(format!("a page cannot be rendered: {error}")))?;
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

/// Leads to another page of the site; after a form, too. The path is percent-encoded.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/admin"));
    response.headers_mut().insert(LOCATION, path);
    response
}

/// Adds a cookie.
pub(super) fn with_cookie(
    mut response: Response,
    cookie: Result<HeaderValue, InvalidHeaderValue>,
) -> Response {
    if let Ok(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Adds the headers of every page.
pub(super) fn with_headers(mut response: Response, app: &App) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Cookie"));
    if let Ok(policy) = HeaderValue::try_from(policy(&app.settings().site.media_url)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The headers of every page as lines, for answers that are written byte by byte.
pub(super) fn page_lines(app: &App) -> String {
    let policy = policy(&app.settings().site.media_url);
    format!("Cache-Control: no-store\r\nContent-Security-Policy: {policy}\r\n")
}

/// The origin of media files; `None` if they are on this one.
pub(super) fn media_origin(media_url: &str) -> Option<&str> {
    let host = media_url.find("://").filter(|_| is_absolute_url(media_url))? + 3;
    let end = media_url.get(host..)?.find('/').map_or(media_url.len(), |at| host + at);
    media_url.get(..end)
}

/// The content security policy of every page. Pictures may come from the origin of media files, if that is another one.
fn policy(media_url: &str) -> String {
    let media = media_origin(media_url).map(|origin| format!(" {origin}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{media}; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; \
         trusted-types wardroom"
    )
}
