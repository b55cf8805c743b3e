//! The operators' routes: liveness, readiness, metrics, and the OpenAPI document.
//!
//! `/livez` and `/readyz` are called by address and not by name, so no Host is checked for them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::app::App;
use super::error::{ApiError, answer, answer_json};
use super::outgoing::SharedBytes;
use super::pipeline::with_reason;
use super::reason::Reason;
use super::{api, json};
use crate::telemetry::{self, Exposition};

/// The paths that are answered under any Host.
pub const HOSTLESS: [&str; 2] = ["/livez", "/readyz"];

/// The operators' routes of the main listener.
pub fn router() -> Router<App> {
    health().route("/api/openapi.json", get(openapi))
}

/// The routes of the metrics' own listener.
pub fn metrics_router(app: &App) -> Router<App> {
    let registry = Arc::new(app.metrics().registry());
    health().route("/metrics", get(move |headers| metrics(Arc::clone(&registry), headers)))
}

fn health() -> Router<App> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

/// Reports that the process runs.
async fn livez() -> Response {
    answer(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Reports whether requests can be served: keys can be looked up, and the server is not about to stop.
async fn readyz(State(app): State<App>) -> Response {
    if app.is_draining() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping" }));
    }
    let reached = app.directory().check_look_ups().await;
    app.metrics().database_up.set(reached.is_ok().into());
    match reached {
        Ok(()) => answer(StatusCode::OK, &json!({ "status": "ok" })),
        Err(error) => {
            let unready = json!({ "status": "database unavailable" });
            let reason = Reason::new(format!("not ready: {error}"));
            with_reason(answer(StatusCode::SERVICE_UNAVAILABLE, &unready), Some(reason))
        }
    }
}

/// Sends the metrics in the format that the Accept header prefers.
async fn metrics(registry: Arc<Registry>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let format = Exposition::negotiate(&accept.collect::<Vec<_>>().join(","));
    let kind = HeaderValue::from_static(format.content_type());
    match telemetry::render(&registry, format) {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => ApiError::Internal(error.to_string()).into_response(),
    }
}

/// Sends the OpenAPI document (OpenAPI 3.1).
async fn openapi() -> Result<Response, ApiError> {
    let mut response = answer_json(StatusCode::OK, document().await?);
    response.extensions_mut().insert(SharedBytes);
    Ok(response)
}

/// The OpenAPI document as JSON. It is large and takes a while to make, and few servers need it, so it is made once,
/// for the first request, however many requests come at the same time.
async fn document() -> Result<Bytes, ApiError> {
    static DOCUMENT: OnceCell<Bytes> = OnceCell::const_new();
    let internal = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
    let make = async || {
        let made = spawn_blocking(|| json::compact(&api::document())).await;
        made.map_err(|error| internal(&error))?.map_err(|error| internal(&error))
    };
    DOCUMENT.get_or_try_init(make).await.cloned()
}
