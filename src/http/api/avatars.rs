//! Avatars: the field of bodies about users, and the picture of a user, which is a file or the initials of the name.

use axum::Extension;
use axum::body::Body as RawBody;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};

use super::answers::Refusals;
use super::initials;
use super::samples;
use crate::directory::avatars::AvatarChange;
use crate::directory::model::{User, UserId, UserKey, Violation};
use crate::directory::{Actor, Error};
use crate::http::app::App;
use crate::http::avatars::{AVATAR, upload};
use crate::http::body::{Fields, NOT_A_FILE, SentFile};
use crate::http::caller::{Authenticated, ReadsMe};
use crate::http::error::ApiError;
use crate::http::site::Site;
use crate::http::text::query_parameter;
use crate::media::storage::AvatarFile;

/// What a browser may do with the initials: nothing.
const SANDBOX: &str = "default-src 'none'; sandbox";

/// Reads the change of an avatar from a body. The URL of the present picture is no change: a record that was read may be
/// sent back. `shown` finds the user whose picture it is, if the caller may see it.
pub(super) async fn change_of_avatar(
    app: &App,
    site: &Site,
    fields: &mut Fields,
    shown: impl Future<Output = Result<Option<User>, Error>>,
) -> Result<Option<AvatarChange>, ApiError> {
    Ok(match fields.file(AVATAR) {
        None => None,
        Some(SentFile::None) => Some(AvatarChange::Remove),
        Some(SentFile::Content(content, held)) => {
            Some(AvatarChange::Upload(upload(app.media(), content, held)))
        }
        Some(SentFile::Text(text)) => {
            let user = shown.await?;
            let stored = user.as_ref().and_then(|user| user.avatar.as_deref());
            if !site.is_media(stored, &text) {
                fields.refuse(AVATAR, &Violation::Other(NOT_A_FILE.to_owned()));
            }
            None
        }
    })
}

/// Finds a user for a caller who may see it.
pub(super) async fn visible(app: &App, actor: &Actor, id: UserId) -> Result<Option<User>, Error> {
    match app.directory().visible_user(actor, &UserKey::Id(id)).await {
        Ok(user) => Ok(Some(user)),
        Err(Error::Denied(_) | Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Retrieve My Avatar
///
/// The picture of the currently authenticated user: a redirect to its file, or an SVG image of the initials if there is
/// none. Works in browsers only where they send the token, so pages use the `avatar` of the user instead.
#[utoipa::path(
    get,
    path = "/api/users/me/avatar",
    operation_id = "users_me_avatar",
    tag = "users",
    security(("token" = [])),
    params(("size" = Option<u16>, Query, description = "The side of the square: 64, 128, 256 or 512; without it, the full picture")),
    responses(
        (status = 200, description = "The initials of a user without a picture", body = String, content_type = "image/svg+xml",
            example = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"Ada Lovelace\">...</svg>"),
        (status = 302, description = "The user has a picture", headers(("Location" = String, description = "The URL of the file"))),
        Refusals,
    ),
)]
pub(super) async fn retrieve_own(
    ReadsMe(identity): ReadsMe,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    picture(&identity.user, &site, query.as_deref())
}

/// Retrieve Avatar
///
/// The picture of a user: a redirect to its file, or an SVG image of the initials if there is none. For {callers}; users
/// may retrieve their own.
#[utoipa::path(
    get,
    path = "/api/users/{id}/avatar",
    operation_id = "users_avatar",
    tag = "users",
    security(("token" = [])),
    params(
        ("id" = i64, Path, description = "ID of the user", example = json!(samples::USER)),
        ("size" = Option<u16>, Query, description = "The side of the square: 64, 128, 256 or 512; without it, the full picture"),
    ),
    responses(
        (status = 200, description = "The initials of a user without a picture", body = String, content_type = "image/svg+xml",
            example = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"Ada Lovelace\">...</svg>"),
        (status = 302, description = "The user has a picture", headers(("Location" = String, description = "The URL of the file"))),
        Refusals,
    ),
)]
pub(super) async fn retrieve(
    State(app): State<App>,
    Authenticated(actor): Authenticated,
    Extension(site): Extension<Site>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let id: UserId = id.parse().map_err(|_| ApiError::NotFound)?;
    let user = app.directory().visible_user(&actor, &UserKey::Id(id)).await?;
    picture(&user, &site, query.as_deref())
}

/// Answers with the picture of a user.
fn picture(user: &User, site: &Site, query: Option<&str>) -> Result<Response, ApiError> {
    let size = match query_parameter(query.unwrap_or_default(), "size") {
        None => None,
        Some(size) => Some(size.ok().and_then(|size| AvatarFile::size_of(&size)).ok_or(ApiError::NotFound)?),
    };
    let Some(mut url) = site.media(user.avatar.as_deref()) else { return Ok(initials_of(user, size)) };
    // A picture that was imported has one size.
    let has_sizes = user.avatar.as_deref().and_then(AvatarFile::parse).is_some();
    if let Some(size) = size.filter(|_| has_sizes) {
        url += &format!("?size={size}");
    }
    let url = HeaderValue::try_from(url).map_err(|error| ApiError::Internal(error.to_string()))?;
    let mut response = Response::new(RawBody::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, url);
    Ok(response)
}

fn initials_of(user: &User, size: Option<u16>) -> Response {
    let mut response = Response::new(RawBody::from(initials::svg(user, size)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    response
}
