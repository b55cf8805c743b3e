//! Media files, below the path of `media_url`.
//!
//! An uploaded avatar has a name of its own for each content, so browsers and caches may keep it. It is answered from memory
//! where it can be (`http/express/media.rs` does the same without a parser). Other files below the media directory were
//! imported; they can change, and are read from disk each time. No token is needed: a name of an upload can be found only by who has the
//! uploaded file itself.

mod answers;
mod imported;

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL};
use http::request::Parts;
use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;

use self::answers::{Failure, WantedFile};
use super::app::App;
use super::error::ApiError;
use super::headers::UNCACHED;
use super::pipeline::with_reason;
use super::reason::Reason;
use super::resource::RouteName;
use crate::media::storage::{AvatarFile, is_good_name};

/// The route of all media files, for the log and the metrics.
pub(super) const ROUTE: &str = "/media/{name}";
/// The methods of a media file.
const METHODS: &str = "GET, HEAD";

/// Answers a request for a path without a route: that of a media file, or an unknown one.
pub(super) async fn answer(State(app): State<App>, request: Request) -> Response {
    // A body is not read, and cannot be shared between threads.
    let (request, _) = request.into_parts();
    let Some(name) = name_of(request.uri.path(), &app.settings().media_path) else {
        return ApiError::NotFound.into_response();
    };
    let mut response = match request.method {
        Method::GET | Method::HEAD => match find(&app, &name, &request).await {
            Ok(response) => response,
            Err(error) => refused(error),
        },
        ref other => {
            let mut response = refused(Failure::Method(other.clone()));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
            response
        }
    };
    response.extensions_mut().insert(RouteName(ROUTE.to_owned()));
    response
}

/// Returns the name of the file that a path below the media path means.
fn name_of(path: &str, media_path: &str) -> Option<String> {
    let name = path.strip_prefix(media_path)?;
    // The path has been decoded and checked; what is still encoded are characters that a path cannot have otherwise.
    percent_decode_str(name).decode_utf8().ok().map(|name| name.into_owned())
}

fn refused(failure: Failure) -> Response {
    let mut response = match failure {
        Failure::NotFound => ApiError::NotFound.into_response(),
        Failure::Method(method) => ApiError::MethodNotAllowed(method).into_response(),
        Failure::Storage(error) => {
            let reason = Reason::new(format!("the store of avatars is unavailable: {error}"));
            with_reason(ApiError::Unavailable(error.to_string()).into_response(), Some(reason))
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(UNCACHED));
    response
}

async fn find(app: &App, name: &str, request: &Parts) -> Result<Response, Failure> {
    if !is_good_name(name) {
        return Err(Failure::NotFound);
    }
    let wanted = WantedFile { is_head: request.method == Method::HEAD, headers: &request.headers };
    let size = size_of(request.uri.query())?;
    match (AvatarFile::parse(name), size) {
        (Some(AvatarFile { size: Some(_), .. }), Some(_)) => Err(Failure::NotFound),
        (Some(file), size) => {
            let file = AvatarFile { size: file.size.or(size), ..file };
            let kept = app.avatars().find(file).await?.ok_or(Failure::NotFound)?;
            let is_in_memory = app.avatars().kept(file, Instant::now()).is_some();
            Ok(wanted.immutable(&kept, is_in_memory))
        }
        // An imported picture has no squares, so it is the same for every size.
        (None, _) => imported::find(app, name, &wanted).await,
    }
}

/// Reads the parameter `size`. Other parameters have no effect.
fn size_of(query: Option<&str>) -> Result<Option<u16>, Failure> {
    let parameters = query.unwrap_or_default().split('&');
    let mut sizes = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // A cache may decode the name, too.
        let name = percent_decode_str(name).decode_utf8_lossy();
        (name == "size").then_some(value)
    });
    match (sizes.next(), sizes.next()) {
        (None, _) => Ok(None),
        (Some(size), None) => AvatarFile::size_of(size).map(Some).ok_or(Failure::NotFound),
        _ => Err(Failure::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_of_four_and_other_parameters_have_no_effect() {
        let of = |query: &str| size_of(Some(query)).ok();
        assert_eq!(size_of(None).ok(), Some(None));
        for (query, size) in
            [("size=64", 64), ("%73ize=64", 64), ("v=2&size=512", 512), ("size=128&size2=1", 128)]
        {
            assert_eq!(of(query), Some(Some(size)), "{query}");
        }
        for query in ["", "v=2", "Size=3", "sizes=7"] {
            assert_eq!(of(query), Some(None), "{query}");
        }
        for query in ["size", "size=", "size=65", "size=064", "size=+64", "size=64&size=64", "size=1024"] {
            assert_eq!(of(query), None, "{query}");
        }
    }
}
