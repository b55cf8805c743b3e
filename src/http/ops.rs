//! For operators and their machines: liveness, readiness, metrics, and the OpenAPI document.
//!
//! `/livez` and `/readyz` are asked by address and not by name, so no Host is checked for them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use prometheus_client::registry::Registry;
use serde_json::json;

use super::app::App;
use super::error::{ApiError, answer, answer_json};
use super::outgoing::SharedBytes;
use crate::telemetry;

/// Paths that are answered under any Host.
pub const HOSTLESS: [&str; 2] = ["/livez", "/readyz"];

/// The operators' routes of the main listener.
pub fn router() -> Router<App> {
    health().route("/api/openapi.json", get(openapi))
}

/// The routes of the metrics' own listener.
pub fn metrics_router(app: &App) -> Router<App> {
    let registry = Arc::new(app.metrics().registry());
    health().route("/metrics", get(move || metrics(Arc::clone(&registry))))
}

fn health() -> Router<App> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

/// The process runs and answers.
async fn livez() -> Response {
    answer(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Requests can be served: the database answers, and the server is not about to stop.
async fn readyz(State(app): State<App>) -> Response {
    if app.is_draining() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping" }));
    }
    let reached = app.directory().ping().await;
    app.metrics().database_up.set(reached.is_ok().into());
    match reached {
        Ok(()) => answer(StatusCode::OK, &json!({ "status": "ok" })),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "database unavailable" }))
        }
    }
}

async fn metrics(registry: Arc<Registry>) -> Response {
    const OPENMETRICS: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    match telemetry::render(&registry) {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => ApiError::Internal(error.to_string()).into_response(),
    }
}

/// What this server answers, for machines (OpenAPI 3.1).
async fn openapi(State(app): State<App>) -> Result<Response, ApiError> {
    let mut response = answer_json(StatusCode::OK, app.document().await?);
    response.extensions_mut().insert(SharedBytes);
    Ok(response)
}
