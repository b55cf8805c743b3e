//! Collects the pieces of a body as they arrive, and parses the whole.
//!
//! The limit of the route and the memory budget of the process are checked while the body arrives. A large body is
//! parsed on a thread that serves no requests.

use std::future::ready;
use std::pin::Pin;
use std::task::{self, Context, Poll};

use axum::BoxError;
use axum::body::Body as RawBody;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::task::spawn_blocking;

use super::arrival::{AtMost, unreadable_body};
use super::charsets::{ascii_charset, charset};
use super::file::UploadedFile;
use super::multipart::FormBounds;
use super::object::JsonObject;
use super::{form, json, multipart};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::server::memory::{MemoryShare, SMALL};

/// The first buffer of a body, in bytes.
const FIRST_ROOM: usize = 1024;
/// The memory of one parsed value beside its text, in bytes.
const VALUE_BYTES: usize = 96;

/// Reads the whole body into one buffer. Kept as they arrive, its pieces, which may be of one byte each, would take
/// many times its length.
pub(super) async fn whole(
    mut body: AtMost<RawBody>,
    limit: usize,
    share: &mut MemoryShare,
) -> Result<Vec<u8>, ApiError> {
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| unreadable_body(error.as_ref()))?.into_data() else { continue };
        let length = bytes.len().saturating_add(data.len());
        if length > bytes.capacity() {
            let room = length.max(bytes.capacity().saturating_mul(2)).max(FIRST_ROOM).min(limit);
            if !share.grow_to(room) {
                return Err(ApiError::Overloaded);
            }
            bytes.reserve_exact(room - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads a multipart form. A body without a byte is an empty one, whatever its media type says.
pub(super) async fn form(
    app: &App,
    media_type: &str,
    mut body: AtMost<RawBody>,
    bounds: FormBounds,
    share: &mut MemoryShare,
) -> Result<(JsonObject, Option<UploadedFile>), ApiError> {
    let first = loop {
        match body.frame().await {
            None => return Ok((JsonObject::new(), None)),
            Some(frame) => match frame.map_err(|error| unreadable_body(error.as_ref()))?.into_data() {
                Ok(data) if !data.is_empty() => break data,
                _ => {}
            },
        }
    };
    let charset = ascii_charset(media_type)?;
    let rest = stream::poll_fn(|cx| poll_data(Pin::new(&mut body), cx));
    let pieces = stream::once(ready(Ok(first))).chain(rest);
    let read = multipart::read(media_type, charset, pieces, bounds, share).await;
    if let Err(error @ (ApiError::BodyTooLarge | ApiError::BodyTooSlow | ApiError::Overloaded)) = read {
        return Err(error);
    }
    // Also after an error of the form, so that the connection can go on.
    let rest = body.skip().await.map_err(|error| unreadable_body(error.as_ref()));
    let mut form = read?;
    rest?;
    let (file, length) = (form.take_file(), form.text_bytes);
    let object = object_of(app, length, share, move || form.into_pairs().and_then(form::gathered)).await?;
    Ok((object, file))
}

/// Polls the next bytes of a body.
fn poll_data(
    mut body: Pin<&mut AtMost<RawBody>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, BoxError>>> {
    loop {
        match task::ready!(body.as_mut().poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}

/// Parses a body.
pub(super) async fn parsed(
    app: &App,
    media_type: Option<String>,
    bytes: Vec<u8>,
    share: &mut MemoryShare,
) -> Result<JsonObject, ApiError> {
    object_of(app, bytes.len(), share, move || parse(media_type, bytes)).await
}

/// Does the work of parsing a body of this length; for a large one on a blocking thread.
async fn object_of(
    app: &App,
    length: usize,
    share: &mut MemoryShare,
    parse: impl FnOnce() -> Result<(JsonObject, usize), ApiError> + Send + 'static,
) -> Result<JsonObject, ApiError> {
    if length <= SMALL {
        return parse().map(|(object, _)| object);
    }
    let received = share.bytes();
    let _turn = app.parsing().acquire().await.map_err(|error| ApiError::Internal(error.to_string()))?;
    let parsing = spawn_blocking(parse).await;
    let (object, values) = parsing.map_err(|error| ApiError::Internal(error.to_string()))??;
    let fits = share.grow_to(received.saturating_add(values.saturating_mul(VALUE_BYTES)));
    if fits { Ok(object) } else { Err(ApiError::Overloaded) }
}

/// Parses a body by its media type and charset. Returns its fields and the number of their values.
fn parse(media_type: Option<String>, bytes: Vec<u8>) -> Result<(JsonObject, usize), ApiError> {
    if bytes.is_empty() {
        return Ok((JsonObject::new(), 0));
    }
    let media_type = media_type.unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => json::object(&bytes, charset(&media_type)?),
        "application/x-www-form-urlencoded" => form::object(&bytes, ascii_charset(&media_type)?),
        _ => Err(unsupported(&media_type, &bytes)),
    }
}

/// The error for a media type that is not read. Many clients forget the one of JSON.
fn unsupported(media_type: &str, bytes: &[u8]) -> ApiError {
    let forgotten = media_type.is_empty() && json::looks_like_json(bytes);
    let hint = if forgotten { " The body looks like JSON: send Content-Type: application/json." } else { "" };
    ApiError::UnsupportedMediaType(format!("Unsupported media type \"{media_type}\" in request.{hint}"))
}
