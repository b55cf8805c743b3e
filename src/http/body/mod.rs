//! The body of a request, read into named values: JSON, a form, or a multipart form without files.
//!
//! [`Body`] is the raw object, within the bounds that [`bounds`] names. [`Fields`] reads it field by field and collects
//! faults; an unknown name is one of them. The messages are Django REST Framework's. What a value may be beyond its
//! JSON type is decided by the directory's own types.

mod arrival;
mod bounds;
mod charsets;
mod fields;
mod form;
mod json;
mod multipart;
mod object;
mod read;

use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

pub(super) use self::arrival::{AtMost, Awaited, AwaitsClient, unreadable_body};
use self::charsets::{check_coding, latin1};
pub use self::fields::Fields;
use self::object::JsonObject;
use super::app::App;
use super::error::ApiError;
use crate::server::memory::{MemoryShare, SMALL};

/// The largest body of an operation that needs no token, in bytes.
pub const OPEN_BODY_BYTES: usize = SMALL;

/// How many bytes the body of a request may have. A request without one in its extensions may have [`OPEN_BODY_BYTES`],
/// so a route that was forgotten has the small limit.
#[derive(Clone, Copy)]
pub(super) struct BodyLimit(pub(super) usize);

/// The object that a request sent, with the memory that it uses.
#[derive(Debug)]
pub struct Body(JsonObject, MemoryShare);

impl FromRequest<App> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let limit = parts.extensions.get::<BodyLimit>().map_or(OPEN_BODY_BYTES, |limit| limit.0);
        if announced_length(&parts.headers).is_some_and(|length| length > limit) {
            return Err(ApiError::BodyTooLarge);
        }
        check_coding(&parts.headers)?;
        let mut share = app.memory().share();
        let bytes = read::whole(AtMost::new(body, limit), limit, &mut share).await?;
        let media_type = parts.headers.get(CONTENT_TYPE).map(|value| latin1(value.as_bytes()));
        let object = read::parsed(app, media_type, bytes, &mut share).await?;
        Ok(Self(object, share))
    }
}

/// The length of the body that a request announces with `Content-Length`.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

impl From<Body> for Fields {
    fn from(body: Body) -> Self {
        Self::of(body.0).holding(body.1)
    }
}
