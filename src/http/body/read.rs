//! Collects the pieces of a body as they arrive, and parses the whole.
//!
//! The limit of the route and the memory budget of the process are checked while the body arrives. A large body is
//! parsed on a thread that serves no requests.

use axum::body::Body as RawBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::task::spawn_blocking;

use super::arrival::{AtMost, unreadable_body};
use super::charsets::{ascii_charset, charset};
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

/// Parses a body; a large one on a blocking thread.
pub(super) async fn parsed(
    app: &App,
    media_type: Option<String>,
    bytes: Vec<u8>,
    share: &mut MemoryShare,
) -> Result<JsonObject, ApiError> {
    if bytes.len() <= SMALL {
        return parse(media_type, bytes).map(|(object, _)| object);
    }
    let received = share.bytes();
    let _turn = app.parsing().acquire().await.map_err(|error| ApiError::Internal(error.to_string()))?;
    let parsing = spawn_blocking(move || parse(media_type, bytes)).await;
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
        "multipart/form-data" => {
            let charset = ascii_charset(&media_type)?;
            multipart::read(&media_type, charset, Bytes::from(bytes)).and_then(form::gathered)
        }
        _ => Err(unsupported(&media_type, &bytes)),
    }
}

/// The error for a media type that is not read. Many clients forget the one of JSON.
fn unsupported(media_type: &str, bytes: &[u8]) -> ApiError {
    let forgotten = media_type.is_empty() && json::looks_like_json(bytes);
    let hint = if forgotten { " The body looks like JSON: send Content-Type: application/json." } else { "" };
    ApiError::UnsupportedMediaType(format!("Unsupported media type \"{media_type}\" in request.{hint}"))
}
