//! `/admin/look`: changes how the site looks in this browser.

use axum::response::Response;
use http::header::REFERER;
use http::{HeaderMap, HeaderValue};

use super::responses::{see_other, with_cookie};
use super::safe_path::within_site;
use super::visit::Stranger;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

/// `POST /admin/look`: changes how the site looks, and returns to the page that the form was on.
pub(super) async fn change(
    stranger: Stranger,
    headers: HeaderMap,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let mut look = stranger.look;
    for name in ["theme", "density", "keys"] {
        if let Some(value) = fields.text(name) {
            look = look.with(name, &value).ok_or(ApiError::BadRequest("This is no way to show the site."))?;
        }
    }
    fields.end()?;
    let referer = headers.get(REFERER).and_then(|line| line.to_str().ok());
    let path = referer.and_then(|url| url.strip_prefix(stranger.site.origin()));
    Ok(with_cookie(see_other(&within_site(path.unwrap_or_default())), HeaderValue::try_from(look.cookie())))
}
