//! Errors as RFC 9457 has them, for clients that ask with `Accept: application/problem+json`.
//!
//! The answer is made in the framework's shape first; here it is put into the other, so the two cannot
//! disagree. The machine codes are the framework's (`code` of its exceptions).

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::json;

/// What a failure is called by machines; travels with the answer until it is sent.
#[derive(Clone, Copy)]
pub(super) struct Code(pub(super) &'static str);

/// The answer as a problem, if it is an error of ours.
pub(super) async fn told(response: Response) -> Response {
    let Some(Code(code)) = response.extensions().get::<Code>().copied() else { return response };
    let (mut parts, body) = response.into_parts();
    // The body is one we made ourselves, whole and in memory.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return ApiError::Internal("an answer could not be read back".into()).into_response();
    };
    let Ok(Value::Object(told)) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(parts, bytes.into());
    };
    let mut problem = Map::new();
    problem.insert("type".into(), "about:blank".into());
    problem.insert("title".into(), parts.status.canonical_reason().unwrap_or_default().into());
    problem.insert("status".into(), parts.status.as_u16().into());
    problem.insert("code".into(), code.into());
    match told.get("detail") {
        Some(detail @ Value::String(_)) => problem.insert("detail".into(), detail.clone()),
        _ => problem.insert("errors".into(), Value::Object(told)),
    };
    let bytes = json::compact(&problem).unwrap_or(bytes);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, bytes.into())
}
