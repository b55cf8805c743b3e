//! Errors in the shape of RFC 9457, for clients that send `Accept: application/problem+json`.
//!
//! The answer is made in the framework's shape first and converted here, so the two shapes cannot disagree. The codes
//! are the framework's (`code` of its exceptions).

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;

use super::error::{ApiError, ErrorCode, problem};
use super::json;

/// Converts an answer into a problem, if it is an error of ours.
pub(super) async fn convert(response: Response) -> Response {
    let Some(code) = response.extensions().get::<ErrorCode>().copied() else { return response };
    let (mut parts, body) = response.into_parts();
    // The body is one that we made, whole and in memory.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return ApiError::Internal("an answer could not be read back".into()).into_response();
    };
    let Ok(Value::Object(error)) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(parts, bytes.into());
    };
    let problem = problem(parts.status, code, error);
    let bytes = json::compact(&problem).unwrap_or(bytes);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, bytes.into())
}
