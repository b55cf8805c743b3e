//! The body of a request, read into named values: JSON, a form, or a multipart form, which may have a file.
//!
//! [`Body`] is the raw object, within the bounds that [`bounds`] names. [`Fields`] reads it field by field and collects
//! faults; an unknown name is one of them. The messages are Django REST Framework's. What a value may be beyond its
//! JSON type is decided by the directory's own types.

mod arrival;
mod bounds;
mod charsets;
mod fields;
mod file;
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
pub(super) use self::file::NOT_A_FILE;
pub use self::file::SentFile;
use self::file::UploadedFile;
use self::multipart::FormBounds;
use self::object::JsonObject;
use super::app::App;
use super::error::ApiError;
use crate::server::memory::{MemoryShare, SMALL};

/// The largest body of an operation that needs no token, in bytes.
pub const OPEN_BODY_BYTES: usize = SMALL;

/// The largest report of leaked keys: a thousand keys of our form, or twice as long, and their punctuation.
pub const LEAKED_BODY_BYTES: usize = 128 * 1024;

/// How many bytes the body of a request may have. A request without one in its extensions may have [`OPEN_BODY_BYTES`],
/// so a route that was forgotten has the small limit.
#[derive(Clone, Copy)]
pub(super) struct BodyLimit {
    /// All but the file of a form.
    pub(super) texts: usize,
    /// The file of a form, where the operation takes one.
    pub(super) file: Option<usize>,
}

impl BodyLimit {
    /// The limit of a route without one.
    const SMALLEST: Self = Self { texts: OPEN_BODY_BYTES, file: None };

    /// The most bytes of a body of this kind.
    fn of(self, headers: &HeaderMap) -> usize {
        let file = self.file.filter(|_| is_multipart(headers));
        self.texts.saturating_add(file.unwrap_or_default())
    }
}

/// The field that takes a file: the only one of all routes.
const FILE_FIELD: &str = "avatar";

/// Whether a request says that its body is a multipart form.
pub(super) fn is_multipart(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data")
}

/// The object that a request sent, with the memory that it uses.
#[derive(Debug)]
pub struct Body {
    object: JsonObject,
    file: Option<UploadedFile>,
    share: MemoryShare,
}

impl FromRequest<App> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let limit = parts.extensions.get::<BodyLimit>().copied().unwrap_or(BodyLimit::SMALLEST);
        let (most, announced) = (limit.of(&parts.headers), announced_length(&parts.headers));
        if announced.is_some_and(|length| length > most) {
            return Err(ApiError::BodyTooLarge);
        }
        check_coding(&parts.headers)?;
        let mut share = app.memory().share();
        let body = AtMost::new(body, most);
        let media_type = parts.headers.get(CONTENT_TYPE).map(|value| latin1(value.as_bytes()));
        if is_multipart(&parts.headers) {
            let file = limit.file.map(|most| (FILE_FIELD, most));
            let bounds = FormBounds { texts: limit.texts, file, announced };
            let media_type = media_type.unwrap_or_default();
            let (object, file) = read::form(app, &media_type, body, bounds, &mut share).await?;
            return Ok(Self { object, file, share });
        }
        let bytes = read::whole(body, most, &mut share).await?;
        let object = read::parsed(app, media_type, bytes, &mut share).await?;
        Ok(Self { object, file: None, share })
    }
}

/// A body that must be a form, as the standards of OAuth demand. It is read by the rules of [`Body`].
pub struct FormBody(pub Body);

impl FromRequest<App> for FormBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let media_type = request.headers().get(CONTENT_TYPE).map(|value| latin1(value.as_bytes()));
        let essence = media_type.as_deref().map(|text| text.split(';').next().unwrap_or_default().trim());
        match essence {
            Some(essence) if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") => {
                let media_type = media_type.unwrap_or_default();
                Err(ApiError::UnsupportedMediaType(format!(
                    "Unsupported media type \"{media_type}\" in request. Send application/x-www-form-urlencoded."
                )))
            }
            _ => Body::from_request(request, app).await.map(Self),
        }
    }
}

/// The length of the body that a request announces with `Content-Length`.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

impl From<Body> for Fields {
    fn from(body: Body) -> Self {
        Self::of(body.object).with(body.file, body.share)
    }
}
